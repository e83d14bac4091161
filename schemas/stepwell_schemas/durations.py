"""Durations and timestamps as authors write them, as milliseconds. Pure: nothing here reads a clock.

A duration is ISO 8601 (weeks, days, hours, minutes, seconds; a day is 24 hours) or a number of seconds. Years
and months are refused: their length depends on the calendar. A timestamp is RFC 3339, always with its offset.
"""

import math
import re
from datetime import UTC, datetime, timedelta

MAX_DURATION_MS = 100 * 366 * 24 * 3600 * 1000
"""A hundred years: what is longer is a mistake, and would not fit a date."""

DURATION_PATTERN = (
    r"^P(?!$)(\d+(\.\d+)?W)?(\d+(\.\d+)?D)?(T(?=\d)(\d+(\.\d+)?H)?(\d+(\.\d+)?M)?(\d+(\.\d+)?S)?)?$"
)
TIMESTAMP_PATTERN = (
    r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[Tt]"
    r"([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d{1,9})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$"
)

_DURATION = re.compile(
    r"P(?!\Z)(?:([0-9]+(?:\.[0-9]+)?)W)?(?:([0-9]+(?:\.[0-9]+)?)D)?"
    r"(?:T(?=[0-9])(?:([0-9]+(?:\.[0-9]+)?)H)?(?:([0-9]+(?:\.[0-9]+)?)M)?(?:([0-9]+(?:\.[0-9]+)?)S)?)?\Z"
)
_CALENDAR = re.compile(r"P[0-9.YMWD]*[YM]")
_TIMESTAMP = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))\Z"
)
_UNITS_MS = (7 * 86_400_000, 86_400_000, 3_600_000, 60_000, 1_000)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def duration_ms(value: object) -> int:
    """Milliseconds of `PT48H` or of a number of seconds. Raises ValueError saying what is allowed."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{_shown(value)} is not a duration: write ISO 8601 (PT5M) or a number of seconds")
    milliseconds = _iso_ms(value) if isinstance(value, str) else _seconds_ms(value)
    if milliseconds > MAX_DURATION_MS:
        raise ValueError(f"{_shown(value)} is longer than a hundred years")
    return milliseconds


def timestamp_ms(value: object) -> int:
    """Epoch milliseconds of an RFC 3339 timestamp. Raises ValueError saying what is allowed."""
    found = _TIMESTAMP.match(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"{_shown(value)} is not an RFC 3339 timestamp: write 2026-01-31T12:00:00Z")
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    leap = second == 60
    try:
        moment = datetime(year, month, day, hour, minute, 59 if leap else second, tzinfo=UTC)
    except ValueError as error:
        raise ValueError(f"{_shown(value)} is no moment: {error}") from None
    fraction, sign, offset_hours, offset_minutes = found.groups()[6:]
    milliseconds = (moment - _EPOCH) // timedelta(milliseconds=1) + (1000 if leap else 0)
    milliseconds += int(fraction.ljust(3, "0")[:3]) if fraction else 0
    if sign is None:
        return milliseconds
    if int(offset_hours) > 23 or int(offset_minutes) > 59:
        raise ValueError(f"{_shown(value)} is no moment: its offset must be within 23:59")
    offset_ms = (int(offset_hours) * 60 + int(offset_minutes)) * 60_000
    return milliseconds - offset_ms if sign == "+" else milliseconds + offset_ms


def format_ms(epoch_ms: int) -> str:
    """`2026-01-31T12:00:00.000Z`. Raises ValueError outside of the years 1 to 9999."""
    try:
        moment = _EPOCH + timedelta(milliseconds=epoch_ms)
    except OverflowError as error:
        raise ValueError(f"{epoch_ms} ms is outside of the years 1 to 9999") from error
    return moment.isoformat(timespec="milliseconds")[:23] + "Z"


def _iso_ms(text: str) -> int:
    found = _DURATION.match(text)
    if found is None:
        if _CALENDAR.match(text.split("T")[0]):
            raise ValueError(
                f"{_shown(text)} is not a duration here: years and months vary in length, write days (P30D)"
            )
        raise ValueError(
            f"{_shown(text)} is not a duration: write ISO 8601 (PT30S, PT48H, P7D) or a number of seconds"
        )
    # A number of four hundred digits is infinite as a float: the bound is checked before rounding.
    total = sum(float(part) * unit for part, unit in zip(found.groups(), _UNITS_MS, strict=True) if part)
    return round(min(total, MAX_DURATION_MS + 1.0))


def _seconds_ms(seconds: float) -> int:
    if isinstance(seconds, float) and not math.isfinite(seconds):
        raise ValueError(f"{seconds} is not a duration: the number of seconds must be finite")
    if seconds < 0:
        raise ValueError(f"{_shown(seconds)} is not a duration: it is less than zero")
    return round(min(seconds, MAX_DURATION_MS) * 1000)


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # an integer of more digits than Python turns into text
        text = "a number of thousands of digits"
    return text if len(text) <= 80 else text[:77] + "..."
