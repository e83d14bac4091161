"""From a raw document of either dialect to its graph. Incomplete documents are drawn as far as they go.

The dialects say what one state looks like and where it leads (`StateView`); here the machines are put together.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from stepwell_interpreter.asl.resources import ResourceProblem, resolve
from stepwell_interpreter.drawing.amazon import AMAZON
from stepwell_interpreter.drawing.graph import (
    MAX_DEPTH,
    MAX_EDGES,
    MAX_STATES,
    Cluster,
    DrawingTooLarge,
    Edge,
    EdgeKind,
    Graph,
    Machine,
    Node,
    escaped,
)
from stepwell_interpreter.drawing.native import NATIVE
from stepwell_interpreter.drawing.view import Dialect, Exit, StateView, mapping, text
from stepwell_interpreter.drawing.wording import shortened

MAX_LABELS = 3


def graph_of(document: Mapping[str, Any]) -> Graph:
    """The graph of a definition: native, ASL, or ASL in the envelope it is uploaded in.

    Pointers of an envelope's states begin at its `definition`. Raises DrawingTooLarge.
    """
    envelope = document
    inner = document.get("definition")
    if isinstance(inner, Mapping):
        document = inner
    dialect = AMAZON if "StartAt" in document or "States" in document else NATIVE
    title = text(envelope.get("name")) or text(envelope.get("id")) or "Workflow"
    description = text(envelope.get("description")) or text(document.get("Comment"))
    told = mapping(envelope.get("resources"))
    table = {name: target for name, target in told.items() if isinstance(target, str)}
    machine = _Reader(dialect, table).machine(document, "", 0, dialect.default_route(document))
    return Graph(title, description, dialect.name, machine)


@dataclass(slots=True)
class _Reader:
    """Counts what it reads over all machines of a document."""

    dialect: Dialect
    resources: Mapping[str, str]
    """What an envelope says about resources; where it says nothing, a task shows its resource."""
    states: int = 0
    edges: int = 0

    def machine(
        self, scope: Mapping[str, Any], pointer: str, depth: int, route: str | None = None
    ) -> Machine:
        states = mapping(scope.get(self.dialect.states_key))
        self.states += len(states)
        if self.states > MAX_STATES:
            raise DrawingTooLarge(
                f"the definition has more than {MAX_STATES} states, which is the most that is drawn"
            )
        draft = _Draft(f"{pointer}/{self.dialect.states_key}", pointer)
        first = text(scope.get(self.dialect.start_key))
        if first or states:
            draft.add(Node(f"{pointer}#start", "start", "start"))
        if first:
            draft.lead(f"{pointer}#start", Exit(first, "start"))
        for name, state in states.items():
            self._add_state(draft, str(name), self._view(mapping(state)), depth)
        if route:
            draft.add(Node(f"{pointer}#error", "errors", "any other error"))
            draft.lead(f"{pointer}#error", Exit(route, "error"))
        machine = draft.finished(self.dialect)
        self.edges += len(machine.edges)
        if self.edges > MAX_EDGES:
            raise DrawingTooLarge(
                f"the definition has more than {MAX_EDGES} transitions, which is the most that is drawn"
            )
        return machine

    def _view(self, state: Mapping[str, Any]) -> StateView:
        view = self.dialect.view(state)
        resource = text(state.get("Resource"))
        if not self.resources or not resource or view.kind != "task":
            return view
        arguments = mapping(state.get("Arguments")) or mapping(state.get("Parameters"))
        try:
            meant = resolve(resource, self.resources, arguments)
        except ResourceProblem:
            return view
        return replace(view, details=(meant.activity or f"workflow {meant.workflow}", *view.details[1:]))

    def _add_state(self, draft: "_Draft", name: str, view: StateView, depth: int) -> None:
        pointer = f"{draft.states_pointer}/{escaped(name)}"
        clusters: tuple[Cluster, ...] = ()
        details = view.details
        if depth < MAX_DEPTH:
            clusters = tuple(
                Cluster(
                    f"{pointer}{inner.suffix}",
                    inner.title,
                    inner.kind,
                    self.machine(inner.scope, f"{pointer}{inner.suffix}", depth + 1),
                )
                for inner in view.scopes
            )
        elif view.scopes:
            details = (*details, "nested too deeply to be drawn")
        draft.add(Node(pointer, view.kind, name, details, view.hover, view.undo, view.symbol, clusters))
        for exit in view.exits:
            draft.lead(pointer, exit)


@dataclass(slots=True)
class _Draft:
    """A machine that is being put together; `exits` by source, target and kind, in the order they came."""

    states_pointer: str
    scope_pointer: str
    nodes: dict[str, Node] = field(default_factory=dict)
    exits: dict[tuple[str, str | None, EdgeKind], list[Exit]] = field(default_factory=dict)

    def add(self, node: Node) -> None:
        self.nodes[node.id] = node

    def lead(self, source: str, exit: Exit) -> None:
        self.exits.setdefault((source, exit.target, exit.kind), []).append(exit)

    def finished(self, dialect: Dialect) -> Machine:
        edges = [self._edge(key, exits) for key, exits in self.exits.items()]
        return Machine(tuple(self.nodes.values()), tuple(edges))

    def _edge(self, key: tuple[str, str | None, EdgeKind], exits: list[Exit]) -> Edge:
        source, target, kind = key
        if target is None:
            id, aim = f"{source}->#{kind}", f"{self.scope_pointer}#end"
            self.nodes.setdefault(aim, Node(aim, "end", "end"))
        else:
            id, aim = f"{source}->{escaped(target)}#{kind}", f"{self.states_pointer}/{escaped(target)}"
            if aim not in self.nodes:
                self.add(
                    Node(aim, "missing", target, ("no such state",), f"There is no state {target!r} here.")
                )
        labels = list(dict.fromkeys(exit.label for exit in exits if exit.label))
        more = [f"or {len(labels) - MAX_LABELS} more"] if len(labels) > MAX_LABELS else []
        hover = "\n".join(
            dict.fromkeys(exit.hover or exit.label for exit in exits if exit.hover or exit.label)
        )
        shown = labels[:1] + [f"or {label}" for label in labels[1:MAX_LABELS]] + more
        return Edge(id, source, aim, kind, "\n".join(shown), shortened(hover, 2_000))
