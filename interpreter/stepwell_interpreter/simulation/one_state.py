"""`run_state`: one state alone, with a given outcome, and each step of its data laid open. Either dialect.

The state's own step is run by `decide` in a world of its own; only what it leads to is replaced. For Amazon States
Language the statuses, names and refusals are those of AWS's TestState.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from stepwell_schemas.instance import TERMINAL, Frame, Instance

from stepwell_interpreter.draft import ROOT
from stepwell_interpreter.failures import did_you_mean
from stepwell_interpreter.program import Machine, Program, Step, WaitStep
from stepwell_interpreter.scope import MISSING
from stepwell_interpreter.simulation.errors import MockRefused, UnmockedTask, require
from stepwell_interpreter.simulation.inspecting import Notes
from stepwell_interpreter.simulation.inspection_data import asl_data, native_data
from stepwell_interpreter.simulation.mock_schema import MODES, FieldValidation, mock_problem
from stepwell_interpreter.simulation.moments import given_events
from stepwell_interpreter.simulation.outcomes import Outcome, outcome_of, plain
from stepwell_interpreter.simulation.source import Definition
from stepwell_interpreter.simulation.stand_ins import AGAIN, alone
from stepwell_interpreter.simulation.state_requests import (
    CONFIGURATION,
    StateRefused,
    check_context,
    check_iterations,
    check_mock,
)
from stepwell_interpreter.simulation.state_source import StateSource, read_state
from stepwell_interpreter.simulation.world import World

Inspection = Literal["INFO", "DEBUG", "TRACE"]
LEVELS: Final = ("INFO", "DEBUG", "TRACE")
_STATUSES: Final = {
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "RETRIABLE": "retriable",
    "CAUGHT_ERROR": "caughtError",
    "WAITING": "waiting",
}
_NATIVE_CONTEXT: Final = ("item", "index", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class StateResult:
    """What one state has made of its input. Native statuses: `succeeded failed retriable caughtError waiting`."""

    status: str
    output: Any = None
    error: str | None = None
    cause: str | None = None
    next_state: str | None = None
    inspection: dict[str, Any] = field(default_factory=dict)

    def as_aws(self) -> dict[str, Any]:
        """As AWS's TestState answers, with JSON texts read."""
        answer: dict[str, Any] = {"status": self.status}
        if self.status in ("SUCCEEDED", "CAUGHT_ERROR"):
            answer["output"] = self.output
        named = {"error": self.error, "cause": self.cause, "nextState": self.next_state}
        answer |= {name: value for name, value in named.items() if value}
        if self.inspection:
            answer["inspectionData"] = self.inspection
        return answer


def run_state(
    definition_or_state: Definition,
    input: Any = MISSING,
    *,
    state: str | None = None,
    outcome: Mapping[str, Any] | Outcome | None = None,
    variables: Mapping[str, Any] | None = None,
    context: Mapping[str, Any] | None = None,
    configuration: Mapping[str, Any] | None = None,
    inspection: Inspection = "INFO",
    field_validation: FieldValidation = "STRICT",
) -> StateResult:
    """Run one state. Raises SimulationError: DefinitionRefused, StateRefused, MockRefused or UnmockedTask.

    `variables`: the native `$.state`, or the variables of Amazon States Language. `context`: natively `item`, `index`
    and `error`; else (parts of) the context object. `configuration`: as AWS's stateConfiguration, such as
    `retrierRetryCount`. A native wait for events takes `{"output": event}`, with the event's `type` and `data`.
    `field_validation`: how closely a result mocked for a service is held against what that service answers.
    """
    if inspection not in LEVELS:
        raise MockRefused(f"inspection: {inspection!r} is none of {', '.join(LEVELS)}")
    if field_validation not in MODES:
        raise MockRefused(f"field_validation: {field_validation!r} is none of {', '.join(MODES)}")
    require(state, str, "state", "the name of a state")
    for what, value in (("variables", variables), ("context", context), ("configuration", configuration)):
        require(value, Mapping, what, "an object")
    source = read_state(definition_or_state, state, frozenset(variables or ()))
    given = None if outcome is None else outcome_of(outcome, "outcome")
    settings = _configuration(configuration)
    notes = Notes(
        plain(dict(variables or {}), "variables"),
        plain(dict(context or {}), "context"),
        literal=source.literal,
    )
    machine, step = _find(source.program, source.name)
    _check(source, step, given, notes.context, settings)
    if source.is_asl and given is not None and not given.fails:
        problem = mock_problem(step, given.output, field_validation)
        if problem is not None:
            raise StateRefused(f"Mock result schema validation error: {problem}")
    world = World(alone(source.program, machine, step, notes))
    value = {} if input is MISSING else plain(input, "input")
    id = world.start(value, device=None if source.is_asl else "device-1")
    if "items" in notes.values:
        check_iterations(settings, len(notes.values["items"]))
    if given is not None:
        _set_retries(world, id, step, settings.get("retrierRetryCount", 0))
    _go(world, id, step, given)
    return _result(source, world, id, step, notes, inspection)


