"""Payload templates of both languages, assignments, scalar fields, and the variables they refer to."""

from typing import Any

import pytest
from interpreter.asl_scopes import asl_scope, failure_of
from stepwell_interpreter.asl.expressions import (
    AslSyntax,
    compile_assign,
    compile_payload,
    compile_value,
    referenced_variables,
    syntax_problem,
)
from stepwell_interpreter.asl.scope import AslFailure
from stepwell_interpreter.failures import StateFailure

DATA = {"a": {"b": 2}, "list": [1, 2]}


def test_members_that_end_in_dollar_are_evaluated_and_lose_the_ending() -> None:
    template = {"x.$": "$.a.b", "y": {"z.$": "$$.State.Name", "k": [{"v.$": "$v"}, "$.a"]}, "n": None}
    value = compile_payload(template, "Parameters", "JSONPath")(asl_scope(DATA, {"v": 3}))
    assert value == {"x": 2, "y": {"z": "Price", "k": [{"v": 3}, "$.a"]}, "n": None}
    assert list(value) == ["x", "y", "n"] or set(value) == {"x", "y", "n"}


@pytest.mark.parametrize("language", ["JSONPath", "JSONata"])
def test_a_template_without_expressions_is_given_as_it_is(language: Any) -> None:
    template = {"a": [1, {"b": "$.x"}], "c": " {% no %} "}
    assert compile_payload(template, "Parameters", language)(asl_scope()) is template


def test_literal_parts_are_shared_between_evaluations() -> None:
    template = {"constant": {"deep": [1]}, "x.$": "$.a"}
    evaluate = compile_payload(template, "Parameters", "JSONPath")
    first, second = evaluate(asl_scope(DATA)), evaluate(asl_scope(DATA))
    assert first["constant"] is second["constant"]
    assert first is not second


@pytest.mark.parametrize(
    ("template", "pointer", "message"),
    [
        (
            {"o": {"x.$": 5}},
            "/P/o",
            "The value for the field 'x.$' must be a valid JSONPath or a valid intrinsic",
        ),
        (
            {"x.$": "text"},
            "/P",
            "The value for the field 'x.$' must be a valid JSONPath or a valid intrinsic",
        ),
        ({"l": [{"x.$": "$.["}]}, "/P/l/0", "The value for the field 'x.$' must be a valid JSONPath"),
        ({"x": 1, "x.$": "$.a"}, "/P", "The fields 'x' and 'x.$' cannot be both specified"),
    ],
)
def test_a_member_that_is_no_expression_is_refused_where_it_stands(
    template: Any, pointer: str, message: str
) -> None:
    with pytest.raises(AslSyntax) as caught:
        compile_payload(template, "Parameters", "JSONPath", path="/P")
    assert caught.value.pointer == pointer
    assert caught.value.message.startswith(message)


def test_jsonata_is_evaluated_anywhere_in_a_template() -> None:
    template = {"a": "{% $states.input.a.b + 1 %}", "b": ["{%$v%}", {"c": "{% [] %}"}], "d": "{ % no % }"}
    value = compile_payload(template, "Output", "JSONata")(asl_scope(DATA, {"v": None}))
    assert value == {"a": 3, "b": [None, {"c": []}], "d": "{ % no % }"}


def test_a_failure_of_jsonata_carries_the_place_in_the_template() -> None:
    evaluate = compile_payload({"a": [1, {"b": "{% $nothing %}"}]}, "Arguments", "JSONata")
    with pytest.raises(AslFailure) as caught:
        evaluate(asl_scope())
    assert caught.value.location == "Arguments/a[1]/b"
    assert caught.value.evaluation
    assert caught.value.cause.endswith(
        "The JSONata expression '$nothing' specified for the field 'Arguments/a[1]/b' returned nothing (undefined)."
    )


def test_a_malformed_jsonata_expression_is_refused_where_it_stands() -> None:
    with pytest.raises(AslSyntax) as caught:
        compile_payload({"a": {"b": "{% 1 + %}"}}, "Output", "JSONata", path="/States/S/Output")
    assert caught.value.pointer == "/States/S/Output/a/b"
    assert caught.value.message == "Unexpected end of expression"
    assert caught.value.code == "INVALID_JSONATA_EXPRESSION"


def test_a_template_that_nests_too_deep_is_refused() -> None:
    template: Any = {"x.$": "$"}
    for _ in range(200):
        template = [template]
    with pytest.raises(AslSyntax, match="nests at most"):
        compile_payload(template, "Parameters", "JSONPath")


def test_assignments_see_the_values_before_any_of_them() -> None:
    assign = compile_assign({"x": "{% $x + 1 %}", "y": "{% $x %}"}, "JSONata")
    assert assign(asl_scope(None, {"x": 1})) == {"x": 2, "y": 1}
    assert compile_assign({"x.$": "$.a.b", "k": 1}, "JSONPath")(asl_scope(DATA)) == {"x": 2, "k": 1}


@pytest.mark.parametrize("name", ["states", "1x", "a-b", "", "x" * 81, "a b"])
def test_a_name_that_no_variable_may_have_is_refused(name: str) -> None:
    with pytest.raises(AslSyntax):
        compile_assign({name: 1}, "JSONata")


def test_variables_may_not_grow_beyond_the_limit() -> None:
    error, cause = failure_of(compile_assign({"x": "y" * 262_144}, "JSONata"), asl_scope())
    assert error == "States.DataLimitExceeded"
    assert "'Assign'" in cause


