"""Tasks: attempts of activities with their tokens, retries, losses and callbacks, and child workflows.

`frame.work` of an attempt: `attempt token number key input timeoutMs heartbeatMs lost`, with a callback also
`callback` (its token) and `early` (an answer that came before the body had ended). Of a child: `child`.
"""

from hashlib import blake2b
from typing import Any, Final

from stepwell_schemas.commands import CancelActivity, CancelChild, RunActivity, StartChild
from stepwell_schemas.instance import Frame
from stepwell_schemas.records import ActivityCompleted, ActivityFailed, CallbackEnded, ChildEnded

from stepwell_interpreter.agenda import Failed
from stepwell_interpreter.draft import Draft, check_size
from stepwell_interpreter.failures import (
    DATA_LIMIT_EXCEEDED,
    HEARTBEAT_TIMEOUT,
    RUNTIME,
    TASK_FAILED,
    TIMEOUT,
    StateFailure,
)
from stepwell_interpreter.flow import fail, leave
from stepwell_interpreter.program import Call, ChildFlow, Step, TaskStep
from stepwell_interpreter.trace import note, note_entered

MAX_LOSSES: Final = 5
"""So many workers may die over one attempt; then it is the activity's fault."""

MAX_NESTED: Final = 100
"""Children of children; a workflow that starts itself must end somewhere."""

MAX_UNDO: Final = 20_000
"""Completed tasks whose undo is remembered; a workflow that lives on must compensate, or do without."""

ATTEMPT_TIMER: Final = "task"
HEARTBEAT_TIMER: Final = "heartbeat"


def enter(draft: Draft, frame: Frame, step: TaskStep) -> None:
    """Resolve the input and make the first try."""
    note_entered(draft, frame, step)
    _promise(draft, frame, step)
    try:
        value = step.data.begin(draft, frame, step)
        # Each attempt is stored with its input: a thousand branches with one large input are a thousand copies.
        draft.spend(check_size(value, "the input") >> 5)
        frame.work["input"] = value
    except StateFailure as failure:
        fail(draft, frame, step, failure)
        return
    _try(draft, frame, step)


def resume(draft: Draft, frame: Frame, step: TaskStep) -> None:
    """Make the next try."""
    _promise(draft, frame, step)
    try:
        frame.work["input"] = step.data.again(draft, frame, step)
    except StateFailure as failure:
        fail(draft, frame, step, failure)
        return
    _try(draft, frame, step)


def _try(draft: Draft, frame: Frame, step: TaskStep) -> None:
    try:
        if step.call is None:
            _start_child(draft, frame, step)
        else:
            key = f"{draft.instance.id}/{frame.id}/{frame.state}/{frame.visit}"
            dispatch(draft, frame, step, step.call, key, priority=step.priority)
            note_scheduled(draft, "TaskScheduled", frame, step.call)
            if step.call.begins:
                frame.work["begun"] = True
                step.data.tell(draft, "TaskStarted", frame)
            frame.phase = "task"
    except StateFailure as failure:
        fail(draft, frame, step, failure)


def dispatch(draft: Draft, frame: Frame, step: Step, call: Call, key: str, *, priority: int = 0) -> None:
    """A new attempt with `work.input`, and its timers. Raises StateFailure for a wrong duration."""
    work = frame.work
    scope = step.data.scope(draft, frame, "call")
    timeout = call.timeout(scope)
    heartbeat = None if call.heartbeat is None else call.heartbeat(scope)
    number = work.get("number", 0) + 1
    attempt = f"{frame.id}/{frame.state}/{frame.visit}/{number}"
    work.update(attempt=attempt, number=number, key=key, timeoutMs=timeout, heartbeatMs=heartbeat, lost=0)
    work.update(activity=call.activity, queue=call.queue, priority=priority)
    work.pop("early", None)
    work.pop("beat", None)
    if call.integration is not None:
        work["integration"] = call.integration
    _run(draft, frame)
    draft.arm(frame, ATTEMPT_TIMER, draft.now_ms + timeout)
    if heartbeat is not None:
        draft.arm(frame, HEARTBEAT_TIMER, draft.now_ms + heartbeat)


