"""Searches the plays of a definition for those that together reach what is wanted.

It plays the workflow again and again, each time choosing otherwise at one point of an earlier play, rarest choice
first, and never the same choice in the same situation twice; and with values that were solved for a branch not yet
reached. It is bounded by plays and the states they enter.
"""

import heapq
from collections import Counter
from collections.abc import Set
from typing import Final

from stepwell_interpreter.scenarios.aiming import Aims
from stepwell_interpreter.scenarios.playing import Played, Player

MOST_PLAYS: Final = 4_000
MOST_VISITS: Final = 400_000
_GUESS: Final = 3
"""A play with a value that was only guessed waits for choices that were taken less often than this."""


def search(player: Player, aims: Aims, wanted: Set[str], max_plays: int) -> tuple[int, list[Played]]:
    """How often it played, and the plays that reached something new, in the order they were found."""
    # rank, place, number, the labels to choose, from which place on its choices have not been looked at, its aim
    queue: list[tuple[int, int, int, tuple[str, ...], int, str]] = [(0, 0, 0, (), 0, "")]
    tried: set[tuple[bytes, str]] = set()
    played: set[tuple[str, ...]] = set()
    counts: Counter[str] = Counter()
    found: list[Played] = []
    left = set(wanted)
    plays = visits = number = 0
    while queue and left and plays < max_plays and visits < MOST_VISITS:
        _, _, _, given, fresh, aimed_at = heapq.heappop(queue)
        if given in played or (aimed_at and aimed_at not in left):
            continue
        played.add(given)
        play = player.play(given)
        plays += 1
        visits += play.visits + len(play.choices)
        if left & play.covered:
            left -= play.covered
            found.append(play)
        for aim in aims.after(play, left):
            number += 1
            heapq.heappush(queue, (_GUESS if aim.guessed else -1, 0, number, aim.labels, 0, aim.pointer))
        for place, choice in enumerate(play.choices):
            counts[choice.option.label] += 1
            tried.add((choice.situation, choice.option.label))
            if place < fresh:
                continue
            before = tuple(each.option.label for each in play.choices[:place])
            for label in choice.labels:
                if (choice.situation, label) not in tried:
                    tried.add((choice.situation, label))
                    number += 1
                    heapq.heappush(queue, (counts[label], place, number, (*before, label), place + 1, ""))
                    counts[label] += 1
    return plays, found
