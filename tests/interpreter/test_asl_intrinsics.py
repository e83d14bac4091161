"""The intrinsic functions: values, escapes, nesting, failures."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interpreter.asl_scopes import asl_scope, failure_of
from interpreter.json_values import documents, property_test
from stepwell_interpreter.asl.expressions import AslSyntax, compile_path, intrinsic_or_path

DATA = {"name": "Ada", "n": 7, "list": [1, 2, 3, 4, 5], "object": {"k": [1, None]}, "text": "a.b-c..d"}


def call(text: str, data: Any = DATA, seed: str = "seed") -> Any:
    return compile_path(text, "x.$")(asl_scope(data, {"who": "Bob"}, seed=seed))


def problem(text: str, data: Any = DATA) -> str:
    error, cause = failure_of(compile_path(text, "x.$"), asl_scope(data))
    assert error == "States.IntrinsicFailure"
    assert cause.startswith("The function '")
    return cause.partition(" had the following error: ")[2]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("States.Format('Hello {}, {} of {}', $.name, $.n, $who)", "Hello Ada, 7 of Bob"),
        ("States.Format('{} {} {}', null, true, 1.5)", "null true 1.5"),
        ("States.Format('{}', $.object)", '{"k":[1,null]}'),
        (r"States.Format('\{\}\'\\ {}', $.n)", "{}'\\ 7"),
        ("States.Format($.template, 1)", "<1>"),
        ("States.StringToJson('[1, 2]')", [1, 2]),
        ("States.StringToJson('')", None),
        ("States.StringToJson(' ')", None),
        ("States.JsonToString($.object)", '{"k":[1,null]}'),
        ("States.Array()", []),
        ("States.Array(1, 'x', -2.5, true, null, $.n)", [1, "x", -2.5, True, None, 7]),
        ("States.ArrayPartition($.list, 2)", [[1, 2], [3, 4], [5]]),
        ("States.ArrayPartition($.list, 9)", [[1, 2, 3, 4, 5]]),
        ("States.ArrayContains($.list, 3)", True),
        ("States.ArrayContains($.list, '3')", False),
        ("States.ArrayContains(States.Array(1), true)", False),
        ("States.ArrayRange(1, 9, 3)", [1, 4, 7]),
        ("States.ArrayRange(9, 1, -4)", [9, 5, 1]),
        ("States.ArrayRange(1, 9, -2)", []),
        ("States.ArrayGetItem($.list, 4)", 5),
        ("States.ArrayLength($.list)", 5),
        (
            "States.ArrayUnique(States.Array(1, '1', 1, true, 1.0, $.object, $.object))",
            [1, "1", True, {"k": [1, None]}],
        ),
        ("States.Base64Encode('Grüße')", "R3LDvMOfZQ=="),
        ("States.Base64Decode('R3LDvMOfZQ==')", "Grüße"),
        ("States.Base64Decode(' R3LD vMOfZQ')", "Grüße"),
        ("States.Base64Decode('')", ""),
        ("States.Base64Decode('YWJjZ')", "abc"),
        ("States.Hash('hello', 'MD5')", "5d41402abc4b2a76b9719d911017c592"),
        ("States.Hash('hello', 'SHA-1')", "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"),
        ('States.JsonMerge($.object, States.StringToJson(\'{"k":1,"m":2}\'), false)', {"k": 1, "m": 2}),
        ("States.MathAdd(111, -1)", 110),
        ("States.MathAdd(0.5, -0.5)", 1),
        ("States.MathAdd(-1.51, 0)", -2),
        ("States.StringSplit($.text, '.-')", ["a", "b", "c", "d"]),
        ("States.StringSplit('', ',')", []),
        ("States.StringSplit('a,b', '')", ["a,b"]),
        ("States.ArrayGetItem(States.StringSplit($.text, '.'), States.MathAdd(1, 0))", "b-c"),
    ],
)
def test_a_function_gives_what_aws_gives(text: str, value: Any) -> None:
    result = call(text, {**DATA, "template": "<{}>"})
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("States.Format('{} {}', 1)", "2 occurrences"),
        ("States.Format(1)", "must be a string"),
        ("States.Format()", "a template"),
        ("States.StringToJson('{')", "not JSON"),
        ("States.ArrayPartition($.list, 0)", "must be positive"),
        ("States.ArrayPartition($.n, 1)", "must be an array"),
        ("States.ArrayRange(1, 5, 0)", "must not be zero"),
        ("States.ArrayRange(0, 1e15, 1)", "at most 1000 items"),
        ("States.ArrayGetItem($.list, 5)", "outside of the array"),
        ("States.ArrayGetItem($.list, -1)", "outside of the array"),
        ("States.Hash('x', 'CRC')", "algorithm must be one of"),
        ("States.JsonMerge($.object, $.object, true)", "shallow"),
        ("States.JsonMerge($.object, 1, false)", "must be an object"),
        ("States.MathAdd('1', 2)", "must be a number"),
        ("States.MathAdd(true, 2)", "must be a number"),
        ("States.MathAdd(1)", "2 arguments are needed"),
        ("States.MathRandom(5, 5)", "must be below"),
        ("States.Base64Encode($.long)", "10000 characters"),
        ("States.UUID(1)", "0 arguments are needed"),
        ("States.MathRandom(1)", "2 or 3 arguments"),
        ("States.Hash($.long, 'MD5')", "10000 characters"),
        ("States.Format('{}{}', $.longest, 1)", "more than 1048576 characters"),
        ("States.ArrayUnique($.deep)", "nested deeper"),
    ],
)
def test_arguments_that_do_not_fit_fail_and_say_why(text: str, says: str) -> None:
    assert says in problem(text, {**DATA, "long": "x" * 10_001, "longest": "x" * 2**20, "deep": _nested(200)})


def _nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def test_a_path_that_finds_nothing_names_the_call_it_stands_in() -> None:
    evaluate = compile_path("States.Array(States.MathAdd($.no, 1))", "x.$")
    error, cause = failure_of(evaluate, asl_scope({"a": 1}))
    assert error == "States.Runtime"
    assert cause == (
        "The function 'States.MathAdd($.no, 1)' had the following error: The JsonPath argument for the field "
        "'$.no' could not be found in the input '{\"a\":1}'"
    )


@pytest.mark.parametrize(
    "text",
    [
        r"States.Format('a\n')",
        r"States.Format('a\"')",
        "States.Format('open",
        "States.Format('a'",
        "States.Format('a') x",
        "States.Format(a)",
        "States.Format('a',)",
        "States.Nothing()",
        "States.format('a')",
        "States.Format",
        'States.Format("a")',
        "States.Array($.)",
    ],
)
def test_a_malformed_call_is_refused_when_it_is_compiled(text: str) -> None:
    with pytest.raises(AslSyntax):
        compile_path(text, "x.$")


@pytest.mark.parametrize(
    "text",
    [f"States.Array({','.join('1' * 101)})", f"States.Array('{'x' * 10_000}')"],
    ids=["arguments", "letters"],
)
def test_a_call_that_is_too_long_is_refused(text: str) -> None:
    with pytest.raises(AslSyntax, match="at most"):
        compile_path(text, "x.$")


def test_calls_nest_ten_deep_and_no_deeper() -> None:
    assert call("States.Array(" * 10 + "1" + ")" * 10) == [[[[[[[[[[1]]]]]]]]]]
    with pytest.raises(AslSyntax, match="nests deeper"):
        compile_path("States.Array(" * 11 + "1" + ")" * 11, "x.$")


def test_chance_is_the_same_for_the_same_seed_and_differs_within_a_scope() -> None:
    text = "States.Array(States.UUID(), States.UUID(), States.MathRandom(0, 1000000))"
    first, again, other = call(text), call(text), call(text, seed="other")
    assert first == again
    assert first != other
    assert first[0] != first[1]
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", first[0])


def test_a_seed_makes_a_random_number_the_same_in_every_scope() -> None:
    text = "States.MathRandom(0, 1000000, 42)"
    assert call(text, seed="a") == call(text, seed="b")


@given(st.integers(-1000, 1000), st.integers(1, 1000), st.text(max_size=5))
@property_test
def test_a_random_number_is_within_its_range(start: int, width: int, seed: str) -> None:
    assert start <= call(f"States.MathRandom({start}, {start + width})", seed=seed) < start + width


@given(documents)
@property_test
def test_a_value_survives_being_written_as_text(value: Any) -> None:
    text = call("States.JsonToString($.v)", {"v": value})
    if (
        "Infinity" not in str(value)
        and "inf" not in str(value)
        and all(abs(n) < 2**63 for n in _integers(value))
    ):
        assert call("States.StringToJson($.t)", {"t": text}) == value


def _integers(value: Any) -> list[int]:
    if isinstance(value, dict):
        return [number for inner in value.values() for number in _integers(inner)]
    if isinstance(value, list):
        return [number for inner in value for number in _integers(inner)]
    return [value] if isinstance(value, int) else []


@given(st.text(max_size=40))
@property_test
def test_base64_gives_back_what_went_in(text: str) -> None:
    assert call("States.Base64Decode(States.Base64Encode($.t))", {"t": text}) == text


def test_a_text_is_told_to_be_a_call_or_a_path_by_its_beginning() -> None:
    assert intrinsic_or_path("States.UUID()") == "intrinsic"
    assert intrinsic_or_path("$.States.UUID") == "path"
