"""Many small requests, few trips to the store: what has come in while one trip is under way goes with the next."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class SharedTrips(Generic[Item, Answer]):
    """Belongs to one event loop. One trip at a time, in a thread of its own; `close` when the loop ends.

    `go` answers each of the items it is given, in order, by a value or by an exception that is that item's alone. What
    it raises is everyone's on that trip. `fit` says how many of the waiting items, oldest first, go with the next one:
    at least 1.
    """

    def __init__(
        self,
        name: str,
        go: Callable[[Sequence[Item]], Sequence[Answer | Exception]],
        fit: Callable[[Sequence[Item]], int],
        executor: Executor | None = None,
    ) -> None:
        self._go = go
        self._fit = fit
        self._executor = executor or ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"stepwell-{name}")
        self._waiting: list[tuple[Item, asyncio.Future[Answer]]] = []
        self._going: asyncio.Task[None] | None = None

    async def ask(self, item: Item) -> Answer:
        """The item's answer. Raises what `go` had for it."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((item, answer))
        if self._going is None or self._going.done():
            self._going = loop.create_task(self._go_on())
        return await answer

    async def close(self) -> None:
        """Do what waits, then end the thread."""
        if self._going is not None:
            await self._going
        self._executor.shutdown(wait=False)

    async def _go_on(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            count = self._fit([item for item, _ in self._waiting])
            group, self._waiting = self._waiting[:count], self._waiting[count:]
            answers: Sequence[Answer | Exception]
            try:
                answers = await loop.run_in_executor(self._executor, self._go, [item for item, _ in group])
            except Exception as error:  # noqa: BLE001 - it belongs to those who wait, whatever it is
                answers = [error] * len(group)
            for (_, future), answer in zip(group, answers, strict=True):
                if future.done():  # the caller has gone away
                    continue
                if isinstance(answer, Exception):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)
