"""Templates: paths, literals, functions, and the paths they use."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from interpreter.json_values import documents, keys, property_test, scalars
from stepwell_interpreter.failures import CompileProblem, StateFailure
from stepwell_interpreter.functions import functions
from stepwell_interpreter.scope import Scope
from stepwell_interpreter.templates import compile_template, template_paths

SCOPE = Scope(
    input={"deviceId": "d-1", "big": True},
    state={"n": 3, "items": [{"price": 2}, {"price": 5}], "flag": False, "text": "abc"},
    system={"now": "2026-01-01T00:00:00.000Z"},
    seed="seed",
)


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ("$.input.deviceId", "d-1"),
        ("$.state.items[*].price", [2, 5]),
        ("$$.text", "$.text"),
        ("$$[0]", "$[0]"),
        ("$", "$"),
        ("$$", "$$"),
        ("$5", "$5"),
        ("plain", "plain"),
        ({"a": "$.state.n", "b": "x", "c": ["$.state.n", 1]}, {"a": 3, "b": "x", "c": [3, 1]}),
        ({"$$ref": "$.state.n", "$$b": 1}, {"$ref": 3, "$b": 1}),
        ({"$$ref": 1}, {"$ref": 1}),
        (["$$.x", 1], ["$.x", 1]),
        ({"$format": ["{} of {}", "$.input.deviceId", "$.state.n"]}, "d-1 of 3"),
        ({"$add": "$.state.items[*].price"}, 7),
        ({"$upper": {"$concat": ["$.state.text", "d"]}}, "ABCD"),
        ({"$range": [1, 3]}, [1, 2, 3]),
        ({"$unique": [[1, 1]]}, [1]),
        ({"$path": "$.state.n"}, 3),
        ({"$path": "$.state.n", "$default": 0}, 3),
        ({"$path": "$.state.zzz", "$default": {"x": "$.state.n"}}, {"x": 3}),
        ({"$default": None, "$path": "$.item.x"}, None),
        ({"$path": "$.state.items[?@.price > 9]", "$default": "none"}, "none"),
        ({"$if": ["$.input.big", "yes", "no"]}, "yes"),
        ({"$if": ["$.state.flag", "yes", "$.state.n"]}, 3),
        ({"$if": ["$.state.flag", "yes"]}, None),
        ({"$if": [True, "yes", "$.state.zzz"]}, "yes"),
        ({"$if": [{"variable": "$.state.n", "greaterThan": 2}, "many", "few"]}, "many"),
        ({"$if": [{"not": {"variable": "$.state.x", "isPresent": True}}, 1, 2]}, 1),
        ({"$if": [{"$contains": ["$.state.text", "z"]}, 1, 2]}, 2),
    ],
)
def test_a_template_gives_its_value(template: Any, result: Any) -> None:
    assert compile_template(template)(SCOPE) == result


def test_the_order_of_keys_is_kept() -> None:
    template = compile_template({"z": "$.state.n", "a": 1, "m": "$.state.n"})
    assert list(template(SCOPE)) == ["z", "a", "m"]


@pytest.mark.parametrize("value", [{"a": [1, {"b": None}]}, [1, [2]], {}, [], 5])
def test_a_constant_is_given_out_without_a_copy(value: Any) -> None:
    assert compile_template(value)(SCOPE) is value


def test_a_constant_call_is_made_once() -> None:
    template = compile_template({"$range": [1, 3]})
    assert template(SCOPE) is template(SCOPE)


def test_results_of_a_template_do_not_share_what_moves() -> None:
    template = compile_template({"a": "$.state.n", "b": ["$.state.n"]})
    first = template(SCOPE)
    first["b"].append(0)
    first["a"] = 0
    assert template(SCOPE) == {"a": 3, "b": [3]}


@pytest.mark.parametrize(
    ("template", "pointer", "message"),
    [
        ({"a": [{"$lowre": "x"}]}, "/a/0/$lowre", "there is no function `$lowre`. Did you mean `$lower`?"),
        ({"$ref": "x", "other": 1}, "/$ref", "there is no function `$ref`"),
        ({"$lower": "x", "other": 1}, "", "`$lower` stands alone in its object; here beside it: `other`"),
        ({"$path": "$.state.x", "other": 1}, "", "`$path` stands alone"),
        ({"$default": 1}, "/$default", "there is no function `$default`"),
        ({"$path": "x"}, "/$path", "'x', a text, is not a path"),
        ({"$path": 5}, "/$path", "5, a number, is not a path"),
        ({"a/b": "$.stat.x"}, "/a~1b", "Did you mean `state`?"),
        ({"$format": ["{} {}", "$.state.n"]}, "/$format", "`$format`: the text has 2 placeholders {}"),
        ({"$format": ["{", "$.state.n"]}, "/$format", "`$format`: the text has a { without its }"),
        ({"$divide": [1, 0]}, "/$divide", "$divide: argument 2 is 0, a number"),
        ({"$if": ["$.state.n"]}, "/$if", "`$if` takes a condition, a value and another value, here are 1"),
        ({"$if": [True, 1, 2, 3]}, "/$if", "here are 4"),
        ({"$if": ["text", 1, 2]}, "/$if/0", "is neither a condition nor true or false"),
        (
            {"$if": [{"variable": "$.state.n", "greaterThn": 2}, 1, 2]},
            "/$if/0/greaterThn",
            "Did you mean `greaterThan`?",
        ),
        ({1: "x"}, "", "the key 1 is not a text"),
    ],
)
def test_a_wrong_template_is_refused_where_it_is_wrong(template: Any, pointer: str, message: str) -> None:
    with pytest.raises(CompileProblem) as raised:
        compile_template({"input": template}, "/states/A")
    assert raised.value.pointer == f"/states/A/input{pointer}"
    assert message in raised.value.message


def test_format_with_a_text_that_moves_is_checked_when_it_runs() -> None:
    template = compile_template({"$format": ["$.state.text", "$.state.n"]})
    with pytest.raises(StateFailure, match="0 placeholders"):
        template(SCOPE)


def test_if_wants_true_or_false() -> None:
    with pytest.raises(
        StateFailure, match=r"\$if: argument 1 is 3, a number; allowed is a condition, true or false"
    ):
        compile_template({"$if": ["$.state.n", 1, 2]})(SCOPE)


def test_a_template_may_not_nest_without_end() -> None:
    template: Any = 1
    for _ in range(65):
        template = [template]
    with pytest.raises(CompileProblem, match="nests deeper than 64"):
        compile_template(template)


def test_the_paths_of_a_template_are_listed() -> None:
    template = {
        "a": "$.input.x",
        "b": [{"$path": "$.state.y", "$default": "$.state.z"}],
        "c": {"$if": [{"variable": "$.item", "isPresent": True}, {"$upper": "$.state.w"}]},
    }
    assert [(used.pointer, used.path.text, used.optional) for used in template_paths(template, "/input")] == [
        ("/input/a", "$.input.x", False),
        ("/input/b/0/$path", "$.state.y", True),
        ("/input/b/0/$default", "$.state.z", False),
        ("/input/c/$if/0/variable", "$.item", True),
        ("/input/c/$if/1/$upper", "$.state.w", False),
    ]


paths = st.sampled_from(
    ["$.state", "$.state.a", "$.state.a.b", "$.state.b[0]", "$.input..a", "$.state[?@.a == 1]", "$.item"]
)
calls = st.sampled_from(sorted([*functions(), "$if", "$path"]))
templates: st.SearchStrategy[Any] = st.recursive(
    st.one_of(scalars, paths, paths),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(keys, inner, max_size=3),
        st.builds(lambda name, arguments: {name: arguments}, calls, st.lists(inner, max_size=3)),
        st.builds(lambda path, value: {"$path": path, "$default": value}, paths, inner),
    ),
    max_leaves=10,
)


@property_test
@given(templates, documents, documents)
def test_a_template_raises_nothing_but_state_failures(template: Any, state: Any, given_input: Any) -> None:
    try:
        evaluate = compile_template(template)
    except CompileProblem:
        return
    results = []
    for _ in range(2):
        try:
            results.append(repr(evaluate(Scope(state=state, input=given_input))))
        except StateFailure as failure:
            results.append(str(failure))
    assert results[0] == results[1]


@property_test
@given(documents)
def test_any_document_is_a_template_or_a_problem(template: Any) -> None:
    assume("$" not in repr(template))  # a path, a function or an escape means something else than itself
    try:
        evaluate = compile_template(template)
    except CompileProblem as problem:
        assert problem.message  # noqa: PT017 - either outcome is right
    else:
        assert repr(evaluate(Scope())) == repr(template)
