"""One state alone: its data steps laid open, its errors, and what may not be given to it."""

from typing import Any

import pytest
from stepwell.testing import DefinitionRefused, MockRefused, UnmockedTask, test_state

TASK: dict[str, Any] = {
    "type": "task",
    "activity": "do",
    "input": {"n": "$.input.n", "seen": "$.state.seen"},
    "resultSelector": {"twice": {"$multiply": ["$.result.n", 2]}},
    "resultPath": "$.state.done",
    "retry": [{"errors": ["Busy"], "maxAttempts": 2, "initialInterval": "PT3S", "backoffCoefficient": 2}],
    "catch": [{"errors": ["Gone"], "next": "Lost", "resultPath": "$.state.error"}],
    "next": "After",
}


def run(tested: dict[str, Any] | None = None, input: Any = None, **rest: Any) -> Any:
    """Test a state, or TASK."""
    rest.setdefault("variables", {"seen": True})
    return test_state(
        TASK if tested is None else tested, {"n": 1} if input is None else input, inspection="DEBUG", **rest
    )


def test_each_step_of_the_data_is_shown() -> None:
    result = run(outcome={"output": {"n": 4}})
    assert (result.status, result.next_state, result.output) == ("succeeded", "After", {"twice": 8})
    assert result.inspection == {
        "input": {"n": 1, "seen": True},
        "result": {"n": 4},
        "selected": {"twice": 8},
        "state": {"seen": True, "done": {"twice": 8}},
    }


def test_info_shows_the_result_alone() -> None:
    result = test_state(TASK, {"n": 1}, outcome={"output": {"n": 4}}, variables={"seen": 1})
    assert (result.output, result.inspection) == ({"twice": 8}, {})


def test_error_that_a_rule_retries_is_retriable() -> None:
    result = run(outcome={"error": "Busy", "cause": "wait"})
    assert (result.status, result.error, result.cause) == ("retriable", "Busy", "wait")
    assert result.inspection["error"] == {"retryIndex": 0, "retryBackoffIntervalSeconds": 3}


def test_retries_used_before_count() -> None:
    again = run(outcome={"error": "Busy"}, configuration={"retrierRetryCount": 1})
    assert again.inspection["error"]["retryBackoffIntervalSeconds"] == 6
    assert run(outcome={"error": "Busy"}, configuration={"retrierRetryCount": 2}).status == "failed"


def test_caught_error_leads_on() -> None:
    result = run(outcome={"error": "Gone", "cause": "away"})
    assert (result.status, result.next_state, result.error) == ("caughtError", "Lost", "Gone")
    assert result.inspection["state"]["error"] == {"error": "Gone", "cause": "away"}
    assert result.inspection["error"] == {"catchIndex": 0}


def test_error_nothing_takes_fails() -> None:
    assert run(outcome={"error": "Other", "cause": "why"}).status == "failed"


def test_wrong_path_is_a_failure_with_what_was_seen_before_it() -> None:
    result = run(outcome={"output": {"m": 4}})
    assert (result.status, result.error) == ("failed", "States.ParameterPathFailure")
    assert "selected" not in result.inspection


def test_task_without_an_outcome_is_told() -> None:
    with pytest.raises(UnmockedTask, match="state StateName runs do: give what it comes to"):
        run()


def test_choice_shows_its_conditions() -> None:
    choice = {
        "type": "choice",
        "choices": [{"variable": "$.input.n", "greaterThan": 5, "next": "Big"}],
        "default": "Small",
    }
    result = run(choice)
    assert result.next_state == "Small"
    assert len(result.inspection["conditions"]) == 1


def test_state_that_leads_to_itself_is_left() -> None:
    result = run(
        {
            "type": "choice",
            "choices": [{"variable": "$.input.n", "equals": 1, "next": "StateName"}],
            "default": "X",
        }
    )
    assert (result.status, result.next_state) == ("succeeded", "StateName")


def test_state_of_a_definition_is_found_inside_a_map() -> None:
    inner = {
        "Each": {"type": "task", "activity": "do", "input": {"at": "$.index", "it": "$.item"}, "end": True}
    }
    mapped = {
        "type": "map",
        "items": "$.input.all",
        "startAt": "Each",
        "states": inner,
        "resultPath": None,
        "end": True,
    }
    definition = {"id": "flow", "version": "1.0.0", "startAt": "M", "states": {"M": mapped}}
    result = run(definition, state="Each", context={"item": "x", "index": 3}, outcome={"output": "done"})
    assert (result.status, result.output) == ("succeeded", "done")
    assert result.inspection["input"] == {"at": 3, "it": "x"}


def test_map_is_answered_as_a_whole() -> None:
    inner = {"Each": {"type": "task", "activity": "do", "end": True}}
    mapped = {
        "type": "map",
        "items": "$.input.all",
        "startAt": "Each",
        "states": inner,
        "resultPath": "$.state.m",
        "end": True,
    }
    result = run(mapped, {"all": [1, 2]}, outcome={"output": ["a", "b"]})
    assert (result.inspection["items"], result.output) == ([1, 2], ["a", "b"])


def test_time_passes_at_once() -> None:
    assert run({"type": "wait", "duration": "PT10H", "next": "B"}).next_state == "B"


WAIT = {
    "type": "wait",
    "event": "Paid",
    "match": {"n": "$.input.n"},
    "timeout": "PT1H",
    "timeoutNext": "Late",
    "next": "B",
}


def test_wait_without_an_event_shows_what_it_waits_for() -> None:
    result = run(WAIT)
    assert result.status == "waiting"
    assert result.inspection["waits"][0]["match"] == {"n": 1}


def test_wait_takes_the_event_that_fits_only() -> None:
    assert run(WAIT, outcome={"output": {"type": "Paid", "data": {"n": 1}}}).next_state == "B"
    assert run(WAIT, outcome={"output": {"type": "Paid", "data": {"n": 2}}}).status == "waiting"
    assert run(WAIT, outcome={"timed_out": True}).next_state == "Late"


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ({"context": {"itme": 1}}, "unknown key 'itme'. Did you mean `item`"),
        ({"configuration": {"retries": 1}}, "configuration: unknown key 'retries'"),
        ({"configuration": {"retrierRetryCount": -1}}, "a whole number from 0"),
        ({"outcome": {"result": 1}}, "unknown key 'result' in an outcome"),
    ],
)
def test_wrong_request_is_told(rest: dict[str, Any], message: str) -> None:
    with pytest.raises(MockRefused, match=message):
        run(**rest)


def test_definition_needs_the_name_of_a_state() -> None:
    definition = {"id": "flow", "version": "1.0.0", "startAt": "End", "states": {"End": {"type": "succeed"}}}
    with pytest.raises(MockRefused, match="which state"):
        run(definition)
    with pytest.raises(MockRefused, match="Did you mean `End`"):
        run(definition, state="Ende")


def test_wrong_state_is_refused_with_its_problems() -> None:
    with pytest.raises(DefinitionRefused):
        run({"type": "task", "activty": "do", "end": True})
