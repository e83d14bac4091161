"""The order of vertices within their ranks: few crossings, found by sweeps up and down and by swapping neighbours."""

from collections import defaultdict
from itertools import pairwise

from stepwell_interpreter.drawing.layers import Layered

SWEEPS = 12
MAX_SWAPPED = 1_500


def ordered(graph: Layered) -> list[list[int]]:
    """The vertices of each rank from left to right, ranks from top to bottom."""
    ranks = _first_order(graph)
    best, fewest = [list(rank) for rank in ranks], crossings(graph, ranks)
    unchanged = 0
    for sweep in range(SWEEPS):
        if not fewest or unchanged == 4:
            break
        _sweep(graph, ranks, downwards=sweep % 2 == 0)
        if len(graph.rank) <= MAX_SWAPPED:
            _swap_neighbours(graph, ranks)
        count = crossings(graph, ranks)
        unchanged += 1
        if count < fewest:
            best, fewest, unchanged = [list(rank) for rank in ranks], count, 0
    return best


def crossings(graph: Layered, ranks: list[list[int]]) -> int:
    """How many pairs of segments cross."""
    total = 0
    for upper, lower in pairwise(ranks):
        place = {vertex: position for position, vertex in enumerate(lower)}
        ends = [
            position for vertex in upper for position in sorted(place[below] for below in graph.down[vertex])
        ]
        total += _inversions(ends, len(lower))
    return total


def _inversions(numbers: list[int], size: int) -> int:
    """Pairs that stand in the wrong order, counted with a tree of partial sums."""
    tree = [0] * (size + 1)
    total = 0
    for seen, number in enumerate(numbers):
        index, not_greater = number + 1, 0
        while index:
            not_greater += tree[index]
            index &= index - 1
        total += seen - not_greater
        index = number + 1
        while index <= size:
            tree[index] += 1
            index += index & -index
    return total


def _first_order(graph: Layered) -> list[list[int]]:
    """As a depth-first walk meets them, strong ways first: the main way left, exceptions to its right."""
    by_rank: dict[int, list[int]] = defaultdict(list)
    seen = [False] * len(graph.rank)
    for root in sorted(range(len(graph.rank)), key=lambda vertex: (bool(graph.up[vertex]), vertex)):
        stack = [root]
        while stack:
            vertex = stack.pop()
            if seen[vertex]:
                continue
            seen[vertex] = True
            by_rank[graph.rank[vertex]].append(vertex)
            below = graph.down[vertex]
            stack += [other for other in reversed(below) if (vertex, other) not in graph.strong]
            stack += [other for other in reversed(below) if (vertex, other) in graph.strong]
    return [by_rank[rank] for rank in range(min(by_rank, default=0), max(by_rank, default=-1) + 1)]


def _sweep(graph: Layered, ranks: list[list[int]], *, downwards: bool) -> None:
    """Sort each rank by the middle of its vertices' neighbours in the rank before it."""
    sequence = range(1, len(ranks)) if downwards else range(len(ranks) - 2, -1, -1)
    neighbours = graph.up if downwards else graph.down
    for number in sequence:
        before = ranks[number - 1 if downwards else number + 1]
        place = {vertex: position for position, vertex in enumerate(before)}
        keys: dict[int, float] = {}
        for position, vertex in enumerate(ranks[number]):
            near = neighbours[vertex]
            keys[vertex] = sum(place[other] for other in near) / len(near) if near else position
        ranks[number].sort(key=keys.__getitem__)


def _swap_neighbours(graph: Layered, ranks: list[list[int]]) -> None:
    """Swap two that stand side by side as long as that saves crossings."""
    place = {vertex: position for rank in ranks for position, vertex in enumerate(rank)}
    for _ in range(4):
        improved = False
        for rank in ranks:
            for index in range(len(rank) - 1):
                left, right = rank[index], rank[index + 1]
                if _between(graph, place, left, right) > _between(graph, place, right, left):
                    rank[index], rank[index + 1] = right, left
                    place[left], place[right] = index + 1, index
                    improved = True
        if not improved:
            return


def _between(graph: Layered, place: dict[int, int], left: int, right: int) -> int:
    """Crossings of the segments of two neighbours when the one stands left of the other."""
    total = 0
    for neighbours in (graph.up, graph.down):
        ends = [place[vertex] for vertex in neighbours[right]]
        total += sum(1 for vertex in neighbours[left] for end in ends if end < place[vertex])
    return total
