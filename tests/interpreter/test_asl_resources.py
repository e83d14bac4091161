"""What a Resource leads to: the table first, then the name that stands in it, else a refusal that says the way out."""

import pytest
from stepwell_interpreter.asl.resources import ANY, Integration, ResourceProblem, resolve

FUNCTION = "arn:aws:lambda:us-east-1:111111111111:function:charge-card"
ACTIVITY = "arn:aws:states:us-east-1:111111111111:activity:ship"
INVOKE = "arn:aws:states:::lambda:invoke"
START = "arn:aws:states:::states:startExecution"
QUEUE = "arn:aws:states:::sqs:sendMessage"
MACHINE = "arn:aws:states:us-east-1:111111111111:stateMachine:child-flow"


@pytest.mark.parametrize("resource", [FUNCTION, f"{FUNCTION}:$LATEST", f"{FUNCTION}:prod"])
def test_a_function_is_the_activity_of_its_name(resource: str) -> None:
    found = resolve(resource, {})
    assert (found.kind, found.activity, found.resource_type) == ("lambda", "charge-card", "lambda")
    assert found.resource == resource


@pytest.mark.parametrize("key", [f"{FUNCTION}:prod", FUNCTION, "charge-card"])
def test_the_table_may_name_a_function_in_any_way(key: str) -> None:
    assert resolve(f"{FUNCTION}:prod", {key: "cards.charge"}).activity == "cards.charge"


def test_an_activity_is_the_activity_of_its_name() -> None:
    found = resolve(ACTIVITY, {})
    assert (found.kind, found.activity) == ("activity", "ship")
    assert resolve(ACTIVITY, {"ship": "parcels.send"}).activity == "parcels.send"


@pytest.mark.parametrize(
    "function",
    ["charge", FUNCTION.replace("charge-card", "charge"), "111111111111:function:charge", "charge:3"],
)
def test_an_invocation_runs_the_function_it_names(function: str) -> None:
    found = resolve(INVOKE, {}, {"FunctionName": function})
    assert found == Integration(
        "integration", "charge", None, "lambda:invoke", "lambda", "invoke", None, aws_sdk=False
    )


@pytest.mark.parametrize(
    "arguments", [None, {}, {"FunctionName.$": "$.f"}, {"FunctionName": "{% $f %}"}, "{% $a %}"]
)
def test_an_invocation_of_a_function_unknown_till_then_needs_the_table(arguments: object) -> None:
    with pytest.raises(ResourceProblem, match="FunctionName"):
        resolve(INVOKE, {}, arguments)
    assert resolve(INVOKE, {INVOKE: "functions.run"}, arguments).activity == "functions.run"


@pytest.mark.parametrize(("suffix", "pattern"), [("", None), (".sync", "sync"), (".sync:2", "sync:2")])
def test_an_execution_is_a_child_workflow(suffix: str, pattern: str | None) -> None:
    found = resolve(START + suffix, {}, {"StateMachineArn": MACHINE})
    assert (found.kind, found.workflow, found.activity, found.pattern) == (
        "workflow",
        "child-flow",
        None,
        pattern,
    )
    assert (found.resource_type, found.resource) == ("states", f"startExecution{suffix}")


def test_a_state_machine_whose_name_no_workflow_can_have_needs_the_table() -> None:
    arguments = {"StateMachineArn": MACHINE.replace("child-flow", "Child_Flow")}
    with pytest.raises(ResourceProblem, match="Child_Flow"):
        resolve(START, {}, arguments)
    assert resolve(START, {"Child_Flow": "workflow:child@1"}, arguments).workflow == "child@1"
    assert resolve(START, {START: "executions.start"}, arguments).activity == "executions.start"


def test_any_other_integration_must_be_in_the_table() -> None:
    with pytest.raises(ResourceProblem) as raised:
        resolve(f"{QUEUE}.waitForTaskToken", {})
    assert f"{QUEUE}.waitForTaskToken" in raised.value.help
    found = resolve(f"{QUEUE}.waitForTaskToken", {f"{QUEUE}.waitForTaskToken": "queue.send"})
    assert (found.activity, found.resource, found.pattern) == (
        "queue.send", "sendMessage.waitForTaskToken", "waitForTaskToken",
    )  # fmt: skip


def test_an_sdk_call_is_told_as_the_history_tells_it() -> None:
    sdk = "arn:aws:states:::aws-sdk:s3:putObject"
    found = resolve(sdk, {sdk: "store.put"})
    assert (found.resource_type, found.resource, found.aws_sdk) == ("aws-sdk:s3", "putObject", True)


def test_the_table_may_have_what_aws_does_not() -> None:
    assert resolve("send a letter", {"send a letter": "letters.send"}).activity == "letters.send"


@pytest.mark.parametrize("resource", ["", "send", "arn:aws:states:::sqs:receive", "arn:aws:s3:::bucket"])
def test_what_aws_does_not_have_is_known_as_such(resource: str) -> None:
    with pytest.raises(ResourceProblem) as raised:
        resolve(resource, {})
    assert not raised.value.known


@pytest.mark.parametrize("name", ["_charge", "-charge"])
def test_a_name_that_no_activity_can_have_is_refused(name: str) -> None:
    with pytest.raises(ResourceProblem, match=name):
        resolve(FUNCTION.replace("charge-card", name), {})


@pytest.mark.parametrize("resource", [FUNCTION, f"{FUNCTION}:$LATEST", INVOKE, START, QUEUE, ACTIVITY])
def test_without_a_table_each_resource_is_an_activity_of_its_own(resource: str) -> None:
    found = resolve(resource, ANY)
    assert found.activity == resource.replace("$", "-")
    assert found.workflow is None
