"""Bounds that a value, a schema or a look-up keeps, seen from the parts themselves."""

from typing import Any

import pytest
from stepwell_interpreter.compile import AnyActivity
from stepwell_interpreter.contracts import compile_contract
from stepwell_interpreter.extent import MOST_CHARACTERS, within_extent
from stepwell_interpreter.failures import CompileProblem, StateFailure
from stepwell_interpreter.simulation.simulate import simulate


def test_a_value_whose_parts_repeat_is_refused_before_it_is_written_out() -> None:
    text = "x" * 1_000_000
    value: Any = [text] * (MOST_CHARACTERS // 1_000_000 + 1)
    with pytest.raises(StateFailure, match="parts that repeat"):
        within_extent(value)
    assert within_extent({"a": [text]}) == {"a": [text]}


def test_where_any_activity_exists_none_can_be_listed() -> None:
    every = AnyActivity()
    assert every["anything"].name == "anything"
    assert (list(every), len(every)) == ([], 0)


def test_a_value_that_a_schema_cannot_judge_within_bounds_is_refused() -> None:
    twice = {"properties": {"c": {"allOf": [{"$ref": "#/$defs/n"}] * 2}}}
    contract = compile_contract({"$ref": "#/$defs/n", "$defs": {"n": twice}})
    assert contract is not None
    value: dict[str, Any] = {}
    for _ in range(60):
        value = {"c": value}
    found = contract.problem(value)
    assert found is not None
    assert found[1] == ""


def test_a_reference_into_data_is_refused() -> None:
    with pytest.raises(CompileProblem, match="leads into data"):
        compile_contract({"const": {"type": "string"}, "properties": {"a": {"$ref": "#/const"}}})


def test_every_look_at_the_system_in_one_decision_tells_the_same_moment() -> None:
    source = {
        "id": "a",
        "version": "1.0.0",
        "startAt": "A",
        "states": {
            "A": {"type": "pass", "set": {"$.state.a": "$.system.now"}, "next": "B"},
            "B": {"type": "pass", "set": {"$.state.b": "$.system.now"}, "next": "C"},
            "C": {"type": "succeed"},
        },
    }
    done = simulate(source, {})
    assert done.state["a"] == done.state["b"]
