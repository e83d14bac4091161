"""Instances under the engine: activities, timers, children, replies, quarantine, takeover."""

from typing import Any

import orjson
import pytest
from engine_world import World
from stepwell_engine import execution
from stepwell_interpreter.decide import decide
from stepwell_schemas import instance as instances
from stepwell_schemas import records
from stepwell_schemas.instance import new_instance
from stepwell_store.batches import CommitResult
from stepwell_store.protocol import InstanceFilter

TWO_STEPS = """
id: two-steps
version: 1.0.0
startAt: One
states:
  One: {type: task, activity: one, input: {n: $.input.n}, resultPath: $.state.one, next: Two}
  Two: {type: task, activity: two, retry: {maxAttempts: 2, initialInterval: 5}, resultPath: $.state.two, end: true}
"""


@pytest.fixture
def world() -> World:
    world = World()
    world.activities("one", "two")
    world.deploy(TWO_STEPS)
    return world


def start(world: World, id: str = "run", partition: int | None = None, **details: Any) -> None:
    number = world.partition(id) if partition is None else partition
    world.request(
        number, op="start", instance=id, definition="two-steps", version=None, input={"n": 1}, **details
    )


def test_tasks_run_in_order_and_the_instance_succeeds(world: World) -> None:
    start(world)
    assert world.settle() == ["one", "two"]
    assert world.only().status == "succeeded"


def test_every_history_replays_to_the_stored_instance(world: World) -> None:
    start(world)
    world.settle()
    stored = world.only()
    program = world.engine.catalog.program("two-steps", "1.0.0")
    assert program is not None
    replayed = new_instance(
        id=stored.id, definition=stored.definition, version=stored.version, program=program.hash, device=None
    )
    for entry in world.history(stored):
        replayed = decide(program, replayed, records.from_wire(entry["record"])).instance
    replayed.history_hash = stored.history_hash
    assert instances.to_wire(replayed) == instances.to_wire(stored)


def test_history_is_chained_by_hashes(world: World) -> None:
    start(world)
    world.settle()
    entries = world.history(world.only())
    assert entries[0]["prev"] == ""
    assert len({entry["prev"] for entry in entries}) == len(entries)
    assert [entry["n"] for entry in entries] == sorted(entry["n"] for entry in entries)


def test_a_failed_try_is_repeated_after_its_pause(world: World) -> None:
    start(world)
    world.run()
    world.work()
    world.run()
    world.work(fail={"two": ("Broken", True)})
    world.run()
    assert world.workers.jobs == {}
    world.advance(5.1)
    assert world.settle() == ["two"]
    assert world.only().status == "succeeded"


def test_a_late_answer_with_a_foreign_token_changes_nothing(world: World) -> None:
    start(world)
    world.run()
    (job,) = world.workers.jobs.values()
    raw = world.store.claim(job.partition, job.token, "w", world.now_ms, 10_000)
    payload = orjson.loads(raw or b"")
    world.report(job.partition, {**payload, "token": "0" * 40})
    world.run()
    assert world.only().status == "running"
    world.report(job.partition, payload)
    world.workers.jobs.clear()
    assert world.settle() == ["two"]


def test_an_attempt_whose_worker_fell_silent_is_handed_out_again_with_the_same_key(world: World) -> None:
    start(world)
    world.run()
    (first,) = world.workers.jobs.values()
    world.workers.jobs.clear()
    before = orjson.loads(
        world.store.claim(first.partition, first.token, "dead", world.now_ms, 10_000) or b""
    )
    world.advance(11)
    world.run()
    (second,) = world.workers.jobs.values()
    assert second.token != first.token
    after = orjson.loads(world.store.claim(second.partition, second.token, "w", world.now_ms, 10_000) or b"")
    assert after["idempotencyKey"] == before["idempotencyKey"]


def test_an_unclaimed_attempt_that_still_queues_is_left_alone(world: World) -> None:
    start(world)
    world.run()
    (job,) = world.workers.jobs.values()
    world.advance(60)
    world.run()
    assert list(world.workers.jobs.values()) == [job]


