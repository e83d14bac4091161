"""Plays a workflow through by choices: at each point where the world has to say what happens, an option is taken.

A play is given the labels of its first choices; after those it takes the first option everywhere, which leads on
well. So every play is a whole run, and a search only has to say where to choose otherwise.
"""

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

import orjson
from stepwell_schemas.durations import timestamp_ms
from stepwell_schemas.instance import TERMINAL, Instance, Wait
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
    WaitEvent,
    WaitStep,
)
from stepwell_interpreter.scenarios.account import Account
from stepwell_interpreter.scenarios.candidates import Candidates, event_source
from stepwell_interpreter.scenarios.expecting import as_duration
from stepwell_interpreter.scenarios.flows import INPUT, Source
from stepwell_interpreter.scenarios.footprint import Decision, Footprint
from stepwell_interpreter.scenarios.parts import Parts
from stepwell_interpreter.scope import MISSING
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
LEAST_RECORDS: Final = 600
"""Each play that does not come to its end within its records allows half as many to those after it, down to these."""
MOST_VISITS: Final = 20_000
EVENT_DELAY_MS: Final = 1_000
_UNITS_OF_A_RECORD: Final = 12
_UNITS_OF_A_CHOICE: Final = 4
_VISITS_IN_A_UNIT: Final = 20
"""Of values, as decisions count them."""
_BYTES_IN_A_UNIT: Final = 4_096
_FRAMES_IN_A_UNIT: Final = 64
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
    cut: bool = False
    """It was too long to be played on from there: no scenario can be made of it."""
    work: int = 0


