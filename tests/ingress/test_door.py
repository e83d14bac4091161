"""The door: every accepted form of a body, every refusal with its place, and the limits of what may wait."""

import itertools
from collections.abc import Sequence

import orjson
import pytest
from api_world import cloud_event
from stepwell_ingress.door import MAX_EVENTS, CheckedEvent, Door, read_binary_event, read_events
from stepwell_ingress.errors import DoorBusy, EventsRefused, UnreadableBody
from stepwell_store.errors import StoreFull
from stepwell_store.memory_store import MemoryStore

ONE, TWO = cloud_event("1"), cloud_event("2")


def ids(checked: list[CheckedEvent]) -> list[str]:
    return [one.event.id for one in checked]


@pytest.mark.parametrize("media", ["application/json", "application/cloudevents+json", "", None])
def test_one_event_is_taken_as_it_came(media: str | None) -> None:
    body = orjson.dumps(ONE)
    (checked,) = read_events(body, media, 5)
    assert checked.raw == body
    assert checked.event.received_ms == 5


@pytest.mark.parametrize(
    "media", ["application/json; charset=utf-8", "application/cloudevents-batch+json", None]
)
def test_an_array_is_taken_in_its_order(media: str | None) -> None:
    assert ids(read_events(orjson.dumps([ONE, TWO]), media, 0)) == ["1", "2"]


@pytest.mark.parametrize("media", ["application/x-ndjson", "application/jsonl", None])
def test_lines_are_taken_in_their_order_and_empty_ones_passed_over(media: str | None) -> None:
    body = orjson.dumps(ONE) + b"\r\n\n" + orjson.dumps(TWO) + b"\n"
    assert ids(read_events(body, media, 0)) == ["1", "2"]


def test_an_event_spread_over_lines_is_one_event() -> None:
    assert ids(read_events(orjson.dumps(ONE, option=orjson.OPT_INDENT_2), None, 0)) == ["1"]


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (b"", None),
        (b"  \n ", "application/x-ndjson"),
        (b"[]", None),
        (b"[1", None),
        (b"{}", "application/cloudevents-batch+json"),
        (b"<event/>", "application/xml"),
        (b"id=1", "application/x-www-form-urlencoded"),
        (b"{}", "application/json; charset=utf-16"),
        (b"[" * 2_000 + b"]" * 2_000, None),
    ],
)
def test_a_body_that_holds_no_events_is_unreadable(body: bytes, media: str | None) -> None:
    with pytest.raises(UnreadableBody):
        read_events(body, media, 0)


def test_more_events_than_a_request_may_carry_are_refused() -> None:
    with pytest.raises(UnreadableBody, match=f"at most {MAX_EVENTS}"):
        read_events(b"[" + b",".join([b"0"] * (MAX_EVENTS + 1)) + b"]", None, 0)


def test_every_wrong_event_is_named_with_its_place() -> None:
    body = orjson.dumps([ONE, cloud_event("2", type=None), 7, cloud_event("4", subject=None)])
    with pytest.raises(EventsRefused) as raised:
        read_events(body, None, 0)
    found = [(problem.index, problem.pointer, problem.reason) for problem in raised.value.problems]
    assert found == [
        (1, "/type", "missingAttribute"),
        (2, "", "notJson"),
        (3, "/subject", "missingAttribute"),
    ]
    assert (raised.value.refused, raised.value.total) == (3, 4)


def test_a_thousand_wrong_events_are_counted_but_not_all_told() -> None:
    with pytest.raises(EventsRefused) as raised:
        read_events(orjson.dumps([{}] * 1_000), None, 0)
    assert len(raised.value.problems) == 100
    assert raised.value.refused == 1_000


def test_binary_mode_reads_attributes_from_headers_and_data_from_the_body() -> None:
    headers = {f"ce-{name}": str(value) for name, value in ONE.items()} | {"content-type": "application/json"}
    (checked,) = read_binary_event(b'{"a": 1}', headers | {"ce-subject": "sensor%207"}, 0)
    assert (checked.event.device, checked.event.data) == ("sensor 7", {"a": 1})


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"{", {"content-type": "application/json"}),
        (b"1", {"ce-data": "2"}),
        (b"\xff", {"content-type": "text/plain"}),
    ],
)
def test_binary_mode_refuses_a_body_that_is_not_its_media_type(body: bytes, headers: dict[str, str]) -> None:
    with pytest.raises(UnreadableBody):
        read_binary_event(body, {"ce-specversion": "1.0", **headers}, 0)


class CountingStore(MemoryStore):
    """Counts how often the door's length is asked for."""

    def __init__(self) -> None:
        super().__init__("test", 2)
        self.looks = 0

    def door_length(self) -> int:
        self.looks += 1
        return super().door_length()


class FullStore(MemoryStore):
    """Has no memory left."""

    def append_events(self, events: Sequence[bytes], replay: bool = False) -> list[str]:
        raise StoreFull("out of memory")


def test_a_full_door_refuses_and_takes_nothing() -> None:
    store = MemoryStore("test", 2)
    door = Door(store, limit=2)
    door.append([b"a", b"b"])
    with pytest.raises(DoorBusy) as raised:
        door.append([b"c"])
    assert raised.value.retry_after_seconds >= 1
    assert store.door_length() == 2


class FillingStore(MemoryStore):
    """Has a limit of memory."""

    used = 0.5

    def memory_used(self) -> float:
        return self.used


def test_a_store_that_is_nearly_full_gets_no_events_until_it_has_room() -> None:
    store = FillingStore("test", 2)
    door = Door(store, limit=10, monotonic_seconds=lambda: 0.0)
    store.used = 0.95
    with pytest.raises(DoorBusy, match=r"nearly out of memory \(95% is taken\)"):
        door.append([b"a"])
    assert store.door_length() == 0
    store.used = 0.8
    door.append([b"a"])
    assert store.door_length() == 1


def test_a_door_that_was_emptied_takes_events_again() -> None:
    store, clock = MemoryStore("test", 2), itertools.count()
    door = Door(store, limit=1, monotonic_seconds=lambda: float(next(clock)))
    (position,) = door.append([b"a"])
    store.trim_door(f"{int(position.partition('-')[0]) + 1}-0")
    assert door.append([b"b"])


def test_the_length_is_not_asked_for_with_every_append() -> None:
    store = CountingStore()
    door = Door(store, limit=100, monotonic_seconds=lambda: 1.0)
    for _ in range(50):
        door.append([b"a"])
    assert store.looks == 1


def test_a_store_without_memory_tells_senders_to_wait() -> None:
    with pytest.raises(DoorBusy, match="out of memory"):
        Door(FullStore("test", 2), limit=10).append([b"a"])
