"""Map states: one run per item or batch, so many at a time; only those that run have frames.

`frame.work`: `items`, `next` (the first not yet started), `running`, `results` in the order of the items, and
`failures`, the number of failed ones.
"""

from typing import Any, Final

from stepwell_schemas.instance import Frame

from stepwell_interpreter.branches import arm_timeout, gather
from stepwell_interpreter.draft import Draft, Ended, Enter, Failed, check_size
from stepwell_interpreter.failures import (
    DATA_LIMIT_EXCEEDED,
    EXCEED_TOLERATED_FAILURE_THRESHOLD,
    ITEM_READER_FAILED,
    StateFailure,
)
from stepwell_interpreter.flow import fail, give_up_below, leave
from stepwell_interpreter.program import MapStep
from stepwell_interpreter.trace import note
from stepwell_interpreter.values import described

MAX_ITEMS: Final = 10_000


def enter(draft: Draft, frame: Frame, step: MapStep) -> None:
    """Read the items and start the first of them."""
    note(draft, "MapStateEntered", frame)
    resume(draft, frame, step)


def resume(draft: Draft, frame: Frame, step: MapStep) -> None:
    """Run over all items, also when it is done again after a failure."""
    try:
        units = _units(draft, frame, step)
    except StateFailure as failure:
        fail(draft, frame, failure)
        return
    if not arm_timeout(draft, frame, step):
        return
    frame.phase = "join"
    frame.work.update(items=units, next=0, running=0, results=[None] * len(units), failures=0, bytes=0)
    if not units:
        leave(draft, frame, step, [])
    else:
        _fill(draft, frame, step)


def joined(draft: Draft, frame: Frame, step: MapStep, ended: Ended) -> None:
    """An iteration of an owned frame has ended; it is gone already."""
    work, index = frame.work, ended.frame.index
    assert index is not None
    if not gather(draft, frame, ended, "MapIterationAborted"):
        return
    work["running"] -= 1
    work["results"] = results = list(work["results"])
    if ended.error is None:
        note(draft, "MapIterationSucceeded", frame, index=index)
        results[index] = ended.result
    else:
        note(draft, "MapIterationFailed", frame, index=index, error=ended.error, cause=ended.cause)
        results[index] = {"error": ended.error, "cause": ended.cause}
        work["failures"] += 1
        if _intolerable(step, work["failures"], len(results)):
            give_up_below(draft, frame, "MapIterationAborted")
            cause = f"{work['failures']} of {len(results)} failed, the last, [{index}], by {ended.error}: {ended.cause}"
            alias = ended.error
            error = EXCEED_TOLERATED_FAILURE_THRESHOLD
            draft.agenda.append(Failed(frame, error, cause, alias=alias, attempted=True))
            return
    _fill(draft, frame, step)
    if not work["running"]:
        leave(draft, frame, step, results)


def _fill(draft: Draft, frame: Frame, step: MapStep) -> None:
    work = frame.work
    while work["running"] < step.concurrency and work["next"] < len(work["items"]):
        index = work["next"]
        iteration = draft.add(frame, step.machine, index, index=index, item=work["items"][index])
        note(draft, "MapIterationStarted", frame, index=index)
        draft.agenda.append(Enter(iteration, draft.program.scopes[step.machine].start_at))
        work["next"] += 1
        work["running"] += 1


def _units(draft: Draft, frame: Frame, step: MapStep) -> list[Any]:
    items = step.items(draft.scope(frame, "items"))
    if not isinstance(items, list):
        raise StateFailure(ITEM_READER_FAILED, f"items must be a list, here is {described(items)}")
    if len(items) > MAX_ITEMS:
        raise StateFailure(DATA_LIMIT_EXCEEDED, f"{len(items)} items; the limit is {MAX_ITEMS}")
    check_size(items, "the list of items")
    if step.batch_size is None:
        return items
    return [items[start : start + step.batch_size] for start in range(0, len(items), step.batch_size)]


def _intolerable(step: MapStep, failures: int, total: int) -> bool:
    if step.tolerate_percent is not None:
        return failures * 100 > step.tolerate_percent * total
    return failures > (step.tolerate_count or 0)
