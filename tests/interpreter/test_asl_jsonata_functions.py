"""The functions of JSONata that are our own: what they give, for nothing and for what does not fit."""

from typing import Any

import pytest
from interpreter.asl_scopes import asl_scope, failure_of
from stepwell_interpreter.asl.jsonata import compile_jsonata

UNDEFINED = "returned nothing (undefined)."


def value(expression: str, data: Any = None) -> Any:
    return compile_jsonata(f"{{% {expression} %}}", "Output")(asl_scope(data))


def problem(expression: str, data: Any = None) -> str:
    error, cause = failure_of(compile_jsonata(f"{{% {expression} %}}", "Output"), asl_scope(data))
    assert error == "States.QueryEvaluationError"
    return cause.partition(" specified for the field 'Output' ")[2].removeprefix(
        "threw an error during evaluation. "
    )


@pytest.mark.parametrize(
    "call",
    [
        "$partition($no, 2)",
        "$hash($no, 'MD5')",
        "$parse($no)",
        "$shuffle($no)",
        "$join($no)",
        "$pad($no, 2)",
        "$replace($no, 'a', 'b')",
        "$split($no, 'a')",
        "$sort($no)",
        "$number($no)",
        "$power($no, 2)",
        "$distinct($no)",
        "1 + $no",
        "-$no",
        "$no ~> |$|{}|",
        "[2..$no][0]",
        "[3..1][0]",
    ],
)
def test_of_nothing_comes_nothing(call: str) -> None:
    assert problem(call) == UNDEFINED


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("$partition([1], 0)", 'T0410: Argument 2 of function "partition" does not match function signature'),
        (
            "$partition([1], $no)",
            'T0410: Argument 2 of function "partition" does not match function signature',
        ),
        ("$range(1, 5, 0)", 'T0410: Argument 3 of function "range" does not match function signature'),
        ("$range(1, $no, 1)", 'T0410: Argument 2 of function "range" does not match function signature'),
        ("$hash('a', 'CRC')", "The algorithm of $hash must be one of MD5, SHA-1"),
        ("$replace('a', '', 'b')", "D3010: Second argument of replace function cannot be an empty string"),
        (
            "$replace('a', 'a', 'b', -1)",
            "D3011: Fourth argument of replace function must evaluate to a positive number",
        ),
        (
            "$replace('a', /a/, function($m) { 1 })",
            "D3012: Attempted to replace a matched string with a non-string value",
        ),
        ("$replace('a', /b*/, 'x')", "D1004: Regular expression matches zero length string"),
        (
            "$split('a', 'b', -1)",
            "D3020: Third argument of split function must evaluate to a positive number",
        ),
        ("$power(0, -1)", "D3061: The power function has resulted"),
        ("$sort([1, 'a'])", "D3070: The single argument form of the sort function"),
        (
            "[1].$uppercase()",
            'T0411: Context value is not a compatible type with argument 1 of function "uppercase"',
        ),
        ("-'a'", 'D1002: Cannot negate a non-numeric value: "a"'),
        ("['a'..2]", "T2003: The left side of the range operator (..) must evaluate to an integer"),
        ("[1..2.5]", "T2004: The right side of the range operator (..) must evaluate to an integer"),
        ("{1: 2}", "T1003: Key in object structure must evaluate to a string; got: 1"),
        ("9e307 * 10", "D1001: Number out of range: null"),
        ("5 % 0", "D1001: Number out of range: null"),
    ],
)
def test_what_does_not_fit_fails_with_a_code_and_a_reason(call: str, text: str) -> None:
    assert problem(call).startswith(text)


@pytest.mark.parametrize("text", [" ", "{", "[1,]", "nul"])
def test_a_text_that_is_not_json_is_not_parsed(text: str) -> None:
    assert problem(f"$parse('{text}')").startswith("$parse was given a text that is not JSON")


@pytest.mark.parametrize(
    ("call", "result"),
    [
        ("$pad('abc', 2)", "abc"),
        ("$pad('abc', $no)", "abc"),
        ("$shuffle([7])", [7]),
        ("$sort([7])", [7]),
        ("$sort(['b', 'a'])", ["a", "b"]),
        ("$distinct(7)", 7),
        ("$distinct($states.input.numbers)", [1, 2]),
        ("$number(false)", 0),
        ("$number(7.5)", 7.5),
        ("$number('-1.5e3')", -1500),
        ("$number('0b101')", 5),
        ("$replace('ab', /(a)(b)?/, '$2$1$9$12')", "baa2"),
        ("$replace('price', 'i', '$0')", "pr$0ce"),
        ("$replace('aXbX', 'X', '', 1)", "abX"),
        ("$split('abc', '')", ["a", "b", "c"]),
        ("$split('a,b,c', ',', 2)", ["a", "b"]),
        ("$count($split('', ','))", 1),
        ("$range(1, 2, 0.5)", [1, 1.5, 2]),
        ("$map(['1', '2'], $number)", [1, 2]),
        ("$partition(?, 2)([1, 2, 3])", [[1, 2], [3]]),
        ("$states.input.**.deep", 1),
        ("$count($states.input.*)", 4),
        ("[$states.input.numbers[0]][]", [1]),
        ("($states.input.numbers)[0]", 1),
        ("$states.input.(numbers){'n': $count($)}", {"n": 3}),
        ("($states.input.numbers){'n': $count($)}", {"n": 3}),
        ("$no in [1]", False),
        ("$no = 1", False),
        ("1 in 1", True),
        ("- 5", -5),
        ("$states.input.nested.%.numbers[0]", 1),
    ],
)
def test_a_call_gives_what_jsonata_gives(call: str, result: Any) -> None:
    assert value(call, {"numbers": [1, 2, 1], "nested": {"deep": 1}}) == result


def test_a_variable_may_hide_a_function() -> None:
    evaluate = compile_jsonata("{% $count %}", "Output")
    scope = asl_scope({})
    scope.variables = lambda: {"count": 3}
    assert evaluate(scope) == 3


def test_whole_numbers_beyond_64_bits_become_floats() -> None:
    assert value("$states.input.n + 0", {"n": 10**30}) == 1e30
    assert value("[$states.input.n][0]", {"n": 2**70}) == float(2**70)
