"""Plays a workflow through by choices: at each point where the world has to say what happens, an option is taken.

A play is given the labels of its first choices; after those it takes the first option everywhere, which leads on
well. So every play is a whole run, and a search only has to say where to choose otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

import orjson
from stepwell_schemas.durations import timestamp_ms
from stepwell_schemas.instance import TERMINAL, Instance
from stepwell_schemas.scenario import DEFAULT_NOW

from stepwell_interpreter.failures import (
    ALL,
    DATA_LIMIT_EXCEEDED,
    HEARTBEAT_TIMEOUT,
    ITEM_READER_FAILED,
    MACHINE_ERRORS,
    PERMISSIONS,
    RUNTIME,
    TASK_FAILED,
    TIMEOUT,
)
from stepwell_interpreter.program import (
    CompensationStep,
    MapStep,
    ParallelStep,
    Program,
    Step,
    TaskStep,
    WaitStep,
)
from stepwell_interpreter.scenarios.candidates import Candidates, event_source
from stepwell_interpreter.scenarios.expecting import as_duration
from stepwell_interpreter.scenarios.flows import INPUT, Source
from stepwell_interpreter.scenarios.footprint import Decision, Footprint
from stepwell_interpreter.scenarios.parts import Parts
from stepwell_interpreter.simulation.errors import SimulationLimit
from stepwell_interpreter.simulation.moments import given_events
from stepwell_interpreter.simulation.outcomes import Outcome
from stepwell_interpreter.simulation.pending import Pending
from stepwell_interpreter.simulation.simulate import DEVICE
from stepwell_interpreter.simulation.world import Applied, World

SOME_ERROR: Final = "SomethingFailed"
"""An error that no rule names."""
MOST_CHOICES: Final = 60
MOST_RECORDS: Final = 5_000
MOST_VISITS: Final = 20_000
EVENT_DELAY_MS: Final = 1_000
_NOT_RAISED: Final = MACHINE_ERRORS - {PERMISSIONS, RUNTIME, DATA_LIMIT_EXCEEDED, ITEM_READER_FAILED}
"""What only the machine itself makes of something; the others a worker may well report."""


@dataclass(frozen=True, slots=True)
class Option:
    """One thing that may happen. `label` names it for the search."""

    label: str
    outcome: Outcome | None = None
    sticky: bool = False
    """All tries of this visit come to it."""
    event: tuple[str, Any] | None = None
    value: Any = None
    source: Source | None = None
    """Whose value `value` is."""
    added: bool = False
    """A search has put it there for one play; it is not for every other."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A point of a play: the option that was taken, the labels of those there are, in which situation."""

    option: Option
    labels: tuple[str, ...]
    situation: bytes


@dataclass(slots=True)
class Played:
    """A play: its choices, and what a scenario needs to have it happen again."""

    choices: list[Choice] = field(default_factory=list)
    input: Any = None
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)
    undone: set[str] = field(default_factory=set)
    """States whose outcomes are of undos: the world does those well by itself."""
    events: list[dict[str, Any]] = field(default_factory=list)
    covered: frozenset[str] = frozenset()
    decisions: list[Decision] = field(default_factory=list)
    stopped_ms: int | None = None
    """Where it was broken off, from the start; None where it came to its end."""
    visits: int = 0


class Player:
    """Plays one definition."""

    def __init__(self, program: Program, parts: Parts, candidates: Candidates) -> None:
        self.program = program
        self.parts = parts
        self.candidates = candidates
        self.outer = _outer_states(program)

    def play(self, choices: tuple[str, ...]) -> Played:
        """One whole run."""
        return _Play(self, choices).run()

    def errors_of(self, machine: str, step: Step) -> tuple[list[str], bool]:
        """Names of errors that are worth raising in a task, and whether a timeout is."""
        names: dict[str, None] = {}
        timeout = False
        for each in self._enclosing(machine, step):
            retries = (each.own_retry or ()) if isinstance(each, CompensationStep) else each.retry
            named = [rule.errors for rule in retries] + [rule.errors for rule in each.catch]
            for name in (name for errors in named for name in errors):
                timeout = timeout or name in (TIMEOUT, HEARTBEAT_TIMEOUT)
                if name in (ALL, TASK_FAILED):
                    names.setdefault(SOME_ERROR)
                elif name not in _NOT_RAISED and (each is step or not name.startswith("States.")):
                    names.setdefault(name)
        for at, inner in self._standing(machine, step):
            names |= dict.fromkeys(self.candidates.errors(at, inner.name))
        names.setdefault(SOME_ERROR)
        return list(names), timeout

    def _enclosing(self, machine: str, step: Step) -> list[Step]:
        return [each for _, each in self._standing(machine, step)]

    def _standing(self, machine: str, step: Step) -> list[tuple[str, Step]]:
        """A state and those around it, each with its machine."""
        found = [(machine, step)]
        while machine in self.outer:
            machine, name = self.outer[machine]
            found.append((machine, self.program.scopes[machine].steps[name]))
        return found


