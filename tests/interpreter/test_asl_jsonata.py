"""JSONata as Step Functions offers it: values, AWS's own functions, failures, and the bounds of an evaluation."""

import copy
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from interpreter.asl_scopes import asl_scope, failure_of
from interpreter.json_values import documents, property_test
from stepwell_interpreter.asl.expressions import AslSyntax
from stepwell_interpreter.asl.jsonata import compile_jsonata

ORDER = {
    "id": 17,
    "gift": None,
    "lines": [{"sku": "a", "price": 10, "n": 2}, {"sku": "b", "price": 5.5, "n": 1}],
    "empty": [],
    "one": [5],
}


def value(
    expression: str, data: Any = ORDER, variables: dict[str, Any] | None = None, seed: str = "s"
) -> Any:
    return compile_jsonata(f"{{% {expression} %}}", "Output")(asl_scope(data, variables, seed=seed))


def problem(expression: str, data: Any = ORDER) -> str:
    error, cause = failure_of(compile_jsonata(f"{{% {expression} %}}", "Output"), asl_scope(data))
    assert error == "States.QueryEvaluationError"
    beginning = f"The JSONata expression '{expression}' specified for the field 'Output' "
    assert cause.startswith(beginning)
    return cause.removeprefix(beginning)


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("$states.input.id", 17),
        ("$states.input.gift", None),
        ("$states.input.gift = null", True),
        ("$exists($states.input.gift)", True),
        ("$exists($states.input.no)", False),
        ("$states.input.empty", []),
        ("$states.input.one", [5]),
        ("$states.input.lines.sku", ["a", "b"]),
        ("$states.input.lines[sku = 'b']", {"sku": "b", "price": 5.5, "n": 1}),
        ("$states.input.lines[sku = 'b'][]", [{"sku": "b", "price": 5.5, "n": 1}]),
        ("$states.input.lines[-1].price", 5.5),
        ("$sum($states.input.lines.(price * n))", 25.5),
        ("$states.input.lines{sku: price}", {"a": 10, "b": 5.5}),
        ("$states.input.lines^(price).sku", ["b", "a"]),
        ("$states.input.lines#$i.{'i': $i, 'sku': sku}", [{"i": 0, "sku": "a"}, {"i": 1, "sku": "b"}]),
        ("$states.context.State.Name", "Price"),
        ("$states.context.State.Name & '!'", "Price!"),
        ("$merge([$states.input.lines[0], {'n': 9}])", {"sku": "a", "price": 10, "n": 9}),
        ("$map([1, 2], function($v, $i) { $v * $i })", [0, 2]),
        ("$reduce([1, 2, 3], function($a, $b) { $a + $b })", 6),
        ("$filter([1, 2, 3], function($v) { $v > 1 })", [2, 3]),
        ("$sort([3, 1, 2])", [1, 2, 3]),
        ("$sort(['b', 'a'], function($l, $r) { $l > $r })", ["a", "b"]),
        ("$distinct([1, true, 1, 1.0, '1'])", [1, True, "1"]),
        ("5.5 % 2", 1.5),
        ("-5 % 3", -2),
        ("4 / 2", 2),
        ("0.1 + 0.2", 0.30000000000000004),
        ("1 in [true]", False),
        ("1 = 1.0", True),
        ("[1..3]", [1, 2, 3]),
        ("($f := function($n) { $n <= 1 ? 1 : $n * $f($n - 1) }; $f(6))", 720),
        ("'a-b' ~> $substringBefore('-')", "a"),
        ("$substringBefore(?, '-')('a-b')", "a"),
        ("$replace('abcab', /a(b)/, '<$1$$>')", "<b$>c<b$>"),
        ("$replace('aaa', 'a', 'b', 2)", "bba"),
        ("$replace('ab', /[ab]/, function($m) { $uppercase($m.match) })", "AB"),
        ("$split('a, b,c', /, */)", ["a", "b", "c"]),
        ("$match('a1b22', /[0-9]+/).match", ["1", "22"]),
        ("$contains('abc', /B/i)", True),
        ("$pad('x', -3, '#')", "##x"),
        ("$join(['a', 'b'], '-')", "a-b"),
        ("$number('12.50')", 12.5),
        ("$string({'a': null, 'b': [1, 2.5]})", '{"a":null,"b":[1,2.5]}'),
        ("'\\ud83d\\ude00'", "😀"),
        ("{'kept': 1, 'dropped': $nothing}", {"kept": 1}),
        ("null", None),
        ("$now()", "2023-11-14T22:13:20.000Z"),
        ("$millis()", 1_700_000_000_000),
    ],
)
def test_an_expression_gives_plain_json(expression: str, result: Any) -> None:
    got = value(expression)
    assert got == result
    assert type(got) is type(result)


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("$partition([1, 2, 3, 4, 5], 2)", [[1, 2], [3, 4], [5]]),
        ("$range(0, 10, 3)", [0, 3, 6, 9]),
        ("$range(5, 1, -2)", [5, 3, 1]),
        ("$range(7, 7, 1)", 7),
        ("$hash('hello', 'MD5')", "5d41402abc4b2a76b9719d911017c592"),
        ("$hash('hello', 'SHA-1')", "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"),
        ("$parse('{\"a\": [1, null]}')", {"a": [1, None]}),
        ("$parse('{\"a\": null}').a", None),
    ],
)
def test_the_functions_of_step_functions_are_there(expression: str, result: Any) -> None:
    assert value(expression) == result