def note_scheduled(draft: Draft, type: str, frame: Frame, call: Call) -> None:
    """Trace the attempt that was just dispatched."""
    work = frame.work
    note(
        draft,
        type,
        frame,
        activity=call.activity,
        attempt=work["attempt"],
        number=work["number"],
        input=draft.recorded(frame, work["input"]),
        **({} if call.told is None else call.told(work)),
    )


def lose(draft: Draft, frame: Frame, reason: str) -> Failed | None:
    """The worker of an owned frame's attempt is gone: dispatch it again, or the failure after too many."""
    lost = frame.work["lost"] = frame.work["lost"] + 1
    note(draft, "TaskLost", frame, attempt=frame.work["attempt"], losses=lost, reason=reason)
    if lost < MAX_LOSSES:
        _run(draft, frame)
        if frame.work["heartbeatMs"] is not None:
            draft.arm(frame, HEARTBEAT_TIMER, draft.now_ms + frame.work["heartbeatMs"])
        return None
    del frame.work["token"]
    draft.disarm_all(frame)
    cause = f"worker lost: {lost} workers were lost over attempt {frame.work['attempt']} ({reason})"
    return Failed(frame, TASK_FAILED, cause, attempted=True)


def overdue(draft: Draft, frame: Frame, step: Step, what: str, heartbeat_ms: int | None) -> Failed | None:
    """A timer of an owned frame's attempt has fired: the failure, or None where a sign of life came meanwhile."""
    limit = frame.work["heartbeatMs"]
    if what == HEARTBEAT_TIMER:
        signs = [at for at in (frame.work.get("beat"), heartbeat_ms) if at is not None]
        due = max(signs, default=draft.now_ms) + limit
        if due > draft.now_ms:
            draft.arm(frame, HEARTBEAT_TIMER, due)
            return None
        name, cause = HEARTBEAT_TIMEOUT, f"no sign of life for {limit} ms"
    else:
        name, cause = TIMEOUT, f"no result within {frame.work['timeoutMs']} ms"
    error, cause = step.data.timed_out(name, cause)
    type = f"{_whose(draft, frame)}TimedOut"
    note(draft, type, frame, attempt=frame.work["attempt"], error=error, cause=cause)
    token = frame.work.pop("token", None)
    if token is not None:
        draft.commands.append(CancelActivity(frame.work["attempt"], token))
    draft.disarm_all(frame)
    return Failed(frame, error, cause, alias=None if name == error else name, attempted=True)


def completed(draft: Draft, frame: Frame, step: TaskStep, record: ActivityCompleted) -> None:
    """The body has ended well; without a callback the task has, too."""
    del frame.work["token"]
    note_started(draft, frame, record)
    if not (step.callback or record.submitted):
        _succeed(draft, frame, step, record.output)
        return
    step.data.tell(draft, "TaskSubmitted", frame, output=record.output)
    if step.beats_on:
        frame.work["beat"] = draft.now_ms
    else:
        draft.disarm(frame, HEARTBEAT_TIMER)
    if step.own_timeout is None:
        draft.disarm(frame, ATTEMPT_TIMER)
    early = frame.work.pop("early", None)
    frame.phase = "callback"
    if early is not None:
        _call_back(draft, frame, step, early)


def called_back(draft: Draft, frame: Frame, step: TaskStep, record: CallbackEnded) -> None:
    """Someone answered the callback token: the task ends now, or when its body has ended."""
    note(draft, "CallbackReceived", frame, attempt=record.attempt, error=record.error, actor=record.actor)
    failed = record.failed or record.error is not None
    answer = {"output": record.output, "error": record.error, "cause": record.cause, "failed": failed}
    if frame.phase == "callback":
        _call_back(draft, frame, step, answer)
    else:
        frame.work["early"] = answer


