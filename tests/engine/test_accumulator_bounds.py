"""A bounded accumulator: what its record says is what lies in the store, however little of it was read."""

import random
from typing import Any

import orjson
import pytest
from engine_world import World
from stepwell_engine.device import SIZES, Device
from stepwell_engine.device import decode as decode_device
from stepwell_store.protocol import OLDEST

LISTENER = """
id: listener
version: 1.0.0
events: {{Seen: {{}}, Tick: {{}}}}
start: {{on: [Seen], input: {{}}}}
configuration: {{accumulator: {{{limits}, overflow: dropOldest}}}}
startAt: Listen
states:
  Listen: {{type: wait, event: Tick, match: {{taken: true}}, resultPath: null, next: Listen}}
"""


def new_world(limits: str) -> World:
    world = World(partitions=1)
    world.deploy(LISTENER.format(limits=limits))
    world.push("device", "Seen")
    world.run()
    return world


def stored(world: World) -> tuple[Device, list[tuple[int, dict[str, Any], int]]]:
    """The device's record, and its events with their sizes."""
    raw = world.store.device(0, "device")
    assert raw is not None
    events = world.store.device_events(0, "device", 0, 1_000_000)
    return decode_device("device", raw), [(n, orjson.loads(body), len(body)) for n, body in events]


def assert_true_record(world: World) -> Device:
    record, events = stored(world)
    assert [n for n, _, _ in events] == list(range(record.first, record.next))
    assert record.bytes == sum(size for _, _, size in events)
    assert record.oldest_ms == (events[0][1]["received"] if events else None)
    assert record.dropped == record.first - 1
    return record


@pytest.mark.parametrize(
    ("limits", "most"),
    [("maxEvents: 1", 1), ("maxEvents: 5", 5), (f"maxEvents: {SIZES}", SIZES), ("maxEvents: 300", 300)],
)
@pytest.mark.parametrize("seed", [1, 2])
def test_the_newest_stay(limits: str, most: int, seed: int) -> None:
    chance, world, pushed = random.Random(seed), new_world(limits), 1
    engine = world.engine
    for number in range(25):
        for _ in range(count := chance.choice([1, 2, 30, 90])):
            world.push("device", "Tick", {"taken": chance.random() < 0.5})
        pushed += count
        world.advance(1)
        if number % 4 == 3:
            engine.drain()  # its successor remembers nothing
            engine = world.another_engine(f"engine-{number}")
        world.run(engine)
        record = assert_true_record(world)
        assert (record.first, record.next) == (max(1, pushed - most + 1), pushed + 1)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_bytes_are_bounded_too_and_what_is_too_old_goes_first(seed: int) -> None:
    chance, world = random.Random(seed), new_world("maxBytes: 40000")
    for _ in range(25):
        for _ in range(chance.choice([1, 10, 40])):
            padding = "x" * chance.choice([0, 200, 20_000])
            world.push("device", "Tick", {"taken": chance.random() < 0.5, "padding": padding})
        if chance.random() < 0.1:
            world.request(0, op="clear", device="device", upTo=stored(world)[0].next - 3)
        world.advance(chance.choice([1, 1, 5 * 86_400]))
        world.run()
        record, events = stored(world)
        assert record.bytes <= 40_000
        assert record.bytes == sum(size for _, _, size in events)
        assert [n for n, _, _ in events] == list(range(record.first, record.next))
        assert record.oldest_ms == (events[0][1]["received"] if events else None)


def test_a_full_accumulator_is_read_a_little_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    world = new_world("maxEvents: 1000")
    for _ in range(1_000):
        world.push("device", "Tick", {"taken": True})
    world.run()
    world.engine.drain()
    reads: list[int] = []
    read = world.store.device_events

    def counted(*given: Any) -> Any:
        found = read(*given)
        reads.append(len(found))
        return found

    monkeypatch.setattr(world.store, "device_events", counted)
    cold = world.another_engine("cold")
    for _ in range(100):
        world.push("device", "Tick", {"taken": True})
        world.run(cold)
    assert reads == [SIZES]
    monkeypatch.undo()
    assert assert_true_record(world).count == 1_000


def test_a_cold_device_with_a_full_accumulator_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world = new_world("maxEvents: 5")
    for _ in range(10):
        world.push("device", "Tick", {"taken": True})
    world.run()
    world.engine.drain()
    monkeypatch.setattr(world.store, "device_events", None)
    cold = world.another_engine("cold")
    for _ in range(OLDEST - 1):  # to drop one is to know the next
        world.push("device", "Tick", {"taken": True})
        world.run(cold)
    monkeypatch.undo()
    assert assert_true_record(world).next == 1 + 1 + 10 + OLDEST - 1


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"received":1}'])
def test_an_oldest_event_that_is_garbled_harms_no_other_device(body: bytes) -> None:
    world = new_world("maxEvents: 5")
    world.push("other", "Seen")
    for _ in range(10):
        world.push("device", "Tick", {"taken": True})
    world.run()
    world.engine.drain()
    accumulated = world.store._parts[0].accumulated["device"]
    accumulated[0] = (accumulated[0][0], body)
    cold = world.another_engine("cold")
    for name in ("device", "other"):
        world.push(name, "Tick", {"taken": True})
    world.run(cold)
    raw = world.store.device(0, "other")
    assert raw is not None
    assert decode_device("other", raw).count == 2


@pytest.mark.parametrize(("old", "missing"), [(300, 1), (140, 1), (300, 200)])
def test_events_that_somebody_took_out_of_the_store_cost_no_others(old: int, missing: int) -> None:
    world = new_world("maxEvents: 5000")
    for count, days in ((old, 6), (50, 3)):
        for _ in range(count):
            world.push("device", "Tick", {"taken": False})
        world.run()
        world.advance(days * 86_400)
    del world.store._parts[0].accumulated["device"][:missing]
    world.push("device", "Tick", {"taken": False})
    world.run()
    record, events = stored(world)
    assert len(events) == 51
    assert record.first == events[0][0]
