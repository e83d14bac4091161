"""Many small requests, few trips: whatever has come in while one append is under way goes with the next.

Every caller gets its own positions or the error of the append its events went with. What waits is bounded.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor

from stepwell_ingress.door import RETRY_AFTER_SECONDS, Door
from stepwell_ingress.errors import DoorBusy

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
        self._executor = executor or ThreadPoolExecutor(max_workers=1, thread_name_prefix="stepwell-door")
        self._requests: list[tuple[Sequence[bytes], asyncio.Future[list[str]]]] = []
        self._events = 0
        self._bytes = 0
        self._appending: asyncio.Task[None] | None = None

    async def push(self, events: Sequence[bytes]) -> list[str]:
        """Their positions, once they are durable. Raises DoorBusy or StoreUnavailable."""
        size = sum(map(len, events))
        if self._requests and (
            self._events + len(events) > self._waiting_events or self._bytes + size > self._waiting_bytes
        ):
            raise DoorBusy(f"{self._events} events wait for the store", RETRY_AFTER_SECONDS)
        self._events += len(events)
        self._bytes += size
        loop = asyncio.get_running_loop()
        positions: asyncio.Future[list[str]] = loop.create_future()
        self._requests.append((events, positions))
        if self._appending is None or self._appending.done():
            self._appending = loop.create_task(self._append_waiting())
        return await positions

    async def close(self) -> None:
        """Append what waits, then end the thread."""
        if self._appending is not None:
            await self._appending
        self._executor.shutdown(wait=False)

    async def _append_waiting(self) -> None:
        loop = asyncio.get_running_loop()
        while self._requests:
            group = self._take()
            flat = [event for events, _ in group for event in events]
            try:
                positions = await loop.run_in_executor(self._executor, self._door.append, flat)
            except Exception as error:  # noqa: BLE001 - it belongs to those who wait, whatever it is
                _fail(group, error)
            else:
                _answer(group, positions)

    def _take(self) -> list[tuple[Sequence[bytes], asyncio.Future[list[str]]]]:
        events = size = count = 0
        for request, _ in self._requests:
            if count and (events + len(request) > APPEND_EVENTS or size > APPEND_BYTES):
                break
            events += len(request)
            size += sum(map(len, request))
            count += 1
        group, self._requests = self._requests[:count], self._requests[count:]
        self._events -= events
        self._bytes -= size
        return group


def _answer(group: list[tuple[Sequence[bytes], asyncio.Future[list[str]]]], positions: list[str]) -> None:
    start = 0
    for events, future in group:
        if not future.done():  # the caller may have gone away
            future.set_result(positions[start : start + len(events)])
        start += len(events)


def _fail(group: list[tuple[Sequence[bytes], asyncio.Future[list[str]]]], error: Exception) -> None:
    for _, future in group:
        if not future.done():
            future.set_exception(error)
