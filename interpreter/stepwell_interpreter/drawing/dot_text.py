"""A graph in Graphviz' language. Every text is a quoted string, ids are our own."""

from collections.abc import Iterator

from stepwell_interpreter.drawing.graph import Edge, Graph, Machine, Node
from stepwell_interpreter.drawing.layers import Way, ways_back
from stepwell_interpreter.drawing.wording import shortened

SHAPES: dict[str, str] = {
    "task": 'shape=box, style="rounded,filled", fillcolor="#e8f1fd", color="#2f6fd6"',
    "wait": 'shape=box, style="rounded,filled", fillcolor="#fdf3dc", color="#b7791f"',
    "choice": 'shape=hexagon, style=filled, fillcolor="#f1eafc", color="#7c4ddb"',
    "parallel": 'shape=box, style="rounded,filled", fillcolor="#e3f5f6", color="#16808a"',
    "map": 'shape=box, style="rounded,filled", fillcolor="#e3f5f6", color="#16808a"',
    "compensation": 'shape=box, style="rounded,filled", peripheries=2, fillcolor="#fdeadf", color="#c2571a"',
    "pass": 'shape=box, style="rounded,filled", fillcolor="#eef1f4", color="#6b7785"',
    "succeed": 'shape=box, style="rounded,filled", fillcolor="#e1f6e9", color="#1d8a4b"',
    "fail": 'shape=box, style="rounded,filled", fillcolor="#fde7e7", color="#c93636"',
    "start": 'shape=circle, style=filled, fillcolor="#1c2733", width=0.2, fixedsize=true',
    "end": 'shape=doublecircle, style=filled, fillcolor="#1c2733", width=0.15, fixedsize=true',
    "errors": 'shape=plaintext, fontcolor="#c93636"',
    "missing": 'shape=box, style="rounded,dashed", color="#c93636", fontcolor="#c93636"',
    "unknown": 'shape=box, style="rounded,dashed", color="#6b7785"',
}
LINES: dict[str, str] = {
    "timeout": 'style=dashed, color="#b7791f", fontcolor="#8a5a10"',
    "catch": 'style=dashed, color="#c93636", fontcolor="#c93636"',
    "error": 'style=dashed, color="#c93636", fontcolor="#c93636"',
    "compensate": 'style=dotted, color="#c2571a", arrowhead=none',
}
FONT = 'fontname="Helvetica,Arial,sans-serif"'
MAX_LABEL = 120


def dot_of(graph: Graph) -> str:
    """The digraph, top to bottom; a state that holds machines is a cluster with its own node at the top."""
    ids: dict[str, str] = {}
    for node in graph.every_node():
        ids[node.id] = f"n{len(ids)}"
    head = [
        "digraph {",
        f"  graph [label={quoted(graph.title)}, labelloc=t, compound=true, rankdir=TB, {FONT}];",
        f"  node [{FONT}, fontsize=11];",
        f"  edge [{FONT}, fontsize=10, arrowsize=0.7];",
    ]
    return "\n".join([*head, *_machine(graph.machine, ids, "  "), "}"]) + "\n"


def _machine(machine: Machine, ids: dict[str, str], indent: str) -> Iterator[str]:
    holders = {node.id: node for node in machine.nodes if node.clusters}
    for node in machine.nodes:
        yield from _container(node, ids, indent) if node.clusters else _node(node, ids, indent)
    places = {node.id: place for place, node in enumerate(machine.nodes)}
    ways = [Way(places[edge.source], places[edge.target], "") for edge in machine.edges]
    back = ways_back(len(places), ways)
    for number, edge in enumerate(machine.edges):
        yield f"{indent}{_edge(edge, holders, ids, back=number in back)}"


def _node(node: Node, ids: dict[str, str], indent: str) -> Iterator[str]:
    label = '""' if node.kind in ("start", "end") else quoted("\n".join((node.title, *node.details)))
    tooltip = f", tooltip={quoted(node.hover)}" if node.hover else ""
    yield f"{indent}{ids[node.id]} [label={label}, {SHAPES[node.kind]}{tooltip}];"
    if node.undo is not None:
        name = ids[node.id]
        shape = SHAPES["compensation"]
        yield f"{indent}{name}u [label={quoted(f'↶ {node.undo}')}, fontsize=9, {shape}];"
        yield f"{indent}{name} -> {name}u [{LINES['compensate']}];"


def _container(node: Node, ids: dict[str, str], indent: str) -> Iterator[str]:
    yield f"{indent}subgraph cluster_{ids[node.id]} {{"
    yield f'{indent}  label=""; style=rounded; color="#16808a";'
    yield from _node(node, ids, indent + "  ")
    for index, cluster in enumerate(node.clusters):
        yield f"{indent}  subgraph cluster_{ids[node.id]}_{index} {{"
        yield f'{indent}    label={quoted(cluster.title)}; style="rounded,dashed"; color="#8a99a8";'
        yield from _machine(cluster.machine, ids, indent + "    ")
        yield f"{indent}  }}"
        if cluster.machine.nodes:
            yield f"{indent}  {ids[node.id]} -> {ids[cluster.machine.nodes[0].id]} [style=invis];"
    yield f"{indent}}}"


def _edge(edge: Edge, holders: dict[str, Node], ids: dict[str, str], *, back: bool) -> str:
    settings = [LINES[edge.kind]] if edge.kind in LINES else []
    if back:
        settings.append("constraint=false")
    if edge.label:
        settings.append(f"label={quoted(edge.label)}")
    tail = ids[edge.source]
    if edge.source in holders:
        # Graphviz cuts an edge at a cluster's border, but it needs a node inside to begin at.
        settings.append(f"ltail=cluster_{tail}")
        tail = ids[_last(holders[edge.source]).id]
    if edge.target in holders and edge.source != edge.target:
        settings.append(f"lhead=cluster_{ids[edge.target]}")
    return f"{tail} -> {ids[edge.target]} [{', '.join(settings)}];"


def _last(node: Node) -> Node:
    while node.clusters and node.clusters[0].machine.nodes:
        node = node.clusters[0].machine.nodes[-1]
    return node


def quoted(text: str) -> str:
    """A string of the language; lines stay lines, other control characters become spaces."""
    lines = (shortened(line, MAX_LABEL) for line in text.split("\n"))
    kept = ("".join(letter if letter.isprintable() else " " for letter in line) for line in lines)
    return '"' + "\\n".join(line.replace("\\", "\\\\").replace('"', '\\"') for line in kept) + '"'
