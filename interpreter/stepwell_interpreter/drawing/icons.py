"""The icons of states, each drawn in a square of 16 by 16 with lines and no fill of its own."""

from stepwell_interpreter.drawing.graph import Node

ICONS: dict[str, str] = {
    "task": "M9 1.8 3.4 9.2h4L6.9 14.2l5.7-7.5h-4z",
    "child": "M2.5 2.5h5v4h-5zM8.5 9.5h5v4h-5zM5 6.5v5h3.5",
    "callback": "M13.4 8.6a5.4 5.4 0 1 1-1.9-4.7M13.6 1.8v3.4h-3.4M8 5.4v3l2 1.2",
    "clock": "M8 2.2a5.8 5.8 0 1 0 0 11.6a5.8 5.8 0 1 0 0-11.6M8 4.9v3.3l2.3 1.4",
    "event": "M3.4 11.2c1.1-1 1.2-2.3 1.2-4.2a3.4 3.4 0 0 1 6.8 0c0 1.9.1 3.2 1.2 4.2zM6.7 13.4a1.4 1.4 0 0 0 2.6 0",
    "choice": "M8 1.8 14.2 8 8 14.2 1.8 8zM6.6 6.6a1.4 1.4 0 1 1 1.9 1.3c-.4.2-.5.5-.5.9M8 10.6v.1",
    "parallel": "M3.5 2.5v11M8 2.5v11M12.5 2.5v11",
    "map": "M2.5 5.5h8v8h-8zM5.5 5.5v-3h8v8h-3",
    "compensation": "M5.6 3 2.6 6l3 3M2.8 6h6.4a3.7 3.7 0 0 1 0 7.4h-4",
    "pass": "M2.5 8h10M9 4.5 12.5 8 9 11.5",
    "succeed": "M3 8.4 6.6 12 13.2 4.6",
    "fail": "M4 4l8 8M12 4l-8 8",
    "missing": "M8 3v6.5M8 12.6v.2",
    "unknown": "M5.6 5.8a2.4 2.4 0 1 1 3.3 2.2c-.7.3-.9.8-.9 1.7M8 12.4v.2",
    "errors": "M8 3v6.5M8 12.6v.2",
}


def icon_of(node: Node) -> str:
    """The path of a node's icon; empty for marks that have none."""
    return ICONS.get(node.symbol) or ICONS.get(node.kind, "")
