"""The group commit: requests that come together share a trip, each gets its own answer, what waits is bounded."""

import asyncio
import threading
from collections.abc import Sequence

import pytest
from stepwell_ingress.door import Door
from stepwell_ingress.errors import DoorBusy
from stepwell_ingress.group_commit import GroupCommit
from stepwell_store.errors import StoreUnavailable
from stepwell_store.memory_store import MemoryStore


class SlowStore(MemoryStore):
    """Appends only when it is let, and notes the size of each trip."""

    def __init__(self) -> None:
        super().__init__("test", 2)
        self.let = threading.Semaphore(0)
        self.trips: list[int] = []
        self.away = False

    def append_events(self, events: Sequence[bytes], replay: bool = False) -> list[str]:
        assert self.let.acquire(timeout=30)
        self.trips.append(len(events))
        if self.away:
            raise StoreUnavailable("gone")
        return super().append_events(events, replay)


def test_requests_that_come_during_a_trip_share_the_next() -> None:
    store = SlowStore()

    async def run() -> list[list[str]]:
        commit = GroupCommit(Door(store, 1_000))
        first = asyncio.create_task(commit.push([b"0"]))
        await asyncio.sleep(0)
        later = [asyncio.create_task(commit.push([b"%d" % n, b"x"])) for n in range(50)]
        await asyncio.sleep(0)
        store.let.release(10)
        answers = await asyncio.gather(first, *later)
        await commit.close()
        return list(answers)

    answers = asyncio.run(run())
    assert store.trips == [1, 100]
    assert [len(positions) for positions in answers] == [1] + [2] * 50


def test_every_caller_gets_the_positions_of_its_own_events() -> None:
    store = MemoryStore("test", 2)

    async def run() -> list[list[str]]:
        commit = GroupCommit(Door(store, 10_000))
        answers = await asyncio.gather(*(commit.push([b"%d" % n, b"%d+" % n]) for n in range(300)))
        await commit.close()
        return list(answers)

    answers = asyncio.run(run())
    stored = {entry.id: entry.fields[b"event"] for entry in store.read("0-0", {}, 1_000, None).door}
    assert [[stored[position] for position in positions] for positions in answers] == [
        [b"%d" % n, b"%d+" % n] for n in range(300)
    ]


def test_what_waits_is_bounded() -> None:
    store = SlowStore()

    async def run() -> list[list[str] | BaseException]:
        commit = GroupCommit(Door(store, 1_000), waiting_events=10)
        first = asyncio.create_task(commit.push([b"0"]))
        await asyncio.sleep(0)
        later = [asyncio.create_task(commit.push([b"a"] * 6)) for _ in range(3)]
        await asyncio.sleep(0)
        store.let.release(10)
        answers = await asyncio.gather(first, *later, return_exceptions=True)
        await commit.close()
        return list(answers)

    taken, second, third, fourth = asyncio.run(run())
    assert isinstance(taken, list)
    assert isinstance(second, list)
    assert isinstance(third, DoorBusy)
    assert isinstance(fourth, DoorBusy)
    assert store.door_length() == 7


def test_a_failed_trip_fails_its_requests_and_not_the_next() -> None:
    store = SlowStore()

    async def run() -> None:
        commit = GroupCommit(Door(store, 1_000))
        store.away = True
        store.let.release()
        with pytest.raises(StoreUnavailable):
            await commit.push([b"lost"])
        store.away = False
        store.let.release()
        assert await commit.push([b"kept"])
        await commit.close()

    asyncio.run(run())
    assert store.door_length() == 1


def test_a_caller_that_goes_away_does_not_take_the_answer_of_another() -> None:
    store = SlowStore()

    async def run() -> list[str]:
        commit = GroupCommit(Door(store, 1_000))
        going, staying = asyncio.create_task(commit.push([b"a"])), asyncio.create_task(commit.push([b"b"]))
        await asyncio.sleep(0)
        going.cancel()
        store.let.release(2)
        positions = await staying
        await commit.close()
        return positions

    (position,) = asyncio.run(run())
    stored = {entry.id: entry.fields[b"event"] for entry in store.read("0-0", {}, 10, None).door}
    assert stored[position] == b"b"


def test_closing_waits_for_what_was_pushed() -> None:
    store = MemoryStore("test", 2)

    async def run() -> list[str]:
        commit = GroupCommit(Door(store, 1_000))
        pushed = asyncio.create_task(commit.push([b"a"]))
        await asyncio.sleep(0)
        await commit.close()
        return await pushed

    assert len(asyncio.run(run())) == 1


def test_what_has_been_appended_no_longer_counts_as_waiting() -> None:
    store = SlowStore()

    async def run() -> None:
        commit = GroupCommit(Door(store, 1_000), waiting_events=6, waiting_bytes=60)
        store.let.release(1_000)
        for _ in range(20):
            await asyncio.gather(commit.push([b"x" * 20]), commit.push([b"x" * 20] * 2))
        await commit.close()

    asyncio.run(run())
    assert sum(store.trips) == 60
