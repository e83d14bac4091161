"""Many small requests, few trips to the store: what has come in while one trip is under way goes with the next."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")

PATIENCE_SECONDS = 0.25
"""A trip that takes longer does not keep the next from going, where more than one may be under way."""


class SharedTrips(Generic[Item, Answer]):
    """Belongs to one event loop; `close` when that ends.

    `go` is called in a thread, and answers each of the items it is given, in order, by a value or by an exception
    that is that item's alone. What it raises is everyone's on that trip. `fit` is called once for each trip and says
    how many of the waiting items, oldest first, go with it: at least 1. One trip goes at a time, but up to `abreast`
    where those before are late: one connection that hangs is not to stop everything.
    """

    def __init__(
        self,
        name: str,
        go: Callable[[Sequence[Item]], Sequence[Answer | Exception]],
        fit: Callable[[Sequence[Item]], int],
        *,
        abreast: int = 1,
        executor: Executor | None = None,
    ) -> None:
        self._name = name
        self._go = go
        self._fit = fit
        self._abreast = abreast
        self._executor = executor
        self._waiting: list[tuple[Item, asyncio.Future[Answer]]] = []
        self._sending: asyncio.Task[None] | None = None
        self._under_way: set[asyncio.Task[None]] = set()

    async def ask(self, item: Item) -> Answer:
        """The item's answer. Raises what `go` had for it."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((item, answer))
        if self._sending is None or self._sending.done():
            self._sending = loop.create_task(self._send())
        return await answer

    async def close(self) -> None:
        """Do what waits and is still wanted, then end the threads."""
        if self._sending is not None:
            await self._sending
        if self._under_way:
            await asyncio.wait(self._under_way)
        if self._executor is not None:
            self._executor.shutdown(wait=False)
            self._executor = None

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            if self._abreast == 1:
                await self._trip(self._take())
            elif len(self._under_way) >= self._abreast:
                await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
            else:
                trip = loop.create_task(self._trip(self._take()))
                self._under_way.add(trip)
                trip.add_done_callback(self._under_way.discard)
                await asyncio.wait({trip}, timeout=PATIENCE_SECONDS)

    def _take(self) -> list[tuple[Item, asyncio.Future[Answer]]]:
        """The next group, without those whose callers have gone away."""
        try:
            count = self._fit([item for item, _ in self._waiting])
        except Exception as error:  # noqa: BLE001  # nobody would hear it either
            count = len(self._waiting)
            _tell(self._waiting, [error] * count)
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        return [(item, future) for item, future in group if not future.done()]

    async def _trip(self, group: Sequence[tuple[Item, asyncio.Future[Answer]]]) -> None:
        """Never raises: nobody would hear it."""
        if not group:
            return
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self._abreast, thread_name_prefix=f"stepwell-{self._name}")
        answers: Sequence[Answer | Exception]
        try:
            answers = await asyncio.get_running_loop().run_in_executor(
                self._executor, self._answers, [item for item, _ in group]
            )
        except BaseException as error:  # noqa: BLE001  # it belongs to those who wait, whatever it is
            answers = [error if isinstance(error, Exception) else RuntimeError(repr(error))] * len(group)
        _tell(group, answers)

    def _answers(self, items: Sequence[Item]) -> Sequence[Answer | Exception]:
        """As many as there are items, none of which a future refuses (StopIteration)."""
        try:
            answers = self._go(items)
        except StopIteration as error:
            raise RuntimeError(repr(error)) from error
        if len(answers) != len(items):
            raise RuntimeError(f"{len(items)} {self._name} were answered with {len(answers)}")
        return [
            RuntimeError(repr(answer)) if isinstance(answer, StopIteration) else answer for answer in answers
        ]


def _tell(
    group: Sequence[tuple[Item, asyncio.Future[Answer]]], answers: Sequence[Answer | Exception]
) -> None:
    for (_, future), answer in zip(group, answers, strict=True):
        if future.done():  # the caller has gone away
            continue
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)


def fitting(sizes: Iterable[int], most: int, most_bytes: int) -> int:
    """How many of so large items, from the first, are within both bounds; at least 1."""
    count = total = 0
    for size in sizes:
        total += size
        if count and (count >= most or total > most_bytes):
            break
        count += 1
    return count


def answers_or_error(count: int, ask: Callable[[], Sequence[Answer]]) -> Sequence[Answer | Exception]:
    """What `ask` answers to so many, or what it raises for each of them: for a question that concerns only some."""
    try:
        return ask() if count else []
    except Exception as error:  # noqa: BLE001  # whatever it is, it is not the others'
        return [error] * count
