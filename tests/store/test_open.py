"""Addresses: each form opens what it names, anything else is refused with the forms that are allowed."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import BusyLoadingError
from redis.exceptions import ConnectionError as RedisConnectionError
from stepwell_schemas.settings import Settings
from stepwell_store.embedded import EmbeddedServer, find_server
from stepwell_store.errors import LayoutMismatch, StoreUnavailable
from stepwell_store.memory_store import MemoryStore
from stepwell_store.open import open_redis, open_store, queue_url, without_password


def test_memory_is_opened_by_its_scheme(namespace: str) -> None:
    store = open_store(Settings(store_url="memory://", namespace=namespace, partitions=3))
    assert isinstance(store, MemoryStore)
    assert (store.namespace, store.partitions) == (namespace, 3)


def test_without_an_address_the_embedded_server_is_started(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, durability="memory")
    store = open_store(settings)
    server = EmbeddedServer(tmp_path)
    try:
        store.ping()
        assert server.pid is not None
        assert queue_url(settings) == server.url
    finally:
        store.close()
        server.stop()


def test_a_running_server_is_opened_by_its_address(server_url: str, namespace: str) -> None:
    store = open_store(Settings(store_url=server_url, namespace=namespace))
    store.ping()
    store.close()
    with pytest.raises(LayoutMismatch):
        open_store(Settings(store_url=server_url, namespace=namespace, partitions=2))


def test_the_queue_may_be_elsewhere() -> None:
    assert queue_url(Settings(store_url="redis://a", queue_url="redis://b")) == "redis://b"
    assert queue_url(Settings(store_url="redis://a")) == "redis://a"
    with pytest.raises(ValueError, match="set queue_url"):
        queue_url(Settings(store_url="memory://"))


@pytest.mark.parametrize(
    "url",
    [
        "http://somewhere",
        "somewhere:6379",
        "",
        "redis://host:port",
        "redis+sentinel://host",
        "redis+sentinel:///service",
        "redis+sentinel://host:x/service",
        "redis+sentinel://host/service/one",
        "redis+sentinel://host/service?sentinel_pasword=x",
        "redis://host?decode_responses=true",
    ],
)
def test_an_address_of_another_form_is_refused_with_the_allowed_ones(url: str) -> None:
    with pytest.raises(ValueError, match=r"allowed: redis://.*redis\+sentinel://"):
        open_redis(url)


def test_a_server_that_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    url = f"unix://user:secret@{tmp_path}/none.sock"
    with pytest.raises(StoreUnavailable, match="cannot be reached") as caught:
        open_store(Settings(store_url=url))
    assert str(tmp_path) in str(caught.value)
    assert "secret" not in str(caught.value)


def test_passwords_are_not_shown() -> None:
    assert without_password("redis://u:p@h:1/2") == "redis://u:***@h:1/2"
    assert (
        without_password("redis+sentinel://u:p@a,b/s?sentinel_password=q") == "redis+sentinel://u:***@a,b/s"
    )
    assert without_password("redis://h") == "redis://h"


def test_connections_never_repeat_a_command_and_wait_longer_than_a_blocking_read(server_url: str) -> None:
    with open_redis(server_url) as client:
        options = client.connection_pool.connection_kwargs
        assert options["retry"].get_retries() == 0
        assert options["socket_timeout"] >= 30


@pytest.fixture
def sentinel(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """(sentinel's port, master's port); both with passwords."""
    port, master = free_port(), free_port()
    config = tmp_path / "sentinel.conf"
    config.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {tmp_path}\nrequirepass watch\n"
        f"sentinel monitor main 127.0.0.1 {master} 1\nsentinel auth-pass main secret\n"
    )
    server = str(find_server())
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    master_options = ["--port", str(master), "--bind", "127.0.0.1", "--save", "", "--requirepass", "secret"]
    with (
        subprocess.Popen([server, *master_options, "--dir", str(tmp_path)], **quiet) as first,  # type: ignore[call-overload]  # options as a mapping
        subprocess.Popen([server, str(config), "--sentinel"], **quiet) as second,  # type: ignore[call-overload]  # the same
    ):
        yield port, master
        for process in (first, second):
            os.kill(process.pid, signal.SIGKILL)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_the_master_is_found_through_a_sentinel(sentinel: tuple[int, int]) -> None:
    port, master = sentinel
    url = f"redis+sentinel://:secret@localhost:1,127.0.0.1:{port}/main/3?sentinel_password=watch"
    deadline = time.monotonic() + 20
    with open_redis(url) as client:
        while True:
            try:
                client.set("found", "yes")
                break
            except RedisConnectionError:
                assert time.monotonic() < deadline
    with open_redis(f"redis://:secret@127.0.0.1:{master}/3") as direct:
        assert direct.get("found") == b"yes"


def test_a_server_that_reads_its_files_is_waited_for(
    server_url: str, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading = [BusyLoadingError("reading"), BusyLoadingError("reading")]

    def ping(client: Redis) -> bool:
        if loading:
            raise loading.pop()
        return True

    monkeypatch.setattr(Redis, "ping", ping)
    store = open_store(Settings(store_url=server_url, namespace=namespace))
    assert loading == []
    store.close()
