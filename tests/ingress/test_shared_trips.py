"""Shared trips: what comes during one goes with the next; each item has its own answer or its own error."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from stepwell_ingress import shared_trips
from stepwell_ingress.shared_trips import SharedTrips, answers_or_error, fitting


class Ended(BaseException):
    """No Exception."""


class Gate:
    """A trip that waits until it is let, and answers with the items doubled; those that end in 5 are refused."""

    def __init__(self) -> None:
        self.name = f"test-{id(self)}"  # other tests have threads as well
        self.let = threading.Semaphore(0)
        self.entered = threading.Semaphore(0)
        self.trips: list[list[int]] = []
        self.raised: dict[int, BaseException] = {}

    def go(self, items: Sequence[int]) -> list[int | Exception]:
        self.trips.append(list(items))
        self.entered.release()
        if 13 not in items:
            assert self.let.acquire(timeout=30)
        for item in items:
            if item in self.raised:
                raise self.raised[item]
        answers: list[int | Exception] = [ValueError(item) if item % 10 == 5 else item * 2 for item in items]
        return (
            answers[1:]
            if 77 in items
            else [StopIteration() if item == 66 else answers[n] for n, item in enumerate(items)]
        )

    async def in_trip(self) -> None:
        assert await asyncio.to_thread(self.entered.acquire, timeout=30)

    def trips_of(self, most: int, abreast: int = 1) -> SharedTrips[int, int]:
        return SharedTrips(self.name, self.go, lambda waiting: min(len(waiting), most), abreast=abreast)


@pytest.fixture
def gate() -> Gate:
    return Gate()


async def asked(gate: Gate, most: int, items: Sequence[int]) -> list[int | BaseException]:
    """All of them, the first one already on its way when the others come."""
    trips = gate.trips_of(most)
    tasks = [asyncio.create_task(trips.ask(items[0]))]
    await gate.in_trip()
    tasks += [asyncio.create_task(trips.ask(item)) for item in items[1:]]
    await asyncio.sleep(0)
    gate.let.release(100)
    answers = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 30)
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


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (ConnectionError("all"), ConnectionError),
        (StopIteration(), RuntimeError),
        (Ended(), RuntimeError),
    ],
    ids=str,
)
def test_a_trip_that_fails_fails_those_on_it_and_no_others(gate: Gate, raised: Any, told: Any) -> None:
    gate.raised[99] = raised
    answers = asyncio.run(asked(gate, 2, [1, 99, 2, 3]))
    assert [type(answer) for answer in answers] == [int, told, told, int]


@pytest.mark.parametrize(("item", "kinds"), [(77, [RuntimeError] * 2), (66, [RuntimeError, int])])
def test_answers_that_nobody_can_be_given_are_told_as_errors(
    gate: Gate, item: int, kinds: list[type]
) -> None:
    answers = asyncio.run(asked(gate, 2, [1, item, 2, 3]))
    assert [type(answer) for answer in answers] == [int, *kinds, int]


def test_a_group_that_cannot_be_chosen_is_told_so(gate: Gate) -> None:
    async def run() -> list[Any]:
        trips = gate.trips_of(1)
        trips._fit = lambda waiting: waiting.index(7)
        answers = await asyncio.gather(*(trips.ask(n) for n in range(3)), return_exceptions=True)
        trips._fit = len
        gate.let.release()
        last = await trips.ask(4)
        await trips.close()
        return [*answers, last]

    *answers, last = asyncio.run(run())
    assert ([type(answer) for answer in answers], last) == ([ValueError] * 3, 8)


def test_who_has_gone_away_is_not_taken_along(gate: Gate) -> None:
    async def run() -> list[int]:
        trips = gate.trips_of(10)
        first = asyncio.create_task(trips.ask(1))
        await gate.in_trip()
        gone, stays = asyncio.create_task(trips.ask(2)), asyncio.create_task(trips.ask(3))
        await asyncio.sleep(0)
        gone.cancel()
        gate.let.release(10)
        answers = [await first, await stays, await trips.ask(4)]
        await trips.close()
        assert gone.cancelled()
        return answers

    assert asyncio.run(run()) == [2, 6, 8]
    assert gate.trips == [[1], [3], [4]]


def test_who_goes_away_during_a_trip_does_not_keep_the_others_from_their_answers(gate: Gate) -> None:
    async def run() -> int:
        trips = gate.trips_of(10)
        first = asyncio.create_task(trips.ask(1))
        await gate.in_trip()
        gone, stays = asyncio.create_task(trips.ask(2)), asyncio.create_task(trips.ask(3))
        await asyncio.sleep(0)
        gate.let.release()
        await first
        await gate.in_trip()
        gone.cancel()
        gate.let.release()
        answer = await stays
        await trips.close()
        return answer

    assert asyncio.run(run()) == 6
    assert gate.trips == [[1], [2, 3]]


def test_a_trip_that_hangs_does_not_keep_the_next_from_going_where_some_may_go_abreast(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_trips, "PATIENCE_SECONDS", 0.02)

    async def run(abreast: int) -> list[int]:
        trips = gate.trips_of(10, abreast)
        hanging = []
        for n in range(abreast - 1):
            hanging.append(asyncio.create_task(trips.ask(n)))
            await gate.in_trip()
        answer = await asyncio.wait_for(trips.ask(13), 30)
        last = [asyncio.create_task(trips.ask(n)) for n in (20, 21)]
        gate.let.release(100)
        answers = [answer, *await asyncio.gather(*hanging, *last)]
        await trips.close()
        return answers

    assert asyncio.run(run(3)) == [26, 0, 2, 40, 42]


def test_no_more_go_abreast_than_may(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_trips, "PATIENCE_SECONDS", 0.0)

    async def run() -> None:
        trips = gate.trips_of(1, 2)
        tasks = [asyncio.create_task(trips.ask(n)) for n in range(4)]
        await gate.in_trip()
        await gate.in_trip()
        assert not await asyncio.to_thread(gate.entered.acquire, timeout=0.2)
        gate.let.release(100)
        assert await asyncio.gather(*tasks) == [0, 2, 4, 6]
        await trips.close()

    asyncio.run(run())


def test_what_waits_is_done_before_the_end_and_the_threads_end(gate: Gate) -> None:
    trips = gate.trips_of(1)  # held until the end: what nobody holds any more ends its threads by itself

    async def run() -> list[int]:
        tasks = [asyncio.create_task(trips.ask(item)) for item in (1, 2)]
        await gate.in_trip()
        gate.let.release(10)
        await trips.close()
        answers = [await task for task in tasks]
        again = await trips.ask(3)  # another lifespan
        await trips.close()
        return [*answers, again]

    assert asyncio.run(run()) == [2, 4, 6]
    for thread in threading.enumerate():
        if thread.name.startswith(f"stepwell-{gate.name}"):
            thread.join(30)
            assert not thread.is_alive()


@pytest.mark.parametrize(
    ("sizes", "count"),
    [
        ([], 0),
        ([1], 1),
        ([500], 1),
        ([40, 60], 2),
        ([40, 61], 1),
        ([1] * 9, 5),
        ([0, 101], 1),
        ([100, 0, 0], 3),
    ],
)
def test_so_many_fit_within_both_bounds(sizes: list[int], count: int) -> None:
    assert fitting(sizes, 5, 100) == count


def test_a_question_that_concerns_only_some_fails_only_for_them() -> None:
    def away() -> list[int]:
        raise ConnectionError("away")

    assert answers_or_error(0, away) == []
    assert answers_or_error(2, lambda: [1, 2]) == [1, 2]
    assert [type(answer) for answer in answers_or_error(2, away)] == [ConnectionError] * 2
