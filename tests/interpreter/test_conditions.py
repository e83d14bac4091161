"""Conditions: every operator, the record of what was compared, and what is refused."""

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interpreter.json_values import documents, property_test
from stepwell_interpreter.comparisons import compile_glob
from stepwell_interpreter.conditions import compile_condition
from stepwell_interpreter.failures import CompileProblem, StateFailure
from stepwell_interpreter.scope import Scope
from stepwell_schemas.conditions import Operator

STATE = {
    "n": 5,
    "half": 2.5,
    "text": "device-17",
    "yes": True,
    "nil": None,
    "list": [1, "a", True],
    "obj": {"k": 1},
    "time": "2026-01-31T12:00:00Z",
    "other": 17,
    "pattern": "device-*",
}


def holds(rule: dict[str, Any]) -> tuple[bool, list[dict[str, Any]]]:
    record: list[dict[str, Any]] = []
    return compile_condition(rule)(Scope(state=STATE), record), record


@pytest.mark.parametrize(
    ("variable", "operator", "value", "result"),
    [
        ("n", "equals", 5, True),
        ("n", "equals", 5.0, True),
        ("n", "equals", "5", False),
        ("yes", "equals", 1, False),
        ("obj", "equals", {"k": 1.0}, True),
        ("nil", "equals", None, True),
        ("n", "notEquals", 6, True),
        ("n", "notEquals", "5", True),
        ("n", "notEquals", 5, False),
        ("n", "greaterThan", 4.5, True),
        ("n", "greaterThan", 5, False),
        ("n", "greaterThan", "4", False),
        ("yes", "greaterThan", 0, False),
        ("text", "greaterThan", "device", True),
        ("n", "greaterThanOrEquals", 5, True),
        ("half", "lessThan", 3, True),
        ("half", "lessThan", 2.5, False),
        ("half", "lessThanOrEquals", 2.5, True),
        ("time", "before", "2026-01-31T13:00:00+00:30", True),
        ("time", "before", "2026-01-31T12:00:00Z", False),
        ("time", "after", "2026-01-31T11:59:59.999Z", True),
        ("text", "after", "2026-01-31T11:59:59Z", False),
        ("text", "contains", "17", True),
        ("text", "contains", 17, False),
        ("list", "contains", "a", True),
        ("list", "contains", 1.0, True),
        ("list", "contains", None, False),
        ("obj", "contains", "k", False),
        ("text", "startsWith", "device", True),
        ("n", "startsWith", "5", False),
        ("text", "endsWith", "-17", True),
        ("text", "matches", "d*-*7", True),
        ("text", "matches", "d*-*8", False),
        ("n", "matches", "5", False),
        ("n", "in", [4, 5], True),
        ("n", "in", ["5", 4], False),
        ("n", "in", ["5"], False),
        ("n", "in", [], False),
        ("n", "in", "$.state.list", False),
        ("nil", "isNull", True, True),
        ("n", "isNull", False, True),
        ("n", "isPresent", True, True),
        ("zzz", "isPresent", True, False),
        ("zzz", "isPresent", False, True),
        ("list[?@ == 9]", "isPresent", True, False),
        ("list[?@ == 'a']", "isPresent", True, True),
        ("text", "isString", True, True),
        ("n", "isString", True, False),
        ("n", "isNumber", True, True),
        ("yes", "isNumber", True, False),
        ("yes", "isBoolean", True, True),
        ("obj", "isObject", True, True),
        ("list", "isArray", True, True),
        ("time", "isTimestamp", True, True),
        ("text", "isTimestamp", True, False),
        ("n", "isTimestamp", False, True),
        ("text", "matches", "$.state.pattern", True),
        ("n", "lessThan", "$.state.other", True),
    ],
)
def test_an_operator_answers_and_is_recorded(variable: str, operator: str, value: Any, result: bool) -> None:
    answer, record = holds({"variable": f"$.state.{variable}", operator: value})
    assert answer is result
    assert len(record) == 1
    assert (record[0]["variable"], record[0]["operator"], record[0]["result"]) == (
        f"$.state.{variable}",
        operator,
        result,
    )


