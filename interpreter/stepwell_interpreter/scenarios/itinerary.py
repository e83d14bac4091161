"""The expected path against the one that was taken: do they agree, and if not, where did they part.

An expected path is matched as a regular expression over state names in which `...` is any states; all positions it
may be at are followed side by side, so the cost is linear in the path taken. Branches are matched inside their state.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from stepwell_schemas.scenario import ANY_STATES

from stepwell_interpreter.scenarios.footprint import Visit

EVERY: Final = "*"
"""In place of a branch's name or an item's index: each of them."""
SHOWN: Final = 60
ARROW: Final = " → "


@dataclass(frozen=True, slots=True)
class Departure:
    """Where the path left what was expected. `where` names the branch; "" is the workflow itself."""

    after: str | None
    expected: tuple[str, ...]
    got: str | None
    where: str
    index: int
    """The place in the expected path, for its position in the file."""
    inner: tuple[str | int, ...] = ()

    def __str__(self) -> str:
        at = f" in {self.where}" if self.where else ""
        after = f"after {self.after}" if self.after else "at the start"
        wanted = " or ".join(self.expected) or "the end"
        return f"{after}{at}: expected {wanted}, got {self.got or 'the end'}"


@dataclass(frozen=True, slots=True)
class _Item:
    name: str
    index: int
    inner: Mapping[str, Sequence[Any]] | None = None
    inner_index: int = 0


def departure(expected: Sequence[Any], taken: Sequence[Visit], where: str = "") -> Departure | None:
    """None where the path is as expected, else where they parted first."""
    items = _items(expected)
    at = _closure({0}, items)
    inside: Departure | None = None
    for number, visit in enumerate(taken):
        moved: set[int] = set()
        for place in at:
            if place == len(items):
                continue
            item = items[place]
            if item.name == ANY_STATES:
                moved.add(place)
            elif item.name == visit.state:
                found = _inner_departure(item, visit)
                if found is None:
                    moved.add(place + 1)
                else:
                    inside = found
        if not moved:
            return inside or _departed(items, at, taken[number - 1] if number else None, visit, where)
        at = _closure(moved, items)
    if len(items) in at:
        return None
    # A `...` goes on where a state is right but its branches are not; what was wrong is in there.
    return inside or _departed(items, at, taken[-1] if taken else None, None, where)


def rendered(taken: Sequence[Visit], *, depth: int = 0) -> str:
    """The path as one line: `A → B {left: C; right: D} → E`."""
    shown = [_visit(visit, depth) for visit in taken[:SHOWN]]
    if len(taken) > SHOWN:
        shown.append(f"… {len(taken) - SHOWN} more")
    return ARROW.join(shown) or "(no state)"


def rendered_expectation(expected: Sequence[Any]) -> str:
    """The expected path as one line, in the same form."""
    parts: list[str] = []
    for item in expected:
        if isinstance(item, Mapping):
            inner = "; ".join(f"{name}: {rendered_expectation(path)}" for name, path in item.items())
            parts[-1:] = [f"{parts[-1] if parts else ''} {{{inner}}}"]
        else:
            parts.append(str(item))
    return ARROW.join(parts) or "(no state)"


def as_path(taken: Sequence[Visit]) -> list[Any]:
    """The path as an expectation would write it; for new scenarios and for JSON."""
    path: list[Any] = []
    for visit in taken:
        path.append(visit.state)
        if visit.inner:
            path.append({name: as_path(inner) for name, inner in visit.inner.items()})
    return path


def _items(expected: Sequence[Any]) -> list[_Item]:
    """The names, each with the branches that are written behind it."""
    items: list[_Item] = []
    for index, part in enumerate(expected):
        if isinstance(part, Mapping):
            if items:
                items[-1] = _Item(items[-1].name, items[-1].index, part, index)
        else:
            items.append(_Item(str(part), index))
    return items


def _closure(places: Iterable[int], items: Sequence[_Item]) -> list[int]:
    """All places it may be at, those behind a `...` included; in order."""
    found = set(places)
    pending = list(found)
    while pending:
        place = pending.pop()
        if place < len(items) and items[place].name == ANY_STATES and place + 1 not in found:
            found.add(place + 1)
            pending.append(place + 1)
    return sorted(found)


def _inner_departure(item: _Item, visit: Visit) -> Departure | None:
    for name, path in (item.inner or {}).items():
        names = list(visit.inner) if name == EVERY else [name]
        for each in names:
            found = departure(path, visit.inner.get(each, ()), f"{visit.state}, {each}")
            if found is not None:
                inner = (name, found.index, *found.inner)
                return Departure(found.after, found.expected, found.got, found.where, item.inner_index, inner)
    return None


def _departed(
    items: Sequence[_Item], at: Sequence[int], after: Visit | None, got: Visit | None, where: str
) -> Departure:
    open_items = [items[place] for place in at if place < len(items) and items[place].name != ANY_STATES]
    expected = tuple(dict.fromkeys(item.name for item in open_items))
    index = open_items[0].index if open_items else max(len(items) - 1, 0)
    if not open_items and items:
        index = items[-1].index
    return Departure(after.state if after else None, expected, got.state if got else None, where, index)


def _visit(visit: Visit, depth: int) -> str:
    if not visit.inner or depth >= 3:
        return visit.state
    shown = list(visit.inner.items())[:8]
    inner = "; ".join(f"{name}: {rendered(path, depth=depth + 1)}" for name, path in shown)
    more = f"; … {len(visit.inner) - len(shown)} more" if len(visit.inner) > len(shown) else ""
    return f"{visit.state} {{{inner}{more}}}"
