"""`stepwell schema`: the schema for editors, with the activities of modules or of a server."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from cli_world import run
from jsonschema import Draft202012Validator
from stepwell_schemas.loader import load_definition

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = sorted(file.parent for file in ROOT.glob("examples/*/workflow.yaml"))


def activities_of(document: Any) -> list[str]:
    names: list[str] = document["$defs"]["TaskState"]["properties"]["activity"]["enum"]
    return names


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda folder: folder.name)
def test_every_example_is_good_for_the_schema_of_its_activities(example: Path) -> None:
    ran = run("schema", "--activities", str(example / "activities.py"))
    validator = Draft202012Validator(ran.document)
    definition = load_definition(example / "workflow.yaml").document
    assert [error.message for error in validator.iter_errors(definition)] == []


def test_without_modules_the_built_in_activities_are_known(tmp_path: Path) -> None:
    output = tmp_path / "schema.json"
    assert run("schema", "-o", str(output)).exit_code == 0
    assert "device.events" in activities_of(json.loads(output.read_text(encoding="utf-8")))


def test_a_module_that_cannot_be_imported_is_exit_code_1() -> None:
    ran = run("schema", "--activities", "no.such.module")
    assert ran.exit_code == 1
    assert "no.such.module" in ran.stderr


def test_modules_and_a_server_do_not_go_together() -> None:
    assert run("schema", "--activities", "x", "--url", "http://127.0.0.1:9").exit_code == 2


def test_a_servers_activities_are_taken_from_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    item = {
        "name": "valve.open",
        "queue": "field",
        "description": "Open a valve.",
        "inputSchema": {"type": "object", "required": ["valve"], "properties": {"valve": {"type": "string"}}},
    }
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json={"items": [item]}))
    made = httpx.Client
    monkeypatch.setattr(httpx, "Client", lambda **options: made(transport=transport, **options))
    ran = run("schema", "--url", "http://engine.example:8080")
    assert activities_of(ran.document) == ["valve.open"]
    assert any(name.startswith("Input0_valve_open") for name in ran.document["$defs"])
