"""A bounded accumulator: what its record says is what lies in the store, however little of it was read."""

import random
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from engine_world import World
from stepwell_engine.device import SIZES_BYTES, Device
from stepwell_engine.device import decode as decode_device
from stepwell_engine.loop import Engine
from stepwell_engine.turn import MORE
from stepwell_store.batches import AHEAD, OLDEST, Loaded, Wanted
from stepwell_store.memory_store import MemoryStore

LISTENER = """
id: listener
version: 1.0.0
events: {{Seen: {{}}, Tick: {{}}}}
start: {{on: [Seen], input: {{}}}}
configuration: {{accumulator: {{{limits}, overflow: {overflow}}}}}
startAt: Listen
states:
  Listen: {{type: wait, event: Tick, match: {{taken: true}}, resultPath: null, next: Listen}}
"""


def new_world(limits: str, overflow: str = "dropOldest") -> World:
    world = World(partitions=1)
    world.deploy(LISTENER.format(limits=limits, overflow=overflow))
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
    [
        ("maxEvents: 1", 1),
        ("maxEvents: 5", 5),
        (f"maxEvents: {AHEAD}", AHEAD),
        (f"maxEvents: {AHEAD + 1}", AHEAD + 1),
        ("maxEvents: 300", 300),
    ],
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


def tick(world: World, engine: Engine, batches: int, events: int = 1) -> None:
    """So many batches of so many events of the device."""
    for _ in range(batches):
        for _ in range(events):
            world.push("device", "Tick", {"taken": True})
        world.run(engine)


def full_and_cold(limits: str, events: int) -> tuple[World, Engine]:
    """A world whose device has sent so many, more than are kept, and an engine that remembers nothing of it."""
    world = new_world(limits)
    tick(world, world.engine, 1, events)
    world.engine.drain()
    return world, world.another_engine("cold")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many events each question for a device's accumulated events was answered with, in all worlds."""
    found: list[int] = []
    read = MemoryStore.device_events

    def counted(*given: Any) -> Any:
        events = read(*given)
        found.append(len(events))
        return events

    monkeypatch.setattr(MemoryStore, "device_events", counted)
    return found


def test_a_burst_into_a_full_accumulator_is_read_a_little_at_a_time(reads: list[int]) -> None:
    world, cold = full_and_cold("maxEvents: 1000", 1_000)
    reads.clear()
    tick(world, cold, 1, events=300)
    assert reads == [MORE] * 3
    assert assert_true_record(world).count == 1_000


@pytest.mark.parametrize("events", [1, OLDEST - 1, AHEAD - 1])
def test_what_a_device_drops_is_known_before(events: int, reads: list[int]) -> None:
    world = new_world("maxEvents: 100")
    tick(world, world.engine, 300 // events, events)
    assert reads == []
    record = assert_true_record(world)
    assert (record.count, record.next) == (100, 302)


@pytest.mark.parametrize("limits", ["maxEvents: 5", "maxEvents: 1000", "maxBytes: 40000"])
def test_a_cold_device_with_a_full_accumulator_is_asked_for_once(limits: str, reads: list[int]) -> None:
    world, cold = full_and_cold(limits, 1_000)
    reads.clear()
    tick(world, cold, 1, OLDEST - 1)  # to drop one is to know the next
    tick(world, cold, 50)
    assert reads == []
    assert assert_true_record(world).next == 1 + 1 + 1_000 + OLDEST - 1 + 50


@pytest.mark.parametrize(("most", "overflow"), [(1_000, "dropOldest"), (100, "reject"), (100, "deadLetter")])
def test_what_will_not_be_dropped_is_not_read(
    monkeypatch: pytest.MonkeyPatch, most: int, overflow: str
) -> None:
    world = new_world(f"maxEvents: {most}", overflow)
    asked = reads_ahead(monkeypatch, world)
    tick(world, world.engine, 120)
    assert asked == []


def test_what_is_known_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    world = new_world("maxEvents: 100")
    tick(world, world.engine, 1, 100)
    asked = reads_ahead(monkeypatch, world)
    tick(world, world.engine, 100 + 10 * (AHEAD - 1))
    assert 9 <= len(asked) <= 12


def reads_ahead(monkeypatch: pytest.MonkeyPatch, world: World) -> list[str]:
    """The devices whose events are read ahead, from now on."""
    asked: list[str] = []
    load = world.store.load

    def noted(wanted: Sequence[Wanted], now_ms: int) -> list[Loaded]:
        asked.extend(name for want in wanted for name in want.behind)
        return load(wanted, now_ms)

    monkeypatch.setattr(world.store, "load", noted)
    return asked


def test_only_what_follows_on_what_is_known_is_learned() -> None:
    device = Device("d", next=20, first=5)
    device.learn([(n, 1, 0) for n in (3, 4, 5, 6, 8, 9)])
    device.learn([(n, 1, 0) for n in (5, 7)])
    assert device.oldest == [(5, 1, 0), (6, 1, 0), (7, 1, 0)]


def test_a_copy_that_changes_leaves_the_device_as_it_was() -> None:
    device, same = (
        Device("d", next=4, first=2, may_drop=True, bytes=5, oldest=[(2, 2, 0), (3, 3, 0)]) for _ in range(2)
    )
    changed = device.copy()
    changed.append(1, 0)
    changed.drop_before(4)
    changed.keep("Tick")
    assert device == same
    assert changed.oldest == [(4, 1, 0)]


def test_sizes_that_are_known_count_in_the_cache() -> None:
    world = new_world("maxEvents: 20")
    partition, names = world.engine.owned[0], [f"d{number}" for number in range(200)]
    partition.limit_caches(40_000)
    for name in names:
        world.push(name, "Seen")
    for _ in range(25):
        for name in names:
            world.push(name, "Tick", {"taken": True})
        world.run()
    known = [found[0] for name in names if (found := partition._devices.find(name))]
    sizes = [len(device.oldest) for device in known if device is not None]
    assert len(sizes) >= 1
    assert sum(sizes) * SIZES_BYTES <= 10_000, sizes


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"received":1}'])
def test_an_oldest_event_that_is_garbled_harms_no_other_device(
    body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    world, cold = full_and_cold("maxEvents: 5", 10)
    world.push("other", "Seen")
    accumulated = world.store._parts[0].accumulated["device"]
    accumulated[0] = (accumulated[0][0], body)
    for name in ("device", "other"):
        world.push(name, "Tick", {"taken": True})
    world.run(cold)
    raw = world.store.device(0, "other")
    assert raw is not None
    assert decode_device("other", raw).count == 2
    assert "is not a stored device" not in caplog.text  # the device's own record is sound


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
