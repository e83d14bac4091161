"""Makes conditions of choices true or false: which values which paths must have for it. Native conditions only.

A condition is spread out to alternatives, each a list of comparisons that must hold or must not; for every path a
value is looked for among those that the comparisons themselves suggest.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

from stepwell_schemas.conditions import OPERATORS
from stepwell_schemas.durations import format_ms, timestamp_ms

from stepwell_interpreter.conditions import compile_condition
from stepwell_interpreter.failures import CompileProblem, StateFailure
from stepwell_interpreter.paths import is_path
from stepwell_interpreter.scope import MISSING, Scope

MOST_ALTERNATIVES: Final = 24
PLACEHOLDER: Final = 10
"""What the right side is taken to be where it is a path itself."""

Solution = dict[str, Any]
"""Path -> the value it must have; MISSING: it must not be there."""


@dataclass(frozen=True, slots=True)
class Literal:
    """One comparison that must hold, or must not."""

    path: str
    operator: str
    value: Any
    wanted: bool


def solutions(conditions: Sequence[tuple[Mapping[str, Any], bool]]) -> list[Solution]:
    """Ways to make each condition true or false as it is asked, all at once; at most a few."""
    parts = [_alternatives(condition, wanted) for condition, wanted in conditions]
    found: list[Solution] = []
    for number, chosen in enumerate(product(*parts)):
        if number >= MOST_ALTERNATIVES:
            break
        solution = _solve([literal for part in chosen for literal in part])
        if solution is not None and solution not in found:
            found.append(solution)
    return found


def _alternatives(condition: Mapping[str, Any], wanted: bool) -> list[list[Literal]]:
    if "not" in condition:
        return _alternatives(condition["not"], not wanted)
    for key in ("and", "or"):
        if key in condition:
            inner = [_alternatives(part, wanted) for part in condition[key]]
            if (key == "and") == wanted:
                joined = [[each for part in chosen for each in part] for chosen in _first(product(*inner))]
                return joined[:MOST_ALTERNATIVES]
            return [alternative for part in inner for alternative in part][:MOST_ALTERNATIVES]
    operator = next((name for name in OPERATORS if name in condition), None)
    if operator is None or not isinstance(condition.get("variable"), str):
        return [[]]
    return [[Literal(condition["variable"], operator, condition[operator], wanted)]]


def _first(combinations: Iterable[tuple[list[Literal], ...]]) -> list[tuple[list[Literal], ...]]:
    return [combination for combination, _ in zip(combinations, range(MOST_ALTERNATIVES), strict=False)]


def _solve(literals: Sequence[Literal]) -> Solution | None:
    solution: Solution = {}
    fixed: list[Literal] = []
    for each in literals:
        if is_path(each.value):
            solution[each.value] = PLACEHOLDER
            fixed.append(Literal(each.path, each.operator, PLACEHOLDER, each.wanted))
        else:
            fixed.append(each)
    for path in dict.fromkeys(each.path for each in fixed):
        own = [each for each in fixed if each.path == path]
        pool = [solution[path]] if path in solution else [value for each in own for value in _suggested(each)]
        value = next((value for value in pool if all(_holds(each, value) for each in own)), None)
        if value is None and not any(value is None and all(_holds(e, None) for e in own) for value in pool):
            return None
        solution[path] = value
    return solution


def _holds(literal: Literal, value: Any) -> bool:
    rule = {"variable": "$.result.value", literal.operator: literal.value}
    try:
        held = compile_condition(rule)(Scope(result={} if value is MISSING else {"value": value}), [])
    except (CompileProblem, StateFailure):
        return False
    return held == literal.wanted


def _suggested(literal: Literal) -> list[Any]:
    """Values worth trying: some that make the comparison hold, some that do not."""
    value = literal.value
    kinds: list[Any] = ["text", 1, True, {}, [], "2026-01-01T00:00:00Z", None, 0, ""]
    if literal.operator in ("isPresent",):
        return ["text", MISSING]
    if literal.operator == "in" and isinstance(value, list):
        return [*value[:5], *(other for each in value[:5] for other in _near(each)), *kinds]
    if literal.operator in ("contains",):
        return [value, [value], "", [], *kinds]
    if literal.operator in ("before", "after"):
        return [*_moments(value), *kinds]
    if literal.operator == "matches" and isinstance(value, str):
        return [value.replace("*", ""), value.replace("*", "x"), f"{value}-other", "", *kinds]
    return [value, *_near(value), *kinds]


def _near(value: Any) -> list[Any]:
    match value:
        case bool():
            return [not value]
        case int() | float():
            return [value + 1, value - 1]
        case str():
            return [f"{value}-other", f"{value}z", value[:-1]]
        case _:
            return []


def _moments(value: Any) -> list[str]:
    try:
        at = timestamp_ms(value)
    except ValueError:
        return []
    return [format_ms(at + 1000), format_ms(at - 1000), format_ms(at)]
