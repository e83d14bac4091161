"""The lines of ways: curves between ranks, straight through a rank; ways back with round corners."""

from collections.abc import Sequence
from dataclasses import dataclass

from stepwell_interpreter.drawing.layers import Layered
from stepwell_interpreter.drawing.ports import Ports, ports_of

GAP = 15.0
BACK_GAP = 34.0
MAX_GAP = 58.0
SLOPE = 0.17
LEVEL = 5.0
CORNER = 9.0
ARROW = 7.0


@dataclass(frozen=True, slots=True)
class Line:
    """The commands of an SVG path, and the tip of its arrow, which points down; None for a line that is cut.

    A way may join one that comes from further away; from there on both have the same path.
    """

    path: str
    tip: tuple[float, float] | None
    own: str = ""
    """The path up to there; empty where the way joins none."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Top and bottom of each rank."""

    first: int
    tops: tuple[float, ...]
    bottoms: tuple[float, ...]

    @property
    def height(self) -> float:
        """Of all ranks."""
        return self.bottoms[-1] if self.bottoms else 0.0

    @classmethod
    def of(cls, graph: Layered, ranks: Sequence[Sequence[int]], xs: Sequence[float]) -> "Rows":
        """Ranks as high as their highest vertex, with more room between them where ways go far to the side."""
        first = min(graph.rank, default=0)
        turning = {graph.rank[route.stations[0]] for route in graph.routes if route.back}
        arriving = {graph.rank[route.stations[-1]] for route in graph.routes if route.back}
        tops: list[float] = []
        bottoms: list[float] = []
        y = 0.0
        for number, rank in enumerate(ranks):
            tops.append(y)
            bottoms.append(y + max((graph.height[vertex] for vertex in rank), default=0.0))
            here = number + first
            furthest = max((abs(xs[v] - xs[below]) for v in rank for below in graph.down[v]), default=0.0)
            gap = min(MAX_GAP, GAP + SLOPE * furthest)
            y = bottoms[-1] + (max(gap, BACK_GAP) if here in turning or here + 1 in arriving else gap)
        return cls(first, tuple(tops), tuple(bottoms))

    def top_of(self, graph: Layered, vertex: int) -> float:
        """The upper edge of a vertex: in the middle of its rank, but beside a tall one near where it is reached."""
        top, bottom = self.span_of(graph, vertex)
        if bottom - top > 2.5 * graph.height[vertex]:
            return top if graph.up[vertex] else bottom - graph.height[vertex]
        return self.middle_of(graph, vertex) - graph.height[vertex] / 2

    def middle_of(self, graph: Layered, vertex: int) -> float:
        """The middle of a vertex, from top to bottom."""
        number = graph.rank[vertex] - self.first
        return (self.tops[number] + self.bottoms[number]) / 2

    def span_of(self, graph: Layered, vertex: int) -> tuple[float, float]:
        """Top and bottom of its rank."""
        number = graph.rank[vertex] - self.first
        return self.tops[number], self.bottoms[number]


def lines_of(graph: Layered, rows: Rows, xs: Sequence[float], kinds: Sequence[str]) -> list[Line]:
    """The line of each route, in their order."""
    ports = ports_of(graph, xs, kinds)
    joints = _joints(graph)
    found = []
    for number, route in enumerate(graph.routes):
        if route.back:
            found.append(_line_back(graph, rows, xs, number, ports))
        else:
            found.append(_line_down(graph, rows, xs, number, ports, joints.get(number)))
    return found


def _joints(graph: Layered) -> dict[int, int]:
    """The vertex at which a way down comes into a chain that another one, from further up, has run through before."""
    entered: dict[int, int] = {}
    longest = sorted(range(len(graph.routes)), key=lambda number: -len(graph.routes[number].stations))
    joints: dict[int, int] = {}
    for number in longest:
        stations = graph.routes[number].stations[2:-1]
        if graph.routes[number].back or not stations:
            continue
        if entered.setdefault(stations[0], number) != number:
            joints[number] = stations[0]
        for vertex in stations:
            entered.setdefault(vertex, number)
    return joints


