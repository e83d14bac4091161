"""What AWS refuses of an Amazon States Language document, with its codes, messages and locations."""

import copy
from typing import Any

import pytest
from stepwell_interpreter.asl.diagnostics import Diagnostic, creation_error
from stepwell_interpreter.asl.resources import ANY, ResourceTable
from stepwell_interpreter.asl.validate import MachineType, validate_asl

LAMBDA = "arn:aws:lambda:us-east-1:111111111111:function:charge"
PASS: dict[str, Any] = {"Type": "Pass", "End": True}
TASK: dict[str, Any] = {"Type": "Task", "Resource": LAMBDA, "End": True}
MAP: dict[str, Any] = {
    "Type": "Map",
    "ItemProcessor": {"StartAt": "I", "States": {"I": PASS}},
    "End": True,
}
DISTRIBUTED: dict[str, Any] = {
    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
    "StartAt": "I",
    "States": {"I": PASS},
}
CHOICE: dict[str, Any] = {
    "Type": "Choice",
    "Choices": [{"Variable": "$.x", "IsPresent": True, "Next": "B"}],
    "Default": "B",
}


def machine(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A machine of one state, and of B where that is led to."""
    states = {"A": state}
    if '"B"' in str(state).replace("'", '"'):
        states["B"] = {"Type": "Succeed"}
    return {"StartAt": "A", "States": states, **more}


def found(
    document: Any, type: MachineType = "STANDARD", resources: ResourceTable = ANY
) -> list[tuple[str, str, str | None]]:
    before = copy.deepcopy(document)
    diagnostics = validate_asl(document, type=type, resources=resources)
    assert document == before
    return [(each.code, each.message, each.location) for each in diagnostics]


def schema(state: dict[str, Any], **more: Any) -> list[tuple[str, str | None]]:
    """Messages and locations where all codes are the schema's."""
    told = found(machine(state, **more))
    assert {code for code, _, _ in told} <= {"SCHEMA_VALIDATION_FAILED"}
    return [(message, location) for _, message, location in told]


ACCEPTED = [
    machine(PASS),
    machine(TASK, Version="1.0", TimeoutSeconds=10, Comment="c", QueryLanguage="JSONPath"),
    machine(CHOICE),
    machine(MAP),
    machine({**MAP, "ItemProcessor": DISTRIBUTED, "ToleratedFailurePercentage": 5, "Label": "L"}),
    machine({"Type": "Parallel", "Branches": [{"StartAt": "X", "States": {"X": PASS}}], "End": True}),
    machine({"Type": "Wait", "Timestamp": "2024-12-05T21:29:29.243167252Z", "End": True}),
    machine({"Type": "Wait", "SecondsPath": "$wait", "End": True}),
    machine({"Type": "Fail", "ErrorPath": "States.Format('{}', $.e)", "CausePath": "$cause"}),
    machine({**TASK, "TimeoutSeconds": "{% 1 + 2 %}", "QueryLanguage": "JSONata"}),
    machine({"Type": "Pass", "Output": {"a": "{% $states.input %}"}, "End": True}, QueryLanguage="JSONata"),
    machine({**CHOICE, "Assign": {"x.$": "$.y"}}),
    machine({**PASS, "Parameters": {"literal": "$result", "at.$": "$$.Execution.Id"}}),
    machine({**PASS, "InputPath": None, "OutputPath": None, "ResultPath": None}),
    machine({"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:putObject", "End": True}),
]


@pytest.mark.parametrize("document", ACCEPTED)
def test_what_aws_takes_is_taken(document: dict[str, Any]) -> None:
    assert found(document) == []


FIELDS: list[tuple[dict[str, Any], str, str]] = [
    ({**PASS, "Foo": 1}, "Field 'Foo' is not supported", "/States/A"),
    ({**PASS, "TimeoutSeconds": 1}, "Field 'TimeoutSeconds' is not supported", "/States/A"),
    ({**MAP, "TimeoutSeconds": 1}, "Field 'TimeoutSeconds' is not supported", "/States/A"),
    ({**PASS, "Catch": []}, "Field 'Catch' is not supported", "/States/A"),
    ({"Type": "Fail", "End": True}, "Field 'End' is not supported", "/States/A"),
    ({"Type": "Task", "End": True}, "These fields are required: [Resource]", "/States/A"),
    ({"End": True}, "These fields are required: [Type]", "/States/A"),
    (
        {"Type": "Nope", "End": True},
        "The field 'Type' should have one of these values: [Task, Wait, Pass, Succeed, Fail, Choice, Parallel, Map]",
        "/States/A/Type",
    ),
    ({**PASS, "OutputPath": "Test"}, "Value must be a valid JSONPath.", "/States/A/OutputPath"),
    ({**PASS, "ResultPath": "$.a[*]"}, "Value is not a Reference Path", "/States/A/ResultPath"),
    ({**PASS, "ResultPath": "$$.Execution"}, "Value is not a Reference Path", "/States/A/ResultPath"),
    (
        {**TASK, "TimeoutSecondsPath": "x"},
        "Value is not a Reference Path: Reference path didn't start with '$'",
        "/States/A/TimeoutSecondsPath",
    ),
    (
        {**PASS, "Assign": {"v.$": "text"}},
        "The value for the field 'v.$' must be a valid JSONPath or a valid intrinsic function call",
        "/States/A/Assign",
    ),
    (
        {**PASS, "Parameters": {"in": [{"v.$": "States.Nope()"}]}},
        "The value for the field 'v.$' must be a valid JSONPath or a valid intrinsic function call",
        "/States/A/Parameters/in[0]",
    ),
    ({"Type": "Wait", "Seconds": 10**16, "End": True}, "Maximum value is 99999999", "/States/A/Seconds"),
    ({"Type": "Wait", "Seconds": -1, "End": True}, "Minimum value is 0", "/States/A/Seconds"),
    (
        {"Type": "Wait", "Timestamp": "2024-01-01 00:00:00", "End": True},
        "String does not match RFC3339 timestamp",
        "/States/A/Timestamp",
    ),
    (
        {"Type": "Wait", "Seconds": 1, "SecondsPath": "$.s", "End": True},
        "There should only be one of the following fields: [Seconds, SecondsPath]",
        "/States/A",
    ),
    (
        {**PASS, "Output": {}},
        "The QueryLanguage is set to 'JSONPath', but field 'Output' is only supported for the 'JSONata' QueryLanguage",
        "/States/A",
    ),
    (
        {**PASS, "QueryLanguage": "JSONata", "Parameters": {}},
        "The QueryLanguage is set to 'JSONata', but field 'Parameters' is only supported for the 'JSONPath' "
        "QueryLanguage",
        "/States/A",
    ),
    (
        {**TASK, "Retry": [{"ErrorEquals": ["States.ALL", "X"]}]},
        "States.ALL must appear alone and at end of list",
        "/States/A/Retry[0]/ErrorEquals[0]",
    ),
    (
        {**TASK, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B"}, {"ErrorEquals": ["X"], "Next": "B"}]},
        "States.ALL must appear alone and at end of list",
        "/States/A/Catch[0]/ErrorEquals[0]",
    ),
    ({**TASK, "Catch": [{"ErrorEquals": ["X"]}]}, "These fields are required: [Next]", "/States/A/Catch[0]"),
    ({**TASK, "Retry": [{"ErrorEquals": ["X"], "IntervalSeconds": 0}]}, "Minimum value is 1",
     "/States/A/Retry[0]/IntervalSeconds"),
    ({**TASK, "Retry": [{"ErrorEquals": ["X"], "BackoffRate": 0.5}]}, "Minimum value is 1.0",
     "/States/A/Retry[0]/BackoffRate"),
    (
        {**TASK, "Retry": [{"ErrorEquals": ["X"], "JitterStrategy": "half"}]},
        "The field 'JitterStrategy' should have one of these values: [FULL, NONE]",
        "/States/A/Retry[0]/JitterStrategy",
    ),
    (
        {"Type": "Choice", "Choices": [{"Variable": "Test", "StringMatches": "x", "Next": "B"}]},
        "Value is not a Reference Path: Reference path didn't start with '$'",
        "/States/A/Choices[0]/Variable",
    ),
    (
        {"Type": "Choice", "Choices": [{"Variable": "$", "StringMatches": "x"}], "Default": "B"},
        "These fields are required: [Next]",
        "/States/A/Choices[0]",
    ),
    (
        {"Type": "Choice", "Choices": [{"Variable": "$", "StringEquals": "x", "IsNull": True, "Next": "B"}]},
        "There should only be one of the following fields: [StringEquals, IsNull]",
        "/States/A/Choices[0]",
    ),
    ({**MAP, "MaxConcurrency": -1}, "Minimum value is 0", "/States/A/MaxConcurrency"),
    (
        {**MAP, "ItemProcessor": {**DISTRIBUTED, "QueryLanguage": "JSONata"}},
        "Field 'QueryLanguage' is not supported",
        "/States/A/ItemProcessor",
    ),
    (
        {**MAP, "ItemProcessor": DISTRIBUTED, "ToleratedFailurePercentage": 101},
        "Maximum value is 100.0",
        "/States/A/ToleratedFailurePercentage",
    ),
    (
        {**MAP, "ItemProcessor": DISTRIBUTED, "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "JSON", "MaxItems": 1, "MaxItemsPath": "$.n"},
        }},
        "There should only be one of the following fields: [MaxItems, MaxItemsPath]",
        "/States/A/ItemReader/ReaderConfig",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("state", "message", "location"), FIELDS)
def test_a_wrong_field_is_told_as_aws_tells_it(state: dict[str, Any], message: str, location: str) -> None:
    assert schema(state) == [(message, location)]


def test_a_state_is_not_jsonpath_in_a_jsonata_machine() -> None:
    message = "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine"
    assert schema({**PASS, "QueryLanguage": "JSONPath"}, QueryLanguage="JSONata") == [(message, "/States/A")]


def test_states_inside_a_jsonata_map_are_of_the_machines_language() -> None:
    inner = {"StartAt": "I", "States": {"I": {**PASS, "Output": 1}}}
    ((message, location),) = schema({**MAP, "QueryLanguage": "JSONata", "ItemProcessor": inner})
    assert "QueryLanguage is set to 'JSONPath'" in message
    assert location == "/States/A/ItemProcessor/States/I"


@pytest.mark.parametrize(
    ("output", "code", "message"),
    [
        ("{% 1 + %}", "INVALID_JSONATA_EXPRESSION", "Unexpected end of expression"),
        ("{% phone %}", "UNSUPPORTED_JSONATA_EXPRESSION", "Reference to 'phone' at the top level is not supported."),
        ("{% $states.errorOutput %}", "INVALID_JSONATA_EXPRESSION", "$states.errorOutput is only available in the "
         "Catch field"),
    ],
)  # fmt: skip
def test_a_jsonata_expression_is_parsed_at_once(output: str, code: str, message: str) -> None:
    document = machine({"Type": "Pass", "Output": {"v": [output]}, "End": True}, QueryLanguage="JSONata")
    assert found(document) == [(code, message, "/States/A/Output/v[0]")]


def test_error_output_is_there_in_a_catcher() -> None:
    catcher = {"ErrorEquals": ["X"], "Next": "B", "Output": "{% $states.errorOutput %}"}
    assert found(machine({**TASK, "Catch": [catcher]}, QueryLanguage="JSONata")) == []


def test_what_is_missing_at_the_top_is_told_alone() -> None:
    required = "These fields are required: [StartAt]"
    assert found({"States": {"A": PASS}}) == [("SCHEMA_VALIDATION_FAILED", required, "/")]
    both = "These fields are required: [States, StartAt]"
    assert found({}) == [("SCHEMA_VALIDATION_FAILED", both, "/")]


# -- where states lead ------------------------------------------------------------------------------------------


def test_a_target_that_is_not_there_and_a_state_that_nothing_names_are_told() -> None:
    document = {
        "StartAt": "pass1",
        "States": {"pass1": {"Type": "Pass", "Next": "pass3"}, "pass2": PASS},
    }
    error = creation_error(validate_asl(document))
    assert error == (
        "InvalidDefinition",
        "Invalid State Machine Definition: 'MISSING_TRANSITION_TARGET: Missing 'Next' target: pass3 at "
        '/States/pass1/Next, MISSING_TRANSITION_TARGET: State "pass2" is not reachable. at /States/pass2\'',
    )


def test_the_first_state_that_is_not_there_is_a_missing_next_too() -> None:
    assert found({"StartAt": "X", "States": {"A": PASS}}) == [
        ("MISSING_TRANSITION_TARGET", "Missing 'Next' target: X", "/StartAt"),
        ("MISSING_TRANSITION_TARGET", 'State "A" is not reachable.', "/States/A"),
    ]


def test_a_loop_without_an_end_is_told_and_nothing_about_reach() -> None:
    loop = {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}}
    lonely = {**loop, "C": {"Type": "Pass", "Next": "A"}}
    told = [("MISSING_END_STATE", "Workflow has no terminal state", None)]
    assert found({"StartAt": "A", "States": loop}) == told
    assert found({"StartAt": "A", "States": lonely}) == told


@pytest.mark.parametrize(
    ("state", "location"),
    [
        ({**CHOICE, "Default": "NOPE"}, "/States/A/Default"),
        ({**TASK, "Catch": [{"ErrorEquals": ["X"], "Next": "NOPE"}]}, "/States/A/Catch[0]/Next"),
    ],
)
def test_every_kind_of_target_is_looked_at(state: dict[str, Any], location: str) -> None:
    assert found(machine(state)) == [("MISSING_TRANSITION_TARGET", "Missing 'Next' target: NOPE", location)]


def test_a_branch_does_not_lead_out_of_itself() -> None:
    inner = {"StartAt": "I", "States": {"I": {"Type": "Pass", "Next": "B"}, "J": PASS}}
    document = machine({**MAP, "ItemProcessor": inner, "Next": "B"})
    del document["States"]["A"]["End"]
    assert ("MISSING_TRANSITION_TARGET", "Missing 'Next' target: B",
            "/States/A/ItemProcessor/States/I/Next") in found(document)  # fmt: skip


def test_names_are_unique_over_all_machines() -> None:
    inner = {"StartAt": "A", "States": {"A": PASS}}
    assert found(machine({**MAP, "ItemProcessor": inner})) == [
        ("DUPLICATE_STATE_NAME", "Duplicate State name: A", "/States/A/ItemProcessor/States/A")
    ]


def test_names_have_at_most_80_characters() -> None:
    def named(name: str) -> list[str]:
        return [code for code, _, _ in found({"StartAt": name, "States": {name: PASS}})]

    assert named("n" * 80) == []
    assert named("n" * 81) == ["INVALID_STATE_NAME"]


# -- variables --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["states", "1x", "a-b", "", "v" * 81])
def test_a_variable_has_a_name(name: str) -> None:
    assert [location for _, location in schema({**PASS, "Assign": {name: 1}})] == ["/States/A/Assign"]


def inner_assign(mode: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    inner = {"StartAt": "I", "States": {"I": {**PASS, "Assign": {"v": 2}}}, **mode}
    before = {"Type": "Pass", "Assign": {"v": 1}, "Next": "M"}
    return found({"StartAt": "A", "States": {"A": before, "M": {**MAP, "ItemProcessor": inner}}})


def test_an_inner_machine_does_not_assign_what_was_assigned_before_it() -> None:
    ((_, message, location),) = inner_assign({})
    assert "'v'" in message
    assert location == "/States/M/ItemProcessor/States/I/Assign"


def test_items_that_run_as_executions_see_no_outer_variables() -> None:
    config = {"ProcessorConfig": DISTRIBUTED["ProcessorConfig"]}
    assert inner_assign(config) == []


def test_a_variable_that_is_assigned_after_the_inner_machine_is_free() -> None:
    inner = {"StartAt": "I", "States": {"I": {**PASS, "Assign": {"v": 2}}}}
    assert found(machine({**MAP, "ItemProcessor": inner, "Assign": {"v": 1}})) == []


# -- resources --------------------------------------------------------------------------------------------------


def resource(text: str, type: MachineType = "STANDARD") -> list[tuple[str, str | None]]:
    told = found(machine({"Type": "Task", "Resource": text, "End": True}), type)
    return [(message, location) for _, message, location in told]


def test_a_resource_that_aws_does_not_have_is_told() -> None:
    unknown = "arn:aws:states:::dynamodb:query"
    assert resource(unknown) == [
        (
            f"The resource provided {unknown} is not recognized. The value is not a valid resource ARN, or the "
            f"resource is not available in this region.",
            "/States/A/Resource",
        )
    ]
    assert resource("arn:aws:states:::sqs:sendMessage.sync") != []
    assert resource("send") == [("Value is not a valid resource ARN", "/States/A/Resource")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "arn:aws:states:us-east-1:111111111111:activity:a",
            "Express state machine does not support Activity ARN",
        ),
        (
            "arn:aws:states:::states:startExecution.sync",
            "Express state machine does not support '.sync' service integration",
        ),
        (
            "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Express state machine does not support '.waitForTaskToken' service integration ",
        ),
    ],
)
def test_an_express_machine_waits_for_nobody(text: str, message: str) -> None:
    assert resource(text) == []
    assert resource(text, "EXPRESS") == [(message, "/States/A/Resource")]


