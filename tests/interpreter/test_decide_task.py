"""Tasks: attempts and their tokens, retries, timeouts, losses, callbacks, children, and where errors go."""

from dataclasses import replace
from typing import Any

import pytest
from interpreter.given import START_MS, Run, program
from stepwell_interpreter.decide import heartbeat_token, obligations
from stepwell_interpreter.draft import json_size
from stepwell_interpreter.failures import StateFailure
from stepwell_schemas.catalog import ActivityDescription
from stepwell_schemas.commands import CancelActivity, CancelChild
from stepwell_schemas.records import (
    ActivityCompleted,
    ActivityFailed,
    AttemptLost,
    CallbackEnded,
    ChildEnded,
)

RETRY_TWICE = {"errors": ["Boom"], "maxAttempts": 2, "initialInterval": 1, "backoffCoefficient": 3}


def task(*activities: ActivityDescription, configuration: dict[str, Any] | None = None, **fields: Any) -> Run:
    """A run whose first state is a task that keeps its result in $.state.got, followed by Done, Caught and Last."""
    own = {"type": "task", "activity": "do", "resultPath": "$.state.got", "next": "Done", **fields}
    states = {
        "Task": {key: value for key, value in own.items() if value is not None},
        "Done": {"type": "succeed", "output": "$.state"},
        "Caught": {"type": "succeed", "output": {"caught": "$.error", "state": "$.state"}},
        "Last": {"type": "succeed", "output": {"last": "$.error"}},
    }
    return Run(program(states, activities, configuration=configuration or {}))


def test_a_task_runs_its_activity_with_the_defaults_of_the_machine() -> None:
    run = task(input={"id": "$.input.id"}).start({"id": 4})
    command = run.pending()
    assert (command.activity, command.queue, command.input) == ("do", "default", {"id": 4})
    assert (command.attempt, command.number, command.state) == ("0/Task/1/1", 1, "Task")
    assert (command.timeout_ms, command.heartbeat_ms, command.callback_token) == (300_000, None, None)
    assert run.timers == {"0/1/task": START_MS + 300_000}


def test_a_completed_task_keeps_its_result_and_goes_on() -> None:
    run = task().start()
    run.complete({"ok": True})
    assert run.output == {"got": {"ok": True}}
    wanted = ["TaskStateEntered", "TaskScheduled", "TaskStarted", "TaskSucceeded", "TaskStateExited"]
    assert run.types()[1:6] == wanted


def test_a_task_without_input_gets_an_empty_object_and_a_written_null_stays_null() -> None:
    assert task().start().pending().input == {}
    states = {"T": {"type": "task", "activity": "do", "input": None, "end": True}}
    assert Run(program(states)).start().pending().input is None


def test_the_result_selector_makes_the_result_anew() -> None:
    run = task(resultSelector={"id": "$.result.recordId"}).start()
    run.complete({"recordId": 7, "more": 1})
    assert run.output == {"got": {"id": 7}}


def test_a_task_at_the_end_gives_its_result_as_output() -> None:
    run = Run(program({"T": {"type": "task", "activity": "do", "end": True}})).start()
    run.complete(5)
    assert run.output == 5


def test_tokens_are_not_to_be_guessed_and_differ_by_instance() -> None:
    first, second = task().start(), task()
    second.instance.id = "flow-2~0"
    second.start()
    assert first.pending().token != second.pending().token
    assert len(first.pending().token) == 32


def test_a_result_with_another_token_is_stale() -> None:
    run = task().start()
    command = run.pending()
    for attempt, token in ((command.attempt, "x"), ("9/T/1/1", command.token), ("0/Task/1/9", command.token)):
        record = ActivityCompleted(START_MS, attempt, token, 1, START_MS)
        assert run.apply(record).answer == "stale"
    assert run.positions() == {"0": "Task"}


