"""Choice, pass, succeed and fail, and the instance's beginning and end."""

from typing import Any

import pytest
from interpreter.given import START_MS, Run, event, program
from stepwell_interpreter.decide import MAX_STEPS_OF_A_FRAME
from stepwell_schemas.records import InstanceStarted, TimerFired

END = {"type": "succeed"}


def test_a_pass_that_ends_succeeds_with_null() -> None:
    run = Run(program({"A": {"type": "pass", "end": True}})).start()
    assert (run.status, run.output) == ("succeeded", None)
    assert run.types() == ["ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"]


def test_a_pass_computes_all_values_before_it_writes() -> None:
    swap = {"$.state.a": "$.state.b", "$.state.b": "$.state.a"}
    states = {
        "A": {"type": "pass", "set": {"$.state.a": 1, "$.state.b": 2}, "next": "B"},
        "B": {"type": "pass", "set": swap, "next": "C"},
        "C": {"type": "succeed", "output": "$.state"},
    }
    run = Run(program(states)).start()
    assert run.output == {"a": 2, "b": 1}
    assert run.patch[-2:] == [
        {"op": "set", "path": "/a", "value": 2},
        {"op": "set", "path": "/b", "value": 1},
    ]


def test_a_path_that_finds_nothing_fails_the_instance_by_name() -> None:
    run = Run(program({"A": {"type": "pass", "set": {"$.state.x": "$.state.nothing"}, "end": True}})).start()
    assert (run.status, run.instance.error) == ("failed", "States.ParameterPathFailure")
    assert "nothing" in (run.instance.cause or "")


def test_a_write_through_a_text_fails_the_state() -> None:
    states = {
        "A": {"type": "pass", "set": {"$.state.a": "text"}, "next": "B"},
        "B": {"type": "pass", "set": {"$.state.a.b": 1}, "end": True},
    }
    run = Run(program(states)).start()
    assert run.instance.error == "States.ResultPathMatchFailure"


def choice(*rules: dict[str, Any], default: str | None = None) -> Run:
    states: dict[str, Any] = {
        "A": {"type": "choice", "choices": list(rules)},
        "Yes": {"type": "succeed", "output": "yes"},
        "No": {"type": "succeed", "output": "no"},
    }
    if default is not None:
        states["A"]["default"] = default
    return Run(program(states))


def test_the_first_rule_that_holds_leads_on() -> None:
    run = choice(
        {"variable": "$.input.n", "lessThan": 0, "next": "No"},
        {"variable": "$.input.n", "greaterThan": 0, "next": "Yes"},
        {"variable": "$.input.n", "greaterThan": 1, "next": "No"},
    ).start({"n": 5})
    assert run.output == "yes"


def test_a_choice_records_what_it_has_evaluated_and_no_more() -> None:
    run = choice(
        {"variable": "$.input.n", "equals": 5, "next": "Yes"},
        {"variable": "$.input.n", "equals": 6, "next": "No"},
    ).start({"n": 5})
    (left,) = run.of("ChoiceStateExited")
    assert (left["rule"], left["next"], len(left["conditions"])) == (0, "Yes", 1)
    assert left["conditions"][0]["actual"] == 5


def test_no_rule_holds_and_the_default_is_taken() -> None:
    run = choice({"variable": "$.input.n", "equals": 5, "next": "Yes"}, default="No").start({"n": 1})
    assert run.output == "no"


def test_no_rule_holds_without_default_is_no_choice_matched() -> None:
    run = choice({"variable": "$.input.n", "equals": 5, "next": "Yes"}).start({"n": 1})
    assert run.instance.error == "States.NoChoiceMatched"


def test_a_missing_variable_fails_a_choice() -> None:
    run = choice({"variable": "$.input.n", "equals": 5, "next": "Yes"}, default="No").start({})
    assert run.instance.error == "States.ParameterPathFailure"


def test_succeed_without_output_gives_null() -> None:
    assert Run(program({"A": END})).start().output is None


def test_a_wrong_output_path_fails_the_instance() -> None:
    run = Run(program({"A": {"type": "succeed", "output": "$.state.x"}})).start()
    assert run.instance.error == "States.ParameterPathFailure"


def test_an_output_that_repeats_the_document_beyond_the_limit_is_refused() -> None:
    run = Run(program({"A": {"type": "succeed", "output": ["$.input"] * 20}})).start("x" * 100_000)
    assert run.instance.error == "States.DataLimitExceeded"


def test_fail_gives_its_error_and_cause() -> None:
    run = Run(program({"A": {"type": "fail", "error": "Refused", "cause": "$.input.why"}})).start(
        {"why": "late"}
    )
    assert (run.status, run.instance.error, run.instance.cause) == ("failed", "Refused", "late")


def test_fail_without_words_is_task_failed() -> None:
    run = Run(program({"A": {"type": "fail"}})).start()
    assert (run.instance.error, run.instance.cause) == ("States.TaskFailed", "")


def test_fail_writes_a_cause_that_is_no_text_as_text() -> None:
    run = Run(program({"A": {"type": "fail", "cause": "$.input.n"}})).start({"n": 4})
    assert run.instance.cause == "4"


def test_a_wrong_cause_path_fails_with_the_path_failure() -> None:
    run = Run(program({"A": {"type": "fail", "cause": "$.input.n"}})).start()
    assert run.instance.error == "States.ParameterPathFailure"


