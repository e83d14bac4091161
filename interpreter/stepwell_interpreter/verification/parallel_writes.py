"""What branches that run side by side write to `$.state`: no two of them may write to one place, or into it.

The iterations of a map are not looked at: each writes to a copy of its own.
"""

from collections.abc import Iterator
from functools import lru_cache

from stepwell_schemas.states import MapState, ParallelState, PassState, ResultState, RoutedState, State

from stepwell_interpreter.failures import CompileProblem, pointer_to
from stepwell_interpreter.paths import Target, compile_target
from stepwell_interpreter.verification.findings import Sink
from stepwell_interpreter.verification.graph import Machine, inner_machines

Written = tuple[str | int, ...]


def check_parallel_writes(machine: Machine, sink: Sink) -> None:
    """Tell of branches in this machine that write to the same place."""
    for name, state in machine.states.items():
        if isinstance(state, ParallelState):
            _check(machine, name, state, sink)


def writes_of(machine: Machine, *, deep: bool = True) -> Iterator[tuple[str, Target]]:
    """Every place a machine writes to, with the pointer of where it says so; inner branches included."""
    pending = [machine]
    while pending:
        current = pending.pop()
        for name, state in current.states.items():
            for place, path in _paths(state):
                try:
                    yield pointer_to(current.pointer, "states", name, *place), _target(path)
                except CompileProblem:
                    continue  # told where the state was lowered
            if deep and not isinstance(state, MapState):
                pending += inner_machines(current, name, state)


def _check(machine: Machine, name: str, state: ParallelState, sink: Sink) -> None:
    owners: dict[Written, tuple[str, str]] = {}
    inside: dict[Written, tuple[str, str]] = {}
    for branch, inner in zip(state.branches, inner_machines(machine, name, state), strict=True):
        mine: list[tuple[Written, str, str]] = []
        for pointer, target in writes_of(inner):
            other = _other_writer(target.members, owners, inside)
            if other is not None:
                message = (
                    f"branch `{branch}` writes `{target.text}`, and branch `{other[0]}` writes {other[1]}"
                )
                sink.add("parallel-write-conflict", pointer, message)
            mine.append((target.members, branch, target.text))
        for members, owner, text in mine:
            owners.setdefault(members, (owner, f"`{text}`"))
            for length in range(1, len(members)):
                inside.setdefault(members[:length], (owner, f"`{text}`, which is inside of it"))


def _other_writer(
    members: Written, owners: dict[Written, tuple[str, str]], inside: dict[Written, tuple[str, str]]
) -> tuple[str, str] | None:
    """Who of the branches before writes to this place, to one that holds it, or into it."""
    for length in range(1, len(members) + 1):
        if members[:length] in owners:
            branch, text = owners[members[:length]]
            return branch, text if length == len(members) else f"{text}, which holds it"
    return inside.get(members)


def _paths(state: State) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The places a state writes to, with where it says so."""
    if isinstance(state, ResultState) and state.result_path is not None:
        yield ("resultPath",), state.result_path
    if isinstance(state, PassState):
        for path in state.set:
            yield ("set", path), path
    if isinstance(state, RoutedState):
        for index, catcher in enumerate(state.catch):
            if catcher.result_path is not None:
                yield ("catch", index, "resultPath"), catcher.result_path


_target = lru_cache(maxsize=4_096)(compile_target)
