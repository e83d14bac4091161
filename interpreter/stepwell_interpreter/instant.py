"""The states that take no time: choice, pass, succeed and fail."""

from typing import Any

from stepwell_schemas.instance import Frame

from stepwell_interpreter.draft import Draft, Ended, check_size
from stepwell_interpreter.failures import NO_CHOICE_MATCHED, TASK_FAILED, StateFailure
from stepwell_interpreter.flow import fail, go_on
from stepwell_interpreter.program import ChoiceStep, FailStep, PassStep, SucceedStep
from stepwell_interpreter.trace import note


def choose(draft: Draft, frame: Frame, step: ChoiceStep) -> None:
    """Go where the first rule that holds leads; the trace tells what each rule has seen."""
    note(draft, "ChoiceStateEntered", frame)
    scope = draft.scope(frame, "choice")
    seen: list[Any] = []
    try:
        for number, (condition, next) in enumerate(step.rules):
            if condition(scope, seen):
                go_on(draft, frame, step, next, conditions=seen, rule=number)
                return
        if step.next is None:
            raise StateFailure(NO_CHOICE_MATCHED, "no rule holds and there is no default")
    except StateFailure as failure:
        note(draft, "ChoiceFailed", frame, conditions=seen)
        fail(draft, frame, failure)
        return
    go_on(draft, frame, step, step.next, conditions=seen, rule=None)


def set_values(draft: Draft, frame: Frame, step: PassStep) -> None:
    """Compute every value, then write them."""
    note(draft, "PassStateEntered", frame)
    try:
        if step.writes:
            scope = draft.scope(frame, "pass")
            values = [template(scope) for _, template in step.writes]
            for (target, _), value in zip(step.writes, values, strict=True):
                draft.write(frame, target, value)
    except StateFailure as failure:
        fail(draft, frame, failure)
        return
    go_on(draft, frame, step, step.next)


def succeed(draft: Draft, frame: Frame, step: SucceedStep) -> None:
    """End the machine with an output."""
    note(draft, "SucceedStateEntered", frame)
    try:
        output = None if step.output is None else step.output(draft.scope(frame, "output"))
        check_size(output, "the output")
    except StateFailure as failure:
        fail(draft, frame, failure)
        return
    go_on(draft, frame, step, None, output)


def end_badly(draft: Draft, frame: Frame, step: FailStep) -> None:
    """End the machine with an error; no catch of its own takes it."""
    note(draft, "FailStateEntered", frame)
    try:
        scope = draft.scope(frame, "fail")
        error = None if step.error is None else step.error(scope)
        cause = None if step.cause is None else step.cause(scope)
    except StateFailure as failure:
        fail(draft, frame, failure)
        return
    name = TASK_FAILED if error is None else _text(error)
    draft.agenda.append(Ended(frame, None, name, "" if cause is None else _text(cause)))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)
