"""Which event a wait takes, and what is said of one that nearly fits."""

from typing import Any

import pytest
from hypothesis import given
from interpreter.json_values import documents, property_test
from stepwell_interpreter.failures import CompileProblem, StateFailure
from stepwell_interpreter.matching import compile_match, matches, near_miss, near_miss_rank
from stepwell_interpreter.scope import Scope

SCOPE = Scope(input={"orderId": "17"}, state={})


def test_values_are_resolved_when_the_wait_opens_and_sorted_by_path() -> None:
    match = compile_match({"order.id": "$.input.orderId", "kind": "paid", "['a b'][0]": {"$add": [1, 2]}})
    assert match(SCOPE) == [["['a b'][0]", 3], ["kind", "paid"], ["order.id", "17"]]
    assert [used.pointer for used in match.paths] == ["/order.id"]


def test_an_empty_match_takes_any_event() -> None:
    assert compile_match({})(SCOPE) == []
    assert matches(None, [])
    assert near_miss({}, []) is None


def test_a_value_that_is_not_there_fails_the_opening() -> None:
    with pytest.raises(StateFailure, match=r"States\.ParameterPathFailure"):
        compile_match({"orderId": "$.input.zzz"})(SCOPE)


@pytest.mark.parametrize(
    ("match", "pointer", "message"),
    [
        ([], "", "`match` is an object of paths and values, not [0 items], a list"),
        ({"$.event.data.orderId": 1}, "/$.event.data.orderId", "leave out `$.` and `$.event.data.`"),
        ({"a[*]": 1}, "/a[*]", "write members and indices only"),
        ({"a": 1, "['a']": 2}, "/['a']", "`a` is matched twice"),
        ({"a/b": 1}, "/a~1b", "write members and indices only"),
        ({"a": "$.inptu.x"}, "/a", "Did you mean `input`?"),
        ({"a": {"$lowr": "X"}}, "/a/$lowr", "Did you mean `$lower`?"),
    ],
)
def test_a_wrong_match_is_refused_where_it_is_wrong(match: Any, pointer: str, message: str) -> None:
    with pytest.raises(CompileProblem) as raised:
        compile_match(match, "/states/W/match")
    assert raised.value.pointer == f"/states/W/match{pointer}"
    assert message in raised.value.message


@pytest.mark.parametrize(
    ("data", "pairs", "taken"),
    [
        ({"orderId": "17"}, [["orderId", "17"]], True),
        ({"orderId": 17}, [["orderId", "17"]], False),
        ({"n": 1}, [["n", 1.0]], True),
        ({"n": True}, [["n", 1]], False),
        ({"n": None}, [["n", None]], True),
        ({}, [["n", None]], False),
        ({"order": {"id": [5]}}, [["order.id[0]", 5]], True),
        ({"a": 1, "b": 2}, [["a", 1], ["b", 3]], False),
        ("text", [["a", 1]], False),
        (None, [["a", 1]], False),
    ],
)
def test_an_event_is_taken_where_every_value_is_equal_in_kind(
    data: Any, pairs: list[list[Any]], taken: bool
) -> None:
    assert matches(data, pairs) is taken
    assert (near_miss(data, pairs) is None) is taken
    assert (near_miss_rank(data, pairs) == (0, 0)) is taken


@pytest.mark.parametrize(
    ("data", "pairs", "sentence"),
    [
        ({"orderId": 17}, [["orderId", "17"]], "orderId is 17, a number; the wait wants '17', a text"),
        ({"on": "true"}, [["on", True]], "on is 'true', a text; the wait wants true, a boolean"),
        (
            {"id": " AB"},
            [["id", "ab"]],
            "id is ' AB', a text; the wait wants 'ab', a text (they differ in case or blanks only)",
        ),
        (
            {"orderID": "17"},
            [["orderId", "17"]],
            "the data has no 'orderId'; the wait wants orderId to be '17', a text (there is 'orderID')",
        ),
        (
            {"order": {"x": 1}},
            [["order.id", 5]],
            "order has no 'id'; the wait wants order.id to be 5, a number",
        ),
        ({"order": 5}, [["order.id", 5]], "order has no 'id'; the wait wants order.id to be 5, a number"),
        ({"n": 4}, [["n", 5]], "n is 4, a number; the wait wants 5, a number"),
        ({"n": [5]}, [["n", 5]], "n is [1 item], a list; the wait wants 5, a number"),
        (
            {"a": 1, "b": "2"},
            [["a", 9], ["b", 2]],
            "b is '2', a text; the wait wants 2, a number; a is 1, a number; the wait wants 9, a number",
        ),
    ],
)
def test_a_near_miss_is_explained(data: Any, pairs: list[list[Any]], sentence: str) -> None:
    assert near_miss(data, pairs) == sentence


def test_the_likeliest_mistake_is_the_nearest() -> None:
    events: list[Any] = [{}, {"orderId": 18}, {"orderID": "17"}, {"orderId": 17}]
    pairs = [["orderId", "17"]]
    ranked = sorted(events, key=lambda data: near_miss_rank(data, pairs))
    assert ranked == [{"orderId": 17}, {"orderID": "17"}, {"orderId": 18}, {}]


@property_test
@given(documents, documents)
def test_matching_and_its_explanation_agree_on_any_data(data: Any, wanted: Any) -> None:
    pairs = [["a.b", wanted], ["c", wanted]]
    assert matches(data, pairs) is (near_miss(data, pairs) is None)