def test_every_operator_of_the_language_is_known() -> None:
    for operator in get_args(Operator):
        value: Any = {"before": "2026-01-01T00:00:00Z", "after": "2026-01-01T00:00:00Z", "in": []}.get(
            operator, "x"
        )
        compile_condition({"variable": "$.state.n", operator: True if operator.startswith("is") else value})


@pytest.mark.parametrize(
    ("variable", "operator", "value", "note"),
    [
        ("text", "equals", 17, "type mismatch: text is never compared with number"),
        ("text", "notEquals", 17, "type mismatch: text is never compared with number"),
        ("text", "greaterThan", 17, "type mismatch: text is never compared with number"),
        ("yes", "lessThan", 17, "type mismatch: boolean is never compared with number"),
        ("n", "startsWith", "5", "type mismatch: number is never compared with text"),
        ("n", "contains", 5, "type mismatch: number cannot contain number"),
        ("n", "before", "2026-01-01T00:00:00Z", "type mismatch: the number is not an RFC 3339 timestamp"),
        ("n", "in", ["5"], "type mismatch: no item of the list is number"),
        ("n", "in", "$.state.text", "the right side cannot be used: allowed is a list, not 'device-17'"),
        ("n", "greaterThan", "$.state.yes", "the right side cannot be used: True has no order; allowed is"),
        (
            "time",
            "before",
            "$.state.text",
            "the right side cannot be used: 'device-17' is not an RFC 3339 timestamp",
        ),
    ],
)
def test_kinds_that_do_not_fit_are_noted(variable: str, operator: str, value: Any, note: str) -> None:
    answer, record = holds({"variable": f"$.state.{variable}", operator: value})
    assert answer is (operator == "notEquals")
    assert record[0]["note"].startswith(note)


def test_a_comparison_is_recorded_with_its_values() -> None:
    _, record = holds({"variable": "$.state.n", "lessThan": "$.state.other"})
    assert record == [
        {"variable": "$.state.n", "operator": "lessThan", "expected": 17, "actual": 5, "result": True},
    ]


def test_a_missing_variable_is_an_error() -> None:
    with pytest.raises(StateFailure, match=r"States\.ParameterPathFailure"):
        holds({"variable": "$.state.zzz", "equals": 1})


@pytest.mark.parametrize(
    ("rule", "result", "evaluated"),
    [
        ({"and": [{"variable": "$.state.n", "equals": 5}, {"variable": "$.state.n", "equals": 6}]}, False, 2),
        (
            {"and": [{"variable": "$.state.n", "equals": 6}, {"variable": "$.state.zzz", "equals": 6}]},
            False,
            1,
        ),
        ({"or": [{"variable": "$.state.n", "equals": 5}, {"variable": "$.state.zzz", "equals": 6}]}, True, 1),
        ({"or": [{"variable": "$.state.n", "equals": 6}, {"variable": "$.state.n", "equals": 7}]}, False, 2),
        ({"not": {"variable": "$.state.n", "equals": 6}}, True, 1),
        ({"not": {"not": {"variable": "$.state.n", "equals": 6}}, "next": "A", "comment": "c"}, False, 1),
    ],
)
def test_conditions_combine_and_stop_early(rule: dict[str, Any], result: bool, evaluated: int) -> None:
    answer, record = holds(rule)
    assert answer is result
    assert len(record) == evaluated


