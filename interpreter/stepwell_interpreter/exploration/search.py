"""The search: breadth first over all that can happen, so that the first way to a state is a shortest one.

A state is an instance, its timers, and what the run has done as far as an assertion asks. States are kept by their
keys; instances only until they have been gone on from. Time goes on in `elapsed`, but for the documents it stands
still: every record says the same moment, so that a state that is come back to is the same one.

A timer around a loop (`timeout` of a map, a parallel state or the whole) would never be the next due one, since its
distance is no part of a state. So where time has passed and nothing else has changed, it may fire, too.
"""

from array import array
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from stepwell_schemas.commands import ClearTimer, SetTimer
from stepwell_schemas.instance import TERMINAL, Instance, new_instance
from stepwell_schemas.records import Record

from stepwell_interpreter.decide import decide
from stepwell_interpreter.draft import Decision
from stepwell_interpreter.exploration.abstraction import Model
from stepwell_interpreter.exploration.canonical import NO_DOCUMENT, Canon, Document, FrameKeys, Key
from stepwell_interpreter.exploration.judge import TELLING, UNDO_FAILED, Judge, Verdict
from stepwell_interpreter.exploration.moves import Move, Moves, Timers
from stepwell_interpreter.exploration.report import Bounds
from stepwell_interpreter.exploration.tally import Counter, Tally
from stepwell_interpreter.program import WORDS

DEVICE: Final = "device"
MOST_FINDINGS: Final = 50
PROGRESS_EVERY: Final = 5_000
FEWEST_STATES: Final = 10_000
ENTRIES_OF_A_STATE: Final = 30
"""So many entries of traces there may be for each state that may be found: a loop without a wait makes thousands."""
_CLOCKED: Final = frozenset({"timer", "timedOut", "retried"})

_ENTRIES: Final = (
    {f"{word}StateEntered": "entered" for word in WORDS}
    | {f"{word}StateExited": "exited" for word in WORDS}
    | dict.fromkeys(TELLING, "told")
)
"""Trace entries that are looked at, and as what."""

Place = tuple[str, str]
Progress = Callable[[int, int], None]
"""Told now and then: states found, and how many of them are still to be gone on from."""


@dataclass(slots=True)
class Standing:
    """A state that can be gone on from."""

    number: int
    depth: int
    instance: Instance
    frames: FrameKeys
    document: Document
    timers: Timers
    elapsed: int
    tally: Tally
    reported: frozenset[int]


@dataclass(slots=True)
class Found:
    """What a search has found. `parents` and `moves` tell how each state was first reached."""

    parents: "array[int]"
    moves: list[Move]
    sources: "array[int]"
    targets: "array[int]"
    ended: list[int]
    verdicts: list[tuple[Verdict, int]]
    entered: dict[Place, int]
    led: set[tuple[Place, Place]]
    statuses: dict[str, int]
    complete: bool = True
    stopped_by: str | None = None
    depth: int = 0


