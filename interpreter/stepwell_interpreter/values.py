"""What JSON values are to the language: typed equality, order and kinds. Nothing is ever coerced.

Numbers are one kind (1 equals 1.0), a boolean is not a number, and text is never a number.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

DEEPEST: Final = 100
"""How deep a value may nest where a function walks it by recursion."""

_SHOWN_TEXT = 256
_SHOWN_BYTES = 1_024
_SCALARS = frozenset({bool, int, float, type(None)})


def same(left: Any, right: Any) -> bool:
    """Whether two JSON values are equal, kinds included: 1 is 1.0, true is not 1, "17" is not 17."""
    kind = type(left)
    if kind is type(right) and (kind is str or kind is int):
        return bool(left == right)
    pairs = [(left, right)]
    while pairs:
        left, right = pairs.pop()
        if isinstance(left, list) and isinstance(right, list):
            if len(left) != len(right):
                return False
            pairs.extend(zip(left, right, strict=True))
        elif isinstance(left, Mapping) and isinstance(right, Mapping):
            if left.keys() != right.keys():
                return False
            pairs.extend((value, right[key]) for key, value in left.items())
        elif isinstance(left, bool) or isinstance(right, bool):
            if left is not right:
                return False
        elif left != right:
            return False
    return True


def is_number(value: Any) -> bool:
    """Whether a value is a number; booleans are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def comparable(left: Any, right: Any) -> bool:
    """Whether two values have an order: two numbers, or two texts (by code point)."""
    return (isinstance(left, str) and isinstance(right, str)) or (is_number(left) and is_number(right))


def kind_of(value: Any) -> str:
    """The language's word for what a value is: `null boolean number text list object`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "text"
    if isinstance(value, list):
        return "list"
    return "object" if isinstance(value, Mapping) else "number"


def described(value: Any) -> str:
    """A value and its kind for a message: `'17', a text`."""
    kind = kind_of(value)
    if kind == "null":
        return "null"
    shown = brief(value)
    return f"{shown}, {'an' if kind == 'object' else 'a'} {kind}"


def brief(value: Any) -> str:
    """A value as it is written, cut to what fits in a sentence."""
    if isinstance(value, str):
        return f"'{value[:60]}…'" if len(value) > 60 else f"'{value}'"
    if isinstance(value, list):
        return f"[{counted(len(value), 'item')}]"
    if isinstance(value, Mapping):
        return f"{{{counted(len(value), 'member')}}}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and value.bit_length() > 100:
        return f"a whole number of {value.bit_length()} bits"
    return repr(value)


def recorded(value: Any) -> Any:
    """A value as a history keeps it: whole where it is small, else a text that says what it was."""
    if type(value) in _SCALARS:
        return value
    if isinstance(value, str):
        return value if len(value) <= _SHOWN_TEXT else f"{value[:_SHOWN_TEXT]}… ({len(value)} characters)"
    if len(value) > _SHOWN_TEXT:
        return described(value)
    try:
        size = len(orjson.dumps(value))
    except orjson.JSONEncodeError:
        return described(value)
    return value if size <= _SHOWN_BYTES else described(value)


def counted(number: int, noun: str) -> str:
    """`1 item`, `2 items`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def frozen(value: Any, depth: int = 0) -> Any:
    """A hashable stand-in: two are equal just where `same` is true. RecursionError beyond `DEEPEST`."""
    if depth > DEEPEST:
        raise RecursionError(f"nested deeper than {DEEPEST}")
    if isinstance(value, list):
        return ("list", tuple([frozen(item, depth + 1) for item in value]))
    if isinstance(value, Mapping):
        return ("object", frozenset((key, frozen(item, depth + 1)) for key, item in value.items()))
    return (kind_of(value), value)
