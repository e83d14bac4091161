"""Where the values that a definition reads come from: the input, a task's output, an event's data. Native documents.

`$.state.record.id` was written by the state whose `resultPath` is `$.state.record`, from the member `id` of its
output. Following that back tells which given value to change so that a path has a wanted value.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from stepwell_interpreter.failures import CompileProblem, pointer_to
from stepwell_interpreter.paths import Member, Path, compile_path, compile_target, is_path
from stepwell_interpreter.scenarios.native_conditions import native_formula
from stepwell_interpreter.scenarios.parts import at_pointer
from stepwell_interpreter.scenarios.solving import Formula, Place

DEEPEST: Final = 12
Members = tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """A value that a scenario gives. `machine` and `state` say whose output, or which wait's event (`name` of it)."""

    kind: str
    machine: str = ""
    state: str = ""
    name: str = ""


INPUT: Final = Source("input")
Origin = tuple[Source, Members]


@dataclass(frozen=True, slots=True)
class Reading:
    """A place that a state reads; `key` is what it is read for, such as `timeout`."""

    place: Place
    machine: str
    state: str
    key: str


@dataclass(frozen=True, slots=True)
class Rules:
    """The conditions of a choice's rules, in order."""

    machine: str
    state: str
    rules: tuple[Formula, ...]


