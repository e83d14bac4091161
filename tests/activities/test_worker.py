"""The worker's loop in this process, on a real server; bodies that must run beside the test run in threads."""

import asyncio
import re
import signal
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from activities.worker_process import enqueue
from activity_world import offer, reported
from redis import Redis
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.suspension import resume, suspend
from stepwell_activities import serial
from stepwell_activities.claiming import read_call
from stepwell_activities.decorator import activity
from stepwell_activities.hands import Shown
from stepwell_activities.job import perform
from stepwell_activities.registry import Registry
from stepwell_activities.runtime import new_runtime
from stepwell_activities.taking import Finished, TakenJob, Taker
from stepwell_activities.watching import QueueWatcher
from stepwell_activities.worker import StepwellWorker, make_worker
from stepwell_schemas.settings import Settings
from stepwell_store.errors import StoreUnavailable
from stepwell_store.redis_store import RedisStore

Make = Callable[..., StepwellWorker]


@pytest.fixture
def make(redis_store: RedisStore, connection: Redis, namespace: str) -> Iterator[Make]:
    opened = []
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def make(*functions: Any, queues: tuple[str, ...] = ("default",), **options: Any) -> StepwellWorker:
        settings = Settings(namespace=namespace, worker_lease_seconds=10)
        runtime = new_runtime(settings, redis_store, Registry(functions))
        opened.append(runtime)
        return make_worker(runtime, connection, queues=queues, **options)

    yield make
    for runtime in opened:
        runtime.keeper.close()
        runtime.runner.close()
    for number, handler in handlers.items():
        signal.signal(number, handler)


@activity("number")
def number(n: int) -> int:
    return n


def test_everything_queued_is_done_and_nothing_is_left_behind(
    make: Make, redis_store: RedisStore, connection: Redis, namespace: str
) -> None:
    tokens = [offer(redis_store, "number", {"n": n})[0] for n in range(100)]
    enqueue(connection, namespace, tokens)
    assert make(number).work(burst=True) is True
    assert [entry["record"]["output"] for entry in reported(redis_store)] == list(range(100))
    assert connection.keys(f"rq:*{namespace}*") == []
    assert not any(connection.exists(f"rq:job:{token}") for token in tokens)


def test_an_empty_queue_is_no_work(make: Make) -> None:
    assert make(number).work(burst=True) is False


def test_several_queues_are_served(
    make: Make, redis_store: RedisStore, connection: Redis, namespace: str
) -> None:
    for queue in ("a", "b"):
        enqueue(connection, namespace, offer(redis_store, "number", {"n": 1}), queue=queue)
    make(number, queues=("a", "b")).work(burst=True)
    assert len(reported(redis_store)) == 2


def test_no_more_jobs_than_asked_for_are_done(
    make: Make, redis_store: RedisStore, connection: Redis, namespace: str
) -> None:
    enqueue(connection, namespace, offer(redis_store, "number", {"n": 1}, count=5))
    make(number).work(burst=True, max_jobs=3)
    assert len(reported(redis_store)) == 3
    assert connection.llen(f"rq:queue:{namespace}-default") == 2


def test_a_foreign_job_is_marked_failed_and_never_called(
    make: Make, connection: Redis, namespace: str
) -> None:
    queue = Queue(f"{namespace}-default", connection=connection, serializer=JSONSerializer)
    job = queue.enqueue("os.getcwd")
    make(number).work(burst=True)
    found = Job.fetch(job.id, connection=connection, serializer=JSONSerializer)
    assert found.get_status() == "failed"
    assert job.id in queue.failed_job_registry.get_job_ids()
    result = found.latest_result()
    assert result is not None
    assert "not 'os.getcwd'" in str(result.exc_string)
    job.delete()


