"""From Choice rules of ASL to conditions of the native dialect, with ASL's types: another type is never equal."""

from collections.abc import Callable, Mapping
from typing import Any

from stepwell_interpreter.asl.translate_values import Source, Untranslatable, literal
from stepwell_interpreter.failures import pointer_to

Condition = dict[str, Any]

_TESTS = {
    "IsNull": "isNull",
    "IsPresent": "isPresent",
    "IsString": "isString",
    "IsNumeric": "isNumber",
    "IsBoolean": "isBoolean",
    "IsTimestamp": "isTimestamp",
}
_ORDERINGS = {
    "Equals": "equals",
    "LessThan": "lessThan",
    "GreaterThan": "greaterThan",
    "LessThanEquals": "lessThanOrEquals",
    "GreaterThanEquals": "greaterThanOrEquals",
}
_TYPES = {"String": "isString", "Numeric": "isNumber", "Boolean": "isBoolean"}


def condition(rule: Mapping[str, Any], source: Source, pointer: str) -> Condition:
    """One rule, without its Next."""
    for name, native in (("And", "and"), ("Or", "or")):
        if name in rule:
            place = pointer_to(pointer, name)
            return {
                native: [condition(part, source, pointer_to(place, at)) for at, part in enumerate(rule[name])]
            }
    if "Not" in rule:
        return {"not": condition(rule["Not"], source, pointer_to(pointer, "Not"))}
    operator = next(key for key in rule if key not in ("Variable", "Next", "Comment"))
    variable = source.path(rule["Variable"], pointer_to(pointer, "Variable"))
    place = pointer_to(pointer, operator)
    if operator in _TESTS:
        return {"variable": variable, _TESTS[operator]: rule[operator]}
    if operator == "StringMatches":
        return {"variable": variable, "matches": literal(rule[operator])}
    return _comparison(variable, operator, rule[operator], source, place)


def _comparison(variable: str, operator: str, value: Any, source: Source, pointer: str) -> Condition:
    by_path = operator.endswith("Path")
    operator = operator.removesuffix("Path")
    right = source.path(value, pointer) if by_path else literal(value)
    if operator.startswith("Timestamp"):
        if by_path:
            raise Untranslatable(pointer, "timestamps are compared with a written one only")
        return _TIMES[operator.removeprefix("Timestamp")](variable, right)
    kind = next(name for name in _TYPES if operator.startswith(name))
    compared = {"variable": variable, _ORDERINGS[operator.removeprefix(kind)]: right}
    # A value that is found may be of any type; what is written has the operator's type already.
    return {"and": [{"variable": variable, _TYPES[kind]: True}, compared]} if by_path else compared


def _not_before(variable: str, right: Any) -> Condition:
    return {"and": [_is_timestamp(variable), {"not": {"variable": variable, "before": right}}]}


def _not_after(variable: str, right: Any) -> Condition:
    return {"and": [_is_timestamp(variable), {"not": {"variable": variable, "after": right}}]}


def _same_time(variable: str, right: Any) -> Condition:
    return {"and": [_not_before(variable, right), {"not": {"variable": variable, "after": right}}]}


def _is_timestamp(variable: str) -> Condition:
    return {"variable": variable, "isTimestamp": True}


_TIMES: dict[str, Callable[[str, Any], Condition]] = {
    "Equals": _same_time,
    "LessThan": lambda variable, right: {"variable": variable, "before": right},
    "GreaterThan": lambda variable, right: {"variable": variable, "after": right},
    "LessThanEquals": _not_after,
    "GreaterThanEquals": _not_before,
}
