"""What AWS takes but warns of: texts that look like paths where nothing reads a path."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from stepwell_schemas.problems import PathInDocument

from stepwell_interpreter.asl.diagnostics import Diagnostics
from stepwell_interpreter.asl.syntax import JSONATA, Language
from stepwell_interpreter.asl.validate_graph import all_machines

NO_DOLLAR = "NO_DOLLAR"
STATIC_RESULT = "PASS_RESULT_IS_STATIC"

_LIKE_AN_EXPRESSION = re.compile(r"\$\$?[.\[]|States\.[A-Za-z0-9]+\(")
_TEMPLATES = ("Parameters", "ResultSelector", "ItemSelector", "Assign")


def warn(document: Mapping[str, Any], root: Language, found: Diagnostics) -> None:
    """Of a document that has been checked."""
    for path, machine in all_machines(document):
        for name, state in machine["States"].items():
            if state.get("QueryLanguage", root) != JSONATA:
                _warn_of_state(state, (*path, "States", name), found)


def _warn_of_state(state: Mapping[str, Any], path: PathInDocument, found: Diagnostics) -> None:
    if state["Type"] == "Pass" and "Result" in state:
        for place in _expressions(state["Result"], (*path, "Result"), static=True):
            message = "The Result of a Pass state is static; what looks like a path is a text there"
            found.warning(place, message, STATIC_RESULT)
    for field in _TEMPLATES:
        if field in state:
            for place in _expressions(state[field], (*path, field), static=False):
                message = f"The field '{place[-1]}' looks like a path but does not end with '.$'"
                found.warning(place, message, NO_DOLLAR)


def _expressions(value: Any, path: PathInDocument, *, static: bool) -> Iterator[PathInDocument]:
    """Where a text looks like an expression; in templates those of `.$` fields are expressions."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key.endswith(".$") and not static:
                continue
            if key.endswith(".$") and isinstance(inner, str):
                yield (*path, key)
            else:
                yield from _expressions(inner, (*path, key), static=static)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _expressions(inner, (*path, index), static=static)
    elif isinstance(value, str) and _LIKE_AN_EXPRESSION.match(value):
        yield path
