"""How large a node is and what is written on it, before it has a place. Sizes in the picture's units."""

from dataclasses import dataclass

from stepwell_interpreter.drawing.graph import Edge, Node, NodeKind
from stepwell_interpreter.drawing.lettering import cleaned, fitted, text_width, wrapped

TITLE_SIZE = 13.0
DETAIL_SIZE = 11.0
LABEL_SIZE = 10.5
TITLE_LINE = 17.0
DETAIL_LINE = 15.0
LABEL_LINE = 13.5
ICON = 28.0
PADDING = 11.0
UNDO_STRIP = 21.0
MAX_WRITING = 216.0
MAX_LABEL = 170.0
MIN_WIDTH = 132.0
POINT = 15.0
MARK_SIZE = 22.0

NAMES: dict[NodeKind, str] = {
    "task": "task",
    "wait": "wait",
    "choice": "choice",
    "parallel": "parallel",
    "map": "map",
    "compensation": "compensation",
    "pass": "pass",
    "succeed": "succeed",
    "fail": "fail",
    "start": "start",
    "end": "end",
    "errors": "any error that no state takes itself",
    "missing": "missing state",
    "unknown": "unknown state",
}


@dataclass(frozen=True, slots=True)
class Face:
    """What a node shows. `header` is the height of the part above inner machines."""

    width: float
    header: float
    title: str = ""
    details: tuple[str, ...] = ()
    undo: str = ""

    @property
    def height(self) -> float:
        """Of a node without inner machines."""
        return self.header + (UNDO_STRIP if self.undo else 0.0)


@dataclass(frozen=True, slots=True)
class Label:
    """The lines at an edge, and the room they take."""

    lines: tuple[str, ...] = ()
    width: float = 0.0
    height: float = 0.0


def face_of(node: Node) -> Face:
    """The writing on a node, cut to what fits."""
    if node.kind in ("start", "end"):
        return Face(MARK_SIZE, MARK_SIZE)
    if node.kind == "errors":
        return Face(text_width(node.title, DETAIL_SIZE) + 34, 24.0, node.title)
    title = fitted(cleaned(node.title), MAX_WRITING, TITLE_SIZE, bold=True)
    details = tuple(fitted(cleaned(line), MAX_WRITING, DETAIL_SIZE) for line in node.details)
    undo = fitted(cleaned(f"undo: {node.undo}"), MAX_WRITING, DETAIL_SIZE) if node.undo else ""
    writing = max(
        text_width(title, TITLE_SIZE, bold=True),
        *(text_width(line, DETAIL_SIZE) for line in (*details, undo)),
    )
    width = PADDING + ICON + 10 + writing + PADDING + 3 + (2 * POINT - 8 if node.kind == "choice" else 0)
    height = max(ICON, TITLE_LINE + DETAIL_LINE * len(details)) + 2 * PADDING - 4
    return Face(max(MIN_WIDTH, width), height, title, details, undo)


def label_of(edge: Edge, *, cut_to: str | None = None) -> Label:
    """The lines at an edge; where the edge is cut, a last one names its target."""
    said = [
        line
        for text in edge.label.split("\n")
        if text
        for line in wrapped(cleaned(text), MAX_LABEL, LABEL_SIZE)
    ]
    if cut_to is not None:
        said.append(f"→ {cut_to}")
    lines = tuple(fitted(cleaned(line), MAX_LABEL, LABEL_SIZE) for line in said)
    if not lines:
        return Label()
    width = max(text_width(line, LABEL_SIZE) for line in lines) + 14
    return Label(lines, width, LABEL_LINE * len(lines) + 5)


def hover_of(node: Node) -> str:
    """The whole text of a node."""
    undo = f"undone by {node.undo}" if node.undo else ""
    parts = (f"{node.title} ({NAMES[node.kind]})", *node.details, undo, node.hover)
    return "\n".join(part for part in parts if part)
