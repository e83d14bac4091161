"""Lowering of Task states: activities, callbacks, and state machines that are started as child workflows."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from stepwell_schemas.durations import format_ms
from stepwell_schemas.instance import Frame
from stepwell_schemas.records import ChildEnded

from stepwell_interpreter.asl.amounts import seconds_of
from stepwell_interpreter.asl.context import ACCOUNT, REGION
from stepwell_interpreter.asl.expressions import Language
from stepwell_interpreter.asl.lowering import LONGEST_SECONDS, Lowering, fixed
from stepwell_interpreter.asl.resources import Integration
from stepwell_interpreter.asl.scope import AslFailure
from stepwell_interpreter.draft import Draft
from stepwell_interpreter.failures import TASK_FAILED
from stepwell_interpreter.program import Call, ChildFlow, Milliseconds, TaskStep

LONGEST_CAUSE = 32_768
"""Characters, as in AWS. A child's cause stands in its parent's as JSON text: unbounded, it doubles at every level."""

_STATUSES = {"succeeded": "SUCCEEDED", "failed": "FAILED", "timedOut": "TIMED_OUT", "cancelled": "ABORTED"}


def lower_task(
    state: Mapping[str, Any], pointer: str, language: Language, lowering: Lowering, common: dict[str, Any]
) -> TaskStep:
    """The step of a Task. A resource that leads nowhere is a problem, and the step a stand-in."""
    arguments = state.get("Arguments" if language == "JSONata" else "Parameters")
    found = lowering.integration(state["Resource"], arguments, common["name"], pointer)
    own_timeout = seconds_of(state, "TimeoutSeconds", language)
    callback = found is not None and found.pattern == "waitForTaskToken"
    child = None
    if found is not None and found.workflow is not None:
        child = _child(found, found.workflow)
    return TaskStep(
        **common,
        call=None
        if child is not None or found is None
        else _call(found, state, language, lowering, own_timeout),
        workflow=None if found is None else found.workflow,
        input=None,
        own_timeout=own_timeout,
        priority=0,
        callback=callback,
        undo=None,
        submits=found is not None and found.pattern in ("sync", "sync:2"),
        beats_on=callback,
        child=child,
    )


def call_of(found: Integration, lowering: Lowering) -> Call:
    """The call of an activity that no state times: the reader or the writer of a Map."""
    assert found.activity is not None
    described = lowering.described(found.activity)
    timeout = described.timeout_seconds or LONGEST_SECONDS
    heartbeat = None if described.heartbeat_seconds is None else fixed(described.heartbeat_seconds)
    return Call(found.activity, None, described.queue, fixed(timeout), heartbeat, ())


def _call(
    found: Integration,
    state: Mapping[str, Any],
    language: Language,
    lowering: Lowering,
    own_timeout: Milliseconds | None,
) -> Call:
    assert found.activity is not None
    described = lowering.described(found.activity)
    heartbeat = seconds_of(state, "HeartbeatSeconds", language)
    if heartbeat is None and described.heartbeat_seconds is not None:
        heartbeat = fixed(described.heartbeat_seconds)
    timeout = own_timeout or fixed(described.timeout_seconds or LONGEST_SECONDS)
    return Call(
        activity=found.activity,
        input=None,
        queue=described.queue,
        timeout=timeout,
        heartbeat=heartbeat,
        retry=(),
        integration=found.integration or None,
        told=_telling(found, state),
        begins=found.resource_type != "activity",
    )


def _telling(found: Integration, state: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """What TaskScheduled says of an attempt: the resource, and the limits that the state itself has set."""
    timed = "TimeoutSeconds" in state or "TimeoutSecondsPath" in state
    beats = "HeartbeatSeconds" in state or "HeartbeatSecondsPath" in state

    def told(work: Mapping[str, Any]) -> dict[str, Any]:
        details: dict[str, Any] = {"resource": found.resource, "resourceType": found.resource_type}
        if found.integration:
            details["region"] = REGION
        if timed:
            details["timeoutInSeconds"] = work["timeoutMs"] // 1_000
        if beats:
            details["heartbeatInSeconds"] = work["heartbeatMs"] // 1_000
        return details

    return told


def _child(found: Integration, workflow: str) -> ChildFlow:
    def child_input(arguments: Any) -> Any:
        given = arguments.get("Input", {}) if isinstance(arguments, Mapping) else {}
        return _parsed(given)

    def began(draft: Draft, frame: Frame, child: str) -> Any:
        told = {"resource": found.resource, "resourceType": found.resource_type, "region": REGION}
        data = draft.step(frame).data
        data.tell(draft, "TaskScheduled", frame, input=frame.work["input"], **told)
        data.tell(draft, "TaskStarted", frame)
        return {"ExecutionArn": _arn(workflow, child), "StartDate": format_ms(draft.now_ms)}

    def ended(draft: Draft, frame: Frame, record: ChildEnded) -> Any:
        text = found.pattern == "sync"
        answer = _answer(draft, frame, workflow, record, text)
        if record.status == "succeeded":
            return answer
        raise AslFailure(TASK_FAILED, orjson.dumps(answer).decode()[:LONGEST_CAUSE])

    return ChildFlow(child_input, began, ended, detached=found.pattern is None)


def _answer(draft: Draft, frame: Frame, workflow: str, record: ChildEnded, text: bool) -> dict[str, Any]:
    """DescribeExecution of the child; `.sync` has input and output as JSON texts, `.sync:2` as JSON."""
    arguments = frame.work["input"] if isinstance(frame.work["input"], Mapping) else {}
    given = _parsed(arguments.get("Input", {}))
    name = workflow.partition("@")[0]
    answer: dict[str, Any] = {
        "ExecutionArn": _arn(workflow, record.child),
        "Input": orjson.dumps(given).decode() if text else given,
        "InputDetails": {"Included": True},
        "Name": str(arguments.get("Name", record.child)),
        "StartDate": format_ms(frame.entered_ms),
        "StateMachineArn": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{name}",
        "Status": _STATUSES.get(record.status, "FAILED"),
        "StopDate": format_ms(draft.now_ms),
    }
    if record.status == "succeeded":
        answer["Output"] = orjson.dumps(record.output).decode() if text else record.output
        answer["OutputDetails"] = {"Included": True}
    else:
        answer |= {"Error": record.error, "Cause": record.cause[:LONGEST_CAUSE]}
    return answer


def _arn(workflow: str, child: str) -> str:
    return f"arn:aws:states:{REGION}:{ACCOUNT}:execution:{workflow.partition('@')[0]}:{child}"


def _parsed(value: Any) -> Any:
    """A child's input is an object, or the JSON text of one."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value
