"""Results that go nowhere, and events that are not declared, not waited for, or taken unseen."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from stepwell_schemas.problems import Severity
from stepwell_schemas.states import (
    CompensationState,
    EventWait,
    ParallelState,
    ResultState,
    TaskState,
    WaitState,
)

from stepwell_interpreter.failures import pointer_to
from stepwell_interpreter.verification.facts import Facts
from stepwell_interpreter.verification.findings import Sink
from stepwell_interpreter.verification.graph import Machine
from stepwell_interpreter.verification.shapes import KINDS, Member
from stepwell_interpreter.verification.transfers import wanted_events

_MOST_SHOWN = 30
_READS_ALL_EVENTS = ("device.events",)


def check_results(machine: Machine, facts: Facts, sink: Sink) -> None:
    """Tell of results that are neither kept nor declared unused."""
    for name in machine.order:
        state = machine.states[name]
        if not isinstance(state, ResultState):
            continue
        selected = "result_selector" in state.model_fields_set
        place = machine.place(name)
        if state.result_path is not None or (state.next is None and not _alternatives(state)):
            continue
        if selected:
            message = f"`{name}` makes a result that is not kept"
            sink.add("result-selector-unused", pointer_to(place, "resultSelector"), message)
        elif "result_path" not in state.model_fields_set and _has_result(state, facts):
            sink.add("unused-result", place, f"the result of `{name}` is neither kept nor declared unused")


def check_events(machines: list[Machine], facts: Facts, sink: Sink) -> None:
    """Tell of events that are not declared or not used, and of waits that take any."""
    declared = facts.definition.events
    start = facts.definition.start
    used = set(start.on) if start is not None else set()
    if declared and start is not None:
        for index, type in enumerate(start.on):
            _check_declared(type, pointer_to("", "start", "on", index), declared, sink)
    reads_all = False
    for machine in machines:
        for name, state in machine.states.items():
            reads_all |= isinstance(state, TaskState) and state.activity in _READS_ALL_EVENTS
            if not isinstance(state, WaitState):
                continue
            for wanted, place in wanted_events(state, machine.place(name)):
                used.add(wanted.event)
                if declared:
                    _check_declared(wanted.event, pointer_to(place, "event"), declared, sink)
                _check_match(wanted, place, state, facts, sink)
    for type in declared:
        if type not in used and not reads_all:
            message = f"nothing starts on `{type}`, waits for it, or reads the device's events"
            sink.add("event-unused", pointer_to("", "events", type), message)


def _check_declared(type: str, pointer: str, declared: Mapping[str, Any], sink: Sink) -> None:
    if type not in declared:
        near = sink.nearest(type, declared)
        hint = f"Did you mean `{near}`?" if near is not None else _declared(declared)
        message = f"the event `{type}` is not declared. {hint}"
        severity: Severity = "error" if near is not None else "warning"
        sink.add("event-undeclared", pointer, message, severity=severity)


def _declared(events: Mapping[str, Any]) -> str:
    shown = ", ".join(f"`{name}`" for name in sorted(islice(events, _MOST_SHOWN)))
    return f"Allowed: {shown}{' and more' if len(events) > _MOST_SHOWN else ''}."


def _check_match(wanted: EventWait, place: str, state: WaitState, facts: Facts, sink: Sink) -> None:
    """An event that carries one of the instance's own values is meant for instances with that value."""
    if wanted.match or wanted.where is not None or state.absence is not None:
        return
    shared = next(_shared(wanted.event, facts), None)
    if shared is not None:
        message = (
            f"any `{wanted.event}` of the device is taken, but it carries `{shared}` as the input does: "
            f"match: {{{shared}: $.input.{shared}}}"
        )
        sink.add("wait-without-match", place, message)


def _shared(type: str, facts: Facts) -> Iterator[str]:
    """The members an event must have that are required of the input, too, and can be equal."""
    for name, member in facts.event_data(type).members.items():
        mine: Member | None = facts.input.members.get(name)
        if mine is None or not member.sure or not mine.sure:
            continue
        kinds = mine.shape.kinds & member.shape.kinds
        if kinds <= {"text", "number"} or (kinds & {"text"} and member.shape.kinds >= KINDS):
            yield name


def _alternatives(state: ResultState) -> bool:
    return isinstance(state, WaitState) and state.any_of is not None and state.next is None and not state.end


def _has_result(state: ResultState, facts: Facts) -> bool:
    match state:
        case TaskState():
            if state.activity is None or state.callback:
                return True
            return facts.activity_output(state.activity).kinds != {"null"}
        case WaitState():
            # Time has no result; that a silence has lasted is all there is to know of it.
            return state.form in ("event", "anyOf", "allOf")
        case ParallelState() | CompensationState():
            return True
        case _:
            return True
