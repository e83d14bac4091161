"""Lowering: every problem is found at once, with a code, a pointer and a hint; and what a program knows."""

from typing import Any

import pytest
from interpreter.given import ACTIVITIES, definition, event, program
from stepwell_interpreter.lower import DefinitionProblem, DefinitionProblems, lower
from stepwell_interpreter.program import CompensationStep, MapStep, TaskStep
from stepwell_schemas.catalog import ActivityDescription
from stepwell_schemas.states import Scope

END = {"type": "succeed"}
SCHEMA = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "integer"},
        "note": {"type": "string"},
        "list": {"type": "array", "maxItems": 1},
    },
    "additionalProperties": False,
}
STRICT = ActivityDescription(name="strict", input_schema=SCHEMA)


def problems(
    states: dict[str, Any], *activities: ActivityDescription, **rest: Any
) -> list[DefinitionProblem]:
    with pytest.raises(DefinitionProblems) as raised:
        program(states, activities, **rest)
    return raised.value.problems


def only(states: dict[str, Any], *activities: ActivityDescription, **rest: Any) -> tuple[str, str, str]:
    (problem,) = problems(states, *activities, **rest)
    return problem.code, problem.pointer, problem.message


def a_task(**fields: Any) -> dict[str, Any]:
    return {"T": {"type": "task", "activity": "do", "end": True} | fields}


# -- problems ------------------------------------------------------------------------------------------------


def test_all_problems_are_found_at_once() -> None:
    states = {
        "A": {"type": "task", "activity": "doo", "input": {"x": "$.stat.x"}, "next": "B"},
        "B": {"type": "pass", "set": {"$.state.a": {"$nothing": 1}}, "next": "Ende"},
        "Ende~/": {"type": "succeed", "output": "$.wrong"},
    }
    found = problems(states)
    assert [(each.code, each.pointer) for each in found] == [
        ("path-root", "/states/A/input/x"),
        ("unknown-activity", "/states/A/activity"),
        ("unknown-state", "/states/B/next"),
        ("function", "/states/B/set/$.state.a/$nothing"),
        ("path-root", "/states/Ende~0~1/output"),
    ]
    assert "`Ende~/`" in found[2].message


def test_the_exception_says_where_and_what() -> None:
    with pytest.raises(DefinitionProblems, match=r"/states/T/activity: there is no activity `dont`"):
        program(a_task(activity="dont"))


def test_an_unknown_activity_comes_with_the_nearest_name_and_a_help() -> None:
    (problem,) = problems(a_task(activity="notifi"))
    assert "Did you mean `notify`?" in problem.message
    assert "worker" in problem.help


@pytest.mark.parametrize(
    ("states", "pointer"),
    [
        ({"A": {"type": "pass", "next": "X"}}, "/states/A/next"),
        (
            {
                "A": {
                    "type": "choice",
                    "choices": [{"variable": "$.input", "isNull": True, "next": "X"}],
                    "default": "A",
                }
            },
            "/states/A/choices/0/next",
        ),
        (
            {
                "A": {
                    "type": "choice",
                    "choices": [{"variable": "$.input", "isNull": True, "next": "A"}],
                    "default": "X",
                }
            },
            "/states/A/default",
        ),
        (
            {"A": {"type": "wait", "event": "E", "timeout": 1, "timeoutNext": "X", "end": True}},
            "/states/A/timeoutNext",
        ),
        ({"A": {"type": "wait", "anyOf": {"n": {"event": "E", "next": "X"}}}}, "/states/A/anyOf/n/next"),
        (a_task(catch=[{"next": "X"}]), "/states/T/catch/0/next"),
        (a_task(onError="X"), "/states/T/onError"),
        (
            {
                "P": {
                    "type": "parallel",
                    "branches": {"b": {"startAt": "X", "states": {"A": END}}},
                    "end": True,
                }
            },
            "/states/P/branches/b/startAt",
        ),
        (
            {
                "M": {
                    "type": "map",
                    "items": [],
                    "startAt": "A",
                    "states": {"A": {"type": "pass", "next": "M"}},
                    "end": True,
                }
            },
            "/states/M/states/A/next",
        ),
    ],
)
def test_a_state_that_is_not_there_is_named_wherever_it_is_led_to(
    states: dict[str, Any], pointer: str
) -> None:
    assert only(states)[:2] == ("unknown-state", pointer)