@pytest.mark.parametrize(
    ("rule", "pointer", "message"),
    [
        ("text", "", "a condition is an object, not 'text'"),
        ({}, "", "here: nothing"),
        ({"variable": "$.state.n"}, "", "here: `variable`"),
        ({"equals": 1}, "", "here: `equals`"),
        ({"variable": "$.state.n", "equals": 1, "lessThan": 2}, "", "here: `variable`, `equals`, `lessThan`"),
        ({"variable": "$.state.n", "equals": 1, "and": []}, "", "one of and, or, not"),
        ({"variable": "$.state.n", "greatrThan": 1}, "/greatrThan", "Did you mean `greaterThan`?"),
        ({"variable": "$.stat.n", "equals": 1}, "/variable", "Did you mean `state`?"),
        ({"variable": 5, "equals": 1}, "/variable", "5, a number, is not a path"),
        ({"variable": "$.state.n", "equals": "$.stat"}, "/equals", "Did you mean `state`?"),
        ({"variable": "$.state.n", "isNull": 1}, "/isNull", "`isNull` is true or false, not 1"),
        (
            {"variable": "$.state.n", "isPresent": "yes"},
            "/isPresent",
            "`isPresent` is true or false, not 'yes'",
        ),
        ({"variable": "$.state.n", "greaterThan": True}, "/greaterThan", "True has no order"),
        ({"variable": "$.state.n", "before": "soon"}, "/before", "'soon' is not an RFC 3339 timestamp"),
        ({"variable": "$.state.n", "in": 5}, "/in", "allowed is a list, not 5"),
        ({"variable": "$.state.n", "matches": 5}, "/matches", "allowed is a text, not 5"),
        ({"variable": "$.state.n", "matches": "x" * 1_025}, "/matches", "at most 1024 characters"),
        ({"and": []}, "/and", "`and` is a list of at least one condition"),
        ({"or": {"variable": "$.state.n", "equals": 1}}, "/or", "`or` is a list"),
        ({"or": [{"not": {"variable": "$.state.n"}}]}, "/or/0/not", "here: `variable`"),
    ],
)
def test_a_wrong_condition_is_refused_where_it_is_wrong(rule: Any, pointer: str, message: str) -> None:
    with pytest.raises(CompileProblem) as raised:
        compile_condition(rule, "/choices/0")
    assert raised.value.pointer == f"/choices/0{pointer}"
    assert message in raised.value.message


def test_conditions_may_not_nest_without_end() -> None:
    rule: dict[str, Any] = {"variable": "$.state.n", "equals": 1}
    for _ in range(33):
        rule = {"not": rule}
    with pytest.raises(CompileProblem, match="nest deeper than 32"):
        compile_condition(rule)


def test_the_paths_of_a_condition_are_listed() -> None:
    condition = compile_condition(
        {
            "or": [
                {"variable": "$.state.a", "equals": "$.input.b"},
                {"variable": "$.state.c", "isPresent": True},
            ]
        }
    )
    assert [(used.pointer, used.optional) for used in condition.paths] == [
        ("/or/0/variable", False),
        ("/or/0/equals", False),
        ("/or/1/variable", True),
    ]


@property_test
@given(
    st.sampled_from([name for name in get_args(Operator) if not name.startswith("is")]), documents, documents
)
def test_a_comparison_is_total(operator: str, actual: Any, expected: Any) -> None:
    condition = compile_condition({"variable": "$.state", operator: "$.input"})
    record: list[dict[str, Any]] = []
    assert condition(Scope(state=actual, input=expected), record) is record[0]["result"]


@pytest.mark.parametrize(
    ("pattern", "text", "result"),
    [
        ("abc", "abc", True),
        ("abc", "abcd", False),
        ("", "", True),
        ("*", "", True),
        ("*", "anything", True),
        ("a*c", "abc", True),
        ("a*c", "ac", True),
        ("a*a", "a", False),
        ("a*b*c", "a-b-c", True),
        ("a*b*c", "a-c", False),
        ("*b*", "abc", True),
        ("**", "x", True),
        (r"a\*c", "a*c", True),
        (r"a\*c", "abc", False),
        (r"a\\*", "a\\x", True),
        ("a\\", "a\\", True),
        (r"\d", r"\d", True),
        ("a.c", "abc", False),
        ("[ab]", "a", False),
        ("a*bc*c", "abc", False),
    ],
)
def test_a_glob_matches_the_whole_text(pattern: str, text: str, result: bool) -> None:
    assert compile_glob(pattern)(text) is result


def test_a_hostile_glob_is_linear() -> None:
    assert compile_glob("*a" * 500 + "b")("a" * 200_000) is False
    assert compile_glob("*a" * 500)("a" * 200_000) is True


@property_test
@given(st.text(alphabet="ab*\\", max_size=8), st.text(alphabet="ab", max_size=8))
def test_a_glob_agrees_with_trying_everything(pattern: str, text: str) -> None:
    assert compile_glob(pattern)(text) is _tried(pattern, text)


def _tried(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(_tried(pattern[1:], text[start:]) for start in range(len(text) + 1))
    if pattern[:2] in ("\\*", "\\\\"):
        return text[:1] == pattern[1] and _tried(pattern[2:], text[1:])
    return text[:1] == pattern[0] and _tried(pattern[1:], text[1:])
