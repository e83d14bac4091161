"""The conditions of JSONPath filters, compared as Jayway's JsonPath compares: by kind, nothing raised.

A member that is not there equals nothing, null included.
"""

import operator as standard
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import re2

from stepwell_interpreter.asl.path_syntax import (
    Both,
    Comparison,
    Condition,
    Constant,
    Either,
    Exists,
    Negated,
    Operand,
    Pattern,
    Query,
)
from stepwell_interpreter.asl.syntax import AslSyntax
from stepwell_interpreter.asl.values import is_number, json_text
from stepwell_interpreter.scope import MISSING
from stepwell_interpreter.values import same

Roots = Callable[[str], Any]
Holds = Callable[[Any, Roots, Any], bool]
Read = Callable[[Any, Roots, Any], Any]
Matches = Callable[[Query], Callable[[Any, Roots, Any], Sequence[Any]]]

_ORDERS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": standard.lt,
    "<=": standard.le,
    ">": standard.gt,
    ">=": standard.ge,
}


def compile_condition(condition: Condition, matches: Matches) -> Holds:
    """Whether a value passes a filter. `matches` compiles the paths inside it."""
    match condition:
        case Both(parts):
            tests = [compile_condition(part, matches) for part in parts]
            return lambda node, roots, budget: all(test(node, roots, budget) for test in tests)
        case Either(parts):
            tests = [compile_condition(part, matches) for part in parts]
            return lambda node, roots, budget: any(test(node, roots, budget) for test in tests)
        case Negated(part):
            inner = compile_condition(part, matches)
            return lambda node, roots, budget: not inner(node, roots, budget)
        case Exists(query):
            read = _reader(query, matches)
            return lambda node, roots, budget: read(node, roots, budget) is not MISSING
        case Comparison(left, operator, right):
            return _comparison(left, operator, right, matches)


def _comparison(left: Operand, operator: str, right: Operand, matches: Matches) -> Holds:
    if operator == "=~":
        return _matching(left, right, matches)
    read_left, read_right = _reader(left, matches), _reader(right, matches)
    compare = _COMPARISONS[operator]
    return lambda node, roots, budget: compare(
        read_left(node, roots, budget), read_right(node, roots, budget)
    )


def _matching(left: Operand, right: Operand, matches: Matches) -> Holds:
    if not isinstance(right, Pattern):
        raise AslSyntax("The right side of =~ must be a regular expression /.../")
    read = _reader(left, matches)
    pattern = _compiled(right)

    def holds(node: Any, roots: Roots, budget: Any) -> bool:
        value = read(node, roots, budget)
        if isinstance(value, str):
            budget.spend(1 + len(value) // 64)
            return bool(pattern.fullmatch(value))
        return False

    return holds


def _compiled(pattern: Pattern) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = "i" not in pattern.flags
    options.dot_nl = "s" in pattern.flags
    try:
        return re2.compile(pattern.source, options=options)
    except re2.error as error:
        raise AslSyntax(f"/{pattern.source}/ is not a regular expression that is supported") from error


def _reader(operand: Operand, matches: Matches) -> Read:
    match operand:
        case Constant(value):
            return lambda node, roots, budget: value
        case Pattern(source):
            return lambda node, roots, budget: source
        case Query():
            find = matches(operand)
            definite, root = operand.definite, operand.root

            def read(node: Any, roots: Roots, budget: Any) -> Any:
                found = find(node if root == "@" else roots(root), roots, budget)
                if definite:
                    return found[0] if found else MISSING
                return list(found) or MISSING

            return read


def _equal(left: Any, right: Any) -> bool:
    if left is MISSING or right is MISSING:
        return False
    # JsonPath reads a text as a number beside a number on the left, and a number as a text beside a text
    if is_number(left) and isinstance(right, str):
        return bool(_as_number(right) == left)
    if isinstance(left, str) and is_number(right):
        return bool(json_text(right) == left)
    return same(left, right)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def holds(left: Any, right: Any) -> bool:
        comparable: bool = (is_number(left) and is_number(right)) or (
            isinstance(left, str) and isinstance(right, str)
        )
        return comparable and compare(left, right)

    return holds


def _within(left: Any, right: Any) -> bool:
    return left is not MISSING and isinstance(right, list) and any(_equal(left, item) for item in right)


def _contains(left: Any, right: Any) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        return right in left
    return _within(right, left)


def _any_of(left: Any, right: Any) -> bool:
    return isinstance(left, list) and any(_within(item, right) for item in left)


def _subset(left: Any, right: Any) -> bool:
    return isinstance(left, list) and all(_within(item, right) for item in left)


def _sized(left: Any, right: Any) -> bool:
    return isinstance(left, str | list) and is_number(right) and len(left) == right


def _emptiness(left: Any, right: Any) -> bool:
    return isinstance(left, str | list | Mapping) and isinstance(right, bool) and (not left) is right


def _as_number(text: str) -> float | int | None:
    try:
        return int(text) if text.lstrip("+-").isdigit() and len(text) < 400 else float(text)
    except ValueError:
        return None


_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": _equal,
    "!=": lambda left, right: not _equal(left, right),
    **{name: _ordered(compare) for name, compare in _ORDERS.items()},
    "in": _within,
    "nin": lambda left, right: left is not MISSING and not _within(left, right),
    "contains": _contains,
    "anyof": _any_of,
    "noneof": lambda left, right: isinstance(left, list) and not _any_of(left, right),
    "subsetof": _subset,
    "size": _sized,
    "empty": _emptiness,
}
