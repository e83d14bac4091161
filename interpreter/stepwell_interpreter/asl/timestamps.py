"""Timestamps as AWS takes them: ISO-8601 date, `T`, time and an offset, all of them written out."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

_TIMESTAMP: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WIDEST_OFFSET: Final = 18 * 60


def parse_timestamp(text: str) -> int | None:
    """Milliseconds since 1970 of an offset date-time, or None where AWS does not take the text as one."""
    nanoseconds = parse_nanoseconds(text)
    return None if nanoseconds is None else nanoseconds // 1_000_000


def parse_nanoseconds(text: str) -> int | None:
    """Nanoseconds since 1970, the precision in which AWS compares; None where the text is no timestamp."""
    found = _TIMESTAMP.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, sign, hours, minutes = found.groups()
    offset = int(hours or 0) * 60 + int(minutes or 0)
    if offset > _WIDEST_OFFSET or int(minutes or 0) > 59:
        return None
    try:
        zone = timezone(timedelta(minutes=-offset if sign == "-" else offset))
        moment = datetime(
            int(year), int(month), int(day), int(hour), int(minute), int(second or 0), tzinfo=zone
        )
    except ValueError:
        return None
    passed = moment - _EPOCH
    seconds = passed.days * 86_400 + passed.seconds
    return seconds * 1_000_000_000 + int((fraction or "0").ljust(9, "0"))


def timestamp_text(ms: int) -> str:
    """The time in UTC with milliseconds: `2024-01-01T00:00:00.000Z`."""
    moment = _EPOCH + timedelta(milliseconds=ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
