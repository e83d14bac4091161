"""`stepwell up` with real processes: it serves, mends itself, and leaves nothing behind, however it ends."""

import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cli_world import Up, eventually, is_alive, run, start_up
from stepwell_cli import tree
from stepwell_cli.runfile import read_run_file, write_run_file
from stepwell_store.embedded import EmbeddedServer


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name, so that the server's socket lies in it."""
    with tempfile.TemporaryDirectory(prefix="stepwell-test-") as name:
        yield Path(name) / "data"


@pytest.fixture
def up(folder: Path) -> Iterator[Up]:
    """A running tree with one worker."""
    running = start_up(folder, "--workers", "1")
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.end()


def members(up: Up) -> list[int]:
    """All processes of the tree, the embedded server included."""
    running = up.running
    return [running.supervisor, *running.children.values(), up.server_process()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything_and_leaves_no_run_file(up: Up, number: signal.Signals) -> None:
    processes = members(up)
    assert up.end(number) == 0, up.log()
    assert [process for process in processes if is_alive(process)] == []
    assert not (up.folder / "up.json").exists()
    assert not list(up.folder.glob("*.tmp"))
    assert not (up.folder.parent / ".stepwell").exists()


def test_commands_of_the_folder_find_a_tree_that_keeps_its_data_elsewhere(
    up: Up, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = up.running.url
    monkeypatch.chdir(up.folder.parent)
    found = eventually(lambda: read_run_file(Path(".stepwell")), "the note is there")
    assert found.url == url
    assert run("activities").exit_code == 0


class Proxy:
    """A proxy that refuses, and notes what it was asked for."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}"
        self.asked: list[str] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._server.accept()
            with connection:
                self.asked.append(connection.recv(65_536).decode().split("\r\n")[0])
                connection.sendall(b"HTTP/1.0 502 Bad Gateway\r\n\r\n")


def proxy_everything(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """From now on the environment says so."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, url)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


def test_a_proxy_of_the_environment_does_not_come_between(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = Proxy()
    proxy_everything(monkeypatch, f"http://{proxy.address}")
    up = start_up(folder, "--workers", "0")
    try:
        url = up.running.url
        for host in ("127.0.0.1", "LOCALHOST"):
            ran = run("activities", "--url", url.replace("127.0.0.1", host))
            assert ran.exit_code == 0, ran.stderr
        for nobody in ("127.0.0.2", "[::1]"):
            ran = run("activities", "--url", url.replace("127.0.0.1", nobody))
            assert "No server answers at" in ran.stderr
        monkeypatch.chdir(folder.parent)
        write_run_file(Path(".stepwell"), replace(up.running, url="http://this-very-machine.example:1"))
        assert "No server answers at http://this-very-machine.example:1" in run("activities").stderr
        assert proxy.asked == []
        run("activities", "--url", "http://engine.example:8080")
        assert proxy.asked == ["GET http://engine.example:8080/activities HTTP/1.1"]
    finally:
        up.end()


@pytest.mark.parametrize("scheme", ["socks5h", "unheard-of"])
def test_a_proxy_that_cannot_be_used_is_told_where_it_is_needed(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "socksio", None)  # which httpx needs for SOCKS, and we do not bring
    proxy_everything(monkeypatch, f"{scheme}://127.0.0.1:1")
    assert (
        "No server answers at http://127.0.0.1:1" in run("activities", "--url", "http://127.0.0.1:1").stderr
    )
    ran = run("activities", "--url", "http://engine.example:8080")
    assert ran.exit_code == 2
    assert "a proxy that the environment names cannot be used" in ran.stderr


def test_certificates_that_are_not_there_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nowhere.pem"))
    ran = run("activities", "--url", "https://127.0.0.1:1")
    assert ran.exit_code == 2
    assert "the certificates that the environment names cannot be used" in ran.stderr


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.0 404 Not Found\r\n\r\n<h1>\xff</h1>", "answers with status 404: <h1>\ufffd</h1>"),
        (
            b'HTTP/1.0 500 Broken\r\n\r\n{"title": "internal"}',
            'answers with status 500: {"title": "internal"}',
        ),
        (b"HTTP/1.0 503 Busy\r\n\r\n[]", "answers with status 503: []"),
        (b'HTTP/1.0 503 Busy\r\n\r\n{"checks": 3}', 'answers with status 503: {"checks": 3}'),
        (b'HTTP/1.0 503 Busy\r\n\r\n{"checks": {}}', 'answers with status 503: {"checks": {}}'),
        (b'HTTP/1.0 503 Busy\r\n\r\n{"checks": {"store": "ok", "engine": "none runs"}}', "engine: none runs"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "the API does not answer (BadStatusLine)"),
        (b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n", "the API does not answer ("),
        (b"", "the API does not answer (RemoteDisconnected)"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\n", ""),
    ],
)
def test_what_the_api_or_another_answers_while_it_starts_is_told(answer: bytes, told: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor() as pool:
        server.settimeout(10)

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(answer)

        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        served = pool.submit(serve)
        found = tree._missing(url)
        served.result()
    assert found.removeprefix(f"{url} ").startswith(told)
    assert bool(found) == bool(told)


def test_an_api_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "ANSWER_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert tree._missing(f"http://127.0.0.1:{server.getsockname()[1]}") == (
            "the API does not answer (TimeoutError)"
        )


def test_when_the_supervisor_is_killed_its_children_end_by_themselves(up: Up) -> None:
    processes = members(up)
    assert up.end(signal.SIGKILL) == -signal.SIGKILL
    eventually(lambda: not any(is_alive(process) for process in processes), "all have ended")


@pytest.mark.parametrize("name", ["engine", "worker-1", "api", "server"])
def test_a_child_that_is_killed_is_started_again(up: Up, name: str) -> None:
    before = up.running.children[name]
    os.kill(before, signal.SIGKILL)
    after = eventually(lambda: _other(up.running.children.get(name), before), "it runs again")
    assert is_alive(after)
    eventually(lambda: _ready(up), "the API is ready")
    assert name in up.log()


def test_the_embedded_server_is_started_again_with_all_its_data(folder: Path) -> None:
    up = start_up(folder, "--workers", "1", "--durability", "fsync")
    try:
        url = up.running.url
        pushed = run("push", "--type", "T", "--device", "d", "--id", "before", url=url)
        assert pushed.exit_code == 0
        server = up.server_process()
        os.kill(server, signal.SIGKILL)
        eventually(lambda: _other(EmbeddedServer(folder).pid, server), "another server")
        eventually(lambda: run("trace", "before", url=url).exit_code == 0, "the event is still known")
    finally:
        up.end()


def test_a_second_tree_in_the_same_folder_is_refused(up: Up) -> None:
    url = up.running.url
    second = run("up", "--port", "0", "--data-dir", str(up.folder))
    assert second.exit_code == 1
    assert "runs already" in second.stderr
    assert url in second.stderr
    assert run("activities", url=url).exit_code == 0


def test_a_port_that_is_taken_is_told_before_anything_starts(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ran = run("up", "--port", str(taken.getsockname()[1]), "--data-dir", str(folder))
    assert ran.exit_code == 1
    assert "--port" in ran.stderr
    assert not (folder / "server").exists()


def test_activities_that_cannot_be_imported_end_the_start(folder: Path) -> None:
    up = start_up(folder, "--workers", "1", "--activities", "no_such_module_anywhere")
    assert up.process.wait(60) == 1
    assert "no_such_module_anywhere" in up.log()
    assert "worker-1 ended with exit code 1" in up.log()
    assert EmbeddedServer(folder).pid is None


def test_a_public_address_without_keys_is_refused(folder: Path) -> None:
    up = start_up(folder, "--workers", "0", "--host", "0.0.0.0")
    assert up.process.wait(60) == 1
    assert "keys" in up.log()


def test_doctor_finds_a_running_tree_in_order(up: Up) -> None:
    assert up.running
    ran = run("doctor", "--data-dir", str(up.folder), "--json")
    assert ran.exit_code == 0, ran.stdout
    assert ran.document["findings"] == []


def test_doctor_ends_the_server_that_it_started(folder: Path) -> None:
    up = start_up(folder, "--workers", "0")
    assert up.running
    assert up.end() == 0
    ran = run("doctor", "--data-dir", str(folder), "--json")
    assert ran.exit_code == 1
    assert [finding["kind"] for finding in ran.document["findings"]] == ["noEngine"]
    assert EmbeddedServer(folder).pid is None


def _other(process: int | None, before: int) -> int | None:
    return process if process not in (None, before) else None


def _ready(up: Up) -> Any:
    return run("activities", url=up.running.url).exit_code == 0
