"""Searches the plays of a definition for those that together reach what is wanted.

It plays the workflow again and again, each time choosing otherwise at one point of an earlier play, rarest choice
first, and never the same choice in the same situation twice; and with values that were solved for a branch not yet
reached. What a play reaches counts once it has become a scenario. It is bounded by plays and by counted work.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Set
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeVar

from stepwell_interpreter.scenarios.account import Account
from stepwell_interpreter.scenarios.aiming import Aims
from stepwell_interpreter.scenarios.playing import Played, Player

MOST_PLAYS: Final = 4_000
_GUESS: Final = 3
"""A play with a value that was only guessed waits for choices that were taken less often than this."""
_LABELS_IN_A_UNIT: Final = 16


class _Reaching(Protocol):
    @property
    def covered(self) -> Set[str]: ...


_Made = TypeVar("_Made", bound=_Reaching)


@dataclass(frozen=True, slots=True)
class _Next:
    """A play that may be tried: as `labels` up to a place, and there otherwise."""

    labels: tuple[str, ...]
    place: int
    otherwise: tuple[str, ...] = ()
    aimed_at: str = ""
    late: bool = False
    """It was put off for others that lead to more."""

    @property
    def given(self) -> tuple[str, ...]:
        return (*self.labels[: self.place], *self.otherwise)


def search(
    player: Player,
    aims: Aims,
    wanted: Set[str],
    become: Callable[[Played], _Made | None],
    *,
    max_plays: int,
    account: Account,
) -> tuple[int, list[_Made]]:
    """How often it played, and what was made of the plays that reached something new, in the order they were found.

    `become` makes a scenario of a play, None where that goes another way.
    """
    # rank, place, number, the play
    queue: list[tuple[int, int, int, _Next]] = [(0, 0, 0, _Next((), 0))]
    tried: set[tuple[bytes, str]] = set()
    played: set[tuple[str, ...]] = set()
    counts: Counter[str] = Counter()
    found: list[_Made] = []
    left = set(wanted)
    plays = number = 0
    while queue and left and plays < max_plays and not account.exhausted:
        rank, place, _, chosen = heapq.heappop(queue)
        if not chosen.late and chosen.otherwise and player.leads_nowhere(chosen.otherwise[0], left):
            number += 1
            heapq.heappush(queue, (rank + 1, place, number, replace(chosen, late=True)))
            continue
        given = chosen.given
        account.spend(1 + len(given) // _LABELS_IN_A_UNIT)
        if given in played or (chosen.aimed_at and chosen.aimed_at not in left):
            continue
        played.add(given)
        play = player.play(given)
        plays += 1
        if not play.cut and left & play.covered:
            account.spend(play.work)  # as a scenario it runs once more
            made = become(play)
            if made is not None and left & made.covered:
                left -= made.covered
                found.append(made)
        for aim in aims.after(play, left):
            number += 1
            rank = _GUESS if aim.guessed else -1
            heapq.heappush(queue, (rank, 0, number, _Next(aim.labels, len(aim.labels), (), aim.pointer)))
        labels = tuple(choice.option.label for choice in play.choices)
        for place, choice in enumerate(play.choices):
            counts[choice.option.label] += 1
            tried.add((choice.situation, choice.option.label))
            if place < len(given) and not chosen.aimed_at:
                continue
            for label in choice.labels:
                if (choice.situation, label) not in tried:
                    tried.add((choice.situation, label))
                    number += 1
                    heapq.heappush(queue, (counts[label], place, number, _Next(labels, place, (label,))))
                    counts[label] += 1
    return plays, found
