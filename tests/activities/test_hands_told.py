"""Results that are told and not written: what reaches the disk when, and what a server finds that died in between."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
from activities.hands_bench import Bench, number, worker_of
from activity_world import new_token, offer, reported
from end_to_end.process import wait_until
from redis import Redis
from stepwell_activities.attempt import Outcome, now_ms, parse_attempt
from stepwell_activities.claiming import claiming_of
from stepwell_activities.decorator import activity
from stepwell_activities.hands import Shown
from stepwell_activities.registry import publish as publish_activities
from stepwell_activities.taking import NOT_WANTED, Finished, Taker
from stepwell_activities.watching import QueueWatcher
from stepwell_engine.catalog import publish
from stepwell_engine.dispatch import ended_job
from stepwell_engine.loop import Engine
from stepwell_store.batches import START, Commit
from stepwell_store.embedded import EmbeddedServer
from stepwell_store.errors import StoreUnavailable
from stepwell_store.open import open_redis
from stepwell_store.positions import parse_position
from stepwell_store.protocol import Store
from stepwell_store.redis_lane import RedisLane
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


def apply(bench: Bench, *ended_attempts: str, forgets: bool = True) -> str:
    """As the engine does: everything in the inbox in one commit, which ends these attempts. Its last position."""
    store: Store = bench.store
    owner = store.acquire(0, "test", 60_000)
    assert owner is not None
    entries = store.read(None, {0: START}, 1_000, None).inboxes[0]
    told = [entry for entry in entries if b"h" in entry.fields]
    change = Commit(0, owner.epoch, owner.revision, new_token(), 1, entries[-1].id, START)
    change.unwritten = told[0].id if told else None
    change.attempts = dict.fromkeys(ended_attempts)
    change.handing = bench.dispatcher.handing([], [ended_job(entry) for entry in told]) if forgets else None
    [result] = store.lane().commit([change]).wait()
    assert result.status == "committed"
    assert result.is_handed or not told or not forgets
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
    written.hand_out(*offer(written.store, "number", {"n": 8}))
    assert hands.finish(written.queue, token, outcome_of(shown)) == (True, True)
    assert written.in_hand(hands) == [token]
    assert len(reported(written.store)) == 1
    apply(written, token)
    assert hands.finish(written.queue, token, outcome_of(shown)) == (False, True)
    assert reported(written.store) == []


def test_a_result_is_written_where_the_inbox_holds_what_the_engine_has_not_applied(written: Bench) -> None:
    hands = written.hands("one")
    written.store.append_records(0, [b'{"op":"waits"}'])
    token, shown, hand = written.laid_in(hands)
    before = bytes_written(written.connection)
    assert hand.finish(outcome_of(shown)) is True
    assert bytes_written(written.connection) > before
    assert (written.in_hand(hands), written.connection.exists(f"rq:job:{token}")) == ([], 0)
    [_, result] = written.store.read(None, {0: START}, 10, None).inboxes[0]
    assert list(result.fields) == [b"r"], "nobody has to forget its job"


def test_a_result_is_written_where_a_turn_follows_that_takes_what_is_in_hand(written: Bench) -> None:
    hands = written.hands("one")
    token, shown, hand = written.laid_in(hands)
    written.hand_out(*offer(written.store, "number", {"n": 8}))
    assert hand.finish(outcome_of(shown)) is True
    assert hand.more
    assert (written.in_hand(hands), written.connection.exists(f"rq:job:{token}")) == ([], 0)


def test_a_result_is_written_where_its_job_is_claimed_on_the_disk(written: Bench) -> None:
    """The reply to the claim was lost just before."""
    hands = written.hands("one")
    token, shown, hand = written.laid_in(hands)
    assert hands.claim(written.queue, token, 0) is True
    before = bytes_written(written.connection)
    assert hand.finish(outcome_of(shown)) is True
    assert bytes_written(written.connection) > before
    assert [entry["record"]["token"] for entry in reported(written.store)] == [token]
    assert not written.connection.exists(f"rq:stepwell:taken:{written.queue}", f"rq:job:{token}")


def test_the_result_of_a_job_that_was_put_back_is_not_told(written: Bench) -> None:
    hands = written.hands("one")
    _, shown, hand = written.laid_in(hands)
    assert hands.put_back() == 1
    written.connection.ltrim(f"rq:queue:{written.queue}", 1, 0)  # another has taken it
    assert hand.finish(outcome_of(shown)) is True
    assert reported(written.store) == []


def test_a_result_is_written_where_no_engine_has_the_partition(written: Bench) -> None:
    hands = written.hands("one")
    token, shown, hand = written.laid_in(hands)
    written.store.release("test", 0)
    before = bytes_written(written.connection)
    assert hand.finish(outcome_of(shown)) is True
    assert bytes_written(written.connection) > before
    assert not written.connection.exists(f"rq:job:{token}")


def test_a_result_is_written_where_a_replica_follows(written: Bench) -> None:
    hands = written.hands("one")
    token, shown, hand = written.laid_in(hands)
    replica: Any = written.connection.connection_pool.get_connection()
    replica.send_command("PSYNC", "?", "-1")
    assert replica._sock.recv(11) == b"+FULLRESYNC"
    before = bytes_written(written.connection)
    assert hand.finish(outcome_of(shown)) is True
    replica.disconnect()
    assert bytes_written(written.connection) > before
    assert not written.connection.exists(f"rq:job:{token}")


def test_a_result_is_told_where_the_attempt_is_ours_already(written: Bench) -> None:
    """As after a claim whose reply was lost, and the job put back into the same hands."""
    hands = written.hands("one")
    token, shown, hand = written.laid_in(hands)
    worker = written.runtimes[-1].worker
    assert written.store.claim_many([(0, token)], worker, now_ms(), 10_000) != [None]
    assert hand.finish(outcome_of(shown)) is True
    assert [entry["record"]["token"] for entry in reported(written.store)] == [token]


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
    change = Commit(0, owner.epoch, owner.revision, new_token(), 1, told.id, START, unwritten=told.id)
    change.attempts = {token: None}
    assert written.store.commit([change])[0].status == "committed"
    kill_and_start(server)
    [behind] = written.store.read(None, {0: told.id}, 10, None).inboxes[0]
    assert behind.fields == {b"r": b'{"op":"behind"}'}


def test_nothing_is_applied_of_a_result_that_the_server_has_forgotten(
    server: EmbeddedServer, written: Bench
) -> None:
    """A server whose clock went back may give positions before the told one to what it accepts then."""
    hands = written.hands("one")
    token, shown, hand = written.laid_in(hands)
    assert hand.finish(outcome_of(shown)) is True
    [told] = written.store.read(None, {0: START}, 10, None).inboxes[0]
    kill_and_start(server)
    accept_before(written, told.id, b'{"op":"accepted"}')
    owner = written.store.acquire(0, "test", 60_000)
    assert owner is not None
    change = Commit(0, owner.epoch, owner.revision, new_token(), 1, told.id, START, unwritten=told.id)
    change.attempts = {token: None}
    assert written.store.commit([change])[0].status == "stale"
    [accepted] = written.store.read(None, {0: START}, 10, None).inboxes[0]
    assert accepted.fields == {b"r": b'{"op":"accepted"}'}


def accept_before(bench: Bench, position: str, record: bytes, partition: int = 0) -> None:
    """As a server appends whose clock is behind."""
    inbox = f"{{{bench.namespace}:{partition}}}:inbox"
    found: Any = bench.connection.xinfo_stream(inbox)
    milliseconds, _, number = found["last-generated-id"].decode().partition("-")
    given: Any = bench.connection.xadd(inbox, {"r": record}, id=f"{milliseconds}-{int(number) + 1}")
    assert parse_position(given.decode()) < parse_position(position)


def test_a_turn_leaves_what_is_told_in_hand_and_takes_what_lies_behind_it(
    server: EmbeddedServer, written: Bench
) -> None:
    hands = written.hands("one")
    worker = f"{written.namespace}-one"
    taker = Taker(written.connection, [written.queue], worker, 60, claiming_of(written.runtimes[-1]))
    token, shown, hand = written.laid_in(hands)
    assert hand.finish(outcome_of(shown)) is True
    assert taker.turn(1, Finished([])) == (False, [])
    assert written.in_hand(hands) == [token]
    [behind] = offer(written.store, "number", {"n": 8})
    written.hand_out(behind)
    _, [taken] = taker.turn(5, Finished([]))
    assert (taken.id, written.in_hand(hands)) == (behind, [token])
    kill_and_start(server)
    _, [again] = taker.turn(5, Finished([]))
    assert again.id == token
    assert parse_attempt(again.claim).input == {"n": 7}, "the server has forgotten the result"


def test_a_turn_takes_what_is_in_hand_and_claimed_but_not_told(written: Bench) -> None:
    hands = written.hands("one")
    token, _, _ = written.laid_in(hands)
    runtime = written.runtimes[-1]
    assert written.store.claim_many([(0, token)], runtime.worker, now_ms(), 10_000) != [None]
    taker = Taker(written.connection, [written.queue], f"{written.namespace}-one", 60, claiming_of(runtime))
    _, [taken] = taker.turn(1, Finished([]))
    assert parse_attempt(taken.claim).token == token


def test_a_turn_forgets_what_is_told_and_was_put_back(written: Bench) -> None:
    hands = written.hands("one")
    token, shown, hand = written.laid_in(hands)
    assert hand.finish(outcome_of(shown)) is True
    assert hands.put_back() == 1
    claiming = claiming_of(written.runtimes[-1])
    taker = Taker(written.connection, [written.queue], f"{written.namespace}-one", 60, claiming)
    _, [taken] = taker.turn(1, Finished([]))
    assert (taken.id, taken.claim) == (token, NOT_WANTED)


def test_a_turn_forgets_a_job_in_hand_whose_result_is_applied(written: Bench) -> None:
    """Where the commit could not forget it: its script was lost, or the engine hands jobs out by another server."""
    hands = written.hands("one")
    worker = f"{written.namespace}-one"
    taker = Taker(written.connection, [written.queue], worker, 60, claiming_of(written.runtimes[-1]))
    token, shown, hand = written.laid_in(hands)
    assert hand.finish(outcome_of(shown)) is True
    apply(written, token, forgets=False)
    assert written.in_hand(hands) == [token]
    _, jobs = taker.turn(1, Finished([]))
    assert [(job.id, job.claim) for job in jobs] == [(token, NOT_WANTED)]
    taker.turn(1, Finished(jobs))
    assert not written.connection.exists(f"rq:job:{token}", hands.key(written.queue))


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


class Followed:
    """An engine that a test leads step by step, and two workflows of one partition."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.store = bench, bench.store
        self.hands = bench.hands("one")
        self.engine = Engine(bench.store, bench.dispatcher, "engine", handing=bench.dispatcher.handing)
        publish_activities(bench.runtimes[-1].runner.registry, bench.store)
        assert publish(bench.store, WORKFLOW, now_ms=0).problems == []

    def record(self, key: str) -> bytes:
        """What asks for a workflow in partition 0."""
        about = {"instance": f"two~{key}~0", "definition": "two", "version": None}
        return orjson.dumps({"op": "start", **about, "input": {}})

    def status(self, key: str) -> str | None:
        stored = self.store.instance(0, f"two~{key}~0")
        return None if stored is None else orjson.loads(stored)["status"]

    def next_in_hand(self, watcher: QueueWatcher) -> Shown:
        found: list[Shown] = []

        def is_shown() -> bool:
            self.engine.step(1)
            found.extend(filter(None, [watcher.wait(0.001)]))
            return bool(found)

        wait_until(is_shown, 30, "a job is in hand")
        return found[0]

    def forgets(self) -> bool:
        """One more round of the engine; whether nothing is in hand any more."""
        self.engine.step(1)
        return not self.bench.in_hand(self.hands)


