"""JSONPath beyond plain members, by RFC 9535."""

from typing import Any

import pytest
from stepwell_interpreter.failures import CompileProblem, StateFailure
from stepwell_interpreter.paths import compile_path
from stepwell_interpreter.scope import MISSING, Scope

ITEMS = [
    {"id": 1, "kind": "a", "tags": ["x", "y"], "on": True},
    {"id": 2, "kind": "b", "price": 2.5, "on": False},
    {"id": 3, "kind": "a", "price": 10, "sub": {"id": 4}, "nil": None},
    "loose",
]
SCOPE = Scope(
    input={"kind": "b", "flag": True},
    state={
        "items": ITEMS,
        "map": {"p": {"n": 1}, "q": {"n": 2}},
        "größe": [1, 2],
        "numbers": [0, 1, 2, 3, 4],
    },
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("$.state.items[*].id", [1, 2, 3]),
        ("$.state.map.*.n", [1, 2]),
        ("$.state.größe[*]", [1, 2]),
        ("$.state.numbers[1:3]", [1, 2]),
        ("$.state.numbers[::2]", [0, 2, 4]),
        ("$.state.numbers[::-1]", [4, 3, 2, 1, 0]),
        ("$.state.numbers[-2:]", [3, 4]),
        ("$.state.numbers[::0]", []),
        ("$.state.numbers[0,-1,9]", [0, 4]),
        ("$.state.map['q','p','z']", [{"n": 2}, {"n": 1}]),
        ("$.state.map[0,1]", []),
        ("$.state.map[0:1]", []),
        ("$.state.items..id", [1, 2, 3, 4]),
        ("$.state.items..sub.id", [4]),
        ("$.state..['n']", [1, 2]),
        ("$.state.items..[0]", [ITEMS[0], "x"]),
        ("$.state.map..[?@.n == 2].n", [2]),
        ("$.state.zzz[*]", []),
        ("$.state.items[?@.price].id", [2, 3]),
        ("$.state.items[?!@.price].id", [1]),
        ("$.state.items[?@.nil].id", [3]),
        ("$.state.items[?@.nil == null].id", [3]),
        ("$.state.items[?@.price > 2.5].id", [3]),
        ("$.state.items[?@.price >= 2.5].id", [2, 3]),
        ("$.state.items[?@.price < 3].id", [2]),
        ("$.state.items[?@.on <= true].id", [1]),
        ("$.state.items[?@.kind < 'b'].id", [1, 3]),
        ("$.state.items[?@.kind > 1].id", []),
        ("$.state.items[?@.kind == $.input.kind].id", [2]),
        ("$.state.items[?@.kind == $['input']['kind']].id", [2]),
        ("$.state.items[?@.id == 1 || @.id == 3].id", [1, 3]),
        ("$.state.items[?(@.id == 1 || @.id == 3) && @.kind == 'a' && @.sub].id", [3]),
        ("$.state.items[?@.id == 2 || @.kind == 'a' && @.sub].id", [2, 3]),
        ("$.state.items[?@.id != -1].id", [1, 2, 3]),
        ("$.state.items[?@.on == true].id", [1]),
        ("$.state.items[?@.on == 1].id", []),
        ("$.state.items[?@.tags[?@ == 'y']].id", [1]),
        ("$.state.items[?@.tags[1] == 'y'].id", [1]),
        ("$.state.items[?@..id == 4]", None),
        ("$.state.items[?@.sub..id].id", [3]),
        ("$.state.items[?@ == 'loose']", ["loose"]),
        ("$.state.items[?@.a == @.b].id", [1, 2, 3]),
        ("$.state.items[?@.a <= @.b].id", [1, 2, 3]),
        ("$.state.items[?@.a < @.b].id", []),
        ("$.state.items[?@.id == $.item.id].id", []),
        ("$.state.items[?$.input.flag].id", [1, 2, 3]),
        ("$.state.items[?$.input.zzz].id", []),
        ("$.state.map[?@.n == 1]", [{"n": 1}]),
        ("$.state.items[0].id[?@ == 1]", []),
        ("$.state.items[?@['kind'] == \"a\"]['id']", [1, 3]),
    ],
)
def test_a_query_gives_all_it_finds_in_order(text: str, found: list[Any] | None) -> None:
    if found is None:
        with pytest.raises(CompileProblem, match="compares a part that can match many"):
            compile_path(text)
        return
    path = compile_path(text)
    assert not path.definite
    assert path.members is None
    assert path.root == "state"
    assert path(SCOPE) == found
    assert path.find(SCOPE) == (found or MISSING)


