"""A device's record: its accumulator's figures, the instances it runs, the events still to be had.

The record is a value: `copy` before changing, so that a turn which fails leaves no trace. What hangs below it is shared
by the copies, and is replaced where it changes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson
from stepwell_schemas.json_writer import json_bytes
from stepwell_store.batches import AHEAD

Sizes = tuple[int, int, int]
"""Sequence, bytes and received_ms of an accumulated event."""

SIZES_BYTES = 40
"""What it costs to know them, beside values that count by their stored size: a quarter of what they take in memory."""

NO_NAMES: dict[str, str] = {}
NO_COUNTS: dict[str, int] = {}
NO_SIZES: list[Sizes] = []
"""What most devices have none of; never changed, since many share it."""


@dataclass(slots=True, init=False)
class Device:
    """One device. `kept` counts the unconsumed events by type. Written out, since every event makes one."""

    id: str
    next: int = 1
    first: int = 1
    bytes: int = 0
    dropped: int = 0
    rejected: int = 0
    oldest_ms: int | None = None
    first_ms: int | None = None
    last_ms: int | None = None
    last_sequence: int | None = None
    running: dict[str, str] = field(default_factory=dict)
    """instance -> definition; a child workflow's definition is marked by a leading "^"."""
    ended: dict[str, str] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)
    oldest: list[Sizes] = field(default_factory=list)
    """Of the oldest accumulated events, without a gap; known only where they may soon be dropped."""
    may_drop: bool = False
    """Whether the next events may well drop older ones; told by those before, and not stored."""

    def __init__(
        self,
        id: str,
        next: int = 1,
        first: int = 1,
        bytes: int = 0,
        dropped: int = 0,
        rejected: int = 0,
        oldest_ms: int | None = None,
        first_ms: int | None = None,
        last_ms: int | None = None,
        last_sequence: int | None = None,
        running: dict[str, str] | None = None,
        ended: dict[str, str] | None = None,
        kept: dict[str, int] | None = None,
        oldest: list[Sizes] | None = None,
        may_drop: bool = False,
    ) -> None:
        self.id = id
        self.next = next
        self.first = first
        self.bytes = bytes
        self.dropped = dropped
        self.rejected = rejected
        self.oldest_ms = oldest_ms
        self.first_ms = first_ms
        self.last_ms = last_ms
        self.last_sequence = last_sequence
        self.running = NO_NAMES if running is None else running
        self.ended = NO_NAMES if ended is None else ended
        self.kept = NO_COUNTS if kept is None else kept
        self.oldest = NO_SIZES if oldest is None else oldest
        self.may_drop = may_drop

    @property
    def count(self) -> int:
        """Events in the accumulator."""
        return self.next - self.first

    def copy(self) -> "Device":
        """A copy that may be changed, by its methods alone."""
        return Device(
            self.id, self.next, self.first, self.bytes, self.dropped, self.rejected, self.oldest_ms, self.first_ms,
            self.last_ms, self.last_sequence, self.running, self.ended, self.kept, self.oldest, self.may_drop,
        )  # fmt: skip

    def append(self, size: int, received_ms: int) -> int:
        """Count one more accumulated event; its sequence."""
        sequence = self.next
        self.next += 1
        self.bytes += size
        if self.first_ms is None:
            self.first_ms = received_ms
        if self.oldest_ms is None:
            self.oldest_ms = received_ms
        if self.is_dropping and len(self.oldest) < AHEAD and self.known_to == sequence - 1:
            self.oldest = [*self.oldest, (sequence, size, received_ms)]
        return sequence

    @property
    def known_to(self) -> int:
        """The last sequence of those in `oldest`, or the one before the first event."""
        return self.oldest[-1][0] if self.oldest else self.first - 1

    @property
    def is_dropping(self) -> bool:
        """Whether it has dropped events, or is about to."""
        return self.dropped > 0 or self.may_drop

    def lacks(self, events: int) -> bool:
        """Whether more of the oldest should be known before so many events come."""
        return self.is_dropping and len(self.oldest) <= events and self.known_to < self.next - 1

    def learn(self, found: Iterable[Sizes]) -> None:
        """Know these too, as far as they follow on those that are known."""
        for sizes in found:
            if sizes[0] == self.known_to + 1:
                self.oldest = [*self.oldest, sizes]

    def drop_before(self, first: int) -> int:
        """Forget events below `first`; how many there were. All of those, and the next, are in `oldest`."""
        count = 0
        while count < len(self.oldest) and self.oldest[count][0] < first:
            self.bytes -= self.oldest[count][1]
            count += 1
        self.oldest = self.oldest[count:]
        self.first = min(max(self.first, first), self.next)
        self.oldest_ms = self.oldest[0][2] if self.oldest else None
        return count

    def keep(self, event_type: str) -> None:
        """One more event of this type stays for a later wait."""
        self.kept = {**self.kept, event_type: self.kept.get(event_type, 0) + 1}

    def take(self, event_type: str) -> None:
        """One kept event of this type is gone."""
        left = self.kept.get(event_type, 0) - 1
        self.kept = {
            name: left if name == event_type else count
            for name, count in self.kept.items()
            if name != event_type or left > 0
        }

    def begins(self, instance: str, definition: str) -> None:
        """One more instance runs; `definition` as in `running`."""
        self.running = {**self.running, instance: definition}

    def ends(self, instance: str, definition: str | None) -> None:
        """An instance has ended: of this definition, where it was not started by a parent."""
        self.running = {id: name for id, name in self.running.items() if id != instance}
        if definition is not None:
            self.ended = {**self.ended, definition: instance}

    def runs(self, definition: str) -> str | None:
        """The running instance of a definition that was not started by a parent."""
        for instance, running in self.running.items():
            if running == definition:
                return instance
        return None


