"""The shapes of nodes: cards with an icon, a hexagon for choices, pills for ends, circles for marks."""

from stepwell_interpreter.drawing.faces import (
    DETAIL_LINE,
    ICON,
    PADDING,
    POINT,
    TITLE_LINE,
    UNDO_STRIP,
    Face,
)
from stepwell_interpreter.drawing.icons import icon_of
from stepwell_interpreter.drawing.layout import PlacedNode
from stepwell_interpreter.drawing.svg_text import number, rectangle, written

ICON_SIZE = 16.0
PILLS = frozenset({"succeed", "fail"})


def node_shape(placed: PlacedNode, undone: str = "") -> str:
    """Everything of a node but its group. `undone` is the class of a mark at its undo."""
    match placed.node.kind:
        case "start" | "end":
            return _mark(placed)
        case "errors":
            return _errors(placed)
        case _:
            return _outline(placed) + _tile(placed) + _writing(placed) + _strip(placed, undone)


def _mark(placed: PlacedNode) -> str:
    x, y = placed.x + placed.width / 2, placed.y + placed.height / 2
    centre = f'cx="{number(x)}" cy="{number(y)}"'
    if placed.node.kind == "start":
        play = f"M{number(x - 2.6)} {number(y - 4.4)}l7.4 4.4-7.4 4.4z"
        return f'<circle class="sw-mark" {centre} r="11"/><path class="sw-core" d="{play}"/>'
    inner = f'<circle class="sw-core" {centre} r="8.6"/><circle class="sw-ring" {centre} r="6"/>'
    return f'<circle class="sw-mark" {centre} r="11"/>{inner}'


def _errors(placed: PlacedNode) -> str:
    middle = placed.y + placed.height / 2
    tile = f'<circle class="sw-tile" cx="{number(placed.x + 13)}" cy="{number(middle)}" r="8"/>'
    icon = _icon(placed, placed.x + 13 - 5, middle - 5, 10.0)
    words = written("sw-detail", placed.x + 26, middle + 4, placed.face.title)
    return _rectangle(placed, placed.height / 2) + tile + icon + words


def _outline(placed: PlacedNode) -> str:
    if placed.node.kind == "choice":
        x, y, width, height = placed.x, placed.y, placed.width, placed.height
        side = number(width - 2 * POINT)
        point, half = number(POINT), number(height / 2)
        right = f"M{number(x + POINT)} {number(y)}h{side}l{point} {half}l-{point} {half}"
        points = f"{right}h-{side}l-{point} -{half}z"
        return f'<path class="sw-box" stroke-linejoin="round" d="{points}"/>'
    if placed.node.kind in PILLS:
        return _rectangle(placed, min(24.0, placed.height / 2))
    return _rectangle(placed, 9.0)


def _rectangle(placed: PlacedNode, radius: float) -> str:
    return rectangle("sw-box", placed.x, placed.y, placed.width, placed.height, radius)


def _tile(placed: PlacedNode) -> str:
    x, y = _corner(placed)
    radius = ICON / 2 if placed.node.kind in PILLS else 7.0
    tile = rectangle("sw-tile", x, y, ICON, ICON, radius)
    return tile + _icon(placed, x + (ICON - ICON_SIZE) / 2, y + (ICON - ICON_SIZE) / 2, ICON_SIZE)


def _icon(placed: PlacedNode, x: float, y: float, size: float) -> str:
    scale = f" scale({number(size / ICON_SIZE)})" if size != ICON_SIZE else ""
    place = f"translate({number(x)} {number(y)}){scale}"
    return f'<path class="sw-icon" transform="{place}" d="{icon_of(placed.node)}"/>'


def _corner(placed: PlacedNode) -> tuple[float, float]:
    """The upper left corner of the icon's tile: in the middle of the writing."""
    indent = POINT - 4 if placed.node.kind == "choice" else 0.0
    return placed.x + PADDING + indent, placed.y + (placed.face.header - ICON) / 2


def _writing(placed: PlacedNode) -> str:
    face: Face = placed.face
    x = _corner(placed)[0] + ICON + 10
    height = TITLE_LINE + DETAIL_LINE * len(face.details)
    y = placed.y + (face.header - height) / 2
    words = written("sw-title", x, y + 13, face.title)
    for index, line in enumerate(face.details):
        words += written("sw-detail", x, y + TITLE_LINE + DETAIL_LINE * index + 11, line)
    return words


def _strip(placed: PlacedNode, undone: str) -> str:
    """The last line of a task that can be undone."""
    if not placed.face.undo:
        return ""
    y = placed.y + placed.height - UNDO_STRIP
    rule = f'<path class="sw-strip" d="M{number(placed.x + 1)} {number(y)}h{number(placed.width - 2)}"/>'
    x = placed.x + PADDING + ICON + 10
    arrow = (
        f'<path fill="none" stroke-width="1.4" stroke-linecap="round" class="sw-undo-arrow" '
        f'd="M{number(x - 17)} {number(y + 6.5)}l-3 3 3 3m-2.8-3h6a3 3 0 0 1 0 6h-2"/>'
    )
    words = written("sw-detail sw-undo", x, y + 14.5, placed.face.undo)
    return f'{rule}<g class="sw-undoing{undone}">{arrow}{words}</g>'
