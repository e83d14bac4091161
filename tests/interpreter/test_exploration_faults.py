"""Planted faults: each is found, and its counter-example, run as a scenario, shows it."""

from typing import Any

from interpreter.exploring import ONCE, codes, explored, shown_by_scenario, told

CHARGE: dict[str, Any] = {
    "type": "task",
    "activity": "charge",
    "compensateWith": {"activity": "refund"},
    "resultPath": "$.state.payment",
    "retry": ONCE,
    "onError": "Undo",
    "next": "Ship",
}
SAGA: dict[str, Any] = {
    "Charge": CHARGE,
    "Ship": {"type": "task", "activity": "ship", "retry": ONCE, "catch": {"next": "Undo"}, "end": True},
    "Undo": {"type": "compensation", "next": "Failed"},
    "Failed": {"type": "fail", "error": "OrderFailed"},
}


def test_a_saga_that_undoes_what_it_did_is_sound() -> None:
    result = explored(SAGA)
    assert result.sound
    assert not result.warnings
    assert result.complete


def test_a_catch_that_leads_past_the_compensation_is_found() -> None:
    broken = {**SAGA, "Ship": {**SAGA["Ship"], "catch": {"next": "Failed"}}}
    (violation,) = explored(broken).violations
    assert violation.code == "lost-compensation"
    assert "Charge" in violation.message
    assert told(violation) == [
        "the instance starts",
        "Charge: charge completes",
        "Ship: ship fails with Unforeseen",
    ]
    assert shown_by_scenario(broken, violation)


def test_an_error_that_nothing_takes_loses_the_compensation() -> None:
    broken = {**SAGA, "Ship": {"type": "task", "activity": "ship", "retry": ONCE, "end": True}}
    assert codes(explored(broken).violations) == ["lost-compensation"]


def test_a_timeout_of_the_whole_workflow_that_loses_the_compensation_is_found() -> None:
    states = {
        **SAGA,
        "Charge": {**CHARGE, "next": "Settle"},
        "Settle": {"type": "wait", "event": "Settled", "next": "Ship"},
    }
    result = explored(states, configuration={"timeout": "P1D"})
    (violation,) = result.violations
    assert violation.status == "timedOut"
    assert shown_by_scenario(states, violation, configuration={"timeout": "P1D"})
    assert not explored(states, configuration={"timeout": "P1D", "onError": "Undo"}).violations


def test_a_failed_undo_that_was_reported_is_no_lost_compensation() -> None:
    result = explored({**SAGA, "Ship": {**SAGA["Ship"], "retry": ONCE}})
    assert "failed" in result.coverage.statuses
    assert not result.violations


def test_a_wait_for_an_event_that_can_never_fit_is_a_deadlock() -> None:
    states = {"Wait": {"type": "wait", "event": "Paid", "match": {"order": "$.input.order"}, "next": "Done"},
              "Done": {"type": "succeed"}}  # fmt: skip
    rest: dict[str, Any] = {
        "input": {"type": "object", "required": ["order"], "properties": {"order": {"type": "string"}}},
        "events": {"Paid": {"type": "object", "properties": {"order": {"type": "integer"}}}},
    }
    result = explored(states, **rest)
    (violation,) = result.violations
    assert violation.code == "stuck"
    assert violation.states == ("Wait",)
    assert shown_by_scenario(states, violation, **rest)
    rest["events"] = {"Paid": {"type": "object", "properties": {"order": {"type": "string"}}}}
    assert not explored(states, **rest).violations


def test_a_wait_for_an_undeclared_event_is_a_deadlock() -> None:
    states = {"Wait": {"type": "wait", "event": "Payd", "next": "Done"}, "Done": {"type": "succeed"}}
    assert codes(explored(states, events={"Paid": {}}).violations) == ["stuck"]


def test_a_wait_without_timeout_is_a_warning_with_its_trace() -> None:
    states = {"Wait": {"type": "wait", "event": "Paid", "next": "Done"}, "Done": {"type": "succeed"}}
    result = explored(states)
    assert not result.violations
    assert codes(result.warnings) == ["waits-for-ever"]
    assert shown_by_scenario(states, result.warnings[0])


