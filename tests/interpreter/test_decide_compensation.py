"""Compensation, given and automatic, and cancelling with and without it."""

from typing import Any

import pytest
from interpreter.given import Run, program
from stepwell_schemas.catalog import ActivityDescription
from stepwell_schemas.commands import CancelChild

UNDO = {"activity": "undo", "input": {"id": "$.result.id"}}


def step(next: str | None, **fields: Any) -> dict[str, Any]:
    way = {"end": True} if next is None else {"next": next}
    return {"type": "task", "activity": "do", "retry": [], "compensateWith": UNDO, **way, **fields}


def saga(**fields: Any) -> Run:
    """Two tasks with undo, a third that may fail into Undo, which keeps its report and ends."""
    states = {
        "One": step("Two"),
        "Two": step("Three"),
        "Three": {"type": "task", "activity": "other", "retry": [], "onError": "Undo", "end": True},
        "Undo": {
            "type": "compensation",
            "retry": [],
            "resultPath": "$.state.report",
            "next": "Done",
            **fields,
        },
        "Done": {"type": "succeed", "output": "$.state.report"},
        "Caught": {"type": "succeed", "output": "$.error"},
    }
    return Run(program(states))


def failed_saga(**fields: Any) -> Run:
    run = saga(**fields).start()
    run.complete({"id": 1})
    run.complete({"id": 2})
    run.fail()
    return run


def test_completed_tasks_are_undone_newest_first_one_at_a_time() -> None:
    run = failed_saga()
    assert [each.input for each in run.attempts.values()] == [{"id": 2}]
    run.complete()
    assert [each.input for each in run.attempts.values()] == [{"id": 1}]
    run.complete()
    assert [each["state"] for each in run.output["undone"]] == ["Two", "One"]
    assert run.output["failed"] == []
    assert run.instance.undo == []


def test_nothing_to_undo_goes_on_at_once() -> None:
    run = Run(program({"U": {"type": "compensation", "end": True}})).start()
    assert run.output == {"undone": [], "failed": [], "skipped": []}


def test_a_failed_undo_is_reported_and_the_next_one_run() -> None:
    run = failed_saga()
    run.fail("Stuck")
    run.complete()
    assert [each["state"] for each in run.output["undone"]] == ["One"]
    assert run.output["failed"][0]["error"] == "Stuck"


def test_what_could_not_be_undone_stays_in_the_log_under_the_same_key() -> None:
    states = {
        "One": step("U1"),
        "U1": {"type": "compensation", "retry": [], "next": "U2"},
        "U2": {"type": "compensation", "retry": [], "end": True},
    }
    run = Run(program(states)).start()
    run.complete({"id": 1})
    first = run.pending().idempotency_key
    run.fail("Stuck")
    assert run.positions() == {"0": "U2"}
    assert run.pending().idempotency_key == first
    run.complete()
    assert [each["visit"] for each in run.output["undone"]] == [1]


def test_without_continue_on_error_a_failed_undo_fails_the_state() -> None:
    run = failed_saga(continueOnError=False, catch={"next": "Caught"})
    run.fail("Stuck")
    assert run.output["error"] == "Stuck"
    assert len(run.instance.undo) == 0  # an instance that has succeeded has nothing to undo any more


def test_an_undo_is_tried_again_by_the_states_policy() -> None:
    run = failed_saga(retry={"maxAttempts": 1, "initialInterval": 1})
    key = run.pending().idempotency_key
    run.fail()
    run.fire("backoff")
    assert run.pending().idempotency_key == key
    run.complete()
    assert run.pending().input == {"id": 1}


def test_an_undo_without_a_policy_of_the_state_is_tried_again_by_its_own() -> None:
    states = {"One": step("U"), "U": {"type": "compensation", "end": True}}
    run = Run(program(states)).start()
    run.complete({"id": 1})
    run.fail()
    assert list(run.timers) == ["0/2/backoff"]


def test_an_undo_that_takes_too_long_counts_as_failed() -> None:
    run = failed_saga()
    run.fire("task")
    run.complete()
    assert run.output["failed"][0]["error"] == "States.Timeout"


def test_an_undo_that_is_alive_gets_more_time() -> None:
    states = {
        "One": step("U"),
        "U": {"type": "compensation", "end": True},
    }
    run = Run(program(states, [ActivityDescription(name="undo", heartbeat_seconds=5)])).start()
    run.complete({"id": 1})
    run.fire("heartbeat", heartbeat_ms=run.now_ms + 3_000)
    run.complete()
    assert run.status == "succeeded"


def test_a_lost_undo_is_dispatched_again_and_fails_after_five_losses() -> None:
    run = failed_saga()
    for _ in range(5):
        run.lose()
    run.complete()
    assert [each["state"] for each in run.output["undone"]] == ["One"]
    assert "worker lost" in run.output["failed"][0]["cause"]


