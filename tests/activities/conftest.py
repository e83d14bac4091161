"""What tests of hands begin with."""

import signal
from collections.abc import Iterator

import pytest
from activities.hands_bench import Bench
from stepwell_store.open import open_redis
from stepwell_store.redis_store import RedisStore


@pytest.fixture
def bench(redis_store: RedisStore, server_url: str, namespace: str) -> Iterator[Bench]:
    connection = open_redis(server_url)
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
