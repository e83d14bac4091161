"""Map states: one run per item or batch, so many at a time; only those that run have frames.

`frame.work`: `items`, `next` (the first not yet started), `running`, `results` in the order of the items,
`failures`, the number of failed ones, and the limits `concurrency tolerateCount toleratePercent`. Phase `read`
waits for the activity that reads the items, `write` for the one that keeps the results, `join` for iterations.
"""

from typing import Any, Final

from stepwell_schemas.instance import Frame
from stepwell_schemas.records import ActivityCompleted

from stepwell_interpreter.agenda import Ended, Enter, Failed
from stepwell_interpreter.branches import TIMEOUT_TIMER, arm_timeout, gather
from stepwell_interpreter.branches import timer_fired as all_timed_out
from stepwell_interpreter.draft import Draft, check_size
from stepwell_interpreter.failures import DATA_LIMIT_EXCEEDED, ITEM_READER_FAILED, StateFailure
from stepwell_interpreter.flow import fail, give_up_below, leave
from stepwell_interpreter.program import Call, MapStep
from stepwell_interpreter.task import dispatch, overdue
from stepwell_interpreter.trace import note, note_entered
from stepwell_interpreter.values import described

MAX_ITEMS: Final = 10_000


def enter(draft: Draft, frame: Frame, step: MapStep) -> None:
    """Read the items and start the first of them."""
    note_entered(draft, frame, step)
    resume(draft, frame, step)


def resume(draft: Draft, frame: Frame, step: MapStep) -> None:
    """Run over all items, also when it is done again after a failure."""
    frame.work.pop("early", None)
    try:
        limits = step.limits(step.data.scope(draft, frame, "limits"))
        frame.work.update(
            concurrency=limits.concurrency,
            tolerateCount=limits.tolerate_count,
            toleratePercent=limits.tolerate_percent,
        )
        if step.reader is None:
            items = step.items(step.data.scope(draft, frame, "items"))
        else:
            _begin_run(draft, frame, step, 0)
            _call(draft, frame, step, step.reader, "read")
    except StateFailure as failure:
        fail(draft, frame, step, failure)
        return
    if arm_timeout(draft, frame, step) and step.reader is None:
        _run_over(draft, frame, step, items)


def completed(draft: Draft, frame: Frame, step: MapStep, record: ActivityCompleted) -> None:
    """The activity that reads the items, or keeps the results, has ended well."""
    del frame.work["token"]
    for what in ("task", "heartbeat"):
        draft.disarm(frame, what)
    if frame.phase == "write":
        _succeed(draft, frame, step, record.output)
        return
    assert step.read is not None, f"{step.name} reads no items"
    try:
        items = step.read(step.data.scope(draft, frame, "items"), record.output)
    except StateFailure as failure:
        _end_badly(draft, frame, step, step.data.failure(draft, frame, failure))
        return
    _run_over(draft, frame, step, items)


def attempt_failed(draft: Draft, frame: Frame, step: MapStep, failed: Failed) -> Failed:
    """The activity that reads the items, or keeps the results, has failed: what that is to the state."""
    error = ITEM_READER_FAILED if frame.phase == "read" else failed.error
    cause = f"{failed.error}: {failed.cause}" if frame.phase == "read" else failed.cause
    step.data.tell(draft, "MapRunFailed", frame, error=error, cause=cause)
    return Failed(frame, error, cause, alias=failed.error, attempted=True)


def timer_fired(draft: Draft, frame: Frame, step: MapStep, what: str, heartbeat_ms: int | None) -> None:
    """The whole has taken too long, or its reading has."""
    if what == TIMEOUT_TIMER:
        all_timed_out(draft, frame, step, what, heartbeat_ms)
        return
    failed = overdue(draft, frame, step, what, heartbeat_ms)
    if failed is not None:
        draft.agenda.append(attempt_failed(draft, frame, step, failed))


def joined(draft: Draft, frame: Frame, step: MapStep, ended: Ended) -> None:
    """An iteration of an owned frame has ended; it is gone already."""
    work, index = frame.work, ended.frame.index
    assert index is not None
    if not gather(draft, frame, step, ended, "MapIterationAborted"):
        return
    work["running"] -= 1
    results = draft.own_list(frame, "results")
    if not ended.failed:
        note(draft, step.item_word + "Succeeded", frame, index=index)
        results[index] = ended.result
    else:
        note(draft, step.item_word + "Failed", frame, index=index, error=ended.error, cause=ended.cause)
        results[index] = step.data.failed_item(ended)
        work["failures"] += 1
        if _intolerable(work, len(results)):
            give_up_below(draft, frame, step.item_word + "Aborted")
            _end_badly(draft, frame, step, step.data.map_failure(frame, step, ended))
            return
    _fill(draft, frame, step)
    if not work["running"] and frame.phase == "join":
        _finish(draft, frame, step)


