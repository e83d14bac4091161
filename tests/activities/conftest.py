"""What tests of workers begin with."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from activities.hands_bench import Bench
from redis import Redis
from stepwell_store.open import open_redis
from stepwell_store.redis_store import RedisStore


@pytest.fixture
def connection(server_url: str) -> Iterator[Redis]:
    connection = open_redis(server_url)
    yield connection
    connection.close()


@pytest.fixture
def gate(tmp_path: Path) -> dict[str, str]:
    """The input of `sample.gate`: two FIFOs."""
    for name in ("started", "release"):
        os.mkfifo(tmp_path / name)
    return {"started": str(tmp_path / "started"), "release": str(tmp_path / "release")}


@pytest.fixture
def bench(redis_store: RedisStore, connection: Redis, namespace: str) -> Iterator[Bench]:
    bench = Bench(redis_store, connection, namespace)
    yield bench
    for key in connection.keys(f"rq:*{namespace}*"):
        connection.delete(key)
    bench.close()


@pytest.fixture
def signals() -> Iterator[None]:
    """A worker's loop sets handlers of its own."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
