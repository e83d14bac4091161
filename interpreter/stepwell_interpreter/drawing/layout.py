"""Gives every node, label and way of a graph its place. Machines inside states are laid out first, then are boxes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from stepwell_interpreter.drawing.coordinates import centres
from stepwell_interpreter.drawing.faces import Face, Label, face_of, label_of
from stepwell_interpreter.drawing.graph import Cluster, Edge, Graph, Machine, Node
from stepwell_interpreter.drawing.layers import Box, Layered, Way, layered
from stepwell_interpreter.drawing.lettering import text_width
from stepwell_interpreter.drawing.ordering import ordered
from stepwell_interpreter.drawing.routing import Line, Rows, lines_of

NODE_GAP = 34.0
LANE_GAP = 13.0
CLUSTER_PADDING = 16.0
CLUSTER_GAP = 14.0
CLUSTER_TITLE = 22.0
ROW_WIDTH = 1_500.0
STACK = 6.0
GROUPS = {"catch": "error", "error": "error", "timeout": "timeout"}


@dataclass(frozen=True, slots=True)
class PlacedCluster:
    """A cluster; places are relative to the machine its state stands in, as those of all its state's parts."""

    cluster: Cluster
    x: float
    y: float
    width: float
    height: float
    machine: "PlacedMachine"
    machine_x: float
    machine_y: float


@dataclass(frozen=True, slots=True)
class PlacedNode:
    """A node by its upper left corner."""

    node: Node
    face: Face
    x: float
    y: float
    width: float
    height: float
    clusters: tuple[PlacedCluster, ...] = ()


@dataclass(frozen=True, slots=True)
class PlacedEdge:
    """An edge with its line; `label` stands around (label_x, label_y)."""

    edge: Edge
    line: Line
    label: Label
    label_x: float
    label_y: float


@dataclass(frozen=True, slots=True)
class PlacedMachine:
    """A machine in a frame of its own, from (0, 0) to its width and height."""

    width: float
    height: float
    nodes: tuple[PlacedNode, ...]
    edges: tuple[PlacedEdge, ...]


@dataclass(frozen=True, slots=True)
class _Inside:
    """The machines inside one state, packed into rows."""

    width: float = 0.0
    height: float = 0.0
    clusters: tuple[PlacedCluster, ...] = ()


def laid_out(graph: Graph) -> PlacedMachine:
    """The whole graph."""
    return _machine(graph.machine)


def _machine(machine: Machine) -> PlacedMachine:
    if not machine.nodes:
        return PlacedMachine(0.0, 0.0, (), ())
    faces = [face_of(node) for node in machine.nodes]
    insides = [_inside(node) for node in machine.nodes]
    boxes = [_box(*parts) for parts in zip(machine.nodes, faces, insides, strict=True)]
    numbers = {node.id: number for number, node in enumerate(machine.nodes)}
    strong = _main_ways(machine)
    ways = [_way(edge, numbers, machine, strong) for edge in machine.edges]
    graph = layered(boxes, ways)
    ranks = ordered(graph)
    xs = centres(graph, ranks, lambda left, right: _distance(graph, left, right))
    rows = Rows.of(graph, ranks, xs)
    lines = lines_of(graph, rows, xs, [edge.kind for edge in machine.edges])
    nodes = [
        _placed(node, face, box, inside, xs[number] - box.width / 2, rows.top_of(graph, number))
        for number, (node, face, box, inside) in enumerate(
            zip(machine.nodes, faces, boxes, insides, strict=True)
        )
    ]
    edges = [
        _placed_edge(edge, machine, numbers, graph, rows, xs, lines[number], number)
        for number, edge in enumerate(machine.edges)
    ]
    width = max(x + graph.width[vertex] / 2 for vertex, x in enumerate(xs))
    return PlacedMachine(width, rows.height, tuple(nodes), tuple(edges))


def _box(node: Node, face: Face, inside: _Inside) -> Box:
    if not node.clusters:
        return Box(face.width, face.height, node.kind == "errors")
    return Box(
        max(face.width, inside.width + 2 * CLUSTER_PADDING), face.header + inside.height + CLUSTER_PADDING
    )


