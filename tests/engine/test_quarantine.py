"""One instance that makes the engine fail is quarantined alone: what else came of the same record stands."""

from collections.abc import Callable
from typing import Any, cast

import orjson
import pytest
from engine_world import World
from stepwell_engine import execution, quarantine, routing
from stepwell_engine.turn import Turn
from stepwell_interpreter.decide import decide
from stepwell_schemas.instance import Instance
from stepwell_schemas.records import (
    ActivityCompleted,
    ActivityFailed,
    ChildEnded,
    EventOffered,
    Record,
    TimerFired,
)

FAMILY = """
id: {id}
version: 1.0.0
events: {{Seen: {{}}, Go: {{}}}}
start: {{on: [Seen], input: {{device: $.event.device}}}}
startAt: Wait
states:
  Wait: {{type: wait, event: Go, timeout: PT1H, timeoutNext: Late, resultPath: null, next: More}}
  More: {{type: wait, event: Go, timeout: PT1H, timeoutNext: Late, resultPath: null, next: Done}}
  Late: {{type: fail, error: Late}}
  Done: {{type: succeed}}
"""
PARENT = """
id: parent
version: 1.0.0
startAt: Both
states:
  Both:
    type: parallel
    branches:
      one: {startAt: A, states: {A: {type: task, workflow: child, resultPath: null, end: true}}}
      two: {startAt: B, states: {B: {type: task, workflow: sound, resultPath: null, end: true}}}
    resultPath: null
    end: true
"""
LEAF = """
id: {id}
version: 1.0.0
startAt: Done
states:
  Done: {{type: succeed, output: {id}}}
"""