def test_a_failure_or_loss_of_an_older_dispatch_is_stale() -> None:
    run = task().start()
    attempt = run.pending().attempt
    assert run.apply(ActivityFailed(START_MS, attempt, "old", "Boom", "", START_MS)).answer == "stale"
    assert run.apply(AttemptLost(START_MS, attempt, "old", "")).answer == "stale"
    assert run.positions() == {"0": "Task"}


# -- retries -------------------------------------------------------------------------------------------------


def test_a_failed_attempt_is_tried_again_after_growing_pauses_with_the_same_key_and_input() -> None:
    run = task(retry=[RETRY_TWICE], input={"now": "$.system.now"}).start()
    first = run.pending()
    run.fail("Boom")
    assert run.timers == {"0/1/backoff": START_MS + 1_000}
    run.fire()
    second = run.pending()
    run.fail("Boom")
    assert run.timers == {"0/1/backoff": START_MS + 1_000 + 3_000}
    run.fire()
    third = run.pending()
    assert [each.number for each in (first, second, third)] == [1, 2, 3]
    assert len({each.token for each in (first, second, third)}) == 3
    assert len({each.idempotency_key for each in (first, second, third)}) == 1
    assert first.input == third.input
    run.fail("Boom")
    assert (run.status, run.instance.error) == ("failed", "Boom")


def test_an_error_that_no_policy_names_is_not_tried_again() -> None:
    run = task(retry=[RETRY_TWICE]).start()
    run.fail("Other")
    assert run.status == "failed"


def test_each_policy_counts_for_itself() -> None:
    other = {"errors": ["Other"], "maxAttempts": 1, "initialInterval": 5, "maxInterval": 4}
    run = task(retry=[RETRY_TWICE, other]).start()
    run.fail("Boom")
    run.fire()
    run.fail("Other")
    assert run.of("TaskRetried")[-1]["delayMs"] == 4_000
    run.fire()
    run.fail("Other")
    assert run.status == "failed"


def test_no_retries_are_made_where_none_are_allowed() -> None:
    run = task(retry=[]).start()
    run.fail()
    assert run.status == "failed"


def test_the_built_in_retry_tries_three_times_more() -> None:
    run = task().start()
    for _ in range(3):
        run.fail()
        run.fire()
    assert [each["delayMs"] for each in run.of("TaskRetried")] == [2_000, 4_000, 8_000]
    run.fail()
    assert run.status == "failed"


def test_a_failure_that_is_not_retryable_is_not_tried_again() -> None:
    run = task(retry=[RETRY_TWICE]).start()
    run.fail("Boom", retryable=False)
    assert run.status == "failed"


def test_settings_come_from_the_state_then_the_activity_then_the_configuration() -> None:
    described = ActivityDescription(
        name="own", queue="gpu", timeout_seconds=7, heartbeat_seconds=2, retry={"maxAttempts": 1}
    )
    configured = {"taskTimeout": 11, "retry": {"maxAttempts": 0}}
    of_activity = task(described, activity="own", configuration=configured).start().pending()
    of_state = task(described, activity="own", queue="q", timeout=3, heartbeat=1).start().pending()
    of_configuration = task(configuration=configured).start()
    assert (of_activity.queue, of_activity.timeout_ms, of_activity.heartbeat_ms) == ("gpu", 7_000, 2_000)
    assert (of_state.queue, of_state.timeout_ms, of_state.heartbeat_ms) == ("q", 3_000, 1_000)
    assert of_configuration.pending().timeout_ms == 11_000
    of_configuration.fail()
    assert of_configuration.status == "failed"


def test_an_activitys_own_retry_counts_before_the_configurations() -> None:
    described = ActivityDescription(name="own", retry={"maxAttempts": 1})
    run = task(described, activity="own", configuration={"retry": []}).start()
    run.fail()
    assert "0/1/backoff" in run.timers


def test_jitter_is_the_same_in_every_replay_and_within_the_pause() -> None:
    policy = {"maxAttempts": 5, "initialInterval": 100, "jitter": "full"}
    delays = []
    for _ in range(2):
        run = task(retry=policy).start()
        run.fail()
        delays.append(run.of("TaskRetried")[0]["delayMs"])
    assert delays[0] == delays[1]
    assert 0 <= delays[0] <= 100_000


