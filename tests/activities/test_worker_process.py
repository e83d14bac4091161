"""Real worker processes on a real server: ours, stock RQ, killed, stopped, cut off."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from activities.worker_process import await_reports, enqueue, environment, our_worker, stock_worker
from activity_world import offer
from redis import Redis
from rq import Queue, Worker
from rq.command import send_shutdown_command, send_stop_job_command
from rq.serializers import JSONSerializer
from stepwell_store.embedded import EmbeddedServer
from stepwell_store.open import open_redis
from stepwell_store.redis_store import RedisStore

LEASE = "0.3"


@pytest.fixture
def settings(server_url: str, namespace: str) -> dict[str, str]:
    return environment(server_url, namespace)


def opened(path: str) -> str:
    """Wait for the body's sign."""
    return Path(path).read_text()


def let_go(path: str) -> None:
    Path(path).write_text("go")


def test_a_worker_process_runs_attempts_and_publishes_its_activities(
    tmp_path: Path, redis_store: RedisStore, connection: Redis, settings: dict[str, str], namespace: str
) -> None:
    tokens = [offer(redis_store, "sample.number", {"n": n})[0] for n in range(20)]
    enqueue(connection, namespace, tokens)
    with our_worker(tmp_path, settings) as worker:
        records = await_reports(redis_store, 20)
        assert [record["output"] for record in records] == list(range(20))
        assert worker.stop() == 0
    assert "sample.number" in redis_store.activities()
    assert connection.keys(f"rq:*{namespace}*") == []
    assert not any(connection.exists(f"rq:job:{token}") for token in tokens)


def test_a_worker_process_is_seen_by_rq_info(
    tmp_path: Path, redis_store: RedisStore, connection: Redis, settings: dict[str, str], namespace: str,
    server_url: str, gate: dict[str, str],
) -> None:  # fmt: skip
    [token] = offer(redis_store, "sample.gate", gate)
    enqueue(connection, namespace, [token])
    with our_worker(tmp_path, settings):
        opened(gate["started"])
        [seen] = Worker.all(queue=Queue(f"{namespace}-default", connection=connection))
        assert seen.get_state() == "busy"
        rq = Path(sys.executable).with_name("rq")
        command = [str(rq), "info", "--url", server_url, "--raw", f"{namespace}-default"]
        shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
        assert f"worker {seen.name} " in shown
        assert f"busy {namespace}-default" in shown
        let_go(gate["release"])
        await_reports(redis_store, 1)


def test_a_killed_worker_leaves_its_claim_to_be_found_overdue(
    tmp_path: Path, redis_store: RedisStore, connection: Redis, settings: dict[str, str], namespace: str,
    gate: dict[str, str],
) -> None:  # fmt: skip
    [token] = offer(redis_store, "sample.gate", gate)
    enqueue(connection, namespace, [token])
    with our_worker(tmp_path, {**settings, "STEPWELL_WORKER_LEASE_SECONDS": LEASE}) as worker:
        opened(gate["started"])
        assert worker.stop(signal.SIGKILL) == -signal.SIGKILL
    claim = redis_store.claims(0, [token])[token]
    [due] = redis_store.due_attempts(0, int(time.time() * 1000) + 60_000, 10)
    assert (due.token, due.claim) == (token, claim)
    assert redis_store.partition_info(0).inbox_length == 0


def test_a_stock_rq_worker_runs_our_job_body(
    tmp_path: Path, redis_store: RedisStore, connection: Redis, settings: dict[str, str], namespace: str,
    server_url: str,
) -> None:  # fmt: skip
    [first] = offer(redis_store, "sample.pid")
    [second] = offer(redis_store, "no.such.activity")
    enqueue(connection, namespace, [first, second])
    with stock_worker(tmp_path, settings, server_url, f"{namespace}-default") as worker:
        done, failed = await_reports(redis_store, 2)
        assert done["output"] != worker.process.pid
        assert failed["error"] == "ActivityNotFound"
        assert worker.stop() == 0


def test_rq_starts_our_worker_class(
    tmp_path: Path, redis_store: RedisStore, connection: Redis, settings: dict[str, str], namespace: str,
    server_url: str,
) -> None:  # fmt: skip
    enqueue(connection, namespace, offer(redis_store, "sample.pid"))
    ours = ["--worker-class", "stepwell_activities.worker.StepwellWorker"]
    with stock_worker(tmp_path, settings, server_url, *ours, f"{namespace}-default") as worker:
        [record] = await_reports(redis_store, 1)
        assert record["output"] == worker.process.pid
        assert worker.stop() == 0


