"""Waits: for time, for events in their four forms, with a timeout; and what of an event a wait takes.

`frame.waits` are the open ones; in `frame.work`, `got` keeps the events gathered by name ("" where there is but
one), and an absence has `deadline`, `seen` and `last`: its timer is moved only when it fires too early.
"""

from typing import Any, Final

from stepwell_schemas.instance import Frame, Wait
from stepwell_schemas.records import EventOffered

from stepwell_interpreter.agenda import Failed
from stepwell_interpreter.draft import Draft
from stepwell_interpreter.failures import TIMEOUT, StateFailure
from stepwell_interpreter.flow import fail, go_on, leave
from stepwell_interpreter.matching import matches
from stepwell_interpreter.program import WaitEvent, WaitStep
from stepwell_interpreter.scope import Scope
from stepwell_interpreter.trace import note, note_entered

MAX_KEPT: Final = 1_000
"""Events raised for one instance that may wait for a wait."""

TIME_TIMER: Final = "wait"
TIMEOUT_TIMER: Final = "timeout"
SILENCE_TIMER: Final = "silence"


def enter(draft: Draft, frame: Frame, step: WaitStep) -> None:
    """Open the wait, and let it look at the events that were kept."""
    note_entered(draft, frame, step)
    frame.phase = "wait"
    try:
        _open(draft, frame, step)
    except StateFailure as failure:
        frame.waits = []
        fail(draft, frame, step, failure)
        return
    if step.form == "time" and not frame.work["timers"]:
        # Nothing to wait for. A loop of such waits is one that waits for nothing, and is counted as such.
        leave(draft, frame, step, None)
    elif draft.instance.kept and frame.waits and not step.from_now:
        _look_back(draft, frame, step)


Fit = tuple[Wait, WaitEvent]
"""An open wait that an event fits, and what the state says of such events."""


def find(draft: Draft, record: EventOffered) -> tuple[Frame, Fit] | None:
    """The first open wait, in the order of frames, that an event fits, with its frame."""
    event = record.event
    for frame in draft.frames.values():
        for wait in frame.waits:
            if wait.type != event.type or (wait.from_now and event.received_ms < wait.opened_ms):
                continue
            if wait.match and not matches(event.data, wait.match):
                continue
            wanted = _wanted(draft, frame, wait)
            if wanted.where is None or _holds(draft, frame, wanted, event.document()):
                return frame, (wait, wanted)
    return None


def take(draft: Draft, frame: Frame, fit: Fit, event: dict[str, Any]) -> None:
    """An owned frame's open wait consumes an event."""
    step = draft.step(frame)
    assert isinstance(step, WaitStep)
    wait, wanted = fit
    note(draft, "EventReceived", frame, event=event["id"], eventType=event["type"], wait=wait.name)
    if step.form == "absence":
        frame.work["deadline"] = max(frame.work["deadline"], event["received"] + frame.work["silenceMs"])
        frame.work["seen"] += 1
        frame.work["last"] = event["received"]
        return
    if step.form == "event" and wanted.count == 1:
        frame.waits = []
        leave(draft, frame, step, event, event)
        return
    try:
        draft.gather(frame, event)
    except StateFailure as failure:
        frame.waits = []
        fail(draft, frame, step, failure)
        return
    name = wait.name or ""
    before = frame.work.get("got", {})
    gathered = [*before.get(name, ()), event]
    frame.work["got"] = {**before, name: gathered}
    if len(gathered) < wanted.count:
        return
    if step.form == "allOf" and len(frame.waits) > 1:
        frame.waits = [other for other in frame.waits if other is not wait]
        return
    frame.waits = []
    _met(draft, frame, step, wanted, event)


def timer_fired(draft: Draft, frame: Frame, step: WaitStep, what: str, heartbeat_ms: int | None) -> None:
    """The time has come, the silence has lasted, or the wait has lasted too long."""
    if what == TIME_TIMER:
        leave(draft, frame, step, None)
    elif what == TIMEOUT_TIMER:
        _timed_out(draft, frame, step)
    elif frame.work["deadline"] > draft.now_ms:
        draft.arm(frame, SILENCE_TIMER, frame.work["deadline"])
    else:
        leave(draft, frame, step, {"seen": frame.work["seen"], "lastReceived": frame.work["last"]})