def test_chance_is_the_same_for_the_same_seed() -> None:
    expression = "[$random(), $random(), $uuid(), $shuffle([1..20])]"
    assert value(expression) == value(expression)
    assert value(expression) != value(expression, seed="other")
    first, second = value("[$random(), $random()]")
    assert 0 <= first < 1
    assert first != second
    assert value("$random(4)", seed="a") == value("$random(4)", seed="b")
    assert sorted(value("$shuffle([1..20])")) == list(range(1, 21))


def test_variables_and_the_result_of_a_state_are_seen() -> None:
    assert value("$a.b + $c", variables={"a": {"b": 1}, "c": 2}) == 3
    evaluate = compile_jsonata("{% $states.result.x %}", "Output")
    assert evaluate(asl_scope({}, result={"x": None})) is None
    evaluate = compile_jsonata("{% $states %}", "Output")
    assert set(evaluate(asl_scope({}, error={"Error": "E"}))) == {"input", "context", "errorOutput"}


@pytest.mark.parametrize(
    "expression", ["$nothing", "$states.input.no", "$states.result", "$states.input.id.x", "$sum($no)"]
)
def test_nothing_at_all_is_a_failure(expression: str) -> None:
    assert problem(expression) == "returned nothing (undefined)."


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("$sum('a')", 'T0412: Argument 1 of function "sum" must be an array of "numbers"'),
        ("$abs('a')", 'T0410: Argument 1 of function "abs" does not match function signature'),
        ("$uppercase(null)", 'T0410: Argument 1 of function "uppercase" does not match function signature'),
        ("$range('0', 4, 1)", 'T0410: Argument 1 of function "range" does not match function signature'),
        ("'x' + 1", 'T2001: The left side of the "+" operator must evaluate to a number'),
        ("1 + true", 'T2002: The right side of the "+" operator must evaluate to a number'),
        ("$number('x')", 'D3030: Unable to cast value to a number: "x"'),
        ("$nofunction(1)", "T1006: Attempted to invoke a non-function"),
        ("$eval('1')", "T1006: Attempted to invoke a non-function"),
        ("($x := null; $x(1))", "T1006: Attempted to invoke a non-function"),
        ("1 / 0", "D1001: Number out of range: null"),
        ("$error('no stock')", "D3137: no stock"),
    ],
)
def test_an_expression_that_throws_fails_with_the_words_of_jsonata(expression: str, text: str) -> None:
    assert problem(expression) == f"threw an error during evaluation. {text}"


@pytest.mark.parametrize("expression", ["function($x) { $x }", "$sum", "{'f': $sum}"])
def test_a_function_is_no_result(expression: str) -> None:
    assert problem(expression) == "returned an unsupported result type: a function"


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("1 +", "Unexpected end of expression"),
        ("a[1,2)", 'Expected "]", got ","'),
        ("'open", "String literal must be terminated by a matching quote"),
        ("{'a':}", 'The symbol "}" cannot be used as a unary operator'),
        ("$match('a', /abc", "No terminating / in regular expression"),
        ("'it\\'s'", 'Unsupported escape sequence: \\"\'"'),
        ("name", "Reference to 'name' at the top level is not supported."),
        ("$sum(prices)", "Reference to 'prices' at the top level is not supported."),
        ("$match('a', /(?=x)/)", "The regular expression /(?=x)/ is not supported"),
        ("", "Unexpected end of expression"),
    ],
)
def test_a_malformed_expression_is_refused_with_the_words_of_the_parser(
    expression: str, message: str
) -> None:
    with pytest.raises(AslSyntax) as caught:
        compile_jsonata(f"{{% {expression} %}}", "Output")
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize("expression", ["(" * 200 + "1" + ")" * 200, "1" + "+1" * 20_000, "-" * 9_000 + "1"])
def test_an_expression_that_would_exhaust_the_parser_is_refused(expression: str) -> None:
    with pytest.raises(AslSyntax):
        compile_jsonata(f"{{% {expression} %}}", "Output")