def _way(edge: Edge, numbers: dict[str, int], machine: Machine, strong: set[str]) -> Way:
    target = numbers[edge.target]
    label, cut = label_of(edge), label_of(edge, cut_to=machine.nodes[target].title)
    return Way(
        numbers[edge.source],
        target,
        GROUPS.get(edge.kind, "next"),
        edge.id in strong,
        (label.width, label.height),
        (cut.width, cut.height),
    )


def _main_ways(machine: Machine) -> set[str]:
    """The first way out of each state that is no exception: these are kept straight."""
    first: dict[str, str] = {}
    for kinds in (("start", "next"), ("rule", "default")):
        for edge in machine.edges:
            if edge.kind in kinds:
                first.setdefault(edge.source, edge.id)
    return set(first.values())


def _distance(graph: Layered, left: int, right: int) -> float:
    wide = left < graph.boxes or right < graph.boxes
    gap = NODE_GAP if left < graph.boxes and right < graph.boxes else LANE_GAP + (5.0 if wide else 0.0)
    return (graph.width[left] + graph.width[right]) / 2 + gap


def _inside(node: Node) -> _Inside:
    """The clusters side by side; where that would become too wide, in several rows."""
    if not node.clusters:
        return _Inside()
    sizes = [_sized(cluster) for cluster in node.clusters]
    room = max(ROW_WIDTH, *(width for _, width, _ in sizes))
    placed: list[PlacedCluster] = []
    x = y = row = widest = 0.0
    for cluster, (machine, width, height) in zip(node.clusters, sizes, strict=True):
        if x and x + width > room:
            x, y, row = 0.0, y + row + CLUSTER_GAP, 0.0
        stack = STACK if cluster.kind == "iteration" else 0.0
        inner_x = x + (width - stack - machine.width) / 2
        placed.append(
            PlacedCluster(
                cluster,
                x,
                y,
                width - stack,
                height - stack,
                machine,
                inner_x,
                y + CLUSTER_TITLE + CLUSTER_PADDING / 2,
            )
        )
        x += width + CLUSTER_GAP
        row, widest = max(row, height), max(widest, x - CLUSTER_GAP)
    return _Inside(widest, y + row, _stretched(placed))


def _stretched(placed: Sequence[PlacedCluster]) -> tuple[PlacedCluster, ...]:
    """Each as high as the highest of its row."""
    heights: dict[float, float] = {}
    for cluster in placed:
        heights[cluster.y] = max(heights.get(cluster.y, 0.0), cluster.height)
    return tuple(replace(cluster, height=heights[cluster.y]) for cluster in placed)


def _sized(cluster: Cluster) -> tuple[PlacedMachine, float, float]:
    machine = _machine(cluster.machine)
    stack = STACK if cluster.kind == "iteration" else 0.0
    width = max(machine.width, min(200.0, text_width(cluster.title, 11)), 60.0) + 2 * CLUSTER_PADDING + stack
    return machine, width, machine.height + CLUSTER_TITLE + 1.5 * CLUSTER_PADDING + stack


def _placed(node: Node, face: Face, box: Box, inside: _Inside, x: float, y: float) -> PlacedNode:
    left = x + (box.width - inside.width) / 2
    clusters = tuple(_moved(cluster, left, y + face.header) for cluster in inside.clusters)
    return PlacedNode(node, face, x, y, box.width, box.height, clusters)


def _moved(cluster: PlacedCluster, x: float, y: float) -> PlacedCluster:
    return replace(
        cluster,
        x=cluster.x + x,
        y=cluster.y + y,
        machine_x=cluster.machine_x + x,
        machine_y=cluster.machine_y + y,
    )


def _placed_edge(
    edge: Edge, machine: Machine, numbers: dict[str, int], graph: Layered, rows: Rows, xs: Sequence[float],
    line: Line, number: int,
) -> PlacedEdge:  # fmt: skip
    route = graph.routes[number]
    label = label_of(edge, cut_to=machine.nodes[numbers[edge.target]].title if route.cut else None)
    return PlacedEdge(edge, line, label, xs[route.label], rows.middle_of(graph, route.label))
