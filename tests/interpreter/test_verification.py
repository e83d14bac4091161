"""Verification at upload: each check finds its mistake, names the place, and leaves what is right alone."""

# ruff: noqa: E501 - one mistake is one line, so that the tables read as tables

from collections.abc import Sequence
from typing import Any

import pytest
from stepwell_interpreter.compile import compile_source
from stepwell_interpreter.verification.findings import CHECKS
from stepwell_schemas.catalog import ActivityDescription
from stepwell_schemas.problems import Problem

END = {"type": "succeed"}
TEXT = {"type": "string"}
RECORD = {
    "type": "object",
    "required": ["id", "count"],
    "properties": {"id": TEXT, "count": {"type": "integer"}},
    "additionalProperties": False,
}
MAKE = ActivityDescription(name="make", output_schema=RECORD)
REMOVE = ActivityDescription(name="remove", compensates="make")
TAKE = ActivityDescription(
    name="take",
    input_schema={
        "type": "object",
        "required": ["id"],
        "properties": {"id": TEXT, "items": {"type": "array", "items": TEXT}},
        "additionalProperties": False,
    },
    output_schema={"type": "null"},
)
PLAIN = [ActivityDescription(name=name) for name in ("do", "notify", "http.request", "device.events")]
KNOWN = {each.name: each for each in (MAKE, REMOVE, TAKE, *PLAIN)}
INPUT = {
    "type": "object",
    "required": ["id", "kind"],
    "properties": {
        "id": TEXT,
        "kind": {"enum": ["a", "b"]},
        "size": {"type": "number"},
        "password": {"type": "string", "writeOnly": True},
        "list": {"type": "array", "items": {"type": "object", "properties": {"x": TEXT}, "required": ["x"]}},
    },
}
EVENTS = {
    "Seen": {
        "type": "object",
        "required": ["id"],
        "properties": {"id": TEXT, "level": {"enum": ["hi", "lo"]}},
    }
}


def told(states: dict[str, Any], **rest: Any) -> Sequence[Problem]:
    """All problems of a workflow with a typed input."""
    document = {
        "id": "flow",
        "version": "1.0.0",
        "input": INPUT,
        "startAt": next(iter(states)),
        "states": states,
    }
    return compile_source({**document, **rest}, activities=KNOWN).problems


def codes(states: dict[str, Any], **rest: Any) -> list[tuple[str, str]]:
    return [(problem.code, problem.pointer) for problem in told(states, **rest)]


def task(activity: str = "do", **fields: Any) -> dict[str, Any]:
    return {"type": "task", "activity": activity, "resultPath": None, "next": "End", **fields}


def reading(path: Any, **fields: Any) -> dict[str, Any]:
    return {"T": task(input={"v": path}, **fields), "End": END}


def deciding(*rules: dict[str, Any], default: str | None = "End") -> dict[str, Any]:
    state: dict[str, Any] = {"type": "choice", "choices": [{"next": "Do", **rule} for rule in rules]}
    return {"C": state | ({} if default is None else {"default": default}), "Do": task(), "End": END}


WAIT = {
    "type": "wait",
    "event": "Seen",
    "match": {"id": "$.input.id"},
    "timeout": 60,
    "resultPath": "$.state.e",
}

# -- one mistake each: name of the check, where, the workflow ------------------------------------------------

