"""The way between the simulated engines and their store: calls that fail, replies that are lost, processes that die,
and requests that were sent by a lane whose engine is gone: they arrive later, or never.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

from stepwell_store.errors import StoreUnavailable
from stepwell_store.memory_lane import MemoryLane, Request

Fault = Callable[[str], str]


class Crashed(BaseException):
    """The process dies here. No error of the program's own."""


class Faulty:
    """Calls of another object that fail at random: before the effect, after it, with the effect still to come, or
    with the whole process."""

    def __init__(self, target: Any, fault: Fault, transit: "Transit") -> None:
        self._target = target
        self._fault = fault
        self._transit = transit

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        if not callable(value):
            return value

        def call(*arguments: Any, **named: Any) -> Any:
            fault = self._fault(name)
            if fault == "before":
                raise StoreUnavailable(f"{name} was not reached")
            if fault == "late":
                self._transit.lanes.append(deque([lambda: value(*arguments, **named)]))
                raise StoreUnavailable(f"{name} is on its way")
            result = value(*arguments, **named)
            if fault == "crash":
                raise Crashed
            if fault == "after":
                raise StoreUnavailable(f"the reply of {name} was lost")
            return result

        return call


class FaultyStore(Faulty):
    """A store with such calls, and with lanes on which requests may be under way."""

    def lane(self) -> "FaultyLane":
        return FaultyLane(self._target, self._fault, self._transit)


class Transit:
    """Requests that nobody waits for any more, per lane in order."""

    def __init__(self) -> None:
        self.lanes: list[deque[Callable[[], object]]] = []

    def leave(self, requests: deque[Request[Any]]) -> None:
        """They were sent, and their engine does not wait for them any more."""
        if requests:
            self.lanes.append(deque(request.call for request in requests))

    def arrive(self, count: int) -> None:
        """The first `count` requests of the newest lane happen now, the rest never."""
        if self.lanes:
            lane = self.lanes.pop()
            while lane and count:
                lane.popleft()()
                count -= 1


class FaultyLane(MemoryLane):
    """A request happens when it is waited for, or before; or its line breaks, and what was sent is in transit."""

    def __init__(self, store: Any, fault: Fault, transit: Transit) -> None:
        super().__init__(store)
        self._fault = fault
        self._transit = transit

    def carry_out(self, last: Request[Any] | None = None) -> None:
        while self.sent and not (last is not None and last.is_settled):
            fault = self._fault(self.sent[0].name)
            if not self.sent:
                return  # another step of this engine's, in the midst of a stall, closed the lane
            request = self.sent.popleft()
            if fault == "before":
                self._break(request, is_lost=True)
                return
            if fault == "late":
                self._transit.leave(deque([request, *self.sent]))
                self._break(request, is_lost=True)
                return
            if fault == "crash":
                self.sent.appendleft(request)
                raise Crashed
            request.run()
            if fault == "after":
                self._break(request)

    def close(self) -> None:
        self._transit.leave(self.sent)
        super().close()

    def _break(self, request: Request[Any], is_lost: bool = False) -> None:
        error = StoreUnavailable(f"the line broke at {request.name}")
        rest, self.sent = self.sent, deque()
        if not is_lost:
            self._transit.leave(rest)
        for one in (request, *rest):
            one.fail(error)
