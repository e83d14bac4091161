"""The states that take no time: choice, pass, succeed and fail."""

from typing import Any

from stepwell_schemas.instance import Frame

from stepwell_interpreter.agenda import Ended
from stepwell_interpreter.draft import Draft, check_size
from stepwell_interpreter.failures import NO_CHOICE_MATCHED, StateFailure
from stepwell_interpreter.flow import fail, go_on
from stepwell_interpreter.program import ChoiceStep, FailStep, PassStep, SucceedStep
from stepwell_interpreter.scope import MISSING
from stepwell_interpreter.trace import note, note_entered


def choose(draft: Draft, frame: Frame, step: ChoiceStep) -> None:
    """Go where the first rule that holds leads; the trace tells what each rule has seen."""
    note_entered(draft, frame, step)
    seen: list[Any] = []
    data, next, number = step.data, step.next, None
    try:
        scope = data.scope(draft, frame, "choice")
        for place, rule in enumerate(step.rules):
            if rule.condition(scope, seen):
                data, next, number = rule.data or data, rule.next, place
                break
        else:
            if next is None:
                raise StateFailure(NO_CHOICE_MATCHED, "no rule holds and there is no default")
        kept = data.keep(draft, frame, step, None, MISSING)
    except StateFailure as failure:
        note(draft, "ChoiceFailed", frame, conditions=seen)
        fail(draft, frame, step, failure)
        return
    go_on(draft, frame, step, next, kept, conditions=seen, rule=number)


def set_values(draft: Draft, frame: Frame, step: PassStep) -> None:
    """Compute every value, then write them."""
    note_entered(draft, frame, step)
    try:
        if step.writes:
            scope = step.data.scope(draft, frame, "pass")
            values = [template(scope) for _, template in step.writes]
            for (target, _), value in zip(step.writes, values, strict=True):
                draft.write(frame, target, value)
        result = None if step.result is None else step.result(draft, frame)
        kept = step.data.keep(draft, frame, step, result, MISSING)
    except StateFailure as failure:
        fail(draft, frame, step, failure)
        return
    go_on(draft, frame, step, step.next, kept)


def succeed(draft: Draft, frame: Frame, step: SucceedStep) -> None:
    """End the machine with an output."""
    note_entered(draft, frame, step)
    try:
        output = None if step.output is None else step.output(step.data.scope(draft, frame, "output"))
        kept = step.data.keep(draft, frame, step, output, MISSING)
        check_size(kept, "the output")
    except StateFailure as failure:
        fail(draft, frame, step, failure)
        return
    go_on(draft, frame, step, None, kept)


def end_badly(draft: Draft, frame: Frame, step: FailStep) -> None:
    """End the machine with an error; no catch of its own takes it."""
    note_entered(draft, frame, step)
    try:
        scope = step.data.scope(draft, frame, "fail")
        error = None if step.error is None else _text(step.error(scope))
        cause = None if step.cause is None else _text(step.cause(scope))
    except StateFailure as failure:
        fail(draft, frame, step, failure)
        return
    draft.agenda.append(Ended(frame, None, error, cause, failed=True))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)
