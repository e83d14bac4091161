"""RQ's own tools and ours are interchangeable: its worker does our activities, its `info` sees our worker."""

import subprocess
import sys
from pathlib import Path

import pytest
from end_to_end.harness import NAMESPACE, System
from end_to_end.ledger import (
    WORKFLOW,
    begin,
    check_ledger,
    ledger_system,
    wait_until_all_ended,
)
from end_to_end.process import stepwell_command, wait_until

RQ = str(Path(sys.executable).with_name("rq"))
QUEUE = f"{NAMESPACE}-default"


def rq(system: System, *arguments: str) -> str:
    command = [RQ, *arguments, "--url", system.server.url]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.parametrize(
    ("worker_class", "devices"),
    [("rq.worker.Worker", 2), ("rq.worker.SimpleWorker", 20)],
    ids=["forking", "simple"],
)
def test_a_stock_rq_worker_with_json_jobs_does_the_activities(
    tmp_path: Path, worker_class: str, devices: int
) -> None:
    with ledger_system(tmp_path, workers=0) as system:
        publishing = stepwell_command("worker", "--burst")
        environment = system.processes["engine-0"].environment
        subprocess.run(publishing, env=environment, check=True, timeout=60, capture_output=True)
        system.deploy(WORKFLOW)
        system.push(begin(number) for number in range(devices))
        options = ["--url", system.server.url, "--serializer", "json", "--worker-class", worker_class]
        system.add("worker-stock", [RQ, "worker", QUEUE, *options])
        wait_until_all_ended(system, devices)
        check_ledger(system, devices)
        assert "Traceback" not in system.processes["worker-stock"].tail(1_000)


def test_rq_info_sees_our_worker_and_its_queue(tmp_path: Path) -> None:
    with ledger_system(tmp_path) as system:
        system.deploy(WORKFLOW)
        system.push([begin(0)])
        wait_until_all_ended(system, 1)
        wait_until(lambda: " idle " in rq(system, "info", "--raw"), 30, "rq info shows an idle worker")
        shown = rq(system, "info", "--raw").splitlines()
        assert f"queue {QUEUE} 0" in shown[0]
        workers = [line for line in shown if line.startswith("worker ")]
        assert len(workers) == 1
        assert f" {QUEUE}" in workers[0]
