"""Drives one accepted definition through a random life: answers, losses, events, timers in any order, nonsense.

After every decision it is checked that a running instance waits for something, and that the same record applied to
the stored form of the instance gives the same bytes.
"""

from random import Random
from typing import Any

import orjson
from stepwell_interpreter.decide import decide, describe, obligations
from stepwell_interpreter.program import Program
from stepwell_interpreter.simulation.errors import SimulationLimit
from stepwell_interpreter.simulation.outcomes import Outcome
from stepwell_interpreter.simulation.world import Applied, World
from stepwell_schemas import commands, records
from stepwell_schemas import instance as instances
from stepwell_schemas.event import DeviceEvent
from stepwell_schemas.instance import TERMINAL, Instance
from stepwell_schemas.records import ActivityCompleted, AttemptLost, CallbackEnded, ChildEnded, TimerFired

VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    1,
    2,
    -3,
    2.5,
    1e308,
    2**53,
    "",
    "text",
    "a-b",
    "é😀",
    "2026-01-01T00:00:00Z",
    "PT5M",
    "PT0S",
    [1, 2, 3],
    [],
    ["a", "a"],
    [[1]],
    {"x": 1},
    {},
    {"n": {"deep": [1]}},
    "[1]",
    "bWU=",
    "9999-12-31T23:59:59Z",
)
ERRORS = ("Broken", "Refused", "States.Timeout", "", "é" * 300)
DEVICE = "device-1"


class RandomRun:
    """One life. `live(moves)` makes so many random moves, then lets it come to its end or a wait."""

    def __init__(self, program: Program, random: Random) -> None:
        self.random = random
        self.world = World(program, observers=[self._check], max_records=400, max_records_of_a_moment=300)
        self.events = 0

    def live(self, moves: int) -> Instance | None:
        try:
            id = self.world.start(self._given(), device=DEVICE)
            for _ in range(moves):
                self.random.choice(self._moves())(id)
            for _ in range(50):
                if self.world.instances[id].status in TERMINAL:
                    break
                self._answer(id)
                self.world.step()
        except SimulationLimit:
            return None
        return self.world.instances[id]

    def _given(self) -> dict[str, Any]:
        """An input with which most templates work; now and then a member is something else, or missing."""
        usual = {
            "a": 1,
            "b": {"x": 1},
            "c": {"d": [1, 2]},
            "list": [1, 2, 3],
            "n": 2,
            "text": "a-b",
            "at": "2026-01-01T00:00:00Z",
        }
        given = {name: self._value() if self._likely(0.1) else value for name, value in usual.items()}
        return {name: value for name, value in given.items() if self._likely(0.97)}

    def _moves(self) -> list[Any]:
        often = [self._answer] * 5 + [self._event] * 2 + [lambda id: self.world.step()] * 3
        return [*often, self._fire, self._raise, self._cancel, self._nonsense]

    def _answer(self, id: str) -> None:
        pending = self.world.waiting()
        if pending:
            token = self.random.choice(pending).token
            self.world.answer(token, self._outcome())

    def _outcome(self) -> Outcome:
        kind = self.random.random()
        if kind < 0.6:
            return Outcome(output=self._value())
        if kind < 0.85:
            return Outcome(error=self.random.choice(ERRORS), cause="as drawn", retryable=self._likely(0.7))
        return self.random.choice((Outcome(lost=True), Outcome(timed_out=True), Outcome(failed=True)))

    def _event(self, id: str) -> None:
        self.world.deliver(self._made())

    def _raise(self, id: str) -> None:
        self.world.raise_event(id, self._made())

    def _made(self) -> DeviceEvent:
        self.events += 1
        data = self._value() if self._likely(0.3) else {"n": self._value()}
        type = self.random.choice(("Seen", "Paid", "Gone"))
        return DeviceEvent(f"e{self.events}", "/fuzz", type, DEVICE, data, self.world.now_ms, None, None, {})

    def _fire(self, id: str) -> None:
        timers = [alarm for alarm, _ in self.world.schedule.timers()]
        if timers:
            alarm = self.random.choice(timers)
            self.world.fire(alarm.instance, alarm.timer)

    def _cancel(self, id: str) -> None:
        if self._likely(0.2):
            self.world.cancel(id, reason="as drawn", compensate=self._likely(0.7))

    def _nonsense(self, id: str) -> None:
        """Answers to what was never asked, or has long passed."""
        now = self.world.now_ms
        attempts = [each["attempt"] for each in describe(self.world.instances[id])["pendingActivities"]]
        attempt = self.random.choice([*attempts, "", "0/S0/1/1", "0.9/x/1/1", "\ud800"])
        record = self.random.choice(
            (
                ActivityCompleted(now, attempt, "no-token", self._value(), now),
                AttemptLost(now, attempt, "no-token", "gone"),
                CallbackEnded(now, attempt, "no-token", 1),
                TimerFired(now, self.random.choice(("", "0/1/wait", "instance", "0/1", "9/9/9/9")), now),
                ChildEnded(now, "nobody", "succeeded"),
            )
        )
        if attempt != "\ud800":
            self.world.apply(id, record)

    def _value(self) -> Any:
        return self.random.choice(VALUES)

    def _likely(self, chance: float) -> bool:
        return self.random.random() < chance

    # -- what holds after every decision -------------------------------------------------------------------

    def _check(self, applied: Applied) -> None:
        after = applied.decision.instance
        if after.status not in TERMINAL:
            assert obligations(after), f"{after.status} without anything to wait for: {describe(after)}"
        describe(after)
        before = instances.from_wire(_stored(instances.to_wire(applied.before)))
        record = records.from_wire(_stored(records.to_wire(applied.record)))
        again = decide(applied.program, before, record)
        assert _bytes(again) == _bytes(applied.decision)


def _stored(wire: Any) -> Any:
    return orjson.loads(orjson.dumps(wire))


def _bytes(decision: Any) -> bytes:
    wire = instances.to_wire(decision.instance)
    sent = [commands.to_wire(command) for command in decision.commands]
    return orjson.dumps([wire, sent, decision.trace, decision.patch, decision.answer])