def test_a_pause_that_is_no_duration_is_a_failure_of_its_own() -> None:
    run = task(retry={"initialInterval": "$.input.pause"}, onError="Last").start({"pause": "x"})
    run.fail()
    assert run.output["last"]["error"] == "States.ParameterPathFailure"


# -- where errors go -----------------------------------------------------------------------------------------


def test_a_catch_takes_the_error_and_keeps_it() -> None:
    run = task(
        retry=[], catch=[{"errors": ["X"], "next": "Last"}, {"next": "Caught", "resultPath": "$.state.why"}]
    )
    run.start().fail()
    assert run.output["state"] == {"why": {"error": "Boom", "cause": "because"}}
    assert run.output["caught"] == {"error": "Boom", "cause": "because", "state": "Task"}


def test_a_catch_that_cannot_keep_the_error_leaves_it_to_on_error() -> None:
    states = {
        "Set": {"type": "pass", "set": {"$.state.a": "text"}, "next": "Task"},
        "Task": {
            "type": "task",
            "activity": "do",
            "retry": [],
            "catch": [{"next": "Set", "resultPath": "$.state.a.b"}],
            "onError": "Last",
            "end": True,
        },
        "Last": {"type": "succeed", "output": "$.error.error"},
    }
    run = Run(program(states)).start()
    run.fail()
    assert run.output == "States.ResultPathMatchFailure"


def test_on_error_of_the_state_comes_before_the_configurations() -> None:
    run = task(retry=[], onError="Caught", configuration={"onError": "Last"}).start()
    run.fail()
    assert "caught" in run.output


def test_the_configurations_on_error_takes_what_nothing_else_does() -> None:
    run = task(retry=[], configuration={"onError": "Last"}).start()
    run.fail()
    assert run.output == {"last": {"error": "Boom", "cause": "because", "state": "Task"}}


def test_the_configurations_on_error_does_not_lead_to_itself() -> None:
    run = task(retry=[], configuration={"onError": "Task"}).start()
    run.fail()
    assert run.status == "failed"


def test_a_wrong_input_path_is_not_tried_again_but_caught() -> None:
    run = task(input="$.state.x", retry={"maxAttempts": 5}, catch={"next": "Caught"}).start()
    assert run.output["caught"]["error"] == "States.ParameterPathFailure"


def test_an_input_beyond_the_limit_is_refused() -> None:
    run = task(input={"a": "$.input.x", "b": "$.input.x"}).start({"x": "x" * 600_000})
    assert run.instance.error == "States.DataLimitExceeded"


def test_a_result_beyond_the_limit_can_be_caught_by_its_name() -> None:
    run = task(catch={"errors": "States.DataLimitExceeded", "next": "Caught"}).start()
    run.complete("x" * 1_100_000)
    assert run.output["caught"]["error"] == "States.DataLimitExceeded"


def test_a_value_that_json_cannot_hold_is_a_runtime_error() -> None:
    with pytest.raises(StateFailure, match="JSON") as raised:
        json_size(1 << 80)
    assert raised.value.error == "States.Runtime"


def test_an_output_beyond_the_limit_fails_the_instance() -> None:
    run = Run(program({"T": {"type": "task", "activity": "do", "end": True}})).start()
    run.complete("x" * 1_100_000)
    assert (run.status, run.instance.error) == ("failed", "States.DataLimitExceeded")


def test_an_undo_log_has_a_limit() -> None:
    run = task(compensateWith={"activity": "undo"}).start()
    entry = {"activity": "undo", "input": 1, "state": "T", "scope": "", "frame": "0", "visit": 0}
    run.instance.undo = [entry] * 20_000
    run.complete()
    assert run.instance.error == "States.DataLimitExceeded"


# -- time ----------------------------------------------------------------------------------------------------