MISTAKES: dict[str, tuple[str, dict[str, Any]]] = {
    "path-never-written": ("/states/T/input/v", reading("$.state.nothing")),
    "path-unknown-key": (
        "/states/U/input/v",
        {"T": task("make", resultPath="$.state.r", next="U"), "U": task(input={"v": "$.state.r.idd"}), "End": END},
    ),
    "path-undeclared-key": ("/states/T/input/v", reading("$.input.idd")),
    "path-optional": ("/states/T/input/v", reading("$.input.size")),
    "path-out-of-scope": ("/states/T/input/v", reading("$.item.x")),
    "path-into-scalar": ("/states/T/input/v", reading("$.input.id.x")),
    "path-maybe-missing": (
        "/states/U/input/v",
        {
            "C": {"type": "choice", "choices": [{"variable": "$.input.kind", "equals": "a", "next": "T"}], "default": "U"},
            "T": task("make", resultPath="$.state.r", next="U"),
            "U": task(input={"v": "$.state.r.id"}),
            "End": END,
        },
    ),
    "activity-input-type": (
        "/states/T/input/id",
        {"T": task("take", input={"id": "$.input.list"}), "End": END}
        | {"T": task("take", input={"id": {"$length": "$.input.id"}})},
    ),
    "function-argument": ("/states/T/input/v/$add/1", reading({"$add": [1, "$.input.id"]})),
    "items-not-a-list": (
        "/states/M/items",
        {"M": {"type": "map", "items": "$.input.id", "startAt": "T", "states": {"T": {**task(), "next": "E"}, "E": END},
               "resultPath": None, "next": "End"}, "End": END},
    ),
    "not-a-duration": ("/states/T/timeout", reading(1, timeout={"$split": ["$.input.id", ","]})),
    "not-a-timestamp": ("/states/W/timestamp", {"W": {"type": "wait", "timestamp": {"$length": "$.input.id"}, "next": "End"}, "End": END}),
    "never-true": ("/states/C/choices/0/equals", deciding({"variable": "$.input.kind", "equals": "c"})),
    "always-true": ("/states/C/choices/0/notEquals", deciding({"variable": "$.input.id", "notEquals": 3})),
    "result-path-collision": (
        "/states/U/resultPath",
        {"P": {"type": "pass", "set": {"$.state.a": 1}, "next": "U"}, "U": task(resultPath="$.state.a.b"), "End": END},
    ),
    "unused-result": ("/states/T", {"T": {"type": "task", "activity": "do", "next": "End"}, "End": END}),
    "result-selector-unused": ("/states/T/resultSelector", reading(1, resultSelector={"x": "$.result"})),
    "choice-without-default": ("/states/C", deciding({"variable": "$.input.kind", "equals": "a"}, default=None)),
    "rule-unreachable": (
        "/states/C/choices/1",
        deciding({"variable": "$.input.id", "startsWith": "x"}, {"variable": "$.input.id", "startsWith": "x"}),
    ),
    "default-unreachable": (
        "/states/C/default",
        deciding({"variable": "$.input.kind", "equals": "a"}, {"variable": "$.input.kind", "equals": "b"}),
    ),
    "same-target": ("/states/C", {"C": deciding({"variable": "$.input.kind", "equals": "a", "next": "End"})["C"], "End": END}),
    "endless-loop": (
        "/states/P",
        {"P": {"type": "pass", "set": {}, "next": "C"}, "C": {"type": "choice", "choices": [
            {"variable": "$.input.kind", "equals": "a", "next": "P"}], "default": "End"}, "End": END},
    ),
    "busy-loop": (
        "/states/T",
        {"T": task("make", resultPath="$.state.r", next="C"), "C": {"type": "choice", "choices": [
            {"variable": "$.state.r.count", "lessThan": 3, "next": "T"}], "default": "End"}, "End": END},
    ),
    "no-way-to-end": (
        "/states/A",
        {"C": {"type": "choice", "choices": [{"variable": "$.input.kind", "equals": "a", "next": "A"}], "default": "End"},
         "A": task(next="B"), "B": task(next="A"), "End": END},
    ),
    "error-route-loop": ("/states/T/onError", reading(1, onError="T")),
    "catch-shadowed": (
        "/states/T/catch/1",
        reading(1, catch=[{"errors": ["States.ALL"], "next": "End"}, {"errors": ["Bad"], "next": "End"}]),
    ),
    "retry-shadowed": (
        "/states/T/retry/1", reading(1, retry=[{"errors": ["States.ALL"]}, {"errors": ["Bad"]}])
    ),
    "never-caught": ("/states/T/catch/0/errors/0", reading(1, catch=[{"errors": ["States.Runtime"], "next": "End"}])),
    "unknown-error-name": ("/states/T/catch/0/errors/0", reading(1, catch=[{"errors": ["States.Timout"], "next": "End"}])),
    "error-cannot-occur": (
        "/states/T/catch/0/errors/0", reading(1, catch=[{"errors": ["States.NoChoiceMatched"], "next": "End"}])
    ),
    "retry-never": ("/states/T/retry/0", reading(1, retry=[{"errors": ["States.ParameterPathFailure"]}])),
    "heartbeat-beyond-timeout": ("/states/T/heartbeat", reading(1, heartbeat=60, timeout=30)),
    "timeout-zero": ("/states/T/timeout", reading(1, timeout=0)),
    "undo-never-run": ("/states/T/compensateWith", {"T": task("make", compensateWith={"activity": "remove"}), "End": END}),
    "secret-exposed": ("/states/T/input/message", {"T": task("notify", input={"message": {"$format": ["{}", {"$path": "$.input.password", "$default": ""}]}}), "End": END}),
    "parallel-write-conflict": (
        "/states/P/branches/b/states/B/resultPath",
        {"P": {"type": "parallel", "branches": {
            "a": {"startAt": "A", "states": {"A": {"type": "task", "activity": "do", "resultPath": "$.state.x", "end": True}}},
            "b": {"startAt": "B", "states": {"B": {"type": "task", "activity": "do", "resultPath": "$.state.x.y", "end": True}}},
        }, "resultPath": None, "next": "End"}, "End": END},
    ),
}  # fmt: skip


