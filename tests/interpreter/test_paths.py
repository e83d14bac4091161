"""Reading by plain paths, and writing by targets."""

import contextlib
import copy
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interpreter.json_values import documents, keys, property_test
from stepwell_interpreter.failures import CompileProblem, StateFailure
from stepwell_interpreter.paths import (
    compile_members,
    compile_path,
    compile_target,
    find_members,
    is_path,
    reach,
    set_in,
    written,
)
from stepwell_interpreter.scope import MISSING, Scope

SCOPE = Scope(
    input={"deviceId": "d-1", "größe": 3},
    state={
        "record": {"recordId": 7, "a b": {"c": [10, [20, 30]]}, "deep": {"er": {"still": "here"}}},
        "list": [{"id": 1}, {"id": 2}],
        "text": "abc",
        "nothing": None,
        "empty": {},
    },
    system={"now": "2026-01-01T00:00:00.000Z"},
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$.input", SCOPE.input),
        ("$.input.deviceId", "d-1"),
        ("$.input.größe", 3),
        ("$.system.now", "2026-01-01T00:00:00.000Z"),
        ("$.state.record.recordId", 7),
        ("$.state.record.deep.er", {"still": "here"}),
        ("$.state.record.deep.er.still", "here"),
        ("$.state.record['a b'].c[1][0]", 20),
        ('$.state["record"]["a b"].c[-1][ 1 ]', 30),
        ("$['state'].list[1].id", 2),
        ("$.state .list [0] .id", 1),
        ("$.state['\\u0074ext']", "abc"),
        ("$.state.nothing", None),
    ],
)
def test_a_plain_path_finds_its_value(text: str, value: Any) -> None:
    path = compile_path(text)
    assert path.definite
    assert path(SCOPE) == value
    assert path.find(SCOPE) == value


def test_a_path_knows_its_members() -> None:
    path = compile_path("$.state['a b'][0].c-d")
    assert (path.root, path.members, path.text) == (
        "state",
        ("state", "a b", 0, "c-d"),
        "$.state['a b'][0].c-d",
    )


def test_a_lazily_built_mapping_can_be_read() -> None:
    class System(Mapping[str, Any]):
        def __getitem__(self, key: str) -> Any:
            return {"now": "later"}[key]

        def __iter__(self) -> Iterator[str]:
            return iter(["now"])

        def __len__(self) -> int:
            return 1

    assert compile_path("$.system.now")(Scope(system=System())) == "later"
    with pytest.raises(StateFailure, match=r"\$\.system has no 'nwo'. The nearest key is 'now'"):
        compile_path("$.system.nwo")(Scope(system=System()))


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (
            "$.input.deviceID",
            "`$.input.deviceID` finds nothing: $.input has no 'deviceID'. The nearest key is 'deviceId'",
        ),
        ("$.state.record.zzz", "$.state.record has no 'zzz'. It has 'a b', 'deep', 'recordId'"),
        ("$.state.record.deep.err", "$.state.record.deep has no 'err'. The nearest key is 'er'"),
        ("$.state.record.deep.er.zz", "$.state.record.deep.er has no 'zz'"),
        ("$.state.text.length", "$.state.text is 'abc', a text, not an object"),
        ("$.state.text[0]", "$.state.text is 'abc', a text, not a list"),
        ("$.state.nothing.x", "$.state.nothing is null, not an object"),
        ("$.state.list[2]", "$.state.list has 2 items, there is no [2]"),
        ("$.state.list[-3].id", "$.state.list has 2 items, there is no [-3]"),
        ("$.state.list[0].name", "$.state.list[0] has no 'name'. It has 'id'"),
        ("$.state.list.id", "$.state.list is [2 items], a list, not an object"),
        ("$.state.empty.x", "$.state.empty is an empty object, there is no 'x'"),
        ("$.state.empty[0]", "$.state.empty is {0 members}, an object, not a list"),
        ("$.item", "$.item is only known inside a map; known here: $.input $.state $.system"),
        ("$.item.a", "$.item is only known inside a map"),
        ("$.event.data.x.y", "$.event is only known in a wait and in `start`"),
    ],
)
def test_a_path_that_finds_nothing_says_how_far_it_got(text: str, cause: str) -> None:
    path = compile_path(text)
    with pytest.raises(StateFailure) as raised:
        path(SCOPE)
    assert raised.value.error == "States.ParameterPathFailure"
    assert cause in raised.value.cause
    assert path.find(SCOPE) is MISSING


def test_many_keys_are_not_all_listed() -> None:
    with pytest.raises(StateFailure, match=r"'k00', .*'k09' and more"):
        compile_path("$.state.zzz")(Scope(state={f"k{number:02}": 0 for number in range(11)}))


def test_an_empty_scope_says_that_nothing_is_known() -> None:
    with pytest.raises(StateFailure, match="known here: nothing"):
        compile_path("$.state.a")(Scope())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("$.stat.x", "Did you mean `state`?"),
        ("$.zzzz", "Allowed: "),
        ("$", "A path starts with one of"),
        ("$..x", "A path starts with one of"),
        ("$[0]", "A path starts with one of"),
        ("$.50 off", "A path starts with one of"),
        ("$.state['a\\x']", "has the unknown escape \\x"),
        ("$.state['\\ud800']", "half a surrogate pair"),
        ("$.state." + "a" * 1_024, "at most 1024 characters"),
        ("$.state" + ".a" * 64, "at most 64 members"),
    ],
)
def test_a_wrong_path_is_refused_with_a_hint(text: str, message: str) -> None:
    with pytest.raises(CompileProblem) as raised:
        compile_path(text)
    assert message in f"{raised.value.message} {raised.value.help}"
    assert raised.value.pointer == ""


