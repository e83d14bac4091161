"""Ranks of a machine's nodes, and the vertices that stand for its edges between ranks.

Nodes stand on even ranks, labels on odd ones, so that a label has a place of its own and overlaps nothing. A way over
several ranks becomes a chain of narrow vertices; ways of one group to the same target share their chain. A way back
up leaves downwards, turns, runs up in a lane beside and enters from above. Where the chains would be too many,
the longest ways are cut and end in a label that names their target.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

MAX_VERTICES = 6_000
LANE = 6.0


@dataclass(frozen=True, slots=True)
class Box:
    """A node: its size, and whether it may be pulled down to what follows it."""

    width: float
    height: float
    floats: bool = False


@dataclass(frozen=True, slots=True)
class Way:
    """An edge between boxes, by their numbers. Sizes of its label and of the label that ends it where it is cut."""

    source: int
    target: int
    group: str
    strong: bool = False
    label: tuple[float, float] = (0.0, 0.0)
    cut_label: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Route:
    """The vertices an edge passes, source first. `label` is the vertex that holds its label."""

    stations: tuple[int, ...]
    label: int
    back: bool = False
    cut: bool = False


@dataclass(slots=True)
class Layered:
    """A proper layered graph: the first vertices are the boxes; every segment joins neighbouring ranks."""

    width: list[float] = field(default_factory=list)
    height: list[float] = field(default_factory=list)
    rank: list[int] = field(default_factory=list)
    up: list[list[int]] = field(default_factory=list)
    down: list[list[int]] = field(default_factory=list)
    strong: set[tuple[int, int]] = field(default_factory=set)
    routes: list[Route] = field(default_factory=list)
    boxes: int = 0

    def add(self, rank: int, width: float = LANE, height: float = 0.0) -> int:
        """A new vertex."""
        self.width.append(width)
        self.height.append(height)
        self.rank.append(rank)
        self.up.append([])
        self.down.append([])
        return len(self.rank) - 1

    def join(self, upper: int, lower: int, *, strong: bool = False) -> None:
        """A segment between two vertices of neighbouring ranks; the second one of a pair is the first again."""
        if lower not in self.down[upper]:
            self.down[upper].append(lower)
            self.up[lower].append(upper)
        if strong:
            self.strong.add((upper, lower))


def layered(boxes: Sequence[Box], ways: Sequence[Way]) -> Layered:
    """The layered graph of a machine. `boxes` come in the order they are to be read, the first one on top."""
    back = ways_back(len(boxes), ways)
    ranks = _ranks(boxes, ways, back)
    graph = Layered(boxes=len(boxes))
    for box, rank in zip(boxes, ranks, strict=True):
        graph.add(2 * rank, box.width, box.height)
    longest = _longest_allowed(ways, ranks)
    lanes: dict[tuple[int, str], dict[int, int]] = defaultdict(dict)
    for number, way in enumerate(ways):
        if abs(ranks[way.target] - ranks[way.source]) > longest:
            graph.routes.append(_cut(graph, way))
        elif number in back:
            graph.routes.append(_route_back(graph, way, lanes[way.target, "back"]))
        else:
            graph.routes.append(_route_down(graph, way, lanes[way.target, way.group]))
    return graph


def ways_back(count: int, ways: Sequence[Way]) -> set[int]:
    """The numbers of the ways that close a cycle, in a depth-first walk in reading order."""
    leaving: list[list[int]] = [[] for _ in range(count)]
    for number, way in enumerate(ways):
        leaving[way.source].append(number)
    back: set[int] = set()
    state = [0] * count
    for root in range(count):
        if state[root]:
            continue
        state[root] = 1
        stack = [(root, iter(leaving[root]))]
        while stack:
            vertex, rest = stack[-1]
            taken = next(rest, None)
            if taken is None:
                state[vertex] = 2
                stack.pop()
                continue
            target = ways[taken].target
            if state[target] == 1:
                back.add(taken)
            if state[target] == 0:
                state[target] = 1
                stack.append((target, iter(leaving[target])))
    return back


def _ranks(boxes: Sequence[Box], ways: Sequence[Way], back: set[int]) -> list[int]:
    """Longest path from the top; boxes that float stand right above what follows them."""
    count = len(boxes)
    forward: list[list[int]] = [[] for _ in range(count)]
    missing = [0] * count
    for number, way in enumerate(ways):
        if number not in back:
            forward[way.source].append(way.target)
            missing[way.target] += 1
    entered = list(missing)
    ranks = [0] * count
    ready = [vertex for vertex in range(count) if not missing[vertex]]
    for vertex in ready:
        for target in forward[vertex]:
            ranks[target] = max(ranks[target], ranks[vertex] + 1)
            missing[target] -= 1
            if not missing[target]:
                ready.append(target)
    for vertex in reversed(ready):
        loose = not entered[vertex] and (boxes[vertex].floats or vertex > 0)
        if loose and forward[vertex]:
            ranks[vertex] = max(0, min(ranks[target] for target in forward[vertex]) - 1)
    return ranks


def _longest_allowed(ways: Sequence[Way], ranks: Sequence[int]) -> int:
    """How many ranks a way may pass so that all chains together stay within bounds."""
    longest = max((abs(ranks[way.target] - ranks[way.source]) for way in ways), default=0)
    while longest > 2:
        spans: dict[tuple[int, str, bool], int] = defaultdict(int)
        for way in ways:
            span = ranks[way.target] - ranks[way.source]
            if abs(span) <= longest:
                key = (way.target, way.group, span > 0)
                spans[key] = max(spans[key], abs(span))
        if 2 * sum(spans.values()) <= MAX_VERTICES:
            break
        longest = longest * 2 // 3
    return longest


def _route_down(graph: Layered, way: Way, lane: dict[int, int]) -> Route:
    top, bottom = graph.rank[way.source] + 1, graph.rank[way.target]
    label = graph.add(top, max(LANE, way.label[0]), way.label[1])
    graph.join(way.source, label, strong=way.strong)
    stations = [way.source, label]
    for rank in range(top + 1, bottom):
        if rank not in lane:
            lane[rank] = graph.add(rank)
        graph.join(stations[-1], lane[rank], strong=stations[-1] != label or way.strong)
        stations.append(lane[rank])
    graph.join(stations[-1], way.target, strong=way.strong)
    return Route((*stations, way.target), label)


def _route_back(graph: Layered, way: Way, lane: dict[int, int]) -> Route:
    low, high = graph.rank[way.source], graph.rank[way.target]
    turn = graph.add(low + 1)
    graph.join(way.source, turn)
    beside = graph.add(low, max(LANE, way.label[0]), way.label[1])
    graph.join(beside, turn)
    stations = [way.source, turn, beside]
    for rank in range(low - 1, high - 2, -1):
        if rank not in lane:
            lane[rank] = graph.add(rank)
        graph.join(lane[rank], stations[-1], strong=stations[-1] != beside)
        stations.append(lane[rank])
    graph.join(stations[-1], way.target)
    return Route((*stations, way.target), beside, back=True)


def _cut(graph: Layered, way: Way) -> Route:
    label = graph.add(graph.rank[way.source] + 1, *way.cut_label)
    graph.join(way.source, label)
    return Route((way.source, label), label, cut=True)
