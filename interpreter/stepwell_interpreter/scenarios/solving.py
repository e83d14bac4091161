"""Makes conditions true or false: which values must stand where for it. The same for every dialect.

A formula is spread out to alternatives, each a list of comparisons that must hold or must not; for every place a
value is looked for among those that the comparisons themselves suggest, and the real comparison decides.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Any, Final, assert_never

from stepwell_schemas.durations import format_ms, timestamp_ms

MOST_ALTERNATIVES: Final = 24
MOST_TRIES: Final = 3_000
"""Comparisons that one call evaluates before it gives up."""
MOST_SUGGESTED: Final = 60
MOST_ITEMS: Final = 12
"""Of a list, and characters of a text, that is only so long for the sake of its length."""

Place = Hashable
"""Where a value stands: what it is made of, who reads the condition knows."""
Solution = dict[Any, Any]
"""Place -> the value it must have; MISSING: it must not be there."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A test of the values at some places. `holds` gives None where it cannot be evaluated with such values.

    `suggested`: for each place values worth trying, some that make it hold and some that do not.
    """

    places: tuple[Place, ...]
    holds: Callable[[Sequence[Any]], bool | None]
    suggested: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, slots=True)
class Every:
    """All parts hold."""

    parts: tuple["Formula", ...]


@dataclass(frozen=True, slots=True)
class Some:
    """At least one part holds."""

    parts: tuple["Formula", ...]


@dataclass(frozen=True, slots=True)
class Negation:
    """The part does not hold."""

    part: "Formula"


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing is known of it: it may hold or not."""


Formula = Comparison | Every | Some | Negation | Unknown
UNKNOWN: Final = Unknown()
_Literal = tuple[Comparison, bool]


def solutions(wanted: Sequence[tuple[Formula, bool]]) -> list[Solution]:
    """Ways to make each formula true or false as it is asked, all at once; at most a few."""
    parts = [_alternatives(formula, wish) for formula, wish in wanted]
    found: list[Solution] = []
    search = _Search()
    for chosen in islice(product(*parts), MOST_ALTERNATIVES):
        solution = search.solve([literal for part in chosen for literal in part])
        if solution is not None and solution not in found:
            found.append(solution)
    return found


def renamed(formula: Formula, name: Callable[[Place], Place | None]) -> Formula:
    """The same of other places. What is about a place that has no name there is unknown."""
    match formula:
        case Comparison(places):
            names = tuple(name(place) for place in places)
            return UNKNOWN if None in names else replace(formula, places=names)
        case Every(parts):
            return Every(tuple(renamed(part, name) for part in parts))
        case Some(parts):
            return Some(tuple(renamed(part, name) for part in parts))
        case Negation(part):
            return Negation(renamed(part, name))
        case Unknown():
            return formula
        case _:
            assert_never(formula)


def comparisons(formula: Formula) -> list[Comparison]:
    """All comparisons in a formula."""
    match formula:
        case Comparison():
            return [formula]
        case Every(parts) | Some(parts):
            return [each for part in parts for each in comparisons(part)]
        case Negation(part):
            return comparisons(part)
        case Unknown():
            return []
        case _:
            assert_never(formula)


def distinct(values: Iterable[Any]) -> list[Any]:
    """Each once, `1` and `True` and `1.0` apart, in order."""
    return list({(type(value), repr(value)): value for value in values}.values())


def near(value: Any) -> list[Any]:
    """Values right beside one, on both sides."""
    match value:
        case bool():
            return [not value]
        case int() | float():
            return [value + 1, value - 1]
        case str():
            return [*moments(value), f"{value}-other", f"{value}z", value[:-1]]
        case _:
            return []


def forms(literal: Any) -> Iterator[Any]:
    """Values that what is computed of them may be a literal: lists and texts so long, numbers as texts, parts."""
    if isinstance(literal, int | float) and not isinstance(literal, bool):
        yield from (str(literal), str(literal + 1), str(literal - 1), literal / 2, literal * 2 + 1)
        for count in (literal, literal + 1, literal - 1):
            if 0 <= count <= MOST_ITEMS:
                yield [1] * int(count)
                yield "x" * int(count)
        yield from ([literal], [literal + 1], [literal - 1])
    elif isinstance(literal, str):
        yield from ([literal], literal.lower(), literal.upper(), f"x{literal}", {literal: 1})


def moments(value: Any) -> list[str]:
    """Timestamps after and before one; none where it is none."""
    try:
        at = timestamp_ms(value)
    except (ValueError, TypeError, AttributeError):
        return []
    return [format_ms(at + 1000), format_ms(at - 1000)]


def _alternatives(formula: Formula, wanted: bool) -> list[list[_Literal]]:
    match formula:
        case Comparison():
            return [[(formula, wanted)]]
        case Negation(part):
            return _alternatives(part, not wanted)
        case Every(parts) | Some(parts):
            inner = [_alternatives(part, wanted) for part in parts]
            if isinstance(formula, Every) == wanted:
                joined = islice(product(*inner), MOST_ALTERNATIVES)
                return [[each for part in chosen for each in part] for chosen in joined]
            return [alternative for part in inner for alternative in part][:MOST_ALTERNATIVES]
        case Unknown():
            return [[]]
        case _:
            assert_never(formula)


class _Search:
    """Looks for values, place by place, going back where none fits. All calls share one bound."""

    def __init__(self) -> None:
        self.left = MOST_TRIES

    def solve(self, literals: Sequence[_Literal]) -> Solution | None:
        """A value for every place so that all literals are as wanted."""
        constant = [each for each in literals if not each[0].places]
        literals = [each for each in literals if each[0].places]
        if not all(self._is_so(each, {}) for each in constant):
            return None
        pools = _pools(literals)
        order = list(pools)
        ready = {place: _decided_at(place, order, literals) for place in order}
        return self._next(0, order, pools, ready, {})

    def _next(
        self,
        number: int,
        order: list[Place],
        pools: Mapping[Place, list[Any]],
        ready: Mapping[Place, list[_Literal]],
        solution: Solution,
    ) -> Solution | None:
        if number == len(order):
            return dict(solution)
        place = order[number]
        for value in pools[place]:
            solution[place] = value
            if all(self._is_so(literal, solution) for literal in ready[place]):
                found = self._next(number + 1, order, pools, ready, solution)
                if found is not None:
                    return found
        solution.pop(place, None)
        return None

    def _is_so(self, literal: _Literal, solution: Mapping[Place, Any]) -> bool:
        self.left -= 1
        comparison, wanted = literal
        values = [solution[place] for place in comparison.places]
        return self.left >= 0 and comparison.holds(values) is wanted


def _decided_at(place: Place, order: list[Place], literals: Sequence[_Literal]) -> list[_Literal]:
    """The literals whose last place this is."""
    at = order.index(place)
    return [each for each in literals if max(order.index(other) for other in each[0].places) == at]


def _pools(literals: Sequence[_Literal]) -> dict[Place, list[Any]]:
    pools: dict[Place, list[Any]] = {}
    for comparison, _ in literals:
        for place, values in zip(comparison.places, comparison.suggested, strict=True):
            pools.setdefault(place, []).extend(values)
    for comparison, _ in literals:
        if len(comparison.places) > 1:
            together = distinct(value for place in comparison.places for value in pools[place])[:20]
            beside = [other for value in together for other in (value, *near(value))]
            for place in comparison.places:
                pools[place].extend(beside)
    return {place: distinct(values)[:MOST_SUGGESTED] for place, values in pools.items()}
