"""Choice rules: every operator, combinations, what fails and what is only false."""

from typing import Any

import pytest
from interpreter.asl_scopes import asl_scope, failure_of
from stepwell_interpreter.asl.expressions import AslSyntax, compile_choice_rule, compile_path
from stepwell_interpreter.asl.scope import AslFailure

DATA = {
    "text": "order-7",
    "number": 7,
    "half": 7.5,
    "yes": True,
    "nothing": None,
    "list": [1],
    "time": "2024-05-01T10:00:00Z",
    "sooner": "2024-05-01T11:00:00+02:00",
    "also": "order-7",
}


def holds(rule: dict[str, Any], data: Any = DATA) -> bool:
    return compile_choice_rule(rule, "JSONPath", "/Choices/0")(asl_scope(data))


@pytest.mark.parametrize(
    ("variable", "operator", "value", "answer"),
    [
        ("text", "StringEquals", "order-7", True),
        ("text", "StringEqualsPath", "$.also", True),
        ("text", "StringLessThan", "order-8", True),
        ("text", "StringLessThanEqualsPath", "$.also", True),
        ("text", "StringGreaterThan", "order-7", False),
        ("text", "StringGreaterThanEquals", "order-7", True),
        ("number", "NumericEquals", 7.0, True),
        ("number", "NumericLessThan", 7.5, True),
        ("half", "NumericGreaterThanPath", "$.number", True),
        ("half", "NumericGreaterThanEquals", 7.5, True),
        ("half", "NumericLessThanEqualsPath", "$.number", False),
        ("yes", "BooleanEquals", True, True),
        ("yes", "BooleanEqualsPath", "$.number", False),
        ("time", "TimestampEquals", "2024-05-01T12:00:00+02:00", True),
        ("time", "TimestampGreaterThanPath", "$.sooner", True),
        ("time", "TimestampLessThanEquals", "2024-05-01T10:00:00.000000001Z", True),
        ("nothing", "IsNull", True, True),
        ("text", "IsNull", False, True),
        ("text", "IsString", True, True),
        ("number", "IsString", False, True),
        ("yes", "IsNumeric", True, False),
        ("half", "IsNumeric", True, True),
        ("yes", "IsBoolean", True, True),
        ("time", "IsTimestamp", True, True),
        ("text", "IsTimestamp", True, False),
        ("nothing", "IsPresent", True, True),
        ("missing", "IsPresent", True, False),
        ("missing", "IsPresent", False, True),
        ("missing.deeper", "IsPresent", False, True),
    ],
)
def test_an_operator_answers(variable: str, operator: str, value: Any, answer: bool) -> None:
    assert holds({"Variable": f"$.{variable}", operator: value, "Next": "A"}) is answer


@pytest.mark.parametrize(
    ("operator", "value"),
    [
        ("StringEquals", "7"),
        ("NumericEquals", 7),
        ("NumericEquals", 1),
        ("BooleanEquals", True),
        ("TimestampEquals", "2024-05-01T10:00:00Z"),
        ("StringMatches", "*"),
    ],
)
@pytest.mark.parametrize("variable", ["nothing", "list"])
def test_a_value_of_another_kind_is_false_and_never_a_failure(
    variable: str, operator: str, value: Any
) -> None:
    assert holds({"Variable": f"$.{variable}", operator: value}) is False


def test_true_is_no_number_and_a_text_is_never_read_as_one() -> None:
    assert not holds({"Variable": "$.yes", "NumericEquals": 1})
    assert not holds({"Variable": "$.v", "NumericEquals": 7}, {"v": "7"})


@pytest.mark.parametrize(
    ("glob", "text", "answer"),
    [
        ("log-*.txt", "log-2024.txt", True),
        ("log-*.txt", "log-2024.txt.gz", False),
        ("*", "", True),
        ("*", "two\nlines", True),
        (r"a\*b", "a*b", True),
        (r"a\*b", "axb", False),
        (r"a\\*", "a\\bc", True),
        ("a.c", "abc", False),
        ("*é*", "caféteria", True),
        ("*a*a*a*a*a*a*a*a*a*a*a*b", "a" * 3_000, False),
    ],
)
def test_a_glob_matches_the_whole_text_and_only_a_star_is_special(glob: str, text: str, answer: bool) -> None:
    assert holds({"Variable": "$.v", "StringMatches": glob}, {"v": text}) is answer


def test_texts_are_ordered_as_java_orders_them() -> None:
    assert holds({"Variable": "$.v", "StringLessThan": "\uffee"}, {"v": "\U0001f600"})


