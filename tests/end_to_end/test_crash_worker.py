"""`kill -9` of a worker inside an activity: another one does the activity again, its result counts once."""

from pathlib import Path

from end_to_end.harness import System, scale
from end_to_end.ledger import (
    WORKFLOW,
    begin,
    check_ledger,
    device_name,
    ledger_system,
    wait_for_bodies,
    wait_until_all_ended,
)
from end_to_end.ledger_activities import bodies
from end_to_end.process import wait_until

DEVICES = scale(300, 30)
STUCK = WORKFLOW.replace(
    "Second:\n    {type: task, activity: ledger.add", "Second:\n    {type: task, activity: ledger.stuck_once"
)


def stuck_bodies(path: Path) -> int:
    return sum(1 for _, _, state, _ in bodies(path) if state == "Second")


def claimed(system: System) -> bool:
    store = system.store
    return any(store.claims(number, list(store.attempts(number))) for number in range(store.partitions))


def test_a_worker_is_killed_in_mid_activity_and_the_activity_is_done_again(tmp_path: Path) -> None:
    assert STUCK != WORKFLOW
    table = tmp_path / "ledger.sqlite"
    with ledger_system(tmp_path, workers=1) as system:
        system.deploy(STUCK)
        system.push([begin(0)])
        wait_until(lambda: stuck_bodies(table) == 1, 20, "the activity has begun")
        wait_until(lambda: claimed(system), 20, "it lasts, and is claimed")
        system.kill("worker-0")
        (tmp_path / "gate").touch()
        system.restart("worker-0")
        wait_until_all_ended(system, 1)
        check_ledger(system, 1)
        keys = [
            key for key, device, state, _ in bodies(table) if (device, state) == (device_name(0), "Second")
        ]
        assert len(keys) == 2
        assert len(set(keys)) == 1
        ended = system.instance_of(device_name(0))
        types = [step["type"] for step in system.trace(ended["instanceId"])]
        assert types.count("TaskLost") == 1


def test_workers_are_killed_under_load_and_every_ledger_adds_up(tmp_path: Path) -> None:
    with ledger_system(tmp_path, workers=2) as system:
        system.deploy(WORKFLOW)
        system.push(begin(number) for number in range(DEVICES))
        for round_number, name in enumerate(("worker-0", "worker-1", "worker-0"), start=1):
            wait_for_bodies(system, round_number * DEVICES // 2)
            system.kill(name)
            system.restart(name)
        wait_until_all_ended(system, DEVICES)
        check_ledger(system, DEVICES)
