"""Translation to the native dialect: the same runs end alike, and what would be lost is told with its place."""

from typing import Any

import pytest
from stepwell.testing import simulate
from stepwell_interpreter.asl.translate import translate_asl
from stepwell_interpreter.compile import compile_source

FUNCTION = "arn:aws:lambda:us-east-1:111111111111:function:"
PASS: dict[str, Any] = {"Type": "Pass", "End": True}
TASK: dict[str, Any] = {"Type": "Task", "Resource": f"{FUNCTION}work", "End": True}
FAILED = {"error": "Broken", "cause": "why"}


def machine(*states: tuple[str, dict[str, Any]], **more: Any) -> dict[str, Any]:
    """The states in order; a state that says neither Next nor End goes to the one after it."""
    made: dict[str, Any] = {}
    for index, (name, state) in enumerate(states):
        ends = state.keys() & {"Next", "End"} or state["Type"] in ("Choice", "Succeed", "Fail")
        after = {"End": True} if index + 1 == len(states) else {"Next": states[index + 1][0]}
        made[name] = state if ends else {**state, **after}
    return {"StartAt": states[0][0], "States": made, **more}


def alike(document: dict[str, Any], input: Any, tasks: dict[str, Any] | None = None) -> Any:
    """Run both; the output, or the error's name. Fails where they differ or the native one has a problem."""
    native = translate_asl(document, "flow", "1.0.0")
    assert native.lost == []
    assert native.document is not None
    assert [p for p in compile_source(native.document).problems if p.severity == "error"] == []
    theirs = simulate(document, input, tasks=tasks)
    ours = simulate(native.document, input, tasks=tasks)
    assert (ours.status, ours.output, ours.error) == (theirs.status.lower(), theirs.output, theirs.error)
    return theirs.output if theirs.error is None else theirs.error


DATA = {"a": {"b": [1, 2]}, "n": 5, "t": "$.text", "when": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"Result": {"x": [1, "$.a", "$$.b", {"$c": 1}]}},
        {"Result": 5, "ResultPath": "$.r.s"},
        {"Result": 5, "ResultPath": None},
        {"InputPath": "$.a"},
        {"InputPath": "$.a.b[1]", "ResultPath": "$.n"},
        {"OutputPath": "$.a"},
        {"OutputPath": None},
        {"InputPath": "$.a", "Parameters": {"x.$": "$.b[0]", "y": {"z.$": "$.b[*]"}, "l": "$.b"}},
        {
            "Parameters": {
                "x.$": "States.Format('{} is {} \\'q\\'', $.n, $.t)",
                "y.$": "States.Array($.n, 'x')",
            }
        },
        {"Parameters": {"at.$": "$$.Execution.Input.n", "in.$": "$$.State.Name"}},
        {"Parameters": {"has.$": "States.ArrayContains($.a.b, 2)", "long.$": "States.ArrayLength($.a.b)"}},
        {"Result": {"v": 1}, "ResultPath": "$['odd name']"},
    ],
)
def test_a_pass_makes_the_same(state: dict[str, Any]) -> None:
    alike(machine(("A", {"Type": "Pass", **state}), ("B", {"Type": "Pass"})), DATA)


RULES = [
    {"Variable": "$.n", "NumericEquals": 5},
    {"Variable": "$.n", "NumericGreaterThan": 5},
    {"Variable": "$.n", "StringEquals": "5"},
    {"Variable": "$.t", "StringGreaterThanEquals": "$.a"},
    {"Variable": "$.t", "StringMatches": "$.te*"},
    {"Variable": "$.n", "NumericLessThanPath": "$.a.b[1]"},
    {"Variable": "$.t", "StringEqualsPath": "$.t"},
    {"Variable": "$.n", "StringEqualsPath": "$.n"},
    {"Variable": "$.when", "TimestampEquals": "2026-01-01T01:00:00+01:00"},
    {"Variable": "$.when", "TimestampLessThan": "2026-01-01T00:00:00Z"},
    {"Variable": "$.when", "TimestampLessThanEquals": "2026-01-01T00:00:00Z"},
    {"Variable": "$.when", "TimestampGreaterThanEquals": "2027-01-01T00:00:00Z"},
    {"Variable": "$.n", "TimestampGreaterThanEquals": "2027-01-01T00:00:00Z"},
    {"Variable": "$.none", "IsPresent": False},
    {"Variable": "$.n", "IsNumeric": True},
    {"Variable": "$.t", "IsTimestamp": True},
    {"Variable": "$.t", "IsNull": False},
    {"And": [{"Variable": "$.n", "IsNumeric": True}, {"Variable": "$.n", "NumericEquals": 5}]},
    {"Or": [{"Variable": "$.n", "IsString": True}, {"Not": {"Variable": "$.n", "NumericEquals": 6}}]},
]