def test_a_wrong_pause_counts_as_a_failed_undo() -> None:
    run = failed_saga(retry={"initialInterval": "$.input.x"})
    run.fail()
    assert run.pending().input == {"id": 1}


def test_an_undo_with_a_wrong_timeout_counts_as_failed() -> None:
    states = {
        "One": step("Two", compensateWith={"activity": "undo", "timeout": "$.state.limit"}),
        "Two": step("U"),
        "U": {"type": "compensation", "retry": {"initialInterval": 1}, "end": True},
    }
    run = Run(program(states)).start()
    run.complete({"id": 1})
    run.complete({"id": 2})
    run.complete()
    assert run.output["failed"][0]["error"] == "States.ParameterPathFailure"


def test_a_timeout_that_goes_wrong_between_two_tries_counts_as_failed() -> None:
    other = {
        "startAt": "W",
        "states": {"W": {"type": "wait", "event": "Seen", "resultPath": "$.state.limit", "end": True}},
    }
    undoing = {
        "startAt": "One",
        "states": {
            "One": step("U", compensateWith={"activity": "undo", "timeout": "$.state.limit"}),
            "U": {"type": "compensation", "retry": {"initialInterval": 1}, "end": True},
        },
    }
    states = {
        "Set": {"type": "pass", "set": {"$.state.limit": 9}, "next": "P"},
        "P": {"type": "parallel", "branches": {"a": undoing, "b": other}, "end": True},
    }
    run = Run(program(states)).start()
    run.complete({"id": 1})
    run.fail()
    run.offer()
    run.fire("backoff")
    assert run.output["a"]["failed"][0]["error"] == "States.ParameterPathFailure"


def test_the_input_of_an_undo_is_the_result_unless_said() -> None:
    states = {
        "One": step("U", compensateWith={"activity": "undo"}),
        "U": {"type": "compensation", "end": True},
    }
    run = Run(program(states)).start()
    run.complete({"id": 5})
    assert run.pending().input == {"id": 5}


def test_a_task_whose_undo_cannot_be_made_fails() -> None:
    run = Run(program({"One": step(None)})).start()
    run.complete({"no": "id"})
    assert run.instance.error == "States.ParameterPathFailure"


def test_a_child_workflow_is_undone_by_its_tasks_compensate_with() -> None:
    states = {
        "One": {"type": "task", "workflow": "kid", "compensateWith": {"activity": "undo"}, "next": "U"},
        "U": {"type": "compensation", "end": True},
    }
    run = Run(program(states)).start()
    run.end_child(output={"made": 1})
    assert run.pending().input == {"made": 1}


def test_tasks_of_branches_and_items_are_undone_too() -> None:
    branch = {"startAt": "T", "states": {"T": step(None)}}
    states = {
        "P": {"type": "parallel", "branches": {"a": branch}, "next": "M"},
        "M": {"type": "map", "items": [1, 2], **branch, "next": "U"},
        "U": {"type": "compensation", "end": True},
    }
    run = Run(program(states)).start()
    for number in range(3):
        run.complete({"id": number})
    for _ in range(3):
        run.complete()
    assert [each["frame"] for each in run.output["undone"]] == ["0.1", "0.0", "0.0"]


def test_scope_branch_undoes_only_what_its_branch_did() -> None:
    undoing = {
        "startAt": "T",
        "states": {
            "T": step("P"),
            "P": {
                "type": "parallel",
                "branches": {"x": {"startAt": "T", "states": {"T": step(None)}}},
                "next": "U",
            },
            "U": {"type": "compensation", "scope": "branch", "end": True},
        },
    }
    states = {
        "Before": step("P"),
        "P": {
            "type": "parallel",
            "branches": {"a": undoing, "b": {"startAt": "T", "states": {"T": step(None)}}},
            "end": True,
        },
    }
    run = Run(program(states)).start()
    for number in range(4):
        run.complete({"id": number})
    while run.attempts:
        run.complete()
    assert [each["frame"] for each in run.output["a"]["undone"]] == ["0.0.0", "0.0"]


def test_scope_branch_at_the_root_is_the_instance() -> None:
    run = failed_saga(scope="branch")
    run.complete()
    run.complete()
    assert len(run.output["undone"]) == 2


# -- given steps ---------------------------------------------------------------------------------------------


def given(*steps: dict[str, Any], input: Any = None, **fields: Any) -> Run:
    states = {
        "U": {"type": "compensation", "steps": list(steps), "retry": [], "end": True, **fields},
        "Caught": {"type": "succeed", "output": "$.error"},
    }
    return Run(program(states)).start(input)


