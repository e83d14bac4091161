"""Testing workflows without a server: `simulate` runs a definition in virtual time, `check` says what is wrong with
it, `test_state` runs one state alone. Beside what the interpreter offers this reads files and knows activities.
"""

# ruff: noqa: PT028 - test_state is no test; the argument defaults are its own
import asyncio
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson
from pydantic import ValidationError
from stepwell_activities.builtin import builtin_registry
from stepwell_activities.decorator import options_of
from stepwell_activities.errors import NonRetryable, RegistryError
from stepwell_activities.registry import Activity, Registry
from stepwell_interpreter.scope import MISSING
from stepwell_interpreter.simulation.errors import (
    DefinitionRefused,
    InputRefused,
    MockRefused,
    NoDefinition,
    SimulationError,
    SimulationLimit,
    UnmockedTask,
    require,
)
from stepwell_interpreter.simulation.mock_schema import FieldValidation
from stepwell_interpreter.simulation.moments import Moment
from stepwell_interpreter.simulation.one_state import Inspection, StateResult, run_state
from stepwell_interpreter.simulation.outcomes import Outcome
from stepwell_interpreter.simulation.report import Report
from stepwell_interpreter.simulation.report import check as _check
from stepwell_interpreter.simulation.simulate import Simulation
from stepwell_interpreter.simulation.simulate import simulate as _simulate
from stepwell_interpreter.simulation.source import MachineType
from stepwell_interpreter.simulation.state_requests import StateRefused
from stepwell_interpreter.simulation.world import World
from stepwell_schemas.catalog import ActivityDescription
from stepwell_schemas.source_text import MAX_SOURCE_BYTES

from stepwell.file_reading import read_bounded

__all__ = [
    "Activities",
    "Definition",
    "DefinitionRefused",
    "InputRefused",
    "MockRefused",
    "NoDefinition",
    "Outcome",
    "Report",
    "Simulation",
    "SimulationError",
    "SimulationLimit",
    "StateRefused",
    "StateResult",
    "UnmockedTask",
    "World",
    "check",
    "descriptions",
    "simulate",
    "test_state",
]

Definition = Mapping[str, Any] | str | bytes | Path
"""A document, its YAML or JSON text, or a path (also as a text that ends in .yaml, .yml or .json)."""

Activities = (
    Mapping[str, ActivityDescription]
    | Registry
    | ModuleType
    | Iterable[str | ActivityDescription | Callable[..., Any] | ModuleType]
)
"""The activities there are: names, descriptions, `@activity` functions, or modules that hold such functions."""

_SUFFIXES = (".yaml", ".yml", ".json")


def simulate(
    definition: Definition,
    input: Any = MISSING,
    *,
    tasks: Mapping[str, Any] | None = None,
    events: Sequence[Mapping[str, Any]] | None = None,
    now: Moment | None = None,
    until: Moment | None = None,
    workflows: Mapping[str, Definition] | None = None,
    activities: Activities | None = None,
    device: str | None = None,
    type: MachineType | None = None,
    resources: Mapping[str, str] | None = None,
) -> Simulation:
    """Run a definition of either dialect in virtual time. Raises SimulationError where it cannot be run as asked.

    `tasks`: by state, its outcomes in order, one outcome for every try, or a function of the input. `events`:
    CloudEvents, or `type` and `data`, each with `at` or `time`. `now`, `until`: when it begins and stops.
    `workflows`: definitions of child workflows by name; those not given take outcomes like tasks. `type` and
    `resources` are for Amazon States Language. What can be no definition at all (None, a number) is a
    NoDefinition, which is a TypeError, too.
    """
    require(workflows, Mapping, "workflows", "an object of names and definitions")
    children = {name: _read(child)[0] for name, child in (workflows or {}).items()}
    content, file = _read(definition)
    return _simulate(
        content,
        input,
        tasks=None if tasks is None else _callable_tasks(tasks),
        events=events,
        now=now,
        until=until,
        workflows=children,
        activities=None if activities is None else descriptions(activities),
        device=device,
        type=type,
        resources=resources,
        file=file,
    )


