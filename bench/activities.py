"""How many no-op activities one worker process does per second, beside stock RQ and the queue alone.

    python bench/activities.py [--count 5000] [--durability fsync]

All on one fresh embedded server, in one run. "stock" is rq's SimpleWorker on jobs that do nothing at all (no claim, no
report); "raw LPOP" takes ids from a list one by one.
"""

import argparse
import json
import logging
import tempfile
import time
from pathlib import Path
from typing import Any

from redis import Redis
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer
from served import print_server
from stepwell_activities.decorator import activity
from stepwell_activities.job import run_attempt
from stepwell_activities.registry import Registry
from stepwell_activities.runtime import new_runtime
from stepwell_activities.worker import make_worker, queue_name
from stepwell_schemas.settings import Settings
from stepwell_store.batches import START, Commit
from stepwell_store.embedded import EmbeddedServer
from stepwell_store.open import open_redis, open_store
from stepwell_store.protocol import Store

PARTITIONS = 16


@activity("bench.nothing")
def nothing() -> None:
    """Does nothing."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5_000)
    parser.add_argument("--durability", choices=["fsync", "everysec", "memory"], default="fsync")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="stepwell-bench-") as folder:
        server = EmbeddedServer(Path(folder), options.durability)
        url = server.start()
        try:
            measure(url, options.count, options.durability)
        finally:
            server.stop()


def measure(url: str, count: int, durability: str) -> None:
    """All figures on one server."""
    connection = open_redis(url)
    print_server(connection)
    settings = Settings(store_url=url, namespace="bench", worker_lease_seconds=10)
    pop = raw_pops(connection, count)
    stock = stock_worker(connection, max(200, count // 10))
    ours = our_worker(connection, settings, count)
    threads = our_worker(connection, settings, count, concurrency=8)
    print(f"no-op activities, one process, durability {durability}, {count} of them")
    for name, rate in (
        ("raw LPOP", pop),
        ("stock rq SimpleWorker", stock),
        ("StepwellWorker", ours),
        ("StepwellWorker, 8 threads", threads),
    ):
        print(f"  {name:<26} {rate:>9,.0f} /s   {rate / stock:6.1f} x stock   {rate / pop:5.2f} x LPOP")
    print(json.dumps({"rawPop": pop, "stock": stock, "stepwell": ours, "stepwellThreads": threads}))


def raw_pops(connection: Redis, count: int) -> float:
    """Ids taken from a list one by one, per second."""
    connection.rpush("bench:raw", *range(count))
    began = time.perf_counter()
    while connection.lpop("bench:raw") is not None:
        pass
    return count / (time.perf_counter() - began)


def stock_worker(connection: Redis, count: int) -> float:
    """Jobs of stock RQ per second."""
    queue = Queue("bench-stock", connection=connection, serializer=JSONSerializer)
    queue.enqueue_many([Queue.prepare_data("time.time", result_ttl=0) for _ in range(count)])
    worker = SimpleWorker([queue], connection=connection, serializer=JSONSerializer)
    began = time.perf_counter()
    worker.work(burst=True)
    return count / (time.perf_counter() - began)


def our_worker(connection: Redis, settings: Settings, count: int, concurrency: int = 1) -> float:
    """Attempts claimed, run and durably reported, per second."""
    store = open_store(settings)
    tokens = prepare(store, count, f"c{concurrency}")
    queue = Queue(queue_name("bench", "default"), connection=connection, serializer=JSONSerializer)
    for start in range(0, count, 1_000):
        queue.enqueue_many(
            [
                Queue.prepare_data(run_attempt, args=("bench", partition, token), job_id=token, result_ttl=0)
                for partition, token in tokens[start : start + 1_000]
            ]
        )
    runtime = new_runtime(settings, store, Registry([nothing]))
    worker = make_worker(runtime, connection, concurrency=concurrency)
    began = time.perf_counter()
    worker.work(burst=True)
    rate = count / (time.perf_counter() - began)
    reported = sum(store.partition_info(number).inbox_length for number in range(PARTITIONS))
    assert reported == count, f"{reported} of {count} are reported"
    for number in range(PARTITIONS):
        connection.delete(*connection.keys(f"*:{number}}}*") or ["none"])
    runtime.close()
    return rate


def prepare(store: Store, count: int, mark: str) -> list[tuple[int, str]]:
    """Attempts in the store, as the engine's commits leave them."""
    tokens = [(number % PARTITIONS, f"{mark}-{number}") for number in range(count)]
    commits = []
    for partition in range(PARTITIONS):
        owner = store.acquire(partition, "bench", 60_000)
        assert owner is not None
        mine = [token for where, token in tokens if where == partition]
        commits.append(
            Commit(
                partition=partition,
                epoch=owner.epoch,
                revision=owner.revision,
                token=f"{mark}-{partition}",
                time_ms=1,
                inbox=START,
                door=START,
                attempts={token: (json.dumps(payload(partition, token)).encode(), 2**42) for token in mine},
            )
        )
    assert {result.status for result in store.commit(commits)} == {"committed"}
    return tokens


def payload(partition: int, token: str) -> dict[str, Any]:
    """The payload of decision 0001."""
    return {
        "partition": partition,
        "instance": f"bench-1~{partition}",
        "definition": "bench",
        "version": "1.0.0",
        "device": None,
        "attempt": f"0/Work/1/{token}",
        "token": token,
        "activity": "bench.nothing",
        "queue": "default",
        "input": {"n": 1},
        "idempotencyKey": token,
        "state": "Work",
        "number": 1,
        "timeoutMs": 300_000,
        "heartbeatMs": None,
        "callbackToken": None,
    }


if __name__ == "__main__":
    main()
