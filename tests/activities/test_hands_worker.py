"""A worker's loop with jobs in hand, in this process: what it begins, once, and what it leaves to others."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from activities.hands_bench import Bench, await_wait, number, run_beside, worker_of
from activity_world import offer, reported
from end_to_end.process import wait_until
from stepwell_activities.attempt import Outcome
from stepwell_activities.decorator import activity
from stepwell_activities.hands import Hands
from stepwell_activities.taking import Finished, Taker
from stepwell_activities.watching import QueueWatcher
from stepwell_activities.worker import StepwellWorker
from stepwell_store.embedded import EmbeddedServer
from stepwell_store.errors import StoreUnavailable
from stepwell_store.open import open_redis
from stepwell_store.redis_store import RedisStore


@pytest.mark.usefixtures("signals")
def test_an_idle_worker_writes_nothing_but_results(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []
    turn = Taker.turn

    def spied(self: Taker, wanted: int, finished: Finished) -> Any:
        answer = turn(self, wanted, finished)
        taken.extend(job.id for job in answer[1])
        return answer

    monkeypatch.setattr(Taker, "turn", spied)
    tokens = [offer(bench.store, "number", {"n": n})[0] for n in range(3)]

    def reported_before(count: int) -> bool:
        return len(reported(bench.store)) >= count

    def hand_out_one_by_one() -> None:
        for count, token in enumerate(tokens):
            wait_until(partial(reported_before, count), 30, f"{count} results")
            await_wait(bench)
            bench.hand_out(token)

    thread = run_beside(hand_out_one_by_one)
    assert worker_of(bench).work(max_jobs=3) is True
    thread.join(60)
    assert [entry["record"]["output"] for entry in reported(bench.store)] == [0, 1, 2]
    assert taken == []
    assert not bench.connection.connection_pool._in_use_connections, "what it held is given back"
    assert bench.connection.keys(f"rq:*{bench.namespace}*") == []
    assert not any(bench.connection.exists(f"rq:job:{token}") for token in tokens)


@pytest.mark.usefixtures("signals")
def test_two_queues_are_served_in_hand_and_what_lies_behind_a_slow_body_goes_back(bench: Bench) -> None:
    @activity("slow")
    def slow() -> int:
        """Until the other queue's job is back where another worker can take it."""
        bench.hand_out(behind, queue="b")
        wait_until(lambda: bench.queued("b") == [behind], 30, "the other queue's job is back")
        wait_until(lambda: bench.store.claims(0, [stuck]), 30, "this one is claimed")
        return 1

    [stuck], [behind] = offer(bench.store, "slow"), offer(bench.store, "number", {"n": 2})

    def hand_out() -> None:
        await_wait(bench, 2)
        bench.hand_out(stuck, queue="a")

    thread = run_beside(hand_out)
    worker_of(bench, slow, number, queues=("a", "b")).work(max_jobs=2)
    thread.join(60)
    assert [entry["record"]["output"] for entry in reported(bench.store)] == [1, 2]
    assert bench.connection.keys(f"rq:*{bench.namespace}*") == []


@pytest.mark.usefixtures("signals")
def test_a_worker_whose_write_of_a_result_was_answered_by_silence_asks_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish, silences = Hands.finish, [StoreUnavailable("the reply was lost")]

    def finish_in_silence(self: Hands, queue: str, id: str, outcome: Outcome) -> tuple[bool, bool]:
        answer = finish(self, queue, id, outcome)
        if silences:
            raise silences.pop()
        return answer

    monkeypatch.setattr(Hands, "finish", finish_in_silence)
    tokens = offer(bench.store, "number", {"n": 1}, count=2)

    def hand_out() -> None:
        await_wait(bench)
        bench.hand_out(*tokens)

    thread = run_beside(hand_out)
    worker_of(bench).work(max_jobs=2)
    thread.join(60)
    assert silences == []
    assert sorted(entry["record"]["token"] for entry in reported(bench.store)) == sorted(tokens)


