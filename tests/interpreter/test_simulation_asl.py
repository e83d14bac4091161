"""Amazon States Language in simulation: AWS's statuses and history, its answers for one state, its refusals."""

from typing import Any

import pytest
from stepwell.testing import DefinitionRefused, StateRefused, check, simulate, test_state

INVOKE = "arn:aws:states:::lambda:invoke"
SEND = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"


def machine(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A machine of one state, and of what it may lead to."""
    return {"StartAt": "A", "States": {"A": state, **more}}


def types(result: Any) -> list[str]:
    """The types of a history's events."""
    return [event["type"] for event in result.history]


TASK = {
    "Type": "Task",
    "Resource": INVOKE,
    "Parameters": {"FunctionName": "f", "Payload.$": "$"},
    "End": True,
}


def test_status_and_history_are_those_of_aws() -> None:
    result = simulate(machine(TASK), {"n": 1}, tasks={"A": [{"output": {"Payload": 2}}]})
    assert (result.status, result.output) == ("SUCCEEDED", {"Payload": 2})
    assert types(result) == [
        "ExecutionStarted", "TaskStateEntered", "TaskScheduled", "TaskStarted", "TaskSucceeded", "TaskStateExited",
        "ExecutionSucceeded",
    ]  # fmt: skip
    assert result.history[0]["executionStartedEventDetails"]["input"] == '{"n":1}'


def test_failure_timeout_and_standing_have_the_words_of_aws() -> None:
    failed = simulate(machine({"Type": "Fail", "Error": "E", "Cause": "c"}), {})
    assert (failed.status, failed.error, failed.cause) == ("FAILED", "E", "c")
    wait = {"Type": "Wait", "Seconds": 60, "End": True}
    assert simulate({**machine(wait), "TimeoutSeconds": 5}, {}).status == "TIMED_OUT"
    assert simulate(machine(wait), {}, until=30).status == "RUNNING"


def test_null_is_an_input_and_no_input_is_an_empty_object() -> None:
    assert simulate(machine({"Type": "Pass", "End": True}), None).output is None
    assert simulate(machine({"Type": "Pass", "End": True})).output == {}


def test_variables_are_the_state() -> None:
    assign = {"Type": "Pass", "Assign": {"x": 1}, "End": True}
    assert simulate(machine(assign), {}).state == {"x": 1}


def test_outcomes_may_carry_what_a_recording_says_beside_them() -> None:
    recorded = {
        "resource": "invoke",
        "resourceType": "lambda",
        "parameters": {},
        "event": "TaskSucceeded",
        "output": 1,
    }
    assert simulate(machine(TASK), {}, tasks={"A": [recorded]}).output == 1


def test_items_may_be_named_as_a_recording_names_them() -> None:
    inner = {"StartAt": "E", "States": {"E": {**TASK}}}
    mapped = {"Type": "Map", "ItemProcessor": inner, "MaxConcurrency": 1, "End": True}
    outcomes = [
        {"iteration": [{"map": "A", "index": 1}, {"map": "A", "index": 0}], "output": "one"},
        {"iteration": [{"map": "A", "index": 0}], "output": "zero"},
    ]
    assert simulate(machine(mapped), ["x", "y"], tasks={"E": outcomes}).output == ["zero", "one"]


def test_callback_is_submitted_and_may_fail_without_a_name() -> None:
    state = {
        "Type": "Task",
        "Resource": SEND,
        "Parameters": {"MessageBody.$": "$$.Task.Token"},
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B"}],
        "End": True,
    }
    definition = machine(state, B={"Type": "Pass", "End": True})
    result = simulate(definition, {}, tasks={"A": [{"submitted": {"MessageId": "1"}, "error": None}]})
    assert result.output == {"Error": None, "Cause": None}
    assert "TaskSubmitted" in types(result)


def test_missed_heartbeat_of_a_callback_is_a_timeout() -> None:
    state = {
        "Type": "Task",
        "Resource": SEND,
        "Parameters": {"T.$": "$$.Task.Token"},
        "HeartbeatSeconds": 5,
        "End": True,
    }
    result = simulate(machine(state), {}, tasks={"A": [{"submitted": {}, "timed_out": True}]})
    assert (result.status, result.error) == ("FAILED", "States.Timeout")


def test_callback_that_will_come_gives_signs_of_life_until_then() -> None:
    state = {
        "Type": "Task",
        "Resource": SEND,
        "Parameters": {"T.$": "$$.Task.Token"},
        "HeartbeatSeconds": 5,
        "End": True,
    }
    result = simulate(machine(state), {}, tasks={"A": [{"submitted": {}, "output": "late", "after": 60}]})
    assert (result.status, result.output) == ("SUCCEEDED", "late")


def test_child_execution_runs_for_real_where_its_definition_is_given() -> None:
    arn = "arn:aws:states:us-east-1:111111111111:stateMachine:child"
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": arn, "Input": {"n": 1}},
        "OutputPath": "$.Output",
        "End": True,
    }
    child = machine({"Type": "Pass", "Result": "from the child", "End": True})
    result = simulate(machine(state), {}, resources={"f": "f"}, workflows={"child": child})
    assert (result.status, result.output) == ("SUCCEEDED", "from the child")


def test_sync_task_submits_and_then_ends() -> None:
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::glue:startJobRun.sync",
        "Parameters": {"JobName": "j"},
        "End": True,
    }
    result = simulate(
        machine(state), {}, tasks={"A": [{"submitted": {"JobRunId": "1"}, "output": {"State": "DONE"}}]}
    )
    assert result.output == {"State": "DONE"}
    assert types(result)[3:6] == ["TaskStarted", "TaskSubmitted", "TaskSucceeded"]


