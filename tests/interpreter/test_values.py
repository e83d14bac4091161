"""Typed equality, kinds and how values are shown."""

from typing import Any

import pytest
from hypothesis import given
from interpreter.json_values import documents, property_test
from stepwell_interpreter.values import (
    brief,
    comparable,
    counted,
    described,
    frozen,
    kind_of,
    recorded,
    same,
)


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        (1, 1.0, True),
        (True, 1, False),
        (0, False, False),
        (True, True, True),
        ("17", 17, False),
        ("a", "a", True),
        (None, None, True),
        (None, False, False),
        ([1, [2]], [1.0, [2]], True),
        ([1], [1, 2], False),
        ([1], [True], False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": 1}, {"b": 1}, False),
        ({"a": {"b": 0}}, {"a": {"b": False}}, False),
        ([], {}, False),
    ],
)
def test_equality_is_typed(left: Any, right: Any, equal: bool) -> None:
    assert same(left, right) is equal
    assert same(right, left) is equal
    assert (frozen(left) == frozen(right)) is equal


def test_equality_survives_any_depth() -> None:
    left: Any = []
    right: Any = []
    for _ in range(50_000):
        left, right = [left], [right]
    assert same(left, right)


@property_test
@given(documents)
def test_a_document_is_the_same_as_itself(document: Any) -> None:
    assert same(document, document)
    assert frozen(document) == frozen(document)


def test_a_stand_in_refuses_what_is_too_deep() -> None:
    value: Any = []
    for _ in range(101):
        value = {"a": value}
    with pytest.raises(RecursionError):
        frozen(value)


@pytest.mark.parametrize(
    ("value", "kind", "shown"),
    [
        (None, "null", "null"),
        (True, "boolean", "true, a boolean"),
        (17, "number", "17, a number"),
        (2.5, "number", "2.5, a number"),
        ("17", "text", "'17', a text"),
        ([1], "list", "[1 item], a list"),
        ({"a": 1, "b": 2}, "object", "{2 members}, an object"),
    ],
)
def test_a_value_is_described_with_its_kind(value: Any, kind: str, shown: str) -> None:
    assert kind_of(value) == kind
    assert described(value) == shown


def test_long_values_are_cut() -> None:
    assert brief("x" * 100) == "'" + "x" * 60 + "…'"
    assert brief(10**5_000).startswith("a whole number of 16610 bits")
    assert counted(2, "item") == "2 items"


@pytest.mark.parametrize("value", [1, None, True, 2.5, "short", [1, "a"], {"a": [1]}])
def test_small_values_are_recorded_whole(value: Any) -> None:
    assert recorded(value) is value


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("x" * 300, "x" * 256 + "… (300 characters)"),
        ([0] * 300, "[300 items], a list"),
        (["x" * 2_000], "[1 item], a list"),
        ([10**30], "[1 item], a list"),
    ],
)
def test_large_values_are_recorded_as_what_they_were(value: Any, kept: str) -> None:
    assert recorded(value) == kept


@pytest.mark.parametrize(
    ("left", "right", "ordered"), [(1, 2.5, True), ("a", "b", True), (1, "a", False), (True, 1, False)]
)
def test_only_two_numbers_or_two_texts_have_an_order(left: Any, right: Any, ordered: bool) -> None:
    assert comparable(left, right) is ordered
