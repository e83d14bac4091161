"""Three no-op activities in sequence, all durable: workflows per second, and one at a time.

    python bench/workflows.py [--count 1000] [--single 200] [--workers 1]

A real engine process and real worker processes on an embedded server with `appendfsync always`. The ratio is to
stock RQ in the same run: the same number of no-op jobs, three per workflow, through one SimpleWorker; of a workflow
by itself it is to a script of four writes of one client, one at a time on the same server: a workflow waits for five
of the kind (two of its start, one of each step).
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
from redis import Redis
from redis.client import PubSub
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer
from served import processor_seconds, served, wait_until
from stepwell_engine.catalog import publish
from stepwell_store.partition import instance_id, partition_of
from stepwell_store.protocol import InstanceFilter, RequestedStart, StartReceipt, Store

from stepwell import activity

WORKFLOW = """
id: three
version: 1.0.0
startAt: A
states:
  A: {type: task, activity: bench.nothing, input: {n: 1}, resultPath: null, next: B}
  B: {type: task, activity: bench.nothing, input: {n: 2}, resultPath: null, next: C}
  C: {type: task, activity: bench.nothing, input: {n: 3}, resultPath: null, end: true}
"""


def start(store: Store, number: int, tag: str, reply: dict[str, str] | None = None) -> str:
    partition = partition_of(f"{tag}-{number}", store.partitions)
    id = instance_id("three", f"{tag}{number:08x}", partition)
    operation = {"op": "start", "instance": id, "definition": "three", "version": None, "input": {}}
    if reply is not None:
        operation["reply"] = reply
    [receipt] = store.request_starts([RequestedStart(partition, id, "bench", orjson.dumps(operation))])
    assert isinstance(receipt, StartReceipt)
    return id


def succeeded(store: Store) -> int:
    """How many instances have succeeded, by the search index."""
    count, cursor = 0, None
    while True:
        page, cursor = store.instances(InstanceFilter(statuses=("succeeded",)), ["three"], 1_000, cursor)
        count += len(page)
        if cursor is None:
            return count


def throughput(store: Store, count: int, tag: str) -> float:
    partitions: dict[int, list[bytes]] = {}
    for number in range(count):
        partition = partition_of(f"{tag}-{number}", store.partitions)
        id = instance_id("three", f"{tag}{number:08x}", partition)
        operation = {"op": "start", "instance": id, "definition": "three", "version": None, "input": {}}
        partitions.setdefault(partition, []).append(orjson.dumps(operation))
    before = succeeded(store)
    started = time.perf_counter()
    for partition, records in partitions.items():
        store.append_records(partition, records)

    def done() -> bool:
        time.sleep(0.02)
        return succeeded(store) - before >= count

    wait_until(done, 300, pause=0)
    return count / (time.perf_counter() - started)


@contextmanager
def ends(redis: Redis) -> Iterator[PubSub]:
    """The server tells of each workflow that has succeeded (a keyspace notification; the server is ours alone).

    Who asks for it again and again takes the processors that server, engine and worker need.
    """
    redis.config_set("notify-keyspace-events", "Kz")
    with redis.pubsub(ignore_subscribe_messages=True) as told:
        told.psubscribe("__keyspace@0__:*:index:three:succeeded")
        told.get_message(timeout=1)  # that we have subscribed
        yield told
    redis.config_set("notify-keyspace-events", "")


def ended(told: PubSub) -> None:
    """Wait until the next workflow has succeeded. Raises TimeoutError."""
    until = time.perf_counter() + 30
    while told.get_message(timeout=1) is None:
        if time.perf_counter() > until:
            raise TimeoutError("no workflow has succeeded for 30 s")


def latencies(store: Store, redis: Redis, count: int) -> list[float]:
    """Milliseconds from the request to the stored end, one workflow at a time."""
    taken: list[float] = []
    with ends(redis) as told:
        for number in range(count):
            started = time.perf_counter()
            id = start(store, number, "s")
            ended(told)
            taken.append((time.perf_counter() - started) * 1_000)
            stored = store.instance(int(id.rpartition("~")[2]), id)
            assert stored is not None
            assert orjson.loads(stored)["status"] == "succeeded"
    return taken


@activity(name="bench.nothing")
def nothing(n: int = 0) -> int:
    """Give the number back: what is left is Stepwell itself. Workers import this file for it."""
    return n


FOUR_WRITES = """
redis.call('HSET', KEYS[1], 'a', ARGV[1])
redis.call('RPUSH', KEYS[2], ARGV[1])
redis.call('ZADD', KEYS[3], 1, ARGV[1])
redis.call('XADD', KEYS[4], '*', 'a', ARGV[1])
"""


def durable_script(redis: Redis, count: int = 300) -> float:
    """Milliseconds until one client has the answer to a script of four small writes, one at a time: the median."""
    script = redis.register_script(FOUR_WRITES)
    keys = [f"bench:bare:{number}" for number in range(4)]
    taken: list[float] = []
    for number in range(count):
        started = time.perf_counter()
        script(keys=keys, args=[number])
        taken.append((time.perf_counter() - started) * 1_000)
    redis.delete(*keys)
    return statistics.median(taken)


def stock_rq(redis: Redis, count: int) -> float:
    """No-op jobs per second of one stock SimpleWorker."""
    queue = Queue("stock", connection=redis, serializer=JSONSerializer)
    prepared = [Queue.prepare_data("builtins.abs", (n,), result_ttl=0) for n in range(count)]
    queue.enqueue_many(prepared)
    worker = SimpleWorker([queue], connection=redis, serializer=JSONSerializer)
    worker._install_signal_handlers = lambda: None  # type: ignore[method-assign]  # not the main thread's business
    started = time.perf_counter()
    worker.work(burst=True, logging_level="ERROR")
    return count / (time.perf_counter() - started)


@contextmanager
def processes(url: str, workers: int = 1) -> Iterator[dict[str, int]]:
    """An engine and workers that know `bench.nothing`, on the server: their names and process ids."""
    with tempfile.TemporaryDirectory(prefix="stepwell-bench-") as folder:
        environment = {
            **os.environ,
            "STEPWELL_STORE_URL": url,
            "STEPWELL_ACTIVITY_MODULES": str(Path(__file__).resolve()),
            "STEPWELL_DATA_DIR": folder,
            "STEPWELL_LOG_LEVEL": "warning",
        }
        command = str(Path(sys.executable).with_name("stepwell"))
        names = {"engine": "engine"} | {f"worker {number}": "worker" for number in range(1, workers + 1)}
        running = {name: subprocess.Popen([command, role], env=environment) for name, role in names.items()}
        try:
            yield {name: process.pid for name, process in running.items()}
        finally:
            for process in running.values():
                process.terminate()
            for process in running.values():
                process.wait(20)


def begin(store: Store) -> None:
    """The workflow is published, and everything that it needs has run before."""
    wait_until(lambda: "bench.nothing" in store.activities(), 20)
    publish(store, WORKFLOW, now_ms=0)
    throughput(store, 50, "warm")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--single", type=int, default=200)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    with served() as (url, store, redis), processes(url, options.workers) as pids:
        begin(store)
        measure(store, redis, options, {"server": int(redis.info("server")["process_id"]), **pids})


def measure(store: Store, redis: Redis, options: argparse.Namespace, pids: dict[str, int]) -> None:
    """Print the rates, the latencies and what each process took."""
    rq_rate = stock_rq(redis, 600)
    bare = durable_script(redis)
    before = {name: processor_seconds(pid) for name, pid in pids.items()}
    taken = latencies(store, redis, options.single)
    single = {name: processor_seconds(pid) - before[name] for name, pid in pids.items()}
    before = {name: processor_seconds(pid) for name, pid in pids.items()}
    rate = throughput(store, options.count, "run")
    many = {name: processor_seconds(pid) - before[name] for name, pid in pids.items()}
    print(f"three-step workflows      {rate:8,.0f} /s  ({rate * 3:,.0f} activities/s)")
    print(f"stock RQ, no-op jobs      {rq_rate:8,.0f} /s  ratio of activities to it {rate * 3 / rq_rate:.2f}")
    print(
        f"one at a time             p50 {statistics.median(taken):.1f} ms   "
        f"p99 {sorted(taken)[int(len(taken) * 0.99) - 1]:.1f} ms   least {min(taken):.1f} ms"
    )
    single_ratio = statistics.median(taken) / bare
    print(
        f"durable script, 4 writes  p50 {bare:.2f} ms   a workflow by itself takes {single_ratio:.1f} of them"
    )
    for what, seconds, count in (
        ("one at a time", single, options.single),
        ("at once", many, options.count),
    ):
        shares = "   ".join(f"{name} {used / count * 1e3:.2f}" for name, used in seconds.items())
        print(f"processor ms per workflow, {what:<14} {shares}")


if __name__ == "__main__":
    threading.current_thread().name = "bench"
    main()
