"""RQ's Redis is another server and goes away: partitions are kept, events go on, activities are done afterwards."""

import os
import signal
from pathlib import Path

import pytest
from end_to_end.harness import System
from end_to_end.process import wait_until
from end_to_end.proxy import Proxy
from end_to_end.steady_load import SteadyLoad, loaded_system
from stepwell_store.embedded import EmbeddedServer


def epochs(system: System) -> list[int]:
    return [system.store.partition_info(number).epoch for number in range(system.store.partitions)]


def owners(system: System) -> list[str | None]:
    return [system.store.partition_info(number).owner for number in range(system.store.partitions)]


def waiting_commands(system: System) -> int:
    return sum(system.store.partition_info(number).outbox_length for number in range(system.store.partitions))


def dispositions(system: System) -> int:
    infos = [system.store.partition_info(number) for number in range(system.store.partitions)]
    return sum(sum(info.counters.values()) for info in infos)


@pytest.mark.parametrize("how", ["killed", "stalled"])
def test_partitions_are_kept_while_the_queue_is_away(tmp_path: Path, how: str) -> None:
    queue = EmbeddedServer(tmp_path / "queue")
    url = queue.start()
    system = loaded_system(tmp_path, workers=1)
    try:
        with Proxy(url, system.folder / "queue.sock") as proxy:
            for process in system.processes.values():
                process.environment["STEPWELL_QUEUE_URL"] = proxy.url
            with system, SteadyLoad(system, 20, 100, 1) as load:
                load.wait_until_applied(100, 30)
                before, held = epochs(system), owners(system)
                if how == "killed":
                    assert queue.pid is not None
                    os.kill(queue.pid, signal.SIGKILL)
                else:
                    proxy.stall()
                wait_until(lambda: waiting_commands(system) > 0, 20, "commands wait in the outbox")
                taken = dispositions(system)  # most are kept for later: their instances wait for an activity
                wait_until(lambda: dispositions(system) >= taken + 400, 30, "events are taken")
                assert (epochs(system), owners(system)) == (before, held)
                queue.start()
                proxy.flow()
                wait_until(lambda: waiting_commands(system) == 0, 30, "what waited is handed out")
                load.finish(60)
                assert load.audit().faults == []
                assert epochs(system) == before
    finally:
        queue.stop()