def _run_over(draft: Draft, frame: Frame, step: MapStep, items: Any) -> None:
    """Start the first of the items."""
    try:
        units = _units(draft, frame, step, items)
    except StateFailure as failure:
        fail(draft, frame, step, failure)
        return
    if step.reader is None:
        _begin_run(draft, frame, step, len(units))
    frame.phase = "join"
    frame.work.update(items=units, next=0, running=0, results=[None] * len(units), failures=0, bytes=0)
    _fill(draft, frame, step)
    if not units:
        _finish(draft, frame, step)


def _begin_run(draft: Draft, frame: Frame, step: MapStep, length: int) -> None:
    step.data.tell(draft, "MapStateStarted", frame, length=length)
    if step.apart:
        step.data.tell(draft, "MapRunStarted", frame)


def _fill(draft: Draft, frame: Frame, step: MapStep) -> None:
    """Start iterations while there may be more. One that cannot begin fails the state."""
    work = frame.work
    while work["running"] < work["concurrency"] and work["next"] < len(work["items"]):
        index = work["next"]
        item = work["items"][index]
        try:
            value = step.data.item(draft, frame, step, index, item)
        except StateFailure as failure:
            give_up_below(draft, frame, step.item_word + "Aborted")
            frame.phase = ""
            _end_badly(draft, frame, step, step.data.failure(draft, frame, failure))
            return
        iteration = draft.add(frame, step.machine, index, index=index, item=item)
        step.data.hand(iteration, value)
        note(draft, step.item_word + "Started", frame, index=index)
        draft.agenda.append(Enter(iteration, draft.program.scopes[step.machine].start_at))
        work["next"] += 1
        work["running"] += 1


def _finish(draft: Draft, frame: Frame, step: MapStep) -> None:
    """All iterations have ended: keep the results where that is asked for, and go on."""
    results = step.data.results(frame.work["results"])
    if step.writer is None:
        _succeed(draft, frame, step, results)
        return
    try:
        _call(draft, frame, step, step.writer, "write", results)
    except StateFailure as failure:
        _end_badly(draft, frame, step, step.data.failure(draft, frame, failure))


def _succeed(draft: Draft, frame: Frame, step: MapStep, result: Any) -> None:
    if step.apart:
        step.data.tell(draft, "MapRunSucceeded", frame)
    step.data.tell(draft, "MapStateSucceeded", frame)
    leave(draft, frame, step, result)


def _end_badly(draft: Draft, frame: Frame, step: MapStep, failed: Failed) -> None:
    if step.apart:
        step.data.tell(draft, "MapRunFailed", frame, error=failed.error, cause=failed.cause)
    draft.agenda.append(failed)


def _call(draft: Draft, frame: Frame, step: MapStep, call: Call, phase: str, results: Any = None) -> None:
    """Run the activity that reads the items or keeps the results. Raises StateFailure."""
    value = {} if call.input is None else call.input(step.data.scope(draft, frame, phase))
    if phase == "write":
        value = {**value, "Results": results}
    check_size(value, "the input")
    frame.work["input"] = value
    key = f"{draft.instance.id}/{frame.id}/{frame.state}/{frame.visit}/{phase}"
    dispatch(draft, frame, step, call, key)
    frame.phase = phase


def _units(draft: Draft, frame: Frame, step: MapStep, items: Any) -> list[Any]:
    if not isinstance(items, list):
        raise StateFailure(ITEM_READER_FAILED, f"items must be a list, here is {described(items)}")
    if len(items) > MAX_ITEMS:
        raise StateFailure(DATA_LIMIT_EXCEEDED, f"{len(items)} items; the limit is {MAX_ITEMS}")
    check_size(items, "the list of items")
    return step.data.units(draft, frame, step, items)


def _intolerable(work: dict[str, Any], total: int) -> bool:
    failures: int = work["failures"]
    if work["tolerateCount"] is not None and failures > work["tolerateCount"]:
        return True
    if work["toleratePercent"] is not None:
        share: float = work["toleratePercent"]
        return failures * 100 > share * total
    return work["tolerateCount"] is None
