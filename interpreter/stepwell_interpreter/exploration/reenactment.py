"""A found run again, this time on the real program and with the clock going: what an exploration left out comes back.

Where the exploration used up its few retries, the real ones are used up here by the same failure. Every stimulus
gets a moment of its own, a millisecond after the one before, so that their order can be told by times alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from stepwell_schemas.instance import TERMINAL, Frame, Instance
from stepwell_schemas.records import (
    ActivityCompleted,
    ActivityFailed,
    EventOffered,
    Record,
    TimerFired,
)

from stepwell_interpreter.decide import decide
from stepwell_interpreter.exploration.abstraction import Model
from stepwell_interpreter.exploration.moves import MOMENT_MS, Move, Moves, Timers
from stepwell_interpreter.exploration.replay import blank, iteration_of
from stepwell_interpreter.exploration.search import after_commands
from stepwell_interpreter.program import Program

MOST_TRIES: Final = 200
"""Real retries of one attempt that are carried out; more is given up."""
_CLOCKED: Final = frozenset({"timer", "timedOut", "retried"})
_ATTEMPTS: Final = frozenset({"completed", "failed", "timedOut", "callback", "child"})


@dataclass(frozen=True, slots=True)
class Attempt:
    """One dispatched try and what came of it. `kind` None: nothing, until it was given up or the run was over."""

    state: str
    activity: str
    iteration: tuple[int, ...]
    undo: str | None
    dispatched_ms: int
    kind: str | None = None
    answered_ms: int = 0
    value: Any = None
    error: str | None = None
    timer: str | None = None
    timeout_ms: int | None = None
    beats: bool = False
    callback: bool = False
    submitted: bool = False


@dataclass(frozen=True, slots=True)
class Reenactment:
    """The run with real times. `faithful`: the real program went where the explored one had gone."""

    input: Any
    attempts: tuple[Attempt, ...]
    events: tuple[tuple[int, str, Any], ...]
    """Time, type and data of each event."""
    instance: Instance
    ended_ms: int
    faithful: bool


def reenact(program: Program, model: Model, moves: Moves, path: Sequence[Move]) -> Reenactment:
    """Let the moves happen to the real program."""
    return _Stage(program, model, moves).play(path)


class _Stage:
    """The explored instance and the real one side by side."""

    def __init__(self, program: Program, model: Model, moves: Moves) -> None:
        self._program = program
        self._model = model
        self._moves = moves
        self._explored = blank(model)
        self._real = blank(model)
        self._timers: Timers = ()
        self._now = 0
        self._attempts: dict[str, Attempt] = {}
        self._over: list[Attempt] = []
        self._events: list[tuple[int, str, Any]] = []

    def play(self, path: Sequence[Move]) -> Reenactment:
        faithful, input = True, None
        for move in path:
            if move.kind == "start":
                input = self._moves.value(self._explored, move)
            before = self._explored
            self._explored = decide(self._model.program, before, self._moves.record(before, move)).instance
            faithful = self._follow(before, move) and _alike(self._explored, self._real)
            if not faithful:
                break
        pending = tuple(self._attempts.values())
        return Reenactment(
            input, (*self._over, *pending), tuple(self._events), self._real, self._now, faithful
        )

    def _follow(self, before: Instance, move: Move) -> bool:
        """The same move in the real instance, and its real retries where the explored ones are used up."""
        for _ in range(MOST_TRIES):
            if not self._can(move):
                return False
            self._apply(move)
            if move.name == "silence" and self._can(move) and _stands(self._real, before, move.frame):
                continue  # an event had put it off; the timer runs on
            if not self._backs_off(move.frame):
                return True
            self._apply(Move("retried", move.frame, "backoff"))
        return False

    def _backs_off(self, frame: str) -> bool:
        real, explored = self._real.frames.get(frame), self._explored.frames.get(frame)
        if real is None or real.phase != "backoff":
            return False
        return explored is None or explored.phase != "backoff"

    def _can(self, move: Move) -> bool:
        """Whether the move can happen to the real instance."""
        if move.kind in _CLOCKED:
            return any((frame, what) == (move.frame, move.name) for _, frame, what in self._timers)
        return not move.frame or move.frame in self._real.frames

    def _apply(self, move: Move) -> None:
        if move.kind in _CLOCKED:
            due = next(due for due, frame, what in self._timers if (frame, what) == (move.frame, move.name))
            self._now = max(self._now, due)
        elif move.kind != "start":
            self._now += 1
        before = self._real
        record = _at(self._moves.record(before, move), MOMENT_MS + self._now)
        frame = before.frames.get(move.frame)
        if move.kind == "event":
            self._events.append((self._now, move.name, self._moves.value(before, move)))
        if frame is not None and move.kind in _ATTEMPTS:
            self._answer(before, frame, move)
        decision = decide(self._program, before, record)
        self._real = decision.instance
        self._timers, _ = after_commands(self._timers, self._now, move, record, decision)
        self._note_dispatched()

    def _answer(self, instance: Instance, frame: Frame, move: Move) -> None:
        token = _token(frame)
        attempt = self._attempts.pop(token, None)
        if attempt is None:
            return
        answered = replace(
            attempt, kind=move.kind, answered_ms=self._now, value=self._moves.value(instance, move),
            error=move.name if move.kind != "timedOut" and move.name else None,
            timer=move.name if move.kind == "timedOut" else None,
        )  # fmt: skip
        if attempt.callback and move.kind == "completed":
            self._attempts[token] = replace(attempt, submitted=True)
        else:
            self._over.append(answered)

    def _note_dispatched(self) -> None:
        """Keep account of the tries that have begun, and of those that were given up."""
        alive = {}
        for frame in self._real.frames.values():
            token = _token(frame)
            if token:
                alive[token] = frame
        for token in [token for token in self._attempts if token not in alive]:
            self._over.append(self._attempts.pop(token))
        for token, frame in alive.items():
            if token not in self._attempts:
                self._attempts[token] = Attempt(
                    state=frame.state,
                    activity=frame.work.get("activity", "child"),
                    iteration=iteration_of(self._real, frame),
                    undo=frame.work["current"].get("state") if frame.phase == "undo" else None,
                    dispatched_ms=self._now,
                    timeout_ms=frame.work.get("timeoutMs"),
                    beats=frame.work.get("heartbeatMs") is not None,
                    callback="callback" in frame.work,
                )


def _token(frame: Frame) -> str:
    """What names a try from its dispatch to its end, over its body and its callback."""
    if frame.phase in ("task", "callback", "undo"):
        return str(frame.work.get("attempt", ""))
    return str(frame.work.get("child", ""))


def _stands(now: Instance, before: Instance, id: str) -> bool:
    here, there = now.frames.get(id), before.frames.get(id)
    return here is not None and there is not None and (here.state, here.phase) == (there.state, there.phase)


def _alike(explored: Instance, real: Instance) -> bool:
    if explored.status != real.status:
        return False
    if real.status in TERMINAL:
        return True
    return _places(explored) == _places(real)


def _places(instance: Instance) -> list[tuple[str, str, str]]:
    return sorted((frame.id, frame.state, frame.phase) for frame in instance.frames.values())


def _at(record: Record, time_ms: int) -> Record:
    """The same record at another moment."""
    if isinstance(record, EventOffered):
        return replace(record, time_ms=time_ms, event=replace(record.event, received_ms=time_ms))
    if isinstance(record, TimerFired):
        return replace(record, time_ms=time_ms, due_ms=time_ms)
    if isinstance(record, ActivityCompleted | ActivityFailed):
        return replace(record, time_ms=time_ms, started_ms=time_ms)
    return replace(record, time_ms=time_ms)
