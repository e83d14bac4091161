"""What an unquoted YAML scalar means: the core schema of YAML 1.2, with the surprises of YAML 1.1 told.

Only true and false are booleans; `no`, `on`, dates and 12:30 are texts; 1e3 is a number.
"""

import re
from dataclasses import dataclass
from typing import Literal

MAX_INTEGER = 2**64 - 1
MIN_INTEGER = -(2**63)

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
_OLD_BOOLEANS = frozenset({"yes", "no", "on", "off"})
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_PREFIXED = re.compile(r"0(?:o[0-7]+|x[0-9a-fA-F]+)\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z")
_OLD_NUMBERS = re.compile(
    r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?|[0-9][0-9_]*_[0-9_]*"
    r"(?:\.[0-9_]*)?(?:[eE][-+][0-9]+)?)\Z"
)
_OLD_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)[eE][-+][0-9]+\Z")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt \t].*)?\Z")


class ScalarRefused(ValueError):
    """The scalar is a number that no JSON can hold."""


@dataclass(frozen=True, slots=True)
class Note:
    """How YAML 1.1 would read a scalar otherwise: a warning where an author may mean that."""

    severity: Literal["warning", "info"]
    message: str


def plain_value(text: str) -> str | int | float | bool | None:
    """The value of an unquoted scalar. Raises ScalarRefused."""
    if text in _NULLS:
        return None
    boolean = _BOOLEANS.get(text)
    if boolean is not None:
        return boolean
    if text[0] not in "+-.0123456789":
        return text
    if _INTEGER.match(text):
        return _bounded(text, 10)
    if _PREFIXED.match(text):
        return _bounded(text, 0)
    if _FLOAT.match(text):
        return _finite(text)
    if _NOT_FINITE.match(text):
        raise ScalarRefused(f"{text} is not a number that JSON has; quote it if a text is meant")
    return text


def note_on(text: str, value: object) -> Note | None:
    """What to tell about a value that older YAML readers take for something else."""
    if isinstance(value, str):
        if text.lower() in _OLD_BOOLEANS:
            return Note(
                "warning",
                f"{text} is a text here (YAML 1.1 reads a boolean): quote it or write true or false",
            )
        if _OLD_NUMBERS.match(text):
            return Note("warning", f"{text[:40]} is a text here (YAML 1.1 reads a number): quote it")
        if _DATE.match(text):
            return Note("info", f"{text[:40]} is a text here (YAML 1.1 reads a date)")
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        digits = text.lstrip("+-")
        if len(digits) > 1 and digits.isdigit() and digits[0] == "0":
            return Note(
                "warning", f"{text} is the number {value} here (YAML 1.1 reads octal): quote it for a text"
            )
    if isinstance(value, float) and "e" in text.lower() and _OLD_FLOAT.match(text) is None:
        return Note("info", f"{text[:40]} is a number here (YAML 1.1 reads a text)")
    return None


def _bounded(text: str, base: int) -> int:
    # The bound has 20 digits; without this a text of a million digits would take minutes to convert.
    value = int(text, base) if len(text) <= 80 else None
    if value is None or not MIN_INTEGER <= value <= MAX_INTEGER:
        raise ScalarRefused(f"{text[:40]} is beyond 64 bits; quote it if a text is meant")
    return value


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ScalarRefused(f"{text[:40]} is too large for a number; quote it if a text is meant")
    return value
