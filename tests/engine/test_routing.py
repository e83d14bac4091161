"""Start-or-route: what an event does, and where it ends."""

import orjson
import pytest
from engine_world import World

GATHER = """
id: gather
version: 1.0.0
events: {Seen: {}, Go: {type: object, required: [order]}, Other: {}}
start: {on: [Seen], input: {device: $.event.device}}
startAt: Wait
states:
  Wait: {type: wait, event: Go, match: {order: 7}, timeout: PT48H, resultPath: $.state.go, next: Done}
  Done: {type: succeed, output: {order: $.state.go.data.order}}
"""


@pytest.fixture
def world() -> World:
    world = World()
    world.deploy(GATHER)
    return world


def test_the_first_event_of_a_device_starts_one_instance(world: World) -> None:
    first = world.push("d1", "Seen")
    world.run()
    assert world.only().device == "d1"
    assert world.only().input == {"device": "d1"}
    assert world.disposition(first) == "started"


def test_a_thousand_first_events_start_one_instance_and_keep_the_rest_in_order(world: World) -> None:
    ids = [world.push("d1", "Seen", n) for n in range(1000)]
    world.run()
    world.only()
    kinds = [world.disposition(id) for id in ids]
    assert kinds == ["started"] + ["buffered"] * 999
    events = world.store.device_events(world.partition("d1"), "d1", 0, 2000)
    assert [orjson.loads(raw)["data"] for _, raw in events] == list(range(1000))


def test_an_event_whose_data_match_moves_the_waiting_instance_on(world: World) -> None:
    world.push("d1", "Seen")
    go = world.push("d1", "Go", {"order": 7})
    world.run()
    assert world.only().status == "succeeded"
    assert world.only().output == {"order": 7}
    assert world.disposition(go) == "consumed"


def test_an_event_that_does_not_match_is_kept(world: World) -> None:
    world.push("d1", "Seen")
    go = world.push("d1", "Go", {"order": 8})
    world.run()
    assert world.only().status == "running"
    assert world.disposition(go) == "buffered"


def test_an_event_that_comes_before_its_wait_is_taken_when_the_wait_opens(world: World) -> None:
    early = world.push("d1", "Go", {"order": 7})
    world.run()
    assert world.disposition(early) == "buffered"
    world.push("d1", "Seen")
    world.run()
    assert world.only().status == "succeeded"
    assert world.disposition(early) == "consumed"
    assert world.dispositions(early)[-1][7] == [world.only().id]


def test_a_consumed_early_event_is_not_taken_twice(world: World) -> None:
    world.deploy(GATHER.replace("id: gather", "id: other-gather"))
    world.push("d1", "Go", {"order": 7})
    world.push("d1", "Seen")
    world.run()
    assert sorted(instance.status for instance in world.instances()) == ["running", "succeeded"]


def test_one_event_is_offered_to_every_running_instance(world: World) -> None:
    world.deploy(GATHER.replace("id: gather", "id: other-gather"))
    world.push("d1", "Seen")
    go = world.push("d1", "Go", {"order": 7})
    world.run()
    assert [instance.status for instance in world.instances()] == ["succeeded", "succeeded"]
    assert len(world.dispositions(go)[-1][7]) == 2


def test_the_same_event_twice_is_a_duplicate(world: World) -> None:
    world.push("d1", "Seen", id="same")
    world.run()
    world.push("d1", "Seen", id="same")
    world.run()
    assert [entry[2] for entry in world.dispositions("same")] == ["started", "duplicate"]
    assert len(world.store.device_events(world.partition("d1"), "d1", 0, 10)) == 1


def test_the_same_event_twice_in_one_batch_is_a_duplicate(world: World) -> None:
    world.push("d1", "Seen", id="same")
    world.push("d1", "Seen", id="same")
    world.run()
    assert [entry[2] for entry in world.dispositions("same")] == ["started", "duplicate"]


def test_the_same_id_from_another_source_is_another_event(world: World) -> None:
    world.push("d1", "Seen", id="same")
    world.push("d2", "Seen", id="same", source="/elsewhere")
    world.run()
    assert [entry[2] for entry in world.dispositions("same")] == ["started", "started"]


def test_data_that_break_the_declared_schema_become_a_dead_letter(world: World) -> None:
    world.push("d1", "Seen")
    bad = world.push("d1", "Go", {"wrong": 1})
    world.run()
    assert world.disposition(bad) == "deadLettered"
    assert world.dead()[0]["reason"] == "schema"
    assert "order" in world.dead()[0]["message"]


def test_a_type_that_nobody_knows_becomes_a_dead_letter(world: World) -> None:
    stranger = world.push("d1", "Unheard")
    world.run()
    assert world.disposition(stranger) == "deadLettered"
    assert world.dead()[0]["reason"] == "unknownEventType"


def test_an_event_without_a_device_becomes_a_dead_letter(world: World) -> None:
    world.push(None, "Seen")
    world.run()
    assert world.dead()[0]["reason"] == "noDevice"


def test_garbage_in_the_door_becomes_a_dead_letter_and_stops_nobody(world: World) -> None:
    world.store.append_events([b"not json", b"[]", b'{"specversion":"1.0"}'])
    world.push("d1", "Seen")
    world.run()
    assert len(world.dead()) == 3
    assert world.only().device == "d1"


def test_a_replayed_dead_letter_is_no_duplicate(world: World) -> None:
    world.push("d1", "Seen")
    bad = world.push("d1", "Go", {"wrong": 1}, id="again")
    world.run()
    fixed = {**world.dead()[0]["event"], "data": {"order": 7}}
    world.store.append_events([orjson.dumps(fixed)], replay=True)
    world.run()
    assert world.only().status == "succeeded"
    assert world.disposition(bad) == "consumed"


