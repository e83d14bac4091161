"""The rules of a Choice's Choices: the 39 comparisons of JSONPath with And, Or and Not, and JSONata's Condition."""

from collections.abc import Mapping
from typing import Any

from stepwell_interpreter.asl.syntax import JSONATA
from stepwell_interpreter.asl.validate_errors import check_required
from stepwell_interpreter.asl.validate_fields import (
    Place,
    Rule,
    assignment,
    boolean,
    context_or_reference,
    expression,
    is_expression,
    number,
    structure,
    template,
    text,
    timestamp,
)

MAX_DEPTH = 50

_ORDERINGS = ("Equals", "LessThan", "GreaterThan", "LessThanEquals", "GreaterThanEquals")
_any_number = number(float("-inf"), None, integral=False)
_LITERALS: dict[str, Rule] = {
    **{f"String{ordering}": text for ordering in _ORDERINGS},
    **{f"Numeric{ordering}": _any_number for ordering in _ORDERINGS},
    **{f"Timestamp{ordering}": timestamp for ordering in _ORDERINGS},
    "BooleanEquals": boolean,
}
OPERATORS: dict[str, Rule] = {
    **_LITERALS,
    **{f"{name}Path": context_or_reference for name in _LITERALS},
    "StringMatches": text,
    **{f"Is{kind}": boolean for kind in ("Null", "Present", "Numeric", "String", "Boolean", "Timestamp")},
}
_COMBINATORS = ("And", "Or", "Not")
_RULE_FIELDS = ("Next", "Comment", "Assign")
_JSONATA_FIELDS = ("Condition", "Next", "Comment", "Assign", "Output")


def check_choices(value: Any, place: Place) -> None:
    """The list of rules."""
    if not isinstance(value, list):
        place.error("Expected value of type Array")
        return
    if not value:
        place.error("Array must not be empty")
    for index, rule in enumerate(value):
        here = place.at(index)
        if structure(rule, here):
            if place.language == JSONATA:
                _check_jsonata(rule, here)
            else:
                _check_rule(rule, here, depth=0)


def _check_jsonata(rule: Mapping[str, Any], place: Place) -> None:
    check_required(rule, ("Next", "Condition"), place)
    _check_known(rule, (*_JSONATA_FIELDS,), place, only_jsonpath=("Variable", *OPERATORS, *_COMBINATORS))
    _check_common(rule, place)
    if "Output" in rule:
        template(rule["Output"], place.at("Output"))
    condition = rule.get("Condition", True)
    if is_expression(condition):
        expression(condition, place.at("Condition"))
    elif not isinstance(condition, bool):
        place.at("Condition").error("Value must be a valid JSONata expression that evaluates to a Boolean")


def _check_rule(rule: Mapping[str, Any], place: Place, depth: int) -> None:
    """A rule at the top has Next; those inside And, Or and Not have neither Next nor Assign."""
    if depth > MAX_DEPTH:
        place.error(f"Choice rules are nested deeper than {MAX_DEPTH} levels")
        return
    if depth == 0:
        check_required(rule, ("Next",), place)
        _check_common(rule, place)
    combinators = [name for name in _COMBINATORS if name in rule]
    operators = [name for name in rule if name in OPERATORS]
    fields = ("Variable", "Comment", *OPERATORS, *_COMBINATORS, *(_RULE_FIELDS if depth == 0 else ()))
    _check_known(rule, fields, place, only_jsonata=("Condition", "Output"))
    if len(combinators) + len(operators) != 1:
        _tell_count(combinators + operators, place)
    elif combinators:
        _check_combination(combinators[0], rule[combinators[0]], place.at(combinators[0]), depth)
    else:
        _check_comparison(rule, operators[0], place)


def _check_comparison(rule: Mapping[str, Any], operator: str, place: Place) -> None:
    check_required(rule, ("Variable",), place)
    if "Variable" in rule:
        context_or_reference(rule["Variable"], place.at("Variable"))
    OPERATORS[operator](rule[operator], place.at(operator))


def _check_combination(name: str, value: Any, place: Place, depth: int) -> None:
    if name == "Not":
        if structure(value, place):
            _check_rule(value, place, depth + 1)
        return
    if not isinstance(value, list):
        place.error("Expected value of type Array")
        return
    if not value:
        place.error("Array must not be empty")
    for index, part in enumerate(value):
        if structure(part, place.at(index)):
            _check_rule(part, place.at(index), depth + 1)


def _check_common(rule: Mapping[str, Any], place: Place) -> None:
    for field in ("Next", "Comment"):
        if field in rule:
            text(rule[field], place.at(field))
    if "Assign" in rule:
        assignment(rule["Assign"], place.at("Assign"))


def _check_known(
    rule: Mapping[str, Any],
    fields: tuple[str, ...],
    place: Place,
    only_jsonpath: tuple[str, ...] = (),
    only_jsonata: tuple[str, ...] = (),
) -> None:
    for field in rule:
        if field in only_jsonpath or field in only_jsonata:
            other = "JSONPath" if field in only_jsonpath else "JSONata"
            place.error(
                f"The QueryLanguage is set to '{place.language}', but field '{field}' is only supported for the "
                f"'{other}' QueryLanguage"
            )
        elif field not in fields:
            place.error(f"Field '{field}' is not supported")


def _tell_count(names: list[str], place: Place) -> None:
    if names:
        place.error(f"There should only be one of the following fields: [{', '.join(names)}]")
    else:
        place.error("A Choice rule must have exactly one comparison operator, or one of [And, Or, Not]")
