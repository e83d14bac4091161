"""The gate of an upload: a definition with `tests:` that do not hold is refused, in bounded time."""

import pytest
from scenario_world import ORDER, PAID
from stepwell_interpreter.compile import Compiled, compile_source
from stepwell_interpreter.scenarios import gate as gates
from stepwell_interpreter.scenarios.gate import gate
from stepwell_schemas.catalog import ActivityDescription


def definition(tests: str) -> Compiled:
    compiled = compile_source(ORDER + tests, file="order.yaml")
    assert compiled.program is not None, compiled.problems
    return compiled


def test_a_definition_without_tests_passes() -> None:
    assert gate(definition("")) == []


def test_tests_that_hold_pass() -> None:
    assert gate(definition(f"tests:\n  - name: paid{PAID}    expect: {{status: succeeded}}\n")) == []


def test_a_test_that_fails_is_a_problem_at_its_place_with_the_differences() -> None:
    compiled = definition(f"tests:\n  - name: paid{PAID}    expect: {{output: {{id: o-1, cents: 51}}}}\n")
    [problem] = gate(compiled, file="order.yaml")
    assert (problem.code, problem.severity, problem.file) == ("test-failed", "error", "order.yaml")
    assert problem.pointer == "/tests/0/name"
    assert problem.line is not None
    assert ORDER.count("\n") < problem.line
    assert "the scenario 'paid' does not hold" in problem.message
    assert "expected  51" in problem.message
    assert "path taken: Reserve → Payment → Large → Done" in problem.message


def test_a_test_that_cannot_be_meant_is_told_before_anything_runs() -> None:
    [problem] = gate(definition("tests:\n  - {name: a, input: {id: x}, tasks: {Reserv: {output: 1}}}\n"))
    assert problem.code == "unknown-state"


def test_outcomes_are_checked_against_the_activities_of_the_catalogue() -> None:
    known = {"stock.reserve": ActivityDescription(name="stock.reserve", output_schema={"type": "string"})}
    [problem] = gate(definition(f"tests:\n  - name: paid{PAID}"), known)
    assert problem.code == "mock-output"


def test_too_many_tests_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "MAX_SCENARIOS", 1)
    [problem] = gate(definition(f"tests:\n  - name: a{PAID}  - name: b{PAID}"))
    assert (problem.code, problem.pointer) == ("too-many-tests", "/tests/1/name")


ROUND = """
id: round
version: 1.0.0
startAt: Wait
states:
  Wait: {type: wait, duration: 1, next: Wait}
tests:
  - {name: for ever, expect: {status: running}}
  - {name: once more, expect: {status: running}}
"""


def test_a_workflow_that_goes_round_for_ever_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "MAX_RECORDS_OF_ONE", 300)
    compiled = compile_source(ROUND, file="round.yaml")
    assert compiled.program is not None, compiled.problems
    problems = gate(compiled)
    assert [problem.code for problem in problems] == ["test-failed", "test-failed"]
    assert "more than 300 records" in problems[0].message


SPINNING = """
id: spinning
version: 1.0.0
startAt: Wait
states:
  Wait: {type: wait, duration: 1, next: Reset}
  Reset: {type: pass, set: {$.state.n: 0}, next: Add}
  Add: {type: pass, set: {$.state.n: {$add: [$.state.n, 1]}}, next: More}
  More: {type: choice, choices: [{variable: $.state.n, lessThan: 1000, next: Add}], default: Wait}
tests:
  - {name: costly, expect: {status: running}}
  - {name: another, expect: {status: running}}
"""


def test_states_count_not_only_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "MAX_VISITS", 5_000)
    compiled = compile_source(SPINNING, file="spinning.yaml")
    assert compiled.program is not None, compiled.problems
    problems = gate(compiled)
    assert [problem.code for problem in problems] == ["test-failed", "too-many-tests"]
    assert "more than 5000 states were entered" in problems[0].message