@pytest.mark.parametrize("rule", RULES)
def test_a_choice_goes_the_same_way(rule: dict[str, Any]) -> None:
    document = machine(
        ("C", {"Type": "Choice", "Choices": [{**rule, "Next": "Yes"}], "Default": "No"}),
        ("Yes", {**PASS, "Result": "yes"}),
        ("No", {**PASS, "Result": "no"}),
    )
    assert alike(document, DATA) in ("yes", "no")


def test_a_choice_without_a_way_fails_alike() -> None:
    rule = {"Variable": "$.n", "NumericEquals": 6, "Next": "Y"}
    document = machine(("C", {"Type": "Choice", "InputPath": "$", "Choices": [rule]}), ("Y", PASS))
    assert alike(document, DATA) == "States.NoChoiceMatched"


@pytest.mark.parametrize(
    ("state", "result"),
    [
        ({}, {"r": 1}),
        ({"ResultPath": "$.x"}, {"r": 1}),
        ({"ResultPath": None}, {"r": 1}),
        ({"ResultSelector": {"s.$": "$.r", "c": "$.r"}, "ResultPath": "$.x"}, {"r": 1}),
        ({"Parameters": {"n.$": "$.n"}, "OutputPath": "$.r"}, {"r": [1]}),
        ({"Resource": "arn:aws:states:::lambda:invoke", "OutputPath": "$.Payload",
          "Parameters": {"FunctionName": "work", "Payload.$": "$.a"}}, {"Payload": {"r": 1}, "StatusCode": 200}),
    ],
)  # fmt: skip
def test_a_task_is_given_and_gives_the_same(state: dict[str, Any], result: Any) -> None:
    document = machine(("T", {**TASK, **state}))
    wrapped = "lambda:invoke" in document["States"]["T"]["Resource"]
    if not wrapped:
        alike(document, DATA, {"T": [{"output": result}]})
        return
    native = translate_asl(document, "flow", "1.0.0").document
    assert native is not None
    theirs = simulate(document, DATA, tasks={"T": [{"output": result}]})
    ours = simulate(native, DATA, tasks={"T": [{"output": result["Payload"]}]})
    assert ours.output == theirs.output == {"r": 1}


def test_retries_and_catchers_do_the_same() -> None:
    retry = [{"ErrorEquals": ["Broken"], "MaxAttempts": 1, "IntervalSeconds": 3, "MaxDelaySeconds": 9}]
    catch = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.e", "Next": "Sorry"}]
    document = machine(
        ("T", {**TASK, "Retry": retry, "Catch": catch}),
        ("Sorry", {"Type": "Fail", "ErrorPath": "$.e.Error", "CausePath": "$.e.Cause"}),
    )
    assert alike(document, DATA, {"T": [FAILED, FAILED]}) == "Broken"
    assert alike(document, DATA, {"T": [FAILED, {"output": 1}]}) == 1


def test_a_task_without_retries_is_not_tried_again() -> None:
    assert alike(machine(("T", TASK)), DATA, {"T": [FAILED]}) == "Broken"


def test_branches_keep_their_values_apart_and_join_as_a_list() -> None:
    def branch(name: str) -> dict[str, Any]:
        return machine(
            (f"{name}1", {"Type": "Pass", "Result": name, "ResultPath": "$.mine"}), (f"{name}2", PASS)
        )

    state = {"Type": "Parallel", "Branches": [branch("x"), branch("y")], "ResultPath": "$.both"}
    output = alike(machine(("P", state), ("B", {"Type": "Pass"})), DATA)
    assert [each["mine"] for each in output["both"]] == ["x", "y"]
    selected = {**state, "ResultSelector": {"first.$": "$[0].mine", "second.$": "$[1]['mine']"}}
    assert alike(machine(("P", selected)), DATA)["both"] == {"first": "x", "second": "y"}


def test_a_branch_that_fails_fails_the_state_alike() -> None:
    branches = [machine(("X", TASK)), machine(("Y", PASS))]
    assert (
        alike(machine(("P", {"Type": "Parallel", "Branches": branches})), DATA, {"X": [FAILED]}) == "Broken"
    )


