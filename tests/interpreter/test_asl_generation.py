"""Scenarios generated for Amazon States Language definitions reach their branches and error routes, and hold."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from stepwell_interpreter.asl.expressions import JSONATA, JSONPATH, Language, compile_choice_rule
from stepwell_interpreter.compile import compile_source
from stepwell_interpreter.failures import StateFailure
from stepwell_interpreter.scenarios import load_scenarios, run_scenarios
from stepwell_interpreter.scenarios.asl_places import scope_with
from stepwell_interpreter.scenarios.coverage import coverage_of
from stepwell_interpreter.scenarios.generating import generate
from stepwell_interpreter.scenarios.jsonata_conditions import jsonata_formula
from stepwell_interpreter.scenarios.jsonpath_conditions import jsonpath_formula
from stepwell_interpreter.scenarios.placing import JSON_TEXT, put
from stepwell_interpreter.scenarios.rewriting import new_file
from stepwell_interpreter.scenarios.solving import Comparison, solutions
from stepwell_interpreter.scope import MISSING

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:check"
INVOKE = "arn:aws:states:::lambda:invoke"
ENDS = {name: {"Type": "Succeed"} for name in "XYZ"}


def left_of(definition: dict[str, Any]) -> list[str]:
    """What the generated scenarios leave out. All of them hold, and cover just the rest."""
    compiled = compile_source(json.dumps(definition), file="w.asl.json")
    assert compiled.program is not None, compiled.problems
    made = generate(compiled)
    text = new_file("w.asl.json", made.scenarios)
    results = run_scenarios(compiled, load_scenarios(text, file="w.tests.yaml"))
    assert [result.explanation() for result in results if result.verdict != "passed"] == []
    missed = [part.label for part in coverage_of(compiled, results).missed]
    assert missed == [part.label for part in made.unreached]
    return missed


def machine(start: str, states: dict[str, Any], language: str = JSONPATH) -> dict[str, Any]:
    used = json.dumps(states)
    ends = {name: body for name, body in ENDS.items() if f'"{name}"' in used and name not in states}
    return {"QueryLanguage": language, "StartAt": start, "States": {**states, **ends}}


def choice(*rules: dict[str, Any], default: str = "Z") -> dict[str, Any]:
    return {"Type": "Choice", "Choices": list(rules), "Default": default}


def when(condition: str, next: str) -> dict[str, Any]:
    return {"Condition": f"{{% {condition} %}}", "Next": next}


def one_rule(**rule: Any) -> dict[str, Any]:
    return machine("C", {"C": choice({**rule, "Next": "Y"})})


@pytest.mark.parametrize(
    "rule",
    [
        {"Variable": "$.a", "StringEquals": "gold"},
        {"Variable": "$.a", "StringLessThan": "m"},
        {"Variable": "$.a", "StringGreaterThanEquals": "m"},
        {"Variable": "$.a.b", "NumericGreaterThan": 100.5},
        {"Variable": "$.a[2].b", "NumericLessThanEquals": -3},
        {"Variable": "$.a", "BooleanEquals": False},
        {"Variable": "$.a", "TimestampLessThan": "2020-01-01T00:00:00Z"},
        {"Variable": "$.a", "TimestampEquals": "2020-01-01T00:00:00Z"},
        {"Variable": "$.a", "StringMatches": "log-*.\\*"},
        {"Variable": "$.a", "IsPresent": True},
        {"Variable": "$.a", "IsPresent": False},
        {"Variable": "$.a", "IsNull": True},
        {"Variable": "$.a", "IsString": False},
        {"Variable": "$.a", "IsNumeric": True},
        {"Variable": "$.a", "IsBoolean": True},
        {"Variable": "$.a", "IsTimestamp": True},
        {"Variable": "$.a", "StringEqualsPath": "$.b"},
        {"Variable": "$.a", "NumericLessThanPath": "$$.Execution.Input.limit"},
        {"Variable": "$.a", "BooleanEqualsPath": "$.b"},
        {"Variable": "$.a", "TimestampGreaterThanPath": "$.b.c"},
        {"Not": {"Variable": "$.a", "NumericEquals": 0}},
        {"And": [{"Variable": "$.a", "IsPresent": True}, {"Variable": "$.a", "NumericEquals": 7}]},
        {"Or": [{"Not": {"Variable": "$.a", "IsPresent": True}}, {"Variable": "$.b", "StringEquals": "x"}]},
    ],
    ids=str,
)
def test_both_sides_of_a_jsonpath_rule_are_reached(rule: dict[str, Any]) -> None:
    assert left_of(one_rule(**rule)) == []


@pytest.mark.parametrize(
    "condition",
    [
        "$states.input.amount > 100",
        "$states.input.kind = 'gold'",
        "$states.input.kind != 'gold' and $states.input.amount <= 5",
        "$not($exists($states.input.note))",
        "$exists($states.input.note) or $states.input.urgent",
        "$states.input.status in ['done', 'failed']",
        "'red' in $states.input.tags",
        "$count($states.input.items) > 2",
        "$sum($states.input.items) = 7",
        "$contains($states.input.name, 'bot')",
        "$lowercase($states.input.city) = 'bern'",
        "$length($states.input.code) = 4",
        "$states.input.a + $states.input.b > 50",
        "$states.input.a > $states.input.b",
        "$states.input.gone = null",
        "$type($states.input.any) = 'array'",
        "$states.input.items[0].price >= 9.5",
        "$states.context.Execution.Input.kind = 'x'",
        "($states.input.kind = 'x')",
    ],
)
def test_both_sides_of_a_jsonata_condition_are_reached(condition: str) -> None:
    assert left_of(machine("C", {"C": choice(when(condition, "Y"))}, JSONATA)) == []


def test_choices_one_behind_the_other_are_solved_together() -> None:
    states = {
        "C1": choice({"Variable": "$.type", "StringEquals": "x", "Next": "C2"}),
        "C2": choice({"Variable": "$.amount", "NumericGreaterThan": 100, "Next": "C3"}),
        "C3": choice({"Variable": "$.amount", "NumericLessThan": 102, "Next": "C4"}),
        "C4": choice({"Variable": "$.tag", "StringEquals": "deep", "Next": "Y"}),
    }
    assert left_of(machine("C1", states)) == []


def test_results_are_followed_through_selectors_result_paths_and_templates() -> None:
    states = {
        "T": {
            "Type": "Task",
            "Resource": FUNCTION,
            "ResultSelector": {"score.$": "$.rating.score", "body.$": "States.StringToJson($.Body)"},
            "ResultPath": "$.r",
            "Next": "P",
        },
        "P": {
            "Type": "Pass",
            "Parameters": {
                "inner": {
                    "x.$": "$.r.score",
                    "ok.$": "$.r.body.ok",
                    "me.$": "$$.Execution.Input.id",
                    "limit.$": "$.r.body.limit",
                }
            },
            "Assign": {"limit.$": "$.inner.limit"},
            "Next": "L",
        },
        "L": {
            "Type": "Task",
            "Resource": INVOKE,
            "Parameters": {"FunctionName": "check", "Payload.$": "$"},
            "ResultSelector": {"p.$": "$.Payload"},
            "ResultPath": "$.l",
            "OutputPath": "$",
            "Next": "C",
        },
        "C": choice(
            {
                "And": [
                    {"Variable": "$.inner.x", "NumericEquals": 42},
                    {"Variable": "$.inner.ok", "BooleanEquals": True},
                ],
                "Next": "D",
            },
            {"Variable": "$.inner.me", "StringEquals": "me", "Next": "X"},
        ),
        "D": choice({"Variable": "$.l.p.level", "NumericGreaterThanPath": "$limit", "Next": "Y"}),
    }
    assert left_of(machine("T", states)) == []


def test_variables_and_outputs_in_jsonata_are_followed() -> None:
    states = {
        "S": {
            "Type": "Pass",
            "Assign": {"limit": "{% $states.input.limit %}"},
            "Output": "{% $merge([$states.input, {'seen': $states.input.old}]) %}",
            "Next": "T",
        },
        "T": {
            "Type": "Task",
            "Resource": INVOKE,
            "Arguments": {"FunctionName": "check"},
            "Assign": {"score": "{% $parse($states.result.Payload).score %}"},
            "Output": {"was": "{% $states.input %}", "got": "{% $states.result.Payload %}"},
            "Catch": [
                {"ErrorEquals": ["A", "B"], "Output": {"e": "{% $states.errorOutput.Error %}"}, "Next": "E"}
            ],
            "Next": "C",
        },
        "C": choice(when("$score > 5 and $limit < 3", "Y"), when("$states.input.was.seen = 'yes'", "X")),
        "E": choice(when("$states.input.e = 'B'", "Y")),
    }
    assert left_of(machine("S", states, JSONATA)) == []


def test_what_is_computed_is_found_by_trying_values() -> None:
    computed = {"big": "{% $states.input.amount * 2 > 1000 %}", "length": "{% $length($states.input.name) %}"}
    states = {
        "S": {"Type": "Pass", "Output": computed, "Next": "C"},
        "C": choice(when("$states.input.big", "X"), when("$states.input.length = 3", "Y")),
    }
    assert left_of(machine("S", states, JSONATA)) == []
    counted = {"n.$": "States.ArrayLength($.list)"}
    states = {
        "S": {"Type": "Pass", "Parameters": counted, "Next": "C"},
        "C": choice({"Variable": "$.n", "NumericEquals": 4, "Next": "Y"}),
    }
    assert left_of(machine("S", states)) == []


def test_a_loop_is_left_by_each_of_its_ways() -> None:
    states = {
        "S": {"Type": "Pass", "Assign": {"tries": 0}, "Next": "T"},
        "T": {
            "Type": "Task",
            "Resource": FUNCTION,
            "Assign": {"tries": "{% $tries + 1 %}", "state": "{% $states.result.state %}"},
            "Next": "C",
        },
        "C": choice(when("$state = 'ready'", "Y"), when("$tries >= 3", "X"), default="W"),
        "W": {"Type": "Wait", "Seconds": "{% $states.input.delay %}", "Next": "T"},
    }
    assert left_of(machine("S", states, JSONATA)) == []


def test_retries_catches_timeouts_and_heartbeats_are_reached() -> None:
    states = {
        "T": {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Parameters": {"QueueUrl": "q", "MessageBody": {"token.$": "$$.Task.Token"}},
            "HeartbeatSeconds": 60,
            "TimeoutSeconds": 600,
            "Retry": [{"ErrorEquals": ["Busy"]}, {"ErrorEquals": ["States.Timeout"], "MaxAttempts": 1}],
            "Catch": [
                {"ErrorEquals": ["States.HeartbeatTimeout"], "Next": "X"},
                {"ErrorEquals": ["States.Timeout"], "Next": "Y"},
                {"ErrorEquals": ["States.Permissions", "Denied"], "ResultPath": "$.e", "Next": "E"},
                {"ErrorEquals": ["States.ALL"], "Next": "Z"},
            ],
            "Next": "Z",
        },
        "E": choice({"Variable": "$.e.Error", "StringMatches": "Den*", "Next": "Y"}),
    }
    assert left_of(machine("T", states)) == []


def test_items_of_maps_and_branches_go_every_way() -> None:
    lines = machine(
        "I",
        {
            "I": choice({"Variable": "$.line.weight", "NumericGreaterThan": 20, "Next": "Y"}, default="U"),
            "U": {"Type": "Task", "Resource": FUNCTION, "End": True},
        },
    )
    branch = machine("B", {"B": choice({"Variable": "$.order.rush", "BooleanEquals": True, "Next": "Y"})})
    for inner, name in ((lines, "Y1"), (branch, "Y2")):
        inner["States"] = json.loads(json.dumps(inner["States"]).replace('"Y"', f'"{name}"'))
    lines.pop("QueryLanguage"), branch.pop("QueryLanguage")
    branch["States"]["Z2"] = branch["States"].pop("Z")
    branch["States"]["B"]["Default"] = "Z2"
    states = {
        "P": {"Type": "Parallel", "Branches": [branch], "ResultPath": "$.p", "Next": "M"},
        "M": {
            "Type": "Map",
            "ItemsPath": "$.order.lines",
            "ItemSelector": {"line.$": "$$.Map.Item.Value"},
            "ItemProcessor": lines,
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Z"}],
            "ResultPath": "$.m",
            "Next": "C",
        },
        "C": choice({"Variable": "$.m[0].status", "StringEquals": "late", "Next": "X"}),
    }
    assert left_of(machine("P", states)) == []


def test_items_that_a_reader_gives_and_their_failures_are_reached() -> None:
    items = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "I",
        "States": {
            "I": choice({"Variable": "$.qty", "NumericGreaterThan": 5, "Next": "U"}, default="V"),
            "U": {"Type": "Task", "Resource": FUNCTION, "End": True},
            "V": {"Type": "Pass", "End": True},
        },
    }
    states = {
        "M": {
            "Type": "Map",
            "ItemReader": {
                "Resource": "arn:aws:states:::s3:getObject",
                "ReaderConfig": {"InputType": "JSON"},
                "Parameters": {"Bucket": "b", "Key.$": "$.key"},
            },
            "ItemProcessor": items,
            "Catch": [
                {"ErrorEquals": ["States.ExceedToleratedFailureThreshold"], "Next": "X"},
                {"ErrorEquals": ["States.ItemReaderFailed"], "Next": "Y"},
            ],
            "Next": "Z",
        }
    }
    assert left_of(machine("M", states)) == []


def test_what_can_never_hold_is_said_to_be_not_reached() -> None:
    never = "$states.input.x > 3 and $states.input.x < 2"
    assert left_of(machine("C", {"C": choice(when("1 = 2", "X"), when(never, "X"))}, JSONATA)) == [
        "C → X (Choices[0])",
        "C → X (Choices[1])",
        "X",
    ]


def test_a_large_definition_is_searched_in_bounded_time() -> None:
    states = {
        f"C{number}": choice(
            {"Variable": f"$.v{number}", "NumericGreaterThan": number, "Next": f"C{number + 1}"},
            default=f"C{number + 1}",
        )
        for number in range(20)
    }
    states["C20"] = {"Type": "Pass", "End": True}
    compiled = compile_source(json.dumps(machine("C0", states)), file="w.asl.json")
    made = generate(compiled, max_plays=100)
    assert made.unreached == ()


# -- the solver ----------------------------------------------------------------------------------------------

LEAVES: some.SearchStrategy[dict[str, Any]] = some.sampled_from(
    [
        {"Variable": "$.a", "NumericLessThan": 3},
        {"Variable": "$.a", "NumericGreaterThanEquals": 1},
        {"Variable": "$.b", "StringEquals": "m"},
        {"Variable": "$.b", "StringMatches": "m*"},
        {"Variable": "$.a", "IsString": True},
        {"Variable": "$.b", "IsNull": True},
    ]
)
RULES = some.recursive(
    LEAVES,
    lambda inner: some.one_of(
        some.lists(inner, min_size=1, max_size=3).map(lambda parts: {"And": parts}),
        some.lists(inner, min_size=1, max_size=3).map(lambda parts: {"Or": parts}),
        inner.map(lambda part: {"Not": part}),
    ),
    max_leaves=5,
)


def held(rule: dict[str, Any], language: Language, solution: dict[Any, Any]) -> bool | None:
    try:
        return compile_choice_rule(rule, language)(scope_with(list(solution), list(solution.values())))
    except StateFailure:
        return None


@given(RULES, some.booleans())
def test_a_solution_makes_a_jsonpath_rule_what_was_asked(rule: dict[str, Any], wanted: bool) -> None:
    for solution in solutions([(jsonpath_formula(rule), wanted)]):
        full = {("$", "a"): "left", ("$", "b"): 0, **solution}
        assert held(rule, JSONPATH, full) is wanted


def test_a_place_that_two_comparisons_share_gets_one_value() -> None:
    above, below = "{% $states.input.x > $states.input.y %}", "{% $states.input.y > 100 %}"
    formulas = [(jsonata_formula({"Condition": condition}), True) for condition in (above, below)]
    [solution, *_] = solutions(formulas)
    assert solution["input", "x"] > solution["input", "y"] > 100


def test_a_condition_that_never_ends_being_tried_is_given_up() -> None:
    hopeless = Comparison(("a", "b", "c"), lambda values: False, (tuple(range(60)),) * 3)
    assert solutions([(hopeless, True)]) == []


@pytest.mark.parametrize(
    ("document", "members", "value", "expected"),
    [
        ({}, ("a", "b"), 1, {"a": {"b": 1}}),
        ({"a": "text"}, ("a", "b"), 1, {"a": {"b": 1}}),
        ({"a": 1, "b": 2}, ("a",), MISSING, {"b": 2}),
        ({"b": 2}, ("a", "c"), MISSING, {"b": 2}),
        ({"l": [1]}, ("l", 2), 3, {"l": [1, 1, 3]}),
        ({"l": [1]}, ("l", 10_000_000), 3, {"l": [1]}),
        ({"t": '{"a":1}'}, ("t", JSON_TEXT, "b"), 2, {"t": '{"a":1,"b":2}'}),
    ],
)
def test_a_value_is_put_where_nothing_needs_to_be_yet(
    document: Any, members: tuple[str | int, ...], value: Any, expected: Any
) -> None:
    assert put(document, members, value) == expected
