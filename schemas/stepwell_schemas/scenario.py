"""Scenarios: tests that authors write for a workflow, inside its definition (`tests:`) or in a file beside it.

The shape alone. `stepwell_interpreter.scenarios` loads them with positions, checks them against the definition and
runs them in virtual time.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    StrictBool,
    WithJsonSchema,
    model_validator,
)
from typing_extensions import TypeAliasType

from stepwell_schemas.durations import DURATION_PATTERN, TIMESTAMP_PATTERN, duration_ms, timestamp_ms
from stepwell_schemas.words import (
    ActivityName,
    Count,
    EventType,
    LanguageModel,
    StateName,
    Word,
    explained,
)

MAX_SCENARIOS = 2_000
"""So many scenarios one definition or file may hold."""
MAX_TIMES = 10_000
ANY_STATES = "..."
"""In an expected path: any states, or none."""
DEFAULT_NOW = "2026-01-01T00:00:00Z"

_ANSWERS = ("output", "error", "timedOut", "lost")


def _duration(value: Any) -> Any:
    duration_ms(value)
    return value


def _moment(value: Any) -> Any:
    timestamp_ms(value)
    return value


Duration = Annotated[
    Any,
    AfterValidator(_duration),
    WithJsonSchema(
        {
            "title": "Duration",
            "description": "ISO 8601 (PT30S, PT48H, P7D), or a number of seconds.",
            "anyOf": [{"type": "string", "pattern": DURATION_PATTERN}, {"type": "number", "minimum": 0}],
        }
    ),
]
"""Of virtual time: there is no instance yet that a path could look into."""
Moment = Annotated[
    Any,
    AfterValidator(_moment),
    WithJsonSchema(
        {
            "title": "Timestamp",
            "description": "RFC 3339 (2026-01-31T12:00:00Z).",
            "anyOf": [{"type": "string", "pattern": TIMESTAMP_PATTERN}],
        }
    ),
]


class Outcome(LanguageModel):
    """What a mocked try of a task does: it answers `output`, fails with `error`, `timedOut`, or its worker is lost."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [key]} for key in _ANSWERS]})

    output: Any = None
    """The good answer; checked against the activity's output schema where that is known."""
    error: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    """The name of the error it fails with."""
    cause: str = ""
    """What happened, for a person; beside `error`."""
    retryable: StrictBool = True
    """False: the error must not be tried again; beside `error`."""
    timed_out: Literal[True] | None = None
    """It never answers, so that its timeout passes."""
    lost: Literal[True] | None = None
    """Its worker dies; the try is dispatched again."""
    after: Duration | None = None
    """How long it takes in virtual time; without it, none."""
    submitted: Any = None
    """What the body of a callback task answers, before the outcome comes through its token."""
    iteration: Count | list[Count] | None = None
    """The item of a map it is for, from 0, or the items from the outermost map inwards; without it, whichever asks."""
    undo: StateName | None = None
    """In a compensation state: the task whose undo it is for; without it, whichever comes."""
    times: Annotated[int, Field(ge=1, le=MAX_TIMES, strict=True)] = 1
    """In a list: so many tries in a row do this."""

    @model_validator(mode="after")
    def _one_answer(self) -> Self:
        given = [name for name in ("output", "error", "timed_out", "lost") if name in self.model_fields_set]
        if len(given) != 1:
            raise ValueError(f"an outcome has exactly one of {', '.join(_ANSWERS)}")
        return self


Outcomes = Outcome | Annotated[list[Outcome], Field(min_length=1)]
"""One outcome serves every try; a list is used up in order."""


class StartEvent(LanguageModel):
    """The event that starts the instance, as `start.on` of the definition has it."""

    type: EventType
    """The event's type."""
    data: Any = None
    """Its data."""


class ScenarioEvent(LanguageModel):
    """An event that comes at a moment of virtual time."""

    at: Duration = 0
    """When, counted from the start."""
    type: EventType
    """The event's type."""
    data: Any = None
    """Its data."""
    id: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    """Its id; without it, one is made."""
    raised: StrictBool = False
    """True: it is sent to this instance alone, not to its device."""


PathItem = TypeAliasType("PathItem", "str | dict[str, list[PathItem]]")
"""A state's name, `...`, or after a parallel or map state the paths of its branches or iterations by name or index."""


