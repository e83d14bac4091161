"""State machines of Amazon States Language, run: how data flows, what is tried again, what is caught, what is told."""

from itertools import pairwise
from typing import Any

import pytest
from stepwell_interpreter.simulation.simulate import Simulation, simulate

LAMBDA = "arn:aws:states:::lambda:invoke"
FUNCTION = "arn:aws:lambda:us-east-1:111111111111:function:work"

State = dict[str, Any]


def machine(*states: State, **top: Any) -> dict[str, Any]:
    """States named A, B, C …, each leading to the next where it does not say."""
    names = [chr(ord("A") + number) for number in range(len(states))]
    named: dict[str, State] = {}
    for number, (name, state) in enumerate(zip(names, states, strict=True)):
        leads = {"Next", "End"} & state.keys() or state["Type"] in ("Succeed", "Fail", "Choice")
        last = number == len(states) - 1
        named[name] = (
            state if leads else {**state, **({"End": True} if last else {"Next": names[number + 1]})}
        )
    return {"StartAt": "A", "States": named, **top}


def task(**fields: Any) -> State:
    return {"Type": "Task", "Resource": FUNCTION, **fields}


def run(definition: dict[str, Any], value: Any = None, **given: Any) -> Simulation:
    return simulate(definition, {} if value is None else value, **given)


def types(result: Simulation) -> list[str]:
    return [event["type"] for event in result.history]


def details(result: Simulation, type: str) -> list[dict[str, Any]]:
    """The details of the events of one type."""
    return [
        next((part for key, part in event.items() if key.endswith("EventDetails")), {})
        for event in result.history
        if event["type"] == type
    ]


# -- data -----------------------------------------------------------------------------------------------------


def test_data_goes_from_input_path_to_output_path() -> None:
    state = task(
        InputPath="$.order",
        Parameters={"id.$": "$.id", "fixed": 1},
        ResultSelector={"paid.$": "$.amount"},
        ResultPath="$.payment",
        OutputPath="$.payment",
    )
    result = run(machine(state), {"order": {"id": 7}}, tasks={"A": {"output": {"amount": 5, "other": 6}}})
    assert result.output == {"paid": 5}
    assert details(result, "LambdaFunctionScheduled")[0]["input"] == '{"id":7,"fixed":1}'


def test_a_result_path_of_null_lets_the_input_go_on() -> None:
    result = run(machine(task(ResultPath=None)), {"a": 1}, tasks={"A": {"output": 2}})
    assert result.output == {"a": 1}


def test_jsonata_arguments_and_output_see_input_and_result() -> None:
    state = task(
        QueryLanguage="JSONata",
        Arguments={"twice": "{% $states.input.n * 2 %}"},
        Output={"sum": "{% $states.result.n + $states.input.n %}"},
    )
    result = run(machine(state), {"n": 4}, tasks={"A": lambda given: {"n": given["twice"]}})
    assert result.output == {"sum": 12}


