"""When lost attempts are looked for: once a second in all partitions, whatever the clock does."""

import pytest
from engine_world import World
from stepwell_engine.sweeper import SWEEP_MS, Sweeper

ONE = """
id: one
version: 1.0.0
startAt: Work
states:
  Work: {type: task, activity: work, end: true}
"""


def test_it_is_time_once_a_second_and_at_once_where_a_partition_is_new_or_the_clock_went_back() -> None:
    world = World()
    sweeper = Sweeper(world.store, world.workers)
    at = 1_000_000
    assert sweeper.begins_sweep(at)
    assert not sweeper.begins_sweep(at)
    assert not sweeper.begins_sweep(at + SWEEP_MS - 1)
    assert sweeper.begins_sweep(at + SWEEP_MS)
    assert not sweeper.begins_sweep(at + SWEEP_MS + 1)
    assert sweeper.begins_sweep(at - 60_000), "the clock went back"
    assert not sweeper.begins_sweep(at - 60_000)
    sweeper.own()
    assert sweeper.begins_sweep(at - 60_000)
    sweeper.forget()
    assert sweeper.begins_sweep(at - 60_000)


def claimed_and_silent(partitions: int = 2) -> tuple[World, set[str]]:
    """Attempts in each partition that a worker has claimed and does not speak of any more."""
    world = World(partitions=partitions)
    world.activities("work")
    world.deploy(ONE)
    for number in range(partitions):
        world.request(number, op="start", instance=f"run~{number}", definition="one", version=None, input={})
    world.run()
    held = dict(world.workers.jobs)
    assert {job.partition for job in held.values()} == set(range(partitions))
    for token, job in held.items():
        assert world.store.claim(job.partition, token, "worker", world.now_ms, 10_000) is not None
    world.workers.jobs.clear()
    return world, set(held)


def test_lost_attempts_of_all_partitions_are_found_in_one_sweep() -> None:
    world, lost = claimed_and_silent(partitions=4)
    world.advance(11)
    world.engine.step(block_ms=0)
    world.run()
    assert len(world.workers.jobs) == len(lost)
    assert not lost & set(world.workers.jobs)


def test_a_backlog_at_the_door_does_not_keep_lost_attempts_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    world, lost = claimed_and_silent()
    world.push("somebody", "Unknown")
    world.push("somebody", "Unknown")
    world.advance(11)
    world.push("somebody", "Unknown")
    engine = world.engine
    monkeypatch.setattr(engine._intake, "_count", 1)  # one event of many is read
    engine.step(block_ms=0)
    engine.step(block_ms=0)
    assert not lost & set(world.workers.jobs)
    assert len(world.workers.jobs) == len(lost)


def test_what_was_lost_in_a_partition_that_is_taken_over_is_found_at_once() -> None:
    world, lost = claimed_and_silent()
    one, two = world.engine, world.another_engine("two")
    while len(one.owned) != 1 or len(two.owned) != 1:
        world.advance(0.3)
        world.run(one)
        world.run(two)
    left = world.now_ms
    while world.now_ms < left + 12_000:
        world.advance(0.3)
        world.run(two)
        if world.now_ms < left + 9_000:
            world.run(one)  # and then it is not there when its own attempts are lost
    assert len(world.workers.jobs) == 1, "what was lost in its own partition"
    one.drain()
    while len(two.owned) == 1:
        world.advance(0.07)  # in step with neither leases nor sweeps
        world.run(two)
    assert len(world.workers.jobs) == len(lost)
    assert not lost & set(world.workers.jobs)
