"""Strict JSON with positions: the same values as Python's reader, and what it lets pass refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stepwell_schemas.json_reader import read_json
from stepwell_schemas.source_text import SyntaxFault

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


@given(JSON, st.sampled_from([None, 1, 4]), st.booleans())
def test_json_reads_as_python_reads_it(value: Any, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    document, positions = read_json(text)
    assert document == value
    assert positions.values[()].line == 1


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"a": 1,}', (1, 9)),
        ("{a: 1}", (1, 2)),
        ('{"a" 1}', (1, 6)),
        ('{"a":\n NaN}', (2, 2)),
        ("[1 2]", (1, 4)),
        ("[1,\n\n", (3, 1)),
        ('{"a": 01}', (1, 8)),
        ('{"a": "x', (1, 7)),
        ('{"a": "\\x"}', (1, 8)),
        ('{"a": "\\ud800"}', (1, 7)),
        ("[1] x", (1, 5)),
        ("[+1]", (1, 2)),
        ("// hi\n{}", (1, 1)),
    ],
)
def test_a_syntax_error_has_its_place(text: str, place: tuple[int, int]) -> None:
    with pytest.raises(SyntaxFault) as caught:
        read_json(text)
    assert caught.value.code == "json-syntax"
    assert (caught.value.line, caught.value.column) == place


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"a": 1, "a": 2}', "duplicate-key"),
        ("1e999", "number-not-json"),
        ("9" * 5000, "number-not-json"),
        ("[" * 10_000, "too-deep"),
        ('{"a":' * 10_000, "too-deep"),
        ("[" + "1," * 60_000 + "1]", "too-many-values"),
        (" \n", "empty-document"),
    ],
)
def test_what_no_document_may_have_is_refused(text: str, code: str) -> None:
    with pytest.raises(SyntaxFault) as caught:
        read_json(text)
    assert caught.value.code == code


def test_values_and_keys_have_their_places() -> None:
    _, positions = read_json('{\n  "a": [1,\n    {"b": true}]\n}')
    assert (positions.values[("a", 1, "b")].line, positions.values[("a", 1, "b")].column) == (3, 11)
    assert (positions.keys[("a",)].line, positions.keys[("a",)].column) == (2, 3)
    assert (positions.values[()].line, positions.values[()].column) == (1, 1)