def last_given(bench: Bench, partition: int = 0) -> str:
    found: Any = bench.connection.xinfo_stream(f"{{{bench.namespace}:{partition}}}:inbox")
    return str(found["last-generated-id"].decode())


def test_the_engine_applies_what_is_told_and_forgets_the_job_in_the_same_commit(
    server: EmbeddedServer, namespace: str
) -> None:
    bench = open_bench(server, namespace)
    followed = Followed(bench)
    bench.store.append_records(0, [followed.record("x")])
    told: list[str] = []
    with QueueWatcher(bench.connection, [bench.queue], followed.hands) as watcher:
        for number in (1, 2):
            shown = followed.next_in_hand(watcher)
            assert shown.hand is not None
            assert parse_attempt(shown.payload).input == {"n": number}
            before = bytes_written(bench.connection)
            assert shown.hand.finish(outcome_of(shown, b"%d" % number)) is True
            assert bytes_written(bench.connection) == before
            assert bench.in_hand(followed.hands) == [shown.id]
            told.append(shown.id)
            wait_until(followed.forgets, 30, "the job is forgotten")
            assert not bench.connection.exists(*(f"rq:job:{token}" for token in told))
    assert followed.status("x") == "succeeded"
    before_it = last_given(bench)
    kill_and_start(server)
    assert followed.status("x") == "succeeded"
    assert last_given(bench) == before_it
    bench.store.close()
    bench.close()