def test_variables_take_effect_after_their_state_and_are_seen_inside_a_map() -> None:
    inner = {"StartAt": "I", "States": {"I": {"Type": "Pass", "Parameters": {"v.$": "$limit"}, "End": True}}}
    result = run(
        machine(
            {"Type": "Pass", "Assign": {"limit": 1}},
            {"Type": "Pass", "Assign": {"limit": 2, "before.$": "$limit"}},
            {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": inner},
        ),
        {"items": [0]},
    )
    assert result.output == [{"v": 2}]
    assert result.state == {"limit": 2, "before": 1}


def test_what_a_branch_assigns_stays_inside_of_it() -> None:
    branch = {"StartAt": "I", "States": {"I": {"Type": "Pass", "Assign": {"mine": 1}, "End": True}}}
    result = run(machine({"Type": "Parallel", "Branches": [branch]}))
    assert result.state == {}


def test_a_result_beyond_256_kib_is_an_error_that_can_be_caught() -> None:
    state = task(Catch=[{"ErrorEquals": ["States.DataLimitExceeded"], "Next": "B"}])
    result = run(machine(state, {"Type": "Pass"}), tasks={"A": {"output": "x" * 262_144}})
    assert result.status == "SUCCEEDED"
    assert result.output["Error"] == "States.DataLimitExceeded"
    assert FUNCTION in result.output["Cause"]


# -- errors ---------------------------------------------------------------------------------------------------


def test_a_cause_names_the_state_and_the_event_that_entered_it() -> None:
    result = run(machine({"Type": "Pass"}, {"Type": "Wait", "SecondsPath": "$.none"}))
    assert (result.status, result.error) == ("FAILED", "States.Runtime")
    assert result.cause is not None
    assert result.cause.startswith(
        "An error occurred while executing the state 'B' (entered at the event id #4)."
    )


def test_runtime_errors_are_caught_by_nobody() -> None:
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "B"}]
    result = run(machine(task(InputPath="$.none", Catch=catch), {"Type": "Pass"}))
    assert result.error == "States.Runtime"


def test_a_failed_jsonata_expression_writes_an_event_with_its_place() -> None:
    state = task(QueryLanguage="JSONata", Arguments={"x": "{% $states.input.none %}"})
    result = run(machine(state))
    assert result.error == "States.QueryEvaluationError"
    assert details(result, "EvaluationFailed")[0]["location"] == "Arguments/x"


def test_a_caught_error_is_kept_where_the_catch_says_and_assigned() -> None:
    catch = [
        {
            "ErrorEquals": ["Refused"],
            "ResultPath": "$.error",
            "Assign": {"why.$": "$.Cause"},
            "Next": "B",
        }
    ]
    result = run(
        machine(task(Catch=catch), {"Type": "Pass"}),
        {"a": 1},
        tasks={"A": {"error": "Refused", "cause": "no"}},
    )
    assert result.output == {"a": 1, "error": {"Error": "Refused", "Cause": "no"}}
    assert result.state == {"why": "no"}


def test_a_task_may_fail_without_an_error_name() -> None:
    state = task(
        Resource="arn:aws:states:::sqs:sendMessage.waitForTaskToken", Parameters={"t.$": "$$.Task.Token"}
    )
    result = run(machine(state), tasks={"A": {"submitted": {}, "error": None, "cause": None}})
    assert (result.status, result.error, result.cause) == ("FAILED", None, None)


@pytest.mark.parametrize(("attempts", "rate"), [(2, 3), (2.0, 3.0)])
def test_retries_are_counted_in_the_context_and_keep_the_state_entered_once(
    attempts: float, rate: float
) -> None:
    state = task(
        Parameters={"retries.$": "$$.State.RetryCount"},
        Retry=[{"ErrorEquals": ["E"], "MaxAttempts": attempts, "IntervalSeconds": 5, "BackoffRate": rate}],
    )
    seen: list[int] = []

    def body(given: Any) -> Any:
        seen.append(given["retries"])
        if len(seen) < 3:
            raise type("E", (Exception,), {})("again")
        return "done"

    result = run(machine(state), tasks={"A": body})
    assert (result.output, seen) == ("done", [0, 1, 2])
    assert types(result).count("TaskStateEntered") == 1
    times = [event["timestamp"] for event in result.history if event["type"] == "LambdaFunctionScheduled"]
    assert [later - earlier for earlier, later in pairwise(times)] == [5, 15]