def test_a_job_that_got_lost_before_it_was_claimed_is_handed_out_again(world: World) -> None:
    start(world)
    world.run()
    world.workers.jobs.clear()
    world.advance(20)
    world.run()
    assert world.settle() == ["one", "two"]


def test_a_second_engine_takes_over_when_the_first_falls_silent(world: World) -> None:
    start(world)
    world.run()
    world.advance(6)
    other = world.another_engine("two")
    world.run(other)
    assert len(other.owned) == world.store.partitions
    world.work()
    world.run(other)
    assert [entry["t"] for entry in world.history(world.only())][-1] == world.now_ms


def test_an_engine_that_lost_its_lease_commits_nothing(world: World) -> None:
    world.run()
    world.engine._leases_at_ms = world.now_ms + 10**9
    world.advance(6)
    other = world.another_engine("two")
    world.run(other)
    start(world)
    assert world.run() >= 0
    assert world.instances() == []
    world.run(other)
    assert len(world.instances()) == 1


def test_a_commit_whose_reply_was_lost_is_applied_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from stepwell_store.errors import StoreUnavailable

    real = world.store.commit
    lost: list[int] = []

    def flaky(commits: Any) -> list[CommitResult]:
        results = real(commits)
        if not lost:
            lost.append(1)
            raise StoreUnavailable("the reply was lost")
        return results

    monkeypatch.setattr(world.store, "commit", flaky)
    start(world)
    assert world.settle() == ["one", "two"]
    assert [entry["n"] for entry in world.history(world.only())] == [1, 2, 3]


def test_an_engine_that_fails_between_reading_and_committing_loses_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stepwell_store.errors import StoreUnavailable

    real = world.store.load
    failures = iter([True])

    def flaky(*arguments: Any) -> Any:
        if next(failures, False):
            raise StoreUnavailable("away")
        return real(*arguments)

    start(world)
    monkeypatch.setattr(world.store, "load", flaky)
    with pytest.raises(StoreUnavailable):
        world.run()
    assert world.settle() == ["one", "two"]


@pytest.mark.usefixtures("replaceable")
def test_a_record_that_breaks_the_engine_quarantines_its_instance_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(world, "good")
    start(world, "bad")
    world.run()
    real = decide

    def poisoned(program: Any, instance: Any, record: Any) -> Any:
        if instance.id == "bad":
            raise ZeroDivisionError("planted")
        return real(program, instance, record)

    monkeypatch.setattr(execution, "decide", poisoned)
    world.settle()
    by_id = {instance.id: instance for instance in world.instances()}
    assert by_id["good"].status == "succeeded"
    assert by_id["bad"].status == "quarantined"
    assert "planted" in (by_id["bad"].cause or "")
    monkeypatch.setattr(execution, "decide", real)
    world.request(world.partition("bad"), op="release", instance="bad")
    assert world.settle() == ["two"]
    assert {instance.status for instance in world.instances()} == {"succeeded"}


