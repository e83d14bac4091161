"""The program: a definition compiled once to closures and frozen tables, which `decide` runs.

Nothing here knows a dialect. Every template, condition and path is a callable; every name has been checked.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from stepwell_schemas.event import DeviceEvent
from stepwell_schemas.records import ChildEnded
from stepwell_schemas.workflow import Accumulator

from stepwell_interpreter.conditions import Condition
from stepwell_interpreter.contracts import Contract
from stepwell_interpreter.data_flow import NATIVE, DataFlow
from stepwell_interpreter.failures import StateFailure
from stepwell_interpreter.matching import Match
from stepwell_interpreter.paths import Target
from stepwell_interpreter.retry import Jitter
from stepwell_interpreter.scope import Scope

if TYPE_CHECKING:
    from stepwell_schemas.instance import Frame

    from stepwell_interpreter.draft import Draft

Template = Callable[[Any], Any]
"""Gives a value for a scope; which kind of scope, the step's `data` knows."""
Milliseconds = Callable[[Any], int]
"""A duration, or a moment, as milliseconds; raises StateFailure where a path leads to something else."""


@dataclass(frozen=True, slots=True)
class RetryRule:
    """Errors it takes, how often, and the arithmetic of its pauses."""

    errors: tuple[str, ...]
    max_attempts: int
    interval: Milliseconds
    coefficient: float
    maximum: Milliseconds | None
    jitter: Jitter


@dataclass(frozen=True, slots=True)
class CatchRule:
    """Errors it takes, where it leads and where the error is kept: at `target`, or as `data` has it done."""

    errors: tuple[str, ...]
    next: str
    target: Target | None
    data: Any = None


@dataclass(frozen=True, slots=True)
class Call:
    """How an activity is run: its own settings, else the activity's, else the configuration's."""

    activity: str
    input: Template | None
    """None: an empty object, or for an undo the task's result."""
    queue: str
    timeout: Milliseconds
    heartbeat: Milliseconds | None
    retry: tuple[RetryRule, ...]
    integration: str | None = None
    """How the worker unwraps the input and wraps the answer, such as `lambda:invoke`; None: not at all."""
    told: Callable[[Mapping[str, Any]], dict[str, Any]] | None = None
    """What the trace says of an attempt (`work`) beside the usual."""
    begins: bool = False
    """Whether the trace tells an attempt's beginning when it is dispatched, not only when it is answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What all states have. `next` None ends the machine it stands in.

    `kind` and `word` are the same for all states of a class: fields, since a compiled dataclass knows no ClassVar.
    """

    kind: str = ""
    word: str = ""
    name: str
    next: str | None = None
    retry: tuple[RetryRule, ...] = ()
    catch: tuple[CatchRule, ...] = ()
    on_error: str | None = None
    selector: Template | None = None
    target: Target | None = None
    data: DataFlow = NATIVE
    """What this state sees and what becomes of its result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStep(Step):
    """Runs `call`, or the child workflow `workflow`."""

    kind: str = "task"
    word: str = "Task"
    call: Call | None
    workflow: str | None
    input: Template | None
    own_timeout: Milliseconds | None
    """What the state itself says; it also bounds a callback and a child, which a default does not."""
    priority: int
    callback: bool
    undo: Call | None
    submits: bool = False
    """Whether the body may only submit the work (`ActivityCompleted.submitted`); then it ends as a callback."""
    beats_on: bool = False
    """Whether heartbeats are still wanted while a callback is waited for."""
    child: "ChildFlow | None" = None
    """How a child is begun and what its end is; None: with the task's input, and its output is the result."""


@dataclass(frozen=True, slots=True)
class ChildFlow:
    """`input`: what the child begins with. `began`: the answer once it has; `ended`: what its end is to the task.

    With `detached` the task ends with the first answer and the child runs on by itself. All raise StateFailure.
    """

    input: Callable[[Any], Any]
    began: "Callable[[Draft, Frame, str], Any]"
    ended: "Callable[[Draft, Frame, ChildEnded], Any]"
    detached: bool = False


@dataclass(frozen=True, slots=True)
class WaitEvent:
    """One wanted kind of event. `name` is its name in anyOf and allOf."""

    type: str
    match: Match | None
    """None matches every event of the type."""
    where: Condition | None
    count: int = 1
    name: str | None = None
    next: str | None = None
    """Where this alternative leads; None: where the wait itself does."""


