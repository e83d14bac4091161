"""Jobs in hand, on a real server: who gets them, what is written when, and how they come back."""

from typing import Any

from activities.hands_bench import Bench
from activities.worker_process import enqueue
from activity_world import offer, reported, withdraw
from rq.suspension import resume, suspend
from stepwell_activities.attempt import Outcome, now_ms, parse_attempt
from stepwell_activities.hands import Shown
from stepwell_activities.taking import Finished, Taker
from stepwell_activities.watching import QueueWatcher
from stepwell_engine.dispatch import Job


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
        assert first.wait(0.001) is second.wait(0.001) is None
        bench.hand_out(*tokens)
        assert [shown and shown.id for shown in (first.wait(30), second.wait(30))] == tokens
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


def test_a_result_counts_where_the_reply_to_its_claim_was_lost_just_before(bench: Bench) -> None:
    hands = bench.hands("one")
    token, shown, hand = bench.laid_in(hands)
    assert hands.claim(bench.queue, token, 0) is True
    assert hand.finish(outcome_of(shown)) is True
    assert [entry["record"]["output"] for entry in reported(bench.store)] == [7]
    assert not bench.connection.exists(f"rq:stepwell:taken:{bench.queue}", f"rq:job:{token}")
    assert hands.finish(bench.queue, token, outcome_of(shown))[0] is False


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
    bench.connection.hset(f"rq:worker:{bench.namespace}-dead", "death", "now")
    assert other.recover() == 1
    assert bench.queued() == [token, next_token]
    with QueueWatcher(bench.connection, [bench.queue], other) as watcher:
        shown = watcher.wait(30)
        assert shown == Shown(bench.queue, token), "it is claimed before it begins again"
    other.recover()
    found: Any = bench.connection.smembers(f"rq:stepwell:handed:{bench.queue}")
    assert found == {f"{bench.namespace}-other".encode()}


def test_what_a_worker_has_in_hand_that_fell_out_of_rqs_books_stays_there_until_a_second_look(
    bench: Bench,
) -> None:
    hands, other = bench.hands("one"), bench.hands("other")
    token, shown, hand = bench.laid_in(hands)
    bench.connection.delete(f"rq:worker:{bench.namespace}-one")
    assert other.recover() == 0
    assert hand.finish(outcome_of(shown)) is True
    assert [entry["record"]["token"] for entry in reported(bench.store)] == [token]


def test_what_is_in_ones_own_hands_is_left_to_a_turn(bench: Bench) -> None:
    hands = bench.hands("one")
    token, _, _ = bench.laid_in(hands)
    assert [hands.recover(), hands.recover()] == [0, 0]
    assert bench.in_hand(hands) == [token]


def test_of_two_jobs_in_hand_one_is_told_at_a_time_and_the_other_not_after_a_release(bench: Bench) -> None:
    queues = [f"{bench.namespace}-a", f"{bench.namespace}-b"]
    hands = bench.hands("one", *queues)
    tokens = offer(bench.store, "number", {"n": 1}, count=3)
    with QueueWatcher(bench.connection, queues, hands) as watcher:
        assert watcher.wait(0.001) is None
        bench.dispatcher.enqueue([Job(0, tokens[0], "a"), Job(0, tokens[1], "b")])
        shown = watcher.wait(30)
        assert shown is not None
        assert shown.id == tokens[0]
        watcher.release()
        bench.hand_out(tokens[2], queue="a")
        shown = watcher.wait(30)
        assert shown is not None
        assert shown.id == tokens[2]


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
        assert watcher.wait(0.001) is None
        watcher.release()
        bench.hand_out(token)
        assert bench.in_hand(hands) == []
        shown = watcher.wait(30)
        assert shown is not None
        assert shown.id == token


def test_what_came_as_the_wait_ended_goes_back_to_the_head(bench: Bench) -> None:
    hands = bench.hands("one")
    tokens = offer(bench.store, "number", {"n": 1}, count=2)
    with QueueWatcher(bench.connection, [bench.queue], hands) as watcher:
        assert watcher.wait(0.001) is None
        bench.hand_out(*tokens)
    assert hands.put_back(leave=True) == 1
    assert bench.queued() == tokens
    assert not bench.connection.exists(f"rq:stepwell:handed:{bench.queue}", hands.key(bench.queue))


def test_while_suspended_a_job_in_hand_is_not_begun_but_goes_back(bench: Bench) -> None:
    hands = bench.hands("one")
    taker = Taker(bench.connection, [bench.queue], f"{bench.namespace}-one", 60)
    [token] = offer(bench.store, "number", {"n": 1})
    with QueueWatcher(bench.connection, [bench.queue], hands) as watcher:
        assert watcher.wait(0.001) is None
        suspend(bench.connection)
        try:
            bench.hand_out(token)
            shown = watcher.wait(30)
            assert shown == Shown(bench.queue, token)
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
        assert watcher.wait(0.001) is None
        enqueue(bench.connection, bench.namespace, [token])  # by RQ itself: without the partition
        assert watcher.wait(30) == Shown(bench.queue, token)


def test_a_server_that_has_forgotten_the_script_is_told_it_again(bench: Bench) -> None:
    hands = bench.hands("one")
    tokens = offer(bench.store, "number", {"n": 1}, count=2)
    with QueueWatcher(bench.connection, [bench.queue], hands) as watcher:
        assert watcher.wait(0.001) is None
        bench.connection.script_flush()
        found = []
        for token in tokens:
            bench.hand_out(token)
            found.append(watcher.wait(30))
    assert [shown and shown.id for shown in found] == tokens
    assert [shown is not None and shown.hand is not None for shown in found] == [False, True]


def test_a_result_reaches_a_server_that_has_forgotten_the_script(bench: Bench) -> None:
    hands = bench.hands("one")
    for number in range(3):
        _, shown, hand = bench.laid_in(hands)
        if number == 1:
            bench.connection.script_flush()
        assert hand.finish(outcome_of(shown)) is True
        assert len(reported(bench.store)) == number + 1
    hands.close()