def test_a_query_never_gives_out_the_documents_own_list() -> None:
    document = {"items": [1, 2]}
    found = compile_path("$.state.items[*]")(Scope(state=document))
    found.append(3)
    assert document == {"items": [1, 2]}


def test_a_query_outside_of_its_scope_fails() -> None:
    path = compile_path("$.item.list[*]")
    with pytest.raises(StateFailure, match="only known inside a map"):
        path(SCOPE)
    assert path.find(SCOPE) is MISSING


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("$.state.items[?@.kind =~ '(a+)+$']", "uses `=~`; allowed: == != < <= > >="),
        ("$.state.items[?@.kind = 'a']", "uses `=`"),
        ("$.state.items[?@.kind == a]", "compares with the bare word a; write 'a'"),
        ("$.state.items.`len`", "a back-quoted operator"),
        ("$.state.items[/id]", "sorting"),
        ("$.state.items[?@.id + 1 == 2]", "arithmetic"),
        ("$.state.items[*] where id", "the word `where`"),
        ("$.state.items[*] | $.state.map", "a union by |"),
        ("$.state.items[?@.id == 1 & @.on]", "a single &"),
        ("$.state.items[?'a' == @.kind]", "left side is not a path"),
        ("$.state.items[?kind == 'a']", "left side is not a path"),
        ("$.state.items[?length(@.tags) > 1]", "is not a JSONPath"),
        ("$.state.items[0,'a']", "is not a JSONPath"),
        ("$.state.items[", "is not a JSONPath"),
        ("$.state.items[?@.kind == 'a]", "is not a JSONPath"),
        ("$.state.items[*].größe", "is not a JSONPath"),
        ("$.state.items[?@.a == '\\n']", "uses the escape \\n"),
        ("$.state.items[?@.kind == $.inptu.kind]", "Did you mean `input`?"),
        ("$.state.items[?$.input.*]", "not one plain value"),
        ("$.state.items[?$]", "not one plain value"),
        ("$.state.items[?@[0,1] == 1]", "compares a part that can match many"),
        ("$.state.items[*].$", "has $ or @ in its middle"),
        ("$.state.items..$", "has $ or @ in its middle"),
        ("$.state.5", "needs quotes"),
        ("$.state.numbers[0] * 2", "is not a JSONPath that is known here"),
        ("$.state.items[?@.id * 2 == 4]", "compares a part that can match many"),
        ("$.state.items" + "[?@.a" * 13 + "]" * 13, "nests brackets deeper than 12"),
        ("$.state" + "[*]" * 80, "has 241 parts, allowed are 200"),
    ],
)
def test_what_is_not_in_the_rfc_is_refused(text: str, message: str) -> None:
    with pytest.raises(CompileProblem) as raised:
        compile_path(text)
    assert message in raised.value.message


def test_a_quoted_text_may_hold_brackets_and_escaped_quotes() -> None:
    scope = Scope(state={"items": [{"a": "it's ])"}, {"a": "no"}]})
    assert compile_path("$.state.items[?@.a == 'it\\'s ])']")(scope) == [{"a": "it's ])"}]


@pytest.mark.parametrize(
    "text",
    ["$.state" + "[0,0,0,0,0,0,0,0]" * 10, "$.state..[*]..[*]", "$.state..[?@ == 1]"],
)
def test_a_query_that_visits_too_much_is_stopped(text: str) -> None:
    nested: Any = 1
    for _ in range(12):
        nested = [nested] * 4
    with pytest.raises(StateFailure) as raised:
        compile_path(text)(Scope(state=nested))
    assert raised.value.error == "States.DataLimitExceeded"
