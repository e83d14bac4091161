"""Results that are told and not written: what reaches the disk when, and what a server finds that died in between."""

from collections.abc import Iterator
from typing import Any

import pytest
from activities.hands_bench import Bench, worker_of
from activities.told_results import (
    accept_with_a_clock_behind,
    apply,
    apply_alone,
    bytes_written,
    kill_and_start,
    open_bench,
    outcome_of,
    told_result,
)
from activity_world import offer, reported
from redis import Redis
from redis.exceptions import NoPermissionError
from stepwell_activities.attempt import now_ms, parse_attempt
from stepwell_activities.claiming import claiming_of
from stepwell_activities.decorator import activity
from stepwell_activities.taking import NOT_WANTED, Finished, Taker
from stepwell_store.batches import START
from stepwell_store.embedded import EmbeddedServer
from stepwell_store.positions import parse_position


@pytest.fixture
def written(durable_server: EmbeddedServer, namespace: str) -> Iterator[Bench]:
    """On a server that writes everything to disk; the inbox of partition 0 is there and applied."""
    bench = open_bench(durable_server, namespace)
    bench.store.append_records(0, [b'{"op":"before"}'])
    apply(bench)
    yield bench
    bench.store.close()
    bench.close()


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


def test_a_result_is_written_where_the_memory_is_full(written: Bench) -> None:
    """It frees what the job takes; the engine frees the rest."""
    hands = written.hands("one")
    token, shown, hand = written.laid_in(hands)
    before = bytes_written(written.connection)
    written.connection.config_set("maxmemory", 1)
    assert hand.finish(outcome_of(shown)) is True
    written.connection.config_set("maxmemory", 0)
    assert bytes_written(written.connection) > before
    assert [entry["record"]["token"] for entry in reported(written.store)] == [token]
    assert not written.connection.exists(f"rq:job:{token}")


@pytest.mark.parametrize("hindrance", ["not allowed", "deleted behind"])
def test_the_position_of_what_was_told_is_written_where_it_cannot_be_set(
    durable_server: EmbeddedServer, written: Bench, hindrance: str
) -> None:
    token, told = told_result(written, written.hands("one"))
    if hindrance == "not allowed":
        client: Any = written.connection
        client.execute_command("ACL", "SETUSER", "default", "-xsetid")
    else:
        [behind] = written.store.append_records(0, [b"{}"])
        written.connection.xdel(f"{{{written.namespace}:0}}:inbox", behind)
    apply(written, token)
    assert reported(written.store) == []
    kill_and_start(durable_server)
    assert written.store.claims(0, [token]) == {}
    found: Any = written.connection.xinfo_stream(f"{{{written.namespace}:0}}:inbox")
    assert parse_position(found["last-generated-id"].decode()) >= parse_position(told.id)
    assert found["length"] == 0


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


def test_a_result_is_written_where_nobody_may_ask_for_replicas(
    durable_server: EmbeddedServer, written: Bench
) -> None:
    written.connection.acl_setuser(
        "limited", enabled=True, passwords=["+word"], categories=["+@all"], commands=["-info"], keys=["*"]
    )
    socket_path = written.connection.connection_pool.connection_kwargs["path"]
    limited = Bench(
        written.store,
        Redis(unix_socket_path=socket_path, username="limited", password="word", protocol=2),
        written.namespace,
    )
    with pytest.raises(NoPermissionError):
        limited.connection.info("replication")
    hands = limited.hands("one")
    token, shown, hand = limited.laid_in(hands)
    before = bytes_written(written.connection)
    assert hand.finish(outcome_of(shown)) is True
    assert bytes_written(written.connection) > before
    assert [entry["record"]["token"] for entry in reported(written.store)] == [token]
    limited.close()


def test_a_result_is_told_where_the_attempt_is_ours_already(written: Bench) -> None:
    """As after a claim whose reply was lost, and the job put back into the same hands."""
    hands = written.hands("one")
    token, shown, hand = written.laid_in(hands)
    worker = written.runtimes[-1].worker
    assert written.store.claim_many([(0, token)], worker, now_ms(), 10_000) != [None]
    assert hand.finish(outcome_of(shown)) is True
    assert [entry["record"]["token"] for entry in reported(written.store)] == [token]


def test_the_first_entry_of_an_inbox_is_written(durable_server: EmbeddedServer, namespace: str) -> None:
    bench = open_bench(durable_server, namespace)
    hands = bench.hands("one")
    token, shown, hand = bench.laid_in(hands)
    assert hand.finish(outcome_of(shown)) is True
    assert not bench.connection.exists(f"rq:job:{token}")
    kill_and_start(durable_server)
    assert len(reported(bench.store)) == 1
    bench.store.close()
    bench.close()


def test_a_server_that_dies_before_the_commit_has_the_job_still_in_hand_and_it_is_done_again(
    durable_server: EmbeddedServer, written: Bench, signals: None
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
    kill_and_start(durable_server)
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
    durable_server: EmbeddedServer, written: Bench
) -> None:
    hands = written.hands("one")
    token, shown, hand = written.laid_in(hands)
    assert hand.finish(outcome_of(shown)) is True
    position = apply(written, token)
    kill_and_start(durable_server)
    assert (written.in_hand(hands), written.connection.exists(f"rq:job:{token}")) == ([], 0)
    prefix = f"{{{written.namespace}:0}}:"
    inbox: Any = written.connection.xinfo_stream(prefix + "inbox")
    assert inbox["last-generated-id"].decode() == position
    assert written.connection.hexists(prefix + "attempts", token) is False
    assert written.connection.zscore(prefix + "deadlines", token) is None


def test_what_is_written_behind_a_told_result_keeps_its_position(
    durable_server: EmbeddedServer, written: Bench
) -> None:
    token, told = told_result(written, written.hands("one"))
    written.store.append_records(0, [b'{"op":"behind"}'])
    assert apply_alone(written, token, told) == "committed"
    kill_and_start(durable_server)
    [behind] = written.store.read(None, {0: told.id}, 10, None).inboxes[0]
    assert behind.fields == {b"r": b'{"op":"behind"}'}


@pytest.mark.parametrize("same", [False, True])
def test_nothing_is_applied_of_a_result_that_the_server_has_forgotten(
    durable_server: EmbeddedServer, written: Bench, same: bool
) -> None:
    """A server whose clock went back may give positions before the told one to what it accepts then."""
    token, told = told_result(written, written.hands("one"))
    kill_and_start(durable_server)
    accept_with_a_clock_behind(written, told.id, b'{"op":"accepted"}', same)
    assert apply_alone(written, token, told) == "stale"
    [accepted] = written.store.read(None, {0: START}, 10, None).inboxes[0]
    assert accepted.fields == {b"r": b'{"op":"accepted"}'}


def test_a_turn_leaves_what_is_told_in_hand_and_takes_what_lies_behind_it(
    durable_server: EmbeddedServer, written: Bench
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
    kill_and_start(durable_server)
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
