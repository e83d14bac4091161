"""Failover by Sentinel to a replica, under load: with `min-replicas-to-write` no acknowledged event is lost."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from end_to_end.process import free_port, wait_until
from redis import Redis
from redis.exceptions import RedisError
from stepwell_engine.catalog import publish
from stepwell_engine.dispatch import Job
from stepwell_engine.loop import Engine
from stepwell_schemas.settings import Settings
from stepwell_store.embedded import find_server
from stepwell_store.errors import StoreUnavailable
from stepwell_store.open import open_store
from stepwell_store.protocol import Store

WORKFLOW = """
id: listen
version: 1.0.0
events: {Begin: {}, Tick: {type: object}}
start: {on: [Begin], input: {}, afterCompletion: ignore}
configuration: {timeout: P30D, accumulator: {maxEvents: 100000, maxBytes: 100000000}}
startAt: Ready
states:
  Ready: {type: pass, set: {$.state.count: 0}, next: Listen}
  Listen: {type: wait, event: Tick, timeout: P20D, timeoutNext: Done, resultPath: $.state.last, next: Count}
  Count: {type: pass, set: {$.state.count: {$add: [$.state.count, 1]}}, next: Listen}
  Done: {type: succeed}
"""
DEVICES = 10
REPLICATION = (
    "--min-replicas-to-write",
    "1",
    "--min-replicas-max-lag",
    "1",
    "--repl-diskless-sync-delay",
    "0",
)


class NoQueue:
    def enqueue(self, jobs: Sequence[Job]) -> None:
        raise AssertionError("no activity here")

    def queued(self, jobs: Sequence[Job]) -> set[str]:
        return set()


@dataclass(frozen=True, slots=True)
class Servers:
    url: str
    sentinel: int
    main: int
    replica: int
    kill_main: Callable[[], None]


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    """A server, its synced replica, and one Sentinel that watches them."""
    main, replica, sentinel = free_port(), free_port(), free_port()
    config = tmp_path / "sentinel.conf"
    config.write_text(
        f"port {sentinel}\nbind 127.0.0.1\ndir {tmp_path}\nsentinel monitor main 127.0.0.1 {main} 1\n"
        "sentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 5000\n"
    )
    server = str(find_server())
    with ExitStack() as running:
        first = running.enter_context(process([server, *options(tmp_path, "main", main), *REPLICATION]))
        wait_until(lambda: answers(main), 10, "the server answers")
        follow = ("--replicaof", "127.0.0.1", str(main))
        # A replica that has been promoted has none itself: it takes writes by its own setting.
        running.enter_context(process([server, *options(tmp_path, "replica", replica), *follow]))
        wait_until(lambda: is_synced(replica), 20, "the replica is synced")
        running.enter_context(process([server, str(config), "--sentinel"]))
        wait_until(lambda: knows_replica(sentinel), 30, "the Sentinel knows the replica")
        url = f"redis+sentinel://127.0.0.1:{sentinel}/main/0"
        yield Servers(url, sentinel, main, replica, lambda: os.kill(first.pid, signal.SIGKILL))


def options(folder: Path, name: str, port: int) -> list[str]:
    (folder / name).mkdir()
    durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
    return ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder / name), *durable]


@contextmanager
def process(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield started
    finally:
        started.kill()
        started.wait()


def asked(port: int, ask: Callable[[Redis], bool]) -> bool:
    with Redis(port=port, socket_timeout=2, protocol=2) as client:
        try:
            return ask(client)
        except RedisError:
            return False


def answers(port: int) -> bool:
    return asked(port, lambda client: bool(client.ping()))


def is_synced(port: int) -> bool:
    return asked(port, lambda client: client.info("replication").get("master_link_status") == "up")


def knows_replica(port: int) -> bool:
    return asked(port, lambda client: len(client.sentinel_slaves("main")) == 1)


def event(device: int, number: int) -> bytes:
    kind = "Tick" if number else "Begin"
    return orjson.dumps(
        {"specversion": "1.0", "id": f"{device}-{number}", "source": "/t", "type": kind,
         "subject": f"device-{device}", "data": {"n": number}}
    )  # fmt: skip


def push(store: Store, number: int, until: float) -> None:
    """Event `number` of every device, again and again until it is acknowledged."""
    while True:
        try:
            store.append_events([event(device, number) for device in range(DEVICES)])
            return
        except StoreUnavailable:
            assert time.monotonic() < until, "the failover came to no end"


def work(engine: Engine) -> None:
    """One round; a store that is away is come back to."""
    try:
        engine.step(block_ms=5)
    except StoreUnavailable:
        return


def test_no_acknowledged_event_is_lost_when_the_replica_takes_over(servers: Servers) -> None:
    settings = Settings(store_url=servers.url, partitions=2)
    store = open_store(settings)
    assert publish(store, WORKFLOW, now_ms=1).result == "created"
    engine = Engine(open_store(settings), NoQueue(), "engine")
    for number in range(300):
        if number == 100:
            servers.kill_main()
        push(store, number, time.monotonic() + 60)
        work(engine)
    assert answers(servers.replica)
    assert not answers(servers.main)
    until = time.monotonic() + 30
    while time.monotonic() < until and not all_counted(store, 299):
        work(engine)
    found = {one["device"]: one["state"]["count"] for one in stored(store)}
    assert found == {f"device-{device}": 299 for device in range(DEVICES)}
    engine.drain()
    store.close()


def stored(store: Store) -> list[dict[str, Any]]:
    return [orjson.loads(raw) for number in range(store.partitions) for _, raw in store.scan(number)]


def all_counted(store: Store, count: int) -> bool:
    try:
        return [one["state"].get("count") for one in stored(store)] == [count] * DEVICES
    except StoreUnavailable:
        return False