@pytest.mark.parametrize("code", MISTAKES)
def test_a_mistake_is_told_once_at_its_place(code: str) -> None:
    pointer, states = MISTAKES[code]
    assert (code, pointer) in codes(states)
    assert [problem.help for problem in told(states) if problem.code == code] == [CHECKS[code].help]


WITH_EVENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "event-undeclared": ("/states/W/event", {"event": "Sen"}),
    "wait-without-match": ("/states/W", {"match": {}}),
    "match-unknown-key": ("/states/W/match/idd", {"match": {"idd": "$.input.id"}}),
    "match-type": ("/states/W/match/level", {"match": {"level": "medium"}}),
    "never-true": ("/states/W/where/equals", {"where": {"variable": "$.event.data.id", "equals": 3}}),
    "path-undeclared-key": (
        "/states/W/where/variable",
        {"where": {"variable": "$.event.data.lvel", "equals": 3}},
    ),
}


@pytest.mark.parametrize("code", WITH_EVENTS)
def test_a_mistake_about_an_event_is_told_at_its_place(code: str) -> None:
    pointer, fields = WITH_EVENTS[code]
    states = {"W": {**WAIT, "next": "End", **fields}, "End": END}
    assert (code, pointer) in codes(states, events=EVENTS)


def test_an_event_that_nobody_uses_is_told_unless_the_events_are_read() -> None:
    states = {"W": {**WAIT, "next": "End"}, "End": END}
    assert codes(states, events={**EVENTS, "Other": {}}) == [("event-unused", "/events/Other")]
    states = {"W": {**WAIT, "next": "T"}, "T": task("device.events"), "End": END}
    assert codes(states, events={**EVENTS, "Other": {}}) == []


def test_what_events_start_with_must_be_an_input() -> None:
    start = {"on": ["Seen"], "input": {"id": "$.event.received", "kind": "c"}}
    found = codes({"W": {**WAIT, "next": "End"}, "End": END}, events=EVENTS, start=start)
    assert found == [("start-input", "/start/input/id"), ("start-input", "/start/input/kind")]


def test_a_misspelt_keyword_of_a_schema_is_told_and_an_annotation_is_not() -> None:
    schema = {"type": "object", "propertes": {"id": TEXT}, "x-team": "ours", "unit": "mm"}
    assert codes({"T": task(), "End": END}, input=schema) == [("schema-keyword", "/input/propertes")]