def test_a_second_charge_after_a_timeout_is_found_by_an_assertion() -> None:
    states = {**SAGA, "Charge": {**CHARGE, "retry": {"maxAttempts": 3, "initialInterval": 1}}}
    rest: dict[str, Any] = {
        "assert": [{"name": "charged once", "never": {"variable": "$.run.effects.charge", "greaterThan": 1}}]
    }
    (violation,) = explored(states, **rest).violations
    assert violation.assertion == "charged once"
    assert "Charge: no answer in time (timeout)" in told(violation)
    assert told(violation)[-1] == "Charge: charge completes"
    assert shown_by_scenario(states, violation, **rest)


def test_an_activity_that_honours_its_idempotency_key_is_executed_once() -> None:
    states = {**SAGA, "Charge": {**CHARGE, "retry": {"maxAttempts": 3, "initialInterval": 1}}}
    once = [{"name": "once", "never": {"variable": "$.run.executions.charge", "greaterThan": 1}}]
    assert not explored(states, asserts=once).violations
    again = {**states, "Ship": {**SAGA["Ship"], "catch": {"next": "Charge"}}}
    assert "assertion" in codes(explored(again, asserts=once).violations)


def test_a_race_of_event_and_timer_that_writes_both_is_found() -> None:
    paid = {
        "startAt": "Wait",
        "states": {
            "Wait": {
                "type": "wait",
                "event": "Paid",
                "timeout": "PT2H",
                "timeoutNext": "Late",
                "next": "Paid",
            },
            "Paid": {"type": "pass", "set": {"$.state.paid": True}, "end": True},
            "Late": {"type": "pass", "end": True},
        },
    }
    cancelled = {
        "startAt": "Pause",
        "states": {
            "Pause": {"type": "wait", "duration": "PT1H", "next": "Cancel"},
            "Cancel": {"type": "pass", "set": {"$.state.cancelled": True}, "end": True},
        },
    }
    states = {"Both": {"type": "parallel", "branches": {"paid": paid, "cancelled": cancelled}, "end": True}}
    both = {
        "and": [
            {"variable": "$.state.paid", "equals": True},
            {"variable": "$.state.cancelled", "equals": True},
        ]
    }
    rest: dict[str, Any] = {
        "assert": [{"name": "not both", "never": both, "message": "it is paid and cancelled"}]
    }
    (violation,) = explored(states, **rest).violations
    assert violation.message == "not both: it is paid and cancelled"
    assert len(violation.trace) == 3
    assert shown_by_scenario(states, violation, **rest)


def test_a_loop_that_waits_for_nothing_is_found() -> None:
    states = {
        "Set": {"type": "pass", "set": {"$.state.n": 1}, "next": "More"},
        "More": {
            "type": "choice",
            "choices": [{"variable": "$.state.n", "lessThan": 5, "next": "Set"}],
            "default": "Done",
        },
        "Done": {"type": "succeed"},
    }
    assert codes(explored(states).violations) == ["endless-loop"]


def test_a_loop_of_tasks_without_a_way_out_is_found() -> None:
    states = {
        "Ask": {"type": "task", "activity": "ask", "resultPath": "$.state.answer", "retry": ONCE,
                "catch": {"next": "Ask"}, "next": "Enough"},
        "Enough": {
            "type": "choice",
            "choices": [
                {
                    "and": [
                        {"variable": "$.state.answer.count", "greaterThan": 3},
                        {"variable": "$.state.answer.count", "lessThan": 2},
                    ],
                    "next": "Done",
                }
            ],
            "default": "Ask",
        },
        "Done": {"type": "succeed"},
    }  # fmt: skip
    result = explored(states)
    assert codes(result.violations) == ["no-end"]
    assert result.coverage.unreached == ("/states/Done",)


def test_a_path_that_finds_nothing_is_a_warning_with_its_run() -> None:
    states = {
        "Pick": {"type": "choice", "choices": [{"variable": "$.input.fast", "equals": True, "next": "Tell"}],
                 "default": "Look"},
        "Look": {"type": "task", "activity": "look", "resultPath": "$.state.found", "retry": ONCE, "next": "Tell"},
        "Tell": {"type": "task", "activity": "tell", "input": {"what": "$.state.found.name"}, "retry": ONCE,
                 "end": True},
    }  # fmt: skip
    result = explored(states)
    (warning,) = result.warnings
    assert warning.code == "data-error"
    assert "$.state.found.name" in warning.message
    assert warning.trace[0].value == {"fast": True}
    assert shown_by_scenario(states, warning)
