"""What has arrived for a partition and is still to be decided."""

from stepwell_schemas.cloudevents import EventRejected
from stepwell_schemas.event import DeviceEvent
from stepwell_store.batches import Entry
from stepwell_store.protocol import Alarm, Claim, DueAttempt


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


class Work:
    """What has arrived for a partition since its last commit. Written out, since every round of the loop makes some."""

    __slots__ = ("attempts", "claims", "door", "inbox", "inbox_until_ms", "timers", "timers_until_ms")

    def __init__(self, inbox_until_ms: int = 0) -> None:
        self.door: list[Arrival] = []
        self.inbox: list[Entry] = []
        self.timers: list[Alarm] = []
        self.claims: dict[tuple[str, str], Claim] = {}
        self.attempts: list[DueAttempt] = []
        self.timers_until_ms = 0
        """Up to when timers may fire: they do not overtake what has come before they were due."""
        self.inbox_until_ms = inbox_until_ms
        """Up to when everything in the inbox has been read."""

    def __bool__(self) -> bool:
        return bool(self.door or self.inbox or self.timers or self.attempts)

    @property
    def size(self) -> int:
        """How many records it is."""
        return len(self.door) + len(self.inbox) + len(self.timers) + len(self.attempts)