def test_items_are_read_by_a_function_under_the_maps_name() -> None:
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
        "Parameters": {"Bucket": "b", "Key": "k"},
    }
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "E",
        "States": {"E": {"Type": "Pass", "End": True}},
    }
    mapped = {"Type": "Map", "ItemReader": reader, "ItemProcessor": processor, "End": True}
    objects = {("b", "k"): "name,size\nx,1\ny,2\n"}
    result = simulate(machine(mapped), {}, tasks={"A": lambda given: objects[given["Bucket"], given["Key"]]})
    assert result.output == [{"name": "x", "size": "1"}, {"name": "y", "size": "2"}]


def test_what_aws_refuses_is_refused() -> None:
    wrong = machine({"Type": "Pass", "Next": "Nowhere"})
    with pytest.raises(DefinitionRefused):
        simulate(wrong, {})
    report = check(wrong)
    assert not report.accepted
    assert "MISSING_TRANSITION_TARGET" in [problem.code for problem in report.errors]


def test_express_machines_take_no_callbacks() -> None:
    state = {"Type": "Task", "Resource": SEND, "Parameters": {"T.$": "$$.Task.Token"}, "End": True}
    assert check(machine(state)).accepted
    assert not check(machine(state), type="EXPRESS").accepted


# -- one state -----------------------------------------------------------------------------------------------

PATHS = {
    "Type": "Task",
    "Resource": "arn:aws:lambda:us-east-1:111111111111:function:f",
    "InputPath": "$.in",
    "Parameters": {"p.$": "$.x"},
    "ResultSelector": {"s.$": "$.r"},
    "ResultPath": "$.out",
    "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 2, "MaxAttempts": 2, "BackoffRate": 3}],
    "Catch": [{"ErrorEquals": ["Gone"], "ResultPath": "$.error", "Next": "B"}],
    "Next": "C",
}


def test_each_step_of_the_data_is_shown_in_the_names_of_aws() -> None:
    result = test_state(PATHS, {"in": {"x": 1}}, outcome={"output": {"r": 2}}, inspection="DEBUG")
    whole = {"in": {"x": 1}, "out": {"s": 2}}
    assert result.as_aws() == {
        "status": "SUCCEEDED",
        "output": whole,
        "nextState": "C",
        "inspectionData": {
            "input": {"in": {"x": 1}},
            "afterInputPath": {"x": 1},
            "afterParameters": {"p": 1},
            "result": {"r": 2},
            "afterResultSelector": {"s": 2},
            "afterResultPath": whole,
        },
    }


def test_retriable_error_tells_rule_and_pause() -> None:
    result = test_state(
        PATHS,
        {"in": {"x": 1}},
        outcome={"error": "Busy"},
        configuration={"retrierRetryCount": 1},
        inspection="DEBUG",
    )
    assert result.status == "RETRIABLE"
    assert result.inspection["errorDetails"] == {"retryIndex": 0, "retryBackoffIntervalSeconds": 6}


def test_caught_error_goes_on_with_the_output_of_the_catch() -> None:
    result = test_state(
        PATHS, {"in": {"x": 1}}, outcome={"error": "Gone", "cause": "away"}, inspection="DEBUG"
    )
    assert (result.status, result.next_state) == ("CAUGHT_ERROR", "B")
    assert result.output == {"in": {"x": 1}, "error": {"Error": "Gone", "Cause": "away"}}
    assert result.inspection["errorDetails"] == {"catchIndex": 0}


def test_variables_and_context_are_put_in() -> None:
    state = {
        "Type": "Task",
        "QueryLanguage": "JSONata",
        "Resource": SEND,
        "Arguments": {"sum": "{% $x + 1 %}", "token": "{% $states.context.Task.Token %}"},
        "End": True,
    }
    result = test_state(
        state,
        {},
        outcome={"output": 1},
        variables={"x": 2},
        context={"Task": {"Token": "t"}},
        inspection="TRACE",
    )
    assert result.inspection["afterArguments"] == {"sum": 3, "token": "t"}


def test_map_shows_its_items_as_each_iteration_gets_them() -> None:
    state = {
        "Type": "Map",
        "ItemsPath": "$.all",
        "ItemSelector": {"v.$": "$$.Map.Item.Value"},
        "ToleratedFailureCount": 1,
        "ItemProcessor": {"StartAt": "E", "States": {"E": {"Type": "Pass", "End": True}}},
        "End": True,
    }
    data = test_state(state, {"all": [1, 2]}, outcome={"output": ["a", "b"]}, inspection="DEBUG").inspection
    assert data["afterItemsPath"] == [1, 2]
    assert data["afterItemSelector"] == [{"v": 1}, {"v": 2}]
    assert (data["maxConcurrency"], data["toleratedFailureCount"]) == (0, 1)


@pytest.mark.parametrize(
    ("state", "rest", "message"),
    [
        ({"Type": "Pass", "End": True}, {"outcome": {"output": 1}}, "State type 'Pass' is not supported"),
        (PATHS, {"context": {"Map": {}}}, "'Map' field is not supported"),
        (PATHS, {"context": {"Execution": {"Id": 1}}}, "Execution.Id must be a string"),
        (TASK, {"outcome": {"output": {"StatusCode": "200"}}}, "Field 'StatusCode' must be a number"),
        ({"Type": "Unknown"}, {}, "Invalid State Machine Definition"),
    ],
)
def test_refusals_are_those_of_aws(state: dict[str, Any], rest: dict[str, Any], message: str) -> None:
    with pytest.raises(StateRefused, match=message):
        test_state(state, {}, **rest)


def test_mocked_results_are_not_held_against_the_service_when_asked_not_to() -> None:
    result = test_state(TASK, {}, outcome={"output": {"StatusCode": "200"}}, field_validation="NONE")
    assert result.status == "SUCCEEDED"
