"""The bodies of the HTTP API, camelCase on the wire. Times are RFC 3339 texts in UTC.

Requests refuse unknown keys; answers are built by us alone.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from stepwell_schemas.cloudevents import MAX_SUBJECT_LENGTH, check_device

Status = Literal["pending", "running", "succeeded", "failed", "timedOut", "cancelled", "quarantined"]
Disposition = Literal[
    "started",
    "consumed",
    "buffered",
    "ignored",
    "duplicate",
    "rejected",
    "deadLettered",
    "expired",
    "cleared",
    "accepted",
]
InstanceId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$")]
Device = Annotated[str, Field(min_length=1, max_length=MAX_SUBJECT_LENGTH), AfterValidator(check_device)]


class Request(BaseModel):
    """What a caller sends: nothing unknown, so that a misspelt key is told and not ignored, and nothing coerced."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )


class Answer(BaseModel):
    """What a caller gets."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        serialize_by_alias=True,
        use_attribute_docstrings=True,
    )


class StartRequest(Request):
    """POST /workflows: start an instance."""

    type: str = Field(min_length=1, max_length=63)
    """The definition's id."""
    version: str | None = None
    """`1.2.0`, `1`, or `latest`; without it the latest."""
    input: Any = Field(default_factory=dict)
    """The instance's input, checked against the definition's schema."""
    instance_id: InstanceId | None = None
    """An id of the caller's choice; starting twice with the same id and input is answered alike."""
    device: Device | None = None
    """The device the instance is for."""


class Links(Answer):
    """Where to go on from an instance."""

    status: str
    events: str
    history: str


class StartAnswer(Answer):
    """202: the start is durable. `status` is `accepted` until the engine has applied it."""

    instance_id: str
    type: str
    version: str | None
    status: Literal["accepted", "running", "succeeded", "failed", "timedOut", "cancelled", "quarantined"]
    links: Links


class CurrentState(Answer):
    """One position of an instance."""

    name: str
    type: str
    frame: str
    phase: str
    entered: str
    branch: str | None = None
    index: int | None = None


class OpenWait(Answer):
    """An event that an instance waits for. `due` is when its timeout passes."""

    state: str
    frame: str
    event: str
    match: dict[str, Any] = Field(default_factory=dict)
    name: str | None = None
    opened: str
    due: str | None = None


class WorkflowSummary(Answer):
    """One line of GET /workflows."""

    instance_id: str
    type: str
    version: str
    device: str | None = None
    status: Status
    created: str
    updated: str
    ended: str | None = None
    error: str | None = None
    custom_status: Any = None


class PendingActivity(Answer):
    """An attempt whose answer an instance waits for."""

    activity: str
    state: str
    frame: str
    attempt: str
    number: int
    phase: str
    due: str | None = None


class WorkflowStatus(WorkflowSummary):
    """GET /workflows/{instanceId}."""

    cause: str | None = None
    input: Any = None
    state: dict[str, Any] = Field(default_factory=dict)
    output: Any = None
    parent: str | None = None
    revision: int = 0
    current_states: list[CurrentState] = Field(default_factory=list)
    open_waits: list[OpenWait] = Field(default_factory=list)
    pending_activities: list[PendingActivity] = Field(default_factory=list)
    links: Links


class WorkflowPage(Answer):
    """A page of instances, newest first; `cursor` fetches the next one."""

    items: list[WorkflowSummary]
    cursor: str | None = None


class HistoryPage(Answer):
    """A page of history entries as stored; `next` is the number to start the next page from."""

    instance_id: str
    items: list[dict[str, Any]]
    next: int | None = None


class ExecutionHistory(Answer):
    """A page of events as GetExecutionHistory gives them; `next` is the cursor of the next page."""

    events: list[dict[str, Any]]
    next: int | None = None
    truncated: bool = False
    """The history is longer than what is told of; the whole is at /history."""


class FieldProblem(Answer):
    """One thing wrong with a request's body, with a JSON pointer to it."""

    pointer: str
    message: str
    code: str | None = None


class Problem(Answer):
    """RFC 9457 problem details, sent as application/problem+json."""

    type: str = "about:blank"
    title: str
    status: int = Field(ge=400, le=599)
    detail: str | None = None
    instance: str | None = None
    errors: list[FieldProblem] = Field(default_factory=list)


class DefinitionProblem(Answer):
    """One finding about a definition, with its place in the source."""

    code: str
    severity: Literal["error", "warning", "info"]
    message: str
    file: str | None = None
    line: int | None = None
    column: int | None = None
    pointer: str = ""
    help: str | None = None


class DefinitionUpload(Answer):
    """POST /definitions (201 created, 200 already there) and POST /definitions/validate (200)."""

    valid: bool
    created: bool = False
    id: str | None = None
    version: str | None = None
    hash: str | None = None
    problems: list[DefinitionProblem] = Field(default_factory=list)


