"""Jobs in hand, on a real server: who gets them, what is written when, and how they come back."""

import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from activities.worker_process import enqueue
from activity_world import offer, reported, withdraw
from redis import Redis
from rq.suspension import resume, suspend
from stepwell_activities.attempt import Outcome, now_ms, parse_attempt
from stepwell_activities.claiming import claiming_of
from stepwell_activities.decorator import activity
from stepwell_activities.hands import Hand, Hands, Shown
from stepwell_activities.registry import Registry
from stepwell_activities.runtime import Runtime, new_runtime
from stepwell_activities.taking import Finished, Taker
from stepwell_activities.watching import QueueWatcher
from stepwell_activities.worker import StepwellWorker, make_worker
from stepwell_engine.dispatch import Job, RqDispatcher
from stepwell_schemas.settings import Settings
from stepwell_store.errors import StoreUnavailable
from stepwell_store.open import open_redis
from stepwell_store.redis_store import RedisStore


@activity("number")
def number(n: int) -> int:
    return n


class Bench:
    """A store, RQ's server, and workers that only have hands."""

    def __init__(self, store: RedisStore, connection: Redis, namespace: str) -> None:
        self.store, self.connection, self.namespace = store, connection, namespace
        self.queue = f"{namespace}-default"
        self.dispatcher = RqDispatcher(connection, namespace)
        self.runtimes: list[Runtime] = []

    def runtime(self, *functions: Any) -> Runtime:
        settings = Settings(namespace=self.namespace, worker_lease_seconds=10)
        self.runtimes.append(new_runtime(settings, self.store, Registry(functions or (number,))))
        return self.runtimes[-1]

    def hands(self, name: str, *queues: str) -> Hands:
        """Of a worker that RQ knows to live."""
        worker = f"{self.namespace}-{name}"
        self.connection.hset(f"rq:worker:{worker}", "state", "idle")
        claiming = claiming_of(self.runtime())
        assert claiming is not None
        hands = Hands(self.connection, queues or [self.queue], worker, claiming)
        hands.recover()
        return hands

    def hand_out(self, *tokens: str, queue: str = "default") -> None:
        """As the engine does, on this server in the commit itself."""
        self.dispatcher.enqueue([Job(0, token, queue) for token in tokens])

    def queued(self, queue: str = "default") -> list[str]:
        found: Any = self.connection.lrange(f"rq:queue:{self.namespace}-{queue}", 0, -1)
        return [id.decode() for id in found]

    def in_hand(self, hands: Hands) -> list[str]:
        found: Any = self.connection.lrange(hands.key(self.queue), 0, -1)
        return [id.decode() for id in found]

    def laid_in(self, hands: Hands) -> tuple[str, Shown, Hand]:
        """A job that went into these hands: its token, and what the wait told."""
        [token] = offer(self.store, "number", {"n": 7})
        with QueueWatcher(self.connection, [self.queue], hands) as watcher:
            assert watcher.wait(0.001) == []
            self.hand_out(token)
            [shown] = watcher.wait(30)
        assert shown.hand is not None
        return token, shown, shown.hand


@pytest.fixture
def bench(redis_store: RedisStore, server_url: str, namespace: str) -> Iterator[Bench]:
    connection = open_redis(server_url)
    bench = Bench(redis_store, connection, namespace)
    yield bench
    for runtime in bench.runtimes:
        runtime.keeper.close()
        runtime.runner.close()
    for key in connection.keys(f"rq:*{namespace}*"):
        connection.delete(key)
    connection.close()


