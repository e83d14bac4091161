"""What is broken, malformed or too much is set apart; nothing of it stops a partition, and nothing goes twice."""

from typing import Any

import orjson
import pytest
from engine_world import World
from stepwell_engine import operations
from stepwell_interpreter.decide import decide
from stepwell_schemas.catalog import StoredDefinition
from store_batches import request_start

TWO_STEPS = """
id: two-steps
version: 1.0.0
events: {Go: {}}
startAt: One
states:
  One: {type: task, activity: one, resultPath: $.state.one, next: Two}
  Two: {type: wait, event: Go, timeout: PT60S, timeoutNext: Late, resultPath: null, next: Done}
  Late: {type: succeed, output: late}
  Done: {type: succeed, output: in time}
"""


@pytest.fixture
def world() -> World:
    world = World(partitions=1)
    world.activities("one")
    world.deploy(TWO_STEPS)
    return world


def start(world: World, id: str = "run", **details: Any) -> None:
    world.request(0, op="start", instance=id, definition="two-steps", version=None, input={}, **details)


def still_works(world: World) -> bool:
    start(world, "after")
    world.run()
    return world.store.instance(0, "after") is not None


RESULT = {
    "kind": "ActivityCompleted", "time_ms": 0, "attempt": "0/One/1/1", "token": "t", "output": 1, "started_ms": 0
}  # fmt: skip
EVENT = {"id": "e", "source": "/s", "type": "Go", "device": None, "time": None, "data": None, "received": 0}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": ["start"]},
        {"op": {}},
        {"op": "start"},
        {"op": "start", "instance": True, "definition": "two-steps"},
        {"op": "start", "instance": ["a"], "definition": "two-steps"},
        {"op": "start", "instance": "a", "definition": ["two-steps"]},
        {"op": "start", "instance": "a", "definition": "two-steps", "device": 5},
        {"op": "start", "instance": "a", "definition": "two-steps", "reply": "here"},
        {"op": "start", "instance": "a", "definition": "two-steps", "reply": {"channel": 5, "id": 1}},
        {"op": "start", "instance": "a\0b", "definition": "two-steps"},
        {"op": "start", "instance": "new", "definition": "two-steps", "actor": 5},
        {"op": "clear", "device": True, "upTo": 1},
        {"op": "clear", "device": "d", "upTo": "1"},
        {"op": "clear", "device": "d", "upTo": None},
        {"op": "clear", "device": "d"},
        {"op": "release", "instance": 5},
        {"op": "deliver", "instance": 5, "record": RESULT},
        {"op": "deliver", "instance": "run", "record": None},
        {"op": "deliver", "instance": "run", "record": {"kind": ["x"]}},
        {"op": "deliver", "instance": "run", "record": RESULT | {"token": ["t"]}},
        {"op": "deliver", "instance": "run", "record": RESULT | {"token": True}},
        {"op": "deliver", "instance": "run", "record": RESULT | {"attempt": 5}},
        {"op": "deliver", "instance": "run", "record": RESULT | {"started_ms": "now"}},
        {"op": "deliver", "instance": "run", "record": RESULT | {"more": 1}},
        {"op": "deliver", "instance": "run", "record": {"kind": "EventOffered", "event": EVENT | {"type": []}}},
        {"op": "deliver", "instance": "run", "record": {"kind": "EventOffered", "event": EVENT | {"received": "x"}}},
        {"op": "deliver", "instance": "run", "record": {"kind": "EventOffered", "event": None}},
    ],
    ids=lambda operation: orjson.dumps(operation).decode()[:70],
)  # fmt: skip
def test_a_malformed_operation_is_a_dead_letter_and_harms_no_instance(
    world: World, operation: dict[str, Any]
) -> None:
    start(world)
    world.run()
    world.request(0, **operation)
    world.run()
    assert [letter["reason"] for letter in world.dead()] == ["malformedRecord"]
    assert world.only().status == "running"
    assert still_works(world)