def check(
    definition: Definition,
    activities: Activities | None = None,
    *,
    type: MachineType | None = None,
    resources: Mapping[str, str] | None = None,
) -> Report:
    """All that is wrong with a definition. Without `activities` every activity is taken to exist.

    With them, the built-in ones are known as well. What is wrong with the definition is in the report; what can be
    none at all (None, a number) raises NoDefinition, a SimulationError and a TypeError.
    """
    known = None if activities is None else descriptions(activities)
    content, file = _read(definition)
    return _check(content, known, type=type, resources=resources, file=file)


def test_state(
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
    """Run one state alone: the state itself, or `state` of a definition. Raises SimulationError.

    `variables`: the native `$.state`, or the variables of Amazon States Language. `context`: natively `item`,
    `index` and `error`; else (parts of) the context object. `inspection`: INFO shows the result, DEBUG and TRACE
    each step of the data.
    """
    return run_state(
        _read(definition_or_state)[0],
        input,
        state=state,
        outcome=outcome,
        variables=variables,
        context=context,
        configuration=configuration,
        inspection=inspection,
        field_validation=field_validation,
    )


# A name that begins with `test_` in a test module would be collected as a test.
test_state.__test__ = False  # type: ignore[attr-defined]


def descriptions(activities: Activities) -> dict[str, ActivityDescription]:
    """Activities by name, the built-in ones included. Raises RegistryError for a function that cannot be one,
    MockRefused for what is no list of them.
    """
    found = {each.name: each.description() for each in builtin_registry()}
    if isinstance(activities, Mapping):
        return found | dict(activities)
    if isinstance(activities, Registry):
        return found | {each.name: each.description() for each in activities}
    if isinstance(activities, str) or not isinstance(activities, ModuleType | Iterable):
        # A text would count as the list of its letters.
        wanted = "a list of names, @activity functions and modules, or one module"
        raise MockRefused(f"activities is {wanted}, not {activities!r}")
    given = [activities] if isinstance(activities, ModuleType) else list(activities)
    for each in given:
        if isinstance(each, str):
            found.setdefault(each, ActivityDescription(name=each))
        elif isinstance(each, ActivityDescription):
            found[each.name] = each
        else:
            found |= {made.name: made.description() for made in Registry(_functions(each))}
    return found


def _functions(given: Callable[..., Any] | ModuleType) -> list[Callable[..., Any]]:
    if not isinstance(given, ModuleType):
        return [given]
    return [each for each in vars(given).values() if inspect.isroutine(each) and options_of(each) is not None]


def _read(definition: Definition) -> tuple[Mapping[str, Any] | str | bytes, str | None]:
    """The document or text, and the file it was read from. Raises MockRefused where it cannot be read."""
    if isinstance(definition, str) and "\n" not in definition and definition.endswith(_SUFFIXES):
        definition = Path(definition)
    if not isinstance(definition, Path):
        return definition, None
    try:
        return read_bounded(definition, MAX_SOURCE_BYTES), str(definition)
    except OSError as error:
        raise MockRefused(f"{definition} cannot be read: {error.strerror or error}") from None


def _callable_tasks(tasks: Mapping[str, Any]) -> Mapping[str, Any]:
    """The tasks with their activity functions called as a worker would: input and output checked."""
    if not isinstance(tasks, Mapping):
        return tasks
    made: dict[str, Any] = {}
    for state, outcomes in tasks.items():
        if isinstance(outcomes, list | tuple):
            made[state] = [_callable_task(each) for each in outcomes]
        else:
            made[state] = _callable_task(outcomes)
    return made


def _callable_task(given: Any) -> Any:
    if not callable(given) or options_of(given) is None:
        return given
    try:
        activity = Registry().add(given)
    except RegistryError as error:
        raise MockRefused(str(error)) from None
    if activity.signature.context is not None:
        message = f"{activity.name} wants an ActivityContext, which a simulation does not have"
        raise MockRefused(f"{message}: give a function of the input instead")
    return lambda value: _run(activity, value)


def _run(activity: Activity, value: Any) -> Any:
    try:
        arguments = activity.signature.arguments(value)
    except ValidationError as error:
        raise NonRetryable("InvalidInput", str(error)) from error
    result = activity.function(**arguments)
    if activity.is_async:
        result = asyncio.run(result)
    try:
        return orjson.loads(activity.signature.output_json(result))
    except ValueError as error:
        raise NonRetryable("InvalidOutput", str(error)) from error
