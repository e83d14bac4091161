"""The context object (`$$`, `$states.context`) of a state: who runs, since when, in which state, on which item.

Its names are AWS's, https://docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html.
"""

from typing import Any, Final

from stepwell_schemas.durations import format_ms
from stepwell_schemas.instance import Frame, Instance

from stepwell_interpreter.draft import Draft
from stepwell_interpreter.scope import MISSING

REGION: Final = "us-east-1"
ACCOUNT: Final = "111111111111"
"""ARNs need a region and an account; a server of one's own has neither, so these stand in for all."""


_RETRIED: Final = frozenset({"task", "parallel", "map"})


def context_of(draft: Draft, frame: Frame, index: int | None = None, item: Any = MISSING) -> dict[str, Any]:
    """The context of the frame's state. `index` and `item` are those of an iteration that is about to begin."""
    instance = draft.instance
    context: dict[str, Any] = {
        "Execution": {
            "Id": execution_arn(instance),
            "Input": instance.input,
            "StartTime": format_ms(instance.created_ms),
            "Name": instance.id,
            "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/stepwell",
        },
        "StateMachine": {"Id": machine_arn(instance.definition), "Name": instance.definition},
        "State": {
            "Name": frame.state,
            "EnteredTime": format_ms(frame.entered_ms),
        },
    }
    # As recorded: states that can be tried again tell of their retries, the others of redrives.
    if draft.step(frame).kind in _RETRIED:
        context["State"]["RetryCount"] = sum(frame.retries.values())
    else:
        context["Execution"]["RedriveCount"] = 0
    token = frame.work.get("callback")
    if token is not None:
        context["Task"] = {"Token": f"{instance.id}.{token}"}
    if index is None:
        index, item = _iteration(draft, frame)
    if index is not None:
        context["Map"] = {"Item": {"Index": index, "Value": item}}
    return context


def machine_arn(definition: str) -> str:
    """The ARN of a definition as a state machine."""
    return f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{definition}"


def execution_arn(instance: Instance) -> str:
    """The ARN of an instance as an execution."""
    return f"arn:aws:states:{REGION}:{ACCOUNT}:execution:{instance.definition}:{instance.id}"


def _iteration(draft: Draft, frame: Frame) -> tuple[int | None, Any]:
    """The innermost iteration that the frame is within."""
    at = frame
    while at.parent is not None:
        if at.index is not None:
            return at.index, at.item
        at = draft.frames[at.parent]
    return None, MISSING
