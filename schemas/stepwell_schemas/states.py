"""The state types of the native dialect as models. Templates stay plain JSON; lowering gives them meaning."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from stepwell_schemas.conditions import ChoiceRule, Condition
from stepwell_schemas.words import (
    ActivityName,
    Count,
    Duration,
    EventType,
    LanguageModel,
    Names,
    PositiveCount,
    Priority,
    ResultPath,
    StateName,
    Template,
    Timestamp,
    Word,
    as_list,
)

WorkflowReference = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}(@[0-9]+(\.[0-9]+(\.[0-9]+(-[0-9A-Za-z.-]+)?)?)?)?$")
]


class RetryPolicy(LanguageModel):
    """When and how often to try again. Policies are tried in order; the first that names the error counts."""

    errors: Names = Field(default_factory=lambda: ["States.ALL"], min_length=1)
    """Error names this policy takes; States.ALL takes any."""
    max_attempts: Count = 3
    """How many retries may follow the first try (0: none)."""
    initial_interval: Duration = 1
    """The pause before the first retry."""
    backoff_coefficient: float = Field(default=2.0, ge=1.0, allow_inf_nan=False)
    """Each pause is the one before times this."""
    max_interval: Duration | None = None
    """No pause is longer than this."""
    jitter: Annotated[Literal["none", "full"], Word("none", "full")] = "none"
    """`full` draws each pause between zero and the computed one."""


class Catcher(LanguageModel):
    """Where to go with an error that no retry took. Catchers are tried in order."""

    errors: Names = Field(default_factory=lambda: ["States.ALL"], min_length=1)
    """Error names this catcher takes; States.ALL takes any."""
    next: StateName
    """The state that follows."""
    result_path: ResultPath | None = None
    """Where `{error, cause}` is kept."""


Retries = Annotated[
    list[RetryPolicy], BeforeValidator(as_list, json_schema_input_type=RetryPolicy | list[RetryPolicy])
]
Catchers = Annotated[list[Catcher], BeforeValidator(as_list, json_schema_input_type=Catcher | list[Catcher])]


class UndoCall(LanguageModel):
    """The activity that undoes a task. Its input may use `$.result`, the task's raw result."""

    activity: ActivityName
    """The activity to run."""
    input: Template = None
    """What it gets; resolved when the task completes. Without it: the task's result."""
    queue: str | None = None
    """The queue of its workers."""
    timeout: Duration | None = None
    """How long one try may take."""


class UndoStep(LanguageModel):
    """One given step of a compensation."""

    activity: ActivityName
    """The activity to run."""
    input: Template = None
    """What it gets."""
    when: Condition | None = None
    """Run the step only when this holds."""
    queue: str | None = None
    """The queue of its workers."""
    timeout: Duration | None = None
    """How long one try may take."""


class StateModel(LanguageModel):
    """What every state may say."""

    comment: str | None = None
    """For the reader."""


class RoutedState(StateModel):
    """A state that may fail and be caught."""

    catch: Catchers = Field(default_factory=list)
    """Where errors of this state go, in order."""
    on_error: StateName | None = None
    """The state that takes an error which no catch takes."""


class StepState(RoutedState):
    """A state that something follows: `next`, or `end: true`."""

    next: StateName | None = None
    """The state that follows."""
    end: bool = False
    """Whether this state ends its workflow, branch or iteration."""


class ResultState(StepState):
    """A state with a result. Whether `resultPath: null` was said is in `model_fields_set`."""

    result_selector: Template = None
    """Makes the result anew from `$.result`."""
    result_path: ResultPath | None = None
    """Where in `$.state` the result is kept; null says that it is dropped on purpose."""


class TaskState(ResultState):
    """Runs an activity on a worker, or a child workflow."""

    type: Annotated[Literal["task"], Word("task")]
    activity: ActivityName | None = None
    """The activity to run."""
    workflow: WorkflowReference | None = None
    """The child workflow to run: `name`, `name@1` or `name@1.2.0`."""
    input: Template = None
    """What the activity or child gets."""
    timeout: Duration | None = None
    """How long one try may take."""
    heartbeat: Duration | None = None
    """The longest silence of a running activity."""
    queue: str | None = Field(default=None, min_length=1, max_length=128)
    """The queue of its workers; without it, the activity's own."""
    priority: Priority = 0
    """Higher goes first within a queue."""
    retry: Retries | None = None
    """Policies of this task; an empty list is none, absent uses the configuration's."""
    compensate_with: UndoCall | None = None
    """What undoes this task once it has completed."""
    callback: bool = False
    """True: the task ends only when someone completes its token."""

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if (self.activity is None) == (self.workflow is None):
            raise ValueError("a task has exactly one of activity, workflow")
        return self


