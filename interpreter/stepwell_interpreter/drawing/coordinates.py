"""Where the vertices of ordered ranks stand from left to right: straight ways, symmetric where there is a choice.

After Brandes and Köpf, "Fast and simple horizontal coordinate assignment" (2001): four extreme alignments, averaged.
Segments called strong are kept straight before all others.
"""

from collections.abc import Callable
from itertools import pairwise

from stepwell_interpreter.drawing.layers import Layered

Separation = Callable[[int, int], float]


def centres(graph: Layered, ranks: list[list[int]], separation: Separation) -> list[float]:
    """The centre of each vertex; the leftmost outline is at zero."""
    crossed = _crossed_by_strong(graph, ranks)
    found = []
    for from_top in (True, False):
        for from_left in (True, False):
            view = ranks if from_top else ranks[::-1]
            view = view if from_left else [rank[::-1] for rank in view]
            root = _blocks(graph, view, crossed, from_top=from_top)
            places = _compacted(view, root, separation)
            found.append(places if from_left else [-place for place in places])
    aligned = _on_the_narrowest(graph, found)
    middle = [sum(sorted(places)[1:3]) / 2 for places in zip(*aligned, strict=True)]
    left = min((x - graph.width[vertex] / 2 for vertex, x in enumerate(middle)), default=0.0)
    return [x - left for x in middle]


def _crossed_by_strong(graph: Layered, ranks: list[list[int]]) -> set[tuple[int, int]]:
    """Weak segments that cross a strong one; they give way."""
    crossed: set[tuple[int, int]] = set()
    for upper, lower in pairwise(ranks):
        place = {vertex: position for position, vertex in enumerate(lower)}
        ends = [
            [place[below] for below in graph.down[vertex] if (vertex, below) in graph.strong]
            for vertex in upper
        ]
        furthest_before, nearest_after = _reach(ends, len(lower))
        for position, vertex in enumerate(upper):
            for below in graph.down[vertex]:
                passes = furthest_before[position] > place[below] or nearest_after[position] < place[below]
                if passes and (vertex, below) not in graph.strong:
                    crossed.add((vertex, below))
    return crossed


def _reach(ends: list[list[int]], size: int) -> tuple[list[int], list[int]]:
    """How far right the ends of all before each reach, and how far left those of all after it."""
    before, after = [], []
    furthest = -1
    for own in ends:
        before.append(furthest)
        furthest = max([furthest, *own])
    nearest = size
    for own in reversed(ends):
        after.append(nearest)
        nearest = min([nearest, *own])
    return before, after[::-1]


def _blocks(
    graph: Layered, ranks: list[list[int]], crossed: set[tuple[int, int]], *, from_top: bool
) -> list[int]:
    """Each vertex is put straight below the middle one of its neighbours, if no other block is in the way."""
    root = list(range(len(graph.rank)))
    following = list(range(len(graph.rank)))
    place = [0] * len(graph.rank)
    for rank in ranks:
        for position, vertex in enumerate(rank):
            place[vertex] = position
    for rank in ranks:
        last = -1
        for vertex in rank:
            near = sorted(_partners(graph, vertex, from_top=from_top), key=place.__getitem__)
            for other in near[(len(near) - 1) // 2 : len(near) // 2 + 1]:
                segment = (other, vertex) if from_top else (vertex, other)
                if following[vertex] == vertex and last < place[other] and segment not in crossed:
                    following[other] = vertex
                    root[vertex] = following[vertex] = root[other]
                    last = place[other]
    return root


def _partners(graph: Layered, vertex: int, *, from_top: bool) -> list[int]:
    """The neighbours a vertex may stand straight with: strong ones, else those that have no strong one themselves."""
    near = graph.up[vertex] if from_top else graph.down[vertex]
    strong = [other for other in near if _is_strong(graph, vertex, other, from_top=from_top)]
    if strong:
        return strong
    return [
        other
        for other in near
        if not any(
            _is_strong(graph, third, other, from_top=from_top)
            for third in (graph.down[other] if from_top else graph.up[other])
        )
    ]


def _is_strong(graph: Layered, vertex: int, other: int, *, from_top: bool) -> bool:
    return ((other, vertex) if from_top else (vertex, other)) in graph.strong


def _compacted(ranks: list[list[int]], root: list[int], separation: Separation) -> list[float]:
    """Blocks as far left as they go, then each as far right as its right neighbours leave room."""
    right: dict[int, dict[int, float]] = {vertex: {} for vertex in set(root)}
    waiting = dict.fromkeys(right, 0)
    for rank in ranks:
        for left_vertex, right_vertex in pairwise(rank):
            one, other = root[left_vertex], root[right_vertex]
            if other not in right[one]:
                waiting[other] += 1
            right[one][other] = max(right[one].get(other, 0.0), separation(left_vertex, right_vertex))
    order = sorted(block for block in waiting if not waiting[block])
    places = dict.fromkeys(right, 0.0)
    for block in order:
        for other, distance in right[block].items():
            places[other] = max(places[other], places[block] + distance)
            waiting[other] -= 1
            if not waiting[other]:
                order.append(other)
    for block in reversed(order):
        if right[block]:
            room = min(places[other] - distance for other, distance in right[block].items())
            places[block] = max(places[block], room)
    return [places[block] for block in root]


def _on_the_narrowest(graph: Layered, found: list[list[float]]) -> list[list[float]]:
    """All alignments moved to the outline of the narrowest one: those from the left to its left side, and so on."""
    outlines = [_outline(graph, places) for places in found]
    left, right = min(outlines, key=lambda outline: outline[1] - outline[0])
    moved = []
    for number, places in enumerate(found):
        shift = left - outlines[number][0] if number % 2 == 0 else right - outlines[number][1]
        moved.append([place + shift for place in places])
    return moved


def _outline(graph: Layered, places: list[float]) -> tuple[float, float]:
    lefts = (place - graph.width[vertex] / 2 for vertex, place in enumerate(places))
    rights = (place + graph.width[vertex] / 2 for vertex, place in enumerate(places))
    return min(lefts, default=0.0), max(rights, default=0.0)
