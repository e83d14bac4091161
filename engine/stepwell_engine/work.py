"""What has arrived for a partition and is still to be decided."""

from dataclasses import dataclass, field

from stepwell_schemas.cloudevents import EventRejected
from stepwell_schemas.event import DeviceEvent
from stepwell_store.protocol import Alarm, Claim, DueAttempt, Entry


class Arrival:
    """A door entry, already parsed: an event, or why it is none. Written out, since every event makes one."""

    __slots__ = ("event", "id", "key", "raw", "rejected", "replay")

    def __init__(
        self,
        id: str,
        event: DeviceEvent | None,
        rejected: EventRejected | None,
        raw: bytes,
        key: bytes = b"",
        replay: bool = False,
    ) -> None:
        self.id = id
        self.event = event
        self.rejected = rejected
        self.raw = raw
        self.key = key
        self.replay = replay


@dataclass(slots=True)
class Work:
    """What has arrived for a partition since its last commit."""

    door: list[Arrival] = field(default_factory=list)
    inbox: list[Entry] = field(default_factory=list)
    timers: list[Alarm] = field(default_factory=list)
    claims: dict[tuple[str, str], Claim] = field(default_factory=dict)
    attempts: list[DueAttempt] = field(default_factory=list)
    timers_until_ms: int = 0
    """Up to when timers may fire: they do not overtake what has come before they were due."""
    inbox_until_ms: int = 0
    """Up to when everything in the inbox has been read."""

    def __bool__(self) -> bool:
        return bool(self.door or self.inbox or self.timers or self.attempts)

    @property
    def size(self) -> int:
        """How many records it is."""
        return len(self.door) + len(self.inbox) + len(self.timers) + len(self.attempts)
