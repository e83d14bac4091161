"""How values are written into causes, and what they are called."""

from types import MappingProxyType

from stepwell_interpreter.asl.values import (
    LONGEST_SHOWN,
    is_number,
    is_whole,
    json_text,
    kind_of,
    shown,
    without_fraction,
)


def test_a_value_is_written_as_compact_json() -> None:
    assert json_text({"a": [1, None, True, "ü"]}) == '{"a":[1,null,true,"ü"]}'
    assert json_text(MappingProxyType({"a": MappingProxyType({"b": 1})})) == '{"a":{"b":1}}'


def test_what_is_no_json_is_written_in_some_way() -> None:
    assert json_text(10**30) == "1" + "0" * 30
    assert json_text({"x": object}).startswith("{'x': ")


def test_a_long_value_is_cut() -> None:
    assert shown("x" * 10) == '"xxxxxxxxxx"'
    assert len(shown("x" * 10 * LONGEST_SHOWN)) == LONGEST_SHOWN + 3


def test_every_kind_has_aws_s_word() -> None:
    values = ["", True, 1, 1.5, [], {}, None, MappingProxyType({}), ()]
    words = ["string", "boolean", "number", "number", "array", "object", "null", "object", "array"]
    assert [kind_of(value) for value in values] == words


def test_numbers_are_told_from_booleans_and_whole_ones_from_others() -> None:
    assert [is_number(value) for value in (1, 1.5, True, "1")] == [True, True, False, False]
    assert [is_whole(value) for value in (1, 2.0, 1.5, False)] == [True, True, False, False]
    assert type(without_fraction(2.0)) is int
    assert without_fraction(2.5) == 2.5
