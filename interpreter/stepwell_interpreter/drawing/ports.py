"""Where ways leave and enter boxes: next to each other, in an order in which they need not cross each other there.

A way back turns below its source and again above its target. Of several, the one with the further lane turns at
the outer level and has the inner port, so that the others fit into its bow.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from stepwell_interpreter.drawing.layers import Layered

PORT_STEP = 18.0
LEVELS = 3


@dataclass(frozen=True, slots=True)
class Ports:
    """By the numbers of routes: the x of both ends, and of ways back the levels at which they turn."""

    leaving: dict[int, float] = field(default_factory=dict)
    entering: dict[int, float] = field(default_factory=dict)
    below: dict[int, int] = field(default_factory=dict)
    above: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _End:
    """Ways that share a port: where they come from or go to, and whether they are ways back."""

    side: int
    order: float
    tone: str
    x: float


def ports_of(graph: Layered, xs: Sequence[float], kinds: Sequence[str]) -> Ports:
    """The ports of all routes. Ways of one kind that come down the same chain share one."""
    out: dict[int, dict[_End, list[int]]] = defaultdict(lambda: defaultdict(list))
    into: dict[int, dict[_End, list[int]]] = defaultdict(lambda: defaultdict(list))
    for number, route in enumerate(graph.routes):
        source, target = route.stations[0], route.stations[-1]
        out[source][
            _end(xs[route.stations[2 if route.back else 1]], xs[source], str(number), back=route.back)
        ].append(number)
        if not route.cut:
            near = xs[route.stations[-3 if route.back else -2]]
            tone = "" if route.back else kinds[number]
            into[target][_end(near, xs[target], tone, back=route.back)].append(number)
    ports = Ports()
    for ends, places, levels in ((out, ports.leaving, ports.below), (into, ports.entering, ports.above)):
        for vertex, found in ends.items():
            _place(xs[vertex], graph.width[vertex], found, places, levels)
    return ports


def _end(x: float, centre: float, tone: str, *, back: bool) -> _End:
    if not back:
        return _End(0, x, tone, x)
    return _End(1 if x > centre else -1, -x, tone, x)


def _place(
    centre: float,
    width: float,
    found: dict[_End, list[int]],
    places: dict[int, float],
    levels: dict[int, int],
) -> None:
    order = sorted(found, key=lambda end: (end.side, end.order, end.tone))
    for end, place in zip(order, _spread(centre, width, order), strict=True):
        places.update(dict.fromkeys(found[end], place))
    bows = sorted((end for end in order if end.side), key=lambda end: abs(end.x - centre))
    for level, end in enumerate(bows):
        levels.update(dict.fromkeys(found[end], level % LEVELS))


def _spread(centre: float, width: float, ends: Sequence[_End]) -> list[float]:
    """Side by side around the centre; one whose neighbour stands straight above or below gets the centre."""
    count = len(ends)
    step = min(PORT_STEP, width * 0.72 / max(1, count))
    straight = [index for index, end in enumerate(ends) if not end.side and abs(end.x - centre) < 1.0]
    middle = straight[0] if len(straight) == 1 and count * step < width * 0.5 else (count - 1) / 2
    return [centre + (index - middle) * step for index in range(count)]
