"""Compensation: given steps in their order, or the undo log newest first; one at a time, with a report.

What has been undone leaves the log; what could not be undone stays there. Completed child workflows are undone by
the `compensateWith` of the task that ran them; one that is cancelled on the way undoes itself.
`frame.work`: `undone`, `failed`, `skipped` (the report), `step` (the next given one) or `entry` (of the log, by
visit) and `tried` (visits).
"""

from collections.abc import Sequence
from typing import Any

from stepwell_schemas.instance import Frame
from stepwell_schemas.records import ActivityCompleted

from stepwell_interpreter.draft import Draft, Failed
from stepwell_interpreter.error_routes import back_off
from stepwell_interpreter.failures import StateFailure
from stepwell_interpreter.flow import end_instance, leave
from stepwell_interpreter.program import Call, CompensationStep, RetryRule, TaskStep
from stepwell_interpreter.task import check_size, dispatch, note_scheduled, note_started, overdue
from stepwell_interpreter.trace import note


def enter(draft: Draft, frame: Frame, step: CompensationStep) -> None:
    """Begin with the first thing to undo."""
    note(draft, "CompensationStateEntered", frame)
    frame.work.update(undone=[], failed=[], skipped=[], step=0, tried=[])
    _next(draft, frame, step)


def resume(draft: Draft, frame: Frame, step: CompensationStep) -> None:
    """Try the current undo again."""
    _try(draft, frame, step, _call(draft, frame, step))


def completed(draft: Draft, frame: Frame, step: CompensationStep, record: ActivityCompleted) -> None:
    """The current undo is done."""
    del frame.work["token"]
    draft.disarm_all(frame)
    note_started(draft, frame, record)
    note(draft, "CompensationStepSucceeded", frame, **_about(frame))
    frame.work["undone"] = [*frame.work["undone"], _about(frame)]
    if step.steps is None:
        visit = frame.work["entry"]["visit"]
        draft.instance.undo = [entry for entry in draft.instance.undo if entry["visit"] != visit]
    _next(draft, frame, step)


def settle(draft: Draft, frame: Frame, step: CompensationStep, failed: Failed) -> None:
    """The current undo has failed: try again, note it and go on, or fail the state."""
    draft.disarm_all(frame)
    note(draft, "CompensationStepFailed", frame, **_about(frame), error=failed.error, cause=failed.cause)
    try:
        if failed.attempted and back_off(
            draft, frame, _retries(draft, frame, step), (failed.error,), failed.cause
        ):
            return
    except StateFailure as failure:
        failed = Failed(frame, failure.error, failure.cause)
    if not step.continue_on_error:
        draft.agenda.append(Failed(frame, failed.error, f"undo {frame.work['activity']}: {failed.cause}"))
        return
    failure_report = {**_about(frame), "error": failed.error, "cause": failed.cause}
    frame.work["failed"] = [*frame.work["failed"], failure_report]
    _next(draft, frame, step)


def timer_fired(
    draft: Draft, frame: Frame, step: CompensationStep, what: str, heartbeat_ms: int | None
) -> None:
    """A limit of the current undo's attempt is reached."""
    outcome = overdue(draft, frame, what, heartbeat_ms)
    if outcome is not None:
        settle(draft, frame, step, outcome)


def _next(draft: Draft, frame: Frame, step: CompensationStep) -> None:
    """Begin the next undo, or end with the report."""
    frame.retries = {}
    frame.phase = "undo"
    while True:
        try:
            begun = _begin_given(draft, frame, step) if step.steps is not None else _begin_logged(draft, frame, step)
        except StateFailure as failure:
            settle(draft, frame, step, Failed(frame, failure.error, failure.cause))
            return
        if not begun:
            break
        return
    report = {name: frame.work[name] for name in ("undone", "failed", "skipped")}
    if draft.instance.ending is None:
        leave(draft, frame, step, report)
        return
    ending = draft.instance.ending
    end_instance(draft, "cancelled", "ExecutionAborted", cause=ending["reason"], output=report)
