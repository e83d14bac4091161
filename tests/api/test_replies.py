"""Replies: each request gets its own answer, or none in time; a late or foreign one does no harm."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import orjson
from stepwell_api.replies import Replies
from stepwell_store.memory_store import MemoryStore


class Channel(MemoryStore):
    """A store whose listeners can be told something without a commit."""

    def __init__(self) -> None:
        super().__init__("test", 1)
        self.opened = 0

    def listen(self, channel: str, deliver: Callable[[bytes], None]) -> AbstractContextManager[None]:
        self.opened += 1
        return super().listen(channel, deliver)

    def tell(self, channel: str, **answer: Any) -> None:
        for deliver in list(self._listeners.get(channel, ())):
            deliver(orjson.dumps(answer))


def test_every_request_gets_its_own_answer_over_one_listener() -> None:
    store = Channel()

    async def ask(replies: Replies, number: int, everyone: asyncio.Barrier) -> Any:
        async with replies.expect() as expected:
            await everyone.wait()
            store.tell(expected.to["channel"], id=expected.to["id"], number=number)
            answer = await expected.answer()
            assert answer is not None
            return answer["number"]

    async def run() -> list[Any]:
        replies, everyone = Replies(store), asyncio.Barrier(50)
        answers = await asyncio.gather(*(ask(replies, number, everyone) for number in range(50)))
        await replies.close()
        return list(answers)

    assert asyncio.run(run()) == list(range(50))
    assert store.opened == 1


def test_without_an_answer_in_time_there_is_none_and_a_late_one_does_no_harm() -> None:
    store = Channel()

    async def run() -> Any:
        replies = Replies(store, timeout_seconds=0.01)
        async with replies.expect() as expected:
            answer = await expected.answer()
        store.tell(expected.to["channel"], id=expected.to["id"])
        async with replies.expect() as following:
            store.tell(following.to["channel"], id="foreign")
            store.tell(following.to["channel"], id=following.to["id"], status="yes")
            store.tell(following.to["channel"], id=following.to["id"], status="twice")
            second = await following.answer()
        await replies.close()
        return answer, second

    answer, second = asyncio.run(run())
    assert answer is None
    assert second["status"] == "yes"


def test_after_closing_nothing_listens() -> None:
    store = Channel()

    async def run() -> str:
        replies = Replies(store)
        async with replies.expect() as expected:
            channel = expected.to["channel"]
        await replies.close()
        return channel

    assert store._listeners[asyncio.run(run())] == []
