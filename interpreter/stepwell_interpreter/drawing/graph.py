"""What a picture shows, before anybody has decided how it looks: nodes, edges, and machines inside nodes.

Ids are stable, since marks, tests and the console name nodes and edges by them:
a state is its JSON pointer (`/states/CreateRecord`, `/States/Each/Iterator/States/X`); an edge is
`<id of its source>-><escaped name of its target>#<kind>`, without a name where it leads to the end; the marks of a
machine are `<pointer of its scope>#start`, `#end` and `#error` (the route of any error that no state takes itself).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

MAX_STATES = 2_000
MAX_EDGES = 8_000
MAX_DEPTH = 40

NodeKind = Literal[
    "task", "wait", "choice", "parallel", "map", "compensation", "pass", "succeed", "fail",
    "start", "end", "errors", "missing", "unknown",
]  # fmt: skip
EdgeKind = Literal["start", "next", "rule", "default", "timeout", "catch", "error", "compensate"]


class DrawingTooLarge(ValueError):
    """The definition has more than can be drawn."""


@dataclass(frozen=True, slots=True)
class Node:
    """A state, or a mark such as start and end. `details` are lines below the title, `hover` tells more."""

    id: str
    kind: NodeKind
    title: str
    details: tuple[str, ...] = ()
    hover: str = ""
    undo: str | None = None
    """The activity that undoes this task. Its edge's id is `<node>-><activity>#compensate`."""
    symbol: str = ""
    """Which icon, where the kind has several: event, clock, child, callback."""
    clusters: tuple["Cluster", ...] = ()


@dataclass(frozen=True, slots=True)
class Edge:
    """A way from one node of a machine to another. Ways of one kind between the same two are one edge."""

    id: str
    source: str
    target: str
    kind: EdgeKind
    label: str = ""
    hover: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """Nodes and the edges between them; no edge leads into or out of another machine."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def every_node(self) -> Iterator[Node]:
        """All nodes, those of inner machines included, outer before inner."""
        waiting = list(reversed(self.nodes))
        while waiting:
            node = waiting.pop()
            yield node
            waiting += [
                inner for cluster in reversed(node.clusters) for inner in reversed(cluster.machine.nodes)
            ]

    def every_edge(self) -> Iterator[Edge]:
        """All edges, those of inner machines included."""
        yield from self.edges
        for node in self.every_node():
            for cluster in node.clusters:
                yield from cluster.machine.edges


@dataclass(frozen=True, slots=True)
class Cluster:
    """A machine inside a state: a branch of a parallel, or what a map does per item."""

    id: str
    title: str
    kind: Literal["branch", "iteration"]
    machine: Machine


@dataclass(frozen=True, slots=True)
class Graph:
    """A whole definition as it is drawn."""

    title: str
    description: str
    dialect: Literal["native", "asl"]
    machine: Machine

    def every_node(self) -> Iterator[Node]:
        """All nodes at any depth."""
        return self.machine.every_node()

    def every_edge(self) -> Iterator[Edge]:
        """All edges at any depth, and the `compensate` ones, which have no node as their target."""
        yield from self.machine.every_edge()
        for node in self.every_node():
            if node.undo is not None:
                yield undo_edge(node)


def undo_edge(node: Node) -> Edge:
    """The edge from a task to the activity that undoes it."""
    name = node.undo or ""
    return Edge(f"{node.id}->{escaped(name)}#compensate", node.id, name, "compensate", f"undo: {name}")


def escaped(name: str) -> str:
    """A name as a part of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")