class ExpectedWait(LanguageModel):
    """A wait that is open when the scenario stops."""

    state: StateName | None = None
    """The state that waits."""
    event: EventType | None = None
    """The event type it waits for."""
    match: dict[str, Any] | None = None
    """The values it wants, as resolved when it opened."""


class ElapsedBounds(LanguageModel):
    """How long the run may take in virtual time."""

    at_least: Duration | None = None
    """No less than this."""
    at_most: Duration | None = None
    """No more than this."""


class Expectation(LanguageModel):
    """What must have happened. What is not named here is not looked at."""

    status: (
        Annotated[
            Literal["running", "succeeded", "failed", "timedOut", "cancelled"],
            Word("running", "succeeded", "failed", "timedOut", "cancelled"),
        ]
        | None
    ) = None
    """How it ended, or `running`."""
    output: Any = None
    """The workflow's output, equal in full."""
    error: str | None = None
    """The error's name; `*` stands for any text."""
    cause: str | None = None
    """The error's cause; `*` stands for any text."""
    path: list[PathItem] | None = None
    """The states in the order they were entered; `...` stands for any states, an object for branches by name."""
    state: Any = None
    """What `$.state` has at the end: at least these members, unless `exactState` is true."""
    exact_state: StrictBool = False
    """True: `state` is all there is, not only a part."""
    values: Annotated[
        dict[str, Any], Field(json_schema_extra={"propertyNames": {"pattern": r"^\$[.\[]"}})
    ] = Field(default_factory=dict)
    """JSONPath -> value, in `$.state`, `$.input`, `$.output`, `$.error`, `$.cause` and `$.status`."""
    waits: list[StateName | ExpectedWait] | None = None
    """The waits that are open when the scenario stops: a state's name, or its event and match."""
    elapsed: Duration | ElapsedBounds | None = None
    """How long it took in virtual time."""
    activities: dict[ActivityName, Count | list[Any]] = Field(default_factory=dict)
    """Activity -> how often it was called, or the input of each call in order (at least these members)."""


class Scenario(LanguageModel):
    """One test: what goes in, what the tasks answer, which events come, and what must come of it."""

    name: Annotated[
        str,
        Field(min_length=1, max_length=200, json_schema_extra=explained("a text of at most 200 characters")),
    ]
    """What the scenario shows."""
    comment: str | None = None
    """For the reader."""
    input: Any = None
    """The instance's input."""
    start: StartEvent | None = None
    """The event that starts the instance, in place of `input`."""
    device: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    """The device it runs for."""
    now: Moment = DEFAULT_NOW
    """The moment it starts."""
    tasks: dict[str, Outcomes] = Field(default_factory=dict)
    """State (`*`: any other) -> what its tries do: one outcome for every try, or a list that is used up in order."""
    events: list[ScenarioEvent] = Field(default_factory=list)
    """The events that come."""
    until: Duration | None = None
    """When to stop looking, counted from the start; without it, when nothing more can happen."""
    expect: Expectation = Field(default_factory=Expectation)
    """What must come of it; without it, only that it runs to an end."""
    skip: str | None = None
    """Why this scenario is not run for now."""
    generated: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")] | None = None
    """Set by `stepwell generate tests`: the hash of what it wrote. A scenario that differs from it is yours."""

    @model_validator(mode="after")
    def _one_beginning(self) -> Self:
        if self.start is not None and "input" in self.model_fields_set:
            raise ValueError("a scenario has input or start, not both")
        return self


Scenarios = Annotated[list[Scenario], Field(max_length=MAX_SCENARIOS)]


class ScenarioFile(LanguageModel):
    """Scenarios for a definition that stands in another file."""

    schema_address: str | None = Field(default=None, alias="$schema")
    """The schema, for editors."""
    definition: Annotated[str, Field(min_length=1, max_length=1024)]
    """The definition's file, relative to this one."""
    activities: list[Annotated[str, Field(min_length=1, max_length=512)]] = Field(default_factory=list)
    """Python modules, or files relative to this one, whose activities' schemas the outcomes are checked against."""
    tests: Annotated[list[Scenario], Field(min_length=1, max_length=MAX_SCENARIOS)]
    """The scenarios."""


__all__ = [
    "ANY_STATES",
    "DEFAULT_NOW",
    "MAX_SCENARIOS",
    "ElapsedBounds",
    "Expectation",
    "ExpectedWait",
    "Outcome",
    "PathItem",
    "Scenario",
    "ScenarioEvent",
    "ScenarioFile",
    "Scenarios",
    "StartEvent",
]
