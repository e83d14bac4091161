"""Answers of the engine to requests that asked for one: one listener per process, one future per request.

Nothing depends on an answer's arrival: what was asked is durable, and without an answer in time that is all we say.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from stepwell_store.protocol import Store


class Expected:
    """One awaited answer. `to` goes into the request as `reply`."""

    def __init__(self, channel: str, id: str, answer: asyncio.Future[dict[str, Any]], seconds: float) -> None:
        self.to = {"channel": channel, "id": id}
        self._answer = answer
        self._seconds = seconds

    async def answer(self) -> dict[str, Any] | None:
        """The engine's answer, None when there was none in time."""
        try:
            return await asyncio.wait_for(asyncio.shield(self._answer), self._seconds)
        except TimeoutError:
            return None


class Replies:
    """Listens from the first request on until `close`. Belongs to one event loop."""

    def __init__(self, store: Store, timeout_seconds: float = 5.0) -> None:
        self._store = store
        self._timeout_seconds = timeout_seconds
        self._channel = f"api-{secrets.token_hex(8)}"
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._listening: AbstractContextManager[None] | None = None
        self._starting = asyncio.Lock()
        self._count = 0

    @asynccontextmanager
    async def expect(self) -> AsyncIterator[Expected]:
        """Be ready for one answer while the context is open."""
        loop = asyncio.get_running_loop()
        await self._listen(loop)
        self._count += 1
        id = str(self._count)
        future: asyncio.Future[dict[str, Any]] = loop.create_future()
        self._waiting[id] = future
        try:
            yield Expected(self._channel, id, future, self._timeout_seconds)
        finally:
            del self._waiting[id]
            future.cancel()

    async def close(self) -> None:
        """Stop listening."""
        if self._listening is not None:
            await run_in_threadpool(self._listening.__exit__, None, None, None)
            self._listening = None

    async def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._listening is not None:
            return
        async with self._starting:
            if self._listening is None:

                def deliver(message: bytes) -> None:
                    if not loop.is_closed():
                        loop.call_soon_threadsafe(self._deliver, message)

                listening = self._store.listen(self._channel, deliver)
                await run_in_threadpool(listening.__enter__)
                self._listening = listening

    def _deliver(self, message: bytes) -> None:
        answer = orjson.loads(message)
        future = self._waiting.get(str(answer.get("id")))
        if future is not None and not future.done():
            future.set_result(answer)
