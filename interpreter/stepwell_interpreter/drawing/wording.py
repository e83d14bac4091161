"""Short human texts for what a definition says in JSON: conditions, durations, values. Any input is told somehow."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from stepwell_schemas.durations import duration_ms

SIGNS: dict[str, str] = {
    "equals": "=",
    "notEquals": "≠",
    "greaterThan": ">",
    "greaterThanOrEquals": "≥",
    "lessThan": "<",
    "lessThanOrEquals": "≤",
    "before": "before",
    "after": "after",
    "contains": "contains",
    "startsWith": "starts with",
    "endsWith": "ends with",
    "matches": "matches",
    "in": "in",
}
TESTS: dict[str, str] = {
    "isNull": "null",
    "isPresent": "present",
    "isString": "a text",
    "isNumber": "a number",
    "isBoolean": "true or false",
    "isObject": "an object",
    "isArray": "a list",
    "isTimestamp": "a timestamp",
}
UNITS = (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1))
MAX_VALUE = 32
MAX_TEXT = 400
MAX_NESTING = 6


def condition_text(condition: Any, depth: int = 0) -> str:
    """A native condition: `count ≥ 2 and not owner is null`."""
    if not isinstance(condition, Mapping) or depth > MAX_NESTING:
        return "…"
    for word in ("and", "or"):
        if word in condition:
            return joined(word, condition[word], lambda part: condition_text(part, depth + 1), depth)
    if "not" in condition:
        return f"not ({condition_text(condition['not'], depth + 1)})"
    subject = path_text(condition.get("variable"))
    for operator, sign in SIGNS.items():
        if operator in condition:
            return f"{subject} {sign} {value_text(condition[operator])}"
    for operator, word in TESTS.items():
        if operator in condition:
            return f"{subject} {'is' if condition[operator] is not False else 'is not'} {word}"
    return subject or "…"


def joined(word: str, parts: Any, tell: Any, depth: int) -> str:
    """`a and b`, in brackets where it stands inside another condition."""
    told = (
        [tell(part) for part in parts[:8]]
        if isinstance(parts, Sequence) and not isinstance(parts, str)
        else []
    )
    whole = shortened(f" {word} ".join(told) or "…", MAX_TEXT)
    return f"({whole})" if depth and len(told) > 1 else whole


def path_text(path: Any) -> str:
    """A path without what every path begins with: `$.state.events.count` is `events.count`."""
    if not isinstance(path, str):
        return value_text(path)
    for prefix in ("$.state.", "$.", "$"):
        if path.startswith(prefix) and not path.startswith("$$") and len(path) > len(prefix):
            return path[len(prefix) :] if path[len(prefix)] != "[" or prefix == "$" else path
    return path


def value_text(value: Any) -> str:
    """A value on the right side of a comparison: texts in quotes, paths bare, functions by name, the rest as JSON."""
    if isinstance(value, str):
        return path_text(value) if value.startswith(("$.", "$[")) else f"“{shortened(value, MAX_VALUE)}”"
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, int | float):
        return plain_number(value)
    if isinstance(value, Mapping):
        return _object_text(value)
    if isinstance(value, Sequence):
        told = [value_text(item) if not isinstance(item, Mapping | list) else "…" for item in value[:4]]
        return shortened(f"[{', '.join(told)}{', …' if len(value) > 4 else ''}]", MAX_VALUE)
    return "…"


def duration_text(value: Any) -> str:
    """`PT48H` is `48 h`, 90 is `90 s`; a path is shown as it is."""
    if isinstance(value, str) and value.startswith("$"):
        return path_text(value)
    if isinstance(value, Mapping):
        return _object_text(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    try:
        return milliseconds_text(duration_ms(value))
    except (ValueError, OverflowError):
        return shortened(str(value), MAX_VALUE)


def milliseconds_text(milliseconds: int) -> str:
    """In the largest unit that needs no fraction; days only from two on, since people say 48 h."""
    if milliseconds == 0:
        return "0 s"
    for name, size in UNITS:
        if milliseconds % size == 0 and milliseconds >= (3 * size if name == "d" else size):
            return f"{milliseconds // size} {name}"
    return f"{milliseconds} ms"


def errors_text(caught: Sequence[str]) -> str:
    """The names of a catcher: `Timeout, PaymentRefused`."""
    told = ["any error" if name == "States.ALL" else name.removeprefix("States.") for name in caught]
    return ", ".join(told[:3]) + (f" and {len(told) - 3} more" if len(told) > 3 else "")


def plain_number(value: float) -> str:
    """A number as people write it."""
    if isinstance(value, float) and not math.isfinite(value):
        return "…"
    return shortened(f"{value:g}" if isinstance(value, float) else _digits(value), MAX_VALUE)


def shortened(text: str, limit: int) -> str:
    """The text on at most `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _digits(value: int) -> str:
    # Python refuses to print integers of thousands of digits, which JSON may hold.
    return str(value) if abs(value) < 10**24 else "a huge number"


def _object_text(value: Mapping[Any, Any]) -> str:
    functions = [key for key in value if isinstance(key, str) and key.startswith("$")]
    if functions == ["$path"] or functions == ["$path", "$default"]:
        return path_text(value["$path"])
    return f"{shortened(functions[0][1:], 20)}(…)" if functions else "{…}"