class Poison:
    """Makes `decide` fail for what it is told, until it is cured."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.breaks: Callable[[Instance, Record], bool] = lambda instance, record: False
        patch.setattr(execution, "decide", self._decide)

    def cure(self) -> None:
        self.breaks = lambda instance, record: False

    def _decide(self, program: Any, instance: Instance, record: Record) -> Any:
        if self.breaks(instance, record):
            raise ZeroDivisionError("planted")
        return decide(program, instance, record)


@pytest.fixture
def world() -> World:
    world = World(partitions=1)
    for name in ("left", "right"):
        world.deploy(FAMILY.format(id=name))
    for name in ("child", "sound"):
        world.deploy(LEAF.format(id=name))
    world.deploy(PARENT)
    return world


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch, replaceable: None) -> Poison:
    return Poison(monkeypatch)


def standing(world: World) -> dict[str, str]:
    return {one.definition: one.status for one in world.instances()}


def one_of(world: World, definition: str) -> Instance:
    (found,) = [one for one in world.instances() if one.definition == definition]
    return found


def on_event(definition: str) -> Callable[[Instance, Record], bool]:
    return lambda instance, record: instance.definition == definition and isinstance(record, EventOffered)


def release(world: World, definition: str, **more: Any) -> dict[str, Any]:
    answers: list[bytes] = []
    with world.store.listen("answers", answers.append):
        id = one_of(world, definition).id
        world.request(0, op="release", instance=id, reply={"channel": "answers", "id": 1}, **more)
        world.run()
    answer: dict[str, Any] = orjson.loads(answers[-1])
    return answer


def started(world: World) -> None:
    world.push("d", "Seen")
    world.run()


def test_an_event_that_breaks_one_instance_is_applied_to_the_others(world: World, poison: Poison) -> None:
    started(world)
    poison.breaks = on_event("left")
    event = world.push("d", "Go")
    world.run()
    assert standing(world) == {"left": "quarantined", "right": "running"}
    assert world.dead() == []
    (line,) = world.dispositions(event)
    assert (line[2], line[7]) == ("consumed", [one_of(world, "right").id])
    assert one_of(world, "left").id in line[8]
    assert [wire["event"]["id"] for wire in one_of(world, "left").held] == [event]
    assert "planted" in (one_of(world, "left").cause or "")


def test_the_released_instance_takes_what_broke_it_and_what_came_meanwhile(
    world: World, poison: Poison
) -> None:
    started(world)
    poison.breaks = on_event("left")
    first = world.push("d", "Go")
    world.run()
    world.push("d", "Seen")
    second = world.push("d", "Go")
    world.run()
    poison.cure()
    assert release(world, "left")["status"] == "released"
    left = one_of(world, "left")
    takers = {line[7][0] for line in world.dispositions(first) if line[2] == "consumed"}
    assert left.id in takers
    assert left.status == "running"
    assert world.disposition(second) == "consumed"


def test_a_timer_that_an_event_moves_after_the_release_still_fires(world: World, poison: Poison) -> None:
    """Its alarm had rung, and what it rang for was held behind the event."""
    started(world)
    poison.breaks = on_event("left")
    world.push("d", "Go")
    world.run()
    world.advance(3_600)
    world.run()
    assert [wire["kind"] for wire in one_of(world, "left").held] == ["EventOffered", "TimerFired"]
    poison.cure()
    release(world, "left")
    assert one_of(world, "left").status == "running"
    world.advance(3_600)
    world.run()
    assert one_of(world, "left").error == "Late"


@pytest.mark.parametrize("is_another", [False, True])
def test_it_fires_though_it_rang_by_a_clock_that_was_ahead(
    world: World, poison: Poison, is_another: bool
) -> None:
    started(world)
    start_ms, engine = world.now_ms, world.engine
    poison.breaks = on_event("left")
    world.push("d", "Go")
    world.run()
    world.advance(3_600)
    world.run()
    world.now_ms = start_ms + 1_800_000  # the right time
    if is_another:
        world.engine.drain()
        engine = world.engine = world.another_engine("two")
    poison.cure()
    release(world, "left")
    assert one_of(world, "left").status == "running"
    world.advance(3_600)
    world.run(engine)
    assert one_of(world, "left").error == "Late"


def test_events_buffered_while_quarantined_are_offered_after_the_release(
    world: World, poison: Poison
) -> None:
    started(world)
    poison.breaks = lambda instance, record: isinstance(record, EventOffered)
    first = world.push("d", "Go")
    world.run()
    second = world.push("d", "Go")
    world.run()
    assert (world.disposition(first), world.disposition(second)) == ("buffered", "buffered")
    assert set(standing(world).values()) == {"quarantined"}
    poison.cure()
    release(world, "left")
    assert one_of(world, "left").status == "succeeded"
    assert (world.disposition(first), world.disposition(second)) == ("consumed", "consumed")


def test_a_kept_event_that_breaks_its_instance_leaves_the_step_before_it_done(
    world: World, poison: Poison
) -> None:
    early = world.push("d", "Go")
    world.run()
    poison.breaks = on_event("left")
    started(world)
    left = one_of(world, "left")
    assert left.status == "quarantined"
    assert left.revision == 1
    assert [wire["event"]["id"] for wire in left.held] == [early]
    poison.cure()
    release(world, "left")
    assert [line[7] for line in world.dispositions(early) if line[2] == "consumed"] == [[left.id]]


def test_a_child_that_breaks_at_its_start_is_quarantined_and_its_parent_waits(
    world: World, poison: Poison
) -> None:
    poison.breaks = lambda instance, record: instance.definition == "child"
    world.request(0, op="start", instance="p", definition="parent", version=None, input={})
    world.run()
    assert standing(world) == {"parent": "running", "child": "quarantined", "sound": "succeeded"}
    poison.cure()
    release(world, "child")
    assert standing(world) == {"parent": "succeeded", "child": "succeeded", "sound": "succeeded"}


def test_a_parent_that_breaks_on_its_childs_end_is_quarantined_and_the_child_has_ended(
    world: World, poison: Poison
) -> None:
    poison.breaks = lambda instance, record: record.kind == "ChildEnded"
    world.request(0, op="start", instance="p", definition="parent", version=None, input={})
    world.run()
    assert standing(world) == {"parent": "quarantined", "child": "succeeded", "sound": "succeeded"}
    poison.cure()
    assert release(world, "parent")["count"] == 2
    assert standing(world)["parent"] == "succeeded"


def test_an_instance_that_breaks_at_its_start_is_started_by_the_release(world: World, poison: Poison) -> None:
    poison.breaks = lambda instance, record: instance.definition == "left"
    event = world.push("d", "Seen")
    world.run()
    assert standing(world) == {"left": "quarantined", "right": "running"}
    assert world.disposition(event) == "started"
    poison.cure()
    assert release(world, "left", discardHeld=True)["status"] == "rejected"
    release(world, "left")
    assert standing(world) == {"left": "running", "right": "running"}
    assert one_of(world, "left").input == {"device": "d"}


def test_a_record_that_stays_poisonous_is_held_again_with_what_is_behind_it(
    world: World, poison: Poison
) -> None:
    started(world)
    poison.breaks = on_event("left")
    event = world.push("d", "Go")
    world.run()
    world.advance(3_601)
    world.run()
    left = one_of(world, "left")
    assert [wire["kind"] for wire in left.held] == ["EventOffered", "TimerFired"]
    answer = release(world, "left")
    assert (answer["status"], answer["count"], answer["held"]) == ("heldAgain", 0, 2)
    assert one_of(world, "left").held[0]["event"]["id"] == event
    assert [wire["kind"] for wire in one_of(world, "left").held] == ["EventOffered", "TimerFired"]


def test_a_poisonous_record_can_be_discarded_by_name(world: World, poison: Poison) -> None:
    started(world)
    poison.breaks = lambda instance, record: isinstance(record, EventOffered)
    event = world.push("d", "Go")
    world.run()
    answer = release(world, "left", discardHeld=True, actor="ops")
    assert answer["status"] == "released"
    (letter,) = world.dead()
    assert (letter["reason"], letter["actor"], letter["record"]["event"]["id"]) == ("discarded", "ops", event)
    assert "planted" in letter["message"]
    assert world.disposition(event) == "deadLettered"


WORKER = """
id: works
version: 1.0.0
startAt: Work
states:
  Work: {type: task, activity: work, resultPath: $.state.done, next: Done}
  Done: {type: succeed, output: $.state.done}
