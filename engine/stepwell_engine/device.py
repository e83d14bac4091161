"""A device's record: its accumulator's figures, the instances it runs, the events still to be had.

The record is a value: `copy` before changing, so that a turn which fails leaves no trace.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import orjson
from stepwell_schemas import device_record

SIZES = 128
"""Accumulated events whose sizes are read at once, or kept at hand."""


@dataclass(slots=True)
class Device:
    """One device. `kept` counts the unconsumed events by type."""

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
    oldest: deque[tuple[int, int, int]] | None = None
    """(sequence, bytes, received_ms) of the oldest accumulated events, known only where it was needed."""

    @property
    def count(self) -> int:
        """Events in the accumulator."""
        return self.next - self.first

    def copy(self) -> "Device":
        """A copy that may be changed."""
        return Device(
            self.id, self.next, self.first, self.bytes, self.dropped, self.rejected, self.oldest_ms, self.first_ms,
            self.last_ms, self.last_sequence, dict(self.running), dict(self.ended), dict(self.kept),
            None if self.oldest is None else self.oldest.copy(),
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
        if self.oldest is not None and len(self.oldest) < SIZES:
            before = self.oldest[-1][0] if self.oldest else self.first - 1
            if before == sequence - 1:  # nothing between them is unknown
                self.oldest.append((sequence, size, received_ms))
        return sequence

    def drop_before(self, first: int) -> int:
        """Forget events below `first`; how many there were. All of those, and the next, are in `oldest`."""
        assert self.oldest is not None
        count = 0
        while self.oldest and self.oldest[0][0] < first:
            self.bytes -= self.oldest.popleft()[1]
            count += 1
        self.first = min(max(self.first, first), self.next)
        self.oldest_ms = self.oldest[0][2] if self.oldest else None
        return count

    def keep(self, event_type: str) -> None:
        """One more event of this type stays for a later wait."""
        self.kept[event_type] = self.kept.get(event_type, 0) + 1

    def take(self, event_type: str) -> None:
        """One kept event of this type is gone."""
        left = self.kept.get(event_type, 0) - 1
        if left > 0:
            self.kept[event_type] = left
        else:
            self.kept.pop(event_type, None)

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
    return orjson.dumps(wire)


def decode(id: str, raw: bytes) -> Device:
    """The device of a stored record. Raises ValueError, KeyError or TypeError for anything else."""
    wire = device_record.shown(orjson.loads(raw))
    device = Device(
        id=id,
        next=wire["next"],
        first=wire["first"],
        bytes=wire["bytes"],
        dropped=wire["dropped"],
        rejected=wire["rejected"],
        oldest_ms=wire["oldestMs"],
        first_ms=wire["firstMs"],
        last_ms=wire["lastMs"],
        last_sequence=wire["lastSequence"],
        running=wire["running"],
        ended=wire["ended"],
        kept=wire["kept"],
    )
    figures = (device.next, device.first, device.bytes, device.dropped, device.rejected)
    if not all(isinstance(figure, int) for figure in figures):
        raise TypeError("a figure is not a whole number")
    if not all(isinstance(names, dict) for names in (device.running, device.ended, device.kept)):
        raise TypeError("running, ended and kept are not all objects")
    return device
