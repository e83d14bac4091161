"""The built-in `device.*` on the memory store."""

from typing import Any

import orjson
import pytest
from activity_world import new_token, offer, reported, runtime_of
from stepwell_activities.builtin import device
from stepwell_activities.job import perform
from stepwell_engine.device import Device, encode
from stepwell_schemas.event import DeviceEvent
from stepwell_store.batches import START, Commit
from stepwell_store.memory_store import MemoryStore
from stepwell_store.partition import partition_of

LAMP = partition_of("lamp", 4)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore("test", 4)


def gather(store: MemoryStore, sequences: list[int | None], **record: Any) -> None:
    """Put events into the accumulator, as a commit of the engine does."""
    owner = store.acquire(LAMP, "test", 60_000)
    assert owner is not None
    events = [
        (
            place,
            orjson.dumps(
                {**DeviceEvent(f"e{place}", "s", "Seen", "lamp", place, 1).document(), "sequence": n}
            ),
        )
        for place, n in enumerate(sequences, 1)
    ]
    known = {
        "device": "lamp",
        "next": len(events) + 1,
        "first": 1,
        "bytes": 10,
        "dropped": 2,
        "rejected": 1,
        "firstMs": 1_000,
        "lastMs": 2_000,
        **record,
    }
    change = Commit(LAMP, owner.epoch, owner.revision, new_token(), 1, START, START)
    change.devices["lamp"] = orjson.dumps(known)
    change.accumulated["lamp"] = events
    assert store.commit([change])[0].status == "committed"


def write(store: MemoryStore, id: str, record: bytes) -> None:
    """Commit a device's record."""
    owner = store.acquire(LAMP, "test", 60_000)
    assert owner is not None
    change = Commit(LAMP, owner.epoch, owner.revision, new_token(), 1, START, START, devices={id: record})
    assert store.commit([change])[0].status == "committed"


def call(store: MemoryStore, activity: str, input: Any = None, **changes: Any) -> dict[str, Any]:
    runtime = runtime_of(store, device.events, device.clear, device.state)
    [token] = offer(store, activity, input or {}, partition=LAMP, **{"device": "lamp", **changes})
    perform(runtime, LAMP, token)
    runtime.close()
    record: dict[str, Any] = reported(store, LAMP)[-1]["record"]
    output: dict[str, Any] = record.get("output", record)
    return output


def test_events_are_in_the_devices_order_where_all_carry_a_sequence(store: MemoryStore) -> None:
    gather(store, [3, 1, 2])
    found = call(store, "device.events")
    assert [event["id"] for event in found["events"]] == ["e2", "e3", "e1"]
    assert (found["count"], found["upTo"], found["dropped"], found["more"]) == (3, 3, 2, False)


def test_events_are_in_order_of_arrival_where_one_carries_none(store: MemoryStore) -> None:
    gather(store, [3, None, 2])
    assert [event["id"] for event in call(store, "device.events")["events"]] == ["e1", "e2", "e3"]


def test_only_events_after_a_place_and_up_to_a_limit(store: MemoryStore) -> None:
    gather(store, [None] * 5)
    found = call(store, "device.events", {"since": 1, "limit": 2})
    assert [event["n"] for event in found["events"]] == [2, 3]
    assert (found["upTo"], found["more"]) == (3, True)
    assert call(store, "device.events", {"since": 5})["events"] == []


def test_more_events_than_one_page_are_all_there(store: MemoryStore) -> None:
    gather(store, [None] * (device.PAGE * 2 + 1))
    assert call(store, "device.events")["count"] == device.PAGE * 2 + 1
    assert call(store, "device.events", {"limit": device.PAGE + 1})["count"] == device.PAGE + 1


def test_another_device_may_be_named_and_may_be_unknown(store: MemoryStore) -> None:
    gather(store, [1])
    assert call(store, "device.events", {"device": "lamp"}, device="other")["count"] == 1
    assert call(store, "device.events", device="other")["count"] == 0
    assert call(store, "device.state", device="other")["known"] is False


def test_an_instance_without_a_device_must_name_one(store: MemoryStore) -> None:
    failed = call(store, "device.events", device=None)
    assert (failed["error"], failed["retryable"]) == ("NoDevice", False)


def test_clearing_is_a_record_in_the_devices_inbox_before_the_result(store: MemoryStore) -> None:
    assert call(store, "device.clear", {"upTo": 3}) == {"device": "lamp", "upTo": 3}
    assert reported(store, LAMP)[0] == {"op": "clear", "device": "lamp", "upTo": 3}
    assert reported(store, LAMP)[1]["op"] == "deliver"


def test_clearing_without_a_place_is_refused(store: MemoryStore) -> None:
    assert call(store, "device.clear")["error"] == "InvalidInput"


def test_the_state_has_the_figures(store: MemoryStore) -> None:
    gather(store, [None] * 3)
    assert call(store, "device.state") == {
        "device": "lamp",
        "known": True,
        "count": 3,
        "bytes": 10,
        "first": "1970-01-01T00:00:01.000Z",
        "last": "1970-01-01T00:00:02.000Z",
        "upTo": 3,
        "dropped": 2,
        "rejected": 1,
    }


def test_the_state_is_read_of_a_record_as_the_engine_writes_it(store: MemoryStore) -> None:
    """It leaves out what has its usual value."""
    record = Device("lamp")
    record.append(70, 1_000)
    record.last_ms = 1_000
    write(store, "lamp", encode(record))
    assert call(store, "device.state") == {
        "device": "lamp",
        "known": True,
        "count": 1,
        "bytes": 70,
        "first": "1970-01-01T00:00:01.000Z",
        "last": "1970-01-01T00:00:01.000Z",
        "upTo": 1,
        "dropped": 0,
        "rejected": 0,
    }