def _line_down(
    graph: Layered, rows: Rows, xs: Sequence[float], number: int, ports: Ports, joint: int | None
) -> Line:
    route, enters = graph.routes[number], ports.entering.get(number)
    source, target = route.stations[0], route.stations[-1]
    x, y = ports.leaving[number], rows.top_of(graph, source) + graph.height[source]
    path = [f"M{_n(x)} {_n(y)}", *_straight(y, rows.span_of(graph, source)[1])]
    y = max(y, rows.span_of(graph, source)[1])
    own = ""
    inner = route.stations[1:] if enters is None else route.stations[1:-1]
    for vertex in inner:
        top, bottom = rows.span_of(graph, vertex)
        # A way that is cut ends at its label, not below it.
        path.append(_curve(x, y, xs[vertex], top))
        if vertex == joint:
            own = "".join(path)
        path += _straight(top, bottom) if enters is not None else ()
        x, y = xs[vertex], bottom
    if enters is None:
        return Line("".join(path), None)
    tip = rows.top_of(graph, target)
    upper = rows.span_of(graph, target)[0]
    path.append(_curve(x, y, enters, min(upper, tip - ARROW + 1)))
    path.append(f"V{_n(tip - ARROW + 1)}")
    return Line("".join(path), (enters, tip), own)


def _line_back(graph: Layered, rows: Rows, xs: Sequence[float], number: int, ports: Ports) -> Line:
    route, leaves, enters = graph.routes[number], ports.leaving[number], ports.entering[number]
    source, target, lane = route.stations[0], route.stations[-1], route.stations[2:-2]
    y = rows.top_of(graph, source) + graph.height[source]
    turn = rows.span_of(graph, source)[1] + CORNER + LEVEL * ports.below[number]
    path = [f"M{_n(leaves)} {_n(y)}", _corner_down_then_side(leaves, turn, xs[lane[0]])]
    x = xs[lane[0]]
    path.append(_corner_side_then_up(leaves, x, turn))
    y = turn - CORNER
    for vertex in lane:
        top, bottom = rows.span_of(graph, vertex)
        path += [_curve(x, y, xs[vertex], bottom) if y > bottom else "", f"V{_n(top)}"]
        x, y = xs[vertex], top
    tip = rows.top_of(graph, target)
    over = rows.span_of(graph, target)[0] - CORNER - ARROW - 1 - LEVEL * ports.above[number]
    path.append(_over(x, over, enters))
    path.append(f"V{_n(tip - ARROW + 1)}")
    return Line("".join(path), (enters, tip))


def _corner_down_then_side(x: float, y: float, aim: float) -> str:
    radius = min(CORNER, abs(aim - x) / 2)
    side = x + radius if aim > x else x - radius
    return f"V{_n(y - radius)}Q{_n(x)} {_n(y)} {_n(side)} {_n(y)}"


def _corner_side_then_up(start: float, x: float, y: float) -> str:
    radius = min(CORNER, abs(start - x) / 2)
    side = x - radius if start < x else x + radius
    return f"H{_n(side)}Q{_n(x)} {_n(y)} {_n(x)} {_n(y - radius)}"


def _over(x: float, y: float, aim: float) -> str:
    """Up to a line above the target, along it, and down again."""
    radius = min(CORNER, abs(aim - x) / 2)
    one, other = (radius, -radius) if aim > x else (-radius, radius)
    return (
        f"V{_n(y + radius)}Q{_n(x)} {_n(y)} {_n(x + one)} {_n(y)}"
        f"H{_n(aim + other)}Q{_n(aim)} {_n(y)} {_n(aim)} {_n(y + radius)}"
    )


def _curve(x: float, y: float, aim_x: float, aim_y: float) -> str:
    """A curve that leaves and arrives vertically; a straight line where nothing is to be bent."""
    if abs(x - aim_x) < 0.5:
        return f"V{_n(aim_y)}"
    bend = (aim_y - y) * 0.55
    return f"C{_n(x)} {_n(y + bend)} {_n(aim_x)} {_n(aim_y - bend)} {_n(aim_x)} {_n(aim_y)}"


def _straight(top: float, bottom: float) -> tuple[str, ...]:
    return (f"V{_n(bottom)}",) if bottom > top else ()


def _n(number: float) -> str:
    """A number as short as it can be written, to a tenth."""
    return f"{round(number, 1) + 0.0:g}"
