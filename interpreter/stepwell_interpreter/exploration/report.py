"""What an exploration is asked for and what it answers, as plain frozen values. Nothing here computes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

StimulusKind = Literal[
    "start", "completed", "failed", "timedOut", "retried", "timer", "event", "callback", "child", "cancelled"
]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where an exploration stops. `retries` and `values` are per attempt and per choice of a value."""

    states: int = 100_000
    depth: int = 1_000
    retries: int = 1
    """So often a try is repeated before its retries count as used up; real policies with fewer keep fewer."""
    values: int = 6
    """So many different outputs, inputs and event data are tried at most."""
    items: int = 2
    """How long a generated list is at most."""
    state_bytes: int = 65_536
    """A `$.state` larger than this is reported."""
    cancel: bool = False
    """Whether the instance may also be cancelled at any moment, with and without compensation."""


@dataclass(frozen=True, slots=True)
class Stimulus:
    """One thing that happens from outside. `text` tells it in one line, `at_ms` counts virtual time from the start."""

    kind: StimulusKind
    text: str
    at_ms: int = 0
    state: str | None = None
    """The state it happens to."""
    frame: str | None = None
    iteration: tuple[int, ...] = ()
    """Inside of maps: the items' numbers, from the outermost inwards."""
    undo: str | None = None
    """In a compensation: the task that is undone."""
    name: str | None = None
    """The activity, the child's workflow, the event's type, or the timer."""
    value: Any = None
    """The input, output or event data."""
    error: str | None = None
    compensate: bool = False
    leads_to: tuple[str, ...] = ()
    """Where the instance then stands; its status where it has ended."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, with the shortest run that shows it. `code` is stable."""

    code: str
    message: str
    trace: tuple[Stimulus, ...]
    status: str
    """The instance's status at the end of the trace."""
    assertion: str | None = None
    """The name of the author's assertion that is broken."""
    states: tuple[str, ...] = ()
    """Where the instance stands at the end of the trace."""
    help: str | None = None
    scenario: Mapping[str, Any] | None = None
    """A scenario for `stepwell test` that shows it; None where none can."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was reached, by the JSON pointer of each state; `transitions` are (from, to)."""

    states: Mapping[str, int] = field(default_factory=dict)
    """How often each state was entered."""
    unreached: tuple[str, ...] = ()
    transitions: frozenset[tuple[str, str]] = frozenset()
    statuses: Mapping[str, int] = field(default_factory=dict)
    """How many end states of each status were found."""


@dataclass(frozen=True, slots=True)
class Exploration:
    """What came of it. `complete`: no bound was hit, so what was not found is not there (within `bounds`)."""

    states: int
    transitions: int
    complete: bool
    depth: int
    violations: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    coverage: Coverage
    bounds: Bounds
    stopped_by: str | None = None
    """The bound that was hit: a name of Bounds, or `work` where loops without a wait made too many steps."""

    @property
    def sound(self) -> bool:
        """Whether nothing that was reached is wrong."""
        return not self.violations