def test_items_of_an_express_child_wait_for_nobody_either() -> None:
    waiting = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "End": True}
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
        "StartAt": "I",
        "States": {"I": waiting},
    }
    assert [location for _, location in schema({**MAP, "ItemProcessor": processor})] == [
        "/States/A/ItemProcessor/States/I/Resource"
    ]


def test_a_resource_without_an_activity_names_the_state_and_the_way_out() -> None:
    queue = "arn:aws:states:::sqs:sendMessage"
    state = {"Type": "Task", "Resource": queue, "End": True}
    (diagnostic,) = validate_asl(machine(state), resources={})
    assert (diagnostic.code, diagnostic.pointer) == ("unknown-resource", "/States/A/Resource")
    assert "'A'" in diagnostic.message
    assert "resources table" in diagnostic.help
    assert validate_asl(machine(state), resources={queue: "send"}) == []


# -- warnings ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "code", "location"),
    [
        ({**PASS, "Result": {"a": ["$.x"]}}, "PASS_RESULT_IS_STATIC", "/States/A/Result/a[0]"),
        ({**PASS, "Result": {"a.$": "$.x"}}, "PASS_RESULT_IS_STATIC", "/States/A/Result/a.$"),
        ({**PASS, "Parameters": {"a": {"b": "$.x"}}}, "NO_DOLLAR", "/States/A/Parameters/a/b"),
        ({**PASS, "Assign": {"a": "States.UUID()"}}, "NO_DOLLAR", "/States/A/Assign/a"),
    ],
)
def test_what_looks_like_a_path_and_is_none_is_warned_of(
    state: dict[str, Any], code: str, location: str
) -> None:
    assert found(machine(state)) == []
    (warning,) = validate_asl(machine(state), warnings=True)
    assert (warning.severity, warning.code, warning.location) == ("WARNING", code, location)
    assert creation_error([warning]) is None


