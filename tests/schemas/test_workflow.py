"""The models of the language: forms, defaults, words in any case, and what excludes what."""

from typing import Any

import pytest
from pydantic import ValidationError
from schemas.documents import SMALLEST, definition
from stepwell_schemas.conditions import OPERATORS, Condition
from stepwell_schemas.states import STATE_MODELS, MapState, ParallelState, Quorum, TaskState, WaitState
from stepwell_schemas.workflow import WorkflowDefinition


def state(**content: Any) -> Any:
    return WorkflowDefinition.model_validate(definition(A=content)).states["A"]


@pytest.mark.parametrize("kind", STATE_MODELS)
def test_every_state_type_is_read_in_any_case(kind: str) -> None:
    for written in (kind, kind.upper(), kind.title()):
        read = state(type=written, **SMALLEST[kind])
        assert type(read) is STATE_MODELS[kind]
        assert read.model_dump()["type"] == kind


@pytest.mark.parametrize("kind", STATE_MODELS)
def test_every_state_type_refuses_an_unknown_key(kind: str) -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        state(type=kind, nonsense=1, **SMALLEST[kind])


def test_enum_words_keep_their_listed_spelling() -> None:
    read = state(type="parallel", failure="FAILFAST", **SMALLEST["parallel"])
    assert isinstance(read, ParallelState)
    assert read.failure == "failFast"


def test_a_quorum_is_a_number_of_branches() -> None:
    read = state(type="parallel", failure={"quorum": 1}, **SMALLEST["parallel"])
    assert read.failure == Quorum(quorum=1)


def test_python_names_are_taken_beside_the_written_ones() -> None:
    assert TaskState(type="task", activity="a", result_path="$.state.x", end=True).result_path == "$.state.x"


@pytest.mark.parametrize(
    ("form", "content"),
    [
        ("duration", {"duration": "PT5S"}),
        ("timestamp", {"timestamp": "2026-01-31T12:00:00Z"}),
        (
            "event",
            {"event": "X", "match": {"a": 1}, "count": 2, "timeout": 5, "timeoutNext": "A", "from": "now"},
        ),
        ("anyOf", {"anyOf": {"x": {"event": "X", "next": "A"}}, "timeout": 5}),
        ("allOf", {"allOf": {"x": {"event": "X"}, "y": {"event": "Y"}}}),
        ("absence", {"absence": {"event": "X", "for": "PT1H"}}),
    ],
)
def test_a_wait_has_one_form(form: str, content: dict[str, Any]) -> None:
    read = state(type="wait", **content)
    assert isinstance(read, WaitState)
    assert read.form == form


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"duration": 5, "event": "X"},
        {"duration": 5, "timeout": 5},
        {"timestamp": "2026-01-31T12:00:00Z", "from": "now"},
        {"duration": 5, "match": {}},
        {"event": "X", "timeoutNext": "A"},
        {"event": "X", "count": 0},
        {"event": "X", "count": "2"},
        {"anyOf": {}},
        {"absence": {"event": "X"}},
    ],
)
def test_other_waits_are_refused(content: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        state(type="wait", **content)


@pytest.mark.parametrize(
    "content", [{}, {"activity": "a", "workflow": "b"}, {"workflow": "b@x"}, {"activity": ""}]
)
def test_a_task_runs_either_an_activity_or_a_workflow(content: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        state(type="task", **content)


@pytest.mark.parametrize("reference", ["b", "b@1", "b@1.2", "b@1.2.0", "b@1.2.0-rc.1"])
def test_a_child_workflow_may_be_pinned(reference: str) -> None:
    assert state(type="task", workflow=reference).workflow == reference


def test_one_retry_or_catch_may_stand_for_a_list() -> None:
    read = state(type="task", activity="a", retry={"errors": "X"}, catch={"next": "A"})
    assert [policy.errors for policy in read.retry] == [["X"]]
    assert [catcher.errors for catcher in read.catch] == [["States.ALL"]]


def test_a_task_without_retry_differs_from_one_with_none() -> None:
    assert state(type="task", activity="a").retry is None
    assert state(type="task", activity="a", retry=[]).retry == []


def test_whether_a_result_is_dropped_on_purpose_is_known() -> None:
    assert "result_path" in state(type="task", activity="a", resultPath=None).model_fields_set
    assert "result_path" not in state(type="task", activity="a").model_fields_set


def test_an_integer_may_be_written_as_1e3_but_not_as_a_text() -> None:
    assert state(type="map", maxConcurrency=1e3, **SMALLEST["map"]).max_concurrency == 1000
    for wrong in ("5", True, 1.5, -1):
        with pytest.raises(ValidationError):
            state(type="map", maxConcurrency=wrong, **SMALLEST["map"])


def test_durations_may_be_paths_or_functions() -> None:
    for written in ("$.input.delay", {"$path": "$.input.delay", "$default": 5}):
        assert state(type="wait", duration=written).duration == written


@pytest.mark.parametrize("tolerate", [{}, {"count": 1, "percent": 5}, {"percent": 101}, {"count": -1}])
def test_a_tolerance_is_one_sound_limit(tolerate: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        state(type="map", tolerate=tolerate, **SMALLEST["map"])


def test_scopes_nest() -> None:
    inner = {"type": "map", **SMALLEST["map"]}
    read = state(type="parallel", branches={"x": {"startAt": "M", "states": {"M": inner}}})
    assert isinstance(read.branches["x"].states["M"], MapState)


@pytest.mark.parametrize("operator", OPERATORS)
def test_each_operator_is_known_by_its_written_name(operator: str) -> None:
    value = True if operator.startswith("is") else None
    condition = Condition.model_validate({"variable": "$.x", operator: value})
    assert (condition.kind, condition.operator, condition.value) == ("comparison", operator, value)


@pytest.mark.parametrize(("key", "count"), [("and", 2), ("or", 2), ("not", 1)])
def test_conditions_combine(key: str, count: int) -> None:
    part = {"variable": "$.x", "equals": 1}
    condition = Condition.model_validate({key: part if key == "not" else [part, part]})
    assert (condition.kind, condition.operator, condition.value) == (key, "", None)
    assert [inner.value for inner in condition.parts] == [1] * count


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"variable": "$.x"},
        {"equals": 1},
        {"variable": "x", "equals": 1},
        {"variable": "$.x", "equals": 1, "lessThan": 2},
        {"variable": "$.x", "equals": 1, "and": [{"variable": "$.x", "equals": 1}]},
        {"and": [], "or": []},
        {"and": []},
        {"not": {"variable": "$.x", "equals": 1}, "equals": 1},
        {"variable": "$.x", "isNull": "yes please"},
    ],
)
def test_other_conditions_are_refused(content: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Condition.model_validate(content)


def test_what_is_not_said_has_the_documented_defaults() -> None:
    read = WorkflowDefinition.model_validate(
        {**definition(A={"type": "succeed"}), "configuration": {"retry": {}}}
    )
    (policy,) = read.configuration.retry
    assert (policy.errors, policy.max_attempts, policy.initial_interval) == (["States.ALL"], 3, 1)
    assert (policy.backoff_coefficient, policy.max_interval, policy.jitter) == (2.0, None, "none")
    accumulator = read.configuration.accumulator
    assert (accumulator.max_events, accumulator.max_bytes, accumulator.overflow) == (
        1000,
        1_048_576,
        "reject",
    )
