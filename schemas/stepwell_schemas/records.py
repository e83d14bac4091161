"""Records: everything that can happen to an instance, as frozen values that `decide` takes in.

A record carries its own time (`time_ms`, epoch milliseconds) and every id it needs, so that a history of
records replays to the same bytes. `to_wire`/`from_wire` give the JSON form kept in inboxes and histories.
"""

from dataclasses import fields
from typing import Any, ClassVar

from stepwell_schemas.event import DeviceEvent
from stepwell_schemas.value import value


@value
class InstanceStarted:
    """The instance begins. `seed` is the only randomness it ever gets (32 hex digits, from the shell)."""

    kind: ClassVar[str] = "InstanceStarted"
    time_ms: int
    input: Any
    seed: str
    event: DeviceEvent | None = None
    actor: str | None = None


@value
class EventOffered:
    """A device's event, or with `raised` one sent to this instance alone. `sequence` is its place at the device."""

    kind: ClassVar[str] = "EventOffered"
    time_ms: int
    event: DeviceEvent
    sequence: int | None = None
    raised: bool = False


@value
class ActivityCompleted:
    """A worker's good answer. It counts only when `token` is the attempt's current one."""

    kind: ClassVar[str] = "ActivityCompleted"
    time_ms: int
    attempt: str
    token: str
    output: Any
    started_ms: int
    worker: str = ""
    submitted: bool = False
    """The body has only submitted the work: the task ends when its callback token is answered."""


@value
class ActivityFailed:
    """A worker's bad answer: an error name and a cause. `retryable` False overrides the workflow's retries."""

    kind: ClassVar[str] = "ActivityFailed"
    time_ms: int
    attempt: str
    token: str
    error: str | None
    cause: str | None
    started_ms: int
    retryable: bool = True
    worker: str = ""


@value
class AttemptLost:
    """The lease of a claimed attempt ran out: its worker is dead or cut off."""

    kind: ClassVar[str] = "AttemptLost"
    time_ms: int
    attempt: str
    token: str
    reason: str


@value
class CallbackEnded:
    """Someone completed (`error` None) or failed the callback token of a `callback: true` task."""

    kind: ClassVar[str] = "CallbackEnded"
    time_ms: int
    attempt: str
    token: str
    output: Any = None
    error: str | None = None
    cause: str | None = ""
    actor: str | None = None
    failed: bool = False
    """Failed without an error's name; with a name it has failed anyway."""


@value
class CallbackSignalled:
    """The work behind a callback token goes on: a heartbeat."""

    kind: ClassVar[str] = "CallbackSignalled"
    time_ms: int
    attempt: str
    token: str
    actor: str | None = None


@value
class TimerFired:
    """A timer is due. For heartbeat timers the shell adds when the attempt started and last gave a sign."""

    kind: ClassVar[str] = "TimerFired"
    time_ms: int
    timer: str
    due_ms: int
    started_ms: int | None = None
    heartbeat_ms: int | None = None


@value
class ChildEnded:
    """A child workflow ended. `status` is the child's final status."""

    kind: ClassVar[str] = "ChildEnded"
    time_ms: int
    child: str
    status: str
    output: Any = None
    error: str | None = None
    cause: str = ""


@value
class CancelRequested:
    """An operator (or the parent workflow) ends the instance. `compensate` runs what there is to undo first."""

    kind: ClassVar[str] = "CancelRequested"
    time_ms: int
    reason: str = ""
    actor: str | None = None
    compensate: bool = False


Record = (
    InstanceStarted
    | EventOffered
    | ActivityCompleted
    | ActivityFailed
    | AttemptLost
    | CallbackEnded
    | CallbackSignalled
    | TimerFired
    | ChildEnded
    | CancelRequested
)

_CLASSES: dict[str, type[Any]] = {
    cls.kind: cls
    for cls in (
        InstanceStarted,
        EventOffered,
        ActivityCompleted,
        ActivityFailed,
        AttemptLost,
        CallbackEnded,
        CallbackSignalled,
        TimerFired,
        ChildEnded,
        CancelRequested,
    )
}
_FIELDS: dict[str, tuple[tuple[str, Any], ...]] = {
    kind: tuple((field.name, field.default) for field in fields(cls)) for kind, cls in _CLASSES.items()
}


def to_wire(record: Record) -> dict[str, Any]:
    """A JSON object with `kind` and those of the record's fields that are not at their defaults."""
    wire: dict[str, Any] = {"kind": record.kind}
    for name, usual in _FIELDS[record.kind]:
        value = getattr(record, name)
        if value is not usual:
            wire[name] = value.document() if value.__class__ is DeviceEvent else value
    return wire


def from_wire(wire: dict[str, Any]) -> Record:
    """The record of a JSON object. Raises KeyError or TypeError where it is not one of ours."""
    cls = _CLASSES[wire["kind"]]
    values = {name: value for name, value in wire.items() if name != "kind"}
    event = values.get("event")
    if event is not None:
        values["event"] = DeviceEvent.from_document(event)
    record: Record = cls(**values)
    return record