class Flows:
    """The flows of one native document. `machines` are the pointers of what holds states; `spend` counts work."""

    def __init__(
        self,
        document: Mapping[str, Any],
        machines: list[str],
        spend: Callable[[int], None] = lambda units: None,
    ) -> None:
        self._spend = spend
        self._known: dict[tuple[Place, str, str], list[Origin]] = {}
        self.document = document
        self.machines = machines
        self._seen: set[tuple[Any, ...]] = set()
        self._writers: list[tuple[Members, str, str, Any]] = []
        for machine, state, body in self.states():
            self._note_writes(machine, state, body)

    def states(self) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
        """Every state as (machine, name, body)."""
        for machine in self.machines:
            states = at_pointer(self.document, pointer_to(machine, "states"))
            for name, body in states.items() if isinstance(states, Mapping) else ():
                if isinstance(body, Mapping):
                    yield machine, name, body

    def readings(self) -> Iterator[Reading]:
        """Every path that a state reads, its inner machines' states apart."""
        for machine, state, body in self.states():
            for text, key in _texts(body, ""):
                path = _compiled(text)
                if path is not None and path.members is not None:
                    yield Reading(path.text, machine, state, key)

    def rules(self) -> Iterator[Rules]:
        """The rules of every choice."""
        for machine, state, body in self.states():
            rules = [rule for rule in body.get("choices") or () if isinstance(rule, Mapping)]
            if rules:
                yield Rules(machine, state, tuple(native_formula(rule) for rule in rules))

    def spoken(self) -> Iterator[Any]:
        """Literals of expressions that compute values: not read here."""
        yield from ()

    def influences(self, place: Place, machine: str, state: str) -> list[Origin]:
        """What bears on the value at a path without being it: not followed here."""
        return []

    def origins(self, place: Place, machine: str, state: str) -> list[Origin]:
        """Where the value at a path comes from; none where nothing that is given decides it."""
        key = (place, machine, state)
        if key not in self._known:
            path = _compiled(str(place))
            self._seen.clear()
            members = None if path is None else path.members
            self._known[key] = [] if members is None else list(self._from(members, machine, state, 0))
            self._spend(1 + len(self._seen) * (1 + len(self._writers) // 8))
        return self._known[key]

    def _from(self, members: Members, machine: str, state: str, depth: int) -> Iterator[Origin]:
        # What several states copy from each other is followed once; it would not end soon otherwise.
        here = (members,) if members[0] == "state" else (members, machine, state)
        if depth > DEEPEST or here in self._seen:
            return
        self._seen.add(here)
        root, rest = members[0], members[1:]
        match root:
            case "input":
                yield INPUT, rest
            case "state":
                yield from self._from_state(rest, depth)
            case "item":
                yield from self._from_items(rest, machine, depth)
            case "result":
                yield from self._from_result(rest, machine, state, depth)
            case "event":
                yield from self._from_event(rest, machine, state)
            case _:
                return

    def _from_state(self, members: Members, depth: int) -> Iterator[Origin]:
        for target, machine, state, template in self._writers:
            rest = members[len(target) :]
            if members[: len(target)] != target:
                continue
            if template is _RESULT:
                yield from self._from_result(rest, machine, state, depth + 1)
            else:
                yield from self._from_template(template, rest, machine, state, depth + 1)

    def _from_template(
        self, template: Any, members: Members, machine: str, state: str, depth: int
    ) -> Iterator[Origin]:
        """Into a template along the members, to the path that stands there."""
        while members and isinstance(template, Mapping) and members[0] in template:
            template, members = template[members[0]], members[1:]
        if isinstance(template, Mapping) and "$path" in template:
            template = template["$path"]
        path = _compiled(template) if isinstance(template, str) and is_path(template) else None
        if path is not None and path.members is not None:
            yield from self._from((*path.members, *members), machine, state, depth + 1)

    def _from_items(self, members: Members, machine: str, depth: int) -> Iterator[Origin]:
        holder = at_pointer(self.document, machine)
        if isinstance(holder, Mapping) and "items" in holder:
            outer, _, name = machine.rpartition("/states/")
            state = name.replace("~1", "/").replace("~0", "~")
            inner = (0, *members) if holder.get("batchSize") is None else (0, *members[1:])
            yield from self._from_template(holder["items"], inner, outer, state, depth)
        elif "/branches/" in machine:
            yield from self._from_items(members, machine.rpartition("/states/")[0], depth + 1)

    def _from_result(self, members: Members, machine: str, state: str, depth: int) -> Iterator[Origin]:
        """What a state's raw result is made of."""
        body = at_pointer(self.document, pointer_to(machine, "states", state)) or {}
        match str(body.get("type", "")).casefold():
            case "task":
                yield Source("output", machine, state), members
            case "wait":
                yield from self._from_awaited(body, members, machine, state)
            case "parallel" if members:
                inner = pointer_to(machine, "states", state, "branches", members[0])
                yield from self._from_end(inner, members[1:], depth + 1)
            case "map" if members:
                yield from self._from_end(pointer_to(machine, "states", state), members[1:], depth + 1)
            case _:
                return

    def _from_awaited(
        self, body: Mapping[str, Any], members: Members, machine: str, state: str
    ) -> Iterator[Origin]:
        name = ""
        if ("anyOf" in body or "allOf" in body) and members and isinstance(members[0], str):
            name, members = members[0], members[1:]
        elif body.get("count", 1) != 1:
            members = members[1:]
        if members and members[0] == "data":
            yield Source("event", machine, state, name), members[1:]

    def _from_event(self, members: Members, machine: str, state: str) -> Iterator[Origin]:
        body = at_pointer(self.document, pointer_to(machine, "states", state)) or {}
        if not members or members[0] != "data":
            return
        named = body.get("anyOf") or body.get("allOf")
        for name in named if isinstance(named, Mapping) else ("",):
            yield Source("event", machine, state, name), members[1:]

    def _from_end(self, machine: str, members: Members, depth: int) -> Iterator[Origin]:
        """What a branch or an iteration ends with."""
        states = at_pointer(self.document, pointer_to(machine, "states"))
        for name, body in states.items() if isinstance(states, Mapping) and depth <= DEEPEST else ():
            if str(body.get("type", "")).casefold() == "succeed":
                yield from self._from_template(body.get("output"), members, machine, name, depth)
            elif body.get("end") is True:
                selector = body.get("resultSelector")
                if selector is None:
                    yield from self._from_result(members, machine, name, depth + 1)
                else:
                    yield from self._from_template(selector, members, machine, name, depth)

    def _note_writes(self, machine: str, state: str, body: Mapping[str, Any]) -> None:
        for text, template in (body.get("set") or {}).items():
            self._note_write(text, machine, state, template)
        if isinstance(body.get("resultPath"), str):
            self._note_write(body["resultPath"], machine, state, body.get("resultSelector", _RESULT))

    def _note_write(self, text: str, machine: str, state: str, template: Any) -> None:
        try:
            self._writers.append((compile_target(text).members, machine, state, template))
        except CompileProblem:
            return  # an accepted definition has none


_RESULT: Final = object()
"""In place of a template: the raw result is kept."""
_NOT_READ: Final = frozenset({"resultPath", "comment", "states", "branches", "catch"})


def _texts(value: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str) and is_path(value):
        yield value, key
    elif isinstance(value, Mapping):
        for name, part in value.items():
            if name not in _NOT_READ:
                # A default means that the path need not be there.
                if name == "$path" and "$default" in value:
                    continue
                yield from _texts(part, name if not key or name.startswith("$") or name in _KEYS else key)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part, key)


_KEYS: Final = frozenset({"timeout", "duration", "timestamp", "heartbeat", "for", "items", "initialInterval"})


def _compiled(text: str) -> Path | None:
    try:
        return compile_path(text)
    except CompileProblem:
        return None
