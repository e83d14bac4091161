"""`simulate`: one definition, one input, given outcomes and events, virtual time; what becomes of it.

The same definition and the same given things always lead to the same result.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from stepwell_schemas.catalog import ActivityDescription
from stepwell_schemas.cloudevents import EventRejected, check_device
from stepwell_schemas.durations import format_ms
from stepwell_schemas.event import DeviceEvent
from stepwell_schemas.instance import Instance

from stepwell_interpreter.asl.history import aws_history
from stepwell_interpreter.decide import describe
from stepwell_interpreter.draft import ROOT
from stepwell_interpreter.program import Program
from stepwell_interpreter.scope import MISSING
from stepwell_interpreter.simulation.errors import InputRefused, MockRefused, require
from stepwell_interpreter.simulation.mocks import Mocks
from stepwell_interpreter.simulation.moments import Moment, first_subject, given_events, moment_ms, start_ms
from stepwell_interpreter.simulation.outcomes import plain
from stepwell_interpreter.simulation.source import Definition, MachineType, program_of
from stepwell_interpreter.simulation.world import SEED, START_MS, Observer, World

DEVICE: Final = "device-1"
"""The device of a simulation whose events name none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What has become of the instance. For an Amazon States Language definition in AWS's words and shapes."""

    status: str
    """`succeeded failed timedOut cancelled running`, or `SUCCEEDED FAILED TIMED_OUT ABORTED RUNNING`."""
    output: Any
    error: str | None
    cause: str | None
    history: list[dict[str, Any]] = field(repr=False)
    """Entries `{n, t, record, trace, patch}`, or the events of GetExecutionHistory."""
    state: Any
    """The instance's `$.state`; for an Amazon States Language definition its variables."""
    waits: list[dict[str, Any]]
    """What a running instance waits for, one entry each: `{kind, state, frame, name, …}`."""
    events: list[dict[str, Any]]
    """What became of each given event: `{id, type, device, disposition}`."""
    unused: dict[str, int]
    """How many outcomes were not used, by state."""
    now_ms: int
    """When it ended, or where its clock stands."""
    instance: Instance = field(repr=False)
    world: World = field(repr=False, compare=False)
    """The world it ran in, to look further (children, devices, pending attempts) or to go on."""


def simulate(
    definition: Definition,
    input: Any = MISSING,
    *,
    tasks: Mapping[str, Any] | None = None,
    events: Sequence[Mapping[str, Any]] | None = None,
    now: Moment | None = None,
    until: Moment | None = None,
    workflows: Mapping[str, Definition] | None = None,
    activities: Mapping[str, ActivityDescription] | None = None,
    device: str | None = None,
    type: MachineType | None = None,
    resources: Mapping[str, str] | None = None,
    file: str | None = None,
    seed: str = SEED,
    observers: Sequence[Observer] = (),
) -> Simulation:
    """Run a definition in virtual time. Raises SimulationError where what was given does not allow it."""
    require(workflows, Mapping, "workflows", "an object of names and definitions")
    program = program_of(definition, activities, file=file, type=type, resources=resources)
    children = {name: program_of(child, activities) for name, child in (workflows or {}).items()}
    begin_ms = start_ms(now, START_MS)
    until_ms = None if until is None else moment_ms(until, "until", begin_ms)
    if until_ms is not None and until_ms < begin_ms:
        raise MockRefused(f"until: {until} is before the simulation begins, at {format_ms(begin_ms)}")
    if device is not None:
        _check_device(device)
    elif events or program.start_types:
        device = first_subject(events) or DEVICE
    mocks = Mocks(tasks, [program, *children.values()])
    world = World(
        program, workflows=children, now_ms=begin_ms, seed=seed, answerer=mocks, observers=observers
    )
    id = _begin(world, program, input, device)
    for given in given_events(events, begin_ms=begin_ms, device=device):
        raised_for = id or f"{program.id}-1~0"
        world.send(given.event, given.at_ms, raised_for=raised_for if given.raised else None)
    world.run(until_ms)
    first = next(iter(world.instances.values()), None)
    if first is None:
        raise MockRefused(_not_started(world, program))
    return _result(world, first, mocks)


def _begin(world: World, program: Program, input: Any, device: str | None) -> str | None:
    """Start the instance with its input; without one, an event may start it."""
    absent = input is MISSING or (input is None and program.dialect == "native")
    if absent and program.start_types:
        return None
    value = {} if absent else plain(input, "input")
    found = program.input_problem(value)
    if found is not None:
        raise InputRefused(*found)
    return world.start(value, device=device)


def _check_device(device: str) -> None:
    try:
        check_device(device)
    except EventRejected as error:
        raise MockRefused(str(error)) from None


def _not_started(world: World, program: Program) -> str:
    wanted = " or ".join(program.start_types)
    came = "; ".join(
        f"{event.type}: {disposition}{_refusal(program, event)}" for event, disposition in world.dispositions
    )
    told = f" (what came: {came})" if came else ""
    return f"nothing has started {program.id}: give an input, or an event {wanted} that fits{told}"


def _refusal(program: Program, event: DeviceEvent) -> str:
    """Why an event that could start the workflow does not: its data, or the input made of them."""
    if event.type not in program.start_types:
        return ""
    why = program.event_problem(event.type, event.data)
    if why is None:
        document, why = program.start_input(event)
        found = None if why is not None else program.input_problem(document)
        why = why if found is None else f"as input {found[0]} (at {found[1] or '/'})"
    return "" if why is None else f", since {why}"


def _result(world: World, instance: Instance, mocks: Mocks) -> Simulation:
    asl = world.programs[instance.id].dialect == "asl"
    history = world.history(instance.id)
    return Simulation(
        status=_AWS_STATUS[instance.status] if asl else instance.status,
        output=instance.output,
        error=instance.error,
        cause=instance.cause,
        history=_aws_history(history, instance) if asl else history,
        state=_variables(history) if asl else instance.state,
        waits=waits_of(instance),
        events=[
            {"id": event.id, "type": event.type, "device": event.device, "disposition": disposition}
            for event, disposition in world.dispositions
        ],
        unused=mocks.unused,
        now_ms=world.now_ms if instance.ended_ms is None else instance.ended_ms,
        instance=instance,
        world=world,
    )


def _aws_history(history: list[dict[str, Any]], instance: Instance) -> list[dict[str, Any]]:
    entries = ((entry["t"], each) for entry in history for each in entry["trace"])
    return aws_history(entries, instance.definition)


def _variables(history: list[dict[str, Any]]) -> dict[str, Any]:
    """The variables of the outermost machine, as its states have assigned them."""
    found: dict[str, Any] = {}
    for entry in history:
        for each in entry["trace"]:
            if each.get("frame") == ROOT:
                found |= each.get("assigned") or {}
    return found


def waits_of(instance: Instance) -> list[dict[str, Any]]:
    """What an instance waits for, flat: events, activities, callbacks, children and timers."""
    told = describe(instance)
    return [
        {**entry, "kind": kind, "name": entry[name]} for kind, group, name in _WAITS for entry in told[group]
    ]


_AWS_STATUS: Final = {
    "running": "RUNNING",
    "succeeded": "SUCCEEDED",
    "failed": "FAILED",
    "timedOut": "TIMED_OUT",
    "cancelled": "ABORTED",
}
_WAITS: Final = (
    ("event", "openWaits", "eventType"),
    ("activity", "pendingActivities", "activity"),
    ("callback", "callbacks", "attempt"),
    ("child", "pendingChildren", "instance"),
    ("timer", "timers", "timer"),
)