def test_what_is_accepted_while_the_engine_repeats_its_commit_to_a_server_that_has_forgotten_the_result_is_applied(
    server: EmbeddedServer, namespace: str, monkeypatch: pytest.MonkeyPatch, signals: None
) -> None:
    bench = open_bench(server, namespace)
    followed = Followed(bench)
    bench.store.append_records(0, [followed.record("x")])
    with QueueWatcher(bench.connection, [bench.queue], followed.hands) as watcher:
        shown = followed.next_in_hand(watcher)
    assert shown.hand is not None
    followed.engine.step(1)
    assert shown.hand.finish(outcome_of(shown)) is True
    [told] = bench.store.read(None, {0: START}, 10, None).inboxes[0]
    commit = RedisLane.commit
    sent: list[Any] = []

    def killed_before(lane: RedisLane, commits: Any) -> Any:
        if not sent:
            kill_and_start(server)
            accept_before(bench, told.id, followed.record("y"))
        sent.append(commits)
        return commit(lane, commits)

    monkeypatch.setattr(RedisLane, "commit", killed_before)
    worker = worker_of(bench, number)

    def both_succeed() -> bool:
        with suppress(StoreUnavailable):
            followed.engine.step(1)
        followed.hands.put_back()
        worker.work(burst=True)
        return (followed.status("x"), followed.status("y")) == ("succeeded", "succeeded")

    wait_until(both_succeed, 30, "both workflows succeed")
    assert [one.unwritten for one in sent[0]] == [told.id]
    bench.store.close()
    bench.close()
