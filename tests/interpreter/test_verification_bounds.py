"""Verification ends soon whatever it is given, and finds what the seeded mistakes of `bench` put in."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from stepwell_interpreter.compile import AnyActivity, compile_source
from stepwell_interpreter.exploration import search
from stepwell_interpreter.exploration.explore import explore
from stepwell_interpreter.exploration.report import Bounds
from stepwell_interpreter.verification.dataflow import Flow
from stepwell_interpreter.verification.facts import Facts
from stepwell_interpreter.verification.findings import CHECKS, Sink
from stepwell_interpreter.verification.graph import machines_of
from stepwell_interpreter.verification.transfers import transfer
from stepwell_interpreter.verification.verify import verify
from stepwell_interpreter.verification.work import MOST_WORK, TooMuchWork, Work
from stepwell_schemas.problems import Problem
from stepwell_schemas.workflow import WorkflowDefinition

ROOT = Path(__file__).resolve().parents[2]
FLOOR = 95.0


def verified(states: dict[str, Any], **rest: Any) -> list[str]:
    document = {"id": "flow", "version": "1.0.0", "startAt": next(iter(states)), "states": states, **rest}
    definition = WorkflowDefinition.model_validate(document)
    return [problem.code for problem in verify(definition, document, AnyActivity()).problems]


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


def told(states: dict[str, Any], **rest: Any) -> Sequence[Problem]:
    document = {"id": "flow", "version": "1.0.0", "startAt": next(iter(states)), "states": states, **rest}
    return compile_source(document).problems


def ring(size: int) -> dict[str, Any]:
    """Tasks one after the other, each reading what the one before has written; the last waits and begins anew."""
    states: dict[str, Any] = {
        f"S{number}": {
            "type": "task",
            "activity": "do",
            "input": {"before": f"$.state.r{number - 1}"} if number else {},
            "resultPath": f"$.state.r{number}",
            "next": f"S{number + 1}",
        }
        for number in range(size)
    }
    return {**states, f"S{size}": {"type": "wait", "duration": 1, "next": "S0"}}


@pytest.mark.timeout(60)
def test_a_ring_of_four_thousand_states_is_followed_and_its_one_mistake_found() -> None:
    states = ring(4_000)
    states["S5"]["input"] = {"before": "$.state.rr4"}
    assert verified(states) == ["path-never-written"]


@pytest.mark.timeout(60)
def test_where_the_work_ends_what_nothing_writes_is_told_and_nothing_that_a_route_decides() -> None:
    states = ring(3_000)
    for number in range(3_000):
        states[f"S{number}"]["input"] = {"all": "$.state"}
    states["S5"]["input"] = ["$.state.never", "$.state.r2999", "$.input.size"]
    schema = {"type": "object", "properties": {"size": {"type": "number"}}}
    assert verified(states, input=schema) == ["too-complex", "path-never-written"]


def test_the_work_of_an_analysis_grows_with_the_states_and_not_with_their_square() -> None:
    def work(size: int) -> int:
        document = {"id": "flow", "version": "1.0.0", "startAt": "S0", "states": ring(size)}
        definition = WorkflowDefinition.model_validate(document)
        sink = Sink()
        Flow(Facts(definition, AnyActivity()), transfer).run(machines_of(definition)[0], sink)
        return MOST_WORK - sink.work.left

    assert work(800) < 4.5 * work(200)


def test_work_that_is_spent_raises_once_it_is_too_much() -> None:
    work = Work(10)
    work.spend(10)
    with pytest.raises(TooMuchWork):
        work.spend(1)


@pytest.mark.timeout(60)
def test_rules_of_other_variables_are_not_held_against_each_other() -> None:
    rules: list[dict[str, Any]] = [
        {"variable": f"$.input.a{number}", "equals": number, "next": "E"} for number in range(1_000)
    ]
    rules.append({"variable": "$.input.a3", "equals": 3, "next": "F"})
    states = {
        "C": {"type": "choice", "choices": rules, "default": "F"},
        "E": {"type": "succeed"},
        "F": {"type": "fail"},
    }
    [found] = [problem for problem in told(states) if problem.code == "rule-unreachable"]
    assert found.pointer == "/states/C/choices/1000"
    assert "rule 4 " in found.message


def test_conditions_nested_in_each_other_are_each_looked_at_once() -> None:
    condition: dict[str, Any] = {"variable": "$.input.a", "equals": 0}
    for depth in range(12):
        other = {"variable": "$.input.b", "equals": depth}
        condition = {"not": {"or": [condition, other]}} if depth % 2 else {"and": [condition, other]}
    states = {
        "C": {"type": "choice", "choices": [{**condition, "next": "E"}] * 20, "default": "F"},
        "E": {"type": "succeed"},
        "F": {"type": "fail"},
    }
    assert "too-complex" not in verified(states)


def test_of_too_many_findings_three_hundred_are_kept_errors_before_others() -> None:
    states: dict[str, Any] = {
        f"S{number}": {"type": "task", "activity": "do", "next": f"S{number + 1}"} for number in range(400)
    }
    states["S400"] = {"type": "succeed", "output": "$.state.never"}
    problems = told(states)
    codes = [problem.code for problem in problems]
    assert len(problems) == 301
    assert codes.count("unused-result") == 299
    assert codes.count("path-never-written") == codes.count("too-many-findings") == 1


def test_an_ignore_of_a_finding_beyond_the_limit_is_not_told_as_unused() -> None:
    states: dict[str, Any] = {
        f"S{number}": {"type": "task", "activity": "do", "next": f"S{number + 1}"} for number in range(400)
    }
    states["S400"] = {"type": "succeed"}
    ignore = [{"code": "unused-result", "at": f"S{number}", "reason": "tidy"} for number in range(400)]
    codes = {problem.code for problem in told(states, checks={"ignore": ignore})}
    assert codes == {"too-many-findings"}


@pytest.mark.timeout(60)
def test_compensations_are_matched_with_tasks_without_looking_at_every_pair() -> None:
    size = 1_200
    rules = [{"variable": "$.input.a", "equals": number, "next": f"U{number}"} for number in range(size)]
    states: dict[str, Any] = {"C": {"type": "choice", "choices": rules, "default": "S0"}}
    for number in range(size):
        states[f"U{number}"] = {"type": "compensation", "resultPath": None, "next": "F"}
        states[f"S{number}"] = {
            "type": "task",
            "activity": "do",
            "resultPath": None,
            "compensateWith": {"activity": "undo"},
            "next": f"S{number + 1}",
        }
    states |= {f"S{size}": {"type": "succeed"}, "F": {"type": "fail"}}
    assert set(verified(states)) == {"nothing-to-undo"}


@pytest.mark.timeout(60)
def test_exploring_stops_after_so_many_steps_of_busy_loops_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search, "FEWEST_STATES", 100)
    count = {"$.state.n": {"$add": [{"$path": "$.state.n", "$default": 0}, 1]}}
    states = {
        "Count": {"type": "pass", "set": count, "next": "Enough"},
        "Enough": {
            "type": "choice",
            "choices": [{"variable": "$.state.n", "greaterThan": 4_000, "next": "End"}],
            "default": "Count",
        },
        "End": {"type": "succeed"},
    }
    document = {"id": "flow", "version": "1.0.0", "startAt": "Count", "states": states}
    explored = explore(compile_source(document), bounds=Bounds(states=100))
    assert (explored.complete, explored.stopped_by) == (False, "work")
