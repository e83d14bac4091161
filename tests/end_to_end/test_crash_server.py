"""`kill -9` of the embedded server in the middle of a run: what was acknowledged is there again, once."""

from pathlib import Path

import httpx
from end_to_end.harness import System, scale
from end_to_end.ledger import (
    WORKFLOW,
    begin,
    check_ledger,
    ledger_system,
    wait_for_bodies,
    wait_until_all_ended,
)
from end_to_end.process import wait_until

DEVICES = scale(300, 30)


def accepted(system: System, number: int) -> bool:
    """Whether the event of a device was taken; a sender repeats what was not."""
    try:
        return system.http.post("/events", json=begin(number)).status_code == 202
    except httpx.TransportError:
        return False


def test_the_server_is_killed_twice_and_every_ledger_adds_up(tmp_path: Path) -> None:
    with ledger_system(tmp_path, workers=2) as system:
        system.deploy(WORKFLOW)
        system.push(begin(number) for number in range(DEVICES // 2))
        wait_for_bodies(system, DEVICES // 4)
        system.kill("server")
        assert not accepted(system, DEVICES // 2), "nothing may be accepted that is not durable"
        system.restart("server")
        for number in range(DEVICES // 2, DEVICES):
            wait_until(lambda n=number: accepted(system, n), 30, f"event {number} is accepted")  # type: ignore[misc]
        system.kill("server")
        system.restart("server")
        wait_until_all_ended(system, DEVICES)
        check_ledger(system, DEVICES)
        assert sum(len(found) for found in system.dispositions().values()) >= DEVICES