"""


@pytest.mark.parametrize("fail", [{}, {"work": ("Refused", False)}])
def test_an_activity_whose_answer_is_discarded_is_done_again(
    world: World, poison: Poison, fail: dict[str, tuple[str, bool]]
) -> None:
    world.activities("work")
    world.deploy(WORKER)
    world.request(0, op="start", instance="w~0", definition="works", version=None, input={})
    world.run()
    poison.breaks = lambda instance, record: isinstance(record, ActivityCompleted | ActivityFailed)
    assert world.work(fail) == ["work"]
    world.run()
    assert standing(world) == {"works": "quarantined"}
    poison.cure()
    assert release(world, "works", discardHeld=True, actor="ops")["status"] == "released"
    assert world.dead()[0]["record"]["kind"].startswith("Activity")
    assert world.work(None, "second") == ["work"]
    world.run()
    assert (world.only().status, world.only().output) == ("succeeded", "second")
    assert "discarded by ops" in str(world.history(world.only()))


def test_a_timer_cannot_be_discarded_since_it_would_be_waited_for_without_end(
    world: World, poison: Poison
) -> None:
    started(world)
    poison.breaks = lambda instance, record: isinstance(record, TimerFired) and instance.definition == "left"
    world.advance(3_601)
    world.run()
    assert standing(world) == {"left": "quarantined", "right": "failed"}
    poison.cure()
    answer = release(world, "left", discardHeld=True)
    assert answer["status"] == "rejected"
    assert "a timer" in answer["message"]
    release(world, "left")
    assert standing(world) == {"left": "failed", "right": "failed"}


def test_a_child_s_end_cannot_be_discarded(world: World, poison: Poison) -> None:
    poison.breaks = lambda instance, record: isinstance(record, ChildEnded)
    world.request(0, op="start", instance="p~0", definition="parent", version=None, input={})
    world.run()
    assert standing(world)["parent"] == "quarantined"
    poison.cure()
    assert release(world, "parent", discardHeld=True)["status"] == "rejected"
    release(world, "parent")
    assert standing(world)["parent"] == "succeeded"


def test_cancelling_a_quarantined_instance_gives_the_device_its_event_back(
    world: World, poison: Poison
) -> None:
    started(world)
    poison.breaks = lambda instance, record: isinstance(record, EventOffered)
    world.push("d", "Go")
    world.run()
    left = one_of(world, "left").id
    world.request(
        0, op="deliver", instance=left, record={"kind": "CancelRequested", "time_ms": 0, "reason": "no"}
    )
    world.run()
    assert one_of(world, "left").status == "cancelled"
    assert world.store._parts[0].available["d"] == {2}


def test_a_cancel_that_breaks_the_engine_keeps_what_was_held(world: World, poison: Poison) -> None:
    started(world)
    poison.breaks = lambda instance, record: instance.definition == "left"
    world.push("d", "Go")
    world.run()
    left = one_of(world, "left").id
    world.request(0, op="deliver", instance=left, record={"kind": "CancelRequested", "time_ms": 0})
    world.run()
    assert [wire["kind"] for wire in one_of(world, "left").held] == ["EventOffered", "CancelRequested"]


def test_a_definition_that_breaks_the_engine_quarantines_only_what_is_touched(
    world: World, poison: Poison
) -> None:
    started(world)
    world.push("e", "Seen")
    world.run()
    versions = world.store._definitions["left"]
    versions["1.0.0"] = versions["1.0.0"].model_copy(update={"document": {"id": "left"}})
    world.engine = world.another_engine("two")
    world.advance(6)
    event = world.push("d", "Go")
    world.run()
    by_device = {(one.definition, one.device): one.status for one in world.instances()}
    assert by_device == {
        ("left", "d"): "quarantined",
        ("right", "d"): "running",
        ("left", "e"): "running",
        ("right", "e"): "running",
    }
    assert world.disposition(event) == "consumed"
    assert world.dead() == []


def _breaks(*_: Any, **__: Any) -> None:
    raise KeyError("the quarantine, too")


def test_where_even_the_quarantine_fails_what_came_is_a_dead_letter_and_its_timer_is_let_go(
    world: World, poison: Poison, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(world)
    poison.breaks = lambda instance, record: isinstance(record, (EventOffered, TimerFired))
    for function in ("set_apart", "set_apart_by_id"):
        monkeypatch.setattr(quarantine, function, _breaks)
    monkeypatch.setattr(routing, "dead_letter", _breaks)
    world.push("d", "Go")
    world.advance(3_600)
    world.run()
    event, *timers = world.dead()[::-1]
    assert {letter["reason"] for letter in world.dead()} == {"engineError"}
    assert all("then KeyError('the quarantine, too')" in letter["message"] for letter in world.dead())
    assert orjson.loads(event["raw"])["type"] == "Go"
    told = [orjson.loads(letter["raw"]) for letter in timers]
    assert sorted(letter["instance"] for letter in told) == sorted(one.id for one in world.instances())
    assert {letter["timer"] for letter in told} == {"0/1/timeout"}
    assert {letter["due_ms"] for letter in told} == {one.created_ms + 3_600_000 for one in world.instances()}
    world.advance(3_600)
    world.run()
    assert len(world.dead()) == 1 + len(told)


def test_what_a_quarantined_instance_holds_is_not_added_to_the_instance_before(
    world: World, poison: Poison
) -> None:
    started(world)
    poison.breaks = on_event("left")
    world.push("d", "Go")
    world.run()
    before = one_of(world, "left")
    held = list(before.held)
    turn = Turn(cast(Any, None), world.now_ms)
    assert quarantine.hold(turn, before, TimerFired(world.now_ms, "0/1/timeout", world.now_ms)) == "held"
    assert before.held == held
    assert [wire["kind"] for wire in turn.instances[before.id].held] == ["EventOffered", "TimerFired"]
