"""ASL paths: what they find, how they fail in AWS's words, and what ResultPath makes."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interpreter.asl_scopes import asl_scope, failure_of
from interpreter.json_values import documents, property_test
from stepwell_interpreter.asl.expressions import (
    AslSyntax,
    compile_input_path,
    compile_output_path,
    compile_path,
    compile_result_path,
    parse_timestamp,
    timestamp_text,
)
from stepwell_interpreter.asl.path_queries import MOST_STEPS
from stepwell_interpreter.failures import StateFailure

ORDER = {
    "id": 17,
    "gift": None,
    "lines": [
        {"sku": "a", "price": 10, "tags": ["new", "red"]},
        {"sku": "b", "price": 5.5, "tags": []},
        {"sku": "c", "price": "7"},
    ],
    "ship to": {"city": "Ulm"},
    "wanted": "b",
}


def found(text: str, data: Any = ORDER, variables: dict[str, Any] | None = None) -> Any:
    return compile_path(text, "InputPath")(asl_scope(data, variables))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$", ORDER),
        ("$.id", 17),
        ("$.gift", None),
        ("$['ship to'].city", "Ulm"),
        ('$["ship to"]["city"]', "Ulm"),
        ("$.lines[0].sku", "a"),
        ("$.lines[-1].sku", "c"),
        ("$.lines[0].tags[1]", "red"),
        ("$$.State.Name", "Price"),
        ("$$['State']['Name']", "Price"),
    ],
)
def test_a_definite_path_gives_the_value_it_leads_to(text: str, value: Any) -> None:
    assert found(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$.lines[*].sku", ["a", "b", "c"]),
        ("$.lines[0:2].sku", ["a", "b"]),
        ("$.lines[-2:].sku", ["b", "c"]),
        ("$.lines[:1].sku", ["a"]),
        ("$.lines[0,2].sku", ["a", "c"]),
        ("$.lines[0]['sku','price']", [{"sku": "a", "price": 10}]),
        ("$..sku", ["a", "b", "c"]),
        ("$.lines..tags[0]", ["new"]),
        ("$['ship to'].*", ["Ulm"]),
    ],
)
def test_an_indefinite_path_gives_a_list_in_document_order(text: str, value: list[Any]) -> None:
    assert found(text) == value


@pytest.mark.parametrize("text", ["$.no[*]", "$.no..x", "$.lines[?(@.sku=='z')]", "$.lines[5:]", "$.id[*].x"])
def test_an_indefinite_path_that_matches_nothing_gives_an_empty_list(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("condition", "skus"),
    [
        ("@.sku == 'b'", ["b"]),
        ("'b' == @.sku", ["b"]),
        ("@.sku != 'b'", ["a", "c"]),
        ("@.price > 6", ["a"]),
        ("@.price >= 5.5 && @.price < 10", ["b"]),
        ("@.sku == 'a' || @.sku == 'c'", ["a", "c"]),
        ("!(@.sku == 'a')", ["b", "c"]),
        ("@.tags", ["a", "b"]),
        ("!@.tags", ["c"]),
        ("@.missing == null", []),
        ("@.sku == $.wanted", ["b"]),
        ("@.sku in ['a','c']", ["a", "c"]),
        ("@.sku nin ['a','c']", ["b"]),
        ("@.tags contains 'red'", ["a"]),
        ("@.tags anyof ['red','blue']", ["a"]),
        ("@.tags noneof ['red']", ["b"]),
        ("@.tags subsetof ['red','new','x']", ["a", "b"]),
        ("@.tags size 2", ["a"]),
        ("@.tags empty true", ["b"]),
        ("@.sku =~ /[BC]/i", ["b", "c"]),
        ("@.tags[0] == 'new'", ["a"]),
        ("$$.State.Name == 'Price' && @.sku == 'c'", ["c"]),
        ("@.price == 7", ["c"]),
        ("@.price == 'x'", []),
        ("10 == @.price", ["a"]),
        ("@.sku contains 'b'", ["b"]),
        ("@.sku in []", []),
        ("@.tags[*] == 'new'", []),
        ("@.tags[*]", ["a"]),
        ("@.price =~ /7/", ["c"]),
        ("@.sku == /b/", ["b"]),
        ("'c' == 'c' && @.price == true", []),
    ],
)
def test_a_filter_keeps_what_its_condition_holds_for(condition: str, skus: list[str]) -> None:
    assert found(f"$.lines[?({condition})].sku") == skus


def test_a_filter_reads_a_text_as_a_number_beside_a_number_as_jsonpath_of_java_does() -> None:
    assert found("$.lines[?(7 == @.price)].sku") == ["c"]


def test_a_filter_on_an_object_tests_the_object_itself() -> None:
    assert found("$.a[?(@.n == 1)].m", {"a": {"n": 1, "m": 2}}) == [2]
    assert found("$.a[?(@.n == 2)].m", {"a": {"n": 1, "m": 2}}) == []


def test_a_filter_after_a_descent_finds_each_object_once() -> None:
    data = {"n": 1, "l": [{"n": 2, "o": {"n": 3}}, {"x": 1}, 4]}
    assert found("$..[?(@.n > 1)].n", data) == [2, 3]


def test_a_filter_compares_booleans_with_booleans_only() -> None:
    assert found("$.a[?(@.on == true)].n", {"a": [{"on": True, "n": 1}, {"on": 1, "n": 2}]}) == [1]


def test_a_variable_is_read_like_a_path() -> None:
    assert found("$order.lines[0]", variables={"order": {"lines": [4]}}) == 4


def test_a_backslash_protects_only_quotes_and_backslashes_in_a_quoted_name() -> None:
    assert found(r"$['it\'s']", {"it's": 1}) == 1
    assert found("$['a\\\"b']", {'a\\"b': 2}) == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("$.no", "No results for path: $['no']"),
        ("$.no.x", "Missing property in path $['no']"),
        ("$.lines[9].sku", "No results for path: $['lines'][9]['sku']"),
        ("$.lines.length()", "Property ['length()'] not found in path $['lines']"),
        ("$.id[0]", "Filter: [0] can only be applied to arrays. Current context is: 17"),
        ("$$.No", "No results for path: $['No']"),
    ],
)
def test_a_definite_path_that_leads_nowhere_fails_with_the_reason_of_jsonpath(text: str, reason: str) -> None:
    evaluate = compile_path(text, "InputPath")
    assert failure_of(evaluate, asl_scope(ORDER)) == ("States.Runtime", f"Invalid path '{text}' : {reason}")


@pytest.mark.parametrize(
    ("field", "cause"),
    [
        ("SecondsPath", "The SecondsPath parameter does not reference an input value: $.no"),
        ("TimestampPath", "The TimestampPath parameter does not reference an input value: $.no"),
        (
            "Variable",
            "Invalid path '$.no': The choice state's condition path references an invalid value.",
        ),
        (
            "x.$",
            "The JSONPath '$.no' specified for the field 'x.$' could not be found in the input '{\"a\":1}'",
        ),
    ],
)
def test_each_field_fails_in_its_own_words(field: str, cause: str) -> None:
    assert failure_of(compile_path("$.no", field), asl_scope({"a": 1})) == ("States.Runtime", cause)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b",
        "$.",
        "$.a[",
        "$.a[]",
        "$.a..",
        "$.a[?(@.b ==)]",
        "$.a[?(b == 1)]",
        "$x-y",
        "$.a b",
        "$.a[1",
        "@.a",
    ],
)
def test_a_text_that_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(AslSyntax):
        compile_path(text, "InputPath")


def test_an_intrinsic_function_is_taken_only_where_aws_takes_it() -> None:
    text = "States.Format('{}', $.id)"
    assert compile_path(text, "CausePath")(asl_scope(ORDER)) == "17"
    with pytest.raises(AslSyntax):
        compile_path(text, "InputPath")


def test_a_wildcard_after_a_scalar_finds_nothing() -> None:
    assert found("$.id.*") == []
    assert found("$.wanted[?(@.x)]") == []
    assert found("$.id['a','b']") == []


def test_a_filter_nests_only_so_deep() -> None:
    with pytest.raises(AslSyntax, match="nests at most"):
        compile_path("$.a[?(" + "(" * 50 + "@.b" + ")" * 50 + ")]", "InputPath")


def test_a_path_that_visits_too_much_is_stopped() -> None:
    data = {"a": [[0] * 1_000] * (MOST_STEPS // 1_000 + 1)}
    with pytest.raises(StateFailure) as caught:
        found("$..[*]", data)
    assert caught.value.error == "States.DataLimitExceeded"


def test_a_pattern_that_would_backtrack_for_ever_answers_at_once() -> None:
    assert found("$.a[?(@ =~ /(x+)+y/)]", {"a": ["x" * 50_000]}) == []


def test_null_for_a_path_gives_an_empty_object() -> None:
    assert compile_input_path(None)(asl_scope(ORDER)) == {}
    assert compile_output_path(None)(asl_scope(ORDER)) == {}


def combined(path: str | None, data: Any, result: Any) -> Any:
    return compile_result_path(path)(asl_scope(data), data, result)


@pytest.mark.parametrize(
    ("path", "data", "value"),
    [
        ("$", {"a": 1}, "R"),
        (None, {"a": 1}, {"a": 1}),
        ("$.r", {"a": 1}, {"a": 1, "r": "R"}),
        ("$.a", {"a": None}, {"a": "R"}),
        ("$.x.y.z", {"x": {"k": 1}}, {"x": {"k": 1, "y": {"z": "R"}}}),
        ("$['x y'].z", {}, {"x y": {"z": "R"}}),
        ("$.l[1].z", {"l": [1, {"k": 2}]}, {"l": [1, {"k": 2, "z": "R"}]}),
    ],
)
def test_a_result_path_writes_into_a_copy_and_makes_missing_parents(
    path: str | None, data: Any, value: Any
) -> None:
    before = copy.deepcopy(data)
    assert combined(path, data, "R") == value
    assert data == before


@pytest.mark.parametrize(
    ("path", "data"), [("$.a.b", {"a": 5}), ("$.l[3]", {"l": [1]}), ("$.a", "text"), ("$.a", [1])]
)
def test_a_result_path_that_does_not_fit_the_input_fails(path: str, data: Any) -> None:
    error, cause = failure_of(lambda scope: compile_result_path(path)(scope, data, 1), asl_scope(data))
    assert error == "States.ResultPathMatchFailure"
    assert cause.startswith(f"Unable to apply ReferencePath {path} to input ")


@pytest.mark.parametrize("path", ["$..a", "$.a[*]", "$$.a", "$x", "$.a[?(@.b)]", "$.a[0:1]", "$" + ".a" * 70])
def test_a_result_path_must_be_a_reference_path_into_the_data(path: str) -> None:
    with pytest.raises(AslSyntax):
        compile_result_path(path)


@given(documents, st.text(min_size=1, max_size=6), documents)
@property_test
def test_what_a_result_path_wrote_a_path_reads(data: Any, name: str, value: Any) -> None:
    quoted = name.replace("\\", "\\\\").replace("'", "\\'")
    document = {"kept": data}
    made = combined(f"$['{quoted}']", document, value)
    assert found(f"$['{quoted}']", made) == value
    assert name == "kept" or made["kept"] is data


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:00.123456789Z", 123),
        ("2016-03-14T01:59:00.5Z", 1_457_920_740_500),
        ("1969-12-31T23:59:59.999Z", -1),
        ("1970-01-01T00:00Z", 0),
    ],
)
def test_a_timestamp_is_a_date_a_time_and_an_offset(text: str, milliseconds: int) -> None:
    assert parse_timestamp(text) == milliseconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024-01-01",
        "2024-01-01T00:00:00",
        "2024-01-01 00:00:00Z",
        "2024-13-01T00:00:00Z",
        "2024-02-30T00:00:00Z",
        "2024-01-01T25:00:00Z",
        "2024-01-01T00:00:00+99:00",
        "01-01-2024T00:00:00Z",
        "2024-01-01T00:00:00Z ",
        "٢٠٢٤-01-01T00:00:00Z",
    ],
)
def test_anything_else_is_no_timestamp(text: str) -> None:
    assert parse_timestamp(text) is None


@given(st.integers(min_value=-60_000_000_000_000, max_value=250_000_000_000_000))
@property_test
def test_the_text_of_a_time_is_a_timestamp_of_it(milliseconds: int) -> None:
    assert parse_timestamp(timestamp_text(milliseconds)) == milliseconds
