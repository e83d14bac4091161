"""The events of a state machine: what was given up, what had begun, what led to what, as AWS tells it."""

from typing import Any

from stepwell_interpreter.simulation.simulate import Simulation, simulate
from stepwell_interpreter.simulation.world import Applied
from stepwell_schemas.commands import CancelActivity, RunActivity

State = dict[str, Any]

FUNCTION = "arn:aws:lambda:us-east-1:111111111111:function:work"
QUEUE = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"
NOTHING: State = {"Type": "Fail", "Error": "Nothing"}


def alone(name: str, state: State) -> State:
    """A machine of one state."""
    ends = state if state["Type"] in ("Fail", "Succeed") else {**state, "End": True}
    return {"StartAt": name, "States": {name: ends}}


def parallel(*branches: State, **fields: Any) -> State:
    return alone("Both", {"Type": "Parallel", "Branches": list(branches), **fields})


def task(**fields: Any) -> State:
    return {"Type": "Task", "Resource": FUNCTION, **fields}


def types(result: Simulation) -> list[str]:
    return [event["type"] for event in result.history]


def previous(result: Simulation, type: str) -> list[str]:
    """The events that led to those of a type."""
    by_id = {event["id"]: event["type"] for event in result.history}
    return [by_id.get(event["previousEventId"], "") for event in result.history if event["type"] == type]


def test_siblings_of_a_branch_that_fails_are_told_to_be_aborted() -> None:
    waits = alone("W", {"Type": "Wait", "Seconds": 9})
    result = simulate(
        parallel(waits, alone("F", NOTHING), alone("T", task())), {}, tasks={"T": {"output": 1}}
    )
    assert (result.status, result.error) == ("FAILED", "Nothing")
    assert types(result)[-4:] == [
        "WaitStateAborted",
        "TaskStateAborted",
        "ParallelStateFailed",
        "ExecutionFailed",
    ]


def test_an_attempt_that_is_given_up_by_the_same_record_is_never_handed_out() -> None:
    applied: list[Applied] = []
    definition = parallel(alone("T", task()), alone("F", NOTHING))
    simulate(definition, {}, tasks={"T": {"output": 1}}, observers=[applied.append])
    commands = [command for each in applied for command in each.decision.commands]
    assert not [command for command in commands if isinstance(command, RunActivity | CancelActivity)]


def test_a_task_that_ends_its_branch_by_failing_is_aborted_after_it_failed() -> None:
    result = simulate(parallel(alone("T", task())), {}, tasks={"T": {"error": "Boom"}})
    assert types(result)[6:9] == ["LambdaFunctionFailed", "TaskStateAborted", "ParallelStateFailed"]
    assert previous(result, "ParallelStateFailed") == ["LambdaFunctionFailed"]


def test_a_function_has_started_before_it_times_out_and_an_activity_has_not() -> None:
    outcome = {"T": {"timed_out": True}}
    function = simulate(alone("T", task(TimeoutSeconds=3)), {}, tasks=outcome)
    assert types(function)[2:5] == [
        "LambdaFunctionScheduled",
        "LambdaFunctionStarted",
        "LambdaFunctionTimedOut",
    ]
    activity = "arn:aws:states:us-east-1:111111111111:activity:work"
    asked = simulate(alone("T", task(TimeoutSeconds=3) | {"Resource": activity}), {}, tasks=outcome)
    assert types(asked)[2:4] == ["ActivityScheduled", "ActivityTimedOut"]


def test_a_missing_heartbeat_is_caught_by_its_own_name() -> None:
    asks = {
        "Type": "Task",
        "Resource": QUEUE,
        "Parameters": {"MessageBody.$": "$$.Task.Token"},
        "HeartbeatSeconds": 5,
        "Catch": [{"ErrorEquals": ["States.HeartbeatTimeout"], "Next": "Silent"}],
        "End": True,
    }
    definition = {"StartAt": "Ask", "States": {"Ask": asks, "Silent": {"Type": "Succeed"}}}
    outcome = {"Ask": {"submitted": {"MessageId": "m"}, "timed_out": True}}
    result = simulate(definition, {}, tasks=outcome, resources={QUEUE: "ask"})
    assert (result.status, result.output) == ("SUCCEEDED", {"Error": "States.Timeout", "Cause": ""})


