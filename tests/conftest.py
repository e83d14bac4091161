"""Fixtures that several rooms share: a real server per pytest process, a namespace per test, a store on both."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import stepwell_engine.partition
from hypothesis import HealthCheck, settings
from stepwell_engine import device
from stepwell_schemas import instance
from stepwell_store.embedded import Durability, EmbeddedServer
from stepwell_store.open import open_redis
from stepwell_store.redis_store import RedisStore

# No time limits in tests: the machines are noisy.
settings.register_profile("stepwell", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("stepwell")


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of this pytest process alone, on a unix socket; it ends with the session."""
    server = EmbeddedServer(tmp_path_factory.mktemp("server"), "memory")
    yield server.start()
    server.stop()


@pytest.fixture(autouse=True)
def nothing_stays_nothing() -> Iterator[None]:
    """What all instances and devices share is never changed, whatever a test has done with them."""
    yield
    shared = instance.NO_VALUES, instance.NO_COUNTS, device.NO_NAMES, device.NO_COUNTS, device.NO_SIZES
    assert not any(shared)


@pytest.fixture
def replaceable() -> None:
    """For a test that replaces functions of the engine: compiled modules call each other past what is set on them."""
    if Path(stepwell_engine.partition.__file__).suffix != ".py":
        pytest.skip("the engine's modules are compiled")


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """A server for this test alone, which it may stop or starve."""
    yield from running(tmp_path, "memory")


@pytest.fixture
def durable_server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """The same, but one that has everything on the disk before it answers."""
    yield from running(tmp_path, "fsync")


def running(folder: Path, durability: Durability) -> Iterator[EmbeddedServer]:
    """A server in this folder, for as long as a fixture lasts."""
    server = EmbeddedServer(folder, durability)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def namespace() -> str:
    """A namespace nobody else uses."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def redis_store(server_url: str, namespace: str) -> Iterator[RedisStore]:
    """A store of four partitions on the real server."""
    store = RedisStore(open_redis(server_url), namespace, partitions=4)
    yield store
    store.close()