class _Play:
    def __init__(self, player: Player, given: tuple[str, ...]) -> None:
        self.player = player
        self.given = given
        self.played = Played()
        self.footprint = Footprint(player.program, player.parts, max_visits=MOST_VISITS)
        self.begin_ms = timestamp_ms(DEFAULT_NOW)
        self.sticky: dict[tuple[str, str, int], Outcome] = {}
        self.undecided: tuple[int, tuple[str, ...]] = (0, ())
        """Options taken that the instance, at this revision, does not know of yet."""
        self.id = ""
        self.world = World(
            player.program,
            now_ms=self.begin_ms,
            answerer=self._answer,
            observers=[self._follow],
            max_records=MOST_RECORDS,
            keep_history=False,
        )

    def run(self) -> Played:
        candidates = self.player.candidates
        fixed = candidates.fixed(INPUT)
        options = [
            Option(value_label(INPUT, number), value=value, source=INPUT, added=number >= fixed)
            for number, value in enumerate(candidates.inputs())
        ]
        self.played.input = self._choose(options, b"").value
        try:
            self.id = self.world.start(self.played.input, device=DEVICE)
            while self._go_on():
                pass
        except SimulationLimit:
            self.played.stopped_ms = self.world.now_ms - self.begin_ms
        self.played.covered = frozenset(self.footprint.covered)
        self.played.decisions = self.footprint.decisions
        self.played.visits = self.footprint.visits
        return self.played

    def _go_on(self) -> bool:
        world = self.world
        world.run(world.now_ms)
        instance = world.instances[self.id]
        if instance.status in TERMINAL:
            return False
        next_ms = world.schedule.next_ms()
        options = self._deliveries(instance)
        if next_ms is not None:
            options.append(Option("time"))
        if not options or len(self.played.choices) >= MOST_CHOICES:
            self.played.stopped_ms = world.now_ms - self.begin_ms
            return False
        option = self._choose(options, _situation(instance))
        if option.event is None:
            world.run(next_ms)
        else:
            self._deliver(option, next_ms)
        return True

    def _choose(self, options: list[Option], situation: bytes) -> Option:
        number = len(self.played.choices)
        wanted = self.given[number] if number < len(self.given) else None
        taken = next((option for option in options if option.label == wanted), options[0])
        labels = tuple(option.label for option in options if not option.added)
        self.played.choices.append(Choice(taken, labels, self._with_undecided(situation, taken.label)))
        return taken

    def _with_undecided(self, situation: bytes, label: str) -> bytes:
        """What was chosen for one branch is not yet to be seen when the next one chooses."""
        instance = self.world.instances.get(self.id)
        revision = 0 if instance is None else instance.revision
        earlier = self.undecided[1] if self.undecided[0] == revision else ()
        self.undecided = (revision, (*earlier, label))
        return blake2b(repr((situation, earlier)).encode(), digest_size=16).digest()

    def _follow(self, applied: Applied) -> None:
        if not self.id or applied.before.id == self.id:
            self.footprint.follow(applied.decision.trace, applied.decision.commands)

    # -- tasks ---------------------------------------------------------------------------------------------

    def _answer(self, world: World, pending: Pending) -> Outcome:
        instance = world.instances[pending.instance]
        frame = instance.frames[pending.frame]
        visit = (pending.frame, pending.state, frame.visit)
        outcome = self.sticky.get(visit)
        if outcome is None:
            options = self._task_options(frame.scope, pending)
            option = self._choose(options, _situation(instance)) if len(options) > 1 else options[0]
            assert option.outcome is not None
            outcome = option.outcome
            if option.sticky:
                self.sticky[visit] = outcome
        self.played.outcomes.setdefault(pending.state, []).append(outcome)
        if pending.undo_of is not None:
            self.played.undone.add(pending.state)
        return outcome

    def _task_options(self, machine: str, pending: Pending) -> list[Option]:
        step = self.player.program.scopes[machine].steps[pending.state]
        base = f"{machine}/{pending.state}"
        options = self._outputs(machine, step, pending)
        names, timeout = self.player.errors_of(machine, step)
        for name in names:
            outcome = Outcome(error=name, cause=f"{pending.name} failed")
            options.append(Option(f"{base} fails by {name}", outcome))
            options.append(Option(f"{base} always fails by {name}", outcome, sticky=True))
        if timeout:
            options.append(Option(f"{base} times out", Outcome(timed_out=True), sticky=True))
            options.append(Option(f"{base} times out once", Outcome(timed_out=True)))
            limit = self._limit_ms(pending)
            if limit is not None:
                options.append(Option(f"{base} takes too long", Outcome(after_ms=limit + 1), sticky=True))
        return options

    def _limit_ms(self, pending: Pending) -> int | None:
        """How long a task may take that gives signs of life and so does not time out by its heartbeat."""
        work = self.world.instances[pending.instance].frames[pending.frame].work
        beats, limit = work.get("heartbeatMs"), work.get("timeoutMs")
        return limit if isinstance(beats, int) and isinstance(limit, int) else None

    def _outputs(self, machine: str, step: Step, pending: Pending) -> list[Option]:
        candidates = self.player.candidates
        writes = isinstance(step, MapStep) and step.writer is not None and _writes(step, pending)
        if not isinstance(step, TaskStep | MapStep) or writes:
            output = None if writes else candidates.undo_output(pending.name)
            return [Option(f"{machine}/{pending.state} gives 0", Outcome(output=output))]
        source = Source("output", machine, pending.state)
        outputs = candidates.outputs(machine, pending.state)
        fixed = candidates.fixed(source)
        return [
            Option(
                value_label(source, number),
                Outcome(output=value),
                value=value,
                source=source,
                added=number >= fixed,
            )
            for number, value in enumerate(outputs)
        ]

    # -- events --------------------------------------------------------------------------------------------

    def _deliveries(self, instance: Instance) -> list[Option]:
        options = []
        # What was sent already and did not move the instance would not move it now.
        sent = self.undecided[1] if self.undecided[0] == instance.revision else ()
        for frame in instance.frames.values():
            step = self.player.program.scopes[frame.scope].steps.get(frame.state)
            if not isinstance(step, WaitStep) or frame.phase != "wait" or step.form == "absence":
                continue
            for wait in frame.waits:
                wanted = next(event for event in step.events if wait.name in (None, event.name))
                found = self.player.candidates.events(frame.scope, step, wanted, wait.match)
                source = event_source(frame.scope, step, wanted)
                fixed = self.player.candidates.fixed(source)
                options += [
                    Option(
                        value_label(source, number),
                        event=(wait.type, data),
                        value=data,
                        source=source,
                        added=number >= fixed,
                    )
                    for number, data in enumerate(found)
                ]
        return [option for option in options if option.label not in sent]

    def _deliver(self, option: Option, next_ms: int | None) -> None:
        assert option.event is not None
        now_ms = self.world.now_ms
        at_ms = now_ms + EVENT_DELAY_MS
        if next_ms is not None and next_ms <= at_ms:
            at_ms = now_ms + (next_ms - now_ms) // 2
        type, data = option.event
        event = {"at": as_duration(at_ms - self.begin_ms), "type": type, "data": data}
        self.played.events.append(event)
        named = {**event, "id": f"event-{len(self.played.events)}"}
        for given in given_events([named], begin_ms=self.begin_ms, device=DEVICE):
            self.world.send(given.event, at_ms)
        self.world.run(at_ms)


