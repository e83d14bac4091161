"""Three no-op activities in sequence, all durable: workflows per second, and one at a time.

    python bench/workflows.py [--count 1000] [--single 200] [--workers 1]

A real engine process and real worker processes on an embedded server with `appendfsync always`. The ratio is to
stock RQ in the same run: the same number of no-op jobs, three per workflow, through one SimpleWorker.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import orjson
from redis import Redis
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer
from served import print_server
from stepwell_engine.catalog import publish
from stepwell_schemas.settings import Settings
from stepwell_store.embedded import EmbeddedServer
from stepwell_store.open import open_redis, open_store
from stepwell_store.partition import instance_id, partition_of
from stepwell_store.protocol import InstanceFilter, Store

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


def wait_for(condition: object, seconds: float) -> None:
    """Poll until the condition holds."""
    assert callable(condition)
    until = time.perf_counter() + seconds
    while not condition():
        if time.perf_counter() > until:
            raise TimeoutError("the system did not get there")
        time.sleep(0.002)


def start(store: Store, number: int, tag: str, reply: dict[str, str] | None = None) -> str:
    partition = partition_of(f"{tag}-{number}", store.partitions)
    id = instance_id("three", f"{tag}{number:08x}", partition)
    operation = {"op": "start", "instance": id, "definition": "three", "version": None, "input": {}}
    if reply is not None:
        operation["reply"] = reply
    store.request_start(partition, id, "bench", orjson.dumps(operation))
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

    wait_for(done, 300)
    return count / (time.perf_counter() - started)


def latencies(store: Store, redis: Redis, count: int) -> list[float]:
    """Milliseconds from the request to the stored end, one workflow at a time.

    The server tells of the end (a keyspace notification): who asks for it again and again takes the processors that
    server, engine and worker need.
    """
    taken: list[float] = []
    redis.config_set("notify-keyspace-events", "Kz")  # this server is ours alone
    with redis.pubsub(ignore_subscribe_messages=True) as ends:
        ends.psubscribe("__keyspace@0__:*:index:three:succeeded")
        ends.get_message(timeout=1)  # that we have subscribed
        for number in range(count):
            started = time.perf_counter()
            id = start(store, number, "s")
            until = started + 30
            while ends.get_message(timeout=1) is None:
                if time.perf_counter() > until:
                    raise TimeoutError(id)
            taken.append((time.perf_counter() - started) * 1_000)
            partition = int(id.rpartition("~")[2])
            ended = store.instance(partition, id)
            assert ended is not None
            assert orjson.loads(ended)["status"] == "succeeded"
    redis.config_set("notify-keyspace-events", "")
    return taken


@activity(name="bench.nothing")
def nothing(n: int = 0) -> int:
    """Give the number back: what is left is Stepwell itself. Workers import this file for it."""
    return n


def processor_seconds(pid: int) -> float:
    """Processor time that a process has taken so far (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--single", type=int, default=200)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedServer(Path(folder), "fsync")
        url = server.start()
        try:
            run(url, options, Path(folder))
        finally:
            server.stop()


def run(url: str, options: argparse.Namespace, folder: Path) -> None:
    module = str(Path(__file__).resolve())
    environment = {
        **os.environ,
        "STEPWELL_STORE_URL": url,
        "STEPWELL_ACTIVITY_MODULES": module,
        "STEPWELL_DATA_DIR": str(folder),
        "STEPWELL_LOG_LEVEL": "warning",
    }
    command = [str(Path(sys.executable).with_name("stepwell"))]
    processes = [
        subprocess.Popen([*command, role], env=environment)
        for role in ["engine"] + ["worker"] * options.workers
    ]
    store = open_store(Settings(store_url=url))
    try:
        wait_for(lambda: "bench.nothing" in store.activities(), 20)
        publish(store, WORKFLOW, now_ms=0)
        throughput(store, 50, "warm")
        redis = open_redis(url)
        print_server(redis)
        rq_rate = stock_rq(redis, 600)
        names = {"server": int(redis.info("server")["process_id"]), "engine": processes[0].pid}
        names |= {f"worker {number}": process.pid for number, process in enumerate(processes[1:], 1)}
        before = {name: processor_seconds(pid) for name, pid in names.items()}
        taken = latencies(store, redis, options.single)
        single = {name: processor_seconds(pid) - before[name] for name, pid in names.items()}
        before = {name: processor_seconds(pid) for name, pid in names.items()}
        rate = throughput(store, options.count, "run")
        many = {name: processor_seconds(pid) - before[name] for name, pid in names.items()}
        print(f"three-step workflows      {rate:8,.0f} /s  ({rate * 3:,.0f} activities/s)")
        print(
            f"stock RQ, no-op jobs      {rq_rate:8,.0f} /s  ratio of activities to it {rate * 3 / rq_rate:.2f}"
        )
        print(
            f"one at a time             p50 {statistics.median(taken):.1f} ms   "
            f"p99 {sorted(taken)[int(len(taken) * 0.99) - 1]:.1f} ms   least {min(taken):.1f} ms"
        )
        for what, seconds, count in (
            ("one at a time", single, options.single),
            ("at once", many, options.count),
        ):
            shares = "   ".join(f"{name} {used / count * 1e3:.2f}" for name, used in seconds.items())
            print(f"processor ms per workflow, {what:<14} {shares}")
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(20)
        store.close()


if __name__ == "__main__":
    threading.current_thread().name = "bench"
    main()