@pytest.mark.parametrize("kind", ["Parallel", "Map"])
def test_a_region_that_is_tried_again_tells_of_its_failure_only_at_last(kind: str) -> None:
    inner = {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E"}}}
    regions: dict[str, State] = {"Parallel": {"Branches": [inner]}, "Map": {"ItemProcessor": inner}}
    retry = [{"ErrorEquals": ["E"], "MaxAttempts": 1}]
    result = run(machine({"Type": kind, "Retry": retry, **regions[kind]}), [1])
    assert types(result).count(f"{kind}StateStarted") == 2
    assert types(result).count(f"{kind}StateFailed") == 1
    assert result.error == "E"


def test_a_heartbeat_that_stays_away_is_a_timeout_without_a_cause() -> None:
    state = task(
        Resource="arn:aws:states:::sqs:sendMessage.waitForTaskToken", HeartbeatSeconds=5, Parameters={}
    )
    result = run(machine(state), tasks={"A": {"submitted": {}, "timed_out": True}})
    assert (result.status, result.error, result.cause or None) == ("FAILED", "States.Timeout", None)
    assert result.now_ms - 1_767_225_600_000 == 5_000


def test_an_execution_that_lasts_too_long_has_timed_out() -> None:
    result = run(machine({"Type": "Wait", "Seconds": 10}, TimeoutSeconds=3))
    assert (result.status, result.error) == ("TIMED_OUT", "States.Timeout")
    assert types(result)[-1] == "ExecutionTimedOut"


# -- maps -----------------------------------------------------------------------------------------------------

ECHO = {"StartAt": "I", "States": {"I": {"Type": "Pass", "End": True}}}
APART = {**ECHO, "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}
READER = "arn:aws:states:::s3:getObject"


def test_an_item_selector_sees_the_item_its_index_and_the_input() -> None:
    selector = {"i.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value", "all.$": "$.name"}
    state = {"Type": "Map", "ItemsPath": "$.items", "ItemSelector": selector, "ItemProcessor": ECHO}
    result = run(machine(state), {"items": ["a", "b"], "name": "n"})
    assert result.output == [{"i": 0, "v": "a", "all": "n"}, {"i": 1, "v": "b", "all": "n"}]


def test_a_distributed_map_tells_of_its_run_and_not_of_its_iterations() -> None:
    result = run(machine({"Type": "Map", "ItemProcessor": APART}), [1, 2])
    assert types(result)[1:-1] == [
        "MapStateEntered",
        "MapStateStarted",
        "MapRunStarted",
        "MapRunSucceeded",
        "MapStateSucceeded",
        "MapStateExited",
    ]


FAILING = {
    "StartAt": "C",
    "States": {
        "C": {
            "Type": "Choice",
            "Choices": [{"Variable": "$", "NumericGreaterThan": 1, "Next": "F"}],
            "Default": "S",
        },
        "F": {"Type": "Fail", "Error": "TooBig"},
        "S": {"Type": "Succeed"},
    },
    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
}


@pytest.mark.parametrize(
    ("tolerated", "status"),
    [
        ({"ToleratedFailureCount": 1}, "FAILED"),
        ({"ToleratedFailureCount": 2}, "SUCCEEDED"),
        ({"ToleratedFailurePercentage": 50}, "SUCCEEDED"),
        ({"ToleratedFailurePercentage": 49}, "FAILED"),
    ],
)
def test_a_distributed_map_fails_beyond_what_it_tolerates(tolerated: State, status: str) -> None:
    result = run(machine({"Type": "Map", "ItemProcessor": FAILING, **tolerated}), [0, 1, 2, 3])
    assert result.status == status
    if status == "FAILED":
        assert result.error == "States.ExceedToleratedFailureThreshold"


@pytest.mark.parametrize(
    ("configuration", "body", "items"),
    [
        ({"InputType": "JSON"}, "[1, 2]", [1, 2]),
        ({"InputType": "JSON", "MaxItems": 1}, "[1, 2]", [1]),
        ({"InputType": "JSONL"}, '{"a":1}\n\n{"a":2}\n', [{"a": 1}, {"a": 2}]),
        (
            {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
            "a,b\n1,2\n3\n",
            [{"a": "1", "b": "2"}, {"a": "3", "b": ""}],
        ),
        (
            {"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["x"], "CSVDelimiter": "PIPE"},
            "1|2\n",
            [{"x": "1"}],
        ),
    ],
)  # fmt: skip
def test_a_reader_makes_items_of_what_was_read(configuration: State, body: str, items: list[Any]) -> None:
    reader = {
        "Resource": READER,
        "Parameters": {"Bucket": "b", "Key.$": "$.key"},
        "ReaderConfig": configuration,
    }
    asked: list[Any] = []

    def read(given: Any) -> str:
        asked.append(given)
        return body

    state = {"Type": "Map", "ItemReader": reader, "ItemProcessor": APART}
    result = run(machine(state), {"key": "k"}, tasks={"A": read})
    assert (result.output, asked) == (items, [{"Bucket": "b", "Key": "k"}])


@pytest.mark.parametrize(
    ("configuration", "body"),
    [
        ({"InputType": "JSON"}, '{"a": 1}'),
        ({"InputType": "JSON"}, "not json"),
        ({"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}, "a,a\n1,2\n"),
    ],
)
def test_what_cannot_be_read_as_items_fails_the_reader(configuration: State, body: str) -> None:
    reader = {"Resource": READER, "Parameters": {}, "ReaderConfig": configuration}
    result = run(
        machine({"Type": "Map", "ItemReader": reader, "ItemProcessor": APART}), tasks={"A": {"output": body}}
    )
    assert (result.status, result.error) == ("FAILED", "States.ItemReaderFailed")


def test_items_are_batched_by_number_and_by_size() -> None:
    batcher = {"MaxItemsPerBatch": 2, "BatchInput": {"shared.$": "$.s"}}
    state = {"Type": "Map", "ItemsPath": "$.items", "ItemBatcher": batcher, "ItemProcessor": APART}
    result = run(machine(state), {"items": [1, 2, 3], "s": "x"})
    assert result.output == [
        {"BatchInput": {"shared": "x"}, "Items": [1, 2]},
        {"BatchInput": {"shared": "x"}, "Items": [3]},
    ]
    small = {**state, "ItemBatcher": {"MaxInputBytesPerBatch": 11}}
    assert run(machine(small), {"items": ["aaaa", "b", "cccc"]}).output == [
        {"Items": ["aaaa", "b"]},
        {"Items": ["cccc"]},
    ]


def test_results_are_handed_to_a_writer() -> None:
    writer = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "out"}}
    written: list[Any] = []

    def write(given: Any) -> Any:
        written.append(given)
        return {"ResultWriterDetails": {"Bucket": "out", "Key": "k"}}

    state = {"Type": "Map", "ItemProcessor": APART, "ResultWriter": writer}
    result = run(machine(state), [1, 2], tasks={"A": write})
    assert written == [{"Bucket": "out", "Results": [1, 2]}]
    assert result.output == {"ResultWriterDetails": {"Bucket": "out", "Key": "k"}}


@pytest.mark.parametrize(
    ("fields", "value"),
    [
        ({"MaxConcurrencyPath": "$.n"}, -1),
        ({"MaxConcurrencyPath": "$.n"}, "x"),
        ({"ToleratedFailurePercentagePath": "$.n"}, 101),
        ({"ToleratedFailureCountPath": "$.n"}, 1.5),
    ],
)
def test_a_wrong_limit_of_a_map_fails_it_naming_the_field(fields: State, value: Any) -> None:
    result = run(
        machine({"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": APART, **fields}),
        {"items": [], "n": value},
    )
    assert (result.status, result.error) == ("FAILED", "States.Runtime")
    assert next(iter(fields)).removesuffix("Path") in str(result.cause)


# -- what is told ---------------------------------------------------------------------------------------------


def test_a_service_task_tells_of_its_resource_in_every_event() -> None:
    state = task(Resource=LAMBDA, Parameters={"FunctionName": "f"}, TimeoutSeconds=60, HeartbeatSeconds=10)
    result = run(machine(state), tasks={"A": {"output": {"Payload": 1}}})
    scheduled = details(result, "TaskScheduled")[0]
    assert scheduled == {
        "resourceType": "lambda",
        "resource": "invoke",
        "region": "us-east-1",
        "parameters": '{"FunctionName":"f"}',
        "timeoutInSeconds": 60,
        "heartbeatInSeconds": 10,
    }
    assert details(result, "TaskSucceeded")[0]["resource"] == "invoke"


def test_events_are_numbered_without_gaps_and_lead_back_to_the_start() -> None:
    result = run(machine({"Type": "Pass", "Assign": {"v": 1}}, task()), tasks={"B": {"output": 1}})
    assert [event["id"] for event in result.history] == list(range(1, len(result.history) + 1))
    assert all(event["previousEventId"] < event["id"] for event in result.history)
    assert details(result, "PassStateExited")[0]["assignedVariables"] == {"v": "1"}


def test_a_started_state_machine_runs_as_a_child_and_answers_as_described() -> None:
    arn = "arn:aws:states:us-east-1:111111111111:stateMachine:child"
    state = task(
        Resource="arn:aws:states:::states:startExecution.sync:2",
        Parameters={"StateMachineArn": arn, "Input": {"n": 1}},
    )
    result = run(
        machine(state),
        tasks={"A": {"submitted": {"ExecutionArn": "e"}, "output": {"Status": "SUCCEEDED", "Output": 2}}},
    )
    assert result.output == {"Status": "SUCCEEDED", "Output": 2}
    assert "TaskSubmitted" in types(result)


def test_a_choice_rule_assigns_and_gives_its_own_output() -> None:
    choice = {
        "Type": "Choice",
        "QueryLanguage": "JSONata",
        "Choices": [
            {
                "Condition": "{% $states.input.n > 1 %}",
                "Assign": {"big": True},
                "Output": "{% $states.input.n %}",
                "Next": "B",
            }
        ],
        "Default": "B",
        "Output": "small",
    }
    definition = machine(choice, {"Type": "Succeed"})
    assert (run(definition, {"n": 2}).output, run(definition, {"n": 2}).state) == (2, {"big": True})
    assert run(definition, {"n": 0}).output == "small"


def test_a_choice_that_nothing_holds_for_fails_as_step_functions_does() -> None:
    choice = {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericEquals": 1, "Next": "B"}]}
    result = run(machine(choice, {"Type": "Succeed"}), {"n": 0})
    assert result.error == "States.NoChoiceMatched"


COSTLY = "{% $count($map([1..60000], function($x) { $string($x) })) %}"


@pytest.mark.parametrize(
    "inner",
    [
        {"Type": "Pass", "QueryLanguage": "JSONata", "Output": COSTLY, "End": True},
        {
            "Type": "Pass",
            "Parameters": {"x.$": "$..*"},
            "ResultPath": "$.x",
            "OutputPath": "$.n",
            "End": True,
        },
    ],
)
@pytest.mark.laborious
def test_the_expressions_of_one_decision_are_bounded_together(inner: State) -> None:
    item = {"n": 1, "deep": [[number] * 30 for number in range(100)]}
    processor = {"StartAt": "I", "States": {"I": inner}}
    state = {"Type": "Map", "ItemSelector": {"n": 1, "deep.$": "$.deep"}, "ItemsPath": "$.items"}
    definition = machine({**state, "ItemProcessor": processor})
    result = run(definition, {"items": list(range(2_000)), "deep": item["deep"]})
    assert (result.status, result.error) == ("FAILED", "States.DataLimitExceeded")


def test_a_decision_that_visits_too_many_values_fails_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stepwell_interpreter.draft.MOST_WORK", 500)
    state = {"Type": "Pass", "Parameters": {"x.$": "$..*"}}
    few, many = ({"deep": [[1] * 30] * rows} for rows in (5, 20))
    assert run(machine(state, {"Type": "Succeed"}), few).status == "SUCCEEDED"
    result = run(machine(state, {"Type": "Succeed"}), many)
    assert (result.status, result.error) == ("FAILED", "States.DataLimitExceeded")
    assert "visit more than 500 values" in str(result.cause)