class Search:
    """One search. `run` it once."""

    def __init__(
        self, model: Model, moves: Moves, judge: Judge, counter: Counter, canon: Canon, bounds: Bounds
    ) -> None:
        self._model = model
        self._program = model.program
        self._moves = moves
        self._judge = judge
        self._counter = counter
        self._canon = canon
        self._bounds = bounds
        self._known: dict[Key, int] = {}
        self._elapsed: dict[int, int] = {}
        self._loosened: set[int] = set()
        self._entries_left = max(bounds.states, FEWEST_STATES) * ENTRIES_OF_A_STATE
        self._told: set[tuple[object, ...]] = set()
        self._queue: deque[tuple[Standing, list[Move]]] = deque()
        self._found = Found(array("l"), [], array("l"), array("l"), [], [], {}, set(), {})
        self._outer = program_has_outer_timers(model)

    def run(self, progress: Progress | None) -> Found:
        """Find all that can be found within the bounds."""
        blank = new_instance(
            id="explored", definition=self._program.id, version=self._program.version,
            program=self._program.hash, device=DEVICE,
        )  # fmt: skip
        origin = Standing(-1, 0, blank, {}, NO_DOCUMENT, (), 0, self._counter.zero, frozenset())
        for move in self._moves.starts():
            self._take(origin, move)
        found, told = self._found, 0
        while self._queue and found.complete:
            standing, moves = self._queue.popleft()
            if standing.depth >= self._bounds.depth:
                found.complete, found.stopped_by = False, "depth"
                break
            for move in moves:
                self._take(standing, move)
                if not found.complete:
                    break
            if progress is not None and len(found.moves) - told >= PROGRESS_EVERY:
                told = len(found.moves)
                progress(told, len(self._queue))
        return found

    def _take(self, standing: Standing, move: Move) -> None:
        """Make one move: judge it, and keep the state it leads to where that is new."""
        before = standing.instance
        record = self._moves.record(before, move)
        try:
            decision = decide(self._program, before, record)
        except Exception as error:  # noqa: BLE001 - a fault of ours is a finding here, not an end
            number = self._keep(standing, move)
            verdict = Verdict(
                "engine-error", (type(error).__name__, str(error)), f"the engine failed: {error!r}"
            )
            self._tell(verdict, number)
            return
        self._entries_left -= len(decision.trace)
        if self._entries_left < 0:
            self._found.complete, self._found.stopped_by = False, "work"
            return
        if decision.answer in ("none", "ended", "stale"):
            return
        self._add(standing, move, record, decision)

    def _add(self, standing: Standing, move: Move, record: Record, decision: Decision) -> None:
        instance = decision.instance
        timers, elapsed = after_commands(standing.timers, standing.elapsed, move, record, decision)
        tally = self._counter.after(standing.tally, standing.instance, record, decision)
        verdicts, given_up = self._read(standing.instance, decision)
        reported = standing.reported.union(given_up) if given_up else standing.reported
        frames = self._canon.frames(instance, standing.frames)
        document = standing.document
        if instance.state is not standing.instance.state:
            document = self._canon.document(instance.state, document, decision.patch)
        key = self._canon.key(instance, frames, document, timers, tally, reported)
        number = self._known.get(key)
        new = number is None
        if number is None:
            if len(self._found.moves) >= self._bounds.states:
                self._found.complete, self._found.stopped_by = False, "states"
                return
            number = self._known[key] = self._keep(standing, move)
            self._elapsed[number] = elapsed
        self._found.sources.append(standing.number)
        self._found.targets.append(number)
        for verdict in verdicts:
            self._tell_late(verdict, number, new, standing, move)
        if new or (self._outer and move.kind in _CLOCKED and elapsed > self._elapsed[number]):
            reached = Standing(
                number, standing.depth + 1, instance, frames, document, timers, elapsed, tally, reported
            )
            if new:
                self._go_on(reached)
            else:
                self._loosen(standing, move, number, reached)

    def _go_on(self, standing: Standing) -> None:
        """Judge a new state, and queue it where it is not an end."""
        found, instance = self._found, standing.instance
        found.depth = max(found.depth, standing.depth)
        ended = instance.status in TERMINAL
        moves = [] if ended else self._moves.of(instance, standing.frames, standing.timers)
        for verdict in self._judge.state(instance, moves, standing.timers, standing.tally, standing.reported):
            self._tell(verdict, standing.number)
        if ended:
            found.ended.append(standing.number)
            found.statuses[instance.status] = found.statuses.get(instance.status, 0) + 1
        else:
            twins = self._canon.twins(instance, standing.frames, standing.timers)
            self._queue.append(
                (standing, [move for move in moves if move.frame not in twins] if twins else moves)
            )

    def _loosen(self, standing: Standing, move: Move, known: int, again: Standing) -> None:
        """Time has passed in a state that is otherwise the same: the timers around it may fire."""
        if known in self._loosened:
            return
        outer = [(frame, what) for _, frame, what in again.timers if _is_outer(again.instance, frame)]
        if not outer:
            return
        self._loosened.add(known)
        again.number = self._keep(standing, move)
        self._found.sources.append(known)
        self._found.targets.append(again.number)
        self._queue.append((again, [Move("timer", frame, what) for frame, what in outer]))

    def _keep(self, standing: Standing, move: Move) -> int:
        self._found.parents.append(standing.number)
        self._found.moves.append(move)
        return len(self._found.moves) - 1

    def _tell(self, verdict: Verdict, number: int) -> None:
        key = (verdict.code, *verdict.key)
        if key not in self._told and len(self._found.verdicts) < MOST_FINDINGS:
            self._told.add(key)
            self._found.verdicts.append((verdict, number))

    def _tell_late(self, verdict: Verdict, number: int, new: bool, standing: Standing, move: Move) -> None:
        """A verdict on a transition: where its state is known already, this way to it is kept beside the first."""
        if (verdict.code, *verdict.key) in self._told:
            return
        self._tell(verdict, number if new else self._keep(standing, move))

    def _read(self, before: Instance, decision: Decision) -> tuple[list[Verdict], list[int]]:
        """What the trace tells: states entered and left for the coverage, errors to judge, undos given up."""
        found = self._found
        last: dict[str, Place] = {}
        verdicts: list[Verdict] = []
        given_up: list[int] = []
        for entry in decision.trace:
            match _ENTRIES.get(entry["type"]):
                case None:
                    continue
                case "entered":
                    at = (
                        self._scope_of(entry["frame"], entry["state"], before, decision.instance),
                        entry["state"],
                    )
                    found.entered[at] = found.entered.get(at, 0) + 1
                    left = last.pop(entry["frame"], None)
                    if left is not None:
                        found.led.add((left, at))
                case "exited":
                    at = (
                        self._scope_of(entry["frame"], entry["state"], before, decision.instance),
                        entry["state"],
                    )
                    last[entry["frame"]] = at
                case _:
                    verdicts += self._judge.told(entry)
                    if entry["type"] == UNDO_FAILED and "visit" in entry["undo"]:
                        given_up.append(entry["undo"]["visit"])
        return verdicts, given_up

    def _scope_of(self, frame: str, state: str, before: Instance, after: Instance) -> str:
        known = after.frames.get(frame) or before.frames.get(frame)
        if known is not None:
            return known.scope
        # A frame that came and went within one decision.
        return next((id for id, machine in self._program.scopes.items() if state in machine.steps), "")


