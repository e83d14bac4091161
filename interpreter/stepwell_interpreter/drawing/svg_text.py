"""Pieces of SVG as text: groups, titles that show on hovering, lines of text, rectangles, numbers."""

from html import escape

from stepwell_interpreter.drawing.lettering import cleaned
from stepwell_interpreter.drawing.wording import shortened

MAX_HOVER = 1_200


def group(classes: str, id: str | None, content: str) -> str:
    """A group; `id` is what the picture's users find it by."""
    known = f' data-id="{attribute(id)}"' if id is not None else ""
    return f'<g class="{classes}"{known}>{content}</g>'


def titled(text: str) -> str:
    """The text that shows on hovering, its lines kept."""
    lines = (escape(cleaned(line)) for line in shortened(text, MAX_HOVER).split("\n"))
    return f"<title>{'&#10;'.join(lines)}</title>"


def attribute(text: str) -> str:
    """A value inside double quotes."""
    return escape(cleaned(text), quote=True)


def written(classes: str, x: float, y: float, text: str) -> str:
    """A line of text."""
    return f'<text class="{classes}" x="{number(x)}" y="{number(y)}">{escape(cleaned(text))}</text>'


def rectangle(classes: str, x: float, y: float, width: float, height: float, radius: float) -> str:
    """A rectangle with round corners."""
    return (
        f'<rect class="{classes}" x="{number(x)}" y="{number(y)}" width="{number(width)}" '
        f'height="{number(height)}" rx="{number(radius)}"/>'
    )


def number(value: float) -> str:
    """A number as short as it can be written, to a tenth."""
    return f"{round(value, 1) + 0.0:g}"