def test_the_start_and_the_configurations_on_error_must_be_there() -> None:
    model = definition({"A": END}, configuration={"onError": "Y"}).model_copy(update={"start_at": "X"})
    with pytest.raises(DefinitionProblems) as raised:
        lower(model, {}, "")
    assert [each.pointer for each in raised.value.problems] == ["/startAt", "/configuration/onError"]


def test_a_state_with_neither_next_nor_end_is_found() -> None:
    assert only({"A": {"type": "pass"}})[:2] == ("no-next", "/states/A")
    assert only({"A": {"type": "wait", "anyOf": {"x": {"event": "E"}}}})[:2] == ("no-next", "/states/A")


def test_a_wait_whose_every_alternative_leads_on_needs_no_next() -> None:
    program({"A": {"type": "wait", "anyOf": {"x": {"event": "E", "next": "B"}}}, "B": END})


@pytest.mark.parametrize(
    ("states", "pointer"),
    [
        (a_task(resultPath="$.state[*]"), "/states/T/resultPath"),
        (a_task(resultSelector={"a": "$.nope"}), "/states/T/resultSelector/a"),
        (a_task(timeout="$.nope"), "/states/T/timeout"),
        (a_task(retry={"initialInterval": "$.nope"}), "/states/T/retry/0/initialInterval"),
        (a_task(compensateWith={"activity": "undo", "input": "$.nope"}), "/states/T/compensateWith/input"),
        ({"A": {"type": "wait", "event": "E", "match": {"a": "$.nope"}, "end": True}}, "/states/A/match/a"),
        (
            {"A": {"type": "wait", "event": "E", "where": {"variable": "$.nope", "equals": 1}, "end": True}},
            "/states/A/where/variable",
        ),
        ({"A": {"type": "wait", "timestamp": "$.nope", "end": True}}, "/states/A/timestamp"),
        (
            {"A": {"type": "wait", "absence": {"event": "E", "for": "$.nope"}, "end": True}},
            "/states/A/absence/for",
        ),
        (
            {"A": {"type": "wait", "allOf": {"x": {"event": "E", "match": {"a": "$.nope"}}}, "end": True}},
            "/states/A/allOf/x/match/a",
        ),
        (
            {"A": {"type": "choice", "choices": [{"variable": "$.nope", "equals": 1, "next": "A"}]}},
            "/states/A/choices/0/variable",
        ),
        ({"A": {"type": "pass", "set": {"$.state[*]": 1}, "end": True}}, "/states/A/set/$.state[*]"),
        ({"A": {"type": "fail", "error": "$.nope"}}, "/states/A/error"),
        (
            {
                "A": {
                    "type": "compensation",
                    "steps": [{"activity": "undo", "when": {"variable": "$.nope", "isNull": True}}],
                    "end": True,
                }
            },
            "/states/A/steps/0/when/variable",
        ),
    ],
)
def test_a_wrong_path_is_found_at_its_pointer(states: dict[str, Any], pointer: str) -> None:
    assert only(states)[1] == pointer


def test_a_quorum_beyond_the_branches_is_found() -> None:
    branch = {"startAt": "A", "states": {"A": END}}
    states = {"P": {"type": "parallel", "branches": {"b": branch}, "failure": {"quorum": 2}, "end": True}}
    assert only(states)[:2] == ("quorum-too-large", "/states/P/failure/quorum")


# -- literal inputs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "pointers"),
    [
        ({"id": 1}, []),
        ({"id": "$.input.id"}, []),
        ({"id": {"$add": ["$.input.id", 1]}, "note": "$$.text"}, []),
        ("$.input", []),
        ({"list": [1, "$.input"], "id": 1}, ["/list"]),
        ({"id": "one"}, ["/id"]),
        ({"note": "$.input.x"}, [""]),
        ({"id": "$.input.x", "wrong": 1}, [""]),
        ("text", [""]),
        ([1], [""]),
    ],
)
def test_what_is_literal_in_an_input_is_held_against_the_activitys_schema(
    value: Any, pointers: list[str]
) -> None:
    states = a_task(activity="strict", input=value)
    if not pointers:
        program(states, [STRICT])
        return
    found = problems(states, STRICT)
    assert [(each.code, each.pointer) for each in found] == [
        ("activity-input", "/states/T/input" + pointer) for pointer in pointers
    ]


def test_a_missing_input_is_an_empty_object_and_found_wrong_at_the_state() -> None:
    assert only(a_task(activity="strict"), STRICT)[1] == "/states/T"


