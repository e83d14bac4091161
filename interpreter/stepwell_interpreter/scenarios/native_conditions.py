"""Conditions of native documents as formulas for the solver; places are the paths as they are written."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from stepwell_schemas.conditions import OPERATORS

from stepwell_interpreter.conditions import Condition, compile_condition
from stepwell_interpreter.failures import CompileProblem, StateFailure
from stepwell_interpreter.paths import is_path
from stepwell_interpreter.scenarios.solving import (
    UNKNOWN,
    Comparison,
    Every,
    Formula,
    Negation,
    Some,
    moments,
    near,
)
from stepwell_interpreter.scope import MISSING, Scope

_KINDS: Final[tuple[Any, ...]] = ("text", 1, True, {}, [], "2026-01-01T00:00:00Z", None, 0, "")
_OTHER_SIDES: Final = (10, "text", "2026-01-01T00:00:00Z", True, ["text"])
"""What the right side is taken to be where it is a path itself."""


def native_formula(condition: Mapping[str, Any]) -> Formula:
    """The formula of a condition, `next` and `comment` beside it left alone."""
    if "not" in condition:
        return Negation(native_formula(condition["not"]))
    if "and" in condition:
        return Every(tuple(native_formula(part) for part in condition["and"]))
    if "or" in condition:
        return Some(tuple(native_formula(part) for part in condition["or"]))
    operator = next((name for name in OPERATORS if name in condition), None)
    if operator is None or not isinstance(condition.get("variable"), str):
        return UNKNOWN
    return _comparison(condition["variable"], operator, condition[operator])


def _comparison(path: str, operator: str, value: Any) -> Formula:
    other = isinstance(value, str) and is_path(value)
    rule = {"variable": "$.result.left", operator: "$.result.right" if other else value}
    try:
        compiled = compile_condition(rule)
    except CompileProblem:
        return UNKNOWN  # an accepted definition has none
    if compiled.paths and any(not used.path.text.startswith("$.result.") for used in compiled.paths):
        return UNKNOWN

    def holds(values: Sequence[Any]) -> bool | None:
        named = zip(("left", "right"), values, strict=False)
        return _evaluated(compiled, {name: each for name, each in named if each is not MISSING})

    if other:
        left = tuple(each for value in _OTHER_SIDES for each in (value, *near(value)))
        return Comparison((path, value), holds, ((*left, [10], *_KINDS), _OTHER_SIDES))
    return Comparison((path,), holds, (tuple(_suggested(operator, value)),))


def _evaluated(condition: Condition, result: dict[str, Any]) -> bool | None:
    try:
        return condition(Scope(result=result), [])
    except StateFailure:
        return None


def _suggested(operator: str, value: Any) -> list[Any]:
    match operator:
        case "isPresent":
            return ["text", MISSING]
        case "in" if isinstance(value, list):
            return [*value[:5], *(other for each in value[:5] for other in near(each)), *_KINDS]
        case "contains":
            return [value, [value], "", [], *_KINDS]
        case "before" | "after":
            return [*moments(value), value, *_KINDS]
        case "matches" if isinstance(value, str):
            return [value.replace("*", ""), value.replace("*", "x"), f"{value}-other", "", *_KINDS]
        case _:
            return [value, *near(value), *_KINDS]
