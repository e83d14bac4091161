"""The world: instances with a virtual clock, their timers, attempts, children and devices, all around `decide`.

It plays the engine's part without any I/O: records go in, commands are carried out, time moves only in `run`.
Who drives it decides what tasks come to: an `answerer` asked at each dispatch, or calls of `answer`. Two worlds that
are driven alike are alike; `copy` gives one that goes its own way from here.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Final, assert_never

from stepwell_schemas import records
from stepwell_schemas.commands import (
    CancelActivity,
    CancelChild,
    ClearTimer,
    Command,
    RunActivity,
    SetTimer,
    StartChild,
)
from stepwell_schemas.event import DeviceEvent
from stepwell_schemas.instance import TERMINAL, Instance, new_instance
from stepwell_schemas.records import (
    CancelRequested,
    ChildEnded,
    EventOffered,
    InstanceStarted,
    Record,
    TimerFired,
)

from stepwell_interpreter.decide import Decision, decide, heartbeat_token
from stepwell_interpreter.program import Program
from stepwell_interpreter.simulation.answering import answer, ask, derived_seed
from stepwell_interpreter.simulation.devices import Device
from stepwell_interpreter.simulation.errors import SimulationLimit
from stepwell_interpreter.simulation.outcomes import Outcome
from stepwell_interpreter.simulation.pending import Pending, pending_of
from stepwell_interpreter.simulation.routing import offer_kept, route
from stepwell_interpreter.simulation.schedule import Alarm, Answer, Arrival, Schedule
from stepwell_interpreter.task import HEARTBEAT_TIMER

START_MS: Final = 1_767_225_600_000
"""2026-01-01T00:00:00Z: when a simulated world begins unless told otherwise."""

LAST_MS: Final = 253_402_300_799_000
"""The end of the year 9999, beyond which no moment can be written."""

SEED: Final = "5eed" * 8
MAX_RECORDS: Final = 1_000_000
MAX_RECORDS_OF_A_MOMENT: Final = 200_000


@dataclass(frozen=True, slots=True)
class Applied:
    """One decision as an observer sees it. `before` is the instance that the record was applied to."""

    program: Program
    before: Instance
    record: Record
    decision: Decision


Observer = Callable[[Applied], None]
_Entry = tuple[int, Record, list[dict[str, Any]], list[dict[str, Any]]]
Answerer = Callable[["World", Pending], Outcome | None]
"""What an attempt comes to, asked once at its dispatch; None: nobody answers it for now."""


class World:
    """See the module's header. `workflows`: the programs of child workflows, by the name a task calls them."""

    def __init__(
        self,
        program: Program,
        *,
        workflows: Mapping[str, Program] | None = None,
        now_ms: int = START_MS,
        seed: str = SEED,
        answerer: Answerer | None = None,
        observers: Sequence[Observer] = (),
        max_records: int = MAX_RECORDS,
        max_records_of_a_moment: int = MAX_RECORDS_OF_A_MOMENT,
        keep_history: bool = True,
    ) -> None:
        self.program = program
        self.workflows = dict(workflows or {})
        self.now_ms = now_ms
        self.seed = seed
        self.answerer = answerer
        self.observers = tuple(observers)
        self.max_records = max_records
        self.max_records_of_a_moment = max_records_of_a_moment
        self.keep_history = keep_history
        self.instances: dict[str, Instance] = {}
        self.programs: dict[str, Program] = {}
        """The program of each instance."""
        self.devices: dict[str, Device] = {}
        self.pending: dict[str, Pending] = {}
        """Attempts and children without an end, by token or child id, in the order of their dispatch."""
        self.schedule = Schedule()
        self.dispositions: list[tuple[DeviceEvent, str]] = []
        """What has become of each delivered event, in the order of delivery; later ones replace `buffered`."""
        self.seen: set[tuple[str, str]] = set()
        self.records = 0
        self._records_of_moment = 0
        self._history: dict[str, list[_Entry]] = {}
        self._waiting: deque[tuple[str, Record]] = deque()
        self.unasked: deque[str] = deque()
        """Tokens of what was dispatched since the answerer was last asked."""
        self.answered: set[str] = set()
        """Tokens of those whose answer is on its way: they give signs of life until then."""

    def copy(self) -> "World":
        """A world in the same situation that goes its own way. Observers and answerer are shared."""
        other = copy(self)
        other.instances, other.programs = dict(self.instances), dict(self.programs)
        other.devices = {id: device.copy() for id, device in self.devices.items()}
        other.pending, other.schedule = dict(self.pending), self.schedule.copy()
        other.dispositions, other.seen = list(self.dispositions), set(self.seen)
        other.unasked, other.answered = deque(self.unasked), set(self.answered)
        other._history = {id: list(entries) for id, entries in self._history.items()}
        other._waiting = deque(self._waiting)
        return other

    # -- driving it ----------------------------------------------------------------------------------------

    def start(
        self,
        input: Any,
        *,
        id: str | None = None,
        device: str | None = None,
        program: Program | None = None,
        event: DeviceEvent | None = None,
        parent: str | None = None,
        seed: str | None = None,
    ) -> str:
        """Begin an instance; its id. The input is not checked here: `program.input_problem` does that."""
        program = self.program if program is None else program
        number = len(self.instances) + 1
        id = f"{program.id}-{number}~0" if id is None else id
        if seed is None:
            seed = self.seed if number == 1 else derived_seed(self.seed, id)
        self.programs[id] = program
        instance = new_instance(
            id=id, definition=program.id, version=program.version, program=program.hash, device=device,
            parent=parent,
        )  # fmt: skip
        self.instances[id] = instance
        if device is not None:
            self.device(device).running.append(id)
        actor = None if parent is None else f"workflow:{parent}"
        self.apply(id, InstanceStarted(self.now_ms, input, seed, event, actor))
        return id

    def run(self, until_ms: int | None = None) -> None:
        """Let everything happen that comes up to a moment (and stand there), or until nothing comes any more."""
        while True:
            ask(self)
            due_ms = self.schedule.next_ms()
            if due_ms is None or (until_ms is not None and due_ms > until_ms):
                break
            self._move_to(due_ms)
            self._happen()
        if until_ms is not None:
            self._move_to(until_ms)

    def step(self) -> bool:
        """Let the next thing happen; False where nothing comes."""
        ask(self)
        due_ms = self.schedule.next_ms()
        if due_ms is None:
            return False
        self._move_to(due_ms)
        self._happen()
        ask(self)
        return True

    def send(self, event: DeviceEvent, at_ms: int, *, raised_for: str | None = None) -> None:
        """An event will come at a moment: to its device, or to one instance alone."""
        self.schedule.add(max(at_ms, self.now_ms), Arrival(event, raised_for))

    def deliver(self, event: DeviceEvent, *, start: bool = True) -> str:
        """An event of a device comes now: `consumed started buffered duplicate ignored rejected deadLettered`.

        As the engine does it: accumulated within limits, offered to each running instance of the device, and with
        `start` it may start an instance where none runs. Its `device` must be set.
        """
        disposition = route(self, event, start=start)
        self.dispositions.append((event, disposition))
        self._settle()
        return disposition

    def raise_event(self, instance: str, event: DeviceEvent) -> str:
        """An event for one instance alone comes now: `consumed kept rejected ended`, or `notFound`."""
        if instance not in self.instances:
            answer = "notFound"
        elif self.programs[instance].event_problem(event.type, event.data) is not None:
            answer = "rejected"
        else:
            answer = self.apply(instance, EventOffered(self.now_ms, event, raised=True)).answer
        self.dispositions.append((event, answer))
        return answer

    def answer(self, token: str, outcome: Outcome) -> str:
        """A pending attempt or child ends now; `stale` where it is not pending any more."""
        return answer(self, token, outcome)

    def fire(self, instance: str, timer: str) -> str:
        """A timer fires now, whenever it was due."""
        alarm = Alarm(instance, timer)
        due_ms = next((due for armed, due in self.schedule.timers() if armed == alarm), self.now_ms)
        self.schedule.clear(alarm)
        return self._fire(alarm, due_ms)

    def cancel(self, instance: str, *, reason: str = "", compensate: bool = False) -> str:
        """Cancel an instance now."""
        return self.apply(instance, CancelRequested(self.now_ms, reason, None, compensate)).answer

    def apply(self, instance_id: str, record: Record) -> Decision:
        """Apply a record to an instance, and then all that follows from it at other instances."""
        decision = self.apply_alone(instance_id, record)
        self._settle()
        return decision

    # -- looking at it -------------------------------------------------------------------------------------

    def workflow(self, name: str) -> Program | None:
        """The program of a child workflow that a task calls `name`, `name@1` or `name@1.2.0`."""
        return self.workflows.get(name) or self.workflows.get(name.partition("@")[0])

    def device(self, id: str) -> Device:
        """A device; it is made where it is not known yet."""
        found = self.devices.get(id)
        if found is None:
            found = self.devices[id] = Device(id)
        return found

    def waiting(self) -> list[Pending]:
        """The attempts, callbacks and children that have no end yet, in the order of their dispatch."""
        return [
            pending
            for pending in self.pending.values()
            if not pending.called_back or pending.still_wanted(self.instances[pending.instance])
        ]

    def consumed_later(self, event: DeviceEvent) -> None:
        """An event that was buffered has been taken by a later wait."""
        for number in range(len(self.dispositions) - 1, -1, -1):
            if self.dispositions[number][0] is event:
                self.dispositions[number] = (event, "consumed")
                return

    def running(self) -> list[Instance]:
        """The instances that have not ended, in the order of their start."""
        return [instance for instance in self.instances.values() if instance.status not in TERMINAL]

    def history(self, instance: str) -> list[dict[str, Any]]:
        """What happened to an instance, one entry for each record: `{n, t, record, trace, patch}`."""
        return [
            {
                "n": number,
                "t": record.time_ms,
                "record": records.to_wire(record),
                "trace": trace,
                "patch": patch,
            }
            for number, record, trace, patch in self._history.get(instance, ())
        ]

    # -- inside --------------------------------------------------------------------------------------------

    def apply_alone(self, instance_id: str, record: Record, *, look_back: bool = True) -> Decision:
        """Apply a record; what it makes for other instances waits until `apply` or `deliver` is through."""
        before = self.instances[instance_id]
        program = self.programs[instance_id]
        decision = decide(program, before, record)
        if decision.answer in ("none", "ended"):
            return decision
        self._count(before)
        after = self.instances[instance_id] = decision.instance
        if self.keep_history:
            entry = (after.revision, record, decision.trace, decision.patch)
            self._history.setdefault(instance_id, []).append(entry)
        for command in decision.commands:
            self._carry_out(after, command)
        if self.observers:
            applied = Applied(program, before, record, decision)
            for observe in self.observers:
                observe(applied)
        if after.status in TERMINAL:
            self._end(after)
        elif look_back and after.device is not None:
            offer_kept(self, instance_id, after.device)
        return decision

    def _move_to(self, now_ms: int) -> None:
        if now_ms > self.now_ms:
            if now_ms > LAST_MS:
                raise SimulationLimit("the virtual time would pass the year 9999")
            self.now_ms = now_ms
            self._records_of_moment = 0

    def _happen(self) -> None:
        due_ms, coming = self.schedule.pop()
        match coming:
            case Answer():
                self.answered.discard(coming.token)
                self.answer(coming.token, coming.outcome)
            case Arrival() if coming.raised is not None:
                self.raise_event(coming.raised, coming.event)
            case Arrival():
                self.deliver(coming.event)
            case Alarm():
                self._fire(coming, due_ms)
            case _:
                assert_never(coming)

    def _fire(self, alarm: Alarm, due_ms: int) -> str:
        pending = self._watched_by(alarm)
        record = TimerFired(self.now_ms, alarm.timer, due_ms)
        if pending is not None:
            # Who will answer gives signs of life until then; of the others the last sign was their beginning.
            alive = pending.token in self.answered
            silent_since = None if pending.called_back else pending.dispatched_ms
            sign_ms = self.now_ms if alive else silent_since
            record = TimerFired(self.now_ms, alarm.timer, due_ms, pending.dispatched_ms, sign_ms)
        return self.apply(alarm.instance, record).answer

    def _watched_by(self, alarm: Alarm) -> Pending | None:
        """The attempt, or the callback still missing, whose signs of life a timer watches."""
        token = heartbeat_token(self.instances[alarm.instance], alarm.timer)
        if token is not None:
            return self.pending.get(token)
        if not alarm.timer.endswith(f"/{HEARTBEAT_TIMER}"):
            return None
        frame = alarm.timer.partition("/")[0]
        for pending in self.pending.values():
            if pending.called_back and pending.frame == frame and pending.instance == alarm.instance:
                return pending
        return None

    def _count(self, instance: Instance) -> None:
        self.records += 1
        self._records_of_moment += 1
        if self.records > self.max_records:
            raise SimulationLimit(f"more than {self.max_records} records: {_where(instance)}")
        if self._records_of_moment > self.max_records_of_a_moment:
            limit = self.max_records_of_a_moment
            message = f"more than {limit} records without time going on: {_where(instance)}"
            raise SimulationLimit(message)

    def _carry_out(self, instance: Instance, command: Command) -> None:
        match command:
            case RunActivity() | StartChild():
                self._dispatch(instance, command)
            case CancelActivity():
                self._forget(command.token)
            case SetTimer():
                self.schedule.add(max(command.due_ms, self.now_ms), Alarm(instance.id, command.timer))
            case ClearTimer():
                self.schedule.clear(Alarm(instance.id, command.timer))
            case CancelChild():
                self._forget(command.child)
                if command.child in self.instances:
                    actor = f"workflow:{instance.id}"
                    record = CancelRequested(self.now_ms, command.reason, actor, command.compensate)
                    self._waiting.append((command.child, record))
            case _:
                assert_never(command)

    def _dispatch(self, instance: Instance, command: RunActivity | StartChild) -> None:
        pending = pending_of(self.programs[instance.id], instance, command, self.now_ms)
        self.pending[pending.token] = pending
        self.unasked.append(pending.token)

    def _forget(self, token: str) -> None:
        self.pending.pop(token, None)

    def _end(self, instance: Instance) -> None:
        for token in [token for token, each in self.pending.items() if each.instance == instance.id]:
            del self.pending[token]
        if instance.device is not None:
            device = self.device(instance.device)
            device.running.remove(instance.id)
            if instance.parent is None:
                device.ended.add(instance.definition)
        if instance.parent is not None:
            self.pending.pop(instance.id, None)
            record = ChildEnded(
                self.now_ms,
                instance.id,
                instance.status,
                instance.output,
                instance.error,
                instance.cause or "",
            )
            self._waiting.append((instance.parent, record))

    def _settle(self) -> None:
        while self._waiting:
            target, record = self._waiting.popleft()
            if self.instances[target].status not in TERMINAL:
                self.apply_alone(target, record)


def _where(instance: Instance) -> str:
    states = sorted({frame.state for frame in instance.frames.values()})
    return f"instance {instance.id} goes round in {', '.join(states[:5]) or '(its start)'}"
