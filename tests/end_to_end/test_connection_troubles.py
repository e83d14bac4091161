"""The line to the server is cut, stalled, or loses replies under load: nothing counts twice, all recovers by itself."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from end_to_end.harness import System
from end_to_end.process import wait_until
from end_to_end.proxy import Proxy
from end_to_end.steady_load import SteadyLoad, loaded_system

ANSWER_SECONDS = 12.0
"""No request hangs longer, whatever the server does."""


@contextmanager
def behind_proxy(folder: Path, **options: str) -> Iterator[tuple[System, Proxy]]:
    """A system all of whose processes reach the server through a proxy."""
    system = loaded_system(folder, **options)
    with Proxy(system.server.url, system.folder / "proxy.sock") as proxy:
        for process in system.processes.values():
            process.environment["STEPWELL_STORE_URL"] = proxy.url
        with system:
            yield system, proxy


def check(system: System, load: SteadyLoad) -> None:
    """Every event applied once, and no process ended."""
    assert [name for name, process in system.processes.items() if not process.alive] == []
    load.finish(60)
    audit = load.audit()
    assert audit.faults == []
    assert audit.events == load.acknowledged()


def refusals(system: System, seconds: float) -> list[tuple[int, float]]:
    """(status, seconds it took) of requests of several kinds, one after the other, for so long."""
    found: list[tuple[int, float]] = []
    event = {"specversion": "1.0", "id": "x", "source": "/probe", "type": "Nothing", "subject": "probe"}
    requests = [("GET", "/workflows", None), ("POST", "/events", event), ("GET", "/devices/device-1", None)]
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for method, path, body in requests:
            began = time.monotonic()
            response = httpx.request(
                method, f"http://127.0.0.1:{system.port}{path}", json=body, timeout=ANSWER_SECONDS + 20
            )
            found.append((response.status_code, time.monotonic() - began))
            if response.status_code == 503:
                assert response.headers["content-type"] == "application/problem+json"
                assert int(response.headers["retry-after"]) >= 1
    return found


def test_a_connection_cut_for_six_seconds_is_answered_503_and_recovers(tmp_path: Path) -> None:
    with behind_proxy(tmp_path) as (system, proxy), SteadyLoad(system, 20, 100, 1) as load:
        load.wait_until_applied(100, 30)
        proxy.cut()
        found = refusals(system, 6)
        proxy.restore()
        assert {status for status, _ in found} == {503}
        assert max(took for _, took in found) < ANSWER_SECONDS
        began = time.monotonic()
        load.wait_until_applied(load.applied() + 100, 20)
        assert time.monotonic() - began < 10
        check(system, load)


@pytest.mark.parametrize("seconds", [6, 25])
def test_a_stalled_connection_hangs_no_request_and_recovers(tmp_path: Path, seconds: float) -> None:
    with behind_proxy(tmp_path) as (system, proxy), SteadyLoad(system, 20, 100, 2) as load:
        load.wait_until_applied(100, 30)
        proxy.stall()
        found = refusals(system, seconds)
        proxy.flow()
        assert max(took for _, took in found) < ANSWER_SECONDS
        assert 503 in {status for status, _ in found}
        load.wait_until_applied(load.applied() + 100, 20)
        check(system, load)


def test_many_requests_at_once_on_a_stalled_line_are_all_answered(tmp_path: Path) -> None:
    with behind_proxy(tmp_path) as (system, proxy):
        proxy.stall()

        def ask(path: str) -> tuple[int, float]:
            began = time.monotonic()
            response = httpx.get(f"http://127.0.0.1:{system.port}{path}", timeout=60)
            return response.status_code, time.monotonic() - began

        with ThreadPoolExecutor(100) as clients:
            found = list(clients.map(ask, ["/workflows", "/devices/d"] * 50))
        assert {status for status, _ in found} == {503}
        assert max(took for _, took in found) < ANSWER_SECONDS + 15
        proxy.flow()
        wait_until(lambda: ask("/workflows")[0] == 200, 10, "requests are served again")


def test_replies_lost_after_the_effect_double_nothing(tmp_path: Path) -> None:
    with (
        behind_proxy(tmp_path) as (system, proxy),
        SteadyLoad(system, 20, 200, 3, door_url=proxy.url) as load,
    ):
        load.wait_until_applied(100, 30)
        for _ in range(25):
            lost, applied = proxy.lost, load.applied()
            proxy.lose_replies(3)
            wait_until(lambda lost=lost: proxy.lost >= lost + 3, 20, "replies were lost")  # type: ignore[misc]
            load.wait_until_applied(applied + 20, 30)
        assert proxy.lost >= 75
        check(system, load)