@pytest.fixture
def signals() -> Iterator[None]:
    """A worker's loop sets handlers of its own."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def outcome_of(shown: Shown, output: bytes = b"7") -> Outcome:
    return Outcome(parse_attempt(shown.payload), now_ms(), output=output)


def test_a_job_goes_to_the_one_that_waits_and_nothing_of_it_is_written(bench: Bench) -> None:
    hands = bench.hands("one")
    token, shown, _ = bench.laid_in(hands)
    assert (shown.queue, shown.id) == (bench.queue, token)
    assert parse_attempt(shown.payload).input == {"n": 7}
    assert bench.queued() == []
    assert bench.in_hand(hands) == [token]
    assert bench.store.claims(0, [token]) == {}
    assert bench.connection.hget(f"rq:job:{token}", "status") == b"queued"


def test_two_that_wait_share_two_jobs(bench: Bench) -> None:
    one, two = bench.hands("one"), bench.hands("two")
    tokens = offer(bench.store, "number", {"n": 1}, count=2)
    first = QueueWatcher(bench.connection, [bench.queue], one)
    second = QueueWatcher(bench.connection, [bench.queue], two)
    with first, second:
        assert first.wait(0.001) == second.wait(0.001) == []
        bench.hand_out(*tokens)
        assert [shown.id for shown in first.wait(30) + second.wait(30)] == tokens
    assert bench.in_hand(one) + bench.in_hand(two) == tokens


def test_a_result_is_written_once_with_its_claim_and_the_job_is_gone(bench: Bench) -> None:
    hands = bench.hands("one")
    token, shown, hand = bench.laid_in(hands)
    assert hand.finish(outcome_of(shown)) is True
    assert [entry["record"]["output"] for entry in reported(bench.store)] == [7]
    assert bench.store.claims(0, [token])[token].worker == bench.runtimes[-1].worker
    assert bench.in_hand(hands) == []
    assert not bench.connection.exists(f"rq:job:{token}")


def test_a_result_whose_reply_was_lost_is_not_written_again(bench: Bench) -> None:
    hands = bench.hands("one")
    _, shown, _ = bench.laid_in(hands)
    assert hands.finish(bench.queue, shown.id, outcome_of(shown))[0] is True
    assert hands.finish(bench.queue, shown.id, outcome_of(shown))[0] is False
    assert len(reported(bench.store)) == 1


def test_a_claim_whose_reply_was_lost_is_still_ours(bench: Bench) -> None:
    hands = bench.hands("one")
    token, shown, hand = bench.laid_in(hands)
    assert hands.claim(bench.queue, token, 0) is True
    assert hand.claim() is True
    assert hand.finish(outcome_of(shown)) is False, "a claimed one is reported as those of a turn are"
    assert bench.connection.hget(f"rq:job:{token}", "status") == b"started"
    assert bench.connection.hget(f"rq:stepwell:taken:{bench.queue}", token) is not None


def test_an_attempt_cancelled_while_its_body_runs_is_not_claimed(bench: Bench) -> None:
    hands = bench.hands("one")
    token, shown, hand = bench.laid_in(hands)
    withdraw(bench.store, token)
    assert hand.claim() is False
    assert hand.finish(outcome_of(shown)) is True
    assert reported(bench.store) == []
    assert bench.in_hand(hands) == []
    assert not bench.connection.exists(f"rq:job:{token}")


def test_the_result_of_a_cancelled_attempt_goes_to_the_engine_which_tells_that_it_is_stale(
    bench: Bench,
) -> None:
    hands = bench.hands("one")
    token, shown, hand = bench.laid_in(hands)
    withdraw(bench.store, token)
    assert hand.finish(outcome_of(shown)) is True
    assert [entry["record"]["token"] for entry in reported(bench.store)] == [token]
    assert bench.store.claims(0, [token]) == {}


def test_what_lies_in_living_hands_for_too_long_goes_back_and_its_late_result_does_not_count(
    bench: Bench,
) -> None:
    hands, other = bench.hands("stalled"), bench.hands("other")
    token, shown, hand = bench.laid_in(hands)
    assert other.recover() == 0
    assert bench.in_hand(hands) == [token]
    assert other.recover() == 1
    assert bench.queued() == [token]
    assert hand.finish(outcome_of(shown)) is True
    assert reported(bench.store) == []


def test_what_a_dead_worker_had_in_hand_goes_back_at_once_to_the_head(bench: Bench) -> None:
    hands, other = bench.hands("dead"), bench.hands("other")
    token, _, _ = bench.laid_in(hands)
    [next_token] = offer(bench.store, "number", {"n": 2})
    bench.hand_out(next_token)
    bench.connection.delete(f"rq:worker:{bench.namespace}-dead")
    assert other.recover() == 1
    assert bench.queued() == [token, next_token]
    with QueueWatcher(bench.connection, [bench.queue], other) as watcher:
        assert [shown.hand for shown in watcher.wait(30)] == [None], "it is claimed before it begins again"
    other.recover()
    found: Any = bench.connection.smembers(f"rq:stepwell:handed:{bench.queue}")
    assert found == {f"{bench.namespace}-other".encode()}


def test_a_job_in_living_hands_counts_as_queued_and_one_in_dead_hands_is_made_again(bench: Bench) -> None:
    hands = bench.hands("one")
    token, _, _ = bench.laid_in(hands)
    job = Job(0, token, "default")
    assert bench.dispatcher.queued([job]) == {token}
    bench.connection.hset(f"rq:worker:{bench.namespace}-one", "death", "now")
    assert bench.dispatcher.queued([job]) == set()
    assert bench.in_hand(hands) == []
    bench.hand_out(token)
    assert bench.queued() == [token]


def test_after_the_wait_has_been_ended_nothing_is_laid_in(bench: Bench) -> None:
    hands = bench.hands("one")
    [token] = offer(bench.store, "number", {"n": 1})
    with QueueWatcher(bench.connection, [bench.queue], hands) as watcher:
        assert watcher.wait(0.001) == []
        watcher.release()
        bench.hand_out(token)
        assert bench.in_hand(hands) == []
        assert [shown.id for shown in watcher.wait(30)] == [token]


def test_what_came_as_the_wait_ended_goes_back_to_the_head(bench: Bench) -> None:
    hands = bench.hands("one")
    tokens = offer(bench.store, "number", {"n": 1}, count=2)
    with QueueWatcher(bench.connection, [bench.queue], hands) as watcher:
        assert watcher.wait(0.001) == []
        bench.hand_out(*tokens)
    assert hands.put_back(leave=True) == 1
    assert bench.queued() == tokens
    assert not bench.connection.exists(f"rq:stepwell:handed:{bench.queue}", hands.key(bench.queue))


def test_while_suspended_a_job_in_hand_is_not_begun_but_goes_back(bench: Bench) -> None:
    hands = bench.hands("one")
    taker = Taker(bench.connection, [bench.queue], f"{bench.namespace}-one", 60)
    [token] = offer(bench.store, "number", {"n": 1})
    with QueueWatcher(bench.connection, [bench.queue], hands) as watcher:
        assert watcher.wait(0.001) == []
        suspend(bench.connection)
        try:
            bench.hand_out(token)
            [shown] = watcher.wait(30)
            assert shown.hand is None
            assert taker.turn(1, Finished([])) == (True, [])
        finally:
            resume(bench.connection)
    assert bench.queued() == [token]


def test_a_turn_takes_what_is_in_hand_before_what_queues(bench: Bench) -> None:
    hands = bench.hands("one")
    token, _, _ = bench.laid_in(hands)
    [next_token] = offer(bench.store, "number", {"n": 2})
    bench.hand_out(next_token)
    taker = Taker(bench.connection, [bench.queue], f"{bench.namespace}-one", 60)
    _, taken = taker.turn(2, Finished([]))
    assert [job.id for job in taken] == [token, next_token]


def test_a_job_that_is_not_the_engines_is_left_to_a_turn(bench: Bench) -> None:
    hands = bench.hands("one")
    [token] = offer(bench.store, "number", {"n": 1})
    with QueueWatcher(bench.connection, [bench.queue], hands) as watcher:
        assert watcher.wait(0.001) == []
        enqueue(bench.connection, bench.namespace, [token])  # by RQ itself: without the partition
        [shown] = watcher.wait(30)
    assert (shown.id, shown.hand) == (token, None)


def test_a_server_that_has_forgotten_the_script_is_told_it_again(bench: Bench) -> None:
    hands = bench.hands("one")
    tokens = offer(bench.store, "number", {"n": 1}, count=2)
    with QueueWatcher(bench.connection, [bench.queue], hands) as watcher:
        assert watcher.wait(0.001) == []
        bench.connection.script_flush()
        found = []
        for token in tokens:
            bench.hand_out(token)
            found += watcher.wait(30)
    assert [shown.id for shown in found] == tokens
    assert [shown.hand is not None for shown in found] == [False, True]


def run_beside(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def worker_of(bench: Bench, *functions: Any, queues: tuple[str, ...] = ("default",)) -> StepwellWorker:
    return make_worker(bench.runtime(*functions), bench.connection, queues=queues)


def await_wait(bench: Bench, count: int = 1) -> None:
    """Until so many connections are blocked in the server."""
    while sum("b" in client["flags"] for client in bench.connection.client_list()) < count:
        threading.Event().wait(0.001)


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

    def hand_out_one_by_one() -> None:
        for count, token in enumerate(tokens):
            while len(reported(bench.store)) < count:
                threading.Event().wait(0.001)
            await_wait(bench)
            bench.hand_out(token)

    thread = run_beside(hand_out_one_by_one)
    assert worker_of(bench).work(max_jobs=3) is True
    thread.join(60)
    assert [entry["record"]["output"] for entry in reported(bench.store)] == [0, 1, 2]
    assert taken == []
    assert bench.connection.keys(f"rq:*{bench.namespace}*") == []
    assert not any(bench.connection.exists(f"rq:job:{token}") for token in tokens)


@pytest.mark.usefixtures("signals")
def test_two_queues_are_served_in_hand_and_what_lies_behind_a_slow_body_goes_back(bench: Bench) -> None:
    @activity("slow")
    def slow() -> int:
        """Until the other queue's job is back where another worker can take it."""
        bench.hand_out(behind, queue="b")
        while bench.queued("b") != [behind] or bench.store.claims(0, [stuck]) == {}:
            threading.Event().wait(0.002)
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
