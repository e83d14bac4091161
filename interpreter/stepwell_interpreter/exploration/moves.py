"""What can happen next to an instance, and the record that makes it happen.

Attempts take no time unless their timeout fires. A timer fires when none is due before it; heartbeats fall silent
whenever they can. An event comes only where a wait takes it: one that came earlier and was kept is the same as one
that comes right when its wait opens, and one that no wait takes changes nothing.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

import orjson
from stepwell_schemas.event import DeviceEvent
from stepwell_schemas.instance import Frame, Instance
from stepwell_schemas.records import (
    ActivityCompleted,
    ActivityFailed,
    CallbackEnded,
    CancelRequested,
    ChildEnded,
    EventOffered,
    InstanceStarted,
    Record,
    TimerFired,
)

from stepwell_interpreter.exploration.abstraction import UNKNOWN_ERROR, Model, Outcomes
from stepwell_interpreter.exploration.report import StimulusKind
from stepwell_interpreter.failures import StateFailure
from stepwell_interpreter.paths import compile_members, set_in
from stepwell_interpreter.scope import MISSING

MOMENT_MS: Final = 1_767_225_600_000
"""2026-01-01: the moment at which, for the documents, everything happens."""
SEED: Final = "5eed" * 8

Timers = tuple[tuple[int, str, str], ...]
"""Due time (virtual, from the start), frame ("" for the instance's own) and kind of each timer, in their order."""


class Move(NamedTuple):
    """One thing that may happen. `name` is an error, an event's type or the kind of a timer, `value` a place in the
    model's lists of values, `place` that of an open wait.
    """

    kind: StimulusKind
    frame: str = ""
    name: str = ""
    value: int = 0
    place: int = 0


class Moves:
    """Finds moves and makes their records."""

    def __init__(self, model: Model, *, cancel: bool) -> None:
        self._model = model
        self._cancel = cancel
        self._nothing = Outcomes((None,), (UNKNOWN_ERROR,))
        self._of_frames: dict[tuple[str, int], tuple[Move, ...]] = {}
        self._data_made: dict[tuple[str, int, bytes], Any] = {}
        self._offers: dict[tuple[str, int, bytes], EventOffered] = {}

    def starts(self) -> Iterator[Move]:
        """The beginnings."""
        for number in range(len(self._model.inputs)):
            yield Move("start", value=number)

    def of(self, instance: Instance, numbers: Mapping[str, tuple[Frame, int]], timers: Timers) -> list[Move]:
        """All that can happen to a running instance. `numbers`: frames that are alike have the same number."""
        found: list[Move] = []
        for id, (frame, number) in numbers.items():
            known = self._of_frames.get((id, number))
            if known is None:
                known = self._of_frames[id, number] = tuple(self._of_frame(frame))
            found += known
        found += _due(timers)
        if self._cancel:
            found.append(Move("cancelled", name="plain"))
            if instance.undo and instance.ending is None:
                found.append(Move("cancelled", name="compensate"))
        return found

    def _of_frame(self, frame: Frame) -> Iterator[Move]:
        if "token" in frame.work:
            yield from self._answers("completed", frame, one="callback" in frame.work)
            yield from self._errors("failed", frame)
        elif "child" in frame.work or frame.phase == "callback":
            kind: StimulusKind = "child" if "child" in frame.work else "callback"
            yield from self._answers(kind, frame, one=False)
            yield from self._errors(kind, frame)
        if frame.waits:
            yield from self._events(frame)

    def record(self, instance: Instance, move: Move) -> Record:
        """The record of a move."""
        frame = instance.frames.get(move.frame)
        match move.kind:
            case "start":
                return InstanceStarted(MOMENT_MS, self._model.inputs[move.value], SEED)
            case "timer" | "timedOut" | "retried":
                return _fired(instance, move.frame, move.name)
            case "cancelled":
                return CancelRequested(MOMENT_MS, "cancelled", None, move.name == "compensate")
            case _:
                assert frame is not None
                return self._answer(frame, move)

    def value(self, instance: Instance, move: Move) -> Any:
        """What a move brings: an input, an output or an event's data."""
        if move.kind == "start":
            return self._model.inputs[move.value]
        frame = instance.frames.get(move.frame)
        if frame is None or move.kind not in ("completed", "child", "callback", "event"):
            return None
        if move.kind == "event":
            return self._data(frame, move)
        return None if move.name else self._outcomes(frame).outputs[move.value]

    def _answer(self, frame: Frame, move: Move) -> Record:
        if move.kind == "event":
            return self._offer(frame, move)
        work = frame.work
        value = None
        if move.kind in ("completed", "child", "callback") and not move.name:
            value = self._outcomes(frame).outputs[move.value]
        error = move.name or None
        match move.kind:
            case "completed":
                return ActivityCompleted(MOMENT_MS, work["attempt"], work["token"], value, MOMENT_MS)
            case "failed":
                return ActivityFailed(
                    MOMENT_MS, work["attempt"], work["token"], move.name, "explored", MOMENT_MS
                )
            case "callback":
                return CallbackEnded(
                    MOMENT_MS, work["attempt"], work["callback"], value, error, "explored" * bool(error)
                )
            case _:
                status = "failed" if error else "succeeded"
                return ChildEnded(MOMENT_MS, work["child"], status, value, error, "explored" * bool(error))

    def _offer(self, frame: Frame, move: Move) -> EventOffered:
        """The event of a move. There are few, and each is made once."""
        key = (move.name, move.value, orjson.dumps(frame.waits[move.place].match))
        offer = self._offers.get(key)
        if offer is None:
            name, value = f"{move.name}-{move.value}", self._data(frame, move)
            event = DeviceEvent(name, "explore", move.name, "device", value, MOMENT_MS)
            offer = self._offers[key] = EventOffered(MOMENT_MS, event)
        return offer

    def _answers(self, kind: StimulusKind, frame: Frame, *, one: bool) -> Iterator[Move]:
        count = 1 if one else len(self._outcomes(frame).outputs)
        for number in range(count):
            yield Move(kind, frame.id, value=number)

    def _errors(self, kind: StimulusKind, frame: Frame) -> Iterator[Move]:
        for name in self._outcomes(frame).errors:
            yield Move(kind, frame.id, name)

    def _events(self, frame: Frame) -> Iterator[Move]:
        for place, wait in enumerate(frame.waits):
            if frame.work.get("seen"):
                continue  # an absence: one event that puts it off stands for any number
            for number in range(len(self._model.events.get(wait.type, ()))):
                move = Move("event", frame.id, wait.type, number, place)
                if self._data(frame, move) is not MISSING:
                    yield move

    def _data(self, frame: Frame, move: Move) -> Any:
        """The event's data with the values that the wait wants; MISSING where the schema has no such event."""
        match = frame.waits[move.place].match
        key = (move.name, move.value, orjson.dumps(match))
        if key not in self._data_made:
            data = self._model.events[move.name][move.value]
            try:
                for path, wanted in match:
                    data = set_in(data, compile_members(path), wanted, path)
            except StateFailure:
                data = MISSING  # the data is of a kind that has no such place
            if data is not MISSING and self._model.program.event_problem(move.name, data) is not None:
                data = MISSING
            self._data_made[key] = data
        return self._data_made[key]

    def _outcomes(self, frame: Frame) -> Outcomes:
        return self._model.outcomes.get((frame.scope, frame.state), self._nothing)


def timer_name(instance: Instance, frame: str, what: str) -> str:
    """The name by which records and commands know a timer."""
    return f"{frame}/{instance.frames[frame].visit}/{what}" if frame else what


@lru_cache(maxsize=4_096)
def _timer_move(frame: str, what: str) -> Move:
    return Move(_KINDS.get(what, "timer"), frame, what)


def _due(timers: Timers) -> Iterator[Move]:
    """The timers that may fire now."""
    earliest: int | None = None
    for due, frame, what in timers:
        if earliest is not None and due > earliest:
            return
        if what != "heartbeat":
            earliest = due
        yield _timer_move(frame, what)


def _fired(instance: Instance, frame: str, what: str) -> Record:
    name = timer_name(instance, frame, what)
    if what == "silence":
        # The one timer that looks at the clock: it is not over before its deadline.
        moment = max(MOMENT_MS, instance.frames[frame].work["deadline"])
        return TimerFired(moment, name, moment)
    return TimerFired(MOMENT_MS, name, MOMENT_MS, 0, 0)


_KINDS: Final[Mapping[str, StimulusKind]] = {
    "task": "timedOut",
    "heartbeat": "timedOut",
    "backoff": "retried",
}