@pytest.mark.parametrize(
    ("expression", "kinds", "value"),
    [
        ("2.0", ("integer",), 2),
        ("1.5", ("number",), 1.5),
        ("[1,2]", ("array",), [1, 2]),
        ("'x'", ("string",), "x"),
    ],
)
def test_a_scalar_field_gives_a_result_of_its_type(expression: str, kinds: Any, value: Any) -> None:
    result = compile_value(f"{{% {expression} %}}", "Seconds", "JSONata", kinds)(asl_scope())
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("expression", "kinds", "text"),
    [
        ("'1'", ("integer",), "Expected 'number', but was 'string' for value: \"1\""),
        ("{'a': 1}", ("array",), "Expected 'array', but was 'object' for value: {\"a\":1}"),
        ("null", ("array",), "Expected 'array', but was 'null' for value: null"),
        ("true", ("string",), "Expected 'string', but was 'boolean' for value: true"),
        ("1", ("timestamp",), "Expected 'string', but was 'number' for value: 1"),
    ],
)
def test_a_result_of_another_type_fails_the_evaluation(expression: str, kinds: Any, text: str) -> None:
    evaluate = compile_value(f"{{% {expression} %}}", "Items", "JSONata", kinds)
    error, cause = failure_of(evaluate, asl_scope())
    assert error == "States.QueryEvaluationError"
    assert cause == (
        f"The JSONata expression '{expression}' specified for the field 'Items' returned an unexpected result "
        f"type. {text}"
    )


def test_a_variable_that_could_not_be_stored_is_a_failure() -> None:
    with pytest.raises(StateFailure, match="cannot be written as JSON"):
        compile_assign({"n": 10**30}, "JSONata")(asl_scope())
    assert compile_assign({}, "JSONata")(asl_scope()) == {}
    with pytest.raises(AslSyntax, match="must be an object"):
        compile_assign([1], "JSONata")


def test_a_whole_number_and_a_timestamp_are_asked_for_by_their_kinds() -> None:
    with pytest.raises(StateFailure, match="cannot be parsed as an integer"):
        compile_value("{% 1.5 %}", "Seconds", "JSONata", ("integer",))(asl_scope())
    with pytest.raises(StateFailure, match="ISO-8601"):
        compile_value("{% 'soon' %}", "Timestamp", "JSONata", ("timestamp",))(asl_scope())


def test_a_literal_of_a_scalar_field_is_given_as_it_is() -> None:
    assert compile_value(5, "Seconds", "JSONata", ("integer",))(asl_scope()) == 5
    assert compile_value("{% 1 %}", "Cause", "JSONPath", ("string",))(asl_scope()) == "{% 1 %}"


@pytest.mark.parametrize(
    ("value", "language", "names"),
    [
        ("$a.b[?(@.x == $c)]", "JSONPath", {"a", "c"}),
        ("States.Format('{}', States.MathAdd($x, $.y))", "JSONPath", {"x"}),
        ("$$.State.Name", "JSONPath", set()),
        ({"Variable": "$a", "StringEqualsPath": "$b", "StringEquals": "$c"}, "JSONPath", {"a", "b"}),
        ({"Parameters": {"x": "$a", "y.$": "$b", "SomePath": "$c"}}, "JSONPath", {"b"}),
        ({"ItemProcessor": {"x.$": "$a"}, "ItemsPath": "$b", "Result": {"x.$": "$c"}}, "JSONPath", {"b"}),
        ({"Output": "{% $a + $count($b) %}", "Assign": {"x": "{% $states.input %}"}}, "JSONata", {"a", "b"}),
        ("{% ($t := $a; $map($t, function($v) { $v + $k })) %}", "JSONata", {"a", "k"}),
        ("{% $s.o#$i.{'i': $i} %}", "JSONata", {"s"}),
        ("{% ) %}", "JSONata", set()),
        (["{% $a %}", 1, {"Result": "{% $b %}"}], "JSONata", {"a"}),
        ([{"x.$": "$a"}, "$b"], "JSONPath", {"a"}),
        ({"x.$": 5, "y.$": "$.[", "z.$": "text"}, "JSONPath", set()),
        ("$a[?(@.x && ($b || !$c.d) && 1 == $$.n)]", "JSONPath", {"a", "b", "c"}),
        ("$a[0][*]", "JSONPath", {"a"}),
    ],
)
def test_the_variables_a_value_refers_to_are_told(value: Any, language: Any, names: set[str]) -> None:
    assert referenced_variables(value, language) == names


@pytest.mark.parametrize(
    ("text", "kind", "language", "malformed"),
    [
        ("$.a", "path", "JSONPath", False),
        ("$.a[", "path", "JSONPath", True),
        ("$.a[*]", "referencePath", "JSONPath", True),
        ("States.UUID()", "payload", "JSONPath", False),
        ("States.UUID(", "payload", "JSONPath", True),
        ("States.Nope()", "intrinsic", "JSONPath", True),
        ("{% 1 + 1 %}", "jsonata", "JSONata", False),
        ("{% 1 + %}", "jsonata", "JSONata", True),
        ("{% name %}", "jsonata", "JSONata", True),
    ],
)
def test_a_malformed_expression_has_a_problem(text: str, kind: Any, language: Any, malformed: bool) -> None:
    assert (syntax_problem(text, kind, language) is not None) is malformed
