"""A graph as a Mermaid flowchart. Every text of the definition is quoted and escaped, ids are our own."""

from collections.abc import Iterator

from stepwell_interpreter.drawing.graph import Edge, Graph, Machine, Node
from stepwell_interpreter.drawing.wording import shortened

SHAPES: dict[str, tuple[str, str]] = {
    "task": ("[", "]"),
    "wait": ("([", "])"),
    "choice": ("{{", "}}"),
    "compensation": ("[[", "]]"),
    "pass": ("[/", "/]"),
    "succeed": ("([", "])"),
    "fail": ("([", "])"),
    "start": ("((", "))"),
    "end": ("(((", ")))"),
    "errors": (">", "]"),
}
ARROWS = {"timeout": "-.->", "catch": "-.->", "error": "-.->", "compensate": "-.-"}
COLOURS = {
    "task": "fill:#e8f1fd,stroke:#2f6fd6,color:#10243e",
    "wait": "fill:#fdf3dc,stroke:#b7791f,color:#3b2a07",
    "choice": "fill:#f1eafc,stroke:#7c4ddb,color:#26143f",
    "compensation": "fill:#fdeadf,stroke:#c2571a,color:#401c07",
    "pass": "fill:#eef1f4,stroke:#6b7785,color:#1c2733",
    "succeed": "fill:#e1f6e9,stroke:#1d8a4b,color:#0a3019",
    "fail": "fill:#fde7e7,stroke:#c93636,color:#431010",
    "missing": "fill:#fff,stroke:#c93636,color:#c93636,stroke-dasharray:4 3",
    "unknown": "fill:#fff,stroke:#6b7785,color:#1c2733,stroke-dasharray:4 3",
}
MAX_LABEL = 120


def mermaid_of(graph: Graph) -> str:
    """The flowchart, top to bottom, with a class per kind of state."""
    ids: dict[str, str] = {}
    for node in graph.every_node():
        ids[node.id] = f"n{len(ids)}"
    lines = ["---", f"title: {_title(graph.title)}", "---", "flowchart TD"]
    lines += _machine(graph.machine, ids, "  ")
    lines += [f"  classDef {kind} {colour}" for kind, colour in COLOURS.items()]
    return "\n".join(lines) + "\n"


def _machine(machine: Machine, ids: dict[str, str], indent: str) -> Iterator[str]:
    for node in machine.nodes:
        yield from _container(node, ids, indent) if node.clusters else _node(node, ids, indent)
    for edge in machine.edges:
        yield _edge(edge, ids, indent)


def _node(node: Node, ids: dict[str, str], indent: str) -> Iterator[str]:
    opening, closing = SHAPES.get(node.kind, ("[", "]"))
    shown = " " if node.kind in ("start", "end") else _label(node)
    tail = f":::{node.kind}" if node.kind in COLOURS else ""
    yield f'{indent}{ids[node.id]}{opening}"{shown}"{closing}{tail}'
    if node.undo is not None:
        name = ids[node.id]
        yield f'{indent}{name}u["↶ {escape(node.undo)}"]:::compensation'
        yield f"{indent}{name} {ARROWS['compensate']} {name}u"


def _container(node: Node, ids: dict[str, str], indent: str) -> Iterator[str]:
    yield f'{indent}subgraph {ids[node.id]}["{_label(node)}"]'
    for index, cluster in enumerate(node.clusters):
        inner = f"{ids[node.id]}c{index}"
        yield f'{indent}  subgraph {inner}["{escape(cluster.title) or " "}"]'
        yield from _machine(cluster.machine, ids, indent + "    ")
        yield f"{indent}  end"
    yield f"{indent}end"


def _edge(edge: Edge, ids: dict[str, str], indent: str) -> str:
    label = f'|"{escape(edge.label)}"|' if edge.label else ""
    return f"{indent}{ids[edge.source]} {ARROWS.get(edge.kind, '-->')}{label} {ids[edge.target]}"


def _label(node: Node) -> str:
    details = "".join(f"<br/><small>{escape(line)}</small>" for line in node.details)
    return f"{escape(node.title)}{details}"


def escape(text: str) -> str:
    """A text inside quotes: everything that Mermaid or HTML could read as its own becomes an entity."""
    lines = (shortened(line, MAX_LABEL) for line in text.split("\n"))
    return "<br/>".join("".join(_entity(letter) for letter in line) for line in lines)


def _entity(letter: str) -> str:
    # Letters outside of ASCII are harmless; of the rest only what labels usually hold stays as it is.
    if letter.isalnum() or letter in " .,:+-=_/()?!" or (ord(letter) > 160 and letter.isprintable()):
        return letter
    return f"#{ord(letter)};" if letter.isprintable() else " "


def _title(text: str) -> str:
    kept = "".join(letter if letter.isprintable() else " " for letter in shortened(text, MAX_LABEL))
    quoted = kept.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'