def test_inputs_of_undo_steps_are_checked_too() -> None:
    wrong = {"activity": "strict", "input": {"id": "x"}}
    assert only(a_task(compensateWith=wrong), STRICT)[1] == "/states/T/compensateWith/input/id"
    given = {"C": {"type": "compensation", "steps": [wrong, {"activity": "strict"}], "end": True}}
    assert [each.pointer for each in problems(given, STRICT)] == [
        "/states/C/steps/0/input/id",
        "/states/C/steps/1",
    ]


def test_a_wrong_template_in_a_checked_input_is_reported_once() -> None:
    states = a_task(activity="strict", input={"id": {"$nothing": 1}})
    assert only(states, STRICT)[0] == "function"


def test_an_activity_published_with_a_wrong_schema_is_named_once() -> None:
    broken = ActivityDescription(name="broken", input_schema={"type": "objekt"})
    states = {
        "A": {"type": "task", "activity": "broken", "next": "B"},
        "B": {"type": "task", "activity": "broken", "end": True},
    }
    assert only(states, broken)[:2] == ("invalid-schema", "/states/A/type")


def test_an_activity_published_with_a_wrong_retry_is_named() -> None:
    broken = ActivityDescription(name="broken", retry={"maxAttempts": "many"})
    assert only(a_task(activity="broken"), broken)[:2] == ("activity-retry", "/states/T/activity")


# -- schemas -------------------------------------------------------------------------------------------------


def test_schemas_that_are_none_are_found() -> None:
    found = problems({"A": END}, input={"type": "objekt"}, events={"E": {"required": "id"}})
    assert [(each.code, each.pointer) for each in found] == [
        ("invalid-schema", "/input/type"),
        ("invalid-schema", "/events/E/required"),
    ]


@pytest.mark.parametrize("reference", ["https://example.com/schema", "other.json", "#/$defs/nothing"])
def test_a_schema_refers_only_to_its_own_parts(reference: str) -> None:
    schema = {"properties": {"a": {"anyOf": [{"$ref": reference}]}}}
    assert only({"A": END}, input=schema)[:2] == ("schema-reference", "/input/properties/a/anyOf/0/$ref")


def test_a_schema_that_goes_round_in_a_circle_is_found() -> None:
    assert only({"A": END}, input={"$ref": "#"})[0] == "schema-reference"


def test_a_property_called_ref_is_no_reference() -> None:
    program({"A": END}, input={"properties": {"$ref": {"type": "string"}}, "examples": [{"$ref": "x"}]})


# -- what a program knows ------------------------------------------------------------------------------------


def test_a_program_lists_its_activities_children_and_events() -> None:
    states = {
        "A": {"type": "task", "activity": "do", "compensateWith": {"activity": "undo"}, "next": "B"},
        "B": {"type": "task", "workflow": "kid@1", "next": "C"},
        "C": {"type": "wait", "event": "Waited", "next": "D"},
        "D": {"type": "compensation", "steps": [{"activity": "notify"}], "end": True},
    }
    found = program(states, events={"Declared": None}, start={"on": "Started"})
    assert found.activity_names == {"do", "undo", "notify"}
    assert found.children == {"kid@1"}
    assert found.event_types == ("Declared", "Started", "Waited")
    assert found.start_types == ("Started",)
    assert [found.knows_event(name) for name in ("Waited", "Other")] == [True, False]
    assert [found.starts_on(name) for name in ("Started", "Waited")] == [True, False]
    assert found.compensates
    assert (found.id, found.version, found.hash) == ("flow", "1.0.0", "hash")
    assert found.after_completion == "buffer"


def test_a_program_carries_the_accumulators_limits_and_after_completion() -> None:
    found = program(
        {"A": END},
        start={"on": ["E"], "afterCompletion": "RESTART"},
        configuration={"accumulator": {"maxEvents": 5, "overflow": "dropOldest"}},
    )
    assert (found.accumulator.max_events, found.accumulator.overflow) == (5, "dropOldest")
    assert found.after_completion == "restart"


def test_machines_are_named_by_their_pointers() -> None:
    branch = {
        "startAt": "M",
        "states": {"M": {"type": "map", "items": [], "startAt": "A", "states": {"A": END}, "end": True}},
    }
    found = program({"P": {"type": "parallel", "branches": {"b": branch}, "end": True}})
    assert set(found.scopes) == {"", "/states/P/branches/b", "/states/P/branches/b/states/M"}


