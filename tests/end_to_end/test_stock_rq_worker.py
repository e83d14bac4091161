"""RQ's own tools and ours are interchangeable: its worker does our activities, its `info` sees our worker."""

import subprocess
import sys
from pathlib import Path

from end_to_end.harness import NAMESPACE, System
from end_to_end.ledger import (
    ACTIVITIES,
    WORKFLOW,
    begin,
    check_ledger,
    device_name,
    ledger_system,
    wait_until_all_ended,
)
from end_to_end.process import stepwell_command, wait_until

DEVICES = 20
RQ = str(Path(sys.executable).with_name("rq"))
QUEUE = f"{NAMESPACE}-default"


def rq(system: System, *arguments: str) -> str:
    command = [RQ, *arguments, "--url", system.server.url]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def test_a_stock_rq_worker_with_json_jobs_does_the_activities(tmp_path: Path) -> None:
    with ledger_system(tmp_path, workers=0) as system:
        publishing = stepwell_command("worker", "--burst")
        environment = system.processes["engine-0"].environment
        subprocess.run(publishing, env=environment, check=True, timeout=60, capture_output=True)
        system.deploy(WORKFLOW)
        system.push(begin(number) for number in range(DEVICES))
        stock = [RQ, "worker", QUEUE, "--url", system.server.url, "--serializer", "json"]
        system.add("worker-stock", stock)
        wait_until_all_ended(system, DEVICES)
        check_ledger(system, DEVICES)
        worker = system.trace(system.instance_of(device_name(0))["instanceId"])
        assert [step["type"] for step in worker].count("TaskSucceeded") == 3
        assert "Traceback" not in system.processes["worker-stock"].tail(1_000)


def test_rq_info_sees_our_worker_and_its_queue() -> None:
    with System(activities=[ACTIVITIES]) as system:
        wait_until(lambda: "worker " in rq(system, "info", "--raw"), 30, "rq info shows a worker")
        shown = rq(system, "info", "--raw")
        assert f"queue {QUEUE} 0" in shown
        workers = [line for line in shown.splitlines() if line.startswith("worker ")]
        assert len(workers) == 1
        assert QUEUE in workers[0]
        assert "idle" in workers[0]
