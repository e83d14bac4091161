"""YAML as it is read here: JSON's values, no surprises, no bombs, every fault with its place."""

from typing import Any

import pytest
from stepwell_schemas.source_text import MAX_DEPTH, SyntaxFault
from stepwell_schemas.yaml_reader import read_yaml


def fault(text: str) -> SyntaxFault:
    with pytest.raises(SyntaxFault) as caught:
        read_yaml(text)
    return caught.value


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"),
        ("Yes", "Yes"),
        ("on", "on"),
        ("y", "y"),
        ("true", True),
        ("FALSE", False),
        ("1e3", 1000.0),
        ("-1.5E-2", -0.015),
        (".5", 0.5),
        ("2026-01-31", "2026-01-31"),
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("0123", 123),
        ("0o17", 15),
        ("0x1F", 31),
        ("~", None),
        ("null", None),
        ("", None),
        ("'no'", "no"),
        ('"1"', "1"),
        ("1.0.0", "1.0.0"),
        ("!!str 5", "5"),
        ("! 5", "5"),
        ("!!float 3", 3.0),
        ("|\n  no\n", "no\n"),
        ("=", "="),
        ("$.state.x", "$.state.x"),
    ],
)
def test_a_scalar_is_what_an_author_expects(written: str, value: Any) -> None:
    document, _, _ = read_yaml(f"key: {written}\n")
    assert document == {"key": value}
    assert type(document["key"]) is type(value)


@pytest.mark.parametrize("written", ["no", "ON", "0123", "1_000", "12:30", "0b11"])
def test_what_yaml_1_1_reads_otherwise_is_warned_of(written: str) -> None:
    _, _, (note,) = read_yaml(f"key: {written}\n")
    assert (note.code, note.severity, note.path) == ("yaml-1.1", "warning", ("key",))


@pytest.mark.parametrize("written", ["2026-01-31", "1e3"])
def test_what_is_likely_meant_so_is_only_remarked(written: str) -> None:
    _, _, (note,) = read_yaml(f"key: {written}\n")
    assert note.severity == "info"


@pytest.mark.parametrize("written", ["'no'", "true", "0", "10", "1.5", "text", "1.0e+3", "on: off"[:2] + "e"])
def test_plain_values_are_not_remarked(written: str) -> None:
    assert read_yaml(f"key: {written}\n")[2] == []


def test_keys_are_texts_whatever_they_look_like() -> None:
    assert read_yaml("on: 1\nno: 2\n2026-01-31: 3\n")[0] == {"on": 1, "no": 2, "2026-01-31": 3}


@pytest.mark.parametrize(
    "written", [".inf", "-.INF", ".nan", "1e999", "9" * 30, "-" + "9" * 5000, "0x" + "f" * 20]
)
def test_numbers_that_json_cannot_hold_are_refused(written: str) -> None:
    assert fault(f"key: {written}").code == "number-not-json"


def test_a_duplicate_key_is_refused_with_both_places() -> None:
    found = fault("a: 1\nb: 2\na: 3\n")
    assert (found.code, found.line, found.column) == ("duplicate-key", 3, 1)
    assert "line 1" in found.message


@pytest.mark.parametrize(
    "text", ["1: x", "true: x", "? [a]\n: x", "? {a: 1}\n: x", "~: x", "&a [x]: 1", "a: &x b\n? *x\n: 1"]
)
def test_a_key_that_is_no_text_is_refused(text: str) -> None:
    assert fault(text).code == "key-not-text"


def test_a_second_document_is_refused() -> None:
    found = fault("a: 1\n---\nb: 2\n")
    assert (found.code, found.line) == ("several-documents", 2)


@pytest.mark.parametrize("text", ["", "\n# nothing\n", "---\n", "~"])
def test_an_empty_document_is_told(text: str) -> None:
    assert fault(text).code == "empty-document"


def test_a_tab_as_indentation_is_explained() -> None:
    found = fault("a:\n\tb: 1\n")
    assert (found.code, found.line, found.column) == ("yaml-tab", 2, 1)


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system", "!!binary", "!!timestamp", "!!set", "!mine", "!!int"]
)
def test_tags_beyond_json_are_refused(tag: str) -> None:
    assert fault(f"a: {tag} x").code == "tag-not-allowed"
    assert fault(f"a: {tag} {{x: 1}}").code == "tag-not-allowed"


def test_syntax_errors_have_their_place() -> None:
    found = fault("a: 1\nb: [1, 2\nc: 3\n")
    assert (found.code, found.line) == ("yaml-syntax", 3)


def test_aliases_and_merges_are_written_out() -> None:
    text = "base: &base {a: 1, b: 2}\nother: &other {c: 3, b: 9}\nm: {<<: [*base, *other], a: 5}\nn: *base\n"
    document, _, _ = read_yaml(text)
    assert document["m"] == {"a": 5, "b": 2, "c": 3}
    assert document["n"] == {"a": 1, "b": 2}


def test_only_objects_are_merged() -> None:
    assert fault("a: {<<: 5}").code == "merge-not-object"


def test_an_alias_to_nothing_is_refused() -> None:
    assert fault("a: *nowhere").code == "unknown-anchor"


def test_an_alias_to_itself_is_refused() -> None:
    assert fault("a: &a {b: *a}").code == "endless-alias"


def test_a_billion_laughs_are_refused() -> None:
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 10)
    )
    assert fault(text).code == "too-many-values"


def test_a_large_text_is_not_multiplied_by_aliases() -> None:
    text = f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 1000)}]\n"
    assert fault(text).code == "too-large"


def test_depth_counts_what_aliases_bring_in() -> None:
    text = "a0: &a0 [x]\n" + "".join(f"a{level}: &a{level} [*a{level - 1}]\n" for level in range(1, 200))
    assert fault(text).code == "too-deep"


@pytest.mark.parametrize(
    "text", ["[" * 10_000, "{a: " * 10_000, "- " * 10_000, "".join(" " * i + "a:\n" for i in range(1200))]
)
def test_deep_nesting_is_refused_at_once(text: str) -> None:
    assert fault(text).code == "too-deep"


def test_the_allowed_depth_is_read() -> None:
    read_yaml("[" * MAX_DEPTH + "]" * MAX_DEPTH)


def test_too_many_values_are_refused() -> None:
    assert fault("[" + "1," * 60_000 + "]").code == "too-many-values"


def test_every_value_and_key_has_its_place() -> None:
    _, positions, _ = read_yaml("a:\n  b: [x, {c: 1}]\n")
    places = {path: (place.line, place.column) for path, place in positions.values.items()}
    assert places == {
        (): (1, 1),
        ("a",): (2, 3),
        ("a", "b"): (2, 6),
        ("a", "b", 0): (2, 7),
        ("a", "b", 1): (2, 10),
        ("a", "b", 1, "c"): (2, 14),
    }
    assert (positions.keys[("a", "b", 1, "c")].column, positions.keys[("a",)].line) == (11, 1)
