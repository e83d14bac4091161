"""One table of resources for every command that reads Step Functions definitions; an envelope serves each as well."""

import json
from pathlib import Path
from typing import Any

import pytest
from cli_world import Ran, run

SEND = "arn:aws:states:::sqs:sendMessage"
MACHINE = {
    "StartAt": "Send",
    "States": {
        "Send": {"Type": "Task", "Resource": SEND, "Next": "Sent"},
        "Sent": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.kind", "StringEquals": "good", "Next": "Good"}],
            "Default": "Bad",
        },
        "Good": {"Type": "Succeed"},
        "Bad": {"Type": "Fail", "Error": "Bad"},
    },
}
TABLE = {SEND: "queue.send"}
OTHER = {"charge": "cards.charge"}
TEST = {
    "name": "sent",
    "tasks": {"Send": {"output": {"kind": "good"}}},
    "expect": {"status": "succeeded", "activities": {"queue.send": 1}},
}
TASKS = {"Send": {"output": {"kind": "good"}}}

COMMANDS: dict[str, list[str]] = {
    "check": ["check", "FILE"],
    "validate": ["validate", "FILE"],
    "simulate": ["simulate", "FILE", "--tasks", "tasks.json"],
    "explore": ["explore", "FILE"],
    "graph": ["graph", "FILE", "--format", "mermaid"],
    "test": ["test", "FILE"],
    "generate": ["generate", "tests", "FILE"],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, content in (("machine", MACHINE), ("table", TABLE), ("other", OTHER), ("tasks", TASKS)):
        write(tmp_path, f"{name}.json", content)
    write(tmp_path, "machine.tests.json", {"definition": "machine.json", "tests": [TEST]})
    envelope = {"id": "orders", "version": "1.0.0", "resources": TABLE, "definition": MACHINE}
    write(tmp_path, "envelope.json", {**envelope, "tests": [TEST]})
    write(tmp_path, "text.json", {**envelope, "definition": json.dumps(MACHINE), "tests": [TEST]})
    return tmp_path


def write(folder: Path, name: str, content: Any) -> None:
    (folder / name).write_text(json.dumps(content, indent=1), encoding="utf-8")


def ran(command: str, file: str, *options: str) -> Ran:
    return run(*(file if part == "FILE" else part for part in COMMANDS[command]), *options)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_definition_alone_is_read_with_its_table(command: str) -> None:
    found = ran(command, "machine.json", "--resources", "table.json")
    assert found.exit_code == 0, found.stdout + found.stderr


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("file", ["envelope.json", "text.json"])
def test_an_envelope_needs_no_table_beside_it(command: str, file: str) -> None:
    found = ran(command, file)
    assert found.exit_code == 0, found.stdout + found.stderr


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", ["check", "validate", "simulate", "explore", "test", "generate"])
def test_a_resource_that_the_table_does_not_name_is_told_with_its_state(command: str) -> None:
    found = ran(command, "machine.json", "--resources", "other.json")
    assert found.exit_code in (1, 2)
    assert "unknown-resource" in found.stdout + found.stderr
    assert "Send" in found.stdout + found.stderr


@pytest.mark.usefixtures("folder")
def test_what_the_table_says_is_what_runs() -> None:
    assert "queue.send" in ran("explore", "machine.json", "--resources", "table.json", "--json").stdout
    assert "queue.send" in ran("graph", "machine.json", "--resources", "table.json").stdout
    assert "queue.send" not in ran("graph", "machine.json").stdout
    assert ran("test", "machine.json").exit_code == 2


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("[1]", "an object is needed"),
        ("{", "not JSON"),
        ('{"f": 5}', "not to a number"),
        (None, "No such file"),
    ],
)
def test_what_is_no_table_is_a_wrong_command_line(
    folder: Path, command: str, table: str | None, told: str
) -> None:
    if table is not None:
        (folder / "wrong.json").write_text(table, encoding="utf-8")
    found = ran(command, "machine.json", "--resources", "wrong.json")
    assert found.exit_code == 2
    assert told in found.stderr
