"""`doctor`'s examination: each broken promise is found, and a sound store has no finding."""

import orjson
import pytest
from engine_world import World
from stepwell_cli.examination import Examination, examine
from stepwell_schemas import instance as instances
from store_batches import Owner, own

WORKFLOW = """
id: w
version: 1.0.0
events: {Go: {}, Nod: {}}
start: {on: [Go], input: {}}
configuration: {timeout: PT9H}
startAt: Work
states:
  Work: {type: task, activity: act, resultPath: $.state.work, next: Wait}
  Wait: {type: wait, event: Nod, timeout: PT1H, resultPath: $.state.nod, next: Done}
  Done: {type: succeed}
"""


def world_with_an_instance() -> tuple[World, str, int]:
    """A world, the instance in it that waits for its activity, its partition."""
    world = World(partitions=1)
    world.activities("act")
    world.deploy(WORKFLOW)
    world.push("d", "Go", {})
    world.run()
    [(id, _)] = world.store.scan(0)
    return world, id, 0


def waiting_world() -> tuple[World, str]:
    world, id, _ = world_with_an_instance()
    world.work()
    world.run()
    return world, id


def broken_into(world: World) -> Owner:
    """A hold on the partition from outside the engine, whose lease has run out."""
    world.advance(60)
    return own(world.store, 0, "burglar")


def examined(world: World) -> Examination:
    *_, result = examine(world.store, world.now_ms)
    return result


def kinds(world: World) -> set[tuple[str, str]]:
    return {(finding.severity, finding.kind) for finding in examined(world).findings}


def test_an_instance_with_a_pending_activity_is_sound() -> None:
    world, _, _ = world_with_an_instance()
    assert examined(world).findings == []
    assert examined(world).statuses == {"running": 1}


def test_an_instance_that_waits_is_sound() -> None:
    world, _ = waiting_world()
    assert examined(world).findings == []


def test_an_ended_instance_owes_nothing() -> None:
    world, _ = waiting_world()
    world.push("d", "Nod", {})
    world.run()
    assert examined(world).findings == []
    assert examined(world).statuses == {"succeeded": 1}


def test_a_lost_attempt_is_found() -> None:
    world, id, partition = world_with_an_instance()
    tokens = world.store.attempts(partition)
    broken_into(world).commit(attempts=dict.fromkeys(tokens))
    [finding] = examined(world).findings
    assert (finding.kind, finding.instance) == ("broken", id)
    assert "Work" in finding.message
    assert not examined(world).healthy


@pytest.mark.parametrize("token", [5, ["t"], None])
def test_a_token_that_is_no_text_is_told(token: object) -> None:
    world, id, _ = world_with_an_instance()
    raw = world.store.instance(0, id)
    assert raw is not None
    wire = orjson.loads(raw)
    wire["frames"][0]["work"]["token"] = token
    broken_into(world).commit(instances={id: orjson.dumps(wire)})
    assert any("which is no text" in finding.message for finding in examined(world).findings)


def test_a_timer_that_is_not_armed_is_found() -> None:
    world, id = waiting_world()
    timers = {(id, timer.slot): None for timer in world.store.timers(0, id)}
    broken_into(world).commit(timers=timers)
    assert kinds(world) == {("error", "broken")}


def test_an_alarm_that_rings_too_late_is_found() -> None:
    world, id = waiting_world()
    late = {(id, timer.slot): timer.due_ms + 60_000 for timer in world.store.timers(0, id)}
    broken_into(world).commit(timers=late)
    assert {finding.message.rpartition(" will be ")[2] for finding in examined(world).findings} == {
        "60 s late"
    }


@pytest.mark.parametrize(
    ("change", "told"), [(None, "timeout is not armed"), (5_000, "timeout will be 5 s late")]
)
def test_the_alarm_of_an_instances_own_timeout_is_looked_at(change: int | None, told: str) -> None:
    world = World(partitions=1)
    world.deploy(
        "id: w\nversion: 1.0.0\nevents: {Go: {}}\nconfiguration: {timeout: P1D}\nstartAt: S\n"
        "states: {S: {type: wait, event: Go, end: true}}"
    )
    world.request(0, op="start", instance="run", definition="w", input={})
    world.run()
    assert examined(world).findings == []
    [alarm] = world.store.timers(0, "run")
    moved = None if change is None else alarm.due_ms + change
    broken_into(world).commit(timers={("run", alarm.slot): moved})
    [finding] = examined(world).findings
    assert told in finding.message


def test_a_wait_that_its_device_does_not_lead_to_is_found() -> None:
    world, _ = waiting_world()
    raw = world.store.device(0, "d")
    assert raw is not None
    record = orjson.dumps({**orjson.loads(raw), "running": {}})
    broken_into(world).commit(devices={"d": record})
    [finding] = examined(world).findings
    assert "does not lead to it" in finding.message


def test_an_instance_that_owns_nothing_is_hung() -> None:
    world, id = waiting_world()
    raw = world.store.instance(0, id)
    assert raw is not None
    instance = instances.from_wire(orjson.loads(raw))
    for frame in instance.frames.values():
        frame.waits, frame.work = [], {}
    broken_into(world).commit(instances={id: orjson.dumps(instances.to_wire(instance))})
    assert ("error", "hung") in kinds(world)


def test_a_value_that_is_not_an_instance_is_corrupt() -> None:
    world, id = waiting_world()
    for value in (b"{", b"[]", b'{"id": 1}', b'{"frames": [1]}'):
        broken_into(world).commit(instances={id: value})
        assert ("error", "corrupt") in kinds(world), value


def test_a_quarantined_instance_is_found() -> None:
    world, id = waiting_world()
    raw = world.store.instance(0, id)
    assert raw is not None
    wire = {**orjson.loads(raw), "status": "quarantined", "cause": "a bug of ours"}
    broken_into(world).commit(instances={id: orjson.dumps(wire)})
    [finding] = examined(world).findings
    assert finding.kind == "quarantined"
    assert "a bug of ours" in finding.message


def test_timers_of_an_instance_that_does_not_exist_are_orphans() -> None:
    world, _ = waiting_world()
    broken_into(world).commit(timers={("ghost~0", "0/1/x"): world.now_ms + 1000})
    assert kinds(world) == {("error", "orphan")}


def test_a_late_timer_is_found() -> None:
    world, _ = waiting_world()
    world.advance(3_600 + 120)
    own(world.store, 0, "somebody")
    assert ("error", "lateTimer") in kinds(world)


def test_a_store_without_engines_is_not_in_order() -> None:
    world, _ = waiting_world()
    world.advance(60)
    assert kinds(world) == {("error", "noEngine")}


def test_a_partition_without_owner_is_named() -> None:
    world = World(partitions=2)
    own(world.store, 1)
    [finding] = examined(world).findings
    assert (finding.kind, finding.partition) == ("noOwner", 0)


def test_dead_letters_are_a_warning_only() -> None:
    world, _ = waiting_world()
    world.push("d", "NobodyKnowsThis", {})
    world.run()
    assert kinds(world) == {("warning", "deadLetters")}
    assert examined(world).healthy
    assert examined(world).dead_letters == 1