def test_an_attempt_that_takes_too_long_is_cancelled_and_tried_again() -> None:
    run = task(timeout=10, retry={"errors": "States.Timeout", "initialInterval": 1}).start()
    command = run.pending()
    run.fire("task")
    assert run.cancelled == [CancelActivity(command.attempt, command.token)]
    run.fire("backoff")
    assert run.pending().number == 2
    assert run.timers == {"0/1/task": START_MS + 10_000 + 1_000 + 10_000}


def test_a_timeout_that_is_no_duration_fails_the_task() -> None:
    run = task(timeout="$.input.limit").start({"limit": "x"})
    assert run.instance.error == "States.ParameterPathFailure"


def test_a_heartbeat_timer_waits_for_the_worker_to_begin() -> None:
    run = task(heartbeat=10).start()
    run.fire("heartbeat")
    assert run.timers["0/1/heartbeat"] == START_MS + 20_000


def test_a_sign_of_life_puts_the_heartbeat_timer_off() -> None:
    run = task(heartbeat=10).start()
    run.fire("heartbeat", heartbeat_ms=START_MS + 7_000)
    assert run.timers["0/1/heartbeat"] == START_MS + 17_000


def test_silence_of_a_running_activity_is_a_heartbeat_timeout() -> None:
    run = task(heartbeat=10, retry=[]).start()
    run.fire("heartbeat", heartbeat_ms=START_MS)
    assert run.instance.error == "States.HeartbeatTimeout"
    assert len(run.cancelled) == 1


def test_the_heartbeat_timer_tells_whose_sign_it_wants() -> None:
    run = task(heartbeat=10).start()
    assert heartbeat_token(run.instance, "0/1/heartbeat") == run.pending().token
    for timer in ("0/1/task", "0/2/heartbeat", "0.1/1/heartbeat", "timeout"):
        assert heartbeat_token(run.instance, timer) is None


@pytest.mark.parametrize("stored", [5, ["x"], None])
def test_a_stored_token_that_is_no_text_is_nobodys(stored: Any) -> None:
    run = task(heartbeat=10).start()
    run.instance.frames["0"].work["token"] = stored
    assert heartbeat_token(run.instance, "0/1/heartbeat") is None
    assert stored in [one["name"] for one in obligations(run.instance)]


# -- losses --------------------------------------------------------------------------------------------------


def test_a_lost_attempt_is_dispatched_again_under_a_new_token() -> None:
    run = task(heartbeat=10).start()
    first = run.pending()
    run.pass_time(4_000)
    run.lose()
    second = run.pending()
    assert second == replace(first, token=second.token)
    assert second.token != first.token
    assert run.timers == {"0/1/task": START_MS + 300_000, "0/1/heartbeat": START_MS + 14_000}


def test_the_fifth_loss_fails_the_attempt() -> None:
    run = task(retry=[]).start()
    for _ in range(5):
        run.lose()
    assert run.instance.error == "States.TaskFailed"
    assert "worker lost" in (run.instance.cause or "")


# -- callbacks -----------------------------------------------------------------------------------------------


def test_a_callback_task_ends_when_its_token_is_completed() -> None:
    run = task(callback=True).start()
    command = run.pending()
    assert command.callback_token not in (None, command.token)
    run.complete("sent")
    assert run.timers == {}
    assert run.call_back(command, {"approved": True}) == "accepted"
    assert run.output == {"got": {"approved": True}}


def test_a_callback_that_fails_fails_the_task() -> None:
    run = task(callback=True, retry=[]).start()
    command = run.pending()
    run.complete()
    run.call_back(command, error="Refused")
    assert (run.instance.error, run.instance.cause) == ("Refused", "because")


def test_an_answer_that_comes_before_the_body_has_ended_counts_once_and_then() -> None:
    run = task(callback=True).start()
    command = run.pending()
    assert run.call_back(command, 1) == "accepted"
    assert run.status == "running"
    assert run.call_back(command, 2) == "stale"
    run.complete()
    assert run.output == {"got": 1}


