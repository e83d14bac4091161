"""Makes conditions true or false: which values must stand where for it. The same for every dialect.

A formula is spread out to alternatives, each a list of comparisons that must hold or must not; for every place a
value is looked for among those that the comparisons themselves suggest, and the real comparison decides.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Any, Final, assert_never

from stepwell_schemas.durations import format_ms, timestamp_ms

from stepwell_interpreter.scenarios.account import Account

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
    tried: Callable[[Sequence[Any]], tuple[bool | None, int]] | None = None
    """What `holds` gives and how much work it was, in units of an account, where that may be more than one."""


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


def solutions(wanted: Sequence[tuple[Formula, bool]], account: Account | None = None) -> list[Solution]:
    """Ways to make each formula true or false as it is asked, all at once; at most a few.

    `account` bounds the work of many calls together; each call has a bound of its own besides.
    """
    search = _Search(Account() if account is None else account)
    search.spend(len(wanted))
    parts = [_alternatives(formula, wish) for formula, wish in wanted]
    found: list[Solution] = []
    for chosen in islice(product(*parts), MOST_ALTERNATIVES):
        if search.is_over:
            break
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
    return list({_identity(value): value for value in values}.values())


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

    def __init__(self, account: Account) -> None:
        self._left = MOST_TRIES
        self._account = account

    @property
    def is_over(self) -> bool:
        return self._left < 0 or self._account.exhausted

    def spend(self, literals: int) -> None:
        """For looking at literals without evaluating them."""
        self._account.spend(literals // 2 + 1)

    def solve(self, literals: Sequence[_Literal]) -> Solution | None:
        """A value for every place so that all literals are as wanted."""
        self.spend(len(literals))
        constant = [each for each in literals if not each[0].places]
        literals = [each for each in literals if each[0].places]
        if not all(self._is_so(each, {}) for each in constant):
            return None
        # What must hold allows for few values, what must not for many: the values of the former come first.
        literals.sort(key=lambda literal: not literal[1])
        pools = _pools(literals)
        return self._filled(list(pools), pools, _decided_at(list(pools), literals))

    def _filled(
        self,
        order: list[Place],
        pools: Mapping[Place, list[Any]],
        ready: Mapping[Place, list[_Literal]],
    ) -> Solution | None:
        solution: Solution = {}
        untried: list[Iterator[Any]] = []
        while len(solution) < len(order):
            place = order[len(solution)]
            if len(untried) == len(solution):
                untried.append(iter(pools[place]))
            if self.is_over:
                return None
            for value in untried[-1]:
                solution[place] = value
                if all(self._is_so(literal, solution) for literal in ready[place]):
                    break
            else:
                solution.pop(place, None)
                untried.pop()
                if not untried:
                    return None
                solution.pop(order[len(untried) - 1])  # the place before takes its next value
        return solution

    def _is_so(self, literal: _Literal, solution: Mapping[Place, Any]) -> bool:
        if self.is_over:
            return False
        comparison, wanted = literal
        values = [solution[place] for place in comparison.places]
        if comparison.tried is None:
            holds, work = comparison.holds(values), 1
        else:
            holds, work = comparison.tried(values)
        self._left -= 1
        self._account.spend(work)
        return holds is wanted


def _decided_at(order: list[Place], literals: Sequence[_Literal]) -> dict[Place, list[_Literal]]:
    """Of each place the literals whose last place it is."""
    numbers = {place: number for number, place in enumerate(order)}
    decided: dict[Place, list[_Literal]] = {place: [] for place in order}
    for each in literals:
        decided[order[max(numbers[place] for place in each[0].places)]].append(each)
    return decided


def _pools(literals: Sequence[_Literal]) -> dict[Place, list[Any]]:
    """The values worth trying at each place, at most so many."""
    pools: dict[Place, dict[Any, Any]] = {}
    for comparison, _ in literals:
        for place, values in zip(comparison.places, comparison.suggested, strict=True):
            pool = pools.setdefault(place, {})
            if len(pool) < MOST_SUGGESTED:
                pool |= {_identity(value): value for value in values if _identity(value) not in pool}
    for comparison, _ in literals:
        if len(comparison.places) > 1 and any(
            len(pools[place]) < MOST_SUGGESTED for place in comparison.places
        ):
            together = distinct(value for place in comparison.places for value in pools[place].values())[:20]
            beside = {_identity(other): other for value in together for other in (value, *near(value))}
            for place in comparison.places:
                pools[place] = {**pools[place], **beside}
    return {place: list(pool.values())[:MOST_SUGGESTED] for place, pool in pools.items()}


def _identity(value: Any) -> tuple[type, str]:
    """Tells values apart, `1` and `True` and `1.0` too."""
    return type(value), repr(value)