def encode(device: Device) -> bytes:
    """The stored form; what has its usual value is left out."""
    wire: dict[str, Any] = {
        "next": device.next,
        "bytes": device.bytes,
        "firstMs": device.first_ms,
    }
    if device.last_ms != device.first_ms:
        wire["lastMs"] = device.last_ms
    if device.first != 1:
        wire["first"] = device.first
    if device.oldest_ms != device.first_ms:
        wire["oldestMs"] = device.oldest_ms
    if device.running:
        wire["running"] = device.running
    if device.ended:
        wire["ended"] = device.ended
    if device.kept:
        wire["kept"] = device.kept
    if device.dropped or device.rejected:
        wire["dropped"], wire["rejected"] = device.dropped, device.rejected
    if device.last_sequence is not None:
        wire["lastSequence"] = device.last_sequence
    return json_bytes(wire)


def decode(id: str, raw: bytes) -> Device:
    """The device of a stored record. Raises ValueError, KeyError or TypeError for anything else."""
    wire = orjson.loads(raw)
    first_ms = wire["firstMs"]
    running, ended, kept = (
        wire.get("running", NO_NAMES),
        wire.get("ended", NO_NAMES),
        wire.get("kept", NO_COUNTS),
    )
    if not (isinstance(running, dict) and isinstance(ended, dict) and isinstance(kept, dict)):
        raise TypeError("running, ended and kept are not all objects")
    device = Device(
        id,
        wire["next"],
        wire.get("first", 1),
        wire["bytes"],
        wire.get("dropped", 0),
        wire.get("rejected", 0),
        wire.get("oldestMs", first_ms),
        first_ms,
        wire.get("lastMs", first_ms),
        wire.get("lastSequence"),
        running,
        ended,
        kept,
    )
    if not (
        isinstance(device.next, int)
        and isinstance(device.first, int)
        and isinstance(device.bytes, int)
        and isinstance(device.dropped, int)
        and isinstance(device.rejected, int)
    ):
        raise TypeError("a figure is not a whole number")
    return device
