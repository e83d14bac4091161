"""Alarms follow timers: set with them, left behind when they move to a later time, set anew if they ring too early."""

import pytest
from engine_world import World
from stepwell_engine import loop
from stepwell_engine.alarms import PUT_OFF_MS
from stepwell_engine.intake import Pace
from stepwell_interpreter.decide import timer_in
from stepwell_schemas.instance import Instance

LISTENER = """
id: listener
version: 1.0.0
events: {Begin: {}, Tick: {}, Hurry: {}, Stop: {}}
start: {on: [Begin], input: {}}
startAt: Listen
states:
  Listen:
    type: wait
    anyOf:
      tick: {event: Tick, next: Listen}
      hurry: {event: Hurry, next: Soon}
      stop: {event: Stop, next: Done}
    timeout: PT60S
    timeoutNext: Late
    resultPath: null
    next: Done
  Soon: {type: wait, event: Tick, timeout: PT20S, timeoutNext: Late, resultPath: null, next: Listen}
  Late: {type: fail, error: Late}
  Done: {type: succeed}
"""


@pytest.fixture
def world() -> World:
    world = World(partitions=1)
    world.deploy(LISTENER)
    world.push("d", "Begin")
    world.run()
    return world


def seconds(world: World, start_ms: int) -> list[float]:
    """When the alarms ring."""
    return [(due_ms - start_ms) / 1_000 for due_ms in world.store._parts[0].timers.values()]


def instance(world: World) -> Instance:
    [found] = world.instances()
    return found


def tick(world: World, after: float) -> None:
    world.advance(after)
    world.push("d", "Tick")
    world.run()


def test_a_timer_that_moves_to_a_later_time_leaves_its_alarm(world: World) -> None:
    start_ms = world.now_ms
    for _ in range(4):
        tick(world, 12)
    assert seconds(world, start_ms) == [60]
    assert timer_in(instance(world), "0/timeout") == ("0/5/timeout", start_ms + 108_000)


def test_an_alarm_that_rings_too_early_is_set_anew_and_then_fires(world: World) -> None:
    start_ms = world.now_ms
    tick(world, 30)
    world.advance(31)
    world.run()
    assert seconds(world, start_ms) == [90]
    assert instance(world).revision == 2
    world.advance(29)
    world.run()
    assert (instance(world).error, instance(world).updated_ms) == ("Late", start_ms + 90_000)
    assert seconds(world, start_ms) == []


def test_another_engine_that_remembers_nothing_sets_it_anew_too(world: World) -> None:
    start_ms = world.now_ms
    tick(world, 30)
    world.engine.drain()
    world.advance(31)
    other = world.another_engine("two")
    world.run(other)
    assert seconds(world, start_ms) == [90]
    world.advance(29)
    world.run(other)
    assert instance(world).error == "Late"


def test_an_event_that_came_in_time_wins_over_an_alarm_that_rings_late(world: World) -> None:
    start_ms = world.now_ms
    tick(world, 30)
    world.engine.drain()
    world.advance(50)  # 80 s: no engine is there when the alarm rings
    world.push("d", "Tick")
    world.advance(15)  # 95 s: the timer would have been due at 90 s
    world.run(world.another_engine("two"))
    assert instance(world).status == "running"
    assert timer_in(instance(world), "0/timeout") == ("0/3/timeout", start_ms + 155_000)
    [rings] = seconds(world, start_ms)
    assert rings <= 155


def test_a_timer_does_not_overtake_events_that_are_not_read_yet(world: World) -> None:
    start_ms = world.now_ms
    tick(world, 30)
    world.engine.drain()
    world.advance(50)
    world.push("other", "Tick")
    world.push("d", "Tick")
    world.advance(15)
    world.run(world.another_engine("two", Pace(fewest=1, most=1)))
    assert timer_in(instance(world), "0/timeout") == ("0/3/timeout", start_ms + 155_000)