class Runs:
    """What bodies have run, by name; `then` is what a body of that name does."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.then: dict[str, Callable[[], object]] = {}

    def activity(self) -> Any:
        @activity("named")
        def named(name: str) -> str:
            self.names.append(name)
            self.then.get(name, lambda: None)()
            return name

        return named


def offered(bench: Bench, *names: str) -> list[str]:
    return [offer(bench.store, "named", {"name": name})[0] for name in names]


def begin_with(bench: Bench, token: str, queue: str, waits: int) -> threading.Thread:
    """Hand out the first job when the worker waits."""

    def hand_out() -> None:
        await_wait(bench, waits)
        bench.hand_out(token, queue=queue)

    return run_beside(hand_out)


@pytest.mark.usefixtures("signals")
def test_a_job_that_a_turn_took_from_the_hands_is_not_begun_again_by_an_answer_unread(bench: Bench) -> None:
    runs = Runs()
    first, behind, other = offered(bench, "first", "behind", "other")

    def hand_out_to_both() -> None:
        bench.hand_out(other, queue="b")  # goes into the hands
        bench.hand_out(behind, queue="a")  # which is why a turn follows

    runs.then = {"first": hand_out_to_both}
    thread = begin_with(bench, first, "a", waits=2)
    worker_of(bench, runs.activity(), queues=("a", "b")).work(max_idle_time=1)
    thread.join(60)
    assert sorted(runs.names) == ["behind", "first", "other"]
    assert len(reported(bench.store)) == 3


@pytest.mark.usefixtures("signals")
def test_what_went_back_as_a_body_stalled_is_another_workers(bench: Bench) -> None:
    runs = Runs()
    first, other, last = offered(bench, "first", "other", "last")

    def stall() -> None:
        bench.hand_out(other, queue="b")  # goes into the hands
        wait_until(lambda: bench.queued("b") == [other], 30, "the other queue's job is back")
        bench.connection.lpop(f"rq:queue:{bench.namespace}-b")
        bench.hand_out(last, queue="a")

    runs.then = {"first": stall}
    thread = begin_with(bench, first, "a", waits=2)
    worker_of(bench, runs.activity(), queues=("a", "b")).work(max_jobs=2)
    thread.join(60)
    assert runs.names == ["first", "last"]


@pytest.mark.usefixtures("signals")
def test_a_worker_that_is_busy_by_turns_is_handed_no_job_of_another_queue(bench: Bench) -> None:
    runs = Runs()
    first, behind, other = offered(bench, "first", "behind", "other")
    queued: list[list[str]] = []

    def look() -> None:
        bench.hand_out(other, queue="b")
        queued.append(bench.queued("b"))

    runs.then = {"first": lambda: bench.hand_out(behind, queue="a"), "behind": look}
    thread = begin_with(bench, first, "a", waits=2)
    worker_of(bench, runs.activity(), queues=("a", "b")).work(max_jobs=3)
    thread.join(60)
    assert queued == [[other]]
    assert runs.names == ["first", "behind", "other"]


@pytest.mark.usefixtures("signals")
def test_while_a_worker_pauses_after_an_error_it_is_handed_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Runs()
    first, behind, other = offered(bench, "first", "behind", "other")
    queued: list[list[str]] = []

    def pause(self: StepwellWorker, seconds: float, wake: int | None = None) -> None:
        monkeypatch.undo()
        bench.hand_out(other, queue="b")
        queued.append(bench.queued("b"))

    def fail(self: Hands) -> int:
        raise StoreUnavailable("away for a moment")

    def break_next_look() -> None:
        bench.hand_out(behind, queue="a")
        worker._next_look = 0.0
        monkeypatch.setattr(Hands, "recover", fail)

    worker = worker_of(bench, runs.activity(), queues=("a", "b"))
    monkeypatch.setattr(StepwellWorker, "_sleep", pause)
    runs.then = {"first": break_next_look}
    thread = begin_with(bench, first, "a", waits=2)
    worker.work(max_jobs=3)
    thread.join(60)
    assert queued == [[other]]
    assert sorted(runs.names) == ["behind", "first", "other"]


@pytest.mark.usefixtures("signals")
def test_a_worker_that_fell_out_of_rqs_books_is_entered_again_after_an_outage(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Runs()
    first, behind = offered(bench, "first", "behind")
    worker = worker_of(bench, runs.activity())
    turn, found = Taker.turn, []

    def fail(self: Taker, wanted: int, finished: Finished) -> Any:
        monkeypatch.setattr(Taker, "turn", turn)
        bench.connection.delete(worker.key)
        raise StoreUnavailable("away for long")

    def break_next_turn() -> None:
        bench.hand_out(behind)
        monkeypatch.setattr(Taker, "turn", fail)

    runs.then = {
        "first": break_next_turn,
        "behind": lambda: found.append(bench.connection.hget(worker.key, "queues")),
    }
    thread = begin_with(bench, first, "default", waits=1)
    worker.work(max_jobs=2)
    thread.join(60)
    assert found == [bench.queue.encode()]


@pytest.mark.usefixtures("signals")
def test_an_operators_stop_of_a_job_that_went_back_meanwhile_reports_nothing(bench: Bench) -> None:
    runs = Runs()
    [first] = offered(bench, "first")
    worker = worker_of(bench, runs.activity())

    def stop_too_late() -> None:
        for key in bench.connection.keys(f"rq:stepwell:hands:{bench.queue}:*"):
            bench.connection.delete(key)
        assert worker._bench is not None
        worker._bench.stop_job(first)

    runs.then = {"first": stop_too_late}
    thread = begin_with(bench, first, "default", waits=1)
    worker.work(max_jobs=1)
    thread.join(60)
    assert runs.names == ["first"]
    assert reported(bench.store) == []


@pytest.fixture
def own_bench(tmp_path: Path, namespace: str) -> Iterator[Bench]:
    """On a server that a test may turn into a replica."""
    server = EmbeddedServer(tmp_path, "memory")
    connection = open_redis(server.start())
    bench = Bench(RedisStore(open_redis(server.url), namespace, partitions=4), connection, namespace)
    yield bench
    bench.close()
    server.stop()


def demote(bench: Bench) -> None:
    bench.connection.replicaof("127.0.0.1", "1")


@pytest.mark.usefixtures("signals")
def test_a_worker_outlives_its_server_becoming_a_replica(
    own_bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, runs = own_bench, Runs()
    [token] = offered(bench, "first")

    def pause(self: StepwellWorker, seconds: float, wake: int | None = None) -> None:
        bench.connection.replicaof("NO", "ONE")
        if not bench.connection.exists(f"rq:job:{token}"):
            bench.hand_out(token)

    def fail_over() -> None:
        await_wait(bench)
        demote(bench)

    monkeypatch.setattr(StepwellWorker, "_sleep", pause)
    thread = run_beside(fail_over)
    worker_of(bench, runs.activity()).work(max_jobs=1)
    thread.join(60)
    assert runs.names == ["first"]
    assert len(reported(bench.store)) == 1


@pytest.mark.usefixtures("signals")
def test_a_worker_can_be_stopped_while_its_server_takes_no_writes(
    own_bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(self: StepwellWorker, seconds: float, wake: int | None = None) -> None:
        self._stop_requested = True

    def fail_over() -> None:
        await_wait(own_bench)
        demote(own_bench)

    monkeypatch.setattr(StepwellWorker, "_sleep", stop)
    thread = run_beside(fail_over)
    worker = worker_of(own_bench, number)
    assert worker.work() is False
    thread.join(60)
    assert worker.pubsub_thread is None or not worker.pubsub_thread.is_alive()


@pytest.mark.usefixtures("signals")
@pytest.mark.parametrize("partition", ["abc", "-1", "99", "1.5", "nan", ""])
def test_a_job_with_a_partition_that_is_none_is_refused_and_the_worker_goes_on(
    bench: Bench, partition: str
) -> None:
    runs = Runs()
    [token] = offered(bench, "first")
    poison = f"{bench.namespace}-poison"
    bench.connection.hset(f"rq:job:{poison}", mapping={"data": "{}", "partition": partition})

    def hand_out() -> None:
        await_wait(bench)
        bench.connection.rpush(f"rq:queue:{bench.queue}", poison)
        status = partial(bench.connection.hget, f"rq:job:{poison}", "status")
        wait_until(lambda: status() == b"failed", 30, "the foreign job is refused")
        bench.hand_out(token)

    thread = run_beside(hand_out)
    worker_of(bench, runs.activity()).work(max_jobs=2)
    bench.connection.delete(f"rq:job:{poison}")
    thread.join(60)
    assert runs.names == ["first"]


def test_a_word_that_overtakes_the_wait_it_is_to_end_is_said_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="stepwell.worker")
    hands, ask = bench.hands("one"), Hands.ask
    late: list[threading.Timer] = []

    def ask_late(self: Hands, *given: Any) -> None:
        late.append(threading.Timer(0.05, ask, (self, *given)))
        late[-1].start()

    monkeypatch.setattr(Hands, "ask", ask_late)
    [token] = offer(bench.store, "number", {"n": 1})
    with QueueWatcher(bench.connection, [bench.queue], hands) as watcher:
        assert watcher.wait(0.001) is None
        watcher.release()
        bench.hand_out(token)
        assert (bench.queued(), bench.in_hand(hands)) == ([token], [])
    for timer in late:
        timer.join()
    assert "cannot end the wait" not in caplog.text
