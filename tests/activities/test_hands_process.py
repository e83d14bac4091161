"""Real workers with a job in hand: killed, stopped, cut off in the moment that matters."""

import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from activities.hands_bench import blocked
from activities.worker_process import await_reports, environment, our_worker
from activity_world import offer, reported
from end_to_end.process import wait_until
from end_to_end.proxy import Proxy
from redis import Redis
from stepwell_engine.dispatch import Job, RqDispatcher
from stepwell_store.open import open_redis
from stepwell_store.redis_store import RedisStore

JOBS = 60


@pytest.fixture
def settings(server_url: str, namespace: str) -> dict[str, str]:
    return environment(server_url, namespace, STEPWELL_WORKER_LEASE_SECONDS="0.6")


def await_idle(connection: Redis, namespace: str, workers: int = 1) -> None:
    """Until so many workers wait for jobs of the queue to be laid into their hands."""

    def waiting() -> bool:
        return (
            blocked(connection) >= workers
            and connection.scard(f"rq:stepwell:handed:{namespace}-default") >= workers
        )

    wait_until(waiting, 30, f"{workers} workers wait in the server")


def in_hands(connection: Redis, namespace: str) -> list[str]:
    found: list[Any] = []
    for key in connection.keys(f"rq:stepwell:hands:{namespace}-default:*"):
        found += connection.lrange(key, 0, -1)
    return [id.decode() for id in found]


def hand_out(connection: Redis, namespace: str, *tokens: str) -> None:
    RqDispatcher(connection, namespace).enqueue([Job(0, token, "default") for token in tokens])


def test_a_job_in_the_hands_of_a_killed_worker_is_done_by_another(
    tmp_path: Path, redis_store: RedisStore, connection: Redis, settings: dict[str, str], namespace: str
) -> None:
    [token] = offer(redis_store, "sample.dies_once", {"marker": str(tmp_path / "marker")})
    with our_worker(tmp_path, settings) as first:
        await_idle(connection, namespace)
        hand_out(connection, namespace, token)
        assert first.process.wait(30) == -signal.SIGKILL
    assert in_hands(connection, namespace) == [token], "it was killed before it claimed"
    assert redis_store.claims(0, [token]) == {}
    with our_worker(tmp_path, settings) as second:
        [record] = await_reports(redis_store, 1)
        assert (record["token"], record["output"]) == (token, second.process.pid)


def test_a_body_that_kills_its_worker_each_time_is_claimed_at_its_second_try(
    tmp_path: Path, redis_store: RedisStore, connection: Redis, settings: dict[str, str], namespace: str
) -> None:
    [token] = offer(redis_store, "sample.dies")
    with our_worker(tmp_path, settings) as first:
        await_idle(connection, namespace)
        hand_out(connection, namespace, token)
        assert first.process.wait(30) == -signal.SIGKILL
    with our_worker(tmp_path, settings) as second:
        assert second.process.wait(30) == -signal.SIGKILL
    assert set(redis_store.claims(0, [token])) == {token}, "the engine will find it lost, and count it"


def test_a_killed_worker_that_waited_is_handed_nothing(
    tmp_path: Path, redis_store: RedisStore, connection: Redis, settings: dict[str, str], namespace: str
) -> None:
    [token] = offer(redis_store, "sample.pid")
    with our_worker(tmp_path, settings) as first, our_worker(tmp_path, settings) as second:
        await_idle(connection, namespace, 2)
        first.stop(signal.SIGKILL)
        hand_out(connection, namespace, token)
        [record] = await_reports(redis_store, 1)
        assert record["output"] == second.process.pid


def test_a_body_that_lasts_is_claimed_while_it_runs_and_outlives_its_lease(
    tmp_path: Path, redis_store: RedisStore, connection: Redis, settings: dict[str, str], namespace: str,
    gate: dict[str, str],
) -> None:  # fmt: skip
    [token] = offer(redis_store, "sample.gate", gate)
    with our_worker(tmp_path, settings):
        await_idle(connection, namespace)
        hand_out(connection, namespace, token)
        Path(gate["started"]).read_text()
        wait_until(lambda: redis_store.claims(0, [token]), 20, "the attempt is claimed")
        assert in_hands(connection, namespace) == []
        Path(gate["release"]).write_text("go")
        await_reports(redis_store, 1)
        wait_until(lambda: not connection.exists(f"rq:job:{token}"), 20, "the job is forgotten")
    assert len(reported(redis_store)) == 1


def test_a_sign_of_life_claims_an_attempt_that_is_not_claimed_yet(
    tmp_path: Path, redis_store: RedisStore, connection: Redis, settings: dict[str, str], namespace: str
) -> None:
    [token] = offer(redis_store, "sample.signs", {"count": 20})
    with our_worker(tmp_path, settings):
        await_idle(connection, namespace)
        hand_out(connection, namespace, token)
        [record] = await_reports(redis_store, 1)
    assert record["kind"] == "ActivityCompleted", record
    assert record["output"] == 20


def test_a_worker_that_is_stopped_between_jobs_loses_none_and_runs_none_twice(
    tmp_path: Path, redis_store: RedisStore, connection: Redis, settings: dict[str, str], namespace: str
) -> None:
    tokens = offer(redis_store, "sample.pid", count=JOBS)
    with our_worker(tmp_path, settings) as first, our_worker(tmp_path, settings) as second:
        await_idle(connection, namespace, 2)

        def hand_out_all() -> None:
            with open_redis(settings["STEPWELL_STORE_URL"]) as own:
                for token in tokens:
                    hand_out(own, namespace, token)

        thread = threading.Thread(target=hand_out_all)
        thread.start()
        await_reports(redis_store, JOBS // 10)
        assert first.stop() == 0
        thread.join(60)
        records = await_reports(redis_store, JOBS)
        assert second.stop() == 0
    assert sorted(record["token"] for record in records) == sorted(tokens)
    assert len(reported(redis_store)) == JOBS
    assert connection.keys(f"rq:*{namespace}*") == []
    assert not any(connection.exists(f"rq:job:{token}") for token in tokens)


def test_a_result_whose_reply_is_lost_on_the_wire_counts_once(
    tmp_path: Path, redis_store: RedisStore, connection: Redis, settings: dict[str, str], namespace: str,
    server_url: str, gate: dict[str, str],
) -> None:  # fmt: skip
    [token] = offer(redis_store, "sample.gate", gate)
    with Proxy(server_url, tmp_path / "p") as proxy:
        behind = {**settings, "STEPWELL_STORE_URL": proxy.url, "STEPWELL_WORKER_LEASE_SECONDS": "60"}
        with our_worker(tmp_path, behind) as worker:
            await_idle(connection, namespace)
            hand_out(connection, namespace, token)
            Path(gate["started"]).read_text()
            proxy.lose_replies(1)
            Path(gate["release"]).write_text("go")
            await_reports(redis_store, 1)
            wait_until(lambda: proxy.lost == 1, 20, "a reply was lost")
            [next_token] = offer(redis_store, "sample.pid")
            hand_out(connection, namespace, next_token)
            records = await_reports(redis_store, 2)
            assert [record["token"] for record in records] == [token, next_token]
            assert worker.stop() == 0
    assert len(reported(redis_store)) == 2
    assert not connection.exists(f"rq:job:{token}")
