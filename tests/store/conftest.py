"""One suite, three homes: every test that takes `store` runs on memory, on fakeredis and on a real server."""

from collections.abc import Iterator

import fakeredis
import pytest
from stepwell_store.memory_store import MemoryStore
from stepwell_store.open import open_redis
from stepwell_store.protocol import Store
from stepwell_store.redis_store import RedisStore

PARTITIONS = 4


@pytest.fixture(params=["memory", "fakeredis", "server"])
def store(request: pytest.FixtureRequest, namespace: str) -> Iterator[Store]:
    """A fresh store of four partitions."""
    opened: Store
    match request.param:
        case "memory":
            opened = MemoryStore(namespace, PARTITIONS)
        case "fakeredis":
            opened = RedisStore(
                fakeredis.FakeRedis(server=fakeredis.FakeServer(), protocol=2), namespace, PARTITIONS
            )
        case _:
            opened = RedisStore(open_redis(request.getfixturevalue("server_url")), namespace, PARTITIONS)
    yield opened
    opened.close()
