"""JSON values as AWS writes them in causes: compact text, and the words for their kinds."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

LONGEST_SHOWN: Final = 20_000
"""Characters of a value that a cause repeats; AWS cuts causes at 32,768."""

_PLAIN_KINDS: Final[dict[type, str]] = {
    str: "string",
    bool: "boolean",
    int: "number",
    float: "number",
    list: "array",
    dict: "object",
    type(None): "null",
}


def json_text(value: Any) -> str:
    """The compact JSON text of a value."""
    try:
        return orjson.dumps(value, default=_plain).decode()
    except (orjson.JSONEncodeError, RecursionError):
        # numbers beyond 64 bits and texts that are not UTF-8: rare, and only shown to people
        return str(value)


def shown(value: Any) -> str:
    """The JSON text of a value, cut to what a cause may carry."""
    text = json_text(value)
    return text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "..."


def kind_of(value: Any) -> str:
    """AWS's word for what a value is: `string number boolean null array object`."""
    found = _PLAIN_KINDS.get(type(value))
    if found is not None:
        return found
    return "object" if isinstance(value, Mapping) else "array"


def is_number(value: Any) -> bool:
    """Whether a value is a number; booleans are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_whole(value: Any) -> bool:
    """Whether a value is a number without a fraction: 2 and 2.0."""
    return is_number(value) and (isinstance(value, int) or value.is_integer())


def without_fraction(value: Any) -> Any:
    """2 for 2.0; every other value as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(type(value).__name__)