def value_label(source: Source, number: int) -> str:
    """The label of giving a source its candidate of this number."""
    match source.kind:
        case "input":
            return f"input{number}"
        case "event":
            return f"{source.machine}/{source.state} takes {source.name} {number}"
        case _:
            return f"{source.machine}/{source.state} gives {number}"


def _writes(step: MapStep, pending: Pending) -> bool:
    """Whether it is the map's results that are written, not its items that are read."""
    assert step.writer is not None
    return step.reader is None or step.reader.activity != pending.name


def _situation(instance: Instance) -> bytes:
    """What decides how an instance goes on, times apart."""
    frames: list[Any] = [
        [
            *(frame.id, frame.scope, frame.state, frame.phase, frame.retries),
            *(frame.local, frame.item, frame.data, frame.variables),
        ]
        for frame in instance.frames.values()
    ]
    return blake2b(
        orjson.dumps([instance.input, instance.state, frames], default=str), digest_size=16
    ).digest()


def _outer_states(program: Program) -> Mapping[str, tuple[str, str]]:
    """Of each inner machine, the machine and state it stands in."""
    outer: dict[str, tuple[str, str]] = {}
    for machine, holder in program.scopes.items():
        for step in holder.steps.values():
            if isinstance(step, ParallelStep):
                outer |= {inner: (machine, step.name) for _, inner in step.branches}
            elif isinstance(step, MapStep):
                outer[step.machine] = (machine, step.name)
    return outer
