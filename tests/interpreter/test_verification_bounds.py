"""Verification ends soon whatever it is given, and finds what the seeded mistakes of `bench` put in."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from stepwell_interpreter.compile import AnyActivity
from stepwell_interpreter.verification.findings import CHECKS
from stepwell_interpreter.verification.verify import verify
from stepwell_schemas.workflow import WorkflowDefinition

ROOT = Path(__file__).resolve().parents[2]
FLOOR = 95.0


def verified(states: dict[str, Any], **rest: Any) -> list[str]:
    document = {"id": "flow", "version": "1.0.0", "startAt": next(iter(states)), "states": states, **rest}
    definition = WorkflowDefinition.model_validate(document)
    return [problem.code for problem in verify(definition, document, AnyActivity())]


@pytest.mark.timeout(60)
def test_a_chain_of_two_thousand_states_is_followed_to_its_end() -> None:
    states: dict[str, Any] = {
        f"S{number}": {
            "type": "task",
            "activity": "do",
            "input": {"x": f"$.state.r{number - 1}" if number else 0},
            "resultPath": f"$.state.r{number}",
            "next": f"S{number + 1}",
        }
        for number in range(2_000)
    }
    states["S2000"] = {"type": "succeed", "output": ["$.state.r1999", "$.state.r5000"]}
    states["Failed"] = {"type": "fail"}
    assert verified(states, configuration={"onError": "Failed"}) == ["path-never-written"]


@pytest.mark.timeout(60)
def test_documents_that_grow_in_a_loop_come_to_an_end() -> None:
    states: dict[str, Any] = {
        f"S{number}": {
            "type": "pass",
            "set": {"$.state.a": {"x": "$.state", "y": "$.state"}},
            "next": f"S{(number + 1) % 50}",
        }
        for number in range(50)
    }
    states["S25"] = {"type": "wait", "duration": 1, "next": "S26"}
    assert "too-complex" not in verified(states)


@pytest.mark.timeout(60)
def test_loops_nested_in_maps_come_to_an_end() -> None:
    machine: dict[str, Any] = {"T": {"type": "pass", "set": {"$.state.x": 1}, "end": True}}
    for depth in range(14):
        machine = {
            "L": {
                "type": "choice",
                "choices": [{"variable": "$.state.n", "equals": 1, "next": "M"}],
                "default": "E",
            },
            "M": {
                "type": "map",
                "items": [1],
                "startAt": next(iter(machine)),
                "states": machine,
                "resultPath": "$.state.m",
                "next": "P",
            },
            "P": {"type": "pass", "set": {f"$.state.d{depth}": "$.state.m"}, "next": "L"},
            "E": {"type": "succeed"},
        }
    assert verified(machine)


def test_seeded_mistakes_are_found_and_undamaged_definitions_told_nothing() -> None:
    command = [sys.executable, str(ROOT / "bench" / "seeded_mistakes.py"), "--each", "25", "--seed", "7"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    share = float(ran.stdout.split(" mistakes found (")[1].split(" %")[0])
    assert share >= FLOOR, ran.stdout[-3000:]


def test_the_page_of_checks_lists_every_code_with_its_help() -> None:
    text = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
    missing = [code for code, check in CHECKS.items() if f"| `{code}` | {check.severity} |" not in text]
    assert missing == []
    assert [code for code, check in CHECKS.items() if check.help not in text] == []
