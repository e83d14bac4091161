"""Where states lead: missing targets, states that nothing names, machines that never end, names used twice."""

from collections.abc import Iterator, Mapping
from typing import Any

from stepwell_schemas.problems import PathInDocument

from stepwell_interpreter.asl.diagnostics import (
    DUPLICATE_NAME,
    INVALID_NAME,
    MISSING_END,
    MISSING_TARGET,
    Diagnostics,
)

MAX_NAME = 80


def check_graph(machine: Mapping[str, Any], path: PathInDocument, found: Diagnostics) -> None:
    """One machine, without those inside its states. Its shape has been checked."""
    states = machine["States"]
    targets = [(machine["StartAt"], (*path, "StartAt"))]
    for name, state in states.items():
        targets += transitions(state, (*path, "States", name))
    for target, place in targets:
        if target not in states:
            # AWS says 'Next' whatever the field is called.
            found.error(place, f"Missing 'Next' target: {target}", MISSING_TARGET)
    if not any(_ends(state) for state in states.values()):
        found.error(None, "Workflow has no terminal state", MISSING_END)
        return
    named = {target for target, _ in targets}
    for name in states:
        if name not in named:
            found.error((*path, "States", name), f'State "{name}" is not reachable.', MISSING_TARGET)


def transitions(state: Mapping[str, Any], path: PathInDocument) -> list[tuple[str, PathInDocument]]:
    """Every state that a state names, and where."""
    found = [(state[field], (*path, field)) for field in ("Next", "Default") if field in state]
    for field in ("Choices", "Catch"):
        for index, item in enumerate(state.get(field, ())):
            if "Next" in item:
                found.append((item["Next"], (*path, field, index, "Next")))
    return found


def check_names(machines: Iterator[tuple[PathInDocument, Mapping[str, Any]]], found: Diagnostics) -> None:
    """Names are unique over a machine and all machines inside it, and not too long."""
    seen: set[str] = set()
    for path, machine in machines:
        for name in machine["States"]:
            place = (*path, "States", name)
            if name in seen:
                found.error(place, f"Duplicate State name: {name}", DUPLICATE_NAME)
            seen.add(name)
            if not 0 < len(name) <= MAX_NAME:
                message = f"State name '{name[:MAX_NAME]}' must have between 1 and {MAX_NAME} characters"
                found.error(place, message, INVALID_NAME)


def inner_machines(
    state: Mapping[str, Any], path: PathInDocument
) -> Iterator[tuple[PathInDocument, Mapping[str, Any]]]:
    """The machines directly inside a state."""
    for index, branch in enumerate(state.get("Branches", ())):
        yield (*path, "Branches", index), branch
    for field in ("ItemProcessor", "Iterator"):
        if field in state:
            yield (*path, field), state[field]


def all_machines(
    machine: Mapping[str, Any], path: PathInDocument = ()
) -> Iterator[tuple[PathInDocument, Mapping[str, Any]]]:
    """A machine and all inside it, outermost first."""
    yield path, machine
    for name, state in machine["States"].items():
        for inner_path, inner in inner_machines(state, (*path, "States", name)):
            yield from all_machines(inner, inner_path)


def _ends(state: Mapping[str, Any]) -> bool:
    return state["Type"] in ("Succeed", "Fail") or state.get("End") is True
