"""How a frame moves on: out of a state with its result, to the next state, or to the end of its machine.

Everything that is given up on the way is given up here, so that no timer, attempt or child is left behind.
"""

from typing import Any

from stepwell_schemas.commands import CancelActivity, CancelChild, ClearTimer
from stepwell_schemas.instance import Frame

from stepwell_interpreter.agenda import Ended, Enter
from stepwell_interpreter.draft import Draft
from stepwell_interpreter.failures import StateFailure
from stepwell_interpreter.program import Step
from stepwell_interpreter.scope import MISSING
from stepwell_interpreter.trace import note, note_execution, note_exited

INSTANCE_TIMER = "timeout"
"""The timer of the whole instance; those of frames have slashes in their names."""


def leave(
    draft: Draft, frame: Frame, step: Step, result: Any, event: Any = MISSING, next: str | None = None
) -> None:
    """An owned frame's state has its result: make it anew, keep it, go on to `next`, or else the state's own."""
    try:
        kept = step.data.keep(draft, frame, step, result, event)
    except StateFailure as failure:
        fail(draft, frame, step, failure)
        return
    go_on(draft, frame, step, next or step.next, kept)


def go_on(
    draft: Draft, frame: Frame, step: Step, next: str | None, result: Any = None, **details: Any
) -> None:
    """Leave the state for `next`, or where that is None end the machine with the result."""
    draft.disarm_all(frame)
    frame.waits = []
    step.data.hand(frame, result)
    note_exited(draft, frame, step, next, **details)
    if next is None:
        draft.agenda.append(Ended(frame, result))
    else:
        draft.agenda.append(Enter(frame, next))


def fail(draft: Draft, frame: Frame, step: Step, failure: StateFailure) -> None:
    """The state failed by an expression of its own."""
    draft.agenda.append(step.data.failure(draft, frame, failure))


def give_up(draft: Draft, frame: Frame, *, undo_children: bool) -> None:
    """Cancel what an owned frame waits for: its attempt, its child workflow, its timers."""
    token = frame.work.pop("token", None)
    if token is not None:
        draft.revokes = True
        draft.commands.append(CancelActivity(frame.work["attempt"], token))
    child = frame.work.pop("child", None)
    if child is not None:
        draft.revokes = True
        reason = f"given up by {draft.instance.id} in state {frame.state}"
        draft.commands.append(CancelChild(child, reason, undo_children))
    draft.disarm_all(frame)
    frame.waits = []


def give_up_below(
    draft: Draft, frame: Frame, event: str | None, *, undo_children: bool | None = None
) -> None:
    """Cancel and remove all frames under a frame; `event` is traced for each of its direct children."""
    undo = draft.program.compensates if undo_children is None else undo_children
    for child in draft.below(frame.id):
        if child.state:
            step = draft.step(child)
            step.data.tell(draft, step.word + "StateAborted", child)
        give_up(draft, draft.own(child.id), undo_children=undo)
        if event is not None and child.parent == frame.id:
            note(draft, event, frame, branch=child.branch, index=child.index)
        draft.remove(child.id)


def end_instance(
    draft: Draft,
    status: str,
    event: str,
    *,
    output: Any = None,
    error: str | None = None,
    cause: str | None = None,
    undo_children: bool | None = None,
) -> None:
    """The instance has ended: nothing stays armed, open or running."""
    instance = draft.instance
    undo = draft.program.compensates if undo_children is None else undo_children
    for frame in list(draft.frames.values()):
        give_up(draft, draft.own(frame.id), undo_children=undo)
        draft.remove(frame.id)
    lift_timeout(draft)
    draft.agenda.clear()
    instance.status = status
    instance.ended_ms = draft.now_ms
    instance.ending = None
    instance.output, instance.error, instance.cause = output, error, cause
    if status == "succeeded":
        instance.undo = []
        note_execution(draft, event, output=draft.recorded(None, output))
    else:
        note_execution(draft, event, error=error, cause=cause)


def lift_timeout(draft: Draft) -> None:
    """The instance's own timeout no longer counts."""
    if draft.instance.deadline_ms is not None:
        draft.instance.deadline_ms = None
        draft.commands.append(ClearTimer(INSTANCE_TIMER))