@pytest.mark.usefixtures("replaceable")
def test_a_quarantined_instance_can_be_cancelled(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    start(world)
    world.run()
    with monkeypatch.context() as patch:
        patch.setattr(execution, "decide", lambda *_: 1 / 0)
        world.work()
        world.run()
    assert world.only().status == "quarantined"
    record = {"kind": "CancelRequested", "time_ms": 0, "reason": "enough", "actor": "me"}
    world.request(world.partition("run"), op="deliver", instance="run", record=record)
    world.run()
    assert (world.only().status, world.only().held) == ("cancelled", [])
    page, _ = world.store.instances(InstanceFilter(statuses=("cancelled",)), ["two-steps"], 10, None)
    assert len(page) == 1


def test_a_start_for_a_busy_device_is_answered_with_the_first(world: World) -> None:
    answers: list[dict[str, Any]] = []
    with world.store.listen("here", lambda raw: answers.append(orjson.loads(raw))):
        for n, id in enumerate(("a", "b")):
            start(world, id, world.partition("d"), device="d", reply={"channel": "here", "id": str(n)})
        world.run()
    assert [(answer["status"], answer["instance"], answer.get("state")) for answer in answers] == [
        ("started", "a", "running"),
        ("conflict", "a", None),
    ]
    assert len(world.instances()) == 1


def test_a_start_is_answered_with_the_state_it_has_come_to(world: World) -> None:
    world.deploy(
        "{id: at-once, version: 1.0.0, configuration: {timeout: P1D}, startAt: End, states: {End: {type: succeed}}}"
    )
    answers: list[dict[str, Any]] = []
    with world.store.listen("here", lambda raw: answers.append(orjson.loads(raw))):
        for n in range(2):
            world.request(
                0,
                op="start",
                instance="a",
                definition="at-once",
                version=None,
                input={},
                reply={"channel": "here", "id": str(n)},
            )
            world.run()
    assert [(answer["status"], answer["state"]) for answer in answers] == [("started", "succeeded")] * 2


def test_malformed_inbox_entries_become_dead_letters(world: World) -> None:
    world.store.append_records(
        0, [b"junk", b'{"op":"explode"}', b'{"op":"deliver","instance":"x","record":{"kind":"No"}}']
    )
    start(world)
    world.settle()
    assert len(world.dead()) == 3
    assert world.only().status == "succeeded"


PARENT = """
id: parent
version: 1.0.0
startAt: Child
states:
  Child: {type: task, workflow: two-steps@1, input: {n: 5}, resultPath: $.state.child, end: true}
"""


def test_a_child_workflow_runs_and_its_end_moves_the_parent_on(world: World) -> None:
    world.deploy(PARENT)
    world.request(world.partition("p"), op="start", instance="p", definition="parent", version=None, input={})
    assert world.settle() == ["one", "two"]
    assert [instance.status for instance in world.instances()] == ["succeeded", "succeeded"]


def test_cancelling_the_parent_cancels_the_child(world: World) -> None:
    world.deploy(PARENT)
    world.request(world.partition("p"), op="start", instance="p", definition="parent", version=None, input={})
    world.run()
    record = {"kind": "CancelRequested", "time_ms": 0, "reason": "enough", "actor": "me"}
    world.request(world.partition("p"), op="deliver", instance="p", record=record)
    world.run()
    assert [instance.status for instance in world.instances()] == ["cancelled", "cancelled"]
    assert all(world.store.attempts(number) == {} for number in range(world.store.partitions))


def test_an_event_raised_twice_under_one_id_is_applied_once(world: World) -> None:
    world.deploy(TWICE)
    world.request(0, op="start", instance="run", definition="twice", version=None, input={})
    world.run()
    event = {"id": "mine", "source": "stepwell:instance/run", "type": "Go", "device": None, "time": None}
    record = {
        "kind": "EventOffered",
        "time_ms": 0,
        "event": event | {"data": None, "received": 0},
        "raised": True,
    }
    answers: list[bytes] = []
    with world.store.listen("answers", answers.append):
        for number in range(2):
            reply = {"channel": "answers", "id": number}
            world.request(0, op="deliver", instance="run", record=record, once=True, reply=reply)
            if number == 0:
                world.run()
        world.request(0, op="deliver", instance="run", record=record, once=True)
        world.run()
    assert [orjson.loads(answer)["status"] for answer in answers] == ["consumed", "consumed"]
    assert world.only().status == "running"
    assert [line[2] for line in world.dispositions("mine")] == ["consumed", "duplicate", "duplicate"]


TWICE = """
id: twice
version: 1.0.0
events: {Go: {}}
startAt: One
states:
  One: {type: wait, event: Go, timeout: PT1H, timeoutNext: Done, resultPath: null, next: Two}
  Two: {type: wait, event: Go, timeout: PT1H, timeoutNext: Done, resultPath: null, next: Done}
  Done: {type: succeed}
"""
