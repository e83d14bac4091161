"""Pictures of definitions, of both dialects: `graph_of(document)`, then `mermaid`, `dot` or `svg` of that graph."""

from stepwell_interpreter.drawing.graph import Cluster, DrawingTooLarge, Edge, Graph, Machine, Node
from stepwell_interpreter.drawing.pictures import Theme, dot, graph_of, mermaid, svg

__all__ = [
    "Cluster",
    "DrawingTooLarge",
    "Edge",
    "Graph",
    "Machine",
    "Node",
    "Theme",
    "dot",
    "graph_of",
    "mermaid",
    "svg",
]
