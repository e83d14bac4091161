"""The comparison operators of choice rules, as tables: what they test, and what literal each takes.

Texts are ordered as Java orders them (by UTF-16 unit), timestamps by their moment, and kinds are never coerced.
"""

import operator as standard
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import re2

from stepwell_interpreter.asl.timestamps import parse_nanoseconds
from stepwell_interpreter.asl.values import is_number

Test = Callable[[Any], bool]
Compare = Callable[[Any, Any], bool]

_ORDERS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "Equals": standard.eq,
    "LessThan": standard.lt,
    "LessThanEquals": standard.le,
    "GreaterThan": standard.gt,
    "GreaterThanEquals": standard.ge,
}
_GLOB_PART: Final = re.compile(r"\\([\\*])|(\*)", re.DOTALL)


def string_matcher(glob: str) -> Test:
    """`StringMatches`: `*` stands for any characters; `\\\\*` and `\\\\\\\\` for a star and a backslash."""
    parts: list[str] = []
    at = 0
    for found in _GLOB_PART.finditer(glob):
        parts.append(re2.escape(glob[at : found.start()]))
        parts.append(".*" if found.group(2) else re2.escape(found.group(1)))
        at = found.end()
    parts.append(re2.escape(glob[at:]))
    options = re2.Options()
    options.dot_nl = True
    pattern = re2.compile("".join(parts), options=options)
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def literal_problem(operator: str, value: Any) -> str | None:
    """What AWS says about a literal that an operator does not take, or None."""
    kind = next(kind for kind in _LITERALS if operator.startswith(kind))
    wanted, fits = _LITERALS[kind]
    return None if fits(value) else f"Expected value of type {wanted}"


def _is_timestamp(value: Any) -> bool:
    return isinstance(value, str) and parse_nanoseconds(value) is not None


def _strings(compare: Callable[[Any, Any], bool]) -> Compare:
    def holds(left: Any, right: Any) -> bool:
        if not isinstance(left, str) or not isinstance(right, str):
            return False
        if left.isascii() and right.isascii():
            return compare(left, right)
        return compare(_utf16(left), _utf16(right))

    return holds


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-be", "surrogatepass")


def _numbers(compare: Callable[[Any, Any], bool]) -> Compare:
    return lambda left, right: is_number(left) and is_number(right) and compare(left, right)


def _timestamps(compare: Callable[[Any, Any], bool]) -> Compare:
    def holds(left: Any, right: Any) -> bool:
        if not isinstance(left, str) or not isinstance(right, str):
            return False
        moments = parse_nanoseconds(left), parse_nanoseconds(right)
        return None not in moments and compare(*moments)

    return holds


def _booleans(left: Any, right: Any) -> bool:
    return isinstance(left, bool) and left is right


TESTS: Final[dict[str, Test]] = {
    "IsNull": lambda value: value is None,
    "IsString": lambda value: isinstance(value, str),
    "IsNumeric": is_number,
    "IsBoolean": lambda value: isinstance(value, bool),
    "IsTimestamp": _is_timestamp,
}
"""The operators that ask for the kind of a value; their literal is true or false."""

COMPARISONS: Final[dict[str, Compare]] = {
    "BooleanEquals": _booleans,
    **{f"String{name}": _strings(compare) for name, compare in _ORDERS.items()},
    **{f"Numeric{name}": _numbers(compare) for name, compare in _ORDERS.items()},
    **{f"Timestamp{name}": _timestamps(compare) for name, compare in _ORDERS.items()},
}
"""The operators with a literal on the right; each has a variant with a path, its name followed by `Path`."""

_LITERALS: Final[Mapping[str, tuple[str, Test]]] = {
    "String": ("String", lambda value: isinstance(value, str)),
    "Numeric": ("Numeric", is_number),
    "Boolean": ("Boolean", lambda value: isinstance(value, bool)),
    "Timestamp": ("Timestamp", _is_timestamp),
}