RAISED: dict[str, Any] = {
    "id": "e", "source": "/s", "type": "Go", "device": None, "time": None, "data": None, "received": 0,
    "sequence": 1, "extensions": {},
}  # fmt: skip
WRONG: dict[str, list[Any]] = {
    "id": [None, 5, b""],
    "source": [None, 5, b""],
    "type": [None, 5, b""],
    "device": [5, False, []],
    "time": [5, False, []],
    "received": [None, "5", 1.5, True],
    "sequence": ["5", 1.5, True],
    "extensions": [None, [], "x"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in WRONG for value in WRONG[name]])
def test_an_event_of_a_record_is_refused_by_the_field_that_is_wrong(name: str, value: Any) -> None:
    for wire in ({"kind": "EventOffered"}, {"kind": "InstanceStarted", "input": None, "seed": "5eed"}):
        assert operations.read_record(wire | {"event": RAISED}, 7).time_ms == 7
        with pytest.raises(operations.MalformedOperation, match=rf"^`{name}` of event is .*; it must be "):
            operations.read_record(wire | {"event": RAISED | {name: value}}, 7)


def test_a_malformed_start_frees_the_reserved_id(world: World) -> None:
    record = orjson.dumps({"op": "start", "instance": "run", "definition": 5})
    request_start(world.store, 0, "run", "print", record)
    world.run()
    assert world.store.read_reservations([(0, "run")]) == [None]


def test_a_result_nested_too_deeply_to_be_stored_sets_apart_its_instance_alone(world: World) -> None:
    start(world)
    world.run()
    (job,) = world.workers.jobs.values()
    payload = orjson.loads(world.store.claim(0, job.token, "worker", world.now_ms, 10_000) or b"")
    record = orjson.dumps(RESULT | {"attempt": payload["attempt"], "token": payload["token"], "output": None})
    deep = record.replace(b'"output":null', b'"output":' + b"[" * 400 + b"]" * 400)
    operation = b'{"op":"deliver","instance":"run","record":' + deep + b"}"
    world.store.report(0, payload["token"], operation, world.now_ms, 60_000)
    start(world, "other")
    world.run()
    assert {one.id: one.status for one in world.instances()} == {"run": "quarantined", "other": "running"}
    assert len(world.dead()) == 1


@pytest.mark.usefixtures("replaceable")
def test_a_state_that_cannot_be_stored_sets_apart_its_instance_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stepwell_engine import execution

    start(world)
    start(world, "other")
    world.run()
    real = decide

    def planted(program: Any, instance: Any, record: Any) -> Any:
        decision = real(program, instance, record)
        if instance.id == "run":
            decision.instance.state = {"x": 2**80}
        return decision

    monkeypatch.setattr(execution, "decide", planted)
    world.work()
    world.run()
    assert {one.id: one.status for one in world.instances()} == {"run": "quarantined", "other": "running"}


@pytest.mark.parametrize("raw", [b"junk", b"[]", b"{}", b'{"frames":[]}', b"5"])
def test_corrupt_bytes_of_an_instance_stop_nobody(world: World, raw: bytes) -> None:
    start(world)
    world.run()
    world.work()
    world.store._parts[0].instances["run"] = raw
    other = world.another_engine("two")
    world.advance(6)
    world.run(other)
    world.advance(7_200)
    world.engine = other
    assert still_works(world)
    assert world.store.partition_info(0).timers == 2  # its own is put off until somebody has mended it
    assert {letter["reason"] for letter in world.dead()} == {"engineError"}


@pytest.mark.parametrize("timers", [["task"], {"task": "soon"}, 7, {"task": None}])
def test_timers_of_other_types_stop_nobody(world: World, timers: Any) -> None:
    start(world)
    world.run()
    world.work()
    stored = world.store._parts[0].instances
    wire = orjson.loads(stored["run"])
    wire["frames"][0]["work"]["timers"] = timers
    stored["run"] = orjson.dumps(wire)
    world.engine.drain()
    world.engine = world.another_engine("two")
    world.advance(7_200)
    world.run()
    assert still_works(world)