class Player:
    """Plays one definition."""

    def __init__(self, program: Program, parts: Parts, candidates: Candidates, account: Account) -> None:
        self.program = program
        self.parts = parts
        self.candidates = candidates
        self.account = account
        self.outer = _outer_states(program)
        self.most_records = MOST_RECORDS
        self._errors: dict[tuple[str, str], tuple[list[str], bool]] = {}
        self._failures: dict[tuple[str, str, str], list[Option]] = {}
        self._leads: dict[str, frozenset[str]] = {}
        errors = [part.pointer for part in parts.all() if part.kind == "error"]
        self._on_any = frozenset(pointer for pointer in errors if pointer.endswith("/onError"))

    def play(self, choices: tuple[str, ...]) -> Played:
        """One whole run, as far as its records and the account go."""
        before = self.account.spent
        played = _Play(self, choices).run()
        played.work = self.account.spent - before
        if played.cut:
            self.most_records = max(self.most_records // 2, LEAST_RECORDS)
        return played

    def failures_of(self, machine: str, step: Step, activity: str) -> list[Option]:
        """The ways in which a task may fail at once."""
        key = (machine, step.name, activity)
        if key not in self._failures:
            base = f"{machine}/{step.name}"
            options: list[Option] = []
            for name in self.errors_of(machine, step)[0]:
                outcome = Outcome(error=name, cause=f"{activity} failed")
                options.append(Option(f"{base} fails by {name}", outcome))
                options.append(Option(f"{base} always fails by {name}", outcome, sticky=True))
                self._leads |= dict.fromkeys(
                    (option.label for option in options[-2:]), self._routes_of(machine, step, name)
                )
            self._failures[key] = options
        return self._failures[key]

    def leads_nowhere(self, label: str, left: Set[str]) -> bool:
        """Whether a choice is of a failure all of whose error routes are reached."""
        leads = self._leads.get(label)
        return leads is not None and leads.isdisjoint(left)

    def _routes_of(self, machine: str, step: Step, error: str) -> frozenset[str]:
        """The retries and catches that may take an error of a state, and the routes of any error."""
        found = set(self._on_any)
        for at, each in self._standing(machine, step):
            retries = (each.own_retry or ()) if isinstance(each, CompensationStep) else each.retry
            if any(not {error, ALL, TASK_FAILED}.isdisjoint(rule.errors) for rule in retries):
                found.add(self.parts.retry(at, each, error))
            for rule in each.catch:
                if not {error, ALL, TASK_FAILED}.isdisjoint(rule.errors):
                    found.add(self.parts.error_route(at, each, "catch", error, rule.next))
        return frozenset(found)

    def errors_of(self, machine: str, step: Step) -> tuple[list[str], bool]:
        """Names of errors that are worth raising in a task, and whether a timeout is."""
        key = (machine, step.name)
        if key not in self._errors:
            self._errors[key] = self._errors_of(machine, step)
        return self._errors[key]

    def _errors_of(self, machine: str, step: Step) -> tuple[list[str], bool]:
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
        self.undecided: set[str] = set()
        """Labels of options taken that the instance, at this revision, does not know of yet."""
        self.undecided_hash = b""
        self.undecided_at = 0
        self.situated: tuple[int, bytes] = (-1, b"")
        self.id = ""
        self.world = World(
            player.program,
            now_ms=self.begin_ms,
            answerer=self._answer,
            observers=[self._follow],
            max_records=player.most_records,
            keep_history=False,
        )

    def run(self) -> Played:
        inputs = self.player.candidates.inputs()
        options = [
            Option(value_label(INPUT, number), value=value, source=INPUT, added=added)
            for number, value, added in self._with_added(INPUT, enumerate(inputs))
        ]
        self.played.input = self._choose(options, b"").value
        try:
            self.id = self.world.start(self.played.input, device=DEVICE)
            while self._go_on():
                pass
        except SimulationLimit:
            self.played.cut = True
        self.played.covered = frozenset(self.footprint.covered)
        self.played.decisions = self.footprint.decisions
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
        option = self._choose(options, self._situation(instance))
        if option.event is None:
            world.run(next_ms)
        else:
            self._deliver(option, next_ms)
        return True

    def _wanted(self) -> str | None:
        """The label that is to be chosen next, where one is given."""
        number = len(self.played.choices)
        return self.given[number] if number < len(self.given) else None

    def _with_added(
        self, source: Source, numbered: Iterable[tuple[int, Any]]
    ) -> Iterator[tuple[int, Any, bool]]:
        """A source's candidates, and the added one that is to be chosen next; each with whether it was added."""
        yield from ((number, value, False) for number, value in numbered)
        number = _number_in(self._wanted(), source)
        value = MISSING if number is None else self.player.candidates.added(source, number)
        if number is not None and value is not MISSING:
            yield number, value, True

    def _choose(self, options: list[Option], situation: bytes) -> Option:
        wanted = self._wanted()
        taken = next((option for option in options if option.label == wanted), options[0])
        labels = tuple(option.label for option in options if not option.added)
        self.player.account.spend(_UNITS_OF_A_CHOICE + len(labels) // 4)
        self.played.choices.append(Choice(taken, labels, self._with_undecided(situation, taken.label)))
        return taken

    def _with_undecided(self, situation: bytes, label: str) -> bytes:
        """What was chosen for one branch is not yet to be seen when the next one chooses."""
        instance = self.world.instances.get(self.id)
        revision = 0 if instance is None else instance.revision
        if self.undecided_at != revision:
            self.undecided_at, self.undecided, self.undecided_hash = revision, set(), b""
        here = blake2b(situation + self.undecided_hash, digest_size=16).digest()
        self.undecided.add(label)
        self.undecided_hash = blake2b(self.undecided_hash + label.encode(), digest_size=16).digest()
        return here

    def _situation(self, instance: Instance) -> bytes:
        """What decides how an instance goes on, times apart; the same until it has got another record."""
        if self.situated[0] != instance.revision:
            written = _written(instance)
            self.player.account.spend(len(instance.frames) // 4 + len(written) // _BYTES_IN_A_UNIT)
            self.situated = (instance.revision, blake2b(written, digest_size=16).digest())
        return self.situated[1]

    def _follow(self, applied: Applied) -> None:
        decision, account = applied.decision, self.player.account
        happened = 2 * len(decision.trace) + 3 * len(decision.commands)
        copied = len(decision.instance.frames) // _FRAMES_IN_A_UNIT
        account.spend(_UNITS_OF_A_RECORD + happened + copied + decision.work // _VISITS_IN_A_UNIT)
        if not self.id or applied.before.id == self.id:
            self.footprint.follow(decision.trace, decision.commands)
        if account.exhausted:
            raise SimulationLimit("the search has done all the work that it may do")

    # -- tasks ---------------------------------------------------------------------------------------------

    def _answer(self, world: World, pending: Pending) -> Outcome:
        instance = world.instances[pending.instance]
        frame = instance.frames[pending.frame]
        visit = (pending.frame, pending.state, frame.visit)
        outcome = self.sticky.get(visit)
        if outcome is None:
            options = self._task_options(frame.scope, pending)
            option = self._choose(options, self._situation(instance)) if len(options) > 1 else options[0]
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
        options += self.player.failures_of(machine, step, pending.name)
        if self.player.errors_of(machine, step)[1]:
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
        outputs = enumerate(candidates.outputs(machine, pending.state))
        return [
            Option(
                value_label(source, number), Outcome(output=value), value=value, source=source, added=added
            )
            for number, value, added in self._with_added(source, outputs)
        ]

    # -- events --------------------------------------------------------------------------------------------

    def _deliveries(self, instance: Instance) -> list[Option]:
        options: list[Option] = []
        # What was sent already and did not move the instance would not move it now.
        sent = self.undecided if self.undecided_at == instance.revision else frozenset[str]()
        for frame in instance.frames.values():
            step = self.player.program.scopes[frame.scope].steps.get(frame.state)
            if not isinstance(step, WaitStep) or frame.phase != "wait" or step.form == "absence":
                continue
            for wait in frame.waits:
                wanted = next(event for event in step.events if wait.name in (None, event.name))
                options += self._events(frame.scope, step, wanted, wait)
        return [option for option in options if option.label not in sent]

    def _events(self, machine: str, step: WaitStep, wanted: WaitEvent, wait: Wait) -> Iterator[Option]:
        candidates, source = self.player.candidates, event_source(machine, step, wanted)
        found = candidates.events(machine, step, wanted, wait.match)
        self.player.account.spend(2 * len(found))
        for number, value, added in self._with_added(source, found):
            data = candidates.taken(machine, step, wanted, wait.match, value) if added else value
            label = value_label(source, number)
            yield Option(label, event=(wait.type, data), value=data, source=source, added=added)

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
    return f"{_label(source)}{number}"


def _label(source: Source) -> str:
    match source.kind:
        case "input":
            return "input"
        case "event":
            return f"{source.machine}/{source.state} takes {source.name} "
        case _:
            return f"{source.machine}/{source.state} gives "


def _number_in(label: str | None, source: Source) -> int | None:
    """The number in the label of giving a source one of its candidates; None where it is another label."""
    start = _label(source)
    rest = label[len(start) :] if label is not None and label.startswith(start) else ""
    return int(rest) if rest.isdecimal() else None


def _writes(step: MapStep, pending: Pending) -> bool:
    """Whether it is the map's results that are written, not its items that are read."""
    assert step.writer is not None
    return step.reader is None or step.reader.activity != pending.name


def _written(instance: Instance) -> bytes:
    frames: list[Any] = [
        [
            *(frame.id, frame.scope, frame.state, frame.phase, frame.retries),
            *(frame.local, frame.item, frame.data, frame.variables),
        ]
        for frame in instance.frames.values()
    ]
    return orjson.dumps([instance.input, instance.state, frames], default=str)


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
