"""What is to come in a simulated world, in its order: by moment, then answers, events, timers, then as they came.

So at one moment a task's answer comes before an event, and an event before a timer: what comes with the last
moment of a timeout comes in time.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from stepwell_schemas.event import DeviceEvent

from stepwell_interpreter.simulation.outcomes import Outcome

Rank = Literal[0, 1, 2]
ANSWER: Final = 0
EVENT: Final = 1
TIMER: Final = 2


@dataclass(frozen=True, slots=True)
class Answer:
    """An attempt's outcome that is on its way. `token` is the attempt's, or the id of a child workflow."""

    token: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event on its way. `raised`: to the instance of this id alone."""

    event: DeviceEvent
    raised: str | None = None


@dataclass(frozen=True, slots=True)
class Alarm:
    """An armed timer of an instance."""

    instance: str
    timer: str


Coming = Answer | Arrival | Alarm
_RANKS: Final[dict[type[Coming], int]] = {Answer: ANSWER, Arrival: EVENT, Alarm: TIMER}


class Schedule:
    """The queue of what comes. A timer that is set again moves; one that is cleared is passed over."""

    __slots__ = ("_armed", "_number", "_queue")

    def __init__(self) -> None:
        self._queue: list[tuple[int, int, int, Coming]] = []
        self._armed: dict[Alarm, tuple[int, int]] = {}
        self._number = 0

    def copy(self) -> "Schedule":
        """A copy that goes its own way."""
        other = Schedule()
        other._queue, other._armed, other._number = list(self._queue), dict(self._armed), self._number
        return other

    def add(self, due_ms: int, coming: Coming) -> None:
        """Something comes at a moment; for a timer: it is set, or set anew."""
        self._number += 1
        if isinstance(coming, Alarm):
            self._armed[coming] = (due_ms, self._number)
        heapq.heappush(self._queue, (due_ms, _RANKS[type(coming)], self._number, coming))

    def clear(self, alarm: Alarm) -> None:
        """A timer is not wanted any more."""
        self._armed.pop(alarm, None)

    def next_ms(self) -> int | None:
        """When the next thing comes; None where nothing does."""
        self._drop_cleared()
        return self._queue[0][0] if self._queue else None

    def pop(self) -> tuple[int, Coming]:
        """Take the next thing out. There must be one."""
        self._drop_cleared()
        due_ms, _, _, coming = heapq.heappop(self._queue)
        if isinstance(coming, Alarm):
            del self._armed[coming]
        return due_ms, coming

    def timers(self) -> Iterator[tuple[Alarm, int]]:
        """The armed timers with their moments, in the order in which they fire."""
        for alarm, (due_ms, _) in sorted(self._armed.items(), key=lambda pair: pair[1]):
            yield alarm, due_ms

    def _drop_cleared(self) -> None:
        while self._queue:
            _, _, number, coming = self._queue[0]
            if not isinstance(coming, Alarm) or self._armed.get(coming, (0, 0))[1] == number:
                return
            heapq.heappop(self._queue)
