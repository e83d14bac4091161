"""Draws a laid-out graph as SVG: no scripts, nothing from elsewhere, every text of the definition escaped."""

from collections import Counter
from collections.abc import Iterator, Mapping
from html import escape

from stepwell_interpreter.drawing.faces import LABEL_LINE, hover_of
from stepwell_interpreter.drawing.graph import Graph, undo_edge
from stepwell_interpreter.drawing.layout import (
    PlacedCluster,
    PlacedEdge,
    PlacedMachine,
    PlacedNode,
    laid_out,
)
from stepwell_interpreter.drawing.lettering import cleaned, fitted, text_width
from stepwell_interpreter.drawing.palette import THEMES, Theme, styles
from stepwell_interpreter.drawing.shapes import node_shape
from stepwell_interpreter.drawing.svg_text import group, number, rectangle, titled, written
from stepwell_interpreter.drawing.wording import shortened

MARGIN = 28.0
HEADING = 30.0
ABOUT = 20.0
LEGEND = 34.0
MIN_WIDTH = 320.0
MAX_WORDS = 24

__all__ = ["Theme", "svg_of"]


def svg_of(graph: Graph, *, marks: Mapping[str, str], theme: Theme, title: str | None) -> str:
    """The picture. Raises ValueError for a theme that there is not."""
    if theme not in THEMES:
        raise ValueError(f"there is no theme {theme!r}; allowed: {', '.join(THEMES)}")
    machine = laid_out(graph)
    pen = _Pen(graph, marks)
    heading = title if title is not None else graph.title
    about = graph.description
    shown = list(pen.counts)
    width = max(MIN_WIDTH, machine.width, _heading_width(heading, about), _legend_width(pen.counts))
    top = MARGIN + (HEADING if heading else 0) + (ABOUT if about else 0)
    height = top + machine.height + (LEGEND if shown else 0) + MARGIN
    width += 2 * MARGIN
    left = (width - machine.width) / 2
    parts = [
        _opening(width, height, heading or "Workflow", about, _states(graph)),
        f"<style>{styles(theme, shown)}</style>",
        f'<rect class="sw-canvas" width="{number(width)}" height="{number(height)}" rx="12"/>',
        *_headings(heading, about, width),
        *pen.machine(machine, left, top),
        *_legend(pen.counts, height),
        "</svg>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


class _Pen:
    """Draws machines; knows the marks, which of them the picture has and the class of each word."""

    def __init__(self, graph: Graph, marks: Mapping[str, str]) -> None:
        ids = [node.id for node in graph.every_node()] + [edge.id for edge in graph.every_edge()]
        found = {id: shortened(str(marks[id]), 40) for id in ids if id in marks}
        words = sorted(set(found.values()))[:MAX_WORDS]
        totals = Counter(found.values())
        self.counts = {word: totals[word] for word in words}
        self._class = {id: f" sw-m{words.index(word)}" for id, word in found.items() if word in words}
        self._words = found

    def mark(self, id: str) -> str:
        """The class of a marked thing, else nothing."""
        return self._class.get(id, "")

    def machine(self, machine: PlacedMachine, x: float, y: float) -> Iterator[str]:
        """Lines below, then nodes, then labels."""
        yield f'<g transform="translate({number(x)} {number(y)})">'
        # Marked lines go over the others, where several share a way.
        for edge in sorted(machine.edges, key=lambda edge: bool(self.mark(edge.edge.id))):
            yield self._line(edge)
        for node in machine.nodes:
            yield from self._node(node)
        for edge in machine.edges:
            if edge.label.lines:
                yield self._label(edge)
        yield "</g>"

    def _line(self, placed: PlacedEdge) -> str:
        edge = placed.edge
        # Dashes of two lines on one path would fill each other's gaps, so only marked ones are drawn to their end.
        joins = bool(placed.line.own) and not self.mark(edge.id)
        shape = f'<path class="sw-line" d="{placed.line.own if joins else placed.line.path}"/>'
        if placed.line.tip is not None and not joins:
            x, y = placed.line.tip
            shape += f'<path class="sw-tip" d="M{number(x)} {number(y)}l-4.3-8h8.6z"/>'
        return group(
            f"sw-edge sw-{edge.kind}{self.mark(edge.id)}", edge.id, titled(self._edge_hover(placed)) + shape
        )

    def _edge_hover(self, placed: PlacedEdge) -> str:
        word = self._words.get(placed.edge.id)
        told = placed.edge.hover or placed.edge.kind
        return f"{told} ({word})" if word else told

    def _label(self, placed: PlacedEdge) -> str:
        label = placed.label
        x, y = placed.label_x - label.width / 2, placed.label_y - label.height / 2
        box = rectangle("sw-chip", x, y, label.width, label.height, 7)
        lines = "".join(
            written("sw-text", placed.label_x, y + 11.8 + index * LABEL_LINE, line)
            for index, line in enumerate(label.lines)
        )
        classes = f"sw-label sw-{placed.edge.kind}{self.mark(placed.edge.id)}"
        return group(classes, None, titled(self._edge_hover(placed)) + box + lines)

    def _node(self, placed: PlacedNode) -> Iterator[str]:
        node = placed.node
        hover = hover_of(node)
        if word := self._words.get(node.id):
            hover += f"\n({word})"
        holder = " sw-holder" if placed.clusters else ""
        undone = self.mark(undo_edge(node).id) if node.undo else ""
        shape = titled(hover) + node_shape(placed, undone)
        yield group(f"sw-node sw-{node.kind}{holder}{self.mark(node.id)}", node.id, shape)
        for cluster in placed.clusters:
            yield from self._cluster(cluster)

    def _cluster(self, placed: PlacedCluster) -> Iterator[str]:
        size = (placed.width, placed.height, 9.0)
        behind = (8.0, 4.0) if placed.cluster.kind == "iteration" else ()
        for shift in behind:
            yield rectangle("sw-cluster", placed.x + shift, placed.y + shift, *size)
        title = fitted(cleaned(placed.cluster.title), placed.width - 20, 11)
        content = titled(placed.cluster.title) + rectangle("sw-cluster", placed.x, placed.y, *size)
        yield group(
            "sw-inner", None, content + written("sw-cluster-title", placed.x + 12, placed.y + 18, title)
        )
        yield from self.machine(placed.machine, placed.machine_x, placed.machine_y)


def _opening(width: float, height: float, heading: str, about: str, states: int) -> str:
    size = f'width="{number(width)}" height="{number(height)}" viewBox="0 0 {number(width)} {number(height)}"'
    name = escape(cleaned(shortened(heading, 200)))
    told = escape(cleaned(shortened(about, 600)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="stepwell-graph" {size} role="img" '
        f'aria-label="{name}, a workflow of {states} states"><title>{name}</title><desc>{told}</desc>'
    )


def _states(graph: Graph) -> int:
    marks = ("start", "end", "errors", "missing")
    return sum(node.kind not in marks for node in graph.every_node())


def _heading_width(heading: str, about: str) -> float:
    return min(620.0, max(text_width(heading[:200], 17, bold=True), text_width(about[:200], 12)))


def _headings(heading: str, about: str, width: float) -> Iterator[str]:
    room = width - 2 * MARGIN
    y = MARGIN + 10
    if heading:
        yield written("sw-heading", MARGIN, y, fitted(cleaned(heading), room, 17, bold=True))
        y += ABOUT
    if about:
        yield written("sw-about", MARGIN, y, fitted(cleaned(about), room, 12))


def _legend_texts(counts: Mapping[str, int]) -> list[tuple[str, float]]:
    texts = [cleaned(f"{word} ({count})") for word, count in counts.items()]
    return [(told, 18 + text_width(told, 11) + 18) for told in texts]


def _legend_width(counts: Mapping[str, int]) -> float:
    return sum(width for _, width in _legend_texts(counts))


def _legend(counts: Mapping[str, int], height: float) -> Iterator[str]:
    x, y = MARGIN, height - MARGIN
    for index, (told, width) in enumerate(_legend_texts(counts)):
        swatch = rectangle("sw-swatch", x, y - 10, 12, 12, 3)
        words = written("sw-legend", x + 18, y, told)
        yield group(f"sw-m{index}", None, swatch + words)
        x += width