def test_a_second_signal_breaks_the_body_off_and_leaves_its_claim(
    tmp_path: Path, redis_store: RedisStore, connection: Redis, settings: dict[str, str], namespace: str,
    gate: dict[str, str],
) -> None:  # fmt: skip
    [token] = offer(redis_store, "sample.gate", gate)
    enqueue(connection, namespace, [token])
    with our_worker(tmp_path, settings) as worker:
        opened(gate["started"])
        began = time.monotonic()
        while worker.process.poll() is None:
            assert time.monotonic() - began < 60
            worker.process.send_signal(signal.SIGTERM)  # one within a second of the first counts as its echo
            with suppress(subprocess.TimeoutExpired):
                worker.process.wait(0.3)
    assert redis_store.partition_info(0).inbox_length == 0
    assert token in redis_store.claims(0, [token])


def test_an_isolating_worker_outlives_a_body_that_kills_its_process(
    tmp_path: Path, redis_store: RedisStore, connection: Redis, settings: dict[str, str], namespace: str,
    gate: dict[str, str],
) -> None:  # fmt: skip
    [gated] = offer(redis_store, "sample.gate", gate)
    [quick] = offer(redis_store, "sample.pid")
    enqueue(connection, namespace, [gated, quick])
    with our_worker(tmp_path, settings, isolate=True) as worker:
        os.kill(int(opened(gate["started"])), signal.SIGKILL)
        [record] = await_reports(redis_store, 1)
        assert record["token"] == quick
        assert record["output"] != worker.process.pid


def test_a_first_signal_waits_for_the_body(
    tmp_path: Path, redis_store: RedisStore, connection: Redis, settings: dict[str, str], namespace: str,
    gate: dict[str, str],
) -> None:  # fmt: skip
    [gated, later] = offer(redis_store, "sample.gate", gate, count=2)
    enqueue(connection, namespace, [gated, later])
    with our_worker(tmp_path, settings) as worker:
        opened(gate["started"])
        worker.process.send_signal(signal.SIGTERM)
        let_go(gate["release"])
        [record] = await_reports(redis_store, 1)
        assert worker.process.wait(60) == 0
    assert record["token"] == gated
    assert Worker.all(queue=Queue(f"{namespace}-default", connection=connection)) == []
    assert connection.lrange(f"rq:queue:{namespace}-default", 0, -1) == [later.encode()]


def test_a_shutdown_command_ends_an_idle_worker(
    tmp_path: Path, redis_store: RedisStore, connection: Redis, settings: dict[str, str], namespace: str
) -> None:
    enqueue(connection, namespace, offer(redis_store, "sample.pid"))
    with our_worker(tmp_path, settings) as worker:
        await_reports(redis_store, 1)
        [seen] = Worker.all(queue=Queue(f"{namespace}-default", connection=connection))
        send_shutdown_command(connection, seen.name)
        assert worker.process.wait(60) == 0


def test_a_stopped_job_is_reported_and_its_body_told(
    tmp_path: Path, redis_store: RedisStore, connection: Redis, settings: dict[str, str], namespace: str,
    gate: dict[str, str],
) -> None:  # fmt: skip
    [token] = offer(redis_store, "sample.until_cancelled", {"started": gate["started"]})
    enqueue(connection, namespace, [token])
    with our_worker(tmp_path, settings):
        opened(gate["started"])
        send_stop_job_command(connection, token, serializer=JSONSerializer)
        enqueue(connection, namespace, offer(redis_store, "sample.pid"))
        stopped, after = await_reports(redis_store, 2)
        assert (stopped["error"], stopped["retryable"]) == ("Stopped", False)
        assert "output" in after


def test_threads_run_several_bodies_at_once(
    tmp_path: Path, redis_store: RedisStore, connection: Redis, settings: dict[str, str], namespace: str,
    gate: dict[str, str],
) -> None:  # fmt: skip
    [gated] = offer(redis_store, "sample.gate", gate)
    quick = offer(redis_store, "sample.pid", count=5)
    enqueue(connection, namespace, [gated, *quick])
    with our_worker(tmp_path, settings, concurrency=3) as worker:
        opened(gate["started"])
        assert {record["token"] for record in await_reports(redis_store, 5)} == set(quick)
        let_go(gate["release"])
        assert await_reports(redis_store, 6)[-1]["token"] == gated
        assert worker.stop() == 0


def test_a_result_outlasts_an_outage_of_the_server_at_the_bodys_end(
    tmp_path: Path, namespace: str, gate: dict[str, str]
) -> None:
    server = EmbeddedServer(tmp_path / "data", "fsync")
    url = server.start()
    try:
        store = RedisStore(open_redis(url), namespace, partitions=4)
        connection = open_redis(url)
        [token] = offer(store, "sample.gate", gate)
        enqueue(connection, namespace, [token])
        with our_worker(tmp_path, environment(url, namespace)) as worker:
            opened(gate["started"])
            server.stop()
            let_go(gate["release"])
            assert server.start() == url
            [record] = await_reports(store, 1)
            assert record["output"] == worker.process.pid
            assert worker.stop() == 0
        store.close()
        connection.close()
    finally:
        server.stop()
