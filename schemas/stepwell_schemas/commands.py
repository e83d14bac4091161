"""Commands: what a decision wants done, as data. The engine carries them out after the commit."""

from dataclasses import asdict
from typing import Any, ClassVar

from stepwell_schemas.value import value


@value
class RunActivity:
    """Run one attempt of an activity on a worker.

    `attempt` names the try within the instance ("<frame>/<state>/<visit>/<number>"), `token` is the fencing
    token of this dispatch (safe as an RQ job id), `idempotency_key` stays the same over all tries.
    Times in milliseconds; None is no limit.
    """

    kind: ClassVar[str] = "RunActivity"
    attempt: str
    token: str
    activity: str
    queue: str
    input: Any
    idempotency_key: str
    state: str
    number: int
    timeout_ms: int | None = None
    heartbeat_ms: int | None = None
    priority: int = 0
    callback_token: str | None = None
    integration: str | None = None
    """How the worker unwraps the input and wraps the answer, such as `lambda:invoke`; None: not at all."""


@value
class CancelActivity:
    """The answer of this attempt is no longer wanted; a running body is told at its next sign of life."""

    kind: ClassVar[str] = "CancelActivity"
    attempt: str
    token: str


@value
class SetTimer:
    """Fire `timer` at `due_ms` (epoch). Setting it again moves it."""

    kind: ClassVar[str] = "SetTimer"
    timer: str
    due_ms: int


@value
class ClearTimer:
    """The timer is not wanted any more."""

    kind: ClassVar[str] = "ClearTimer"
    timer: str


@value
class StartChild:
    """Start a child workflow. `definition` is `name`, `name@1` or `name@1.2.0`."""

    kind: ClassVar[str] = "StartChild"
    child: str
    definition: str
    input: Any


@value
class CancelChild:
    """Cancel a child workflow that is still running."""

    kind: ClassVar[str] = "CancelChild"
    child: str
    reason: str
    compensate: bool = False


Command = RunActivity | CancelActivity | SetTimer | ClearTimer | StartChild | CancelChild


def to_wire(command: Command) -> dict[str, Any]:
    """A JSON object with `kind` and the command's fields."""
    return {"kind": command.kind, **asdict(command)}
