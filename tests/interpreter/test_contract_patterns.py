"""Contracts refuse patterns that cannot be matched in linear time when they are compiled."""

from typing import Any

import pytest
from stepwell_interpreter.contracts import compile_contract
from stepwell_interpreter.failures import CompileProblem


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        ({"properties": {"a": {"pattern": "(?!a)"}}}, "/properties/a/pattern"),
        ({"items": [{"patternProperties": {"(a)\\1": {}}}]}, "/items/0/patternProperties"),
        ({"$defs": {"x": {"anyOf": [{"pattern": "("}]}}}, "/$defs/x/anyOf/0/pattern"),
    ],
)
def test_a_pattern_is_refused_with_its_place(schema: dict[str, Any], pointer: str) -> None:
    with pytest.raises(CompileProblem) as raised:
        compile_contract(schema)
    assert raised.value.code in ("schema-pattern", "invalid-schema")
    assert raised.value.code == "invalid-schema" or raised.value.pointer == pointer


def test_patterns_beside_unevaluated_properties_are_refused() -> None:
    with pytest.raises(CompileProblem, match="unevaluatedProperties"):
        compile_contract({"patternProperties": {"^a": {}}, "unevaluatedProperties": False})


def test_a_property_named_pattern_is_no_pattern() -> None:
    contract = compile_contract({"properties": {"pattern": {"type": "string"}}, "const": {"pattern": "("}})
    assert contract is not None


def test_a_good_pattern_decides() -> None:
    contract = compile_contract({"properties": {"a": {"pattern": "^x+$"}}})
    assert contract is not None
    assert contract.problem({"a": "xx"}) is None
    assert contract.problem({"a": "y"}) == ("'y' does not match '^x+$'", "/a")