def test_fail_at_the_root_is_not_taken_by_the_configurations_on_error() -> None:
    states = {"A": {"type": "fail", "error": "X"}, "Undo": END}
    run = Run(program(states, configuration={"onError": "Undo"})).start()
    assert run.status == "failed"


def test_system_shows_the_steps_time_and_ids() -> None:
    run = Run(program({"A": {"type": "succeed", "output": "$.system"}})).start()
    assert run.output == {
        "now": "2023-11-14T22:13:20.000Z",
        "instanceId": "flow-1~0",
        "definition": "flow",
        "version": "1.0.0",
        "startedAt": "2023-11-14T22:13:20.000Z",
        "device": "d1",
        "stateName": "A",
        "attempt": 1,
    }


def test_chance_differs_by_visit_and_not_by_replay() -> None:
    states = {
        "A": {"type": "pass", "set": {"$.state.a": {"$uuid": []}, "$.state.b": {"$uuid": []}}, "next": "B"},
        "B": {"type": "pass", "set": {"$.state.c": {"$uuid": []}}, "end": True},
    }
    first, second = Run(program(states)).start(), Run(program(states)).start()
    assert first.state == second.state
    assert len(set(first.state.values())) == 3


def test_a_loop_that_waits_for_nothing_ends_as_a_value() -> None:
    states = {"A": {"type": "pass", "next": "B"}, "B": {"type": "pass", "next": "A"}}
    run = Run(program(states, configuration={"onError": "A"})).start()
    assert (run.status, run.instance.error) == ("failed", "States.Runtime")
    assert str(MAX_STEPS_OF_A_FRAME) in (run.instance.cause or "")


def test_an_instance_starts_once() -> None:
    run = Run(program({"A": {"type": "wait", "event": "Seen", "end": True}})).start()
    run.apply(InstanceStarted(START_MS, {}, "other"))
    assert run.answers == ["started", "stale"]


def test_the_trace_names_the_event_that_started_it() -> None:
    run = Run(program({"A": END})).start({"x": 1}, event(id="e77"))
    assert run.trace[0] == {"type": "ExecutionStarted", "input": {"x": 1}, "actor": None, "event": "e77"}


@pytest.mark.parametrize("record", [TimerFired(START_MS, "0/1/wait", START_MS), InstanceStarted(1, {}, "")])
def test_after_the_end_everything_is_answered_ended(record: Any) -> None:
    run = Run(program({"A": END})).start()
    assert run.apply(record).answer == "ended"


# -- the instance's own timeout ------------------------------------------------------------------------------

WAITING = {
    "A": {"type": "wait", "event": "Seen", "end": True},
    "Late": {"type": "succeed", "output": "$.error"},
}


def test_the_instances_timeout_ends_it() -> None:
    run = Run(program(WAITING, configuration={"timeout": "PT1H"})).start()
    assert run.timers == {"timeout": START_MS + 3_600_000}
    run.fire()
    assert (run.status, run.instance.error) == ("timedOut", "States.Timeout")
    assert run.types()[-1] == "ExecutionTimedOut"


def test_the_instances_timeout_goes_to_on_error_and_is_lifted() -> None:
    run = Run(program(WAITING, configuration={"timeout": 60, "onError": "Late"})).start()
    run.fire()
    assert run.status == "succeeded"
    assert run.output["error"] == "States.Timeout"
    assert run.output["state"] == "A"


def test_an_instance_that_ends_clears_its_timeout() -> None:
    run = Run(program(WAITING, configuration={"timeout": 60})).start()
    run.offer()
    assert run.status == "succeeded"
    assert run.timers == {}


def test_a_timeout_read_from_a_wrong_path_fails_the_start() -> None:
    run = Run(program(WAITING, configuration={"timeout": "$.input.limit"})).start({})
    assert (run.status, run.instance.error) == ("failed", "States.ParameterPathFailure")


def test_a_timeout_that_is_no_duration_fails_the_start() -> None:
    run = Run(program(WAITING, configuration={"timeout": "$.input.limit"})).start({"limit": "soon"})
    assert "/configuration/timeout" in (run.instance.cause or "")


def test_a_timeout_of_the_instance_that_has_been_lifted_is_stale() -> None:
    run = Run(program(WAITING)).start()
    assert run.apply(TimerFired(START_MS, "timeout", START_MS)).answer == "stale"


# -- limits --------------------------------------------------------------------------------------------------


def test_a_document_that_doubles_is_stopped_at_the_limit_and_caught_by_name() -> None:
    states = {
        "Seed": {"type": "pass", "set": {"$.state.x": "0123456789"}, "next": "Grow"},
        "Grow": {
            "type": "pass",
            "set": {"$.state.x": ["$.state.x", "$.state.x"]},
            "catch": [{"errors": ["States.DataLimitExceeded"], "next": "Full"}],
            "next": "Grow",
        },
        "Full": {"type": "succeed", "output": "$.error.error"},
    }
    run = Run(program(states)).start()
    assert run.output == "States.DataLimitExceeded"


def test_writing_the_same_small_value_for_ever_never_meets_the_limit() -> None:
    states = {
        "Wait": {"type": "wait", "event": "Seen", "resultPath": "$.state.last", "next": "Wait"},
    }
    run = Run(program(states)).start()
    for number in range(8):
        assert run.offer(data={"text": "x" * 200_000, "n": number}) == "consumed"
    assert run.state["last"]["data"]["n"] == 7
