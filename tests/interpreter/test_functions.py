"""Every function: what it gives, what it refuses, and that it is total."""

import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interpreter.json_values import documents, property_test
from stepwell_interpreter.failures import CompileProblem, StateFailure
from stepwell_interpreter.function_arguments import LARGEST, LONGEST_LIST, LONGEST_TEXT
from stepwell_interpreter.functions import Function, functions
from stepwell_interpreter.scope import Scope
from stepwell_interpreter.templates import compile_template

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
HALF = "\ud800"


def called(name: str, *arguments: Any, scope: Scope | None = None) -> Any:
    """The result with arguments that are only known at run time."""
    return functions()[name].call(list(arguments), scope or Scope(seed="seed"))


@pytest.mark.parametrize(
    ("name", "arguments", "result"),
    [
        ("$format", ["Device {} has {}", "d", 2], "Device d has 2"),
        ("$format", ["{} {} {} {}", None, True, [1, "a"], {"k": 1}], 'null true [1,"a"] {"k":1}'),
        ("$format", [r"\{\} \\ \n {}", 1], r"{} \ \n 1"),
        ("$format", ["plain"], "plain"),
        ("$concat", ["a", 1, True, 2.5], "a1true2.5"),
        ("$concat", [["a", "b"]], "ab"),
        ("$concat", [[1], [2, 3]], [1, 2, 3]),
        ("$concat", [[[1], [2]]], [1, 2]),
        ("$concat", [[]], ""),
        ("$join", [["a", 2, False], ", "], "a, 2, false"),
        ("$join", [["a", "b"]], "ab"),
        ("$join", [[], ","], ""),
        ("$split", ["a, b, c", ", "], ["a", "b", "c"]),
        ("$split", ["", ","], [""]),
        ("$lower", ["ÄB"], "äb"),
        ("$upper", ["äß"], "ÄSS"),
        ("$length", ["größe"], 5),
        ("$length", [[1, 2]], 2),
        ("$length", [{"a": 1}], 1),
        ("$keys", [{"b": 1, "a": 2}], ["b", "a"]),
        ("$merge", [{"a": 1, "b": {"x": 1}}, {"b": {"y": 2}}], {"a": 1, "b": {"y": 2}}),
        ("$merge", [[{"a": 1}, {"b": 2}]], {"a": 1, "b": 2}),
        ("$contains", [[1, "1"], "1"], True),
        ("$contains", [[1, "2"], True], False),
        ("$contains", ["abc", "bc"], True),
        ("$contains", [{"a": 1}, "a"], True),
        (
            "$unique",
            [[1, 1.0, True, "1", [1], [1], {"a": 1}, {"a": 1}, None]],
            [1, True, "1", [1], {"a": 1}, None],
        ),
        ("$range", [1, 5], [1, 2, 3, 4, 5]),
        ("$range", [1, 9, 2], [1, 3, 5, 7, 9]),
        ("$range", [5, 1, -2], [5, 3, 1]),
        ("$range", [5, 1], []),
        ("$range", [1, 1_000], list(range(1, 1_001))),
        ("$partition", [[1, 2, 3], 2], [[1, 2], [3]]),
        ("$at", [[1, 2, 3], -1], 3),
        ("$at", [{"a": 1}, "a"], 1),
        ("$at", [[1], 5, "none"], "none"),
        ("$at", [{"a": 1}, "b", None], None),
        ("$add", [1, 2, 3.5], 6.5),
        ("$add", [[1, 2]], 3),
        ("$add", [[]], 0),
        ("$subtract", [1, 3], -2),
        ("$multiply", [2, 3, 4], 24),
        ("$divide", [6, 3], 2),
        ("$divide", [1, 4], 0.25),
        ("$divide", [5.0, 2], 2.5),
        ("$min", [3, 1.5, 2], 1.5),
        ("$max", [["a", "c", "b"]], "c"),
        ("$round", [2.5], 3),
        ("$round", [-2.5], -3),
        ("$round", [1.005, 2], 1.01),
        ("$round", [1234, -2], 1200),
        ("$round", [7, 2], 7),
        ("$parseJson", ['{"a": [1, null]}'], {"a": [1, None]}),
        ("$toJson", [{"a": [1, None, "ä"]}], '{"a":[1,null,"ä"]}'),
        ("$base64Encode", ["größe"], "Z3LDtsOfZQ=="),
        ("$base64Decode", ["Z3LDtsOfZQ=="], "größe"),
        ("$hash", ["abc"], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("$hash", ["abc", "MD5"], "900150983cd24fb0d6963f7d28e17f72"),
        ("$hash", ["abc", "SHA-1"], "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("$timeAdd", ["2026-01-31T12:00:00Z", "PT48H"], "2026-02-02T12:00:00.000Z"),
        ("$timeAdd", ["2026-01-31T12:00:00+01:00", "-PT1M"], "2026-01-31T10:59:00.000Z"),
        ("$timeAdd", ["2026-01-31T12:00:00.5Z", -0.25], "2026-01-31T12:00:00.250Z"),
        ("$timeAdd", ["2026-01-31T12:00:00Z", 60], "2026-01-31T12:01:00.000Z"),
        ("$timeDiff", ["2026-01-31T12:00:00Z", "2026-01-31T12:01:00Z"], 60),
        ("$timeDiff", ["2026-01-31T12:00:00.5Z", "2026-01-31T12:00:00Z"], -0.5),
    ],
)
def test_a_function_gives_its_result(name: str, arguments: list[Any], result: Any) -> None:
    given_back = called(name, *arguments)
    assert given_back == result
    assert type(given_back) is type(result)


@pytest.mark.parametrize(
    ("name", "arguments", "cause"),
    [
        ("$format", [5], "$format: argument 1 is 5, a number; allowed is a text"),
        ("$format", ["{} {}", 1], "the text has 2 placeholders {}, but 1 values follow it"),
        ("$format", ["{x}", 1], "the text has a { without its }"),
        ("$format", ["x}"], "the text has a } without its {"),
        ("$format", ["{}{}", "x" * LONGEST_TEXT, "y"], "the result is longer than"),
        ("$format", ["ä{}", "ä" * (LONGEST_TEXT // 2)], "the result is longer than"),
        ("$format", ["{}", {"a": 10**30}], "cannot be written as JSON"),
        ("$concat", ["a", None], "argument 2 is null; allowed is a text, a number or a boolean"),
        ("$concat", ["a", ["b"]], "argument 2 is [1 item], a list"),
        ("$concat", ["x" * LONGEST_TEXT, "y"], "the result is longer than"),
        ("$concat", [[0] * LONGEST_LIST, [1]], f"the result has {LONGEST_LIST + 1} items"),
        ("$join", ["a", ","], "argument 1 is 'a', a text; allowed is a list"),
        ("$join", [["a"], 5], "argument 2 is 5, a number; allowed is a text"),
        ("$join", [[{}], ","], "argument 1 is {0 members}, an object"),
        ("$join", [["a"] * 100, "x" * 10_000], "the result is longer than"),
        ("$split", ["a", ""], "argument 2 is '', a text; allowed is a text of at least one character"),
        ("$split", ["," * 20_000, ","], "the result has 10001 items, allowed are 10000"),
        ("$lower", [None], "argument 1 is null; allowed is a text"),
        ("$upper", ["ß" * (LONGEST_TEXT // 2 + 1)], "the result is longer than"),
        ("$length", [5], "allowed is a text, a list or an object"),
        ("$keys", [[]], "argument 1 is [0 items], a list; allowed is an object"),
        ("$keys", [dict.fromkeys(map(str, range(LONGEST_LIST + 1)))], "the result has 10001 items"),
        ("$merge", [{}, 5], "argument 2 is 5, a number; allowed is an object"),
        ("$merge", [dict.fromkeys(map(str, range(LONGEST_LIST + 1)))], "more than 10000 members"),
        ("$contains", [5, 5], "allowed is a list, a text or an object"),
        ("$contains", ["5", 5], "argument 2 is 5, a number; allowed is a text"),
        ("$unique", [[0] * (LONGEST_LIST + 1)], "allowed is a list of at most 10000 items"),
        ("$range", [1, 1_001], "the result has 1001 items, allowed are 1000"),
        ("$range", [-LARGEST, LARGEST], "allowed are 1000"),
        ("$range", [1, 5, 0], "allowed is a whole number other than 0"),
        ("$range", [1.5, 5], "argument 1 is 1.5, a number; allowed is a whole number"),
        ("$partition", [[1], 0], "allowed is a whole number from 1"),
        ("$at", [[1], 3], "the list has 1 item, there is no [3]"),
        ("$at", [{"orderId": 1}, "orderID"], "Did you mean `orderId`?"),
        ("$at", ["abc", 0], "allowed is a list or an object"),
        ("$add", [1, True], "argument 2 is true, a boolean; allowed is a number"),
        ("$add", [1, "1"], "argument 2 is '1', a text; allowed is a number"),
        ("$add", [LARGEST, 1], "the result is beyond"),
        ("$add", [10**40, 1], "argument 1 is a whole number of 133 bits, a number; allowed is a number from"),
        ("$add", [math.inf, 1], "allowed is a number from"),
        ("$subtract", [-LARGEST, 2], "the result is beyond"),
        ("$multiply", [1e300, 1e300], "the result is beyond"),
        ("$divide", [1, 0], "argument 2 is 0, a number; allowed is a number other than 0"),
        ("$divide", [1e308, 1e-308], "the result is beyond"),
        ("$min", [[]], "the list is empty"),
        ("$max", [1, "a"], "argument 2 is 'a', a text; allowed is a number"),
        ("$max", ["a", 1], "argument 2 is 1, a number; allowed is a text"),
        ("$round", [1.5, 16], "allowed is a whole number from -15 to 15"),
        ("$round", [1e300], "the result is beyond"),
        ("$random", [1], "takes no argument, or a first number and one beyond the last"),
        ("$random", [5, 5], "allowed is a whole number greater than 5"),
        ("$parseJson", ["{"], "argument 1 is not JSON"),
        ("$parseJson", ["NaN"], "argument 1 is not JSON"),
        ("$parseJson", [HALF], "argument 1 is not JSON"),
        ("$parseJson", [" " * (LONGEST_TEXT + 1)], "longer than"),
        ("$toJson", [HALF], "cannot be written as JSON"),
        ("$base64Encode", [HALF], "argument 1 holds half a surrogate pair"),
        ("$base64Encode", ["x" * LONGEST_TEXT], "the result is longer than"),
        ("$base64Decode", ["not base 64"], "argument 1 is not base 64 of a UTF-8 text"),
        ("$base64Decode", ["/w=="], "argument 1 is not base 64 of a UTF-8 text"),
        ("$hash", ["a", "crc32"], "allowed is MD5, SHA-1, SHA-256, SHA-384 or SHA-512"),
        ("$timeAdd", ["yesterday", "PT1S"], "argument 1: 'yesterday' is not an RFC 3339 timestamp"),
        ("$timeAdd", ["2026-01-31T12:00:00Z", "P1M"], "argument 2: 'P1M' is not a duration here"),
        ("$timeAdd", ["2026-01-31T12:00:00Z", True], "argument 2: True is not a duration"),
        ("$timeAdd", ["9999-12-31T12:00:00Z", "P9W"], "outside of the years 1 to 9999"),
        ("$timeDiff", ["2026-01-31T12:00:00Z", None], "argument 2: None is not an RFC 3339 timestamp"),
    ],
)
def test_a_function_names_what_it_refuses(name: str, arguments: list[Any], cause: str) -> None:
    with pytest.raises(StateFailure) as raised:
        called(name, *arguments)
    assert raised.value.error == "States.IntrinsicFailure"
    assert raised.value.cause.startswith(f"{name}: ")
    assert cause in raised.value.cause


def test_unique_refuses_what_is_too_deep() -> None:
    value: list[Any] = []
    for _ in range(200):
        value = [value]
    with pytest.raises(StateFailure, match="nests deeper than 100"):
        called("$unique", value)


@pytest.mark.parametrize("name", sorted(functions()))
@property_test
@given(arguments=st.lists(documents, max_size=4))
def test_every_function_is_total(name: str, arguments: list[Any]) -> None:
    function = functions()[name]
    if function.accepts(len(arguments)) is None:
        try:
            function.call(arguments, Scope())
        except StateFailure as failure:
            assert failure.error == "States.IntrinsicFailure"  # noqa: PT017 - either outcome is right


@property_test
@given(st.lists(st.one_of(st.integers(), st.floats()), min_size=2, max_size=2))
def test_arithmetic_is_total_and_never_gives_what_json_cannot_hold(numbers: list[float]) -> None:
    for name in ("$add", "$subtract", "$multiply", "$divide", "$min", "$max"):
        try:
            result = called(name, *numbers)
        except StateFailure:
            continue
        assert math.isfinite(result)


def test_uuids_are_of_version_4_differ_in_a_step_and_come_again_in_a_replay() -> None:
    template = compile_template([{"$uuid": []}, {"$uuid": None}])
    first = template(Scope(seed="instance/state/1"))
    assert all(UUID4.fullmatch(text) for text in first)
    assert first[0] != first[1]
    assert first == template(Scope(seed="instance/state/1"))
    assert first != template(Scope(seed="instance/state/2"))


def test_random_numbers_stay_within_their_bounds_and_come_again_in_a_replay() -> None:
    scope = Scope(seed="seed")
    fractions = [called("$random", scope=scope) for _ in range(200)]
    numbers = [called("$random", 1, 7, scope=scope) for _ in range(200)]
    assert all(0 <= fraction < 1 for fraction in fractions)
    assert set(numbers) == {1, 2, 3, 4, 5, 6}
    assert fractions[0] == called("$random", scope=Scope(seed="seed"))


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ({"$uuid": [1]}, "`$uuid` takes no arguments, here are 1"),
        ({"$lower": []}, "`$lower` takes 1 argument, here are 0"),
        ({"$subtract": [1, 2, 3]}, "`$subtract` takes 2 arguments, here are 3"),
        ({"$hash": ["a", "b", "c"]}, "`$hash` takes 1 to 2 arguments, here are 3"),
        ({"$add": []}, "`$add` takes 1 or more arguments, here are 0"),
    ],
)
def test_a_wrong_number_of_arguments_is_found_at_upload(template: Any, message: str) -> None:
    with pytest.raises(CompileProblem) as raised:
        compile_template(template)
    assert raised.value.message == message
    assert raised.value.pointer == "/" + next(iter(template))


def test_a_function_that_accepts_a_count_says_nothing() -> None:
    assert Function("$x", 0, None, lambda arguments: None).accepts(7) is None


def test_the_table_holds_every_function_of_the_language() -> None:
    listed = (
        "$format $concat $join $split $lower $upper $length $keys $merge $contains $unique $range $partition $at $add "
        "$subtract $multiply $divide $min $max $round $parseJson $toJson $base64Encode $base64Decode $hash $uuid "
        "$random $timeAdd $timeDiff"
    )
    assert set(functions()) == set(listed.split())
