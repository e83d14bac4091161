"""`decide`: what a record does to an instance. The one place where all kinds of records and states come together.

    decide(program, instance, record) -> Decision(instance, commands, trace, patch, answer)

It is a pure function: time, ids and chance come with the record and the instance's seed, so a history replays to
the same bytes. It is total: a failure of the workflow is a value in the decision, and an exception is a fault of
ours. The given instance is never changed; `draft.py` says how.

An instance is a tree of frames, each standing in one state of one machine:

                 Enter                      Ended
    frame ───────────────▶ state ── … ──▶ parent frame's join, or the instance's end
             ▲    ▲          │  │
             │    └─ backoff ┘  │ Failed
             └──── catch ───────┘ (error_routes: retry, catch, onError, else Ended with the error)

A record wakes one frame (`_RECORDS`), by its open wait, its attempt's token, its timer's name or its child's id.
What that leads to stands in the draft's agenda and is worked off here (`_run`), each kind of state by its row in
`_STATES`. A record whose frame has moved on is `stale`: it is traced, and nothing else happens.

Answers: `started`; for events `consumed kept rejected none`; for results, callbacks and timers `accepted` or
`stale`; for cancelling `cancelled` or `cancelling`; `ended` for whatever comes after the end.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, assert_never

from stepwell_schemas.commands import SetTimer
from stepwell_schemas.instance import TERMINAL, Frame, Instance
from stepwell_schemas.records import (
    ActivityCompleted,
    ActivityFailed,
    AttemptLost,
    CallbackEnded,
    CallbackSignalled,
    CancelRequested,
    ChildEnded,
    EventOffered,
    InstanceStarted,
    Record,
    TimerFired,
)

from stepwell_interpreter import branches, compensation, instant, iterations, task, wait
from stepwell_interpreter.agenda import Ended, Enter, Failed
from stepwell_interpreter.draft import MAX_STATE_BYTES, ROOT, Decision, Draft, check_size, json_size
from stepwell_interpreter.error_routes import lead_on, route
from stepwell_interpreter.failures import RUNTIME, TIMEOUT, StateFailure
from stepwell_interpreter.flow import (
    INSTANCE_TIMER,
    end_instance,
    give_up,
    give_up_below,
    lift_timeout,
)
from stepwell_interpreter.program import CANCEL_STEP, CompensationStep, MapStep, Program
from stepwell_interpreter.status import (
    describe,
    due_in,
    heartbeat_token,
    obligations,
    timer_in,
    timer_slot,
    waits_for,
)
from stepwell_interpreter.trace import note, note_execution

__all__ = [
    "Decision",
    "decide",
    "describe",
    "due_in",
    "heartbeat_token",
    "obligations",
    "timer_in",
    "timer_slot",
    "waits_for",
]

MAX_STEPS_OF_A_FRAME: Final = 10_000
"""States one frame may enter within one decision; more is a loop that waits for nothing."""

MAX_STEPS: Final = 100_000
"""States all frames together may enter within one decision."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a kind of state does when it is entered, tried again, told of a child frame's end, or a timer fires."""

    enter: Callable[[Draft, Frame, Any], None]
    resume: Callable[[Draft, Frame, Any], None] | None = None
    joined: Callable[[Draft, Frame, Any, Ended], None] | None = None
    timer_fired: Callable[[Draft, Frame, Any, str, int | None], None] | None = None


_STATES: Final[dict[str, _Kind]] = {
    "task": _Kind(task.enter, task.resume, None, task.timer_fired),
    "wait": _Kind(wait.enter, None, None, wait.timer_fired),
    "choice": _Kind(instant.choose),
    "parallel": _Kind(branches.enter, branches.resume, branches.joined, branches.timer_fired),
    "map": _Kind(iterations.enter, iterations.resume, iterations.joined, iterations.timer_fired),
    "compensation": _Kind(compensation.enter, compensation.resume, None, compensation.timer_fired),
    "pass": _Kind(instant.set_values),
    "succeed": _Kind(instant.succeed),
    "fail": _Kind(instant.end_badly),
}


def decide(program: Program, instance: Instance, record: Record) -> Decision:
    """Apply one record. See the module's header."""
    if instance.status in TERMINAL:
        return Decision(instance, [], [], [], "ended")
    draft = Draft(program, instance, record.time_ms)
    answer = _RECORDS[type(record)](draft, record)
    if answer == "none":
        return Decision(instance, [], [], [], "none")
    _run(draft)
    if answer == "cancelling" and draft.instance.status == "cancelled":
        answer = "cancelled"
    return draft.close(answer)


def _run(draft: Draft) -> None:
    """Work the agenda off. Frames that are gone by then are passed over."""
    agenda, frames = draft.agenda, draft.frames
    total = 0
    while agenda:
        item = agenda.popleft()
        frame = item.frame
        if frames.get(frame.id) is not frame:
            continue
        match item:
            case Enter():
                total += 1
                entered = draft.entered[frame.id] = draft.entered.get(frame.id, 0) + 1
                if entered > MAX_STEPS_OF_A_FRAME or total > MAX_STEPS:
                    _stop_loop(draft, item.state)
                    return
                draft.stand(frame, item.state)
                step = draft.program.scopes[frame.scope].steps[item.state]
                _STATES[step.kind].enter(draft, frame, step)
            case Ended():
                _end(draft, item)
            case Failed():
                route(draft, item)
            case _:
                assert_never(item)


