"""Which variables each state of an ASL document refers to, as DescribeStateMachine tells them."""

from collections.abc import Mapping
from typing import Any

from stepwell_interpreter.asl.references import referenced_variables
from stepwell_interpreter.asl.syntax import JSONATA, JSONPATH, Language
from stepwell_interpreter.asl.validate_graph import all_machines


def variable_references(document: Mapping[str, Any]) -> dict[str, list[str]]:
    """State name -> the names of its variables, sorted; states without any are left out. For validated documents."""
    root: Language = JSONATA if document.get("QueryLanguage") == JSONATA else JSONPATH
    found: dict[str, list[str]] = {}
    for _, machine in all_machines(document):
        for name, state in machine["States"].items():
            names = referenced_variables(state, state.get("QueryLanguage", root))
            if names:
                found[name] = sorted(names)
    return found