class EventWait(LanguageModel):
    """Which events are meant: a type, values its data must have (indexed), and a condition on the rest."""

    event: EventType
    """The event's type."""
    match: dict[str, Template] = Field(default_factory=dict)
    """A path into the event's data -> the value it must have."""
    where: Condition | None = None
    """A condition, which may use `$.event`."""
    count: PositiveCount = 1
    """How many such events are needed."""


class NamedWait(EventWait):
    """One alternative of `anyOf`."""

    next: StateName | None = None
    """The state that follows this alternative; without it, the wait's own `next`."""


class Absence(LanguageModel):
    """Goes on when no such event has come for a time; each such event starts the time anew."""

    event: EventType
    """The event's type."""
    match: dict[str, Template] = Field(default_factory=dict)
    """A path into the event's data -> the value it must have."""
    where: Condition | None = None
    """A condition, which may use `$.event`."""
    for_: Duration = Field(alias="for")
    """How long the silence must last."""


WAIT_FORMS = ("duration", "timestamp", "event", "anyOf", "allOf", "absence")


class WaitState(ResultState):
    """Waits for time or for events: exactly one of duration, timestamp, event, anyOf, allOf, absence."""

    type: Annotated[Literal["wait"], Word("wait")]
    duration: Duration | None = None
    """Waits this long."""
    timestamp: Timestamp | None = None
    """Waits until then."""
    event: EventType | None = None
    """Waits for an event of this type."""
    match: dict[str, Template] = Field(default_factory=dict)
    """A path into the event's data -> the value it must have. Indexed."""
    where: Condition | None = None
    """A condition on the event, which may use `$.event`."""
    count: PositiveCount = 1
    """How many such events are needed."""
    any_of: dict[StateName, NamedWait] | None = Field(default=None, min_length=1)
    """The first of these named waits that is met."""
    all_of: dict[StateName, EventWait] | None = Field(default=None, min_length=1)
    """All of these named waits, in any order."""
    absence: Absence | None = None
    """Waits until an event has not come for a time."""
    timeout: Duration | None = None
    """How long to wait for events at most."""
    timeout_next: StateName | None = None
    """The state that follows when the timeout passes."""
    from_: Annotated[Literal["kept", "now"], Word("kept", "now")] = Field(default="kept", alias="from")
    """`kept`: the device's unconsumed events count; `now`: only what comes after the wait has opened."""

    @property
    def form(self) -> str:
        """Which of `WAIT_FORMS` this is."""
        values = (self.duration, self.timestamp, self.event, self.any_of, self.all_of, self.absence)
        return next(name for name, value in zip(WAIT_FORMS, values, strict=True) if value is not None)

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        values = (self.duration, self.timestamp, self.event, self.any_of, self.all_of, self.absence)
        forms = [name for name, value in zip(WAIT_FORMS, values, strict=True) if value is not None]
        if len(forms) != 1:
            raise ValueError(f"a wait has exactly one of {', '.join(WAIT_FORMS)}")
        if forms != ["event"] and (misplaced := {"match", "where", "count"} & self.model_fields_set):
            raise ValueError(f"{min(misplaced)} belongs to an event wait, not beside {forms[0]}")
        timed = {"timeout", "timeout_next", "from_"} & self.model_fields_set
        if forms[0] in ("duration", "timestamp") and timed:
            raise ValueError(f"{min(timed).rstrip('_')} belongs to a wait for events, not beside {forms[0]}")
        if self.timeout_next is not None and self.timeout is None:
            raise ValueError("timeoutNext needs a timeout beside it")
        return self


class ChoiceState(RoutedState):
    """Goes where the first rule that holds says."""

    type: Annotated[Literal["choice"], Word("choice")]
    choices: list[ChoiceRule] = Field(min_length=1)
    """Rules, tried in order."""
    default: StateName | None = None
    """Where to go when no rule holds; without it that is States.NoChoiceMatched."""


class Scope(LanguageModel):
    """A machine of its own inside a state: no `next` leads out of it."""

    start_at: StateName
    """Its first state."""
    states: "dict[StateName, State]" = Field(min_length=1)
    """Its states by name."""