def test_a_pickled_or_broken_job_does_not_harm_the_worker(
    make: Make, redis_store: RedisStore, connection: Redis, namespace: str
) -> None:
    pickled = Queue(f"{namespace}-default", connection=connection).enqueue("os.getcwd")
    connection.hset(f"rq:job:broken-{namespace}", "status", "queued")
    connection.rpush(f"rq:queue:{namespace}-default", f"broken-{namespace}", "no-hash-at-all")
    enqueue(connection, namespace, offer(redis_store, "number", {"n": 1}))
    make(number).work(burst=True)
    assert len(reported(redis_store)) == 1
    assert connection.hget(f"rq:job:{pickled.id}", "status") == b"failed"
    assert connection.hget(f"rq:job:broken-{namespace}", "status") == b"failed"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (b"[]", "not a plain call"),
        (b"\x80\x05]", "not JSON"),
        (b'["stepwell_activities.job.run_attempt", "x", ["n", 0, "t"], {}]', "not a plain call"),
        (b'["stepwell_activities.job.run_attempt", null, ["n", 0, "t"], {"a": 1}]', "not a plain call"),
        (b'["stepwell_activities.job.run_attempt", null, ["other", 0, "t"], {}]', "arguments"),
        (b'["stepwell_activities.job.run_attempt", null, ["n", 4, "t"], {}]', "arguments"),
        (b'["os.system", null, ["n", 0, "t"], {}]', "not 'os.system'"),
    ],
)
def test_only_our_own_call_is_read(call: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_call(call, "n", 4)


def test_a_suspended_worker_takes_nothing(
    make: Make, redis_store: RedisStore, connection: Redis, namespace: str
) -> None:
    enqueue(connection, namespace, offer(redis_store, "number", {"n": 1}))
    suspend(connection)
    try:
        make(number).work(burst=True)
    finally:
        resume(connection)
    assert reported(redis_store) == []
    assert connection.llen(f"rq:queue:{namespace}-default") == 1


def test_jobs_behind_a_slow_body_go_back_to_the_queue(
    make: Make, redis_store: RedisStore, connection: Redis, namespace: str
) -> None:
    others_done = threading.Event()

    @activity("slow")
    def slow() -> bool:
        return others_done.wait(60)

    warm = [offer(redis_store, "number", {"n": n})[0] for n in range(200)]
    [stuck] = offer(redis_store, "slow")
    behind = offer(redis_store, "number", {"n": 1}, count=10)
    enqueue(connection, namespace, [*warm, stuck, *behind])
    first = make(number, slow)

    def others() -> None:
        with QueueWatcher(connection, [f"{namespace}-default"]) as watcher:
            done = 0
            while done < len(behind):
                seen = len(reported(redis_store))
                if seen >= len(warm):
                    bench_worker.work_once()
                    done = len(reported(redis_store)) - len(warm)
                else:
                    watcher.wait(0.05)
        others_done.set()

    bench_worker = _Second(make(number, slow), redis_store, connection, namespace)
    thread = threading.Thread(target=others)
    thread.start()
    first.work(burst=True)
    thread.join(60)
    records = [entry["record"] for entry in reported(redis_store)]
    assert records[-1]["token"] == stuck
    assert records[-1]["output"] is True
    assert {record["token"] for record in records} == {*warm, stuck, *behind}
    assert len(records) == len(warm) + 1 + len(behind)


def test_a_long_body_does_not_make_its_worker_look_dead(
    make: Make, redis_store: RedisStore, connection: Redis, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serial, "SIGN_SECONDS", 0)
    signed = threading.Event()

    @activity("long")
    def long() -> bool:
        return signed.wait(60)

    worker = make(long)
    heartbeat = worker.heartbeat

    def sign() -> None:
        heartbeat()
        signed.set()

    monkeypatch.setattr(worker, "heartbeat", sign)
    enqueue(connection, namespace, offer(redis_store, "long"))
    worker.work(burst=True)
    assert reported(redis_store)[0]["record"]["output"] is True


class _Second:
    """Another worker's turns, without its signals (which need the main thread)."""

    def __init__(self, worker: StepwellWorker, store: RedisStore, connection: Redis, namespace: str) -> None:
        runtime = worker._runtime
        assert runtime is not None
        self._runtime = runtime
        self._taker = Taker(connection, [f"{namespace}-default"], worker.name, 60)

    def work_once(self) -> None:
        _, jobs = self._taker.turn(1, Finished([]))
        for job in jobs:
            partition, token = read_call(job.data, self._runtime.settings.namespace, 4)
            perform(self._runtime, partition, token)


def test_what_a_dead_worker_held_goes_back_in_order(connection: Redis, namespace: str) -> None:
    queue = f"{namespace}-default"
    enqueue(connection, namespace, [f"{namespace}-{n}" for n in range(4)])
    dead, alive = (Taker(connection, [queue], f"{namespace}-{name}", 60) for name in ("dead", "alive"))
    _, taken = dead.turn(3, Finished([]))
    assert [job.id for job in taken] == [f"{namespace}-{n}" for n in range(3)]
    assert connection.hget(f"rq:job:{namespace}-0", "status") == b"started"
    assert alive.recover([]) == 3
    assert sorted(connection.lrange(f"rq:queue:{queue}", 0, -1)) == [
        f"{namespace}-{n}".encode() for n in range(4)
    ]
    assert connection.hget(f"rq:job:{namespace}-0", "status") == b"queued"
    connection.delete(f"rq:queue:{queue}", *(f"rq:job:{namespace}-{n}" for n in range(4)))


def test_what_a_living_worker_holds_stays_with_it(connection: Redis, namespace: str) -> None:
    queue, name = f"{namespace}-default", f"{namespace}-busy"
    enqueue(connection, namespace, [f"{namespace}-0", f"{namespace}-1"])
    connection.hset(f"rq:worker:{name}", "state", "busy")
    busy, other = Taker(connection, [queue], name, 60), Taker(connection, [queue], f"{namespace}-other", 60)
    busy.turn(2, Finished([]))
    assert other.recover([]) == 0
    # The worker itself finds what a lost reply left in its name.
    assert busy.recover([f"{namespace}-0"]) == 1
    connection.delete(f"rq:worker:{name}", f"rq:queue:{queue}", f"rq:stepwell:taken:{queue}")


def test_jobs_given_back_stand_first_and_in_order(connection: Redis, namespace: str) -> None:
    queue = f"{namespace}-default"
    enqueue(connection, namespace, [f"{namespace}-{n}" for n in range(3)])
    taker = Taker(connection, [queue], f"{namespace}-w", 60)
    _, taken = taker.turn(2, Finished([]))
    taker.give_back([*taken, TakenJob(queue, "never-taken", b"")])
    assert connection.lrange(f"rq:queue:{queue}", 0, -1) == [f"{namespace}-{n}".encode() for n in range(3)]
    connection.delete(f"rq:queue:{queue}", *(f"rq:job:{namespace}-{n}" for n in range(3)))


def test_a_watcher_sees_a_job_in_any_queue_and_takes_none(connection: Redis, namespace: str) -> None:
    with QueueWatcher(connection, [f"{namespace}-a", f"{namespace}-b"]) as watcher:
        assert watcher.wait(0.01) is None
        connection.rpush(f"rq:queue:{namespace}-b", "1", "2")
        assert watcher.wait(30) == Shown(f"{namespace}-b", "1")
        assert connection.lrange(f"rq:queue:{namespace}-b", 0, -1) == [b"1", b"2"]
    connection.delete(f"rq:queue:{namespace}-b")


def test_threads_and_tasks_run_side_by_side(
    make: Make, redis_store: RedisStore, connection: Redis, namespace: str
) -> None:
    meeting = threading.Barrier(3)
    met: list[int] = []

    @activity("meet")
    def meet() -> int:
        return meeting.wait(60) >= 0

    @activity("meet_async")
    async def meet_async() -> bool:
        met.append(1)
        while len(met) < 3:
            await asyncio.sleep(0)
        return True

    tokens = offer(redis_store, "meet", count=3) + offer(redis_store, "meet_async", count=3)
    enqueue(connection, namespace, tokens)
    make(meet, meet_async, concurrency=6).work(burst=True)
    records = [entry["record"] for entry in reported(redis_store)]
    assert [record["output"] for record in records] == [True] * 6
    assert connection.keys(f"rq:*{namespace}*") == []


def test_a_body_of_the_pool_that_exits_is_a_failure_and_the_pool_goes_on(
    make: Make, redis_store: RedisStore, connection: Redis, namespace: str
) -> None:
    @activity("leave")
    def leave() -> None:
        raise SystemExit

    @activity("leave_async")
    async def leave_async() -> None:
        raise SystemExit

    tokens = [*offer(redis_store, "leave", count=3), *offer(redis_store, "leave_async", count=3)]
    enqueue(connection, namespace, [*tokens, *offer(redis_store, "number", {"n": 1}, count=3)])
    make(leave, leave_async, number, concurrency=2).work(burst=True)
    records = [entry["record"] for entry in reported(redis_store)]
    assert sum(record.get("error") == "SystemExit" for record in records) == 6
    assert sum(record.get("output") == 1 for record in records) == 3


@pytest.mark.parametrize("options", [{"concurrency": 0}, {"batch": 0}])
def test_a_worker_without_room_is_refused(make: Make, options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        make(number, **options)


def test_a_worker_waits_for_the_store_as_long_as_it_says(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    worker = make(number)
    slept: list[float] = []

    def away(_: object, known: object) -> int:
        raise StoreUnavailable("away")

    def sleep(_r: object, _w: object, _x: object, seconds: float) -> None:
        slept.append(seconds)
        worker._stop_requested = len(slept) == 8

    monkeypatch.setattr(Taker, "recover", away)
    monkeypatch.setattr("stepwell_activities.worker.select", SimpleNamespace(select=sleep))
    worker.work()
    said = re.findall(r"trying again in ([\d.]+) s", "\n".join(caplog.messages))
    assert len(said) == 8
    assert [float(seconds) for seconds in said] == [round(seconds, 1) for seconds in slept]
    assert max(slept) > min(slept)