def failed(draft: Draft, frame: Frame, record: ActivityFailed) -> Failed:
    """The body has failed: what that is to the state."""
    del frame.work["token"]
    draft.disarm_all(frame)
    note_started(draft, frame, record)
    note(
        draft,
        f"{_whose(draft, frame)}Failed",
        frame,
        attempt=record.attempt,
        error=record.error,
        cause=record.cause,
        retryable=record.retryable,
    )
    return Failed(frame, record.error, record.cause, attempted=record.retryable)


def timer_fired(draft: Draft, frame: Frame, step: TaskStep, what: str, heartbeat_ms: int | None) -> None:
    """A limit of the attempt or of the child is reached."""
    if frame.phase != "child":
        outcome = overdue(draft, frame, step, what, heartbeat_ms)
        if outcome is not None:
            draft.agenda.append(outcome)
        return
    child = frame.work.pop("child")
    reason = f"the child workflow {child} did not end in time"
    error, cause = step.data.timed_out(TIMEOUT, reason)
    note(draft, "TaskTimedOut", frame, child=child, error=error, cause=cause)
    draft.commands.append(CancelChild(child, reason, draft.program.compensates))
    draft.agenda.append(Failed(frame, error, cause, attempted=True))


def child_ended(draft: Draft, frame: Frame, step: TaskStep, record: ChildEnded) -> None:
    """The child's end is the task's."""
    del frame.work["child"]
    if step.child is not None:
        _child_answered(draft, frame, step, step.child, record)
        return
    if record.status == "succeeded":
        note(draft, "ChildSucceeded", frame, child=record.child)
        _succeed(draft, frame, step, record.output)
        return
    error = record.error or (TIMEOUT if record.status == "timedOut" else TASK_FAILED)
    cause = record.cause or f"the child workflow {record.child} ended as {record.status}"
    note(draft, "ChildFailed", frame, child=record.child, error=error, cause=cause)
    draft.agenda.append(Failed(frame, error, cause, attempted=True))


def note_started(draft: Draft, frame: Frame, record: ActivityCompleted | ActivityFailed) -> None:
    """Trace when and where the body had begun; only its answer tells."""
    note(
        draft,
        "AttemptStarted" if frame.work.pop("begun", False) else f"{_whose(draft, frame)}Started",
        frame,
        attempt=record.attempt,
        startedMs=record.started_ms,
        worker=record.worker,
    )


def _whose(draft: Draft, frame: Frame) -> str:
    """What the trace calls an attempt: a map's reader and writer are no tasks, and no events of its history."""
    return "Attempt" if draft.step(frame).kind == "map" else "Task"


def secret(draft: Draft, text: str) -> str:
    """32 hex digits that only who knows the instance's seed can find."""
    return blake2b(f"{draft.instance.seed}/{draft.instance.id}/{text}".encode(), digest_size=16).hexdigest()


def child_id(parent: str, number: int) -> str:
    """An id that no caller can choose, in the parent's partition: the mark at the end of a generated id stays there.

    `x-1f~3` gives `x-1f.7~3`; a chosen id `order-1` gives `order-1~c7`, and that one `order-1~c7.9`.
    """
    stem, mark, partition = parent.rpartition("~")
    if mark and partition.isdigit():
        return f"{stem}.{number}~{partition}"
    return f"{parent}.{number}" if mark else f"{parent}~c{number}"


def nesting(id: str) -> int:
    """How deep a child an instance is, read off its id; 0 for one that is no child."""
    stem, mark, tail = id.rpartition("~")
    if not mark:
        return 0
    return stem.count(".") if tail.isdigit() else 1 + tail.count(".")


def _promise(draft: Draft, frame: Frame, step: TaskStep) -> None:
    """The callback token of the next try; its input may hold it."""
    if step.callback or step.submits:
        number = frame.work.get("number", 0) + 1
        frame.work["callback"] = secret(draft, f"{frame.id}/{frame.state}/{frame.visit}/{number}/callback")


