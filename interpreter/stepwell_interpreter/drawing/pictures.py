"""The way in: a definition's document or its graph becomes Mermaid, DOT or SVG text. Same input, same text."""

from collections.abc import Mapping
from typing import Any

from stepwell_interpreter.drawing.dot_text import dot_of
from stepwell_interpreter.drawing.graph import Graph
from stepwell_interpreter.drawing.mermaid_text import mermaid_of
from stepwell_interpreter.drawing.reading import graph_of
from stepwell_interpreter.drawing.svg_picture import Theme, svg_of

Drawable = Graph | Mapping[str, Any]

__all__ = ["Drawable", "Theme", "dot", "graph_of", "mermaid", "svg"]


def mermaid(drawable: Drawable) -> str:
    """A Mermaid flowchart. Raises DrawingTooLarge."""
    return mermaid_of(_graph(drawable))


def dot(drawable: Drawable) -> str:
    """A Graphviz digraph. Raises DrawingTooLarge."""
    return dot_of(_graph(drawable))


def svg(
    drawable: Drawable,
    *,
    marks: Mapping[str, str] | None = None,
    theme: Theme = "auto",
    title: str | None = None,
) -> str:
    """A self-contained SVG picture. Raises DrawingTooLarge.

    `marks`: id of a node or an edge (see `graph`) -> a word such as covered, missed, active, failed, visited;
    marked things are coloured and a legend tells the words. Ids that the picture does not have are ignored.
    `theme` auto follows the reader's system. `title` stands in for the definition's own.
    """
    return svg_of(_graph(drawable), marks=marks or {}, theme=theme, title=title)


def _graph(drawable: Drawable) -> Graph:
    return drawable if isinstance(drawable, Graph) else graph_of(drawable)
