"""Differences between an expected value and the one that came, each at its own place in the value."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from stepwell_interpreter.failures import nearest
from stepwell_interpreter.scope import MISSING
from stepwell_interpreter.values import described, same

MOST: Final = 20
LONGEST: Final = 200

Members = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class ValueDifference:
    """At `members` of the value something else was found. `expected` or `got` MISSING: it is not there."""

    members: Members
    expected: Any
    got: Any
    note: str = ""


def differences(expected: Any, got: Any, *, exact: bool) -> list[ValueDifference]:
    """What differs, outermost first, at most MOST. Not `exact`: objects may have more members than expected."""
    found: list[ValueDifference] = []
    pending: deque[tuple[Members, Any, Any]] = deque([((), expected, got)])
    while pending and len(found) < MOST:
        members, wanted, value = pending.popleft()
        if isinstance(wanted, Mapping) and isinstance(value, Mapping):
            found += _of_keys(members, wanted, value, exact)
            pending += [((*members, key), part, value[key]) for key, part in wanted.items() if key in value]
        elif isinstance(wanted, list) and isinstance(value, list):
            if len(wanted) != len(value):
                note = f"{len(wanted)} items expected, {len(value)} found"
                found.append(ValueDifference(members, wanted, value, note))
            else:
                pairs = zip(wanted, value, strict=True)
                pending += [((*members, index), *pair) for index, pair in enumerate(pairs)]
        elif not same(wanted, value):
            found.append(ValueDifference(members, wanted, value, _kinds(wanted, value)))
    return found[:MOST]


def shown(value: Any) -> str:
    """A value on one line, cut where it is long."""
    if value is MISSING:
        return "(nothing)"
    text = orjson.dumps(value, default=str).decode()
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def _of_keys(
    members: Members, wanted: Mapping[str, Any], value: Mapping[str, Any], exact: bool
) -> list[ValueDifference]:
    absent = [
        ValueDifference((*members, key), part, MISSING, _mistyped(key, value))
        for key, part in wanted.items()
        if key not in value
    ]
    more = [key for key in value if key not in wanted] if exact else []
    return absent + [ValueDifference((*members, key), MISSING, value[key], "not expected") for key in more]


def _mistyped(key: str, value: Mapping[str, Any]) -> str:
    near = nearest(key, value)
    return "" if near is None else f"did you mean `{near}`?"


def _kinds(wanted: Any, value: Any) -> str:
    """17 against "17" looks alike in many a terminal."""
    if type(wanted) is type(value) or str(wanted) != str(value):
        return ""
    return f"{described(wanted)} expected, {described(value)} found"