def _run(draft: Draft, frame: Frame) -> None:
    work = frame.work
    token = work["token"] = secret(draft, f"{work['attempt']}/{work['lost']}")
    draft.commands.append(
        RunActivity(
            attempt=work["attempt"],
            token=token,
            activity=work["activity"],
            queue=work["queue"],
            input=work["input"],
            idempotency_key=work["key"],
            state=frame.state,
            number=work["number"],
            timeout_ms=work["timeoutMs"],
            heartbeat_ms=work["heartbeatMs"],
            priority=work["priority"],
            callback_token=work.get("callback"),
            integration=work.get("integration"),
        )
    )


def _start_child(draft: Draft, frame: Frame, step: TaskStep) -> None:
    assert step.workflow is not None
    if nesting(draft.instance.id) >= MAX_NESTED:
        cause = f"children of children more than {MAX_NESTED} deep: does {step.workflow} start itself?"
        raise StateFailure(RUNTIME, cause)
    timeout = None if step.own_timeout is None else step.own_timeout(step.data.scope(draft, frame, "call"))
    draft.instance.visits += 1
    child = child_id(draft.instance.id, draft.instance.visits)
    frame.work["child"] = child
    frame.work["number"] = frame.work.get("number", 0) + 1
    frame.phase = "child"
    value = frame.work["input"] if step.child is None else step.child.input(frame.work["input"])
    draft.commands.append(StartChild(child, step.workflow, value))
    note(draft, "ChildStarted", frame, child=child, workflow=step.workflow)
    if step.child is not None:
        answer = step.child.began(draft, frame, child)
        if step.child.detached:
            del frame.work["child"]
            _succeed(draft, frame, step, answer)
            return
        step.data.tell(draft, "TaskSubmitted", frame, output=answer)
    if timeout is not None:
        draft.arm(frame, ATTEMPT_TIMER, draft.now_ms + timeout)


def _child_answered(draft: Draft, frame: Frame, step: TaskStep, child: ChildFlow, record: ChildEnded) -> None:
    note(draft, "ChildEnded", frame, child=record.child, status=record.status)
    try:
        output = child.ended(draft, frame, record)
    except StateFailure as failure:
        draft.disarm_all(frame)
        step.data.tell(draft, "TaskFailed", frame, error=failure.error, cause=failure.cause)
        fail(draft, frame, step, failure)
        return
    _succeed(draft, frame, step, output)


def _call_back(draft: Draft, frame: Frame, step: TaskStep, answer: dict[str, Any]) -> None:
    if not answer["failed"]:
        _succeed(draft, frame, step, answer["output"])
        return
    error, cause = answer["error"], answer["cause"]
    note(draft, "TaskFailed", frame, attempt=frame.work["attempt"], error=error, cause=cause, callback=True)
    draft.agenda.append(Failed(frame, error, cause, attempted=True))


def _succeed(draft: Draft, frame: Frame, step: TaskStep, output: Any) -> None:
    draft.disarm_all(frame)
    problem = step.data.result_problem(frame, output)
    if problem is not None:
        note(draft, "TaskFailed", frame, error=problem.error, cause=problem.cause)
        fail(draft, frame, step, problem)
        return
    note(draft, "TaskSucceeded", frame, output=draft.recorded(frame, output))
    try:
        if step.undo is not None:
            _log_undo(draft, frame, step.undo, output)
    except StateFailure as failure:
        fail(draft, frame, step, failure)
        return
    leave(draft, frame, step, output)


def _log_undo(draft: Draft, frame: Frame, undo: Call, output: Any) -> None:
    if len(draft.instance.undo) >= MAX_UNDO:
        raise StateFailure(
            DATA_LIMIT_EXCEEDED, f"there are {MAX_UNDO} tasks to undo already; that is the limit"
        )
    value = output
    if undo.input is not None:
        scope = draft.scope(frame, "undo")
        scope.result = output
        value = undo.input(scope)
    check_size(value, "the input of compensateWith")
    entry = {
        "activity": undo.activity,
        "input": value,
        "state": frame.state,
        "scope": frame.scope,
        "frame": frame.id,
        "visit": frame.visit,
    }
    draft.instance.undo = [*draft.instance.undo, entry]
