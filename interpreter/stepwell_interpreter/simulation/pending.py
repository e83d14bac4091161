"""Attempts and children that have no end yet: what who answers them needs to know, read off the instance."""

from dataclasses import dataclass, replace
from typing import Any

from stepwell_schemas.commands import RunActivity, StartChild
from stepwell_schemas.instance import Frame, Instance

from stepwell_interpreter.program import Program, TaskStep


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """One attempt of an activity, or one child workflow. `token` names it in the world (a child's is its id)."""

    token: str
    instance: str
    frame: str
    state: str
    name: str
    """The activity's or the workflow's."""
    input: Any
    number: int
    """Which try of the state it is, from 1."""
    item: tuple[int, ...]
    """The map items it runs in, from the outermost map inwards."""
    dispatched_ms: int
    is_child: bool = False
    attempt: str = ""
    callback: str | None = None
    """The callback token of a task that ends by one."""
    submits: bool = False
    """The body may only submit the work; then it ends by the callback token, and else at once."""
    called_back: bool = False
    """The body has ended; only the callback is missing."""
    undo_of: str | None = None
    """The task it undoes; "" for a step that a compensation lists itself."""

    def after_body(self) -> "Pending":
        """The same when only its callback is missing."""
        return replace(self, called_back=True)

    def still_wanted(self, instance: Instance) -> bool:
        """Whether the instance still waits for the callback."""
        frame = instance.frames.get(self.frame)
        return (
            frame is not None
            and frame.work.get("attempt") == self.attempt
            and frame.work.get("callback") == self.callback
            and frame.phase in ("task", "callback")
        )


def pending_of(
    program: Program, instance: Instance, command: RunActivity | StartChild, now_ms: int
) -> Pending:
    """What a command has dispatched. The instance is the one after the decision that gave the command."""
    if isinstance(command, StartChild):
        frames = instance.frames.values()
        # A child that nobody waits for has no frame: the task that began it is over already.
        waiting = next((each for each in frames if each.work.get("child") == command.child), None)
        return Pending(
            token=command.child,
            instance=instance.id,
            frame="" if waiting is None else waiting.id,
            state="" if waiting is None else waiting.state,
            name=command.definition,
            input=command.input,
            number=1 if waiting is None else waiting.work.get("number", 1),
            item=() if waiting is None else _item(instance, waiting),
            dispatched_ms=now_ms,
            is_child=True,
        )
    frame = instance.frames[command.attempt.partition("/")[0]]
    step = program.scopes[frame.scope].steps.get(frame.state)
    return Pending(
        token=command.token,
        instance=instance.id,
        frame=frame.id,
        state=command.state,
        name=command.activity,
        input=command.input,
        number=command.number,
        item=_item(instance, frame),
        dispatched_ms=now_ms,
        attempt=command.attempt,
        callback=command.callback_token,
        submits=isinstance(step, TaskStep) and step.submits,
        undo_of=frame.work["current"].get("state", "") if frame.phase == "undo" else None,
    )


def _item(instance: Instance, frame: Frame) -> tuple[int, ...]:
    found: list[int] = []
    while frame.parent is not None:
        if frame.index is not None:
            found.append(frame.index)
        frame = instance.frames[frame.parent]
    return tuple(reversed(found))
