"""The embedded server's allocator: jemalloc where it can be had, else glibc's with settings; what users set stays."""

import ctypes.util
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from stepwell_store import embedded, server_allocator
from stepwell_store.embedded import EmbeddedServer, find_server
from stepwell_store.open import open_redis
from stepwell_store.server_allocator import TUNABLES, server_environment

LIBC = 'echo "Valkey server v=9.1.2 malloc=libc"'
PROVEN = 'test -z "$LD_PRELOAD" || echo "___ Begin jemalloc statistics ___" >&2'
"""What a server says of its version, and what it ends with where jemalloc serves it."""

needs_glibc = pytest.mark.skipif(
    server_allocator._glibc() < server_allocator.OLDEST_GLIBC, reason="another C library"
)


@pytest.fixture(autouse=True)
def _nothing_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has set an allocator, and the library that is preloaded exists on every machine and does nothing."""
    for name in ("GLIBC_TUNABLES", "LD_PRELOAD", "MALLOC_CONF"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(server_allocator, "JEMALLOC", "libm.so.6")


def a_program(folder: Path, *lines: str) -> Path:
    program = folder / "valkey-server"
    program.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    program.chmod(0o755)
    return program


def started_with(folder: Path, monkeypatch: pytest.MonkeyPatch, *when_asked: str) -> dict[str, str]:
    """What the embedded server finds in its environment, if it is a program that answers so for its version."""
    noted = folder / "environment"
    program = a_program(
        folder,
        f'if test "$1" = --version; then {"; ".join(when_asked)}; exit; fi',
        f'env > "{noted}"',
        f'exec "{find_server()}" "$@"',
    )
    monkeypatch.setattr(embedded, "find_server", lambda: program)
    server = EmbeddedServer(folder / "data", "memory")
    try:
        server.start()
        assert server.pid is not None
    finally:
        server.stop()
    return dict(line.split("=", 1) for line in noted.read_text().splitlines() if "=" in line)


@needs_glibc
def test_jemalloc_is_given_to_the_server_that_was_seen_to_run_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = started_with(tmp_path, monkeypatch, LIBC, PROVEN)
    assert environment["LD_PRELOAD"] == "libm.so.6"
    assert "GLIBC_TUNABLES" not in environment
    assert "MALLOC_CONF" not in environment


@needs_glibc
def test_without_it_the_server_is_started_with_settings_of_glibc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = started_with(tmp_path, monkeypatch, LIBC)
    assert environment["GLIBC_TUNABLES"] == TUNABLES
    assert "LD_PRELOAD" not in environment


def test_jemalloc_itself_serves_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    for name in ("GLIBC_TUNABLES", "LD_PRELOAD"):
        monkeypatch.delenv(name, raising=False)
    if ctypes.util.find_library("jemalloc") != "libjemalloc.so.2":
        pytest.skip("no jemalloc on this machine")
    server = EmbeddedServer(tmp_path, "fsync")
    try:
        with open_redis(server.start()) as client:
            assert "/libjemalloc" in Path(f"/proc/{server.pid}/maps").read_text()
            client.set("a", "b" * 1_000_000)
            client.bgrewriteaof()
            deadline = time.monotonic() + 30
            while (found := client.info("persistence"))["aof_rewrite_in_progress"]:
                assert time.monotonic() < deadline
            assert found["aof_last_bgrewrite_status"] == "ok"
    finally:
        server.stop()


@needs_glibc
@pytest.mark.parametrize(
    "lines",
    [
        (LIBC, PROVEN, 'test -z "$LD_PRELOAD" || exit 1'),
        (LIBC,),
        ('echo "Redis server v=7.0.15 malloc=jemalloc-5.3.0"', PROVEN),
        (PROVEN, "sleep 2", LIBC),
    ],
    ids=["fails with it", "runs without it, silently", "has its own", "hangs"],
)
def test_a_server_that_does_not_take_it_is_left_without(
    lines: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_allocator, "SECONDS_TO_ANSWER", 0.5)
    environment = server_environment(a_program(tmp_path, *lines), tmp_path)
    assert "LD_PRELOAD" not in environment
    assert environment["GLIBC_TUNABLES"] == TUNABLES


@needs_glibc
def test_what_else_a_server_or_its_loader_says_does_not_matter(tmp_path: Path) -> None:
    program = a_program(tmp_path, LIBC, PROVEN, "printf 'a warning \\377' >&2")
    assert server_environment(program, tmp_path)["LD_PRELOAD"] == "libm.so.6"


def test_a_server_that_is_gone_is_left_without(tmp_path: Path) -> None:
    assert "LD_PRELOAD" not in server_environment(tmp_path / "gone", tmp_path)


def test_nothing_is_preloaded_where_another_system_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = a_program(tmp_path, LIBC, PROVEN)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "LD_PRELOAD" not in server_environment(program, tmp_path)


@pytest.mark.parametrize("theirs", ["", "libfaketime.so.1"])
def test_what_the_user_preloads_stays(theirs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD", theirs)
    assert server_environment(a_program(tmp_path, LIBC, PROVEN), tmp_path)["LD_PRELOAD"] == theirs


@pytest.mark.parametrize("theirs", ["glibc.malloc.tcache_count=9", ""])
def test_who_sets_the_allocator_of_glibc_keeps_it(
    theirs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLIBC_TUNABLES", theirs)
    environment = server_environment(a_program(tmp_path, LIBC, PROVEN), tmp_path)
    assert environment["GLIBC_TUNABLES"] == theirs
    assert "LD_PRELOAD" not in environment


@pytest.mark.parametrize("theirs", ["glibc.rtld.nns=8", "glibc.cpu.name=malloc"])
def test_settings_of_glibc_that_are_of_something_else_stay_beside_ours(
    theirs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.30"))
    monkeypatch.setenv("GLIBC_TUNABLES", theirs)
    assert server_environment(tmp_path / "gone", tmp_path)["GLIBC_TUNABLES"] == f"{theirs}:{TUNABLES}"


@pytest.mark.parametrize("library", [("glibc", "2.29"), ("", ""), ("musl", "2.40")])
def test_an_allocator_that_might_not_stand_it_is_left_alone(
    library: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: library)
    assert "GLIBC_TUNABLES" not in server_environment(tmp_path / "gone", tmp_path)


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
