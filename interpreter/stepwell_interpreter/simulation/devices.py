"""The devices of a simulated world: their accumulators with limits, and the built-in activities that read them.

It follows the engine's routing: what is over the limits is refused or pushes the oldest out, what nobody took is
kept for later waits, and clearing takes both away.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from stepwell_schemas.durations import format_ms
from stepwell_schemas.event import DeviceEvent
from stepwell_schemas.workflow import Accumulator

from stepwell_interpreter.simulation.outcomes import Outcome

BUILT_IN: Final = ("device.events", "device.clear", "device.state")


@dataclass(slots=True)
class Device:
    """One device. `events` are the accumulated ones by their place; `kept` the places nobody has taken."""

    id: str
    next: int = 1
    bytes: int = 0
    dropped: int = 0
    rejected: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    events: dict[int, tuple[DeviceEvent, int]] = field(default_factory=dict)
    kept: set[int] = field(default_factory=set)
    running: list[str] = field(default_factory=list)
    ended: set[str] = field(default_factory=set)

    def copy(self) -> "Device":
        """A copy that may be changed."""
        return Device(
            self.id, self.next, self.bytes, self.dropped, self.rejected, self.first_ms, self.last_ms,
            dict(self.events), set(self.kept), list(self.running), set(self.ended),
        )  # fmt: skip

    def make_room(self, size: int, limits: Accumulator) -> str | None:
        """None where an event of this size fits (older ones may have gone), else the policy that refuses it."""
        if len(self.events) < limits.max_events and self.bytes + size <= limits.max_bytes:
            return None
        if limits.overflow != "dropOldest" or size > limits.max_bytes:
            return "reject" if limits.overflow == "dropOldest" else limits.overflow
        while self.events and (len(self.events) >= limits.max_events or self.bytes + size > limits.max_bytes):
            self.dropped += 1
            self._forget(next(iter(self.events)))
        return None

    def append(self, event: DeviceEvent, size: int) -> int:
        """Accumulate an event; its place."""
        place = self.next
        self.next += 1
        self.bytes += size
        self.events[place] = (event, size)
        self.first_ms = event.received_ms if self.first_ms is None else self.first_ms
        return place

    def clear(self, up_to: int) -> None:
        """Forget everything up to a place."""
        for place in [place for place in self.events if place <= up_to]:
            self.dropped += 1
            self._forget(place)

    def available(self) -> list[tuple[int, DeviceEvent]]:
        """The events nobody has taken, oldest first; by `sequence` where they carry one."""
        left = [(place, self.events[place][0]) for place in self.kept]
        return sorted(left, key=lambda pair: (pair[1].sequence is None, pair[1].sequence or 0, pair[0]))

    def _forget(self, place: int) -> None:
        self.bytes -= self.events.pop(place)[1]
        self.kept.discard(place)


def event_size(event: DeviceEvent, place: int) -> int:
    """What an event counts in the accumulator, in bytes."""
    return len(orjson.dumps(event.document() | {"n": place}))


def built_in(devices: Mapping[str, Device], activity: str, given: Any, own: str | None) -> Outcome:
    """What a built-in activity answers in a world with these devices. `device.clear` changes its device."""
    if not isinstance(given, Mapping):
        return _invalid(f"{activity} takes an object, not {type(given).__name__}")
    name = given.get("device") if given.get("device") is not None else own
    if not name:
        cause = "this instance belongs to no device; name one with `device` in the input"
        return Outcome(error="NoDevice", cause=cause, retryable=False)
    device = devices.get(name) or Device(name)
    allowed, answer = _ACTIVITIES[activity]
    unknown = [key for key in given if key not in ("device", *allowed)]
    if unknown:
        return _invalid(f"{activity} does not take {unknown[0]!r}; it takes device, {', '.join(allowed)}")
    for key in allowed:
        value = given.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            return _invalid(f"{activity}: {key} must be a whole number from 0")
    return answer(device, given)


def _gathered(device: Device, given: Mapping[str, Any]) -> Outcome:
    since, limit = given.get("since") or 0, given.get("limit")
    found = [(place, event) for place, (event, _) in device.events.items() if place > since]
    more = limit is not None and len(found) > limit
    found = found[:limit]
    documents = [{**event.document(), "n": place} for place, event in found]
    if all(document.get("sequence") is not None for document in documents):
        documents.sort(key=lambda document: (document["sequence"], document["n"]))
    return Outcome(
        output={
            "device": device.id,
            "count": len(documents),
            "events": documents,
            "upTo": found[-1][0] if found else since,
            "more": more,
            "dropped": device.dropped,
        }
    )


def _cleared(device: Device, given: Mapping[str, Any]) -> Outcome:
    up_to = given.get("upTo")
    if up_to is None:
        return _invalid("device.clear needs upTo")
    device.clear(up_to)
    return Outcome(output={"device": device.id, "upTo": up_to})


def _figures(device: Device, given: Mapping[str, Any]) -> Outcome:
    return Outcome(
        output={
            "device": device.id,
            "known": device.next > 1 or device.rejected > 0,
            "count": len(device.events),
            "bytes": device.bytes,
            "first": None if device.first_ms is None else format_ms(device.first_ms),
            "last": None if device.last_ms is None else format_ms(device.last_ms),
            "upTo": device.next - 1,
            "dropped": device.dropped,
            "rejected": device.rejected,
        }
    )


def _invalid(cause: str) -> Outcome:
    return Outcome(error="InvalidInput", cause=cause, retryable=False)


_ACTIVITIES: Final = {
    "device.events": (("since", "limit"), _gathered),
    "device.clear": (("upTo",), _cleared),
    "device.state": ((), _figures),
}
