"""A clock that jumps ahead and comes back: what is armed afterwards is due when it should be."""

from engine_world import World

WORKFLOW = """
id: nap
version: 1.0.0
events: {Begin: {}}
start: {on: [Begin], input: {}}
configuration: {timeout: P30D}
startAt: Sleep
states:
  Sleep: {type: wait, duration: PT60S, next: Done}
  Done: {type: succeed}
"""
HOUR_SECONDS = 3_600


def statuses(world: World) -> dict[str | None, str]:
    return {instance.device: instance.status for instance in world.instances()}


def test_a_timer_armed_after_a_jump_ahead_and_back_is_not_late_by_the_jump() -> None:
    world = World(partitions=1)
    world.deploy(WORKFLOW)
    world.advance(HOUR_SECONDS)
    world.push("ahead", "Begin")
    world.run()
    world.advance(-HOUR_SECONDS)
    world.push("back", "Begin")
    world.run()
    world.advance(59)
    world.run()
    assert statuses(world)["back"] == "running"
    world.advance(2)
    world.run()
    assert statuses(world) == {"ahead": "running", "back": "succeeded"}
    world.advance(HOUR_SECONDS)
    world.run()
    assert statuses(world) == {"ahead": "succeeded", "back": "succeeded"}


def test_a_clock_set_back_a_little_stands_still() -> None:
    world = World(partitions=1)
    world.deploy(WORKFLOW)
    world.push("first", "Begin")
    world.run()
    world.advance(-5)
    world.push("second", "Begin")
    world.run()
    first, second = sorted(world.instances(), key=lambda instance: str(instance.device))
    assert second.created_ms >= first.created_ms
