"""Values to and from the JSONata library: it has its own null, because its None means "undefined"."""

from collections.abc import Mapping
from typing import Any, Final

from jsonata.utils import Utils

_MOST_EXACT: Final = 2**63 - 1


class NotJson(Exception):
    """An expression gave something that is no JSON value, such as a function."""


def library_value(value: Any) -> Any:
    """A copy of a JSON value for the library, which changes lists it is given, with the library's null."""
    if value is None:
        return Utils.NULL_VALUE
    if isinstance(value, dict | Mapping):
        return {name: library_value(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [library_value(item) for item in value]
    return value


def plain_value(value: Any) -> Any:
    """The JSON value of a result: plain lists and objects, None for null, 2 for 2.0. Raises NotJson."""
    if value is Utils.NULL_VALUE or value is None:
        return None
    if isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        # JSONata has no whole numbers of its own; beyond 64 bits they would not be JSON that all can read
        return value if -_MOST_EXACT <= value <= _MOST_EXACT else float(value)
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) <= 2**53 else value
    if isinstance(value, list):
        return [plain_value(item) for item in value]
    if isinstance(value, dict):
        return {str(name): plain_value(inner) for name, inner in value.items()}
    raise NotJson("a function")