@pytest.mark.parametrize(
    "expression",
    [
        "($f := function($n) { $f($n + 1) }; $f(1))",
        "($f := function($n) { 1 + $f($n + 1) }; $f(1))",
        "($f := function($s, $n) { $n = 0 ? $s : $f($s & $s, $n - 1) }; $f('aaaaaaaaaa', 40))",
        "($f := function($s, $n) { $n = 0 ? $s : $f({'a': $s, 'b': $s}, $n - 1) }; $string($f(1, 60)))",
        "($f := function($s, $n) { $n = 0 ? $s : $f([[$s], [$s]], $n - 1) }; $f(1, 60) = $f(1, 60))",
        "$pad('a', 1000000000)",
        "[1..10000000]",
        "$range(1, 1000000000, 1)",
        "[1..100000].([1..100000])",
        "$join([1..1000].$pad('x', 100000))",
        "$replace($pad('a', 100000, 'a'), 'a', $pad('b', 100000, 'b'))",
        "$replace($pad('a', 100000, 'a'), /a/, $pad('b', 100000, 'b'))",
        "$power(10, 400)",
        "$map([1..100000], function($v) { $count([1..100000]) })",
        "$formatBase(1, 99)",
        "$toMillis('never')",
    ],
)
@pytest.mark.laborious
def test_a_hostile_expression_is_stopped(expression: str) -> None:
    assert problem(expression).startswith("threw an error during evaluation")


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|a)*b", "(a*)*b", "a*a*a*a*a*b"])
def test_no_regular_expression_can_backtrack_for_ever(pattern: str) -> None:
    assert value(f"$contains($pad('a', 20000, 'a'), /{pattern}/)") is False


@pytest.mark.laborious
def test_the_same_work_is_stopped_at_the_same_place() -> None:
    assert value("$count([1..90000].($ + 1))") == 90_000
    failing = "$sum([1..100000].($ + 1 + 1 + 1 + 1 + 1))"
    assert problem(failing) == problem(failing)


@pytest.mark.parametrize(
    "expression",
    [
        "$states.input.empty{'x': $}",
        "$states.input ~> |$|{'id': 1}|",
        "$append($states.input.lines, 1)",
        "$states.input.*",
    ],
)
def test_no_expression_changes_the_data_of_the_workflow(expression: str) -> None:
    data = copy.deepcopy(ORDER)
    value(expression, data)
    assert data == ORDER


def test_threads_do_not_disturb_each_other() -> None:
    evaluate = compile_jsonata("{% $sum($map($states.input, function($v) { $v * $k })) %}", "Output")

    def one(number: int) -> bool:
        return bool(evaluate(asl_scope([1, 2, 3], {"k": number})) == 6 * number)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(one, range(200)))


@given(documents)
@property_test
def test_a_document_passes_through_unchanged(document: Any) -> None:
    if not _exotic(document):
        assert value("$states.input", document) == document
        assert value("$v", None, {"v": document}) == document


def _exotic(document: Any) -> bool:
    """Numbers that JSON in JavaScript does not have."""
    if isinstance(document, dict):
        return any(map(_exotic, document.values()))
    if isinstance(document, list):
        return any(map(_exotic, document))
    return isinstance(document, int | float) and not -(2**53) <= document <= 2**53


def test_how_deep_an_expression_gets_does_not_depend_on_who_calls_it() -> None:
    deep = "($f := function($n) {$reduce([1, 2], function($a, $b) {$f($n - 1)})}; $f(1))"

    def told(frames: int) -> str:
        return told(frames - 1) if frames else problem(deep)

    assert told(0) == told(2_000)
    assert "Stack overflow. Check for non-terminating recursive function" in told(0)
