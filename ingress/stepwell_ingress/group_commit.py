"""Events of many requests in few appends: whatever has come in while one append is under way goes with the next.

Every caller gets its own positions or the error of the append its events went with. What waits is bounded.
"""

from collections.abc import Sequence
from concurrent.futures import Executor

from stepwell_ingress.door import RETRY_AFTER_SECONDS, Door
from stepwell_ingress.errors import DoorBusy
from stepwell_ingress.shared_trips import SharedTrips

APPEND_EVENTS = 2_000
APPEND_BYTES = 4 * 1024 * 1024
"""One trip takes requests until it holds this much."""

WAITING_EVENTS = 50_000
WAITING_BYTES = 64 * 1024 * 1024


class GroupCommit:
    """Belongs to one event loop. `close` when the loop ends; what still waits is appended before."""

    def __init__(
        self,
        door: Door,
        *,
        waiting_events: int = WAITING_EVENTS,
        waiting_bytes: int = WAITING_BYTES,
        executor: Executor | None = None,
    ) -> None:
        self._door = door
        self._waiting_events = waiting_events
        self._waiting_bytes = waiting_bytes
        self._trips = SharedTrips("door", self._append, self._fit, executor=executor)
        self._events = 0
        self._bytes = 0

    async def push(self, events: Sequence[bytes]) -> list[str]:
        """Their positions, once they are durable. Raises DoorBusy or StoreUnavailable."""
        size = sum(map(len, events))
        if self._events and (
            self._events + len(events) > self._waiting_events or self._bytes + size > self._waiting_bytes
        ):
            raise DoorBusy(f"{self._events} events wait for the store", RETRY_AFTER_SECONDS)
        self._events += len(events)
        self._bytes += size
        return await self._trips.ask(events)

    async def close(self) -> None:
        """Append what waits, then end the thread."""
        await self._trips.close()

    def _append(self, requests: Sequence[Sequence[bytes]]) -> list[list[str]]:
        positions = self._door.append([event for events in requests for event in events])
        own, start = [], 0
        for events in requests:
            own.append(positions[start : start + len(events)])
            start += len(events)
        return own

    def _fit(self, requests: Sequence[Sequence[bytes]]) -> int:
        """How many go with the next append; they wait no longer."""
        events = size = count = 0
        for request in requests:
            if count and (events + len(request) > APPEND_EVENTS or size > APPEND_BYTES):
                break
            events += len(request)
            size += sum(map(len, request))
            count += 1
        self._events -= events
        self._bytes -= size
        return count
