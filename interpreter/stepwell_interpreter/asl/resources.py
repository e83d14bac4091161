"""What a Task's `Resource` means here: which activity or child workflow runs, and what the history calls it.

The upload's `resources` table goes first; then a function's, activity's or state machine's own name counts.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final, Literal

from stepwell_interpreter.asl.resource_names import is_offered

Kind = Literal["activity", "lambda", "integration", "workflow"]
Pattern = Literal["sync", "sync:2", "waitForTaskToken"]


class Anything(Enum):
    """Its one member stands in for a table that has every resource."""

    ANY = "any"


ANY: Final = Anything.ANY
"""In place of a table: each resource is an activity named like its own text, whatever it is (for simulation)."""

ResourceTable = Mapping[str, str] | Literal[Anything.ANY]

_LAMBDA = re.compile(
    r"arn:aws[a-z-]*:lambda:[a-z0-9-]*:[0-9]*:function:(?P<name>[A-Za-z0-9_-]+)(?::(?P<qualifier>[$A-Za-z0-9_-]+))?\Z"
)
_ACTIVITY = re.compile(r"arn:aws[a-z-]*:states:[a-z0-9-]+:[0-9]+:activity:(?P<name>[^:]+)\Z")
_SDK = re.compile(
    r"arn:aws[a-z-]*:states:[a-z0-9-]*:[0-9]*:aws-sdk:(?P<service>[a-z0-9]+):(?P<action>[a-zA-Z0-9]+)"
    r"(?:\.(?P<pattern>waitForTaskToken))?\Z"
)
_SERVICE = re.compile(
    r"arn:aws[a-z-]*:states:[a-z0-9-]*:[0-9]*:(?P<service>[a-z0-9-]+):(?P<action>[a-zA-Z0-9]+)"
    r"(?:\.(?P<pattern>sync|sync:2|waitForTaskToken))?\Z"
)
_FUNCTION = re.compile(
    r"(?:arn:aws[a-z-]*:lambda:[a-z0-9-]*:[0-9]*:function:|[0-9]+:function:)?"
    r"(?P<name>[A-Za-z0-9_-]+)(?::(?P<qualifier>[$A-Za-z0-9_-]+))?\Z"
)
_ACTIVITY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,255}\Z")
_WORKFLOW_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}(?:@[0-9]+(?:\.[0-9]+){0,2})?\Z")


class ResourceProblem(ValueError):
    """The resource leads to nothing here. `known` is False where AWS has no such resource either."""

    def __init__(self, message: str, help: str = "", *, known: bool = True) -> None:
        super().__init__(message)
        self.message = message
        self.help = help
        self.known = known


@dataclass(frozen=True, slots=True)
class Integration:
    """What runs for a task. Exactly one of `activity` and `workflow` is there."""

    kind: Kind
    activity: str | None
    workflow: str | None
    integration: str
    """Such as `lambda:invoke` or `aws-sdk:s3:putObject`; "" for a function's or activity's own ARN."""
    resource_type: str
    """As TaskScheduled tells it: `lambda`, `sqs`, `states`, `aws-sdk:s3`."""
    resource: str
    """As TaskScheduled tells it: `invoke`, `sendMessage.waitForTaskToken`; the ARN of a function or activity."""
    pattern: Pattern | None
    aws_sdk: bool


def resolve(resource: str, table: ResourceTable, arguments: Any = None) -> Integration:
    """What the resource leads to. `arguments` are the state's Parameters or Arguments. Raises ResourceProblem."""
    found = classify(resource)
    if table is ANY:
        if found is None:
            raise unrecognized(resource)
        kind: Kind = "integration" if found.kind == "workflow" else found.kind
        return replace(found, kind=kind, activity=_fitting(resource), workflow=None)
    if resource in table:
        return _given(resource, table[resource], found)
    if found is None:
        raise unrecognized(resource)
    match found.kind:
        case "lambda" | "activity":
            return replace(found, activity=_own_activity(resource, table))
        case "workflow":
            return replace(found, workflow=_child(resource, table, arguments))
        case "integration":
            return replace(found, activity=_integrated(found, resource, table, arguments))


def classify(resource: str) -> Integration | None:
    """What kind of resource the text names, by AWS's rules; None where AWS has no such thing."""
    if _LAMBDA.match(resource):
        return Integration("lambda", None, None, "", "lambda", resource, None, False)
    if _ACTIVITY.match(resource):
        return Integration("activity", None, None, "", "activity", resource, None, False)
    if found := _SDK.match(resource):
        return _integration(f"aws-sdk:{found['service']}", found["action"], found["pattern"], aws_sdk=True)
    found = _SERVICE.match(resource)
    if found and is_offered(found["service"], found["action"], found["pattern"] or ""):
        return _integration(found["service"], found["action"], found["pattern"], aws_sdk=False)
    return None


