"""JSON Schemas that strangers write cannot take more time than their size and the value's allow."""

from typing import Any

import pytest
from stepwell_interpreter.contracts import compile_contract
from stepwell_interpreter.failures import CompileProblem
from stepwell_schemas.bounded_validator import BoundedValidator
from stepwell_schemas.loader import load_definition
from stepwell_schemas.patterns import PatternRefused, compile_pattern, found

CATASTROPHIC = "^(a+)+$"


def accepts(schema: dict[str, Any], value: Any) -> bool:
    return BoundedValidator(schema).is_valid(value)


@pytest.mark.parametrize(
    ("schema", "value", "good"),
    [
        ({"pattern": CATASTROPHIC}, "a" * 50_000 + "!", False),
        ({"patternProperties": {CATASTROPHIC: False}}, {"a" * 50_000 + "!": 1}, True),
        (
            {"patternProperties": {CATASTROPHIC: True}, "additionalProperties": True},
            {"a" * 50_000 + "!": 1},
            True,
        ),
        ({"uniqueItems": True}, [{"a": number} for number in range(50_000)], True),
    ],
)
def test_a_hostile_schema_and_value_are_decided_within_the_time_a_test_has(
    schema: dict[str, Any], value: Any, good: bool
) -> None:
    assert accepts(schema, value) is good  # with `re`, or comparing every pair, the test's time limit ends it


def test_a_pattern_is_found_anywhere_and_ends_only_at_the_end() -> None:
    assert found("b$", "ab")
    assert not found("b$", "ab\n")
    assert accepts({"pattern": "b"}, "abc")
    assert not accepts({"pattern": "^b"}, "abc")


@pytest.mark.parametrize("pattern", [r"(?=a)b", r"(a)\1", "(", "a" * 1_001, "((a{100}){100}){100}"])
def test_what_cannot_be_matched_in_linear_time_is_refused(pattern: str) -> None:
    with pytest.raises(PatternRefused):
        compile_pattern(pattern)


def test_properties_beside_the_patterns_are_additional() -> None:
    schema = {"properties": {"a": {}}, "patternProperties": {"^x-": {}}, "additionalProperties": False}
    assert accepts(schema, {"a": 1, "x-b": 2})
    assert not accepts(schema, {"a": 1, "c": 2})
    assert not accepts({"additionalProperties": {"type": "string"}}, {"c": 2})


@pytest.mark.parametrize(
    ("items", "unique"),
    [
        ([1, True], True),
        ([1, 1.0], False),
        ([{"a": 1}, {"a": 1}], False),
        ([[1], [2]], True),
        (["1", 1], True),
    ],
)
def test_unique_items_are_told_apart_as_json_values(items: list[Any], unique: bool) -> None:
    assert accepts({"uniqueItems": True}, items) is unique


def test_a_definition_with_such_a_pattern_is_refused_with_its_place() -> None:
    source = (
        "id: a\nversion: 1.0.0\ninput: {properties: {x: {pattern: '(?=a)b'}}}\n"
        "startAt: A\nstates: {A: {type: succeed}}\n"
    )
    problems = load_definition(source).problems
    assert [(problem.code, problem.pointer) for problem in problems] == [
        ("bad-json-schema", "/input/properties/x/pattern")
    ]


def test_patterns_beside_unevaluated_properties_are_refused() -> None:
    schema = {"patternProperties": {"^a": {}}, "unevaluatedProperties": False}
    with pytest.raises(CompileProblem, match="unevaluatedProperties"):
        compile_contract(schema)


def test_the_pattern_of_a_contract_is_checked_when_it_is_compiled() -> None:
    with pytest.raises(CompileProblem, match="linear time"):
        compile_contract({"properties": {"a": {"pattern": "(?!a)"}}})