def test_the_start_input_is_the_events_data_unless_said() -> None:
    plain = program({"A": END}, start={"on": "Seen"})
    made = program(
        {"A": END}, start={"on": "Seen", "input": {"device": "$.event.device", "n": "$.event.data.n"}}
    )
    null = program({"A": END}, start={"on": "Seen", "input": None})
    assert plain.start_input(event(data={"n": 1})) == ({"n": 1}, None)
    assert made.start_input(event(data={"n": 1})) == ({"device": "d1", "n": 1}, None)
    assert null.start_input(event()) == (None, None)


def test_a_start_input_that_cannot_be_made_says_why() -> None:
    made = program({"A": END}, start={"on": "Seen", "input": "$.event.data.n"})
    value, problem = made.start_input(event(data={}))
    assert value is None
    assert problem is not None
    assert problem.startswith("start.input: States.ParameterPathFailure: ")


def test_a_start_input_sees_only_the_event() -> None:
    assert only({"A": END}, start={"on": "E", "input": {"a": "$.state.x"}})[:2] == (
        "start-path",
        "/start/input/a",
    )
    assert only({"A": END}, start={"on": "E", "input": "$.nope"})[0] == "path-root"


def test_the_input_problem_has_a_message_and_a_pointer() -> None:
    found = program({"A": END}, input={"required": ["a"], "properties": {"a": {"type": "string"}}})
    assert found.input_problem({"a": "x"}) is None
    assert found.input_problem({"a": 1}) == ("1 is not of type 'string'", "/a")
    assert program({"A": END}).input_problem(1) is None


def test_the_event_problem_names_the_place_in_the_data() -> None:
    found = program({"A": END}, events={"E": {"properties": {"a": {"type": "string"}}}, "Any": {}})
    assert found.event_problem("E", {"a": "x"}) is None
    assert found.event_problem("Any", 1) is None
    assert found.event_problem("E", {"a": 1}) == "data.a: 1 is not of type 'string'"


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "object", "required": ["a"]}, {"a": None}, {}),
        ({"required": ["a"], "title": "x"}, [], {}),
        ({"properties": {"a": {"enum": ["x", "y"]}}}, {"a": "y"}, {"a": "z"}),
        ({"properties": {"a": {"enum": [1, "y"]}}}, {"a": 1}, {"a": 2}),
        ({"minLength": 2}, 5, "x"),
        ({"type": "integer"}, 1.0, 1.5),
        ({"type": "number"}, 1.5, True),
        ({"type": ["string", "null"]}, None, 1),
        ({"type": "array", "items": {"type": "boolean"}}, [True], [1]),
        ({"type": "string", "minLength": 1}, "x", ""),
        ({"type": "boolean"}, False, 0),
        ({"type": "null"}, None, 0),
        ({"type": "array"}, [], {}),
        ({"title": "nothing"}, 1, None),
        ({"properties": {"a": True}}, {"a": 1}, None),
        (False, None, 1),
        (
            {
                "$defs": {"n": {"type": "object", "properties": {"n": {"$ref": "#/$defs/n"}}}},
                "$ref": "#/$defs/n",
            },
            {"n": {"n": {}}},
            {"n": {"n": 1}},
        ),
    ],
)
def test_the_quick_look_agrees_with_the_schema(schema: Any, good: Any, bad: Any) -> None:
    found = program({"A": END}, input=schema)
    if schema is not False:
        assert found.input_problem(good) is None
    if bad is not None:
        assert found.input_problem(bad) is not None


def test_a_maps_concurrency_has_a_bound() -> None:
    machine = {"items": [], "startAt": "A", "states": {"A": END}, "end": True}
    states = {
        name: {"type": "map", "maxConcurrency": n, **machine}
        for name, n in (("A", 0), ("B", 9), ("C", 9_999))
    }
    steps = program(states).scopes[""].steps.values()
    assert [step.limits(None).concurrency for step in steps if isinstance(step, MapStep)] == [40, 9, 400]


def test_a_child_has_no_retries_but_those_that_are_written() -> None:
    (step,) = program({"T": {"type": "task", "workflow": "kid", "end": True}}).scopes[""].steps.values()
    assert isinstance(step, TaskStep)
    assert step.retry == ()


def test_a_compensations_own_policy_is_told_from_none() -> None:
    (step,) = program({"C": {"type": "compensation", "end": True}}).scopes[""].steps.values()
    assert isinstance(step, CompensationStep)
    assert step.own_retry is None


def test_lowering_takes_any_mapping_of_activities() -> None:
    assert lower(definition({"A": END}), ACTIVITIES, "h").hash == "h"
    assert Scope.model_validate({"startAt": "A", "states": {"A": END}}).start_at == "A"
