"""The server is out of memory or disk under load: intake is refused in time, nobody ends, nothing is lost."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from end_to_end.harness import System, cloud_event
from end_to_end.process import wait_until
from end_to_end.steady_load import SteadyLoad, loaded_system
from redis import Redis
from stepwell_store.errors import StoreUnavailable
from stepwell_store.open import open_redis


@contextmanager
def server_of(system: System) -> Iterator[Redis]:
    """A plain client of the system's server."""
    client = open_redis(system.server.url)
    try:
        yield client
    finally:
        client.close()


def used_bytes(redis: Redis) -> int:
    return int(redis.info("memory")["used_memory"])


def ended(system: System) -> list[str]:
    return [name for name, process in system.processes.items() if not process.alive]


def push_one(system: System, number: int) -> httpx.Response:
    return system.http.post("/events", json=cloud_event("Other", "probe", f"probe-{number}"))


def is_refused(system: System, number: int) -> bool:
    """429 or 503, in either case with the time to come again and as a problem."""
    response = push_one(system, number)
    if response.status_code == 202:
        return False
    assert response.status_code in (429, 503), response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert int(response.headers["retry-after"]) >= 1
    return True


def test_intake_is_refused_before_the_memory_is_full_and_what_was_accepted_is_worked_off(
    tmp_path: Path,
) -> None:
    system = loaded_system(tmp_path, workers=1)
    with system, server_of(system) as redis, SteadyLoad(system, 20, 100, 1) as load:
        load.wait_until_applied(200, 30)
        # Nine tenths are taken: senders are told to wait, and the engine still has what it needs.
        redis.config_set("maxmemory", int(used_bytes(redis) / 0.93))
        wait_until(lambda: push_one(system, 1).status_code == 429, 5, "intake is refused")
        assert int(push_one(system, 2).headers["retry-after"]) >= 1
        redis.config_set("maxmemory", 0)
        wait_until(lambda: push_one(system, 3).status_code == 202, 5, "intake is taken again")
        load.finish(60)
        audit = load.audit()
        assert (audit.faults, ended(system)) == ([], [])


def test_a_full_memory_ends_nobody_and_loses_nothing(tmp_path: Path) -> None:
    system = loaded_system(tmp_path, workers=2)
    with system, server_of(system) as redis, SteadyLoad(system, 20, 200, 2) as load:
        load.wait_until_applied(200, 30)
        workers = [process for name, process in system.processes.items() if name.startswith("worker")]
        for worker in workers:  # so that they come upon the full memory with work at hand
            os.kill(worker.pid, signal.SIGSTOP)
        load.wait_until_applied(load.applied() + 200, 30)
        redis.config_set("maxmemory", used_bytes(redis) // 2)
        for worker in workers:
            os.kill(worker.pid, signal.SIGCONT)
        until = time.monotonic() + 8
        number = 0
        while time.monotonic() < until:
            number += 1
            assert is_refused(system, number)
            assert ended(system) == []
        redis.config_set("maxmemory", 0)
        wait_until(lambda: push_one(system, 10_000).status_code == 202, 10, "intake is taken again")
        load.wait_until_applied(load.applied() + 200, 20)
        load.finish(60)
        audit = load.audit()
        assert (audit.faults, ended(system)) == ([], [])


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """A file system of its own at a folder. Skips the test where mounting is not permitted."""
    folder.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"needs the right to mount: {mounted.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_loses_nothing_and_all_goes_on_once_there_is_room(tmp_path: Path) -> None:
    system = loaded_system(tmp_path, workers=2)
    filler = system.server.folder / "filler"
    with small_disk(system.server.folder, "16m"), system, SteadyLoad(system, 20, 200, 3) as load:
        load.wait_until_applied(100, 30)
        with filler.open("wb") as file:
            file.write(bytes(8 * 1_048_576))
        # With `fsync` the server ends rather than say yes to what is not on disk; its keeper starts it again.
        wait_until(lambda: system.server.pid is None, 60, "the server has ended for want of room")
        number = ends = refused = 0
        until = time.monotonic() + 8
        while time.monotonic() < until:
            number += 1
            if system.server.pid is None:
                ends += 1
                with suppress(StoreUnavailable):
                    system.restart("server")
            refused += is_refused(system, number)  # now and then a restart has made a little room
        assert ends >= 2
        assert refused >= 2
        filler.unlink()
        wait_until(lambda: revived(system), 20, "the server runs with room")
        load.wait_until_applied(200, 30)
        load.finish(60)
        audit = load.audit()
        assert (audit.faults, ended(system)) == ([], [])


def revived(system: System) -> bool:
    """Whether the server takes writes; started again if need be, as its keeper does."""
    if system.server.pid is None:
        system.restart("server")
    return push_one(system, 10_000).status_code == 202
