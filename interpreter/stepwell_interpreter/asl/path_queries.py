"""Walks a value by a parsed path, as Jayway's JsonPath does: the same order, the same answers of filters.

A definite path is plain look-ups; every other walk has a budget of steps, so that no path can run away.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from stepwell_interpreter.asl.path_filters import compile_condition
from stepwell_interpreter.asl.path_syntax import Filter, Indices, Names, Query, Segment, Slice, Wildcard
from stepwell_interpreter.failures import DATA_LIMIT_EXCEEDED, StateFailure
from stepwell_interpreter.scope import MISSING

MOST_STEPS: Final = 1_000_000

Member = str | int
Roots = Callable[[str], Any]
"""Gives the value of a root: `$`, `$$` or a variable; MISSING where there is none."""


class Budget:
    """How many values one evaluation may still visit."""

    __slots__ = ("left",)

    def __init__(self, steps: int = MOST_STEPS) -> None:
        self.left = steps

    def spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            cause = f"A path visits more than {MOST_STEPS} values; make it more specific"
            raise StateFailure(DATA_LIMIT_EXCEEDED, cause)


Select = Callable[[Any, Roots, Budget], Sequence[Any]]


def find_members(value: Any, members: Sequence[Member]) -> Any:
    """What the members of a definite path lead to, or MISSING."""
    for member in members:
        if isinstance(member, str):
            if type(value) is not dict and not isinstance(value, Mapping):
                return MISSING
            value = value.get(member, MISSING)
            if value is MISSING:
                return MISSING
        elif isinstance(value, list) and -len(value) <= member < len(value):
            value = value[member]
        else:
            return MISSING
    return value


def compile_matches(query: Query) -> Select:
    """All that a path leads to, in order, from a start value."""
    selects = [_selector(segment) for segment in query.segments]

    def matches(start: Any, roots: Roots, budget: Budget) -> Sequence[Any]:
        nodes: Sequence[Any] = [] if start is MISSING else [start]
        for select in selects:
            found: list[Any] = []
            for node in nodes:
                hits = select(node, roots, budget)
                budget.spend(1 + len(hits))
                found.extend(hits)
            nodes = found
        return nodes

    return matches


def why_not_found(query: Query, start: Any) -> str:
    """In JsonPath's words, why a definite path leads to nothing."""
    whole = "$" + "".join(_fragment(member) for member in query.members)
    value, place = start, "$"
    for number, member in enumerate(query.members, 1):
        if isinstance(member, str) and not isinstance(value, Mapping):
            return f"Property {_fragment(member)} not found in path {place}"
        if isinstance(member, int) and not isinstance(value, list):
            return f"Filter: [{member}] can only be applied to arrays. Current context is: {value}"[:1_000]
        inner = find_members(value, (member,))
        place += _fragment(member)
        if inner is MISSING:
            last = number == len(query.members) or isinstance(member, int)
            return f"No results for path: {whole}" if last else f"Missing property in path {place}"
        value = inner
    return f"No results for path: {whole}"


def _fragment(member: Member) -> str:
    return f"[{member}]" if isinstance(member, int) else f"['{member}']"


def _selector(segment: Segment) -> Select:
    match segment:
        case Names(names, descend):
            select = _named(names)
        case Indices(indices, descend):
            select = _indexed(indices)
        case Slice(start, stop, descend):
            select = _sliced(start, stop)
        case Wildcard(descend):
            select = _children
        case Filter(condition, descend):
            holds = compile_condition(condition, compile_matches)
            select = _passing(holds) if descend else _filtered(holds)
    return _descending(select) if descend else select


def _named(names: tuple[str, ...]) -> Select:
    def select(node: Any, roots: Roots, budget: Budget) -> Sequence[Any]:
        if not isinstance(node, Mapping):
            return ()
        if len(names) > 1:
            # several names select one object of them, as JsonPath does at the end of a path
            return [{name: node[name] for name in names if name in node}]
        return [node[names[0]]] if names[0] in node else ()

    return select


def _indexed(indices: tuple[int, ...]) -> Select:
    def select(node: Any, roots: Roots, budget: Budget) -> Sequence[Any]:
        if not isinstance(node, list):
            return ()
        return [node[index] for index in indices if -len(node) <= index < len(node)]

    return select


def _sliced(start: int | None, stop: int | None) -> Select:
    part = slice(start, stop)
    return lambda node, roots, budget: node[part] if isinstance(node, list) else ()


def _children(node: Any, roots: Roots, budget: Budget) -> Sequence[Any]:
    if isinstance(node, list):
        return node
    return list(node.values()) if isinstance(node, Mapping) else ()


def _filtered(holds: Callable[[Any, Roots, Budget], bool]) -> Select:
    """A filter tests the elements of a list; on an object it tests the object itself."""

    def select(node: Any, roots: Roots, budget: Budget) -> Sequence[Any]:
        if isinstance(node, Mapping):
            return [node] if holds(node, roots, budget) else ()
        if not isinstance(node, list):
            return ()
        budget.spend(len(node))
        return [item for item in node if holds(item, roots, budget)]

    return select


def _passing(holds: Callable[[Any, Roots, Budget], bool]) -> Select:
    """After `..` every object is tested by itself, so that no element is found by its list once more."""

    def select(node: Any, roots: Roots, budget: Budget) -> Sequence[Any]:
        return [node] if isinstance(node, Mapping) and holds(node, roots, budget) else ()

    return select


def _descending(select: Select) -> Select:
    def descend(node: Any, roots: Roots, budget: Budget) -> Sequence[Any]:
        found: list[Any] = []
        pending = [node]
        while pending:
            at = pending.pop()
            if isinstance(at, Mapping | list):
                hits = select(at, roots, budget)
                budget.spend(1 + len(hits))
                found.extend(hits)
                pending.extend(reversed(_children(at, roots, budget)))
        return found

    return descend
