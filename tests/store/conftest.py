"""One suite, three homes: every test that takes `store` runs on memory, on fakeredis and on a real server.

After each test on Redis, every key that was made must be one that `keys.py` documents.
"""

from collections.abc import Iterator
from pathlib import Path

import fakeredis
import pytest
from redis import Redis
from stepwell_store.keys import is_known_key
from stepwell_store.memory_store import MemoryStore
from stepwell_store.open import open_redis
from stepwell_store.protocol import Store
from stepwell_store.redis_store import RedisStore

PARTITIONS = 4


@pytest.fixture(params=["memory", "fakeredis", "server"])
def store(request: pytest.FixtureRequest, namespace: str) -> Iterator[Store]:
    """A fresh store of four partitions."""
    if request.param == "memory":
        yield MemoryStore(namespace, PARTITIONS)
        return
    client: Redis
    if request.param == "fakeredis":
        request.getfixturevalue("monkeypatch").setenv("LUA_PATH", str(Path(__file__).with_name("?.lua")))
        client = fakeredis.FakeRedis(server=fakeredis.FakeServer(), protocol=2, lua_modules={"cmsgpack"})
    else:
        client = open_redis(request.getfixturevalue("server_url"))
    opened = RedisStore(client, namespace, PARTITIONS)
    yield opened
    leaked = unknown_keys(client, namespace)
    opened.close()
    assert leaked == []


def unknown_keys(client: Redis, namespace: str) -> list[str]:
    """Keys that mention the namespace but are none of its documented ones."""
    found = [key.decode() for key in client.scan_iter(match=f"*{namespace}*", count=1000)]
    return [key for key in found if not is_known_key(key, namespace)]