def test_paths_and_plain_texts_are_not_warned_of() -> None:
    state = {**PASS, "Parameters": {"a.$": "$.x", "b": "$5", "c": {"d.$": "States.UUID()"}}, "Comment": "$.x"}
    assert validate_asl(machine(state), warnings=True) == []


# -- documents --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["{", '{"StartAt": }', "[1", '{"a": 1, "a": 2}'])
def test_a_text_that_is_no_json_is_told(text: str) -> None:
    (diagnostic,) = validate_asl(None, text=text)
    assert (diagnostic.code, diagnostic.location) == ("INVALID_JSON_DESCRIPTION", None)


def test_an_empty_text_is_a_missing_description() -> None:
    assert [each.code for each in validate_asl(None, text=" ")] == ["MISSING_DESCRIPTION"]


@pytest.mark.parametrize("document", [[], "x", 5, True, None, {"StartAt": 1, "States": []}])
def test_a_document_of_another_shape_is_refused(document: Any) -> None:
    assert creation_error(validate_asl(document)) is not None


VALUES: list[Any] = [None, True, 5, 1.5, "x", [], [1], [[]], {}, {"a": 1}]
ANY_FIELD = (
    *("Type", "Next", "End", "Catch", "Retry", "Choices", "Default", "Branches", "ItemProcessor", "Assign"),
    *("Parameters", "ItemReader", "ItemBatcher", "ResultWriter", "Resource", "Seconds", "Timestamp", "Items"),
    *("ResultPath", "QueryLanguage", "ErrorPath", "ToleratedFailurePercentage", "Output"),
)


@pytest.mark.parametrize("state", [PASS, TASK, MAP, CHOICE, {"Type": "Parallel"}, {"Type": "Wait"}])
def test_no_value_of_any_field_is_more_than_refused(state: dict[str, Any]) -> None:
    for field in ANY_FIELD:
        for value in VALUES:
            told = validate_asl(machine({**state, field: value}))
            assert all(isinstance(each, Diagnostic) for each in told)


def test_a_document_that_nests_deeply_is_refused() -> None:
    deep: Any = 1
    for _ in range(5_000):
        deep = [deep]
    document = {"StartAt": "A", "States": {"A": {**PASS, "Result": deep}}}
    codes = [each.code for each in validate_asl(document)]
    assert codes == ["TOO_DEEPLY_NESTED"]


def test_the_same_finding_is_told_once() -> None:
    assert len(found(machine({"Type": "Parallel", "Branches": 1, "End": True}))) == 1
