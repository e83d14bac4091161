"""The rules of single fields of an ASL document: types, ranges, paths, templates and expressions.

A rule notes what is wrong with one value; which field has which rule is in `validate_states`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from stepwell_schemas.problems import PathInDocument

from stepwell_interpreter.asl.diagnostics import INVALID_JSONATA, Diagnostics
from stepwell_interpreter.asl.jsonata_syntax import is_jsonata
from stepwell_interpreter.asl.path_syntax import parse_path
from stepwell_interpreter.asl.references import expression_problem, syntax_problem
from stepwell_interpreter.asl.syntax import JSONATA, JSONPATH, AslSyntax, Language
from stepwell_interpreter.asl.timestamps import parse_timestamp

MAX_SECONDS = 99_999_999

_ERROR_OUTPUT = re.compile(r"\$states\.errorOutput\b")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands and in which language it is read."""

    path: PathInDocument
    language: Language
    found: Diagnostics

    def at(self, *parts: str | int) -> "Place":
        """A place below this one."""
        return Place((*self.path, *parts), self.language, self.found)

    def error(self, message: str, help: str = "") -> None:
        """Note that what stands here is wrong."""
        self.found.error(self.path, message, help=help)


Rule = Callable[[Any, Place], None]


def anything(value: Any, place: Place) -> None:
    """Any JSON."""


def text(value: Any, place: Place) -> None:
    """A string."""
    if not isinstance(value, str):
        place.error("Expected value of type String")


def boolean(value: Any, place: Place) -> None:
    """true or false."""
    if not isinstance(value, bool):
        place.error("Expected value of type Boolean")


def structure(value: Any, place: Place) -> bool:
    """Whether an object stands here; notes it where none does."""
    if isinstance(value, Mapping):
        return True
    place.error("Expected value of type Object")
    return False


def one_of(field: str, allowed: Iterable[str]) -> Rule:
    """One of a few words."""
    words = list(allowed)

    def check(value: Any, place: Place) -> None:
        if value not in words:
            place.error(f"The field '{field}' should have one of these values: [{', '.join(words)}]")

    return check


def number(
    minimum: float, maximum: float | None = None, *, integral: bool = True, exact: bool = False
) -> Rule:
    """A number in a range; in JSONata it may be an expression, unless it must be known (`exact`)."""

    def check(value: Any, place: Place) -> None:
        if place.language == JSONATA and not exact and is_expression(value):
            expression(value, place)
        elif isinstance(value, bool) or not isinstance(value, int | float) or (integral and value % 1 != 0):
            place.error(f"Expected value of type {'Integer' if integral else 'Number'}")
        elif value < minimum:
            place.error(f"Minimum value is {minimum if integral else float(minimum)}")
        elif maximum is not None and value > maximum:
            place.error(f"Maximum value is {maximum if integral else float(maximum)}")

    return check


def text_or_expression(value: Any, place: Place) -> None:
    """A string, in JSONata perhaps an expression."""
    if place.language == JSONATA and is_expression(value):
        expression(value, place)
    else:
        text(value, place)


def timestamp(value: Any, place: Place) -> None:
    """An RFC 3339 timestamp; in JSONata perhaps an expression."""
    if place.language == JSONATA and is_expression(value):
        expression(value, place)
        return
    if not isinstance(value, str):
        place.error("Expected value of type String")
        return
    if parse_timestamp(value) is None:
        place.error(
            "String does not match RFC3339 timestamp",
            "such as 2026-01-31T12:00:00Z, with an upper-case T and Z",
        )


def json_path(value: Any, place: Place) -> None:
    """A JSONPath, or null (InputPath, OutputPath)."""
    if value is None:
        return
    if not isinstance(value, str) or syntax_problem(value, "path", JSONPATH) is not None:
        place.error("Value must be a valid JSONPath.")


def reference_path(value: Any, place: Place) -> None:
    """A path to exactly one place."""
    if not isinstance(value, str):
        place.error("Expected value of type String")
    elif (problem := reference_problem(value)) is not None:
        place.error(problem)


def result_path(value: Any, place: Place) -> None:
    """A path that is written to, or null."""
    if value is None:
        return
    if not isinstance(value, str):
        place.error("Expected value of type String")
    elif (problem := reference_problem(value)) is not None:
        place.error(problem)
    elif syntax_problem(value, "referencePath", JSONPATH) is not None:
        place.error(
            "Value is not a Reference Path", "a place in the state's input: $, or a path such as $.result"
        )


def reference_or_intrinsic(value: Any, place: Place) -> None:
    """A reference path or a call of an intrinsic function (ErrorPath, CausePath)."""
    if isinstance(value, str) and value.startswith("States."):
        if (problem := syntax_problem(value, "intrinsic", JSONPATH)) is not None:
            place.error(problem)
    else:
        context_or_reference(value, place)


def context_or_reference(value: Any, place: Place) -> None:
    """A reference path that may go into the context object."""
    if isinstance(value, str) and value.startswith("$$"):
        json_path(value, place)
    else:
        reference_path(value, place)


def reference_problem(value: str) -> str | None:
    """AWS's words for what is no reference path. What is read may begin with a variable."""
    if not value.startswith("$"):
        return "Value is not a Reference Path: Reference path didn't start with '$'"
    try:
        query = parse_path(value)
    except AslSyntax:
        return "Value is not a Reference Path"
    return None if query.definite and query.root != "$$" else "Value is not a Reference Path"


def template(value: Any, place: Place) -> None:
    """A payload template of the state's language: `.$` keys in JSONPath, `{% %}` texts in JSONata."""
    if place.language == JSONATA:
        expressions(value, place)
    else:
        payload(value, place)


def assignment(value: Any, place: Place) -> None:
    """Variables by name, each a template."""
    if structure(value, place):
        template(value, place)


def payload(value: Any, place: Place) -> None:
    """A JSONPath payload template."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key.endswith(".$"):
                _dynamic(key, inner, place)
            else:
                payload(inner, place.at(key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            payload(inner, place.at(index))


def expressions(value: Any, place: Place) -> None:
    """Any JSON whose texts may be JSONata expressions."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            expressions(inner, place.at(key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            expressions(inner, place.at(index))
    elif is_expression(value):
        expression(value, place)


def expression(value: str, place: Place) -> None:
    """One `{% %}` text."""
    problem = expression_problem(value, "jsonata", JSONATA)
    if problem is not None:
        place.found.error(place.path, problem.message, problem.code, problem.detail)
    elif _ERROR_OUTPUT.search(value) and not _caught(place.path):
        message = "$states.errorOutput is only available in the Catch field"
        place.found.error(place.path, message, INVALID_JSONATA)


def is_expression(value: Any) -> bool:
    """Whether a value is a JSONata expression in its marks."""
    return is_jsonata(value)


def _caught(path: PathInDocument) -> bool:
    return any(part == "Catch" and isinstance(path[at + 1], int) for at, part in enumerate(path[:-1]))


def _dynamic(key: str, value: Any, place: Place) -> None:
    if not isinstance(value, str) or syntax_problem(value, "payload", JSONPATH) is not None:
        place.error(
            f"The value for the field '{key}' must be a valid JSONPath or a valid intrinsic function call"
        )
