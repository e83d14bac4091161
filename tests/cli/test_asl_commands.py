"""Step Functions definitions on the command line: checked, and translated where nothing is lost."""

import json
from pathlib import Path
from typing import Any

import pytest
from cli_world import run
from stepwell_cli.import_asl import native_text
from stepwell_schemas.loader import load_definition

FUNCTION = "arn:aws:lambda:us-east-1:111111111111:function:charge"
CHARGE = {"Type": "Task", "Resource": FUNCTION, "TimeoutSeconds": 60, "Next": "Done"}
MACHINE = {"StartAt": "Charge", "States": {"Charge": CHARGE, "Done": {"Type": "Succeed"}}}
LOSSY = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Assign": {"x": 1}, "End": True}}}
NAMED = ("--id", "orders", "--version", "1.0.0")


def write(tmp_path: Path, document: Any, name: str = "machine.json") -> str:
    path = tmp_path / name
    path.write_text(json.dumps(document, indent=1))
    return str(path)


def test_validate_reads_a_definition_as_it_is(tmp_path: Path) -> None:
    ran = run("validate", write(tmp_path, MACHINE), *NAMED, "--json")
    assert ran.exit_code == 0
    assert (ran.document["files"][0]["id"], ran.document["files"][0]["version"]) == ("orders", "1.0.0")


def test_validate_tells_what_aws_tells_with_its_line(tmp_path: Path) -> None:
    ran = run("validate", write(tmp_path, {**MACHINE, "StartAt": "Nope"}))
    assert ran.exit_code == 1
    assert "machine.json:2:13" in ran.stdout
    assert "MISSING_TRANSITION_TARGET" in ran.stdout


def test_validate_reads_the_table_of_resources(tmp_path: Path) -> None:
    send = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "End": True}
    machine = write(tmp_path, {"StartAt": "S", "States": {"S": send}})
    other = write(tmp_path, {"charge": "cards.charge"}, "other.json")
    table = write(tmp_path, {send["Resource"]: "queue.send"}, "table.json")
    refused = run("validate", machine, *NAMED, "--resources", other)
    assert refused.exit_code == 1
    assert "unknown-resource" in refused.stdout
    assert run("validate", machine, *NAMED, "--resources", table).exit_code == 0


def test_an_express_machine_is_checked_as_one(tmp_path: Path) -> None:
    wait = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "End": True}
    machine = write(tmp_path, {"StartAt": "W", "States": {"W": wait}})
    assert run("validate", machine).exit_code == 0
    assert run("validate", machine, "--type", "express").exit_code == 1


def test_one_id_is_not_for_two_files(tmp_path: Path) -> None:
    files = [write(tmp_path, MACHINE, name) for name in ("a.json", "b.json")]
    ran = run("validate", *files, *NAMED)
    assert ran.exit_code == 2
    assert "--id" in ran.stderr


def test_import_writes_a_native_definition_without_problems(tmp_path: Path) -> None:
    native = tmp_path / "orders.yaml"
    ran = run("import", "asl", write(tmp_path, MACHINE), "-o", str(native), *NAMED)
    assert ran.exit_code == 0, ran.stderr
    loaded = load_definition(native)
    assert loaded.problems == ()
    assert loaded.definition is not None
    assert (loaded.definition.id, loaded.definition.version) == ("orders", "1.0.0")
    assert run("validate", str(native)).exit_code == 0


def test_import_prints_the_same_to_stdout(tmp_path: Path) -> None:
    machine = write(tmp_path, {"id": "orders", "version": "1.0.0", "definition": MACHINE})
    ran = run("import", "asl", machine)
    assert ran.exit_code == 0
    assert load_definition(ran.stdout).definition is not None
    assert run("import", "asl", machine, "--json").document["lost"] == []


def test_import_says_what_would_be_lost_and_writes_nothing(tmp_path: Path) -> None:
    native = tmp_path / "lossy.yaml"
    machine = write(tmp_path, LOSSY)
    ran = run("import", "asl", machine, "-o", str(native), *NAMED)
    assert ran.exit_code == 1
    assert "/States/A/Assign" in ran.stderr
    assert not native.exists()
    lost = run("import", "asl", machine, *NAMED, "--json").document["lost"]
    assert [each["pointer"] for each in lost] == ["/States/A/Assign"]


@pytest.mark.parametrize(
    "document", [{"StartAt": "A"}, {"id": "n", "version": "1.0.0", "startAt": "A", "states": {}}]
)
def test_import_takes_nothing_else(tmp_path: Path, document: dict[str, Any]) -> None:
    ran = run("import", "asl", write(tmp_path, document), *NAMED)
    assert ran.exit_code == 1
    assert ("is native already" in ran.stderr) == ("startAt" in document)


@pytest.mark.parametrize(
    "text",
    ["yes", "no", "1e3", "0x1", "012", "12:30", "2024-01-01", "2024-01-01T00:00:00Z", "~", "", " x ", "a: b", "#c",
     "1_000", "=", "null", "True", "9" * 30, "é\u2028x", "*a", "- a", "{% x %}", "$.a", "line\nline", "\t"],
)  # fmt: skip
def test_texts_are_written_so_that_they_are_read_as_texts(text: str) -> None:
    states = {"A": {"type": "succeed", "output": {"v": text, text or "k": [text]}}}
    document = {"id": "a", "version": "1.0.0", "startAt": "A", "states": states}
    loaded = load_definition(native_text(document), format="yaml")
    assert loaded.document == document
    assert [problem.code for problem in loaded.problems if problem.severity != "error"] == []
