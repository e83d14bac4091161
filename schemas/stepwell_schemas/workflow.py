"""A whole definition in the native dialect. Build one with `WorkflowDefinition.model_validate(document)`.

`stepwell_schemas.loader` does that with positions and structural checks; here is the shape alone.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from stepwell_schemas.assertions import Assertion
from stepwell_schemas.scenario import Scenarios
from stepwell_schemas.states import (
    Retries,
    State,
)
from stepwell_schemas.words import (
    Duration,
    EventType,
    LanguageModel,
    PositiveCount,
    StateName,
    Template,
    Word,
    as_list,
    explained,
)

ID_PATTERN = r"^[a-z][a-z0-9-]{0,62}$"
VERSION_PATTERN = (
    r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)"
    r"(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$"
)

JsonSchema = Annotated[dict[str, Any] | bool, Field(description="A JSON Schema (2020-12).")]


def _empty_for_null(value: Any) -> Any:
    """`DeviceSeen:` with nothing behind it is a natural way to declare an event without a schema."""
    return {} if value is None else value


class Start(LanguageModel):
    """Which events start an instance for a device that has none running."""

    on: Annotated[
        list[EventType], BeforeValidator(as_list, json_schema_input_type=EventType | list[EventType])
    ] = Field(min_length=1)
    """Event types that start an instance."""
    input: Template = None
    """The instance's input; may use `$.event`. Without it: the event's data."""
    after_completion: Annotated[
        Literal["buffer", "restart", "deadLetter", "ignore"],
        Word("buffer", "restart", "deadLetter", "ignore"),
    ] = "buffer"
    """What happens to such an event when the device's instance has ended."""


class Accumulator(LanguageModel):
    """How much of a device's events is kept, and what happens to more."""

    max_events: PositiveCount = 1000
    """At most so many events."""
    max_bytes: PositiveCount = 1_048_576
    """At most so many bytes."""
    overflow: Annotated[
        Literal["reject", "dropOldest", "deadLetter"], Word("reject", "dropOldest", "deadLetter")
    ] = "reject"
    """What happens to an event beyond that."""


class Configuration(LanguageModel):
    """Defaults and limits of the whole instance."""

    timeout: Duration | None = None
    """How long an instance may take."""
    task_timeout: Duration | None = None
    """How long one try of a task may take that says nothing itself."""
    retry: Retries = Field(default_factory=list)
    """Policies of tasks that list none."""
    on_error: StateName | None = None
    """The state that takes an error which nothing else takes."""
    accumulator: Accumulator = Field(default_factory=Accumulator)
    """How much of a device's events is kept."""


class Ignore(LanguageModel):
    """A finding of the checks that is meant."""

    code: str
    """The finding's code."""
    reason: str | None = None
    """Why it is meant; an ignore without a reason is itself told."""
    at: str | None = None
    """Only there: a JSON pointer into the definition, or the name of a state."""


class Checks(LanguageModel):
    """What the checks at upload are to leave out."""

    ignore: list[Ignore] = Field(default_factory=list)
    """Findings that are meant."""


class WorkflowDefinition(LanguageModel):
    """A Stepwell workflow definition."""

    schema_address: str | None = Field(default=None, alias="$schema")
    """The schema, for editors."""
    id: str = Field(
        pattern=ID_PATTERN,
        json_schema_extra=explained("lower-case letters, digits and hyphens, a letter first, at most 63"),
    )
    """The workflow's name for machines."""
    version: str = Field(
        pattern=VERSION_PATTERN,
        max_length=128,
        json_schema_extra=explained(
            "a semantic version such as 1.0.0; quote it where YAML takes it for a number"
        ),
    )
    """Semantic version; a version never changes once it is uploaded."""
    name: str | None = None
    """The workflow's name for people."""
    description: str | None = None
    """What it does."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    """Anything; not read by the machine."""
    input: JsonSchema | None = None
    """The JSON Schema of an instance's input, enforced at its start."""
    events: dict[
        EventType,
        Annotated[JsonSchema, BeforeValidator(_empty_for_null, json_schema_input_type=JsonSchema | None)],
    ] = Field(default_factory=dict)
    """The event types this workflow knows, each with the JSON Schema of its data."""
    start: Start | None = None
    """Which events start an instance."""
    configuration: Configuration = Field(default_factory=Configuration)
    """Defaults and limits."""
    start_at: StateName
    """The first state."""
    states: dict[StateName, State] = Field(min_length=1)
    """The states by name."""
    checks: Checks = Field(default_factory=Checks)
    """How the checks at upload are to judge this definition, such as findings that are meant."""
    tests: Scenarios = Field(default_factory=list)
    """Scenarios that the definition must pass; an upload is refused when one fails."""
    assertions: list[Assertion] = Field(default_factory=list, max_length=100, alias="assert")
    """What must hold in every run; `stepwell explore` looks for one that breaks it."""