WaitForm = Literal["time", "event", "anyOf", "allOf", "absence"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitStep(Step):
    """Waits until `until` (form time), or for `events`, at most for `timeout`."""

    kind: str = "wait"
    word: str = "Wait"
    form: WaitForm
    duration: Milliseconds | None = None
    until: Milliseconds | None = None
    events: tuple[WaitEvent, ...] = ()
    silence: Milliseconds | None = None
    timeout: Milliseconds | None = None
    timeout_next: str | None = None
    from_now: bool = False


@dataclass(frozen=True, slots=True)
class ChoiceRule:
    """A condition and where it leads. `data` None: the result is kept as the state keeps it."""

    condition: Condition
    next: str
    data: DataFlow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceStep(Step):
    """The first rule that holds leads on; `next` is the default."""

    kind: str = "choice"
    word: str = "Choice"
    rules: tuple["ChoiceRule", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParallelStep(Step):
    """`branches`: (name, machine id). `quorum` counts only with the policy of that name."""

    kind: str = "parallel"
    word: str = "Parallel"
    branches: tuple[tuple[str, str], ...]
    policy: Literal["failFast", "collect", "quorum"]
    quorum: int
    timeout: Milliseconds | None


@dataclass(frozen=True, slots=True)
class MapLimits:
    """How many iterations run at a time, and how many may fail: a number, or a share in percent, or none."""

    concurrency: int
    tolerate_count: int | None = None
    tolerate_percent: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MapStep(Step):
    """Runs `machine` once per item or batch. `limits` are asked as it begins; `read` takes what `reader` gave."""

    kind: str = "map"
    word: str = "Map"
    machine: str
    items: Template
    limits: Callable[[Any], MapLimits]
    batch_size: int | None
    timeout: Milliseconds | None
    reader: Call | None = None
    read: Callable[[Any, Any], list[Any]] | None = None
    writer: Call | None = None
    apart: bool = False
    """Iterations count as executions of their own: failed ones are no error of the state but by number."""
    item_word: str = "MapIteration"


@dataclass(frozen=True, slots=True)
class GivenUndo:
    """One step of a compensation that lists its steps."""

    call: Call
    when: Condition | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompensationStep(Step):
    """`steps` None is `auto`. `own_retry` None leaves each undo its activity's retries."""

    kind: str = "compensation"
    word: str = "Compensation"
    steps: tuple[GivenUndo, ...] | None
    branch_only: bool
    continue_on_error: bool
    own_retry: tuple[RetryRule, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PassStep(Step):
    """All values are computed before the first is written. `result` None has none to hand on."""

    kind: str = "pass"
    word: str = "Pass"
    writes: tuple[tuple[Target, Template], ...]
    result: "Callable[[Draft, Frame], Any] | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SucceedStep(Step):
    """Ends its machine well."""

    kind: str = "succeed"
    word: str = "Succeed"
    output: Template | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailStep(Step):
    """Ends its machine with an error."""

    kind: str = "fail"
    word: str = "Fail"
    error: Template | None
    cause: Template | None


WORDS: Final = ("Task", "Pass", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map", "Compensation")
"""How the trace names the kinds of states."""


@dataclass(frozen=True, slots=True)
class Machine:
    """States that lead only to each other: the workflow ("" is its id), a branch, or a map's iteration."""

    id: str
    start_at: str
    steps: Mapping[str, Step]
    on_error: str | None = None
    numbered: bool = False
    """Whether its trace entries are numbered, and whole, as the events of a Step Functions history."""


CANCEL_STEP = CompensationStep(
    name="(cancel)", steps=None, branch_only=False, continue_on_error=True, own_retry=None
)
"""Where the root frame stands while a cancelled instance undoes what it did."""


@dataclass(frozen=True, slots=True)
class Program:
    """One version of a definition, ready to run. `hash` names the exact content it was compiled from."""

    id: str
    version: str
    hash: str
    scopes: Mapping[str, Machine]
    timeout_ms: Milliseconds | None
    compensates: bool
    """Whether it undoes anything: then a child that is given up is cancelled with its own undo."""
    accumulator: Accumulator
    after_completion: str
    start_types: tuple[str, ...]
    event_types: tuple[str, ...]
    """Every type it declares, starts with or waits for."""
    activity_names: frozenset[str]
    children: frozenset[str]
    start_template: Template | None
    input_contract: Contract | None
    event_contracts: Mapping[str, Contract]
    dialect: Literal["native", "asl"] = "native"
    """What to call things where they are shown; nothing is decided by it."""

    def starts_on(self, event_type: str) -> bool:
        """Whether an event of this type starts an instance."""
        return event_type in self.start_types

    def knows_event(self, event_type: str) -> bool:
        """Whether this type is declared, starts the workflow or is waited for."""
        return event_type in self.event_types

    def start_input(self, event: DeviceEvent) -> tuple[Any, str | None]:
        """The input of an instance that this event starts, or None and why it cannot be made."""
        if self.start_template is None:
            return event.data, None
        seed = f"{event.source}\0{event.id}"
        try:
            return self.start_template(Scope(event=event.document(), seed=seed)), None
        except StateFailure as failure:
            return None, f"start.input: {failure.error}: {failure.cause}"

    def event_problem(self, event_type: str, data: Any) -> str | None:
        """Why the data is not what the event's schema asks for; None where it is, or nothing is asked."""
        contract = self.event_contracts.get(event_type)
        found = None if contract is None else contract.problem(data)
        return None if found is None else f"data{found[1].replace('/', '.')}: {found[0]}"

    def input_problem(self, value: Any) -> tuple[str, str] | None:
        """Why the input is refused: a message and the JSON pointer of the place; None where it is good."""
        return None if self.input_contract is None else self.input_contract.problem(value)
