"""Under load no commit is waited for before the next batch is decided, whatever else the engine looks after."""

from typing import Any

import pytest
from engine_world import LISTENER, World
from stepwell_engine.intake import USUAL_PACE, Pace
from stepwell_store.memory_lane import MemoryLane, Request


def test_no_commit_is_waited_for_while_there_is_more_to_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(partitions=2)
    world.deploy(LISTENER)
    for number in range(100):
        world.push(f"device-{number}", "Begin")
    world.run()
    for number in range(USUAL_PACE.most * 5):
        world.push(f"device-{number % 100}", "Tick")
    course: list[str] = []
    commit, wait = MemoryLane.commit, Request.wait

    def sent(self: MemoryLane, commits: Any) -> Any:
        course.append("sent")
        return commit(self, commits)

    def waited(self: Request[Any]) -> Any:
        if self.name == "commit":
            course.append("waited")
        return wait(self)

    def prepared(self: MemoryLane, batch: Any) -> None:
        course.append("decided")  # the other partition's batch is packed when both are decided

    monkeypatch.setattr(MemoryLane, "commit", sent)
    monkeypatch.setattr(Request, "wait", waited)
    monkeypatch.setattr(MemoryLane, "prepare", prepared)
    while world.engine.step(block_ms=0) >= USUAL_PACE.fewest:
        world.advance(2)  # leases are renewed, lost attempts looked for and the door trimmed in every round
    *before, _ = [at for at, what in enumerate(course) if what == "sent"]
    assert len(before) >= 5
    assert {course[at + 1] for at in before} == {"decided"}
    world.run()
    assert sum(instance.revision for instance in world.instances()) == 100 + USUAL_PACE.most * 5


TIMED = """
id: timed
version: 1.0.0
events: {Seen: {}, Tick: {}, Never: {}}
start: {on: [Seen], input: {}}
startAt: Listen
states:
  Listen: {type: wait, event: Tick, timeout: PT1S, timeoutNext: Late, resultPath: null, next: InTime}
  InTime: {type: wait, event: Never, timeout: P1D, timeoutNext: Done, resultPath: null, next: Done}
  Late: {type: wait, event: Never, timeout: P1D, timeoutNext: Done, resultPath: null, next: Done}
  Done: {type: succeed}
"""


def test_a_timer_of_the_batch_on_its_way_goes_before_an_event_that_came_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(partitions=1)
    world.deploy(TIMED)
    engine = world.another_engine("one", pace=Pace(ahead_from=1))
    engine.step(block_ms=0)
    load = MemoryLane.load

    def slow(self: MemoryLane, *given: Any) -> Any:
        """The first time the store takes three seconds; an event comes two seconds after the wait has opened."""
        monkeypatch.setattr(MemoryLane, "load", load)
        answer = load(self, *given)
        world.advance(2)
        world.push("device", "Tick")
        world.push("other", "Seen")
        world.advance(1)
        return answer

    monkeypatch.setattr(MemoryLane, "load", slow)
    world.push("device", "Seen")
    world.run(engine)
    states = {instance.device: instance.frames["0"].state for instance in world.instances()}
    assert states["device"] == "Late"