@pytest.mark.parametrize(
    "change", [{"held": None}, {"frames": None}, {"status": 7}, {"kept": 3}, {"deadline_ms": "soon"}]
)
def test_an_instance_with_values_of_other_types_stops_nobody(world: World, change: dict[str, Any]) -> None:
    start(world)
    world.run()
    world.work()
    stored = world.store._parts[0].instances
    stored["run"] = orjson.dumps(orjson.loads(stored["run"]) | change)
    world.engine = world.another_engine("two")
    world.advance(6)
    world.run()
    world.advance(61)
    assert still_works(world)


@pytest.mark.parametrize("raw", [b"junk", b"{}", b"[]"])
def test_corrupt_bytes_of_a_device_make_its_events_dead_letters(world: World, raw: bytes) -> None:
    world.store._parts[0].devices["bad"] = raw
    bad, good = world.push("bad", "Go"), world.push("good", "Go")
    world.run()
    assert (world.disposition(bad), world.disposition(good)) == ("deadLettered", "buffered")


@pytest.mark.parametrize("change", [{"running": None}, {"next": "x"}, {"kept": []}])
def test_a_device_with_values_of_other_types_stops_nobody(world: World, change: dict[str, Any]) -> None:
    world.push("bad", "Go")
    world.run()
    stored = world.store._parts[0].devices
    stored["bad"] = orjson.dumps(orjson.loads(stored["bad"]) | change)
    world.engine = world.another_engine("two")
    world.advance(6)
    bad, good = world.push("bad", "Go"), world.push("good", "Go")
    world.run()
    assert (world.disposition(bad), world.disposition(good)) == ("deadLettered", "buffered")


@pytest.mark.parametrize("claimed", [True, False])
def test_a_corrupt_attempt_is_let_go(world: World, claimed: bool) -> None:
    start(world)
    world.run()
    (token,) = world.workers.jobs
    if claimed:
        world.store.claim(0, token, "dead", world.now_ms, 1_000)
    world.store._parts[0].attempts[token] = b"junk"
    world.advance(20)
    world.run()
    assert world.store.attempts(0) == {}
    assert still_works(world)


def test_a_corrupt_outbox_entry_does_not_keep_an_engine_from_taking_the_partition(world: World) -> None:
    world.run()
    part = world.store._parts[0]
    part.outbox.append({b"c": b"junk"}, world.now_ms)
    world.engine = world.another_engine("two")
    world.advance(6)
    world.run()
    assert still_works(world)


def broken(world: World, id: str, version: str) -> None:
    """A stored version that this engine cannot compile, as after an upgrade that took a word away."""
    stored = StoredDefinition(
        id=id, version=version, hash=version, document={"id": id, "nonsense": True}, source="", created_ms=0
    )
    assert world.store.publish_definition(stored) == "created"


def test_a_definition_that_cannot_be_compiled_stops_nobody_else(world: World) -> None:
    broken(world, "other", "1.0.0")
    assert still_works(world)


def test_a_broken_version_does_not_take_its_other_versions_along(world: World) -> None:
    broken(world, "two-steps", "2.0.0")
    world.engine = world.another_engine("two")
    world.advance(6)
    world.request(0, op="start", instance="old", definition="two-steps", version="1.0.0", input={})
    world.run()
    assert world.only().status == "running"


