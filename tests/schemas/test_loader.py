"""Loading definitions: what an author is told, where, and that nothing makes the loader fall."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from schemas.documents import HEAD, ONBOARDING, definition
from stepwell_schemas.loader import LoadResult, load_definition
from stepwell_schemas.problems import Problem
from stepwell_schemas.source_text import MAX_SOURCE_BYTES


def load(text: str) -> LoadResult:
    return load_definition(text, file="flow.yaml")


def only(text: str) -> Problem:
    result = load(text)
    assert result.definition is None
    assert len(result.errors) == 1, [str(problem) for problem in result.problems]
    return result.errors[0]


def told(text: str) -> list[tuple[str, str]]:
    return [(problem.code, problem.pointer) for problem in load(text).problems]


def test_the_example_of_the_language_loads_without_a_problem() -> None:
    result = load(ONBOARDING)
    assert result.problems == ()
    assert result.definition is not None
    assert result.definition.states["Enough"].type == "choice"
    assert result.document is not None
    assert result.document["start"]["on"] == ["DeviceSeen"]


def test_the_same_document_as_json_loads_to_the_same_definition() -> None:
    result = load(ONBOARDING)
    as_json = load_definition(json.dumps(result.document, indent=2))
    assert (as_json.format, as_json.problems) == ("json", ())
    assert as_json.definition == result.definition


def test_a_file_is_loaded_and_named(tmp_path: Path) -> None:
    path = tmp_path / "flow.json"
    path.write_text('{"id": 5,}')
    (problem,) = load_definition(path).problems
    assert (problem.file, problem.line, problem.column, problem.code) == (str(path), 1, 10, "json-syntax")


def test_a_problem_reads_like_a_compilers() -> None:
    problem = only(ONBOARDING.replace("timeoutNext:", "timeoutNxt:"))
    assert str(problem) == (
        'flow.yaml:42:5: error: unknown key "timeoutNxt"; did you mean "timeoutNext"? '
        "(at /states/WaitForOwner/timeoutNxt) [unknown-key]"
    )
    assert problem.help is not None
    assert "timeoutNext" in problem.help


@pytest.mark.parametrize(
    ("old", "new", "code", "pointer", "place", "words"),
    [
        ("next: Gather", "next: gather", "unknown-state", "/states/WaitForOwner/next", (44, 11), "Gather"),
        ("default: Undo", "default: Und", "unknown-state", "/states/Enough/default", (54, 14), "Undo"),
        (
            "timeoutNext: T",
            "timeoutNext: t",
            "unknown-state",
            "/states/WaitForOwner/timeoutNext",
            (42, 18),
            "TimedOut",
        ),
        ("onError: Undo ", "onError: Udo ", "unknown-state", "/configuration/onError", (25, 12), "Undo"),
        ("startAt: CreateRecord", "startAt: Create", "unknown-state", "/startAt", (28, 10), "CreateRecord"),
        (
            "next: Provision}",
            "next: A}",
            "next-across-scopes",
            "/states/Enough/choices/0/next",
            (53, 72),
            "branches/hub",
        ),
        (
            "{startAt: B,",
            "{startAt: Done,",
            "next-across-scopes",
            "/states/Provision/branches/route/startAt",
            (60, 24),
            "workflow",
        ),
        ("jitter: none", "jitter: ful", "bad-value", "/configuration/retry/jitter", (24, 103), "full"),
        ("timeout: PT72H", "timeout: P3M", "bad-value", "/configuration/timeout", (22, 12), "days"),
        (
            "greaterThanOrEquals: 2",
            "greaterThanOrEqual: 2",
            "unknown-key",
            "/states/Enough/choices/0/greaterThanOrEqual",
            (53, 42),
            "greaterThanOrEquals",
        ),
        ("default: Undo", "next: Undo", "unknown-key", "/states/Enough/next", (54, 5), "it belongs to task"),
        ("type: fail,", "type: fial,", "bad-value", "/states/Failed/type", (66, 18), '"fail"'),
        ("version: 1.0.0", "version: 1.0", "schema", "/version", (3, 10), "a text, not a number"),
        ("id: device-onboarding", "id: Device", "bad-value", "/id", (2, 5), "lower-case"),
        ("next: Failed}", "next: Failed, end: true}", "next-and-end", "/states/Undo/end", (63, 57), "both"),
        (", next: Failed}", "}", "no-next", "/states/Undo", (63, 3), "neither"),
        (
            "resultPath: $.state.events",
            "resultPath: $.events",
            "bad-value",
            "/states/Gather/resultPath",
            (48, 17),
            "$.state",
        ),
        (
            "activity: device.events ",
            "workflow: x\n    activity: a",
            "too-many-keys",
            "/states/Gather/workflow",
            (47, 5),
            "exactly one",
        ),
        (
            "match: {",
            "duration: 5\n    match: {",
            "too-many-keys",
            "/states/WaitForOwner/event",
            (39, 5),
            "exactly one",
        ),
        ("  type: object\n", "  type: objct\n", "bad-json-schema", "/input/type", (9, 9), "objct"),
    ],
)
def test_a_mistake_is_told_once_with_place_and_way_out(
    old: str, new: str, code: str, pointer: str, place: tuple[int, int], words: str
) -> None:
    assert ONBOARDING.count(old) >= 1
    problem = only(ONBOARDING.replace(old, new, 1))
    assert (problem.code, problem.pointer, (problem.line, problem.column)) == (code, pointer, place)
    assert words in problem.message


@pytest.mark.parametrize(
    ("state", "pointer", "words"),
    [
        ("{type: task, activity: a, retry: 5, end: true}", "/retry", "a list or an object, not a number"),
        (
            "{type: task, activity: a, retry: {maxAttempts: -1}, end: true}",
            "/retry/maxAttempts",
            "-1 is less than 0",
        ),
        (
            "{type: task, activity: a, retry: [{jitter: 1}], end: true}",
            "/retry/0/jitter",
            "must be a text, not a number",
        ),
        ("{type: task, activity: a, priority: 101, end: true}", "/priority", "101 is more than 100"),
        ("{type: task, activity: '', end: true}", "/activity", "must not be empty"),
        ("{type: task, activity: a b, end: true}", "/activity", "letters, digits"),
        ("{type: task, activity: a, next: }", "/next", "must be a text, not null"),
        ("{type: task, activity: a, end: yes}", "/end", 'a boolean, not a text ("yes")'),
        ("{type: task, activity: a, timeout: {a: 1}, end: true}", "/timeout", "is not a duration"),
        (
            "{type: wait, duration: 5, timeout: 5, end: true}",
            "/timeout",
            "timeout cannot stand beside duration",
        ),
        ("{type: wait, duration: 5, match: {a: 1}, end: true}", "/match", "match needs event beside it"),
        ("{type: wait, event: X, match: [], end: true}", "/match", "must be an object, not a list"),
        ("{type: choice, choices: []}", "/choices", "must not be empty"),
        ("{type: choice, choices: [{equals: 1, variable: $.x, and: [], next: A}]}", "/choices/0/and", ""),
        ("{type: pass, set: {$.input.a: 1}, end: true}", "/set/$.input.a", "the key"),
        ("{type: compensation, steps: all, end: true}", "/steps", '"all" is not one of auto'),
        ("{type: compensation, steps: [{activty: a}], end: true}", "/steps/0/activty", "activity"),
        ("{type: fail, next: A}", "/next", "it belongs to"),
        ("foo", "", "must be an object, not a text"),
        ("{}", "", "type is missing"),
    ],
)
def test_a_wrong_value_is_told_in_an_authors_words(state: str, pointer: str, words: str) -> None:
    problems = load(HEAD + f"states: {{A: {state}}}").errors
    assert problems[0].pointer == f"/states/A{pointer}"
    assert words in problems[0].message


def test_a_name_may_be_neither_empty_nor_endless() -> None:
    for name, words in (("''", "must not be empty"), ("x" * 129, "more than 128 characters")):
        (problem,) = load(HEAD.replace(": A", f": {name}") + f"states: {{{name}: {{type: succeed}}}}").errors[
            1:
        ]
        assert words in problem.message


def test_all_problems_are_told_together_in_the_order_of_the_source() -> None:
    text = (
        ONBOARDING.replace("jitter: none", "jitter: 5")
        .replace("next: Gather", "next: G")
        .replace("fail,", "f,")
    )
    problems = load(text).errors
    assert [problem.pointer for problem in problems] == [
        "/configuration/retry/jitter",
        "/states/WaitForOwner/next",
        "/states/Failed/type",
    ]


def test_missing_keys_are_named() -> None:
    messages = [problem.message for problem in load("states: {A: {type: succeed}}").errors]
    assert messages == ["id is missing", "version is missing", "startAt is missing"]


def test_an_unreachable_state_is_a_warning() -> None:
    result = load(HEAD + "states: {A: {type: succeed}, B: {type: succeed}}")
    assert result.definition is not None
    (problem,) = result.problems
    assert (problem.code, problem.severity, problem.pointer) == ("unreachable-state", "warning", "/states/B")


def test_reachability_waits_until_the_names_are_right() -> None:
    assert told(HEAD + "states: {A: {type: pass, next: C}, B: {type: succeed}}") == [
        ("unknown-state", "/states/A/next")
    ]


def test_a_machine_that_cannot_end_is_refused_unless_it_waits() -> None:
    assert told(HEAD + "states: {A: {type: pass, next: A}}") == [("no-terminal-state", "/states")]
    living = load(HEAD + "states: {A: {type: wait, event: X, timeout: 5, next: A}}")
    assert living.definition is not None
    assert [problem.severity for problem in living.problems] == ["warning"]


@pytest.mark.parametrize(
    ("bound", "more", "codes"),
    [
        ("", "", ["wait-without-timeout"]),
        (", timeout: 5", "", []),
        ("", "\nconfiguration: {timeout: P1D}", []),
    ],
)
def test_a_wait_for_events_that_nothing_bounds_is_warned_of(bound: str, more: str, codes: list[str]) -> None:
    text = HEAD + f"states: {{A: {{type: wait, event: X{bound}, next: B}}, B: {{type: succeed}}}}{more}"
    assert [code for code, _ in told(text)] == codes


def test_a_branch_that_cannot_end_is_refused() -> None:
    inner = "{B: {type: wait, event: X, timeout: 5, next: B}}"
    text = HEAD + f"states: {{A: {{type: map, items: $.input, startAt: B, states: {inner}, end: true}}}}"
    assert told(text) == [("no-terminal-state", "/states/A/states")]


def test_a_wait_whose_alternatives_all_lead_on_needs_no_next() -> None:
    text = (
        HEAD
        + "states: {A: {type: wait, timeout: 5, timeoutNext: B, "
        + "anyOf: {x: {event: X, next: B}, z: {event: Z%s}}}, B: {type: succeed}}"
    )
    assert told(text % ", next: B") == []
    assert told(text % "") == [("no-next", "/states/A")]


def test_catch_targets_are_followed_in_both_forms() -> None:
    for catch in ("{next: B}", "[{errors: States.Timeout, next: B}]"):
        text = (
            HEAD
            + f"states: {{A: {{type: task, activity: a, catch: {catch}, end: true}}, B: {{type: succeed}}}}"
        )
        assert told(text) == []
        assert told(text.replace("next: B", "next: C"))[0][0] == "unknown-state"


def test_an_event_may_be_declared_without_a_schema() -> None:
    result = load(HEAD + "events:\n  Seen:\nstates: {A: {type: succeed}}")
    assert result.definition is not None
    assert result.definition.events == {"Seen": {}}


@pytest.mark.parametrize(
    ("schema", "code"),
    [
        ("{$ref: 'http://example.org/a'}", "foreign-reference"),
        ("{$ref: '#/$defs/a'}", "bad-json-schema"),
        ("{$ref: '#a'}", "bad-json-schema"),
        ("{$ref: '#'}", "bad-json-schema"),
        ("{allOf: [{$ref: '#/$defs/a'}], $defs: {a: {$ref: '#/$defs/a'}}}", "bad-json-schema"),
        ("{pattern: '('}", "bad-json-schema"),
        ("{patternProperties: {'[': {}}}", "bad-json-schema"),
        ("{type: strin}", "bad-json-schema"),
        ("{required: a}", "bad-json-schema"),
        ("{$schema: 'http://json-schema.org/draft-04/schema'}", "bad-json-schema"),
    ],
)
def test_an_embedded_schema_must_be_sound_and_closed(schema: str, code: str) -> None:
    for key in ("input: ", "events:\n  X: "):
        problem = only(HEAD + f"{key}{schema}\nstates: {{A: {{type: succeed}}}}")
        assert problem.code == code


def test_sound_references_are_left_alone() -> None:
    properties = "a: {$ref: '#/$defs/x'}, b: {$ref: '#z'}, c: {$ref: '#'}, d: {const: {$ref: q}}"
    schema = f"{{properties: {{{properties}}}, $defs: {{x: {{}}, z: {{$anchor: z}}}}}}"
    assert told(HEAD + f"input: {schema}\nstates: {{A: {{type: succeed}}}}") == []


def test_a_day_that_does_not_exist_is_refused() -> None:
    problem = only(HEAD + "states: {A: {type: wait, timestamp: '2026-02-30T00:00:00Z', end: true}}")
    assert (problem.code, problem.pointer) == ("bad-value", "/states/A/timestamp")


def test_amazon_states_language_is_recognised() -> None:
    assert load("StartAt: A\nStates: {}").dialect == "asl"


@pytest.mark.parametrize("text", ["5", "[1]", "hello", "'x'"])
def test_a_document_that_is_no_object_is_told(text: str) -> None:
    assert only(text).code == "wrong-type"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"\xff\xfei\x00d\x00", "not-utf-8"),
        (b"id: a\nname: \xe9", "not-utf-8"),
        (b"id: a\x00", "control-character"),
        (b"id: \x1b[31m", "control-character"),
        (b"#" * (MAX_SOURCE_BYTES + 1), "too-large"),
        ("#" + "ü" * (MAX_SOURCE_BYTES // 2), "too-large"),
        ("id: \ud800", "control-character"),
        (Path("no/such/file.yaml"), "unreadable-file"),
        (Path("/dev/zero"), "too-large"),
        (Path(), "unreadable-file"),
        (Path("a\0b"), "unreadable-file"),
    ],
)
def test_what_is_no_text_is_refused(content: Any, code: str) -> None:
    result = load_definition(content)
    assert (result.document, result.definition) == (None, None)
    assert [problem.code for problem in result.problems] == [code]


def test_a_wrong_byte_has_its_place() -> None:
    (problem,) = load_definition("a: 1\nü: ".encode() + b"\xff").problems
    assert (problem.line, problem.column) == (2, 4)


def test_a_byte_order_mark_is_passed_over() -> None:
    assert load_definition(b"\xef\xbb\xbf" + ONBOARDING.encode()).problems == ()


def test_thousands_of_mistakes_are_cut_short() -> None:
    states = "".join(f"  S{i}: {{type: task, activity: a, next: T{i}, foo: 1}}\n" for i in range(3000))
    result = load(HEAD + "states:\n" + states)
    assert 100 <= len(result.problems) <= 300


def test_a_definition_of_its_own_dump_is_the_same() -> None:
    definition = load(ONBOARDING).definition
    assert definition is not None
    again = load_definition(definition.model_dump_json(by_alias=True, exclude_unset=True))
    assert again.definition == definition


def test_deep_conditions_load_and_a_caller_deep_in_its_own_stack_is_told() -> None:
    nested = "{not: " * 90 + "{variable: $.x, equals: 1}" + "}" * 89 + ", next: B}"
    text = HEAD + f"states: {{A: {{type: choice, choices: [{nested}]}}, B: {{type: succeed}}}}"
    assert told(text) == []

    def deeply(levels: int) -> LoadResult:
        return deeply(levels - 1) if levels else load(text)

    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000)  # Python's own; a library that another test has imported may have raised it
    try:
        codes = {tuple(problem.code for problem in deeply(levels).problems) for levels in (300, 500, 700)}
    finally:
        sys.setrecursionlimit(usual)
    assert codes <= {(), ("too-deep",)}
    assert ("too-deep",) in codes


@given(st.text() | st.binary())
def test_no_text_makes_the_loader_fall(source: str | bytes) -> None:
    result = load_definition(source)
    assert result.problems or result.definition


@given(st.data())
def test_no_damage_to_a_good_text_makes_the_loader_fall(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(ONBOARDING)))
    length = data.draw(st.integers(0, 40))
    text = ONBOARDING[:start] + data.draw(st.text(max_size=10)) + ONBOARDING[start + length :]
    assert isinstance(load(text), LoadResult)


WORDS = st.sampled_from(["A", "task", "$.x", "PT5S"])
SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | WORDS
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "next", "states", "startAt", "choices", "catch", "anyOf", "not", "branches", "a"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
KEYS = ["input", "events", "start", "configuration", "startAt", "states", "id", "metadata"]


@given(st.dictionaries(st.sampled_from(KEYS), VALUES), st.dictionaries(st.sampled_from(["A", "B"]), VALUES))
def test_no_document_makes_the_loader_fall(changes: dict[str, Any], states: dict[str, Any]) -> None:
    document = {**definition(A={"type": "succeed"}), **changes}
    if isinstance(document["states"], dict):
        document["states"] = {**document["states"], **states}
    for text in (json.dumps(document), yaml.safe_dump(document, allow_unicode=True)):
        result = load_definition(text)
        for problem in result.problems:
            assert problem.line is not None or problem.code == "control-character"
