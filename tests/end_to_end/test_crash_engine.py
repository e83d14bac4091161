"""`kill -9` of the engine in the middle of a run: another one takes over, and nothing is applied twice."""

from pathlib import Path

from end_to_end.harness import scale
from end_to_end.ledger import (
    WORKFLOW,
    begin,
    bodies_run,
    check_ledger,
    ledger_system,
    wait_for_bodies,
    wait_until_all_ended,
)

DEVICES = scale(300, 30)


def test_each_of_two_engines_is_killed_and_every_ledger_adds_up(tmp_path: Path) -> None:
    with ledger_system(tmp_path, engines=2, workers=1) as system:
        system.deploy(WORKFLOW)
        system.push(begin(number) for number in range(DEVICES))
        wait_for_bodies(system, DEVICES // 2)
        system.kill("engine-0")
        assert bodies_run(system) < 3 * DEVICES, "the kill came too late to be in the middle"
        wait_for_bodies(system, DEVICES)
        system.restart("engine-0")
        system.kill("engine-1")
        wait_until_all_ended(system, DEVICES)
        check_ledger(system, DEVICES)


def test_the_only_engine_is_killed_while_events_come_in(tmp_path: Path) -> None:
    with ledger_system(tmp_path) as system:
        system.deploy(WORKFLOW)
        system.push(begin(number) for number in range(DEVICES // 2))
        wait_for_bodies(system, DEVICES // 4)
        system.kill("engine-0")
        answers = system.push(begin(number) for number in range(DEVICES // 2, DEVICES))
        assert {answer["disposition"] for answer in answers} == {"accepted"}
        system.restart("engine-0")
        wait_until_all_ended(system, DEVICES)
        check_ledger(system, DEVICES)