def test_items_are_processed_alike() -> None:
    state = {
        "Type": "Map",
        "ItemsPath": "$.a.b",
        "ItemSelector": {"v.$": "$$.Map.Item.Value", "i.$": "$$.Map.Item.Index", "n.$": "$.n"},
        "MaxConcurrency": 1,
        "Iterator": machine(("I", {"Type": "Pass", "Parameters": {"got.$": "$.v", "all.$": "$"}})),
        "ResultPath": "$.each",
    }
    output = alike(machine(("M", state)), DATA)
    assert [each["got"] for each in output["each"]] == [1, 2]


def test_waits_last_alike() -> None:
    document = machine(("W", {"Type": "Wait", "SecondsPath": "$.n"}), ("V", {"Type": "Wait", "Seconds": 3}))
    native = translate_asl(document, "flow", "1.0.0").document
    assert native is not None
    assert simulate(document, DATA).now_ms == simulate(native, DATA).now_ms
    alike(document, DATA)


def test_the_same_document_has_one_translation() -> None:
    document = machine(
        ("A", {**TASK, "Catch": [{"ErrorEquals": ["X"], "Next": "B"}], "Next": "B"}), ("B", PASS)
    )
    assert translate_asl(document, "flow", "1.0.0") == translate_asl(document, "flow", "1.0.0")


def test_helpers_take_no_names_that_are_there() -> None:
    document = machine(("Start", {"Type": "Pass"}), ("End", {"Type": "Pass", "Result": 1}))
    assert alike(document, DATA) == 1


def test_a_table_names_activities() -> None:
    queue = "arn:aws:states:::sqs:sendMessage"
    document = machine(("T", {**TASK, "Resource": queue}))
    native = translate_asl(document, "flow", "1.0.0", {queue: "queue.send"}).document
    assert native is not None
    assert native["states"]["T"]["activity"] == "queue.send"


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        (machine(("A", PASS), QueryLanguage="JSONata"), "/QueryLanguage"),
        (machine(("A", {**PASS, "Assign": {"x": 1}})), "/States/A/Assign"),
        (machine(("A", {**PASS, "InputPath": "$x"})), "/States/A/InputPath"),
        (machine(("A", {**PASS, "InputPath": "$..x"})), "/States/A/InputPath"),
        (machine(("A", {**PASS, "InputPath": "$.x[?(@.a)]"})), "/States/A/InputPath"),
        (machine(("A", {**PASS, "Parameters": {"x": {"y.$": "States.MathAdd(1, 2)"}}})), "/States/A/Parameters/x/y.$"),
        (machine(("A", {**PASS, "Parameters": {"y.$": "$$.Task.Token"}})), "/States/A/Parameters/y.$"),
        (machine(("A", {**TASK, "Resource": "arn:aws:states:::sns:publish"})), "/States/A/Resource"),
        (machine(("A", {**TASK, "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
                        "Parameters": {"FunctionName": "f"}})), "/States/A"),
        (machine(("A", {**TASK, "Resource": "arn:aws:states:::lambda:invoke",
                        "Parameters": {"FunctionName": "f"}})), "/States/A"),
        (machine(("A", {"Type": "Fail"})), "/States/A"),
        (machine(("M", {"Type": "Map", "ItemProcessor": machine(("I", TASK))})), "/States/M"),
        (machine(("M", {"Type": "Map", "ItemBatcher": {}, "ItemProcessor": machine(("I", PASS))})),
         "/States/M/ItemBatcher"),
        (machine(("P", {"Type": "Parallel", "Branches": [machine(("I", PASS))],
                        "Parameters": {"in.$": "$$.State.Name"}})), "/States/P/Parameters/in.$"),
        (machine(("P", {"Type": "Parallel", "Branches": [machine(("I", {**PASS, "Assign": {}}))]})),
         "/States/P/Branches/0/States/I/Assign"),
    ],
)  # fmt: skip
def test_what_would_be_lost_is_told_with_its_place(document: dict[str, Any], pointer: str) -> None:
    translation = translate_asl(document, "flow", "1.0.0")
    assert translation.document is None
    assert [each.pointer for each in translation.lost] == [pointer]
    assert translation.lost[0].message


def test_everything_that_would_be_lost_is_told() -> None:
    document = machine(("A", {"Type": "Pass", "Assign": {}}), ("B", {**PASS, "InputPath": "$x"}))
    assert len(translate_asl(document, "flow", "1.0.0").lost) == 2