def test_a_body_that_fails_forgets_the_early_answer() -> None:
    run = task(callback=True).start()
    first = run.pending()
    run.call_back(first, 1)
    run.fail()
    assert run.call_back(first, 2) == "stale"
    run.fire()
    second = run.pending()
    assert second.callback_token != first.callback_token
    run.complete()
    assert run.status == "running"
    assert run.call_back(second, 3) == "accepted"
    assert run.output == {"got": 3}


def test_only_a_states_own_timeout_bounds_the_callback() -> None:
    run = task(callback=True, timeout="PT48H", heartbeat=60, retry=[]).start()
    run.complete()
    assert run.timers == {"0/1/task": START_MS + 48 * 3_600_000}
    run.fire()
    assert run.instance.error == "States.Timeout"


@pytest.mark.parametrize(
    ("attempt", "token"), [("0/Task/1/1", "guess"), ("7/Task/1/1", None), ("0/Task/1/2", None)]
)
def test_a_callback_with_a_wrong_token_or_place_is_stale(attempt: str, token: str | None) -> None:
    run = task(callback=True).start()
    known = run.pending().callback_token
    assert run.apply(CallbackEnded(START_MS, attempt, token or str(known), 1)).answer == "stale"


# -- children ------------------------------------------------------------------------------------------------


def child(**fields: Any) -> Run:
    return task(activity=None, workflow="other@1", **fields)


def test_a_child_workflow_is_started_in_the_parents_partition_and_its_output_is_the_result() -> None:
    run = child(input={"n": 1}).start()
    (command,) = run.children.values()
    assert (command.child, command.definition, command.input) == ("flow-1.2~0", "other@1", {"n": 1})
    assert run.timers == {}
    run.end_child(output="done")
    assert run.output == {"got": "done"}


@pytest.mark.parametrize(
    ("parent", "expected"),
    [("x-1f~3", "x-1f.2~3"), ("order-1", "order-1~c2"), ("order-1~c7", "order-1~c7.2")],
)
def test_a_childs_id_is_one_that_nobody_can_choose(parent: str, expected: str) -> None:
    run = child()
    run.instance.id = parent
    run.start()
    assert list(run.children) == [expected]


@pytest.mark.parametrize(
    ("status", "error", "expected"),
    [
        ("failed", "Boom", "Boom"),
        ("failed", None, "States.TaskFailed"),
        ("timedOut", None, "States.Timeout"),
        ("cancelled", None, "States.TaskFailed"),
    ],
)
def test_a_childs_bad_end_is_the_tasks_error(status: str, error: str | None, expected: str) -> None:
    run = child().start()
    run.end_child(status, error=error)
    assert run.instance.error == expected
    assert run.instance.cause


def test_a_child_is_tried_again_under_a_new_id_only_where_that_is_said() -> None:
    run = child(retry={"initialInterval": 1}).start()
    run.end_child("failed", error="Boom")
    run.fire()
    assert list(run.children) == ["flow-1.3~0"]


def test_a_childs_retries_may_come_from_the_configuration() -> None:
    run = child(configuration={"retry": {"initialInterval": 1}}).start()
    run.end_child("failed", error="Boom")
    assert "0/1/backoff" in run.timers


def test_a_child_that_takes_too_long_is_cancelled() -> None:
    run = child(timeout=60).start()
    run.fire()
    assert run.instance.error == "States.Timeout"
    assert [type(each) for each in run.cancelled] == [CancelChild]


def test_the_end_of_a_child_that_is_no_longer_wanted_is_stale() -> None:
    run = child().start()
    assert run.apply(ChildEnded(START_MS, "flow-1.99~0", "succeeded")).answer == "stale"


def test_a_childs_timeout_that_is_no_duration_fails_the_task() -> None:
    run = child(timeout="$.input.x").start({"x": []})
    assert run.instance.error == "States.ParameterPathFailure"
