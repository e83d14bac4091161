"""Results that are told and not written: what reaches the disk when, and what a server finds that died in between."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from activities.hands_bench import Bench, worker_of
from activity_world import new_token, offer, reported
from redis import Redis
from stepwell_activities.attempt import Outcome, now_ms, parse_attempt
from stepwell_activities.decorator import activity
from stepwell_activities.hands import Shown
from stepwell_activities.registry import publish as publish_activities
from stepwell_activities.watching import QueueWatcher
from stepwell_engine.catalog import publish
from stepwell_engine.dispatch import ended_in_hand
from stepwell_engine.loop import Engine
from stepwell_store.batches import START, Commit
from stepwell_store.embedded import EmbeddedServer
from stepwell_store.open import open_redis
from stepwell_store.partition import instance_id, partition_of
from stepwell_store.protocol import Store
from stepwell_store.redis_store import RedisStore


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(tmp_path, "fsync")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def written(server: EmbeddedServer, namespace: str) -> Iterator[Bench]:
    """On a server that writes everything to disk; the inbox of partition 0 is there and applied."""
    bench = open_bench(server, namespace)
    bench.store.append_records(0, [b'{"op":"before"}'])
    apply(bench)
    yield bench
    bench.store.close()
    bench.close()


def open_bench(server: EmbeddedServer, namespace: str) -> Bench:
    return Bench(
        RedisStore(open_redis(server.url), namespace, partitions=4), open_redis(server.url), namespace
    )


def outcome_of(shown: Shown, output: bytes = b"7") -> Outcome:
    return Outcome(parse_attempt(shown.payload), now_ms(), output=output)


def bytes_written(connection: Redis) -> int:
    found: Any = connection.info("persistence")
    return int(found["aof_current_size"])


def apply(bench: Bench, *ended_attempts: str) -> str:
    """As the engine does: everything in the inbox in one commit, which ends these attempts. Its last position."""
    store: Store = bench.store
    owner = store.acquire(0, "test", 60_000)
    assert owner is not None
    entries = store.read(None, {0: START}, 1_000, None).inboxes[0]
    ended = ended_in_hand(entries)
    change = Commit(0, owner.epoch, owner.revision, new_token(), 1, entries[-1].id, START, told=bool(ended))
    change.attempts = dict.fromkeys(ended_attempts)
    change.handing = bench.dispatcher.handing([], ended)
    [result] = store.lane().commit([change]).wait()
    assert result.status == "committed"
    assert result.is_handed or not ended
    return entries[-1].id


def kill_and_start(server: EmbeddedServer) -> None:
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    server.start()
    assert server.pid != pid


def test_a_told_result_waits_for_no_disk_and_its_job_stays_in_hand_until_the_commit(written: Bench) -> None:
    hands = written.hands("one")
    token, shown, hand = written.laid_in(hands)
    before = bytes_written(written.connection)
    assert hand.finish(outcome_of(shown)) is True
    assert bytes_written(written.connection) == before
    assert [entry["record"]["output"] for entry in reported(written.store)] == [7]
    assert written.store.claims(0, [token])[token].worker == written.runtimes[-1].worker
    assert written.in_hand(hands) == [token]
    assert written.connection.exists(f"rq:job:{token}")
    apply(written, token)
    assert bytes_written(written.connection) > before
    assert reported(written.store) == []
    assert written.in_hand(hands) == []
    assert not written.connection.exists(f"rq:job:{token}")


def test_a_told_result_whose_reply_was_lost_is_told_once(written: Bench) -> None:
    hands = written.hands("one")
    token, shown, _ = written.laid_in(hands)
    before = bytes_written(written.connection)
    for _ in range(2):
        assert hands.finish(written.queue, token, outcome_of(shown)) == (True, False)
    assert bytes_written(written.connection) == before
    assert len(reported(written.store)) == 1
    apply(written, token)
    assert hands.finish(written.queue, token, outcome_of(shown)) == (False, False)
    assert reported(written.store) == []


def test_a_result_is_written_where_the_inbox_holds_what_the_engine_has_not_applied(written: Bench) -> None:
    hands = written.hands("one")
    written.store.append_records(0, [b'{"op":"waits"}'])
    token, shown, hand = written.laid_in(hands)
    before = bytes_written(written.connection)
    assert hand.finish(outcome_of(shown)) is True
    assert bytes_written(written.connection) > before
    assert (written.in_hand(hands), written.connection.exists(f"rq:job:{token}")) == ([], 0)


def test_a_result_is_written_where_a_turn_follows_that_takes_what_is_in_hand(written: Bench) -> None:
    hands = written.hands("one")
    token, shown, hand = written.laid_in(hands)
    written.hand_out(*offer(written.store, "number", {"n": 8}))
    assert hand.finish(outcome_of(shown)) is True
    assert hand.more
    assert (written.in_hand(hands), written.connection.exists(f"rq:job:{token}")) == ([], 0)


def test_the_first_entry_of_an_inbox_is_written(server: EmbeddedServer, namespace: str) -> None:
    bench = open_bench(server, namespace)
    hands = bench.hands("one")
    token, shown, hand = bench.laid_in(hands)
    assert hand.finish(outcome_of(shown)) is True
    assert not bench.connection.exists(f"rq:job:{token}")
    kill_and_start(server)
    assert len(reported(bench.store)) == 1
    bench.store.close()
    bench.close()


def test_a_server_that_dies_before_the_commit_has_the_job_still_in_hand_and_it_is_done_again(
    server: EmbeddedServer, written: Bench, signals: None
) -> None:
    numbers: list[int] = []

    @activity("number")
    def number(n: int) -> int:
        numbers.append(n)
        return n

    worker = worker_of(written, number)
    hands = written.hands(worker.name.removeprefix(f"{written.namespace}-"))
    token, shown, hand = written.laid_in(hands)
    assert hand.finish(outcome_of(shown, b"1")) is True
    assert len(reported(written.store)) == 1
    kill_and_start(server)
    assert reported(written.store) == []
    assert written.store.claims(0, [token]) == {}
    assert written.in_hand(hands) == [token]
    hands.put_back()
    worker.work(burst=True)
    assert numbers == [7]
    assert [entry["record"]["output"] for entry in reported(written.store)] == [7]
    apply(written, token)
    assert not written.connection.exists(f"rq:job:{token}")


def test_a_server_that_dies_after_the_commit_has_neither_job_nor_attempt_and_gives_no_position_twice(
    server: EmbeddedServer, written: Bench
) -> None:
    hands = written.hands("one")
    token, shown, hand = written.laid_in(hands)
    assert hand.finish(outcome_of(shown)) is True
    position = apply(written, token)
    kill_and_start(server)
    assert (written.in_hand(hands), written.connection.exists(f"rq:job:{token}")) == ([], 0)
    prefix = f"{{{written.namespace}:0}}:"
    inbox: Any = written.connection.xinfo_stream(prefix + "inbox")
    assert inbox["last-generated-id"].decode() == position
    assert written.connection.hexists(prefix + "attempts", token) is False
    assert written.connection.zscore(prefix + "deadlines", token) is None


def test_what_is_written_behind_a_told_result_keeps_its_position(
    server: EmbeddedServer, written: Bench
) -> None:
    hands = written.hands("one")
    token, shown, hand = written.laid_in(hands)
    assert hand.finish(outcome_of(shown)) is True
    [told] = written.store.read(None, {0: START}, 10, None).inboxes[0]
    written.store.append_records(0, [b'{"op":"behind"}'])
    owner = written.store.acquire(0, "test", 60_000)
    assert owner is not None
    change = Commit(0, owner.epoch, owner.revision, new_token(), 1, told.id, START, told=True)
    change.attempts = {token: None}
    assert written.store.commit([change])[0].status == "committed"
    kill_and_start(server)
    [behind] = written.store.read(None, {0: told.id}, 10, None).inboxes[0]
    assert behind.fields == {b"r": b'{"op":"behind"}'}


def test_a_result_that_is_told_and_never_applied_is_nobodys_to_do_again_while_the_server_lives(
    written: Bench, signals: None
) -> None:
    numbers: list[int] = []

    @activity("number")
    def number(n: int) -> int:
        numbers.append(n)
        return n

    hands = written.hands("one")
    token, shown, hand = written.laid_in(hands)
    assert hand.finish(outcome_of(shown)) is True
    other = written.hands("other")
    assert other.recover() == 1, "it lay there at the look before, too"
    worker_of(written, number).work(burst=True)
    assert numbers == []
    assert len(reported(written.store)) == 1
    assert not written.connection.exists(f"rq:job:{token}")


WORKFLOW = """
id: two
version: 1.0.0
startAt: A
states:
  A: {type: task, activity: number, input: {n: 1}, resultPath: null, next: B}
  B: {type: task, activity: number, input: {n: 2}, end: true}
