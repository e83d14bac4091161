"""The onboarding example as its README tells it: one device comes through, one is forgotten, one is refused."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import orjson
import pytest
from end_to_end.harness import System

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "onboarding"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    db = tmp_path_factory.mktemp("onboarding") / "onboarding.sqlite"
    with System(activities=[EXAMPLE / "activities.py"], environment={"ONBOARDING_DB": str(db)}) as running:
        assert running.deploy(EXAMPLE / "workflow.yaml")["problems"] == []
        running.push(orjson.loads(line) for line in (EXAMPLE / "events.ndjson").read_bytes().splitlines())
        yield running


def outcome(system: System, device: str) -> dict[str, object]:
    system.event("10", "/example/app")
    return system.ended(str(system.instance_of(device)["instanceId"]))


def journal(system: System, device: str) -> list[str]:
    with closing(sqlite3.connect(system.environment["ONBOARDING_DB"])) as db:
        rows = db.execute("SELECT what FROM journal WHERE device = ? ORDER BY at", (device,))
        return [row[0] for row in rows]


def test_a_confirmed_device_is_provisioned_with_what_it_has_measured(system: System) -> None:
    ended = outcome(system, "thermo-1")
    assert ended["status"] == "succeeded"
    assert ended["output"] == {
        "device": "thermo-1",
        "owner": "ada",
        "serial": "SN-THERMO-1",
        "hub": "hub.example/thermo-1?with=cert-thermo-1-ada",
        "meanCelsius": 21.0,
    }
    assert system.path(str(ended["instanceId"])) == [
        "Register",
        "WaitForOwner",
        "Gather",
        "Calibrate",
        "Plausible",
        "IssueCertificate",
        "ConnectHub",
        "Ready",
    ]
    assert journal(system, "thermo-1") == ["register", "issue certificate", "connect hub"]


def test_a_confirmation_with_another_claim_code_is_kept_and_not_taken(system: System) -> None:
    assert system.event("8", "/example/app")["disposition"] == "buffered"
    assert system.event("9", "/example/app")["disposition"] in ("consumed", "buffered")


def test_a_device_that_nobody_confirms_is_taken_out_of_the_registry(system: System) -> None:
    ended = outcome(system, "thermo-2")
    assert (ended["status"], ended["error"]) == ("failed", "OnboardingFailed")
    assert system.path(str(ended["instanceId"])) == [
        "Register",
        "WaitForOwner",
        "NobodyCame",
        "Undo",
        "NotOnboarded",
    ]
    assert journal(system, "thermo-2") == ["register", "unregister"]


def test_a_refused_device_loses_its_certificate_and_then_its_registration(system: System) -> None:
    ended = outcome(system, "thermo-3")
    assert ended["error"] == "OnboardingFailed"
    assert journal(system, "thermo-3") == [
        "register",
        "issue certificate",
        "revoke certificate",
        "unregister",
    ]
    state = ended["state"]
    assert isinstance(state, dict)
    assert [item["activity"] for item in state["undone"]["undone"]] == [
        "onboarding.revoke_certificate",
        "onboarding.unregister",
    ]
    assert state["undone"]["failed"] == []
