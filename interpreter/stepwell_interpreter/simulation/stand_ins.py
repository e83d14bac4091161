"""A program of one state: the state itself under inspection, and stand-ins for all it leads to, which only stand.

A Parallel or Map is answered as a whole: a task that keeps the state's own data steps takes its place.
"""

from dataclasses import fields, replace
from typing import Any, Final

from stepwell_interpreter.program import (
    Call,
    ChoiceStep,
    Machine,
    MapStep,
    ParallelStep,
    PassStep,
    Program,
    Step,
    TaskStep,
    WaitEvent,
    WaitStep,
)
from stepwell_interpreter.simulation.inspecting import InspectedAslFlow, Notes, inspected

AGAIN: Final = " (again)"
"""Marks a state's way back to itself, so that it is left when it goes there."""

_NEVER: Final = WaitEvent("(never)", None, None)
_COMMON: Final = tuple(each.name for each in fields(Step) if each.name not in ("kind", "word"))
_LONG_MS: Final = 365 * 86_400_000


def alone(program: Program, machine: Machine, step: Step, notes: Notes) -> Program:
    """The program that begins and ends with this state of this machine."""
    tested = _elsewhere(_watched(_answerable(step, notes), notes), step.name)
    steps: dict[str, Step] = {name: _halt(name) for name in machine.steps}
    steps[step.name] = tested
    steps[step.name + AGAIN] = _halt(step.name + AGAIN)
    on_error = machine.on_error if machine.on_error != step.name else None
    root = Machine("", step.name, steps, on_error, machine.numbered or program.dialect == "asl")
    return replace(
        program,
        scopes={**program.scopes, "": root},
        timeout_ms=None,
        input_contract=None,
        event_contracts={},
        start_types=(),
    )


def _answerable(step: Step, notes: Notes) -> Step:
    """The state, or the task that stands in for a Parallel or Map."""
    if not isinstance(step, ParallelStep | MapStep):
        return step
    if isinstance(step, MapStep):
        notes.items = step
    common = {name: getattr(step, name) for name in _COMMON}
    call = Call(f"({step.kind})", None, "default", lambda scope: _LONG_MS, None, ())
    return TaskStep(
        **common,
        call=call,
        workflow=None,
        input=None,
        own_timeout=None,
        priority=0,
        callback=False,
        undo=None,
    )


def _watched(step: Step, notes: Notes) -> Step:
    flow = inspected(step.data, notes)
    if isinstance(step, ChoiceStep):
        rules = [
            rule if rule.data is None else replace(rule, data=inspected(rule.data, notes))
            for rule in step.rules
        ]
        return replace(step, data=flow, rules=tuple(rules))
    if isinstance(step, PassStep) and isinstance(flow, InspectedAslFlow) and step.result is not None:
        return _watched_pass(step, flow)
    return replace(step, data=flow)


def _watched_pass(step: PassStep, flow: InspectedAslFlow) -> PassStep:
    """The result of an ASL Pass is its effective input unless it has a literal one."""
    own = step.result
    assert own is not None

    def result(draft: Any, frame: Any) -> Any:
        value = flow.begin(draft, frame, step)
        return own(draft, frame) if flow.notes.literal else value

    return replace(step, data=flow, result=result)


def _elsewhere(step: Step, name: str) -> Step:
    """The state with every way back to itself leading to a stand-in."""
    changed: dict[str, Any] = {}
    for field in ("next", "on_error", "timeout_next"):
        if getattr(step, field, None) == name:
            changed[field] = name + AGAIN
    for field in ("catch", "rules", "events"):
        ways = getattr(step, field, ())
        if any(way.next == name for way in ways):
            changed[field] = tuple(
                replace(way, next=name + AGAIN) if way.next == name else way for way in ways
            )
    return replace(step, **changed) if changed else step


def _halt(name: str) -> Step:
    return WaitStep(name=name, form="event", events=(_NEVER,))