def after_commands(
    timers: Timers, elapsed: int, move: Move, record: Record, decision: Decision
) -> tuple[Timers, int]:
    """The timers after a decision, in the order of their due times, and the virtual time it came at."""
    armed: dict[tuple[str, str], int] | None = None
    if move.kind in _CLOCKED:
        armed = {(frame, what): due for due, frame, what in timers}
        elapsed = max(elapsed, armed.pop((move.frame, move.name), elapsed))
    for command in decision.commands:
        if isinstance(command, SetTimer | ClearTimer):
            if armed is None:
                armed = {(frame, what): due for due, frame, what in timers}
            frame, _, rest = command.timer.rpartition("/")
            key = (frame.partition("/")[0], rest)
            if isinstance(command, SetTimer):
                armed[key] = elapsed + command.due_ms - record.time_ms
            else:
                armed.pop(key, None)
    if armed is None:
        return timers, elapsed
    return tuple(sorted([(due, frame, what) for (frame, what), due in armed.items()])), elapsed


def program_has_outer_timers(model: Model) -> bool:
    """Whether a timer may run around other states."""
    steps = [step for machine in model.program.scopes.values() for step in machine.steps.values()]
    return model.program.timeout_ms is not None or any(
        getattr(step, "timeout", None) is not None and step.kind in ("parallel", "map") for step in steps
    )


def _is_outer(instance: Instance, frame: str) -> bool:
    return not frame or (frame in instance.frames and instance.frames[frame].phase == "join")