def test_two_escapes_make_one_character() -> None:
    assert compile_path("$.state['\\ud83d\\ude00\\n\\'']").members == ("state", "😀\n'")


@pytest.mark.parametrize(
    ("value", "answer"), [("$.a", True), ("$[0]", True), ("$$.a", False), ("$", False), (3, False)]
)
def test_texts_that_begin_with_a_dollar_and_a_segment_are_paths(value: Any, answer: bool) -> None:
    assert is_path(value) is answer


@property_test
@given(st.text(max_size=20))
def test_any_text_is_a_path_or_a_problem(rest: str) -> None:
    try:
        path = compile_path("$.state" + rest)
    except CompileProblem:
        return
    if path.definite and path.find(SCOPE) is MISSING:
        with pytest.raises(StateFailure, match=r"^States\.ParameterPathFailure"):
            path(SCOPE)
    else:
        path(SCOPE)


@property_test
@given(st.lists(st.one_of(keys, st.integers(-9, 9)), max_size=4))
def test_written_members_read_as_the_same(members: list[str | int]) -> None:
    text = "$.state" + "".join(
        f"[{member}]" if isinstance(member, int) else written(["x", member])[1:] for member in members
    )
    assert compile_path(text).members == ("state", *members)


# -- members of event data -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("orderId", ("orderId",)),
        ("order.id", ("order", "id")),
        ("items[0].id", ("items", 0, "id")),
        ("['a b'].c", ("a b", "c")),
    ],
)
def test_a_relative_path_has_members(text: str, members: tuple[str | int, ...]) -> None:
    assert compile_members(text) == members
    assert compile_members(written(members)) == members


@pytest.mark.parametrize("text", ["", "a[*]", "a b", "a..b"])
def test_a_relative_path_is_plain(text: str) -> None:
    with pytest.raises(CompileProblem, match="write members and indices only"):
        compile_members(text)


def test_reach_says_how_far_members_lead() -> None:
    assert reach({"a": [5]}, ("a", 0)) == (2, 5)
    assert reach({"a": [5]}, ("a", 1)) == (1, [5])


# -- writing -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "text", "after"),
    [
        ({}, "$.state.x", {"x": 9}),
        ({"k": 1}, "$.state.x.y.z", {"k": 1, "x": {"y": {"z": 9}}}),
        ({"x": {"k": 1}}, "$.state.x.y", {"x": {"k": 1, "y": 9}}),
        ({"x": [1, 2]}, "$.state.x[0]", {"x": [9, 2]}),
        ({"x": [1, 2]}, "$.state.x[2]", {"x": [1, 2, 9]}),
        ({"x": [1, 2]}, "$.state.x[-1]", {"x": [1, 9]}),
        ({"x": [{"a": 1}]}, "$.state.x[0].b", {"x": [{"a": 1, "b": 9}]}),
        ({"x": [{"a": 1}]}, "$.state.x[1].b", {"x": [{"a": 1}, {"b": 9}]}),
        ({}, "$.state.x[0].y", {"x": [{"y": 9}]}),
        ({"x": "old"}, "$['state']['x']", {"x": 9}),
    ],
)
def test_a_target_writes_and_makes_missing_parents(
    state: dict[str, Any], text: str, after: dict[str, Any]
) -> None:
    before = copy.deepcopy(state)
    assert compile_target(text)(state, 9) == after
    assert state == before


@pytest.mark.parametrize(
    ("state", "text", "cause"),
    [
        (
            {"x": 5},
            "$.state.x.y",
            "cannot write to `$.state.x.y`: $.state.x is 5, a number, and 'y' needs an object",
        ),
        ({"x": None}, "$.state.x.y", "$.state.x is null, and 'y' needs an object"),
        ({"x": {"a": 1}}, "$.state.x[0]", "$.state.x is {1 member}, an object, and [0] needs a list"),
        ({"x": [1]}, "$.state.x.y", "$.state.x is [1 item], a list, and 'y' needs an object"),
        ({"x": [1]}, "$.state.x[2]", "$.state.x has 1 item, allowed: [0] to [1]"),
        ({}, "$.state.x[1]", "$.state.x has 0 items, allowed: [0]"),
        ({}, "$.state[0]", "$.state is {0 members}, an object, and [0] needs a list"),
    ],
)
def test_a_target_in_the_way_of_other_data_fails(state: dict[str, Any], text: str, cause: str) -> None:
    with pytest.raises(StateFailure) as raised:
        compile_target(text)(state, 9)
    assert raised.value.error == "States.ResultPathMatchFailure"
    assert cause in raised.value.cause


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("$.state", "only what is below $.state can"),
        ("$.input.x", "only what is below $.state can"),
        ("$.state.x[*]", "not `[*]`"),
        ("$.state..x", "not `..x`"),
        ("nonsense", "cannot be written to"),
    ],
)
def test_a_target_is_plain_and_below_state(text: str, message: str) -> None:
    with pytest.raises(CompileProblem) as raised:
        compile_target(text)
    assert message in raised.value.message


@property_test
@given(documents, st.lists(st.one_of(keys, st.integers(-3, 3)), min_size=1, max_size=4), documents)
def test_set_in_never_changes_its_input(document: Any, members: list[str | int], value: Any) -> None:
    before = copy.deepcopy(document)
    with contextlib.suppress(StateFailure):
        after = set_in(document, members, value)
        assert find_members(after, members) is value or isinstance(members[-1], int)
    assert document == before


def test_what_is_off_the_path_is_shared() -> None:
    document = {"a": {"x": 1}, "b": {"y": [1]}}
    after = set_in(document, ("a", "x"), 2)
    assert after["b"] is document["b"]
    assert after["a"] is not document["a"]
