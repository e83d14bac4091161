"""Loops that nothing slows down or ends, and states from which no end is reached.

A loop is left alone where a state in it waits, or where a choice leaves it by something that a pass state in it counts.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from stepwell_schemas.durations import duration_ms
from stepwell_schemas.states import (
    ChoiceState,
    MapState,
    ParallelState,
    PassState,
    State,
    TaskState,
    WaitState,
)
from stepwell_schemas.words import is_template

from stepwell_interpreter.verification.facts import Facts
from stepwell_interpreter.verification.findings import Sink
from stepwell_interpreter.verification.graph import (
    ERROR_WAYS,
    Edge,
    Machine,
    components,
    ends,
    inner_machines,
)

_INSTANT: Final = (ChoiceState, PassState)
_MOST_VALUES: Final = 2_000


def check_loops(machine: Machine, facts: Facts, sink: Sink) -> None:
    """Tell of loops without a wait, of errors that lead round in a circle, and of traps."""
    pausing = {name for name in machine.order if _pauses(machine, name, machine.states[name])}
    running = [name for name in machine.order if name not in pausing]
    told: set[str] = set()
    for component in _loops(machine, running, lambda edge: edge.way not in ERROR_WAYS):
        told |= set(component)
        _tell_loop(machine, component, facts, sink)
    for name in machine.order:
        for edge in machine.edges[name]:
            if edge.way == "onError" and edge.target == name:
                message = f"errors of `{name}` lead back to `{name}`, which meets them again"
                sink.add("error-route-loop", edge.pointer, message)
                told.add(name)
    for component in _loops(machine, running, lambda edge: True):
        if told.isdisjoint(component) and not _counted(machine, component, facts, works=True):
            message = f"{_named(component)}: as long as it fails it is done again and again, without a wait"
            sink.add("busy-loop", machine.place(component[0]), message)
    _check_traps(machine, pausing, sink)


def _tell_loop(machine: Machine, component: list[str], facts: Facts, sink: Sink) -> None:
    works = not all(isinstance(machine.states[name], _INSTANT) for name in component)
    if _counted(machine, component, facts, works=works):
        return
    place = machine.place(component[0])
    if works:
        message = f"{_named(component)}: nothing in this loop waits, and nothing counts its rounds"
        sink.add("busy-loop", place, message)
    else:
        message = f"{_named(component)}: nothing in this loop waits or changes what would end it"
        sink.add("endless-loop", place, message)


def _check_traps(machine: Machine, pausing: set[str], sink: Sink) -> None:
    ending = [name for name in machine.order if ends(machine.states[name])]
    if not ending:
        return  # told when the definition was loaded
    sources: dict[str, list[str]] = {}
    for name in machine.order:
        for edge in machine.edges[name]:
            sources.setdefault(edge.target, []).append(name)
    ends_after: set[str] = set()
    pending = ending
    while pending:
        name = pending.pop()
        if name not in ends_after:
            ends_after.add(name)
            pending += sources.get(name, ())
    trapped = [name for name in machine.order if name not in ends_after]
    # A workflow that lives as long as its device waits in a loop, and is meant to.
    if trapped and (machine.pointer or pausing.isdisjoint(trapped)):
        message = f"nothing ends after `{trapped[0]}`: {_named(trapped)} lead only to each other"
        sink.add("no-way-to-end", machine.place(trapped[0]), message)


def _loops(machine: Machine, running: list[str], counts: Any) -> list[list[str]]:
    inside = set(running)
    targets = {
        name: [edge.target for edge in machine.edges[name] if edge.target in inside and counts(edge)]
        for name in running
    }
    rank = {name: number for number, name in enumerate(machine.order)}
    found = components(running, lambda name: targets[name])
    return [sorted(component, key=lambda name: rank[name]) for component in found]


def _counted(machine: Machine, component: Iterable[str], facts: Facts, *, works: bool) -> bool:
    """Whether a choice leaves the loop by something that moves in it (or by the time, where that passes)."""
    inside = set(component)
    moving = {
        path
        for name in inside
        if isinstance(state := machine.states[name], PassState)
        for path, value in state.set.items()
        if _moves(value)
    }
    for name in inside:
        state = machine.states[name]
        if not isinstance(state, ChoiceState) or not _leaves(machine.edges[name], inside):
            continue
        for rule in state.choices:
            for text in _texts(facts.document_of(rule)):
                if any(_touches(text, path) for path in moving) or (
                    works and text.startswith("$.system.now")
                ):
                    return True
    return False


def _leaves(edges: Iterable[Edge], inside: set[str]) -> bool:
    return any(edge.target not in inside for edge in edges if edge.way in ("rule", "default"))


def _moves(value: Any) -> bool:
    """Whether a template depends on anything: a constant is the same in every round."""
    return any(text.startswith(("$.", "$[")) for text in _texts(value)) or (
        isinstance(value, Mapping) and is_template(value)
    )


def _touches(text: str, path: str) -> bool:
    return text == path or (text.startswith(path) and text[len(path)] in ".[") or path.startswith(f"{text}.")


def _texts(value: Any) -> Iterator[str]:
    pending, left = [value], _MOST_VALUES
    while pending and left:
        left -= 1
        part = pending.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, Mapping):
            pending += part.values()
        elif isinstance(part, list):
            pending += part


def _pauses(machine: Machine, name: str, state: State) -> bool:
    """Whether a state takes time that something outside decides."""
    match state:
        case WaitState():
            return not _is_nothing(state.duration)
        case TaskState():
            return state.workflow is not None or state.callback
        case ParallelState() | MapState():
            return any(
                _pauses(inner, each, inside)
                for inner in inner_machines(machine, name, state)
                for each, inside in inner.states.items()
            )
        case _:
            return False


def _is_nothing(duration: Any) -> bool:
    return duration is not None and not is_template(duration) and duration_ms(duration) == 0


def _named(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