class DefinitionSummary(Answer):
    """One version of a definition."""

    id: str
    version: str
    dialect: Literal["native", "asl"] = "native"
    name: str | None = None
    description: str | None = None
    hash: str
    created: str
    created_by: str | None = None
    latest: bool = False


class DefinitionDetail(DefinitionSummary):
    """A version with its content."""

    document: dict[str, Any]
    source: str
    source_format: Literal["yaml", "json"]


class DefinitionList(Answer):
    """Definitions, or the versions of one."""

    items: list[DefinitionSummary]


class EventAnswer(Answer):
    """What became of one pushed event. `accepted` is durable but not yet applied."""

    id: str | None
    source: str | None = None
    disposition: Disposition
    device: str | None = None
    sequence: int | None = None
    by: str | None = None
    """The instance that consumed it or was started by it."""
    reason: str | None = None
    position: str | None = None
    """Its place at the door."""


class EventsAnswer(Answer):
    """What became of a batch, in its order."""

    accepted: int
    rejected: int
    items: list[EventAnswer]


class RaisedEventAnswer(Answer):
    """POST /workflows/{instanceId}/events/{name}."""

    instance_id: str
    event: str
    id: str
    disposition: Literal["consumed", "kept", "accepted"]


class CancelRequest(Request):
    """POST /workflows/{instanceId}/cancel."""

    reason: str = Field(default="", max_length=1024)
    """Why; kept in the history."""
    compensate: bool = False
    """Whether to undo first what there is to undo."""


class CancelAnswer(Answer):
    """What became of a cancellation."""

    instance_id: str
    status: Literal["accepted", "cancelling", "cancelled"]


class ReleaseRequest(Request):
    """POST /workflows/{instanceId}/release."""

    discard_held: bool = False
    """Whether the record that broke the engine is dropped; it becomes a dead letter that names who did it."""


class ReleaseAnswer(Answer):
    """What became of a release from quarantine; `count` records that had waited were applied. `quarantined`: one of
    them broke the engine again, with this `cause`, and `held` are still waiting."""

    instance_id: str
    status: Literal["accepted", "released", "quarantined"]
    count: int = 0
    held: int = 0
    cause: str | None = None


class CallbackRequest(Request):
    """POST /callbacks/{token}: completes a task with `callback: true`, or fails it when `error` is given."""

    output: Any = None
    """The task's result."""
    error: str | None = Field(default=None, min_length=1, max_length=256)
    """The error's name."""
    cause: str = Field(default="", max_length=32_768)
    """What happened, for a person."""


class CallbackAnswer(Answer):
    """202: the answer is durable; `accepted` is also said when the engine has not applied it yet."""

    instance_id: str
    status: Literal["accepted"]


class DeviceAnswer(Answer):
    """GET /devices/{id}."""

    device: str
    events: int
    bytes: int
    first_sequence: int
    next_sequence: int
    dropped: int = 0
    rejected: int = 0
    first_activity: str | None = None
    last_activity: str | None = None
    running: dict[str, str] = Field(default_factory=dict)
    """Instance id -> definition."""


class DevicePage(Answer):
    """A page of device ids, in no order."""

    items: list[str]
    cursor: str | None = None


class DeviceEvents(Answer):
    """A page of a device's accumulated events, oldest first; `next` is the sequence to go on after."""

    device: str
    items: list[dict[str, Any]]
    next: int | None = None


class DeadLetterSummary(Answer):
    """An event that could not be used, and why."""

    id: str
    reason: str
    message: str = ""
    at: str
    attempts: int = 0
    event_id: str | None = None
    source: str | None = None
    type: str | None = None
    device: str | None = None


class DeadLetterDetail(DeadLetterSummary):
    """A dead letter with all that was received; `raw` when it is not JSON."""

    event: Any = None
    raw: str | None = None


class DeadLetterPage(Answer):
    """A page of dead letters, newest first."""

    items: list[DeadLetterSummary]
    cursor: str | None = None


class ReplayRequest(Request):
    """POST /dead-letters/{id}/replay."""

    event: dict[str, Any] | None = None
    """What to send in its place; without it the event as it came."""


class DiscardRequest(Request):
    """POST /dead-letters/{id}/discard."""

    reason: str = Field(min_length=1, max_length=1024)
    """Why it may go; kept in the audit."""


class ActivitySummary(Answer):
    """One activity that workers offer."""

    name: str
    queue: str
    description: str = ""
    input_schema: dict[str, Any] | None = None
    output_schema: dict[str, Any] | None = None
    compensates: str | None = None
    timeout_seconds: float | None = None
    heartbeat_seconds: float | None = None
    module: str = ""


class ActivityList(Answer):
    """The activities that workers offer."""

    items: list[ActivitySummary]


class Health(Answer):
    """GET /health/live and /health/ready; `checks` says what is amiss."""

    status: Literal["ok", "unavailable"]
    version: str
    checks: dict[str, str] = Field(default_factory=dict)