class Quorum(LanguageModel):
    """Go on when so many branches have succeeded; fail when that cannot happen any more."""

    quorum: PositiveCount
    """How many branches must succeed."""


class ParallelState(ResultState):
    """Runs branches side by side; the result is an object of the branches' results by name."""

    type: Annotated[Literal["parallel"], Word("parallel")]
    branches: dict[StateName, Scope] = Field(min_length=1)
    """The branches by name."""
    failure: Annotated[Literal["failFast", "collect"], Word("failFast", "collect")] | Quorum = "failFast"
    """`failFast` cancels the others; `collect` lets all end; `{quorum: n}` needs n successes."""
    timeout: Duration | None = None
    """How long all of it may take."""
    retry: Retries | None = None
    """Policies for running all branches again."""


class Tolerance(LanguageModel):
    """How many failed items a map still accepts: a count or a percentage."""

    count: Count | None = None
    """At most so many."""
    percent: Annotated[float, Field(ge=0, le=100)] | None = None
    """At most this share of the items."""

    @model_validator(mode="after")
    def _one_limit(self) -> Self:
        if (self.count is None) == (self.percent is None):
            raise ValueError("tolerate has exactly one of count, percent")
        return self


class MapState(ResultState):
    """Runs its states once per item (`$.item`, `$.index`); the result is the list of their results."""

    type: Annotated[Literal["map"], Word("map")]
    items: Template
    """A path to a list, or a list."""
    start_at: StateName
    """The first state of an iteration."""
    states: "dict[StateName, State]" = Field(min_length=1)
    """The states of an iteration by name."""
    max_concurrency: Count = 0
    """How many iterations run at a time; 0 is the machine's own limit."""
    tolerate: Tolerance | None = None
    """How many items may fail."""
    batch_size: PositiveCount | None = None
    """Gives each iteration a list of so many items as `$.item`."""
    timeout: Duration | None = None
    """How long all of it may take."""
    retry: Retries | None = None
    """Policies for running the whole map again."""


class CompensationState(ResultState):
    """Undoes what was done; the result is a report `{undone: [...], failed: [...]}`."""

    type: Annotated[Literal["compensation"], Word("compensation")]
    steps: Annotated[Literal["auto"], Word("auto")] | list[UndoStep] = "auto"
    """`auto`: every `compensateWith` of a completed task, newest first; or steps in the order given."""
    scope: Annotated[Literal["instance", "branch"], Word("instance", "branch")] = "instance"
    """Whether `auto` covers the instance, or only the branch or iteration this state stands in."""
    continue_on_error: bool = True
    """Whether a step that fails is reported and the next one run, or the state fails."""
    retry: Retries | None = None
    """Policies of each step."""


class PassState(StepState):
    """Sets values in `$.state`."""

    type: Annotated[Literal["pass"], Word("pass")]
    set: dict[ResultPath, Template] = Field(default_factory=dict)
    """A path in `$.state` -> its new value. All values are computed before any is written."""


class SucceedState(StateModel):
    """Ends the workflow, branch or iteration well."""

    type: Annotated[Literal["succeed"], Word("succeed")]
    output: Template = None
    """Its result."""


class FailState(StateModel):
    """Ends the workflow, branch or iteration with an error."""

    type: Annotated[Literal["fail"], Word("fail")]
    error: Template = None
    """The error's name."""
    cause: Template = None
    """What happened, for a person."""


STATE_MODELS: dict[str, type[StateModel]] = {
    "task": TaskState,
    "wait": WaitState,
    "choice": ChoiceState,
    "parallel": ParallelState,
    "map": MapState,
    "compensation": CompensationState,
    "pass": PassState,
    "succeed": SucceedState,
    "fail": FailState,
}


def _type_of(value: Any) -> Any:
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return kind.casefold() if isinstance(kind, str) else kind


State = Annotated[
    Annotated[TaskState, Tag("task")]
    | Annotated[WaitState, Tag("wait")]
    | Annotated[ChoiceState, Tag("choice")]
    | Annotated[ParallelState, Tag("parallel")]
    | Annotated[MapState, Tag("map")]
    | Annotated[CompensationState, Tag("compensation")]
    | Annotated[PassState, Tag("pass")]
    | Annotated[SucceedState, Tag("succeed")]
    | Annotated[FailState, Tag("fail")],
    Discriminator(_type_of),
]

for _model in (Scope, ParallelState, MapState):
    _model.model_rebuild()