"""


def test_the_engine_applies_what_is_told_and_forgets_the_job_in_the_same_commit(
    server: EmbeddedServer, namespace: str
) -> None:
    bench = open_bench(server, namespace)
    store, hands = bench.store, bench.hands("one")
    engine = Engine(store, bench.dispatcher, "engine", handing=bench.dispatcher.handing)
    publish_activities(bench.runtimes[-1].runner.registry, store)
    assert publish(store, WORKFLOW, now_ms=0).problems == []
    id = instance_id("two", "x", partition_of("x", store.partitions))
    partition = int(id.rpartition("~")[2])
    start: dict[str, Any] = {"op": "start", "instance": id, "definition": "two", "version": None, "input": {}}
    store.append_records(partition, [orjson.dumps(start)])
    told: list[str] = []
    with QueueWatcher(bench.connection, [bench.queue], hands) as watcher:
        for number in (1, 2):
            while (shown := watcher.wait(0.001)) is None:
                engine.step(1)
            assert shown.hand is not None
            assert parse_attempt(shown.payload).input == {"n": number}
            before = bytes_written(bench.connection)
            assert shown.hand.finish(outcome_of(shown, b"%d" % number)) is True
            assert bytes_written(bench.connection) == before
            assert bench.in_hand(hands) == [shown.id]
            told.append(shown.id)
            while bench.in_hand(hands):
                engine.step(1)
            assert not bench.connection.exists(*(f"rq:job:{token}" for token in told))
    stored = store.instance(partition, id)
    assert stored is not None
    assert orjson.loads(stored)["status"] == "succeeded"
    kill_and_start(server)
    assert store.instance(partition, id) == stored
    store.close()
    bench.close()