def test_however_many_alarms_ring_timers_fire_in_the_order_of_their_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop, "TIMERS", 3)
    world = World(partitions=1)
    world.deploy(LISTENER.replace("startAt: Listen", "configuration: {timeout: PT100S}\nstartAt: Listen"))
    world.push("d", "Begin")
    world.run()
    world.advance(10)
    for number in range(5):  # these ring at 70 s
        world.push(f"other-{number}", "Begin")
    world.run()
    tick(
        world, 38
    )  # the wait's alarm rings at 60 s, though it is due at 108 s, after the instance's at 100 s
    world.engine.drain()
    world.advance(100)
    world.run(world.another_engine("two"))
    found = {one.device: one.status for one in world.instances()}
    assert found.pop("d") == "timedOut"
    assert set(found.values()) == {"failed"}
    assert world.store._parts[0].timers == {}


def test_an_alarm_of_an_unreadable_instance_is_put_off(world: World) -> None:
    start_ms, part = world.now_ms, world.store._parts[0]
    tick(world, 30)
    world.engine.drain()
    [(id, sound)] = part.instances.items()
    part.instances[id] = b"{"
    world.advance(31)
    world.run(other := world.another_engine("two"))
    assert seconds(world, start_ms) == [61 + PUT_OFF_MS / 1_000]
    assert world.dead() == []
    part.instances[id] = sound
    world.advance(PUT_OFF_MS / 1_000)
    world.run(other)
    assert instance(world).error == "Late"


def test_what_ends_leaves_no_alarm(world: World) -> None:
    tick(world, 12)
    world.push("d", "Stop")
    world.run()
    assert instance(world).status == "succeeded"
    assert seconds(world, 0) == []


def test_a_shorter_timer_rings_in_time(world: World) -> None:
    start_ms = world.now_ms
    world.advance(10)
    world.push("d", "Hurry")
    world.run()
    assert seconds(world, start_ms) == [30]
    world.advance(20)
    world.run()
    assert instance(world).error == "Late"


def test_a_sign_of_life_puts_a_heartbeat_off() -> None:
    world = World(partitions=1)
    world.activities("slow")
    world.deploy(
        "id: w\nversion: 1.0.0\nstartAt: S\n"
        "states: {S: {type: task, activity: slow, timeout: 300, heartbeat: 20, retry: {maxAttempts: 1}, end: true}}"
    )
    world.request(0, op="start", instance="run", definition="w", input={})
    world.run()
    start_ms, [token] = world.now_ms, list(world.workers.jobs)
    world.store.claim(0, token, "worker", world.now_ms, 60_000)
    world.advance(15)
    world.store.extend(0, token, "worker", world.now_ms, 60_000, sign=True)
    world.advance(10)
    world.run()
    assert timer_in(instance(world), "0/heartbeat") == ("0/1/heartbeat", start_ms + 35_000)
    world.advance(15)
    world.run()
    assert timer_in(instance(world), "0/heartbeat") is None


def not_caught_up(what: str) -> Instance:
    """A wait whose time is over when an engine comes that reads one record at a time; before it was over there came
    something for it, behind something else."""
    world = World(partitions=2)
    world.deploy(LISTENER)
    world.push("d", "Begin")
    world.run()
    world.engine.drain()
    number, waiting = world.partition("d"), instance(world)
    other = next(name for name in map(str, range(99)) if world.partition(name) != number)
    world.advance(50)
    if what == "door":
        world.push(other, "Tick")
        world.push("d", "Tick")
    else:
        world.request(number, op="start", instance=f"x~{number}", definition="none", version=None, input={})
        world.advance(1)
        cancel = {"kind": "CancelRequested", "time_ms": world.now_ms, "reason": "enough"}
        world.request(number, op="deliver", instance=waiting.id, record=cancel)
    world.advance(15)
    world.run(world.another_engine("two", Pace(fewest=1, most=1)))
    return instance(world)


def test_a_timer_waits_for_the_door_though_its_partition_has_nothing_of_what_was_read() -> None:
    assert (not_caught_up("door").status, not_caught_up("door").revision) == ("running", 2)


def test_a_timer_waits_for_what_is_still_to_be_read_from_its_inbox() -> None:
    assert not_caught_up("inbox").status == "cancelled"


def test_what_comes_by_the_inbox_does_not_keep_a_timer_from_firing(world: World) -> None:
    world.advance(60)
    world.request(0, op="start", instance="x~0", definition="none", version=None, input={})
    world.engine.step(block_ms=0)
    assert instance(world).error == "Late"