def test_rules_combine() -> None:
    present, absent = {"Variable": "$.text", "IsPresent": True}, {"Variable": "$.no", "IsPresent": True}
    assert holds({"And": [present, {"Not": absent}]})
    assert holds({"Or": [absent, present]})
    assert not holds({"And": [present, absent]})
    assert not holds({"Or": [absent, absent]})


def test_what_comes_after_the_answer_is_settled_is_not_looked_at() -> None:
    guard = {"Variable": "$.no", "IsPresent": True}
    assert not holds({"And": [guard, {"Variable": "$.no", "StringEquals": "x"}]})


@pytest.mark.parametrize(
    "rule",
    [
        {"Variable": "$.no", "StringEquals": "x"},
        {"Variable": "$.text", "StringEqualsPath": "$.no"},
        {"Not": {"Variable": "$.no", "IsNull": True}},
    ],
)
def test_a_path_that_leads_nowhere_fails(rule: dict[str, Any]) -> None:
    assert failure_of(compile_choice_rule(rule, "JSONPath", ""), asl_scope(DATA)) == (
        "States.Runtime",
        "Invalid path '$.no': The choice state's condition path references an invalid value.",
    )


@pytest.mark.parametrize(
    ("rule", "pointer"),
    [
        ({"Variable": "$.a"}, "/Choices/0"),
        ({"Variable": "$.a", "StringEqual": "x"}, "/Choices/0"),
        ({"Variable": "$.a", "StringEquals": "x", "IsNull": True}, "/Choices/0"),
        ({"StringEquals": "x"}, "/Choices/0"),
        ({"Variable": "$.a", "StringEquals": 1}, "/Choices/0/StringEquals"),
        ({"Variable": "$.a", "NumericEquals": "1"}, "/Choices/0/NumericEquals"),
        ({"Variable": "$.a", "BooleanEquals": 1}, "/Choices/0/BooleanEquals"),
        ({"Variable": "$.a", "TimestampEquals": "today"}, "/Choices/0/TimestampEquals"),
        ({"Variable": "$.a", "IsPresent": "yes"}, "/Choices/0/IsPresent"),
        ({"Variable": "$.a", "StringEqualsPath": 1}, "/Choices/0/StringEqualsPath"),
        ({"Variable": "$.[", "IsNull": True}, "/Choices/0"),
        ({"And": []}, "/Choices/0/And"),
        ({"Or": [{"Variable": "$.a", "IsNull": 1}]}, "/Choices/0/Or/0/IsNull"),
        ({"Not": 1}, "/Choices/0/Not"),
    ],
)
def test_a_rule_that_says_nothing_is_refused_where_it_stands(rule: dict[str, Any], pointer: str) -> None:
    with pytest.raises(AslSyntax) as caught:
        compile_choice_rule(rule, "JSONPath", "/Choices/0")
    assert caught.value.pointer == pointer


def test_rules_nest_only_so_deep() -> None:
    rule: dict[str, Any] = {"Variable": "$.a", "IsNull": True}
    for _ in range(50):
        rule = {"Not": rule}
    with pytest.raises(AslSyntax, match="nests at most"):
        compile_choice_rule(rule, "JSONPath", "")


def test_a_condition_of_jsonata_is_evaluated_or_a_constant() -> None:
    scope = asl_scope(DATA)
    for condition, answer in ((True, True), ("{% $states.input.number > 6 %}", True), ("{% 1 = 2 %}", False)):
        assert compile_choice_rule({"Condition": condition}, "JSONata", "/Choices/0")(scope) is answer


def test_a_condition_that_is_no_boolean_fails_at_its_place() -> None:
    with pytest.raises(AslFailure) as caught:
        compile_choice_rule({"Condition": "{% 'x' %}"}, "JSONata", "/Choices/2")(asl_scope())
    assert caught.value.location == "Choices[2]/Condition"
    assert caught.value.cause.endswith("Expected 'boolean', but was 'string' for value: \"x\"")


@pytest.mark.parametrize("rule", [{}, {"Condition": 1}, {"Condition": "x"}, {"Condition": "{% ( %}"}])
def test_a_rule_of_jsonata_without_a_condition_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(AslSyntax):
        compile_choice_rule(rule, "JSONata", "/Choices/0")


def test_a_variable_may_be_a_workflow_variable_or_of_the_context() -> None:
    scope = asl_scope({}, {"guess": 5})
    assert compile_choice_rule({"Variable": "$guess", "NumericEquals": 5}, "JSONPath", "")(scope)
    assert compile_choice_rule({"Variable": "$$.State.Name", "StringEquals": "Price"}, "JSONPath", "")(scope)
    assert compile_path("$guess", "Variable")(scope) == 5
