"""The rules of Assign: variables have names, and an inner machine does not assign what an outer one does."""

from collections.abc import Iterator, Mapping
from typing import Any

from stepwell_schemas.problems import PathInDocument

from stepwell_interpreter.asl.diagnostics import Diagnostics
from stepwell_interpreter.asl.validate_graph import all_machines, inner_machines, transitions
from stepwell_interpreter.asl.validate_map import is_distributed

MAX_NAME = 80
RESERVED = "states"
MAX_STEPS = 100_000


def check_variables(
    machine: Mapping[str, Any],
    path: PathInDocument,
    found: Diagnostics,
    outer: frozenset[str] = frozenset(),
) -> None:
    """A machine and those inside it; `outer` are the variables that are there when the machine begins."""
    for name, state in machine["States"].items():
        for place, assigned in assignments(state, (*path, "States", name)):
            _check_names(assigned, place, outer, found)
    before = _assigned_before(machine)
    for name, state in machine["States"].items():
        # The items of a distributed map are executions of their own, which see nothing of the outer variables.
        seen = frozenset() if is_distributed(state) else outer | before.get(name, frozenset())
        for inner_path, inner in inner_machines(state, (*path, "States", name)):
            check_variables(inner, inner_path, found, seen)


def _assigned_before(machine: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """What may have been assigned when a state with inner machines is entered; what the state itself assigns is not.

    Sets are masks of bits and the walk is bounded: a huge and tangled document is taken rather than waited for.
    """
    states = machine["States"]
    inside = sorted(
        {
            name
            for state in states.values()
            for path, inner in inner_machines(state, ())
            for _, each in all_machines(inner, path)
            for held in each["States"].values()
            for name in _assigned(held)
        }
    )
    bits = {name: 1 << number for number, name in enumerate(inside)}
    own = {name: sum(bits.get(each, 0) for each in _assigned(state)) for name, state in states.items()}
    before = _propagated(machine, own) if inside else {}
    return {
        name: frozenset(each for each in inside if before.get(name, 0) & bits[each])
        for name, state in states.items()
        if any(inner_machines(state, ()))
    }


def _propagated(machine: Mapping[str, Any], own: Mapping[str, int]) -> dict[str, int]:
    before = {machine["StartAt"]: 0}
    waiting = [machine["StartAt"]]
    for _ in range(MAX_STEPS):
        if not waiting:
            break
        name = waiting.pop()
        after = before[name] | own[name]
        for target, _ in transitions(machine["States"][name], ()):
            known = before.get(target)
            if known is None or after | known != known:
                before[target] = after | (known or 0)
                waiting.append(target)
    return before


def _assigned(state: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(key.removesuffix(".$") for _, assigned in assignments(state, ()) for key in assigned)


def assignments(
    state: Mapping[str, Any], path: PathInDocument
) -> Iterator[tuple[PathInDocument, Mapping[str, Any]]]:
    """Each Assign of a state, its rules and its catchers."""
    if isinstance(state.get("Assign"), Mapping):
        yield (*path, "Assign"), state["Assign"]
    for field in ("Choices", "Catch"):
        for index, item in enumerate(state.get(field, ())):
            if isinstance(item.get("Assign"), Mapping):
                yield (*path, field, index, "Assign"), item["Assign"]


def _check_names(
    assigned: Mapping[str, Any], place: PathInDocument, outer: frozenset[str], found: Diagnostics
) -> None:
    for name in sorted({key.removesuffix(".$") for key in assigned}):
        if name == RESERVED or not name.isidentifier():
            found.error(place, f"'{name[:MAX_NAME]}' is not a valid variable name")
        elif len(name) > MAX_NAME:
            message = f"The variable name '{name[:MAX_NAME]}' exceeds the maximum of {MAX_NAME} characters"
            found.error(place, message)
        elif name in outer:
            found.error(place, f"The variable '{name}' is already assigned in an outer scope")
