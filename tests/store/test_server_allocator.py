"""The embedded server's allocator: jemalloc where it can be had, else glibc's with settings; what users set stays."""

import platform
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from stepwell_store import server_allocator
from stepwell_store.embedded import EmbeddedServer, find_server
from stepwell_store.open import open_redis
from stepwell_store.server_allocator import TUNABLES, server_environment

NOWHERE = "libjemalloc-that-nobody-has.so.2"
ALWAYS_THERE = "libresolv.so.2"
"""A part of glibc that the server does not load by itself: stands for jemalloc, which not every machine has."""

needs_glibc = pytest.mark.skipif(
    server_allocator._glibc() < server_allocator.OLDEST_GLIBC, reason="another C library"
)


@pytest.fixture(autouse=True)
def _nothing_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    monkeypatch.delenv("LD_PRELOAD", raising=False)


@contextmanager
def started(folder: Path) -> Iterator[int]:
    """The process of a server in this folder."""
    server = EmbeddedServer(folder, "memory")
    try:
        server.start()
        assert server.pid is not None
        yield server.pid
    finally:
        server.stop()


def a_program(folder: Path, body: str) -> Path:
    program = folder / "valkey-server"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    return program


@needs_glibc
def test_jemalloc_is_given_to_the_server_where_the_machine_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with started(tmp_path / "without") as pid:
        assert ALWAYS_THERE not in Path(f"/proc/{pid}/maps").read_text()
    monkeypatch.setattr(server_allocator, "JEMALLOC", ALWAYS_THERE)
    with started(tmp_path / "with") as pid:
        assert ALWAYS_THERE in Path(f"/proc/{pid}/maps").read_text()
        assert b"GLIBC_TUNABLES" not in Path(f"/proc/{pid}/environ").read_bytes()


def test_jemalloc_itself_serves_where_it_is_installed(tmp_path: Path) -> None:
    if server_environment(find_server()).get("LD_PRELOAD") != server_allocator.JEMALLOC:
        pytest.skip("no jemalloc on this machine")
    with started(tmp_path) as pid:
        assert "libjemalloc" in Path(f"/proc/{pid}/maps").read_text()
        with open_redis(EmbeddedServer(tmp_path, "memory").url) as client:
            client.set("a", "b" * 1_000_000)
            client.bgsave()
            deadline = time.monotonic() + 30
            while (found := client.info("persistence"))["rdb_bgsave_in_progress"]:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            assert found["rdb_last_bgsave_status"] == "ok"


@needs_glibc
def test_without_it_the_server_is_started_with_settings_of_glibc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_allocator, "JEMALLOC", NOWHERE)
    with started(tmp_path) as pid:
        environment = b"\0" + Path(f"/proc/{pid}/environ").read_bytes()
        assert b"\0GLIBC_TUNABLES=glibc.malloc." in environment
        assert b"\0LD_PRELOAD=" not in environment


@pytest.mark.parametrize(
    "body",
    [
        'test -z "$LD_PRELOAD" || exit 1; echo "Valkey server v=9.1.2 malloc=libc"',
        'echo "<jemalloc>: Unsupported system page size" >&2; echo "Valkey server v=9.1.2 malloc=libc"',
        'echo "Redis server v=7.0.15 malloc=jemalloc-5.3.0"',
    ],
    ids=["does not start with it", "is warned of it", "has it already"],
)
def test_a_server_that_does_not_take_it_is_left_without(
    body: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_allocator, "JEMALLOC", ALWAYS_THERE)
    assert "LD_PRELOAD" not in server_environment(a_program(tmp_path, body))


@needs_glibc
def test_a_server_that_takes_it_gets_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The counterpart of the above: a program of the same kind, without what was wrong there."""
    monkeypatch.setattr(server_allocator, "JEMALLOC", ALWAYS_THERE)
    program = a_program(tmp_path, 'echo "Valkey server v=9.1.2 malloc=libc"')
    assert server_environment(program)["LD_PRELOAD"] == ALWAYS_THERE


def test_a_server_that_hangs_or_is_gone_is_left_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_allocator, "SECONDS_TO_ANSWER", 0.1)
    assert "LD_PRELOAD" not in server_environment(a_program(tmp_path, "exec sleep 5"))
    assert "LD_PRELOAD" not in server_environment(tmp_path / "gone")


@pytest.mark.parametrize("theirs", ["", "libfaketime.so.1"])
def test_what_the_user_preloads_stays(theirs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_allocator, "JEMALLOC", ALWAYS_THERE)
    monkeypatch.setenv("LD_PRELOAD", theirs)
    program = a_program(tmp_path, 'echo "Valkey server v=9.1.2 malloc=libc"')
    assert server_environment(program)["LD_PRELOAD"] == theirs


@pytest.mark.parametrize("theirs", ["glibc.malloc.tcache_count=9", ""])
def test_who_sets_the_allocator_of_glibc_keeps_it(
    theirs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_allocator, "JEMALLOC", ALWAYS_THERE)
    monkeypatch.setenv("GLIBC_TUNABLES", theirs)
    environment = server_environment(a_program(tmp_path, 'echo "Valkey server v=9.1.2 malloc=libc"'))
    assert environment["GLIBC_TUNABLES"] == theirs
    assert "LD_PRELOAD" not in environment


def test_settings_of_glibc_that_are_of_something_else_stay_beside_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.30"))
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.rtld.nns=8")
    assert server_environment(tmp_path / "gone")["GLIBC_TUNABLES"] == f"glibc.rtld.nns=8:{TUNABLES}"


@pytest.mark.parametrize("library", [("glibc", "2.29"), ("", ""), ("musl", "2.40")])
def test_an_allocator_that_might_not_stand_it_is_left_alone(
    library: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: library)
    assert "GLIBC_TUNABLES" not in server_environment(tmp_path / "gone")


@needs_glibc
def test_the_allocator_knows_what_is_set_for_the_server() -> None:
    found = re.search(r"\S+/ld[^/\s]*\.so\S*", Path("/proc/self/maps").read_text())
    assert found is not None
    listing = subprocess.run(
        [found[0], "--list-tunables"],
        env={"GLIBC_TUNABLES": TUNABLES},
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode != 0:
        pytest.skip("a C library that cannot list its settings (before 2.33)")
    settings = dict(setting.split("=") for setting in TUNABLES.split(":"))
    for name, value in settings.items():
        assert re.search(rf"^{re.escape(name)}: {int(value):#x} ", listing.stdout, re.MULTILINE), name
    # More than 16 bits are listed, but not taken.
    assert 1_000 < int(settings["glibc.malloc.tcache_count"]) < 2**16
