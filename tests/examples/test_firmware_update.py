"""The fleet example: one fleet is updated but for one device, one is rolled back, one release is rejected."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
from end_to_end.harness import System

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "firmware-update"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    db = tmp_path_factory.mktemp("fleet") / "fleet.sqlite"
    with System(activities=[EXAMPLE / "activities.py"], environment={"FLEET_DB": str(db)}) as running:
        assert running.deploy(EXAMPLE / "workflow.yaml")["problems"] == []
        running.push(orjson.loads(line) for line in (EXAMPLE / "events.ndjson").read_bytes().splitlines())
        for id in "123":
            assert running.event(id, "/example/releases")["disposition"] == "started"
        yield running


def outcome(system: System, fleet: str) -> dict[str, Any]:
    return system.ended(system.instance_of(fleet)["instanceId"])


def rows(system: System, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(system.environment["FLEET_DB"])) as db:
        return list(db.execute(query))


def test_a_fleet_is_updated_and_the_brittle_device_put_back(system: System) -> None:
    ended = outcome(system, "fleet-north")
    assert ended["status"] == "succeeded"
    assert ended["output"] == {
        "release": "2.1.0",
        "updated": [f"n-{n}" for n in range(1, 10)],
        "others": ["n-10-brittle"],
    }
    assert rows(system, "SELECT release FROM devices WHERE device = 'n-10-brittle'") == [("1.0.0",)]


def test_never_more_than_four_devices_are_updated_at_a_time(system: System) -> None:
    ended = outcome(system, "fleet-north")
    at_work, most = 0, 0
    for step in system.trace(ended["instanceId"]):
        if step["type"] == "MapIterationStarted":
            at_work += 1
        elif step["type"] in ("MapIterationSucceeded", "MapIterationFailed"):
            at_work -= 1
        most = max(most, at_work)
    assert (most, at_work) == (4, 0)


def test_too_many_failures_put_the_whole_fleet_back_newest_first(system: System) -> None:
    ended = outcome(system, "fleet-south")
    assert (ended["status"], ended["error"]) == ("failed", "ReleaseRolledBack")
    releases = rows(system, "SELECT DISTINCT release FROM devices WHERE device LIKE 's-%'")
    assert releases == [("1.0.0",)]
    journal = rows(
        system, "SELECT device FROM journal WHERE device LIKE 's-%' AND what = 'restore' ORDER BY at"
    )
    restored = [device for (device,) in journal]
    remembered = remembered_devices(system, ended["instanceId"])
    assert set(restored) == set(remembered)
    rolled_back = restored[-len(ended["state"]["undone"]["undone"]) :]
    assert rolled_back == [device for device in reversed(remembered) if device in rolled_back]


def remembered_devices(system: System, instance: str) -> list[str]:
    """The devices in the order in which their undo became known."""
    devices = ["s-1", "s-2-brittle", "s-3", "s-4-brittle", "s-5"]
    done = [
        step
        for step in system.trace(instance)
        if step["type"] == "TaskSucceeded" and step["state"] == "Remember"
    ]
    return [devices[int(step["frame"].rpartition(".")[2])] for step in done]


def test_a_release_that_fails_two_of_three_checks_reaches_no_device(system: System) -> None:
    ended = outcome(system, "fleet-east")
    assert (ended["status"], ended["error"]) == ("failed", "ReleaseRejected")
    assert system.path(ended["instanceId"])[-1] == "Rejected"
    outcome(system, "fleet-north")  # by then the table of the devices is there
    assert rows(system, "SELECT * FROM journal WHERE device LIKE 'e-%'") == []


def test_a_second_release_starts_a_new_instance_of_the_fleet(system: System) -> None:
    event = {
        "specversion": "1.0",
        "id": "4",
        "source": "/example/releases",
        "type": "ReleasePublished",
        "subject": "fleet-west",
        "data": {"release": "2.1.0", "devices": ["w-1"]},
    }
    system.push([event])
    first = system.event("4", "/example/releases")
    system.ended(first["by"])
    system.push([{**event, "id": "5", "data": {"release": "2.1.1-unsigned", "devices": ["w-1"]}}])
    second = system.event("5", "/example/releases")
    assert second["disposition"] == "started"
    assert second["by"] != first["by"]
    assert system.ended(second["by"])["output"] == {
        "release": "2.1.1-unsigned",
        "updated": ["w-1"],
        "others": [],
    }
