"""Kept events in order: made one by one, since who asks mostly wants the first few of thousands."""

from collections.abc import Iterator, Set

from stepwell_engine.kept import in_order
from stepwell_schemas.event import DeviceEvent


class Taken(Set[int]):
    """Nothing was taken; it counts how often that was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __contains__(self, number: object) -> bool:
        self.asked += 1
        return False

    def __iter__(self) -> Iterator[int]:
        return iter(())

    def __len__(self) -> int:
        return 0


def test_who_wants_the_first_event_pays_for_the_first_event() -> None:
    event = DeviceEvent("e", "/s", "T", "d", {}, 1)
    stored = dict.fromkeys(range(10_000), event)
    taken = Taken()
    assert next(iter(in_order(stored, {}, taken, 3))) == (3, event)
    assert taken.asked == 1