def test_an_instance_whose_version_cannot_be_compiled_any_more_is_quarantined(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(world)
    world.run()
    versions = world.store._definitions["two-steps"]
    good = versions["1.0.0"]
    versions["1.0.0"] = good.model_copy(update={"document": {"id": "two-steps"}})
    world.engine = world.another_engine("two")
    world.advance(6)
    world.work()
    world.run()
    assert world.only().status == "quarantined"
    versions["1.0.0"] = good
    world.engine = world.another_engine("three")
    world.advance(6)
    world.request(0, op="release", instance="run")
    world.run()
    assert world.only().status == "running"
    assert world.only().state == {"one": None}


def test_clearing_an_unknown_device_makes_no_device(world: World) -> None:
    world.request(0, op="clear", device="nobody", upTo=5)
    world.run()
    assert world.store.device(0, "nobody") is None


LOOP = """
id: loop
version: 1.0.0
events: {Seen: {}, Go: {}}
start: {on: [Seen], input: {}}
startAt: Wait
states:
  Wait: {type: wait, event: Go, timeout: PT1H, timeoutNext: Done, resultPath: null, next: Wait}
  Done: {type: succeed}
"""


def test_a_loop_takes_hundreds_of_kept_events_one_after_the_other(world: World) -> None:
    world.deploy(LOOP)
    early = [world.push("d", "Go") for _ in range(900)]
    world.run()
    world.push("d", "Seen")
    world.run()
    assert world.only().status == "running"
    assert {world.disposition(id) for id in early} == {"consumed"}


def test_an_event_that_overflows_in_the_batch_it_came_with_is_available_to_nobody(world: World) -> None:
    limited = "id: limited\nconfiguration: {accumulator: {maxEvents: 2, overflow: dropOldest}}"
    world.deploy(LOOP.replace("id: loop", limited))
    for _ in range(8):
        world.push("d", "Seen")
    world.run()
    kept = world.store.device_events(0, "d", 0, 100)
    assert world.store._parts[0].available["d"] == {n for n, _ in kept}


def test_a_dead_letter_that_is_replayed_is_accumulated_once(world: World) -> None:
    strict = LOOP.replace("Go: {}", "Go: {type: object, required: [n]}")
    world.deploy(strict)
    world.push("d", "Seen")
    bad = world.push("d", "Go", {}, id="again")
    world.run()
    assert world.disposition(bad) == "deadLettered"
    fixed = {**world.dead()[0]["event"], "data": {"n": 1}}
    world.store.append_events([orjson.dumps(fixed)], replay=True)
    world.run()
    ids = [orjson.loads(raw)["id"] for _, raw in world.store.device_events(0, "d", 0, 10)]
    assert ids.count("again") == 1
    assert world.disposition(bad) == "consumed"


def test_an_event_that_came_before_the_timeout_wins_though_the_engine_was_away(world: World) -> None:
    start(world, device="d")
    world.settle()
    world.advance(30)
    world.push("d", "Go")
    world.advance(60)
    world.run()
    assert world.only().output == "in time"


def test_a_result_in_the_inbox_wins_over_its_lease_that_ran_out_meanwhile(world: World) -> None:
    start(world)
    world.run()
    world.work()
    world.advance(120)
    world.run()
    assert world.workers.jobs == {}
    assert world.only().state == {"one": None}


def test_a_clock_that_goes_back_does_not_stop_an_engine_from_renewing_its_leases(world: World) -> None:
    world.run()
    world.advance(-3_600)
    world.run()
    world.advance(4)
    world.run()
    assert world.store._parts[0].lease_until_ms > world.now_ms


@pytest.mark.usefixtures("replaceable")
def test_an_event_that_breaks_the_reader_itself_is_a_dead_letter(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stepwell_engine import intake

    def planted(raw: bytes, now_ms: int) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(intake, "parse_event", planted)
    world.push("d", "Go")
    world.run()
    assert "planted" in world.dead()[0]["message"]
    assert still_works(world)


def test_unclaimed_jobs_in_a_long_queue_do_not_hide_a_lost_worker_of_a_quiet_partition(world: World) -> None:
    for n in range(201):
        start(world, f"run-{n}")
    world.run()
    job = list(world.workers.jobs.values())[-1]
    del world.workers.jobs[job.token]
    world.store.claim(0, job.token, "dead", world.now_ms, 15_500)
    for _ in range(4):
        world.advance(16)
        world.run()
    assert len(world.workers.jobs) == 201
    assert job.token not in world.workers.jobs
