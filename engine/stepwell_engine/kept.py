"""Events of devices that no wait has taken, for those devices that were asked for: remembered from batch to batch.

A device that sends much and is listened to little would else have all of them read and parsed again for every event.
What a batch changes is laid over them and becomes part of them when the batch is remembered.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Set
from itertools import chain

from stepwell_schemas.event import DeviceEvent

KEPT_BYTES = 4 * 1_048_576
"""Stored size of what is remembered for a partition; in memory it takes about four times as much."""

Events = dict[int, DeviceEvent]
"""By their sequence at the device, oldest first."""


class KeptEvents:
    """What is in the store and decided, by device; the least recently used device goes first."""

    def __init__(self) -> None:
        self._devices: OrderedDict[str, tuple[Events, int]] = OrderedDict()
        self._bytes = 0

    def __contains__(self, device: str) -> bool:
        return device in self._devices

    def find(self, device: str) -> Events | None:
        """The kept events of a device; None where they are to be loaded. Not to be changed."""
        found = self._devices.get(device)
        if found is None:
            return None
        self._devices.move_to_end(device)
        return found[0]

    def put(self, device: str, events: Events, size: int) -> None:
        """Remember what was loaded, where it is not too much."""
        self.forget(device)
        if size <= KEPT_BYTES:
            self._devices[device] = events, size
            self._bytes += size

    def change(
        self, device: str, offered: Mapping[int, DeviceEvent], size: int, taken: Set[int], first: int
    ) -> None:
        """What a batch has done to a device's kept events; `size` bytes were added."""
        found = self._devices.get(device)
        if found is None:
            return
        events = dict(in_order(found[0], offered, taken, first))
        self.forget(device)
        # What is gone is not subtracted: a device that grows past the limit is loaded anew and counted rightly.
        self.put(device, events, found[1] + size)

    def forget(self, device: str) -> None:
        """Load them when they are asked for again."""
        found = self._devices.pop(device, None)
        if found is not None:
            self._bytes -= found[1]

    def shrink(self) -> None:
        """Back to the limit."""
        while self._bytes > KEPT_BYTES:
            self.forget(next(iter(self._devices)))


def in_order(
    stored: Events, offered: Mapping[int, DeviceEvent], taken: Set[int], first: int
) -> Iterator[tuple[int, DeviceEvent]]:
    """All of both from `first` on that were not taken, oldest first. Made one by one, as they are asked for."""
    both = chain(stored.items(), offered.items())
    if stored and offered and next(iter(offered)) < next(reversed(stored)):  # one that was given back
        both = chain(sorted((stored | dict(offered)).items(), key=lambda pair: pair[0]))
    for n, event in both:
        if n >= first and n not in taken:
            yield n, event