def test_limits_are_held_against_that_of_the_instance() -> None:
    long = {"W": {**WAIT, "timeout": "P2D", "next": "End"}, "End": END}
    assert codes(long, configuration={"timeout": "P1D"}) == [("timeout-beyond-instance", "/states/W/timeout")]
    tries = reading(1, retry=[{"maxAttempts": 9, "initialInterval": 3600}])
    assert ("retry-beyond-instance", "/states/T/retry/0") in codes(tries, configuration={"timeout": "P1D"})


# -- compensation ----------------------------------------------------------------------------------------------

UNDONE = {"activity": "remove", "input": {"id": "$.result.id"}}
UNDO = {
    "Undo": {"type": "compensation", "resultPath": None, "next": "Failed"},
    "Failed": {"type": "fail"},
    "End": END,
}


def undoing(first: dict[str, Any], second: dict[str, Any], **rest: Any) -> list[tuple[str, str]]:
    states = {"A": {**first, "next": "B"}, "B": second, **UNDO}
    return codes(states, configuration={"onError": "Undo"}, **rest)


def test_what_can_be_undone_and_is_not_is_told() -> None:
    assert ("undo-missing", "/states/A") in undoing(task("make"), task())
    assert undoing(task("make", compensateWith=UNDONE), task()) == []


def test_the_last_step_needs_no_undo_where_nothing_can_fail_after_it() -> None:
    assert undoing(task("make", compensateWith=UNDONE), task("make")) == []


def test_a_compensation_that_never_has_anything_to_undo_is_told() -> None:
    assert undoing(task(), task("make", compensateWith=UNDONE)) == [("nothing-to-undo", "/states/Undo")]


def test_an_undo_of_something_else_is_told() -> None:
    wrong = task("do", compensateWith={"activity": "remove", "input": {}})
    assert ("undo-mismatch", "/states/A/compensateWith/activity") in undoing(wrong, task())


def test_a_failure_on_a_way_past_the_compensation_is_told() -> None:
    first = task("make", compensateWith=UNDONE)
    choice = {
        "type": "choice",
        "choices": [{"variable": "$.input.kind", "equals": "a", "next": "Failed"}],
        "default": "End",
    }
    assert undoing(first, choice) == [("fail-without-undo", "/states/Failed")]


# -- what is right is left alone -------------------------------------------------------------------------------

RIGHT: dict[str, dict[str, Any]] = {
    "a default": reading({"$path": "$.input.size", "$default": 0}),
    "a guard by a choice": {
        "C": {"type": "choice", "choices": [{"variable": "$.input.size", "isPresent": True, "next": "T"}], "default": "End"},
        **reading("$.input.size"),
    },
    "a guard by $if": reading({"$if": [{"variable": "$.input.size", "isPresent": True}, "$.input.size", 0]}),
    "a guard inside of and": deciding(
        {"and": [{"variable": "$.input.size", "isPresent": True}, {"variable": "$.input.size", "greaterThan": 3}]}
    ),
    "a read after a read that would have failed": {
        "T": task(input={"v": "$.input.id"}, next="U"), "U": task(input={"v": "$.input.id"}), "End": END
    },
    "all values of an enum": deciding(
        {"variable": "$.input.kind", "equals": "a"}, {"variable": "$.input.kind", "in": ["b"]}, default=None
    ),
    "opposites": deciding(
        {"variable": "$.input.id", "startsWith": "x"}, {"not": {"variable": "$.input.id", "startsWith": "x"}}, default=None
    ),
    "a loop that is counted": {
        "P": {"type": "pass", "set": {"$.state.n": 0}, "next": "T"},
        "T": task(next="Q"),
        "Q": {"type": "pass", "set": {"$.state.n": {"$add": ["$.state.n", 1]}}, "next": "C"},
        "C": {"type": "choice", "choices": [{"variable": "$.state.n", "lessThan": 3, "next": "T"}], "default": "End"},
        "End": END,
    },
    "a loop that waits": {
        "T": task(next="W"), "W": {"type": "wait", "duration": 5, "next": "C"},
        "C": {"type": "choice", "choices": [{"variable": "$.input.kind", "equals": "a", "next": "T"}], "default": "End"},
        "End": END,
    },
    "an error in its handler": {
        "T": task(catch={"errors": "Bad", "resultPath": "$.state.problem", "next": "H"}),
        "H": {"type": "fail", "error": "$.error.error", "cause": "$.state.problem.cause"}, "End": END,
    },
    "what both branches of a parallel write": {
        "P": {"type": "parallel", "branches": {
            name: {"startAt": "A", "states": {"A": {"type": "task", "activity": "make", "resultPath": f"$.state.{name}", "end": True}}}
            for name in ("a", "b")}, "resultPath": "$.state.both", "next": "T"},
        **reading("$.state.a.id"), "End": {"type": "succeed", "output": ["$.state.b.count", "$.state.both.a.id"]},
    },
    "items and their members": {
        "C": {"type": "choice", "choices": [{"variable": "$.input.list", "isPresent": True, "next": "M"}], "default": "End"},
        "M": {"type": "map", "items": "$.input.list", "startAt": "T", "states": {
            "T": {**task("take", input={"id": "$.item.x"}), "next": "E"}, "E": {"type": "succeed", "output": "$.index"}},
            "resultPath": "$.state.all", "next": "Done"},
        "Done": {"type": "succeed", "output": {"$length": "$.state.all"}}, "End": END,
    },
    "a hash of a secret": {
        "T": task("notify", input={"message": {"$hash": {"$path": "$.input.password", "$default": ""}}}), "End": END
    },
    "nothing known at all": {"T": task(resultPath="$.state.x", next="U"), "U": task(input={"v": "$.state.x.y.z"}), "End": END},
}  # fmt: skip


