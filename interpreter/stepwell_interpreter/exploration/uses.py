"""Reads off a native document what it looks at: in inputs, in results of tasks and children, in events and items.

Values wander: by `resultPath`, `resultSelector`, `set`, `items` and outputs of branches. Each such way is noted as a
copy, and what is read of the copy is read of the original, too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from stepwell_interpreter.exploration.shapes import ELEMENT, RootedPath, Shape, telling
from stepwell_interpreter.failures import CompileProblem, pointer_to
from stepwell_interpreter.paths import compile_path, is_path
from stepwell_interpreter.scope import ROOTS

MOST_ROUNDS: Final = 12
_READABLE: Final = (*ROOTS, "run")

_ARGUMENTS: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(
        ("$add", "$subtract", "$multiply", "$divide", "$round", "$range", "$random"), ("number",)
    ),
    **dict.fromkeys(("$lower", "$upper", "$split", "$base64Encode", "$hash"), ("text",)),
    "$min": ("number",),
    "$max": ("number",),
    "$join": ("list", "text"),
    "$length": ("list",),
    "$unique": ("list",),
    "$partition": ("list", "number"),
    "$keys": ("object",),
    "$merge": ("object",),
    "$contains": ("list", "any"),
    "$timeAdd": ("timestamp", "duration"),
    "$timeDiff": ("timestamp",),
    "$parseJson": ("json",),
    "$base64Decode": ("base64",),
}
_DURATIONS: Final = frozenset(
    {"timeout", "duration", "for", "heartbeat", "initialInterval", "maxInterval", "taskTimeout"}
)
_PLAIN: Final = frozenset(
    {
        "type", "comment", "next", "end", "activity", "workflow", "resultPath", "resultSelector", "catch", "onError",
        "states", "startAt", "branches", "set", "queue", "timeoutNext", "default", "tests", "items", "output", "match",
        "anyOf", "allOf", "absence",
    }
)  # fmt: skip
"""Keys of a state that hold no templates, or are read one by one."""


@dataclass(slots=True)
class Uses:
    """Shapes by root: `input`, `state`, `result <pointer>`, `event <type>`, `item <pointer>`, `scope <pointer>`."""

    roots: dict[str, Shape] = field(default_factory=dict)
    copies: list[tuple[RootedPath, RootedPath]] = field(default_factory=list)
    errors: set[str] = field(default_factory=set)
    """Error names that conditions ask for."""

    def shape(self, root: str) -> Shape:
        """What is read of a root."""
        return self.roots.setdefault(root, Shape())


@dataclass(frozen=True, slots=True)
class _Place:
    """What `$.result`, `$.event` and `$.item` are here."""

    result: str | None = None
    event: str | None = None
    item: str | None = None


def read_uses(document: Mapping[str, Any]) -> Uses:
    """What a native document looks at. Parts that are not shaped as they should be are passed over."""
    uses = Uses()
    _machine(uses, document, "", _Place())
    for index, rule in enumerate(document.get("assert") or ()):
        if isinstance(rule, Mapping):
            _template(uses, rule, _Place(), str(index))
    configuration = document.get("configuration")
    if isinstance(configuration, Mapping):
        _durations(uses, configuration, _Place())
    _spread(uses)
    return uses


def _machine(uses: Uses, holder: Mapping[str, Any], pointer: str, place: _Place) -> None:
    states = holder.get("states")
    for name, state in states.items() if isinstance(states, Mapping) else ():
        if isinstance(state, Mapping):
            _state(uses, state, pointer, pointer_to(pointer, "states", name), place)


def _state(uses: Uses, state: Mapping[str, Any], scope: str, pointer: str, place: _Place) -> None:
    kind = str(state.get("type", "")).casefold()
    own = replace(place, result=f"result {pointer}")
    _inside(uses, state, kind, pointer, own)
    for key, value in state.items():
        if key not in _PLAIN and key not in _DURATIONS:
            _template(uses, value, own, key)
    _durations(uses, state, own)
    if kind == "pass":
        for target, value in (state.get("set") or {}).items():
            _bind(uses, _path_of(target, own), value, own)
    result: RootedPath | None = (f"result {pointer}",)
    selector = state.get("resultSelector")
    if "resultSelector" in state:
        result = (f"selected {pointer}",)
        _bind(uses, result, selector, replace(own, event=own.event or _event_of(state)))
    target_path = _path_of(state.get("resultPath"), own)
    if target_path is not None and result is not None:
        uses.copies.append((target_path, result))
    if state.get("end") is True and result is not None:
        uses.copies.append(((f"scope {scope}",), result))
    if kind == "succeed" and "output" in state:
        _bind(uses, (f"scope {scope}",), state["output"], own)


def _inside(uses: Uses, state: Mapping[str, Any], kind: str, pointer: str, place: _Place) -> None:
    """The machines and waits inside of a state, and where their results go."""
    result = f"result {pointer}"
    if kind == "parallel" and isinstance(state.get("branches"), Mapping):
        for name, branch in state["branches"].items():
            inner = pointer_to(pointer, "branches", name)
            uses.copies.append(((result, name), (f"scope {inner}",)))
            if isinstance(branch, Mapping):
                _machine(uses, branch, inner, place)
    elif kind == "map":
        item = f"item {pointer}"
        source = _path_of(state.get("items"), place)
        if source is None:
            _template(uses, state.get("items"), place, "items")
        else:
            uses.shape(source[0]).at(source[1:]).kinds.add("items")
            uses.copies.append(((item,), (*source, ELEMENT)))
        uses.copies.append(((result, ELEMENT), (f"scope {pointer}",)))
        _machine(uses, state, pointer, replace(place, item=item))
    elif kind == "wait":
        for name, wait in _waits(state):
            event = f"event {wait.get('event')}"
            where = (result,) if name is None else (result, name)
            uses.copies.append((where, (event,)))
            seen = replace(place, event=event)
            _template(uses, wait.get("where"), seen, "where")
            for key, value in (wait.get("match") or {}).items():
                path = _path_of(f"$.event.data.{key}", seen) or _path_of(f"$.event.data{key}", seen)
                if path is not None:
                    uses.shape(path[0]).at(path[1:]).needed = True
                _template(uses, value, place, "match")


def _waits(state: Mapping[str, Any]) -> Iterator[tuple[str | None, Mapping[str, Any]]]:
    if "event" in state:
        yield None, state
    for form in ("anyOf", "allOf"):
        if isinstance(state.get(form), Mapping):
            yield from ((name, wait) for name, wait in state[form].items() if isinstance(wait, Mapping))
    if isinstance(state.get("absence"), Mapping):
        yield "", state["absence"]


def _event_of(state: Mapping[str, Any]) -> str | None:
    return next((f"event {wait.get('event')}" for _, wait in _waits(state)), None)


def _durations(uses: Uses, holder: Mapping[str, Any], place: _Place) -> None:
    for key in (*sorted(_DURATIONS), "timestamp"):
        value = holder.get(key)
        kind = "timestamp" if key == "timestamp" else "duration"
        path = _path_of(value, place)
        if path is not None:
            _read(uses, path, kind)
            continue
        if isinstance(value, Mapping) and (inner := _path_of(value.get("$path"), place)) is not None:
            uses.shape(inner[0]).at(inner[1:]).kinds.add(kind)
        _template(uses, value, place, key)


def _bind(uses: Uses, target: RootedPath | None, value: Any, place: _Place) -> None:
    """A template is written to `target`: what of it is plainly copied is a copy."""
    source = _path_of(value, place)
    if source is not None and target is not None:
        uses.copies.append((target, source))
        uses.shape(source[0]).at(source[1:]).needed = True
    elif isinstance(value, Mapping) and target is not None and not any(key.startswith("$") for key in value):
        for key, part in value.items():
            _bind(uses, (*target, key), part, place)
    elif isinstance(value, Mapping) and "$path" in value and target is not None:
        source = _path_of(value["$path"], place)
        if source is not None:
            uses.copies.append((target, source))
            uses.shape(source[0]).at(source[1:])
        _template(uses, value.get("$default"), place, "$default")
    else:
        _template(uses, value, place, "")


def _template(uses: Uses, value: Any, place: _Place, key: str) -> None:
    path = _path_of(value, place)
    if path is not None:
        _read(uses, path, None)
    elif isinstance(value, list):
        for part in value:
            _template(uses, part, place, key)
    elif isinstance(value, Mapping):
        if "variable" in value:
            _comparison(uses, value, place)
        elif "$path" in value:
            optional = _path_of(value["$path"], place)
            if optional is not None:
                shape = uses.shape(optional[0]).at(optional[1:])
                shape.needed = shape.needed or "$default" not in value
            _template(uses, value.get("$default"), place, key)
        else:
            for name, part in value.items():
                if name in _ARGUMENTS:
                    _arguments(uses, _ARGUMENTS[name], part, place)
                else:
                    _template(uses, part, place, name)


def _arguments(uses: Uses, kinds: tuple[str, ...], given: Any, place: _Place) -> None:
    for number, argument in enumerate(given if isinstance(given, list) else [given]):
        path = _path_of(argument, place)
        if path is None:
            _template(uses, argument, place, "")
        else:
            _read(uses, path, kinds[min(number, len(kinds) - 1)])


def _comparison(uses: Uses, rule: Mapping[str, Any], place: _Place) -> None:
    path = _path_of(rule["variable"], place)
    operator, right = next(
        ((key, rule[key]) for key in rule if key not in ("variable", "next", "comment")), ("", None)
    )
    other = _path_of(right, place)
    if path is not None:
        shape = uses.shape(path[0]).at(path[1:])
        if operator == "isPresent":
            shape.note(["x"] if not shape.members else [])
        else:
            shape.needed = shape.needed or place.event is None
            shape.note(telling(operator, right) if other is None else ["x", "y"])
        if path[-1] == "error" and isinstance(right, str):
            uses.errors.add(right)
    if other is not None:
        target = uses.shape(other[0]).at(other[1:])
        target.needed = True
        target.note(["x"])


def _read(uses: Uses, path: RootedPath, kind: str | None) -> None:
    shape = uses.shape(path[0]).at(path[1:])
    shape.needed = True
    if kind is not None and kind != "any":
        shape.kinds.add(kind)


def _path_of(text: Any, place: _Place) -> RootedPath | None:
    """The rooted path of a path's text; None where it is none, or its root is of no interest."""
    if not is_path(text):
        return None
    try:
        members = compile_path(text.replace("[*]", "[0]"), _READABLE).members
        if members is None:
            members = compile_path(text.partition("..")[0].partition("[")[0], _READABLE).members
    except CompileProblem:
        return None
    if members is None:
        return None
    named: Mapping[str, str | None] = {
        "input": "input", "state": "state", "result": place.result, "event": place.event, "item": place.item,
    }  # fmt: skip
    root = named.get(str(members[0]))
    if root is None:
        return None
    return (root, *(ELEMENT if isinstance(member, int) else member for member in members[1:]))


def _spread(uses: Uses) -> None:
    """What is read of a copy is read of its original, over as many steps as it wanders."""
    for _ in range(MOST_ROUNDS):
        changed = False
        for target, source in uses.copies:
            # A part of the target may be read, or something around it that was written bit by bit.
            read = uses.shape(target[0]).find(target[1:])
            if read is not None:
                changed |= uses.shape(source[0]).at(source[1:]).take(read)
        if not changed:
            return