def test_given_steps_run_in_their_order_where_their_when_holds() -> None:
    run = given(
        {"activity": "undo", "input": {"n": 1}},
        {"activity": "other", "when": {"variable": "$.input.paid", "equals": True}},
        {"activity": "notify"},
        input={"paid": False},
    )
    assert run.pending().input == {"n": 1}
    run.complete()
    assert (run.pending().activity, run.pending().input) == ("notify", {})
    run.complete()
    assert [each["activity"] for each in run.output["undone"]] == ["undo", "notify"]
    assert run.output["skipped"] == [{"activity": "other", "step": 1}]


def test_a_given_step_that_cannot_be_resolved_is_reported() -> None:
    run = given({"activity": "undo", "input": "$.state.x"}, {"activity": "notify"})
    run.complete()
    assert run.output["failed"][0]["error"] == "States.ParameterPathFailure"


def test_a_given_step_that_cannot_be_resolved_fails_where_that_is_said() -> None:
    run = given({"activity": "undo", "input": "$.state.x"}, continueOnError=False, onError="Caught")
    assert run.output["error"] == "States.ParameterPathFailure"


def test_given_steps_have_keys_of_their_own() -> None:
    run = given({"activity": "undo"}, {"activity": "undo"})
    first = run.pending().idempotency_key
    run.complete()
    assert run.pending().idempotency_key != first


def test_a_failed_given_step_lets_the_next_one_run() -> None:
    run = given({"activity": "undo"}, {"activity": "notify"})
    run.fail("Stuck", retryable=False)
    run.complete()
    assert [each["error"] for each in run.output["failed"]] == ["Stuck"]


# -- cancelling ----------------------------------------------------------------------------------------------


def test_a_cancelled_instance_gives_up_all_it_waits_for() -> None:
    run = saga().start()
    assert run.cancel() == "cancelled"
    assert (run.status, run.instance.cause) == ("cancelled", "enough")
    assert run.types()[-2:] == ["CancelRequested", "ExecutionAborted"]
    assert len(run.cancelled) == 1


def test_cancelling_with_compensate_undoes_first() -> None:
    run = saga().start()
    run.complete({"id": 1})
    assert run.cancel(compensate=True) == "cancelling"
    assert run.pending().activity == "undo"
    assert run.offer() == "none"
    run.complete()
    assert run.status == "cancelled"
    assert [each["state"] for each in run.output["undone"]] == ["One"]


def test_cancelling_with_nothing_to_undo_is_over_at_once() -> None:
    run = saga().start()
    assert run.cancel(compensate=True) == "cancelled"


def test_cancelling_twice_goes_on_undoing_once_without_compensate_stops_it() -> None:
    run = saga().start()
    run.complete({"id": 1})
    run.cancel(compensate=True)
    assert run.cancel(compensate=True) == "cancelling"
    assert run.cancel(reason="") == "cancelled"
    assert run.instance.cause == "cancelled"
    assert len(run.instance.undo) == 1


def test_a_failing_undo_does_not_keep_a_cancelled_instance_alive() -> None:
    run = saga().start()
    run.complete({"id": 1})
    run.cancel(compensate=True)
    run.fail("Stuck", retryable=False)
    assert run.status == "cancelled"
    assert run.output["failed"][0]["error"] == "Stuck"


def test_an_undo_of_a_cancelled_instance_that_cannot_begin_ends_it_at_once() -> None:
    states = {
        "One": step("Two", compensateWith={"activity": "undo", "timeout": "$.state.x"}),
        "Two": {"type": "wait", "event": "Seen", "end": True},
    }
    run = Run(program(states)).start()
    run.complete({"id": 1})
    assert run.cancel(compensate=True) == "cancelled"


def test_cancelling_lifts_the_timeout_and_stops_branches() -> None:
    branch = {"startAt": "T", "states": {"T": step("W"), "W": {"type": "wait", "event": "Seen", "end": True}}}
    kid = {"startAt": "K", "states": {"K": {"type": "task", "workflow": "kid", "end": True}}}
    states = {"P": {"type": "parallel", "branches": {"a": branch, "kid": kid}, "end": True}}
    run = Run(program(states, configuration={"timeout": 60})).start()
    run.complete({"id": 1})
    run.cancel(compensate=True)
    assert "timeout" not in run.timers
    assert [each.compensate for each in run.cancelled if isinstance(each, CancelChild)] == [True]
    run.complete()
    assert run.status == "cancelled"


@pytest.mark.parametrize("compensate", [True, False])
def test_a_cancelled_parent_cancels_its_children_as_it_was_asked(compensate: bool) -> None:
    run = Run(program({"K": {"type": "task", "workflow": "kid", "end": True}})).start()
    run.cancel(compensate=compensate)
    assert [each.compensate for each in run.cancelled if isinstance(each, CancelChild)] == [compensate]


def test_an_instance_can_be_cancelled_before_it_has_begun() -> None:
    run = saga()
    assert run.cancel(compensate=True) == "cancelled"