def test_the_first_state_follows_on_nothing_and_an_iteration_on_the_map() -> None:
    each = alone("P", {"Type": "Pass"})
    many = {"Type": "Map", "ItemsPath": "$", "MaxConcurrency": 1, "ItemProcessor": each}
    result = simulate(alone("Many", many), [1, 2])
    assert previous(result, "MapStateEntered") == [""]
    assert previous(result, "MapIterationStarted") == ["MapStateStarted", "PassStateExited"]
    assert previous(result, "MapIterationSucceeded") == ["PassStateExited", "PassStateExited"]
    assert previous(result, "MapStateSucceeded") == ["PassStateExited"]


def test_a_parallel_state_that_is_tried_again_begins_anew() -> None:
    definition = parallel(alone("T", task()), Retry=[{"ErrorEquals": ["Boom"]}])
    result = simulate(definition, {}, tasks={"T": [{"error": "Boom"}, {"output": 1}]})
    assert previous(result, "TaskStateEntered") == ["ParallelStateStarted", "ParallelStateStarted"]
    assert previous(result, "ParallelStateSucceeded") == ["TaskStateExited"]


def test_an_error_path_that_leads_to_no_text_fails_the_execution() -> None:
    result = simulate(alone("F", {"Type": "Fail", "ErrorPath": "$.code"}), {"code": {"a": 1}})
    assert result.error == "States.Runtime"
    assert result.cause is not None
    assert result.cause.endswith('The ErrorPath parameter does not reference a string: $.code == {"a":1}')


def test_a_pass_state_has_no_result_in_jsonata() -> None:
    state = {"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $states.result %}"}
    assert simulate(alone("P", state), {"a": 1}).error == "States.QueryEvaluationError"


READS: State = {
    "Type": "Map",
    "ItemReader": {
        "Resource": "arn:aws:states:::s3:getObject",
        "Parameters": {"Bucket": "b", "Key": "k"},
        "ReaderConfig": {"InputType": "JSON"},
    },
    "ItemProcessor": alone("P", {"Type": "Pass"})
    | {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}},
}


def test_a_reader_that_fails_is_told_by_the_map_run_alone() -> None:
    result = simulate(alone("Many", READS), {}, tasks={"Many": {"error": "S3.NoSuchKey", "cause": "gone"}})
    assert result.error == "States.ItemReaderFailed"
    assert types(result)[2:] == [
        "MapStateStarted",
        "MapRunStarted",
        "MapRunFailed",
        "MapStateFailed",
        "ExecutionFailed",
    ]


def test_a_writer_may_flatten_the_results() -> None:
    writes = READS | {"ResultWriter": {"WriterConfig": {"OutputType": "JSON", "Transformation": "FLATTEN"}}}
    result = simulate(alone("Many", writes), {}, tasks={"Many": {"output": [[1, 2], 3, [], [[4]]]}})
    assert result.output == [1, 2, 3, [4]]


def test_a_state_machine_that_is_only_started_is_not_told_to_be_submitted() -> None:
    child = alone("C", {"Type": "Wait", "Seconds": 5})
    parameters = {"StateMachineArn": "arn:aws:states:us-east-1:111111111111:stateMachine:child"}
    for pattern, told in (("", False), (".sync", True)):
        resource = f"arn:aws:states:::states:startExecution{pattern}"
        definition = alone("T", {"Type": "Task", "Resource": resource, "Parameters": parameters})
        result = simulate(definition, {}, workflows={"child": child}, resources={FUNCTION: "work"})
        assert ("TaskSubmitted" in types(result)) is told
        assert result.status == "SUCCEEDED"


def test_numbers_that_cannot_be_stored_are_failures_of_the_function_that_makes_them() -> None:
    largest = "9000000000000000000"
    state = {"Type": "Pass", "Assign": {"sum.$": f"States.MathAdd({largest}, {largest})"}}
    assert simulate(alone("P", state), {}).error == "States.IntrinsicFailure"
    state = {"Type": "Pass", "Parameters": {"sum.$": "States.MathAdd($.n, 1)"}}
    assert simulate(alone("P", state), {"n": 1e30}).error == "States.IntrinsicFailure"


def test_a_timeout_of_no_seconds_fails_where_a_wait_of_none_goes_on() -> None:
    timed = simulate(alone("T", task(TimeoutSecondsPath="$.n")), {"n": 0}, tasks={"T": {"output": 1}})
    assert timed.error == "States.Runtime"
    assert simulate(alone("W", {"Type": "Wait", "SecondsPath": "$.n"}), {"n": 0}).status == "SUCCEEDED"
