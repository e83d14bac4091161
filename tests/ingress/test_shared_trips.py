"""Shared trips: what comes during one goes with the next; each item has its own answer or its own error."""

import asyncio
import threading
from collections.abc import Sequence

import pytest
from stepwell_ingress.shared_trips import SharedTrips


class Gate:
    """A trip that waits until it is let, and answers with the items doubled; those that end in 5 are refused."""

    def __init__(self) -> None:
        self.let = threading.Semaphore(0)
        self.trips: list[list[int]] = []

    def go(self, items: Sequence[int]) -> list[int | Exception]:
        assert self.let.acquire(timeout=30)
        self.trips.append(list(items))
        if 99 in items:
            raise ConnectionError("all of them")
        return [ValueError(item) if item % 10 == 5 else item * 2 for item in items]

    def trips_of(self, most: int) -> SharedTrips[int, int]:
        return SharedTrips("test", self.go, lambda waiting: min(len(waiting), most))


@pytest.fixture
def gate() -> Gate:
    return Gate()


async def asked(gate: Gate, most: int, items: Sequence[int]) -> list[int | BaseException]:
    """All of them, the first one already on its way when the others come."""
    trips = gate.trips_of(most)
    tasks = [asyncio.create_task(trips.ask(items[0]))]
    await asyncio.sleep(0.05)
    tasks += [asyncio.create_task(trips.ask(item)) for item in items[1:]]
    await asyncio.sleep(0.05)
    gate.let.release(10)
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    await trips.close()
    return answers


def test_what_comes_during_a_trip_goes_with_the_next_as_far_as_it_fits(gate: Gate) -> None:
    answers = asyncio.run(asked(gate, 3, [1, 2, 3, 4, 6, 7]))
    assert gate.trips == [[1], [2, 3, 4], [6, 7]]
    assert answers == [2, 4, 6, 8, 12, 14]


def test_an_error_of_one_item_is_its_own(gate: Gate) -> None:
    answers = asyncio.run(asked(gate, 10, [1, 15, 3]))
    assert gate.trips == [[1], [15, 3]]
    assert isinstance(answers[1], ValueError)
    assert (answers[0], answers[2]) == (2, 6)


def test_a_trip_that_fails_fails_those_on_it_and_no_others(gate: Gate) -> None:
    answers = asyncio.run(asked(gate, 2, [1, 99, 2, 3]))
    assert [type(answer) for answer in answers] == [int, ConnectionError, ConnectionError, int]


def test_who_has_gone_away_does_not_keep_the_others_from_their_answers(gate: Gate) -> None:
    async def run() -> list[int]:
        trips = gate.trips_of(10)
        first = asyncio.create_task(trips.ask(1))
        await asyncio.sleep(0.05)
        gone, stays = asyncio.create_task(trips.ask(2)), asyncio.create_task(trips.ask(3))
        await asyncio.sleep(0.05)
        gone.cancel()
        gate.let.release(10)
        answers = [await first, await stays, await trips.ask(4)]
        await trips.close()
        assert gone.cancelled()
        return answers

    assert asyncio.run(run()) == [2, 6, 8]


def test_what_waits_is_done_before_the_end(gate: Gate) -> None:
    async def run() -> list[int]:
        trips = gate.trips_of(1)
        tasks = [asyncio.create_task(trips.ask(item)) for item in (1, 2)]
        await asyncio.sleep(0.05)
        gate.let.release(10)
        await trips.close()
        assert all(task.done() for task in tasks)
        return [await task for task in tasks]

    assert asyncio.run(run()) == [2, 4]
