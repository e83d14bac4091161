"""What one loud device may cost: told by what is read and decided for each event, not by time."""

from collections import Counter
from typing import Any

import pytest
from engine_world import World
from stepwell_engine import execution
from stepwell_interpreter.decide import decide
from stepwell_schemas.event import DeviceEvent

LISTENER = """
id: listener
version: 1.0.0
events: {Seen: {}, Tick: {}, Noise: {}}
start: {on: [Seen], input: {}}
configuration: {accumulator: {maxEvents: 200, overflow: dropOldest}}
startAt: Listen
states:
  Listen: {type: wait, event: Tick, match: {kind: tick}, resultPath: null, next: Listen}
"""
TICK, OTHER = {"kind": "tick"}, {"kind": "other"}


@pytest.fixture
def world() -> World:
    world = World(partitions=1)
    world.deploy(LISTENER)
    for device in ("loud", "quiet"):
        world.push(device, "Seen")
    world.run()
    return world


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch, replaceable: None) -> Counter[str]:
    """How many events were parsed out of the store, and how many decisions were made for `loud`."""
    count: Counter[str] = Counter()
    parse = DeviceEvent.from_document

    def parsed(document: dict[str, Any]) -> DeviceEvent:
        count["parsed"] += 1
        return parse(document)

    def decided(program: Any, instance: Any, record: Any) -> Any:
        count[f"decided {instance.device}"] += 1
        return decide(program, instance, record)

    monkeypatch.setattr(DeviceEvent, "from_document", staticmethod(parsed))
    monkeypatch.setattr(execution, "decide", decided)
    return count


def test_a_full_accumulator_is_not_read_again_for_every_batch(world: World, counted: Counter[str]) -> None:
    for _ in range(20):
        for _ in range(50):
            world.push("loud", "Noise")
        world.run()
    assert counted["parsed"] <= 200


def test_events_that_fit_no_wait_are_not_decided_again_when_it_opens_anew(
    world: World, counted: Counter[str]
) -> None:
    for _ in range(150):
        world.push("loud", "Tick", OTHER)
    world.run()
    counted.clear()
    ticks = [world.push("loud", "Tick", TICK) for _ in range(20)]
    world.run()
    assert counted["decided loud"] == 20
    assert {world.disposition(id) for id in ticks} == {"consumed"}


def test_a_quiet_device_is_served_in_the_round_that_reads_its_event(world: World) -> None:
    for _ in range(30):
        world.push("loud", "Noise")
    event = world.push("quiet", "Tick", TICK)
    for _ in range(30):
        world.push("loud", "Noise")
    world.engine.step(block_ms=0)
    world.engine.step(block_ms=0)
    assert world.disposition(event) == "consumed"


def test_the_order_of_a_loud_device_is_kept(world: World) -> None:
    pushed = [world.push("loud", "Tick", TICK) for _ in range(500)]
    world.run()
    assert [line[0] for line in world.ledger() if line[2] == "consumed"] == pushed