def unrecognized(resource: str) -> ResourceProblem:
    """AWS's refusal of a resource."""
    if not resource.startswith("arn:"):
        return ResourceProblem("Value is not a valid resource ARN", known=False)
    return ResourceProblem(
        f"The resource provided {resource} is not recognized. The value is not a valid resource ARN, or the "
        f"resource is not available in this region.",
        known=False,
    )


def _integration(service: str, action: str, pattern: Any, *, aws_sdk: bool) -> Integration:
    kind: Kind = "integration"
    if service == "states" and action == "startExecution" and pattern != "waitForTaskToken":
        kind = "workflow"
    text = f"{action}.{pattern}" if pattern else action
    return Integration(kind, None, None, f"{service}:{action}", service, text, pattern, aws_sdk)


def _given(resource: str, target: str, found: Integration | None) -> Integration:
    """The table's own word. `workflow:NAME` names a child workflow, anything else an activity."""
    if found is None:
        found = Integration("integration", None, None, resource, "stepwell", resource, None, False)
    if target.startswith("workflow:"):
        name = target.removeprefix("workflow:")
        return replace(found, kind="workflow", activity=None, workflow=_workflow_name(name, resource))
    kind: Kind = "integration" if found.kind == "workflow" else found.kind
    return replace(found, kind=kind, activity=_activity_name(target, resource), workflow=None)


def _own_activity(resource: str, table: Mapping[str, str]) -> str:
    """Of a function's or activity's ARN: by its unqualified ARN, by its name, else the name itself."""
    head, name = resource.split(":", 6)[:6], resource.split(":", 6)[6]
    short = name.partition(":")[0]
    for key in (":".join([*head, short]), name, short):
        if key in table:
            return _activity_name(table[key], key)
    return _activity_name(short, resource)


def _child(resource: str, table: Mapping[str, str], arguments: Any) -> str:
    arn = _literal(arguments, "StateMachineArn")
    if arn is None:
        raise ResourceProblem(
            f"{resource}: which state machine is started is known only when it runs (StateMachineArn)",
            f'name the workflow in the resources table: {{"{resource}": "workflow:NAME"}}',
        )
    name = arn.rpartition(":stateMachine:")[2].partition(":")[0]
    for key in (arn, name):
        if key in table:
            return _workflow_name(table[key].removeprefix("workflow:"), key)
    return _workflow_name(name, arn)


def _integrated(found: Integration, resource: str, table: Mapping[str, str], arguments: Any) -> str:
    if found.integration != "lambda:invoke":
        raise ResourceProblem(
            f"the service integration {resource} is not available here",
            f'map it to an activity in the resources table: {{"{resource}": "ACTIVITY"}}',
        )
    given = _literal(arguments, "FunctionName")
    function = None if given is None else _FUNCTION.match(given)
    if given is None or function is None:
        raise ResourceProblem(
            f"{resource}: which function is invoked is known only when it runs (FunctionName)",
            f'name one activity for all of them in the resources table: {{"{resource}": "ACTIVITY"}}',
        )
    for key in (given, given.removesuffix(f":{function['qualifier']}"), function["name"]):
        if key in table:
            return _activity_name(table[key], key)
    return _activity_name(function["name"], given)


def _literal(arguments: Any, field: str) -> str | None:
    value = arguments.get(field) if isinstance(arguments, Mapping) else None
    return None if not isinstance(value, str) or value.lstrip().startswith("{%") else value


def _activity_name(name: str, resource: str) -> str:
    if not _ACTIVITY_NAME.match(name):
        raise ResourceProblem(
            f"{name!r} ({resource}) cannot be an activity's name: letters, digits and . _ : / -, beginning with a "
            f"letter or digit",
            "name its activity in the resources table",
        )
    return name


def _workflow_name(name: str, resource: str) -> str:
    if not _WORKFLOW_NAME.match(name):
        raise ResourceProblem(
            f"{name[:80]!r} ({resource}) cannot be a workflow's id: lower-case letters, digits and hyphens",
            f'name the workflow in the resources table: {{"{resource}": "workflow:NAME"}}',
        )
    return name


def _fitting(resource: str) -> str:
    """The resource's text as an activity's name: what such a name may not have becomes a hyphen."""
    return re.sub(r"[^A-Za-z0-9._:/-]", "-", resource)[:256].lstrip("._:/-") or "resource"