def _end(draft: Draft, ended: Ended) -> None:
    """A frame is at its machine's end: tell the parent's state, or end the instance."""
    frame = ended.frame
    if frame.parent is not None:
        parent = draft.own(frame.parent)
        draft.remove(frame.id)
        step = draft.step(parent)
        joined = _STATES[step.kind].joined
        assert joined is not None, f"{frame.parent} has child frames but stands in {step.name}"
        joined(draft, parent, step, ended)
    elif not ended.failed:
        try:
            check_size(ended.result, "the output")
        except StateFailure as failure:
            end_instance(draft, "failed", "ExecutionFailed", error=failure.error, cause=failure.cause)
            return
        end_instance(draft, "succeeded", "ExecutionSucceeded", output=ended.result)
    else:
        end_instance(draft, "failed", "ExecutionFailed", error=ended.error, cause=ended.cause)


def _stop_loop(draft: Draft, state: str) -> None:
    cause = (
        f"state {state}: more than {MAX_STEPS_OF_A_FRAME} states were entered without waiting for anything"
    )
    end_instance(draft, "failed", "ExecutionFailed", error=RUNTIME, cause=cause)


# -- records -------------------------------------------------------------------------------------------------


def _started(draft: Draft, record: InstanceStarted) -> str:
    instance, program = draft.instance, draft.program
    if instance.created_ms or draft.frames:
        return _stale(draft, record)
    instance.created_ms = record.time_ms
    instance.input = record.input
    instance.seed = record.seed
    event = None if record.event is None else record.event.id
    note_execution(
        draft, "ExecutionStarted", input=draft.recorded(None, record.input), actor=record.actor, event=event
    )
    machine = program.scopes[""]
    frame = draft.add(None, "", 0)
    start = machine.steps[machine.start_at]
    start.data.hand(frame, record.input)
    draft.agenda.append(Enter(frame, machine.start_at))
    if program.timeout_ms is not None:
        try:
            due = record.time_ms + program.timeout_ms(start.data.scope(draft, frame, "start"))
        except StateFailure as failure:
            end_instance(draft, "failed", "ExecutionFailed", error=failure.error, cause=failure.cause)
            return "started"
        instance.deadline_ms = due
        draft.commands.append(SetTimer(INSTANCE_TIMER, due))
    return "started"


def _offered(draft: Draft, record: EventOffered) -> str:
    found = wait.find(draft, record)
    if found is not None:
        frame, fit = found
        draft.event = record.event
        wait.take(draft, draft.own(frame.id), fit, record.event.document())
        return "consumed"
    if not record.raised:
        return "none"
    kept = draft.instance.kept
    document = record.event.document()
    if len(kept) >= wait.MAX_KEPT or json_size(kept) + json_size(document) > MAX_STATE_BYTES:
        note_execution(draft, "EventRejected", event=record.event.id, eventType=record.event.type)
        return "rejected"
    draft.instance.kept = [*kept, document]
    note_execution(draft, "EventKept", event=record.event.id, eventType=record.event.type)
    return "kept"


def _attempt(draft: Draft, attempt: str, token: str) -> Frame | None:
    """The frame that waits for this very dispatch of this attempt, free to be changed."""
    frame = draft.frames.get(attempt.partition("/")[0])
    if frame is None or frame.work.get("token") != token or frame.work["attempt"] != attempt:
        return None
    return draft.own(frame.id)


def _completed(draft: Draft, record: ActivityCompleted) -> str:
    frame = _attempt(draft, record.attempt, record.token)
    if frame is None:
        return _stale(draft, record)
    step = draft.step(frame)
    if isinstance(step, CompensationStep):
        compensation.completed(draft, frame, step, record)
    elif isinstance(step, MapStep):
        iterations.completed(draft, frame, step, record)
    else:
        task.completed(draft, frame, step, record)  # type: ignore[arg-type]  # only these two have attempts
    return "accepted"


def _activity_failed(draft: Draft, record: ActivityFailed) -> str:
    frame = _attempt(draft, record.attempt, record.token)
    if frame is None:
        return _stale(draft, record)
    return _fail_attempt(draft, frame, task.failed(draft, frame, record))


def _lost(draft: Draft, record: AttemptLost) -> str:
    frame = _attempt(draft, record.attempt, record.token)
    if frame is None:
        return _stale(draft, record)
    return _fail_attempt(draft, frame, task.lose(draft, frame, record.reason))


def _fail_attempt(draft: Draft, frame: Frame, failed: Failed | None) -> str:
    if failed is not None:
        step = draft.step(frame)
        if isinstance(step, CompensationStep):
            compensation.settle(draft, frame, step, failed)
        elif isinstance(step, MapStep):
            draft.agenda.append(iterations.attempt_failed(draft, frame, step, failed))
        else:
            draft.agenda.append(failed)
    return "accepted"


