"""Scenario files are read with positions: whatever is wrong names its line, its column and the nearest valid word."""

import pytest
from scenario_world import ORDER, PAID, order, refused, scenarios
from stepwell_interpreter.compile import compile_source
from stepwell_interpreter.scenarios import load_scenarios, run_scenarios, scenarios_of
from stepwell_schemas.catalog import ActivityDescription


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("  - {name: a, task: {}}", '3:15: error: unknown key "task"; did you mean "tasks"?'),
        ("  - {input: {}}", "3:5: error: name is missing"),
        ("  - {name: a, expect: {status: done}}", '3:32: error: "done" is not one of running, succeeded'),
        ("  - {name: a, tasks: {X: {output: 1, error: E}}}", "exactly one of output, error, timedOut, lost"),
        (
            "  - {name: a, tasks: {X: {cause: E}}}",
            "exactly one of output, error, timedOut, lost must be here",
        ),
        (
            "  - {name: a, events: [{at: 5 minutes, type: Paid}]}",
            "3:29: error: '5 minutes' is not a duration",
        ),
        (
            "  - {name: a, input: 1, start: {type: Seen}}",
            "3:5: error: a scenario has input or start, not both",
        ),
        ("  - name: a\n   input: 1", "4:4: error: not YAML"),
        ("  - {name: a, tasks: {X: [{error: E, times: 100000}]}}", "100000 is more than 10000"),
        ("  - {name: a, now: yesterday}", "3:20: error:"),
        ("  - {name: a, expect: {path: Reserve}}", "3:30: error: must be a list"),
    ],
)
def test_a_wrong_scenario_is_told_with_its_place(text: str, problem: str) -> None:
    found = scenarios(text)
    assert not found.usable
    told = "\n".join(str(each) for each in found.problems)
    assert problem in told
    assert told.startswith("order.tests.yaml:")


def test_a_file_that_is_no_object_is_told() -> None:
    assert "a scenario file is an object with tests" in str(
        load_scenarios("[]", file="a.tests.yaml").problems[0]
    )


def test_a_scenario_file_may_be_json() -> None:
    found = load_scenarios('{"definition": "a.json", "tests": [{"name": "x"}]}', file="a.tests.json")
    assert (found.problems, found.definition, found.scenarios[0].name) == ((), "a.json", "x")


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("tasks: {Reserv: {output: 1}}", "there is no state 'Reserv' that runs a task"),
        ("tasks: {Payment: {output: 1}}", "Payment is a Wait state, which runs no task"),
        (
            "tasks: {Reserve: [{error: E, times: 9999}, {error: E, times: 9999}, {error: E, times: 9}]}",
            "more than 20000",
        ),
        ("events: [{type: Payd, data: {id: x}}]", "the workflow knows no event 'Payd'"),
        ("events: [{type: Paid, data: {}}]", "no Paid has such data"),
        ("expect: {path: [Reserve, Pack]}", "there is no state 'Pack' here"),
        ("expect: {path: [Both, {pak: []}]}", "Both has no branch 'pak'"),
        ("expect: {path: [Reserve, {pack: []}]}", "branches stand behind the parallel or map state"),
        ("expect: {waits: [Paymnt]}", "there is no wait state 'Paymnt'"),
        ("expect: {waits: [{event: Seem}]}", "the workflow knows no event 'Seem'"),
        ("expect: {activities: {stock.reserv: 1}}", "the workflow calls no activity 'stock.reserv'"),
        ("expect: {values: {'$.outputs': 1, '$[': 2}}", "$["),
    ],
)
def test_a_name_that_is_not_in_the_definition_makes_a_scenario_unusable(more: str, problem: str) -> None:
    [found] = refused(f"  - name: one\n    input: {{id: x}}\n    {more}\n")
    assert found.startswith("5:")
    assert problem in found


def test_the_nearest_word_is_offered() -> None:
    [found] = refused("  - {name: a, input: {id: x}, tasks: {Reserv: {output: 1}}}\n")
    assert "Reserve" in found


def test_an_input_that_the_workflow_refuses_is_told_at_its_place() -> None:
    assert refused("  - name: a\n    input: {id: 7}\n") == [
        "4:17: the input is not what the workflow takes: 7 is not of type 'string' (at /id)"
    ]


def test_two_scenarios_of_one_name_cannot_be_told_apart() -> None:
    results = run_scenarios(order(), scenarios(f"  - name: a{PAID}  - name: a{PAID}"))
    assert [result.verdict for result in results] == ["passed", "unusable"]


RESERVE = ActivityDescription(
    name="stock.reserve",
    output_schema={"type": "object", "required": ["kept"], "properties": {"cents": {"type": "integer"}}},
)


def test_outcomes_are_checked_against_what_the_activity_gives() -> None:
    text = "  - name: a\n    input: {id: x}\n    tasks: {Reserve: [{error: Busy}, {output: {kept: k, cents: many}}]}\n"
    [result] = run_scenarios(order(), scenarios(text), {"stock.reserve": RESERVE})
    [problem] = result.problems
    assert (problem.code, problem.line, problem.column) == ("mock-output", 5, 64)
    assert (
        "the activity stock.reserve gives no such output: 'many' is not of type 'integer'" in problem.message
    )


def test_scenarios_may_stand_inside_their_definition() -> None:
    compiled = compile_source(
        ORDER + f"tests:\n  - name: inside{PAID}    expect: {{status: failed}}\n", file="o.yaml"
    )
    [result] = run_scenarios(compiled, scenarios_of(compiled, "o.yaml"))
    assert result.verdict == "failed"
    assert "o.yaml:46:22: status" in result.explanation()


def test_a_wrong_scenario_inside_a_definition_is_a_problem_of_the_definition() -> None:
    compiled = compile_source(ORDER + "tests: [{name: a, tassks: {}}]\n", file="o.yaml")
    assert [problem.code for problem in compiled.problems] == ["unknown-key"]
