"""Functions on timestamps (RFC 3339) and durations (ISO 8601 or seconds). Results are UTC in ms."""

from collections.abc import Callable
from typing import Any

from stepwell_schemas.durations import duration_ms, format_ms, timestamp_ms

from stepwell_interpreter.function_arguments import Arguments, Number


def time_add(arguments: Arguments) -> str:
    """The timestamp moved by a duration; a minus before it (`-PT5M`, or -300) moves back."""
    moment = _read(arguments, arguments.values[0], 0, timestamp_ms)
    try:
        return format_ms(moment + _signed_duration(arguments))
    except ValueError as error:
        raise arguments.failed(str(error)) from error


def time_diff(arguments: Arguments) -> Number:
    """Seconds from the first timestamp to the second; below zero where the second is earlier."""
    milliseconds = _read(arguments, arguments.values[1], 1, timestamp_ms) - _read(
        arguments, arguments.values[0], 0, timestamp_ms
    )
    return milliseconds // 1000 if milliseconds % 1000 == 0 else milliseconds / 1000


def _signed_duration(arguments: Arguments) -> int:
    value = arguments.values[1]
    if isinstance(value, str) and value.startswith("-"):
        return -_read(arguments, value[1:], 1, duration_ms)
    if isinstance(value, int | float) and value < 0:
        return -_read(arguments, -value, 1, duration_ms)
    return _read(arguments, value, 1, duration_ms)


def _read(arguments: Arguments, value: Any, position: int, read: Callable[[object], int]) -> int:
    try:
        return read(value)
    except ValueError as error:
        raise arguments.failed(f"argument {position + 1}: {error}") from error