def _awaiting(draft: Draft, record: CallbackEnded | CallbackSignalled) -> Frame | None:
    """The frame that waits for the answer to this callback token, free to be changed."""
    frame = draft.frames.get(record.attempt.partition("/")[0])
    work = {} if frame is None else frame.work
    waits = work.get("callback") == record.token and work.get("attempt") == record.attempt
    if frame is None or not waits or "early" in work or frame.phase not in ("task", "callback"):
        return None
    return draft.own(frame.id)


def _signalled(draft: Draft, record: CallbackSignalled) -> str:
    frame = _awaiting(draft, record)
    if frame is None:
        return _stale(draft, record)
    frame.work["beat"] = record.time_ms
    note(draft, "CallbackSignalled", frame, attempt=record.attempt, actor=record.actor)
    return "accepted"


def _called_back(draft: Draft, record: CallbackEnded) -> str:
    frame = _awaiting(draft, record)
    if frame is None:
        return _stale(draft, record)
    task.called_back(draft, frame, draft.step(frame), record)  # type: ignore[arg-type]  # tasks alone have callbacks
    return "accepted"


def _fired(draft: Draft, record: TimerFired) -> str:
    if record.timer == INSTANCE_TIMER:
        return _timed_out(draft, record)
    id, _, rest = record.timer.partition("/")
    visit, _, what = rest.partition("/")
    frame = draft.frames.get(id)
    if frame is None or str(frame.visit) != visit or what not in frame.work.get("timers", ()):
        return _stale(draft, record)
    frame = draft.own(id)
    draft.fired(frame, what)
    note(draft, "TimerFired", frame, timer=what, dueMs=record.due_ms)
    step = draft.step(frame)
    kind = _STATES[step.kind]
    if what == "backoff":
        assert kind.resume is not None, f"{step.kind} cannot be tried again"
        kind.resume(draft, frame, step)
    else:
        assert kind.timer_fired is not None, f"{step.kind} has no timers"
        kind.timer_fired(draft, frame, step, what, record.heartbeat_ms)
    return "accepted"


def _timed_out(draft: Draft, record: TimerFired) -> str:
    """The instance has taken too long: once to `configuration.onError`, else it ends."""
    if draft.instance.deadline_ms is None:
        return _stale(draft, record)
    draft.instance.deadline_ms = None
    root = draft.own(ROOT)
    default = draft.program.scopes[""].on_error
    said = "the instance did not end within configuration.timeout"
    error, cause = draft.step(root).data.timed_out(TIMEOUT, said)
    if default is None or draft.instance.ending is not None:
        end_instance(draft, "timedOut", "ExecutionTimedOut", error=error, cause=cause)
        return "accepted"
    give_up_below(draft, root, None)
    give_up(draft, root, undo_children=draft.program.compensates)
    lead_on(draft, Failed(root, error, cause), draft.step(root), default, "configuration.timeout")
    return "accepted"


def _child_ended(draft: Draft, record: ChildEnded) -> str:
    for frame in draft.frames.values():
        if frame.work.get("child") == record.child:
            owned = draft.own(frame.id)
            task.child_ended(draft, owned, draft.step(owned), record)  # type: ignore[arg-type]  # tasks have children
            return "accepted"
    return _stale(draft, record)


def _cancelled(draft: Draft, record: CancelRequested) -> str:
    """End at once, or undo first. Asked again without `compensate`, an undo under way is broken off."""
    instance = draft.instance
    note_execution(
        draft, "CancelRequested", reason=record.reason, actor=record.actor, compensate=record.compensate
    )
    if record.compensate and instance.ending is not None:
        return "cancelling"
    if not record.compensate or not instance.undo or not draft.frames:
        cause = record.reason or "cancelled"
        end_instance(draft, "cancelled", "ExecutionAborted", cause=cause, undo_children=record.compensate)
        return "cancelled"
    root = draft.own(ROOT)
    give_up_below(draft, root, None, undo_children=True)
    give_up(draft, root, undo_children=True)
    lift_timeout(draft)
    instance.ending = {"status": "cancelled", "reason": record.reason or "cancelled", "actor": record.actor}
    draft.stand(root, CANCEL_STEP.name)
    compensation.enter(draft, root, CANCEL_STEP)
    return "cancelling"


def _stale(draft: Draft, record: Record) -> str:
    details = {name: getattr(record, name) for name in ("attempt", "timer", "child") if hasattr(record, name)}
    note_execution(draft, "StaleResultIgnored", record=record.kind, **details)
    return "stale"


_RECORDS: Final[dict[type[Any], Callable[[Draft, Any], str]]] = {
    InstanceStarted: _started,
    EventOffered: _offered,
    ActivityCompleted: _completed,
    ActivityFailed: _activity_failed,
    AttemptLost: _lost,
    CallbackEnded: _called_back,
    CallbackSignalled: _signalled,
    TimerFired: _fired,
    ChildEnded: _child_ended,
    CancelRequested: _cancelled,
}