def _check(
    source: StateSource,
    step: Step,
    given: Outcome | None,
    context: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> None:
    if source.is_asl:
        check_mock(step, given, settings)
        check_context(context)
        return
    for name in context:
        if name not in _NATIVE_CONTEXT:
            raise MockRefused(f"context: unknown key {name!r}. {did_you_mean(str(name), _NATIVE_CONTEXT)}")


def _configuration(given: Mapping[str, Any] | None) -> Mapping[str, Any]:
    for name in given or ():
        if name not in CONFIGURATION:
            raise MockRefused(
                f"configuration: unknown key {name!r}. {did_you_mean(str(name), CONFIGURATION)}"
            )
    for name in ("retrierRetryCount", "mapIterationFailureCount"):
        value = (given or {}).get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise MockRefused(f"configuration: {name} must be a whole number from 0, not {value!r}")
    return given or {}


def _find(program: Program, name: str) -> tuple[Machine, Step]:
    """The state of that name, the outermost first."""
    for machine in program.scopes.values():
        if name in machine.steps:
            return machine, machine.steps[name]
    known = [each for machine in program.scopes.values() for each in machine.steps]
    raise MockRefused(f"there is no state {name!r}. {did_you_mean(name, known)}")


def _set_retries(world: World, id: str, step: Step, count: int) -> None:
    """Let so many retries have been used up by each rule."""
    frame = world.instances[id].frames.get(ROOT)
    if count and frame is not None:
        used = {str(number): count for number in range(len(step.retry))}
        changed = replace(frame, retries=used)
        world.instances[id] = replace(world.instances[id], frames={ROOT: changed})


def _go(world: World, id: str, step: Step, given: Outcome | None) -> None:
    """Answer what the state runs, let its time pass, until it is left or waits for what was not given."""
    while _stands(world.instances[id], step):
        waiting = world.waiting()
        if waiting and given is None:
            one = waiting[0]
            found = f"state {step.name} runs {one.name}"
            give = "give what it comes to, such as outcome={'output': ...}"
            raise UnmockedTask(found, give, state=step.name, input=one.input, number=one.number)
        if waiting and given is not None and not given.timed_out:
            world.answer(waiting[0].token, given)
        elif isinstance(step, WaitStep) and step.form != "time" and not (given and given.timed_out):
            if given is None or not _send(world, id, given):
                return
        elif not world.step():
            return


def _stands(instance: Instance, step: Step) -> bool:
    frame = instance.frames.get(ROOT)
    return instance.status not in TERMINAL and frame is not None and _is_in(frame, step)


def _is_in(frame: Frame, step: Step) -> bool:
    return frame.state == step.name and frame.phase != "backoff"


def _send(world: World, id: str, given: Outcome) -> bool:
    """Whether the wait takes the given event."""
    [event] = given_events([given.output], begin_ms=world.now_ms, device=None)
    return world.raise_event(id, event.event) == "consumed"


def _result(
    source: StateSource, world: World, id: str, step: Step, notes: Notes, inspection: Inspection
) -> StateResult:
    instance = world.instances[id]
    trace = [each for entry in world.history(id) for each in entry["trace"]]
    frame = instance.frames.get(ROOT)
    error, cause = instance.error, instance.cause
    details: dict[str, Any] = {}
    next_state = None
    if frame is None or instance.status in TERMINAL:
        status = "SUCCEEDED" if instance.status == "succeeded" else "FAILED"
    elif frame.phase == "backoff":
        status = "RETRIABLE"
        retried = next(each for each in reversed(trace) if each["type"] == "TaskRetried")
        error, cause = retried["error"], retried["cause"]
        details = _retry_details(frame, step, retried)
    elif _is_in(frame, step):
        status = "WAITING"
    else:
        caught = next((each for each in trace if each["type"] == "ErrorCaught"), None)
        status = "SUCCEEDED" if caught is None else "CAUGHT_ERROR"
        error, cause = (None, None) if caught is None else (caught["error"], caught["cause"])
        next_state = frame.state.removesuffix(AGAIN)
    if notes.catch_index is not None:
        details["catchIndex"] = notes.catch_index
    data: dict[str, Any] = {}
    if inspection != "INFO":
        data = (
            asl_data(step, source.state, notes, details)
            if source.is_asl
            else native_data(instance, trace, notes, details)
        )
    ended = frame is None or instance.status in TERMINAL
    return StateResult(
        status=status if source.is_asl else _STATUSES[status],
        output=instance.output if ended else notes.output,
        error=error,
        cause=cause,
        next_state=next_state,
        inspection=data,
    )


def _retry_details(frame: Frame, step: Step, retried: Mapping[str, Any]) -> dict[str, Any]:
    index = next(
        (
            number
            for number in range(len(step.retry))
            if frame.retries.get(str(number), 0) == retried["retry"]
        ),
        0,
    )
    seconds = retried["delayMs"] / 1000
    return {
        "retryIndex": index,
        "retryBackoffIntervalSeconds": int(seconds) if seconds.is_integer() else seconds,
    }