@pytest.mark.parametrize("what", RIGHT)
def test_what_is_right_is_told_nothing(what: str) -> None:
    assert codes(RIGHT[what]) == []


def test_a_misspelt_name_in_state_names_the_nearest_that_is_written() -> None:
    states = {
        "T": task("make", resultPath="$.state.record", next="U"),
        "U": task(input={"v": "$.state.recrod.id"}),
        "End": END,
    }
    (problem,) = told(states)
    assert "did you mean `record`?" in problem.message
    assert problem.line is not None


def test_a_branch_sees_what_another_writes_as_maybe_missing() -> None:
    branches = {
        "a": {
            "startAt": "A",
            "states": {"A": {"type": "task", "activity": "make", "resultPath": "$.state.r", "end": True}},
        },
        "b": {"startAt": "B", "states": {"B": {**task(input={"v": "$.state.r"}), "next": "E"}, "E": END}},
    }
    states = {"P": {"type": "parallel", "branches": branches, "resultPath": None, "next": "End"}, "End": END}
    assert codes(states) == [("path-maybe-missing", "/states/P/branches/b/states/B/input/v")]


# -- silencing -------------------------------------------------------------------------------------------------


def silenced(*ignores: dict[str, str]) -> list[str]:
    states = {
        "T": {"type": "task", "activity": "do", "input": {"v": "$.input.size"}, "next": "End"},
        "End": END,
    }
    return [code for code, _ in codes(states, checks={"ignore": list(ignores)})]


def test_a_warning_is_silenced_by_its_code_with_a_reason() -> None:
    ignore = {"code": "unused-result", "reason": "it only says done"}
    assert silenced(ignore) == ["path-optional"]
    assert silenced({**ignore, "at": "T"}) == silenced({**ignore, "at": "/states/T"}) == ["path-optional"]


def test_an_ignore_that_is_wrong_is_itself_told() -> None:
    assert "ignore-without-reason" in silenced({"code": "unused-result"})
    assert "ignore-unknown-code" in silenced({"code": "unused-resul", "reason": "r"})
    assert "ignore-unused" in silenced({"code": "busy-loop", "reason": "r"})
    assert "ignore-unused" in silenced({"code": "unused-result", "reason": "r", "at": "End"})


def test_an_error_that_no_run_survives_cannot_be_silenced() -> None:
    found = codes(reading("$.state.x"), checks={"ignore": [{"code": "path-never-written", "reason": "r"}]})
    assert [code for code, _ in found] == ["path-never-written", "ignore-refused"]
