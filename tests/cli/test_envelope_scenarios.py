"""`tests:` in the envelope of a Step Functions definition: every command runs them that runs those of a native one."""

import json
from pathlib import Path
from typing import Any

import pytest
from cli_world import run

MACHINE = {
    "StartAt": "Charge",
    "States": {
        "Charge": {
            "Type": "Task",
            "Resource": "arn:aws:lambda:us-east-1:111111111111:function:charge",
            "Catch": [{"ErrorEquals": ["Refused"], "Next": "Sorry"}],
            "Next": "Done",
        },
        "Done": {"Type": "Succeed"},
        "Sorry": {"Type": "Fail", "Error": "NotPaid"},
    },
}
GOOD = {
    "name": "a refused card",
    "tasks": {"Charge": {"error": "Refused"}},
    "expect": {"status": "failed", "error": "NotPaid", "path": ["Charge", "Sorry"]},
}
BAD = {"name": "wrong", "tasks": {"Charge": {"output": 1}}, "expect": {"status": "failed"}}
MISNAMED = {"name": "misnamed", "tasks": {"Chrage": {"output": 1}}}


def written(folder: Path, *tests: Any) -> str:
    file = folder / "orders.json"
    document = {"id": "orders", "version": "1.0.0", "definition": MACHINE, "tests": list(tests)}
    file.write_text(json.dumps(document, indent=1), encoding="utf-8")
    return str(file)


@pytest.mark.parametrize("command", ["check", "validate", "test"])
def test_tests_that_hold_are_in_order(tmp_path: Path, command: str) -> None:
    assert run(command, written(tmp_path, GOOD)).exit_code == 0


@pytest.mark.parametrize("command", ["check", "validate", "test"])
def test_a_test_that_does_not_hold_is_told_with_its_difference_and_place(
    tmp_path: Path, command: str
) -> None:
    ran = run(command, written(tmp_path, GOOD, BAD))
    assert ran.exit_code == 1
    assert "expected  failed" in ran.stdout
    assert "orders.json:4" in ran.stdout


@pytest.mark.parametrize(("command", "exit_code"), [("check", 1), ("validate", 1), ("test", 2)])
def test_a_test_that_names_no_state_is_never_run(tmp_path: Path, command: str, exit_code: int) -> None:
    ran = run(command, written(tmp_path, MISNAMED))
    assert ran.exit_code == exit_code
    assert "Did you mean `Charge`" in ran.stdout


def test_a_folder_is_searched_for_envelopes_with_tests(tmp_path: Path) -> None:
    written(tmp_path, GOOD)
    ran = run("test", str(tmp_path), "-v", "--coverage", "text")
    assert "orders.json" in ran.stdout
    assert "1 passed" in ran.stdout
    assert "missed state: Done" in ran.stdout


def test_a_translation_says_that_tests_stay_behind(tmp_path: Path) -> None:
    ran = run("import", "asl", written(tmp_path, GOOD))
    assert ran.exit_code == 0
    assert "tests" in ran.stderr
    assert "a refused card" not in ran.stdout
