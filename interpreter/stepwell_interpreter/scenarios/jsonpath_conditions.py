"""JSONPath choice rules as formulas for the solver. The rule itself decides; here are only values worth trying."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from stepwell_interpreter.asl.expressions import JSONPATH, AslSyntax, compile_choice_rule
from stepwell_interpreter.asl.path_syntax import parse_path
from stepwell_interpreter.failures import StateFailure
from stepwell_interpreter.scenarios.asl_places import AslPlace, place_of_query, scope_with
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
from stepwell_interpreter.scope import MISSING

_KINDS: Final[tuple[Any, ...]] = ("text", 1, True, "2026-01-01T00:00:00Z", None, {}, [])
_SAMPLES: Final = {
    "String": ("text", "text-other"),
    "Numeric": (10, 11, 9),
    "Boolean": (True, False),
    "Timestamp": ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "2025-12-31T23:59:59Z"),
}


def jsonpath_formula(rule: Mapping[str, Any]) -> Formula:
    """The formula of a rule; `Next`, `Assign`, `Output` and `Comment` are left alone."""
    if "Not" in rule:
        return Negation(jsonpath_formula(rule["Not"]))
    if "And" in rule:
        return Every(tuple(jsonpath_formula(part) for part in rule["And"]))
    if "Or" in rule:
        return Some(tuple(jsonpath_formula(part) for part in rule["Or"]))
    try:
        return _comparison(rule)
    except AslSyntax:
        return UNKNOWN  # an accepted definition has none


def _comparison(rule: Mapping[str, Any]) -> Formula:
    operator = next(name for name in rule if name not in ("Variable", "Next", "Comment", "Assign", "Output"))
    value = rule[operator]
    compiled = compile_choice_rule({"Variable": rule["Variable"], operator: value}, JSONPATH)
    places: list[AslPlace] = [place_of_query(parse_path(rule["Variable"])).place]
    suggested = [_suggested(operator, value)]
    if operator.endswith("Path"):
        places.append(place_of_query(parse_path(value)).place)
        suggested.append(list(suggested[0]))

    def holds(values: Sequence[Any]) -> bool | None:
        try:
            return compiled(scope_with(places, values))
        except StateFailure:
            return None

    return Comparison(tuple(places), holds, tuple(tuple(each) for each in suggested))


def _suggested(operator: str, value: Any) -> list[Any]:
    kind = next((kind for kind in _SAMPLES if operator.startswith(kind)), "")
    match operator:
        case "IsPresent":
            return ["text", MISSING]
        case "StringMatches":
            return [value.replace("*", ""), value.replace("*", "x"), _unescaped(value), f"{value}-other", ""]
        case "IsNull" | "IsString" | "IsNumeric" | "IsBoolean" | "IsTimestamp":
            # A value of the kind itself first: what goes on with it will want that.
            return [*_OF_KIND.get(operator, ()), *_KINDS]
        case _ if operator.endswith("Path"):
            return [*_SAMPLES.get(kind, ()), *_KINDS]
        case _ if kind == "Timestamp":
            return [value, *moments(value), *_KINDS]
        case _:
            return [value, *near(value), *_KINDS]


_OF_KIND: Final = {
    "IsNull": (None,),
    "IsString": ("text",),
    "IsNumeric": (1,),
    "IsBoolean": (True,),
    "IsTimestamp": ("2026-01-01T00:00:00Z",),
}


def _unescaped(glob: str) -> str:
    return glob.replace("\\*", "\0").replace("*", "x").replace("\0", "*").replace("\\\\", "\\")
