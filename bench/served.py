"""What the benches share: a fresh embedded server, an engine in a process of its own, figures as people read them."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from redis import Redis
from stepwell_schemas.settings import Settings
from stepwell_store.embedded import EmbeddedServer
from stepwell_store.open import open_redis, open_store
from stepwell_store.protocol import Store


@contextmanager
def served(durability: str = "fsync", partitions: int = 16) -> Iterator[tuple[str, Store, Redis]]:
    """A server in a folder of its own: its address, a store on it, a plain client."""
    with tempfile.TemporaryDirectory(prefix="stepwell-bench-") as folder:
        server = EmbeddedServer(Path(folder), durability)
        url = server.start()
        store = open_store(Settings(store_url=url, partitions=partitions))
        redis = open_redis(url)
        print_server(redis)
        try:
            yield url, store, redis
        finally:
            store.close()
            redis.close()
            server.stop()


_print_once = cache(print)
"""For what several servers of one run have in common."""


def print_server(redis: Redis) -> None:
    """Say which server answers, and what it takes its memory from: much of its time depends on it."""
    found = redis.info()
    version = found.get("valkey_version", found["redis_version"])
    allocator = found["mem_allocator"]
    maps = Path(f"/proc/{found['process_id']}/maps")
    if allocator == "libc" and maps.exists() and "/libjemalloc" in maps.read_text():
        allocator = "jemalloc in place of libc"
    _print_once(f"server                     {found.get('server_name', 'redis')} {version} ({allocator})")


@contextmanager
def engine_process(url: str, partitions: int = 16) -> Iterator[subprocess.Popen[bytes]]:
    """`stepwell engine` on the server; ended at the end, if it still runs."""
    environment = {
        **os.environ,
        "STEPWELL_STORE_URL": url,
        "STEPWELL_PARTITIONS": str(partitions),
        "STEPWELL_LOG_LEVEL": "error",
    }
    command = [str(Path(sys.executable).with_name("stepwell")), "engine"]
    process = subprocess.Popen(command, env=environment)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def wait_until(condition: Callable[[], bool], seconds: float, pause: float = 0.01) -> None:
    """Poll until the condition holds. Raises TimeoutError."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError("the system did not get there")
        time.sleep(pause)


def applied(store: Store, redis: Redis) -> int:
    """Events with a disposition so far, by the partitions' counters: one question, which a busy server answers soon."""
    pipeline = redis.pipeline(transaction=False)
    for number in range(store.partitions):
        pipeline.hvals(f"{{stepwell:{number}}}:counters")
    return sum(int(count) for counts in pipeline.execute() for count in counts)


def processor_seconds(pid: int) -> float:
    """Processor time that a process has taken so far (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    """Memory that a process holds (Linux)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def peak_bytes(pid: int) -> int:
    """The most memory that a process has held so far (Linux)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024


def percentiles(values: Sequence[float]) -> str:
    """p50, p99 and p99.9 of milliseconds."""
    ordered = sorted(values)
    at = [ordered[min(len(ordered) - 1, int(len(ordered) * part))] for part in (0.5, 0.99, 0.999)]
    return "p50 {:.0f} ms   p99 {:.0f} ms   p99.9 {:.0f} ms".format(*at)


def rewrite_log(redis: Redis) -> None:
    """So that the server does not begin to rewrite it, which takes a core, just while something is measured."""
    redis.config_set("auto-aof-rewrite-percentage", 0)
    wait_until(lambda: not redis.info("persistence")["aof_rewrite_in_progress"], 300)
    redis.bgrewriteaof()
    wait_until(lambda: not redis.info("persistence")["aof_rewrite_in_progress"], 300)