def _open(draft: Draft, frame: Frame, step: WaitStep) -> None:
    scope: Scope | None = None
    if step.form == "time":
        frame.work["timers"] = {}
        scope = step.data.scope(draft, frame, "wait")
        if step.until is not None:
            due = step.until(scope)
        else:
            assert step.duration is not None
            due = draft.now_ms + step.duration(scope)
        if due > draft.now_ms:
            draft.arm(frame, TIME_TIMER, due)
        return
    waits = []
    for event in step.events:
        pairs: list[list[Any]] = []
        if event.match is not None:
            scope = scope or step.data.scope(draft, frame, "wait")
            pairs = event.match(scope)
        waits.append(Wait(event.type, pairs, event.name, draft.now_ms, step.from_now))
    frame.waits = waits
    if step.silence is not None:
        silence = step.silence(scope or step.data.scope(draft, frame, "wait"))
        deadline = draft.now_ms + silence
        frame.work.update(silenceMs=silence, deadline=deadline, seen=0, last=None)
        draft.arm(frame, SILENCE_TIMER, deadline)
    if step.timeout is not None:
        draft.arm(
            frame, TIMEOUT_TIMER, draft.now_ms + step.timeout(scope or step.data.scope(draft, frame, "wait"))
        )


def _look_back(draft: Draft, frame: Frame, step: WaitStep) -> None:
    """Take from the events kept for this instance, oldest first, while the wait is open."""
    left: list[dict[str, Any]] = []
    for event in draft.instance.kept:
        fit = _fit_for(draft, frame, event) if frame.waits else None
        if fit is None:
            left.append(event)
        else:
            take(draft, frame, fit, event)
    draft.instance.kept = left


def _fit_for(draft: Draft, frame: Frame, event: dict[str, Any]) -> Fit | None:
    for wait in frame.waits:
        if wait.type == event["type"] and matches(event["data"], wait.match):
            wanted = _wanted(draft, frame, wait)
            if wanted.where is None or _holds(draft, frame, wanted, event):
                return wait, wanted
    return None


def _wanted(draft: Draft, frame: Frame, wait: Wait) -> WaitEvent:
    step = draft.step(frame)
    assert isinstance(step, WaitStep)
    events = step.events
    return events[0] if wait.name is None else next(event for event in events if event.name == wait.name)


def _holds(draft: Draft, frame: Frame, wanted: WaitEvent, event: dict[str, Any]) -> bool:
    """Whether `where` holds. An event that lacks what it looks at does not fit; it must not fail the workflow."""
    assert wanted.where is not None
    scope = draft.step(frame).data.scope(draft, frame, "where")
    scope.event = event
    try:
        return wanted.where(scope, [])
    except StateFailure:
        return False


def _met(draft: Draft, frame: Frame, step: WaitStep, wanted: WaitEvent, event: dict[str, Any]) -> None:
    got = frame.work["got"]
    result: Any
    if step.form == "event":
        result = got[""]
    elif step.form == "anyOf":
        result = {wanted.name: _one_or_all(wanted, got)}
    else:
        result = {each.name: _one_or_all(each, got) for each in step.events}
    leave(draft, frame, step, result, event, wanted.next or step.next)


def _one_or_all(wanted: WaitEvent, got: dict[str, list[dict[str, Any]]]) -> Any:
    events = got[wanted.name or ""]
    return events[0] if wanted.count == 1 else events


def _timed_out(draft: Draft, frame: Frame, step: WaitStep) -> None:
    note(draft, "WaitTimedOut", frame, next=step.timeout_next)
    if step.timeout_next is not None:
        go_on(draft, frame, step, step.timeout_next)
        return
    wanted = ", ".join(sorted({event.type for event in step.events}))
    draft.agenda.append(Failed(frame, TIMEOUT, f"the events waited for did not come in time: {wanted}"))