def test_an_event_after_the_end_is_kept_by_default(world: World) -> None:
    world.push("d1", "Seen")
    world.push("d1", "Go", {"order": 7})
    late = world.push("d1", "Seen")
    world.run()
    assert world.only().status == "succeeded"
    assert world.disposition(late) == "buffered"


@pytest.mark.parametrize(
    ("policy", "disposition", "count"),
    [("restart", "started", 2), ("ignore", "ignored", 1), ("deadLetter", "deadLettered", 1)],
)
def test_after_completion_decides_what_a_late_start_event_does(
    policy: str, disposition: str, count: int
) -> None:
    world = World()
    world.deploy(GATHER.replace("on: [Seen],", f"on: [Seen], afterCompletion: {policy},"))
    world.push("d1", "Seen")
    world.push("d1", "Go", {"order": 7})
    late = world.push("d1", "Seen")
    world.run()
    assert world.disposition(late) == disposition
    assert len(world.instances()) == count


CALLED = """
id: called
version: 1.0.0
events: {Call: {}}
start: {on: [Call], input: {}}
startAt: Done
states:
  Done: {type: succeed}
"""
CALLER = """
id: caller
version: 1.0.0
events: {Seen: {}}
start: {on: [Seen], input: {}}
startAt: Call
states:
  Call: {type: task, workflow: called@1, resultPath: null, end: true}
"""


def test_what_has_run_as_a_child_alone_is_started_by_its_event_nonetheless() -> None:
    world = World()
    world.deploy(CALLED)
    world.deploy(CALLER)
    world.push("d1", "Seen")
    world.run()
    assert {one.definition: one.status for one in world.instances()} == {
        "caller": "succeeded",
        "called": "succeeded",
    }
    call = world.push("d1", "Call")
    world.run()
    assert world.disposition(call) == "started"


LIMITED = GATHER + "configuration: {accumulator: {maxEvents: 3, overflow: %s}}\n"


@pytest.mark.parametrize(
    ("overflow", "kinds"),
    [("reject", "rejected"), ("deadLetter", "deadLettered")],
)
def test_a_full_accumulator_refuses_by_its_policy(overflow: str, kinds: str) -> None:
    world = World()
    world.deploy(LIMITED % overflow)
    ids = [world.push("d1", "Seen") for _ in range(4)]
    world.run()
    assert world.disposition(ids[3]) == kinds
    assert len(world.store.device_events(world.partition("d1"), "d1", 0, 10)) == 3


def test_a_full_accumulator_can_drop_its_oldest(world: World) -> None:
    world = World()
    world.deploy(LIMITED % "dropOldest")
    ids = [world.push("d1", "Seen", n) for n in range(6)]
    world.run()
    events = world.store.device_events(world.partition("d1"), "d1", 0, 10)
    assert [orjson.loads(raw)["data"] for _, raw in events] == [3, 4, 5]
    assert world.disposition(ids[1]) == "expired"
    record = orjson.loads(world.store.device(world.partition("d1"), "d1") or b"{}")
    assert (record["dropped"], record["kept"]) == (3, {"Seen": 3})
    assert record["bytes"] == sum(len(raw) for _, raw in events)


def test_clearing_up_to_a_sequence_leaves_newer_events(world: World) -> None:
    for n in range(5):
        world.push("d1", "Other", n)
    world.run()
    world.request(world.partition("d1"), op="clear", device="d1", upTo=3)
    world.run()
    events = world.store.device_events(world.partition("d1"), "d1", 0, 10)
    assert [n for n, _ in events] == [4, 5]


def test_waits_take_kept_events_in_the_order_of_their_sequence(world: World) -> None:
    world.deploy(GATHER.replace("id: gather", "id: ordered").replace("match: {order: 7}, ", ""))
    world.push("d1", "Go", {"order": 2}, sequence="2")
    world.push("d1", "Go", {"order": 1}, sequence="1")
    world.push("d1", "Seen")
    world.run()
    ordered = next(instance for instance in world.instances() if instance.definition == "ordered")
    assert ordered.output == {"order": 1}


def test_counters_of_dispositions_add_up_to_all_events(world: World) -> None:
    for n in range(50):
        world.push(f"d{n % 40 % 7}", "Seen" if n % 40 % 3 else "Unheard", id=f"x{n % 40}")
    world.run()
    counted: dict[str, int] = {}
    for number in range(world.store.partitions):
        for kind, count in world.store.partition_info(number).counters.items():
            counted[kind] = counted.get(kind, 0) + count
    assert sum(counted.values()) == 50
    assert counted["duplicate"] == 10


def test_a_rejected_event_that_comes_again_when_there_is_room_is_no_duplicate() -> None:
    world = World()
    world.deploy(LIMITED % "reject")
    for n in range(4):
        world.push("d1", "Seen", id=f"s{n}")
    world.run()
    world.request(world.partition("d1"), op="clear", device="d1", upTo=3)
    world.push("d1", "Seen", id="s3")
    world.run()
    assert [entry[2] for entry in world.dispositions("s3")] == ["rejected", "buffered"]


def test_an_entry_without_the_field_event_is_kept_whole(world: World) -> None:
    world.store._door.append({b"data": b'{"id": 1}'}, world.now_ms)
    world.run()
    (letter,) = world.dead()
    assert "`event` (found: data)" in letter["message"]
    assert orjson.loads(letter["raw"]) == {"data": '{"id": 1}'}
