"""Compensation: given steps in their order, or the undo log newest first; one at a time, with a report.

What has been undone leaves the log; what could not be undone stays there. A completed child workflow is undone by
the `compensateWith` of the task that ran it; one that is cancelled on the way undoes itself.
`frame.work`: `undone failed skipped` (the report), `current` (what is being undone), `step` (the next given one),
`tried` (visits of the log that failed).
"""

from typing import Any

from stepwell_schemas.instance import NO_COUNTS, Frame
from stepwell_schemas.records import ActivityCompleted

from stepwell_interpreter.agenda import Failed
from stepwell_interpreter.draft import Draft, check_size
from stepwell_interpreter.error_routes import back_off
from stepwell_interpreter.failures import StateFailure
from stepwell_interpreter.flow import end_instance, leave
from stepwell_interpreter.program import Call, CompensationStep, TaskStep
from stepwell_interpreter.task import dispatch, note_scheduled, note_started, overdue
from stepwell_interpreter.trace import note, note_entered


def enter(draft: Draft, frame: Frame, step: CompensationStep) -> None:
    """Begin with the first thing to undo."""
    note_entered(draft, frame, step)
    frame.work.update(undone=[], failed=[], skipped=[], step=0, tried=[])
    _go_through(draft, frame, step)


def resume(draft: Draft, frame: Frame, step: CompensationStep) -> None:
    """Try the current undo again."""
    try:
        _dispatch(draft, frame, step)
    except StateFailure as failure:
        settle(draft, frame, step, step.data.failure(draft, frame, failure))


def completed(draft: Draft, frame: Frame, step: CompensationStep, record: ActivityCompleted) -> None:
    """The current undo is done."""
    del frame.work["token"]
    draft.disarm_all(frame)
    current = frame.work["current"]
    note_started(draft, frame, record)
    note(draft, "CompensationStepSucceeded", frame, undo=current)
    frame.work["undone"] = [*frame.work["undone"], current]
    if step.steps is None:
        draft.instance.undo = [each for each in draft.instance.undo if each["visit"] != current["visit"]]
    _go_through(draft, frame, step)


def settle(draft: Draft, frame: Frame, step: CompensationStep, failed: Failed) -> None:
    """The current undo has failed: try again, or report it and go on, or fail the state."""
    draft.disarm_all(frame)
    call = _call(draft, frame, step)
    rules = call.retry if step.own_retry is None else step.own_retry
    try:
        if failed.attempted and back_off(draft, frame, step, rules, (failed.error,), failed.cause):
            return
    except StateFailure as failure:
        failed = step.data.failure(draft, frame, failure)
    if _report_failure(draft, frame, step, failed.error, failed.cause):
        _go_through(draft, frame, step)


def timer_fired(
    draft: Draft, frame: Frame, step: CompensationStep, what: str, heartbeat_ms: int | None
) -> None:
    """A limit of the current undo's attempt is reached."""
    outcome = overdue(draft, frame, step, what, heartbeat_ms)
    if outcome is not None:
        settle(draft, frame, step, outcome)


def _go_through(draft: Draft, frame: Frame, step: CompensationStep) -> None:
    """Begin the next undo that can begin, or end with the report."""
    while True:
        frame.retries = NO_COUNTS
        current = _next_logged(draft, frame, step) if step.steps is None else _next_given(frame, step)
        if current is None:
            _finish(draft, frame, step)
            return
        frame.work["current"] = current
        try:
            if _prepare(draft, frame, step):
                _dispatch(draft, frame, step)
                return
            frame.work["skipped"] = [*frame.work["skipped"], current]
        except StateFailure as failure:
            if not _report_failure(draft, frame, step, failure.error, failure.cause):
                return


def _next_logged(draft: Draft, frame: Frame, step: CompensationStep) -> dict[str, Any] | None:
    tried = frame.work["tried"]
    for entry in reversed(draft.instance.undo):
        if entry["visit"] not in tried and (not step.branch_only or _within(draft, frame, entry)):
            return {name: entry[name] for name in ("activity", "state", "frame", "visit")}
    return None


def _next_given(frame: Frame, step: CompensationStep) -> dict[str, Any] | None:
    assert step.steps is not None
    number = frame.work["step"]
    if number == len(step.steps):
        return None
    frame.work["step"] = number + 1
    return {"activity": step.steps[number].call.activity, "step": number}


def _within(draft: Draft, frame: Frame, entry: dict[str, Any]) -> bool:
    """Whether a completed task belongs to the branch or iteration this frame is, and to its present run."""
    inside: bool = entry["frame"] == frame.id or entry["frame"].startswith(frame.id + ".")
    since = 0 if frame.parent is None else draft.frames[frame.parent].visit
    return inside and entry["visit"] > since


def _prepare(draft: Draft, frame: Frame, step: CompensationStep) -> bool:
    """Resolve the input of the current undo; False where its `when` does not hold."""
    if step.steps is None:
        visit = frame.work["current"]["visit"]
        frame.work["input"] = next(each["input"] for each in draft.instance.undo if each["visit"] == visit)
        return True
    given = step.steps[frame.work["current"]["step"]]
    scope = step.data.scope(draft, frame, f"undo{frame.work['step']}")
    if given.when is not None and not given.when(scope, []):
        return False
    value = {} if given.call.input is None else given.call.input(scope)
    check_size(value, "the input")
    frame.work["input"] = value
    return True


def _dispatch(draft: Draft, frame: Frame, step: CompensationStep) -> None:
    call = _call(draft, frame, step)
    current = frame.work["current"]
    if step.steps is None:
        key = f"{draft.instance.id}/undo/{current['visit']}"
    else:
        key = f"{draft.instance.id}/{frame.id}/{frame.state}/{frame.visit}/{current['step']}"
    dispatch(draft, frame, step, call, key)
    frame.phase = "undo"
    note_scheduled(draft, "CompensationStepScheduled", frame, call)


def _call(draft: Draft, frame: Frame, step: CompensationStep) -> Call:
    current = frame.work["current"]
    if step.steps is not None:
        number: int = current["step"]
        return step.steps[number].call
    entry = next(each for each in draft.instance.undo if each["visit"] == current["visit"])
    task = draft.program.scopes[entry["scope"]].steps[entry["state"]]
    assert isinstance(task, TaskStep)
    assert task.undo is not None
    undo: Call = task.undo
    return undo


def _report_failure(
    draft: Draft, frame: Frame, step: CompensationStep, error: str | None, cause: str | None
) -> bool:
    """Note a failed undo. False where that fails the state."""
    current = frame.work["current"]
    note(draft, "CompensationStepFailed", frame, undo=current, error=error, cause=cause)
    if not step.continue_on_error:
        draft.agenda.append(Failed(frame, error, f"undo by {current['activity']}: {cause}"))
        return False
    frame.work["failed"] = [*frame.work["failed"], {**current, "error": error, "cause": cause}]
    if step.steps is None:
        frame.work["tried"] = [*frame.work["tried"], current["visit"]]
    return True


def _finish(draft: Draft, frame: Frame, step: CompensationStep) -> None:
    report = {name: frame.work[name] for name in ("undone", "failed", "skipped")}
    ending = draft.instance.ending
    if ending is None:
        leave(draft, frame, step, report)
    else:
        end_instance(draft, "cancelled", "ExecutionAborted", cause=ending["reason"], output=report)
