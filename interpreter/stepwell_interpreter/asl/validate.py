"""Whether AWS would take an ASL document: every state's fields, then where the states lead, then the names.

As in AWS, a document whose fields are wrong is told that alone; its graph is looked at once the fields are right.
"""

from collections.abc import Mapping
from typing import Any, Literal

from stepwell_schemas.json_reader import read_json
from stepwell_schemas.problems import PathInDocument
from stepwell_schemas.source_text import MAX_DEPTH, SyntaxFault, read_source

from stepwell_interpreter.asl.diagnostics import (
    INVALID_JSON,
    MISSING_DESCRIPTION,
    TOO_DEEP,
    Diagnostic,
    Diagnostics,
)
from stepwell_interpreter.asl.resources import ANY, ResourceTable
from stepwell_interpreter.asl.syntax import JSONATA, JSONPATH, Language
from stepwell_interpreter.asl.validate_errors import check_required
from stepwell_interpreter.asl.validate_fields import (
    MAX_SECONDS,
    Place,
    Rule,
    anything,
    number,
    one_of,
    structure,
    text,
)
from stepwell_interpreter.asl.validate_graph import all_machines, check_graph, check_names
from stepwell_interpreter.asl.validate_map import check_map, check_processor_config, processor_config
from stepwell_interpreter.asl.validate_states import LANGUAGES, TYPES, check_state
from stepwell_interpreter.asl.validate_task import check_task
from stepwell_interpreter.asl.validate_variables import check_variables
from stepwell_interpreter.asl.validate_warnings import warn

MachineType = Literal["STANDARD", "EXPRESS"]

_MACHINE: dict[str, Rule] = {
    "States": anything,
    "StartAt": text,
    "Comment": text,
}
_ROOT: dict[str, Rule] = {
    **_MACHINE,
    "Version": one_of("Version", ("1.0",)),
    "TimeoutSeconds": number(1, MAX_SECONDS, exact=True),
    "QueryLanguage": one_of("QueryLanguage", LANGUAGES),
}
_PROCESSOR: dict[str, Rule] = {**_MACHINE, "ProcessorConfig": anything}


def validate_asl(
    document: Any,
    *,
    type: MachineType = "STANDARD",
    resources: ResourceTable = ANY,
    text: str | None = None,
    warnings: bool = False,
) -> list[Diagnostic]:
    """All that is wrong with a document, in its order; empty where AWS and the table of resources take it.

    `text` is the definition as it was sent; it is read where `document` is None. With `resources` ANY only what
    AWS itself refuses is found, else also every resource that leads to no activity. `warnings` adds what is
    taken but is hardly meant.
    """
    found = Diagnostics()
    if document is None and text is not None:
        document = _read(text, found)
        if found.refused:
            return found.found
    if _too_deep(document):
        found.error((), f"nested deeper than {MAX_DEPTH} levels", TOO_DEEP)
        return found.found
    if not isinstance(document, Mapping):
        found.error((), "Expected value of type Object")
        return found.found
    root: Language = JSONPATH if document.get("QueryLanguage", JSONPATH) == JSONPATH else JSONATA
    _Checker(found, resources, root).machine(document, (), _ROOT, express=type == "EXPRESS")
    if not found.refused:
        for path, machine in all_machines(document):
            check_graph(machine, path, found)
        check_names(all_machines(document), found)
    if not found.refused:
        check_variables(document, (), found)
    if warnings and not found.refused:
        warn(document, root, found)
    return found.found


class _Checker:
    """Walks the machines; `root` is the query language of the whole document, which all states begin with."""

    def __init__(self, found: Diagnostics, resources: ResourceTable, root: Language) -> None:
        self.found = found
        self.resources = resources
        self.root = root

    def machine(self, machine: Any, path: PathInDocument, rules: dict[str, Rule], *, express: bool) -> None:
        """StartAt, States and what else a machine has."""
        place = Place(path, self.root, self.found)
        if not structure(machine, place):
            return
        check_required(machine, ("States", "StartAt"), place)
        for field, value in machine.items():
            rule = rules.get(field)
            if rule is None:
                place.error(f"Field '{field}' is not supported")
            else:
                rule(value, place.at(field))
        states = machine.get("States", {})
        if not structure(states, place.at("States")):
            return
        if "States" in machine and not states:
            place.at("States").error("Object must have at least one field")
        for name, state in states.items():
            self.state(state, (*path, "States", name), express=express)

    def state(self, state: Any, path: PathInDocument, *, express: bool) -> None:
        """One state and the machines inside it."""
        place = Place(path, self.root, self.found)
        if not structure(state, place):
            return
        kind = state.get("Type")
        if kind is None:
            check_required(state, ("Type",), place)
            return
        if kind not in TYPES:
            one_of("Type", TYPES)(kind, place.at("Type"))
            return
        place = Place(path, self._language(state, place), self.found)
        check_state(state, kind, place)
        if kind == "Task":
            check_task(state, place, self.resources, express=express)
        elif kind == "Parallel":
            self._branches(state.get("Branches", []), place.at("Branches"), express=express)
        elif kind == "Map":
            check_map(state, place)
            self._processor(state, place, express=express)

    def _language(self, state: Mapping[str, Any], place: Place) -> Language:
        """Anything but the exact word JSONPath counts as JSONata; there is no way back from it."""
        if "QueryLanguage" not in state:
            return self.root
        own: Language = JSONPATH if state["QueryLanguage"] == JSONPATH else JSONATA
        if own == JSONPATH and self.root == JSONATA:
            place.error("'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine")
            return self.root
        return own

    def _branches(self, branches: Any, place: Place, *, express: bool) -> None:
        if not isinstance(branches, list):
            place.error("Expected value of type Array")
            return
        if not branches:
            place.error("Array must not be empty")
        for index, branch in enumerate(branches):
            self.machine(branch, (*place.path, index), _MACHINE, express=express)

    def _processor(self, state: Mapping[str, Any], place: Place, *, express: bool) -> None:
        for field in ("ItemProcessor", "Iterator"):
            processor = state.get(field)
            if field not in state:
                continue
            if isinstance(processor, Mapping) and "ProcessorConfig" in processor:
                here = place.at(field, "ProcessorConfig")
                check_processor_config(processor["ProcessorConfig"], here, express=express)
            inner = processor_config(state).get("ExecutionType") == "EXPRESS" or express
            self.machine(processor, (*place.path, field), _PROCESSOR, express=inner)


def _read(text: str, found: Diagnostics) -> Any:
    if not text.strip():
        found.error(None, "State machine definition is empty", MISSING_DESCRIPTION)
        return None
    try:
        return read_json(read_source(text, None).text)[0]
    except SyntaxFault as fault:
        where = "" if fault.line is None else f" (line {fault.line}, column {fault.column})"
        found.error(None, f"{fault.message}{where}", INVALID_JSON)
        return None


def _too_deep(document: Any) -> bool:
    level = [document]
    for _ in range(MAX_DEPTH + 1):
        level = [
            inner
            for value in level
            for inner in (
                value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
            )
            if isinstance(inner, Mapping | list)
        ]
        if not level:
            return False
    return True
