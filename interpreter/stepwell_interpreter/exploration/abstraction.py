"""The program that is explored: the real one with fewer retries, and what each of its attempts may come to.

Nothing that can be reached is lost by fewer retries but the number of tries itself; what follows when they are used
up does not depend on it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from stepwell_schemas.catalog import ActivityDescription

from stepwell_interpreter.exploration.report import Bounds
from stepwell_interpreter.exploration.uses import Uses
from stepwell_interpreter.exploration.values import Limits, representative
from stepwell_interpreter.failures import ALL, HEARTBEAT_TIMEOUT, TIMEOUT, pointer_to
from stepwell_interpreter.program import (
    Call,
    CompensationStep,
    GivenUndo,
    Machine,
    MapStep,
    ParallelStep,
    Program,
    RetryRule,
    Step,
    TaskStep,
    WaitStep,
)

UNKNOWN_ERROR: Final = "Unforeseen"
"""Stands for every error name that the definition does not mention."""
_TIMED: Final = frozenset({ALL, TIMEOUT, HEARTBEAT_TIMEOUT})

Place = tuple[str, str]
"""A machine's id and a state's name."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What an attempt at a place may come to: good answers and error names."""

    outputs: tuple[Any, ...]
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Model:
    """All that is tried from outside."""

    program: Program
    outcomes: Mapping[Place, Outcomes]
    events: Mapping[str, tuple[Any, ...]]
    """Event type -> the data it may come with; types that cannot come are not there."""
    inputs: tuple[Any, ...]


def model_of(
    program: Program, document: Mapping[str, Any], uses: Uses, activities: Mapping[str, ActivityDescription],
    bounds: Bounds, inputs: Sequence[Any] | None = None,
) -> Model:  # fmt: skip
    """The model of a program whose document `uses` were read from. Without `inputs` they are made from its schema."""
    limits = Limits(bounds.values, bounds.items)
    outcomes = {
        (machine.id, step.name): _outcomes(step, machine.id, uses, activities, limits)
        for machine in program.scopes.values()
        for step in machine.steps.values()
    }
    declared: dict[str, Any] = document.get("events") or {}
    events: dict[str, tuple[Any, ...]] = {}
    for type in sorted(
        {wait.type for step in _steps(program) if isinstance(step, WaitStep) for wait in step.events}
    ):
        if declared and type not in declared:
            continue
        shape = uses.shape(f"event {type}").members.get("data")
        events[type] = tuple(representative(shape, declared.get(type) or {}, limits))
    if inputs is None:
        inputs = representative(uses.roots.get("input"), document.get("input") or {}, limits)
    return Model(with_fewer_retries(program, bounds.retries), outcomes, events, tuple(inputs))


def with_fewer_retries(program: Program, most: int) -> Program:
    """The program with at most so many retries by each rule."""
    machines = {
        id: Machine(
            machine.id, machine.start_at, {name: _eager(step, most) for name, step in machine.steps.items()},
            machine.on_error, machine.numbered,
        )
        for id, machine in program.scopes.items()
    }  # fmt: skip
    return replace(program, scopes=machines)


def _steps(program: Program) -> list[Step]:
    return [step for machine in program.scopes.values() for step in machine.steps.values()]


def _outcomes(
    step: Step, scope: str, uses: Uses, activities: Mapping[str, ActivityDescription], limits: Limits
) -> Outcomes:
    pointer = pointer_to(scope, "states", step.name)
    names = [name for policy in step.retry for name in policy.errors]
    names += [name for catcher in step.catch for name in catcher.errors]
    if isinstance(step, TaskStep):
        described = None if step.call is None else activities.get(step.call.activity)
        schema = None if described is None else described.output_schema
        outputs = representative(uses.roots.get(f"result {pointer}"), schema, limits)
    else:
        outputs = [None]
    errors = [name for name in names if name not in _TIMED and name != "States.BranchFailed"]
    return Outcomes(tuple(outputs), tuple(dict.fromkeys([*errors, *sorted(uses.errors), UNKNOWN_ERROR])))


def _eager(step: Step, most: int) -> Step:
    match step:
        case TaskStep():
            call = None if step.call is None else _eager_call(step.call, most)
            undo = None if step.undo is None else _eager_call(step.undo, most)
            return replace(step, retry=_fewer(step.retry, most), call=call, undo=undo)
        case ParallelStep() | MapStep():
            return replace(step, retry=_fewer(step.retry, most))
        case CompensationStep():
            given = None
            if step.steps is not None:
                given = tuple(GivenUndo(_eager_call(each.call, most), each.when) for each in step.steps)
            own = None if step.own_retry is None else _fewer(step.own_retry, most)
            return replace(step, steps=given, own_retry=own)
        case _:
            return step


def _eager_call(call: Call, most: int) -> Call:
    return replace(call, retry=_fewer(call.retry, most))


def _fewer(rules: tuple[RetryRule, ...], most: int) -> tuple[RetryRule, ...]:
    return tuple(replace(rule, max_attempts=min(rule.max_attempts, most)) for rule in rules)
