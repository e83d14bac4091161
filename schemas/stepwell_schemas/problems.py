"""Findings about a definition, and where in the source they are."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

Severity = Literal["error", "warning", "info"]
Part = str | int
PathInDocument = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a text, both counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding. `code` is stable; `pointer` is a JSON pointer (RFC 6901) into the document."""

    code: str
    severity: Severity
    message: str
    file: str | None = None
    line: int | None = None
    column: int | None = None
    pointer: str = ""
    help: str | None = None

    def __str__(self) -> str:
        """`file:line:column: severity: message [code]`, as compilers write it."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        where = f" (at {printable(self.pointer)})" if self.pointer else ""
        return f"{place}: " * bool(place) + f"{self.severity}: {self.told(f'{where} [{self.code}]')}"

    def told(self, tail: str) -> str:
        """The message with `tail` behind its first line, since further lines are details."""
        first, line_end, details = self.message.partition("\n")
        return f"{first}{tail}{line_end}{details}"


@dataclass(slots=True)
class Positions:
    """Where each value and each key of a document begins in its source."""

    values: dict[PathInDocument, Place] = field(default_factory=dict)
    keys: dict[PathInDocument, Place] = field(default_factory=dict)

    def value(self, path: PathInDocument) -> Place | None:
        """Of the value at `path`, or of the nearest thing around it that has a position (an alias, say)."""
        while path not in self.values and path:
            path = path[:-1]
        return self.values.get(path)

    def key(self, path: PathInDocument) -> Place | None:
        """Of the key that `path` ends with, or else of its value."""
        return self.keys.get(path) or self.value(path)


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding that knows its path in the document but not yet its place in the source."""

    code: str
    message: str
    path: PathInDocument = ()
    severity: Severity = "error"
    help: str | None = None
    at_key: bool = False


def located(finding: Finding, positions: Positions, file: str | None) -> Problem:
    """The finding with its place."""
    place = positions.key(finding.path) if finding.at_key else positions.value(finding.path)
    return Problem(
        code=finding.code,
        severity=finding.severity,
        message=finding.message.rstrip(),
        file=file,
        line=place.line if place else None,
        column=place.column if place else None,
        pointer=pointer_of(finding.path),
        help=finding.help,
    )


def pointer_of(path: Iterable[Part]) -> str:
    """The JSON pointer of a path; "" is the whole document."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def nearest(word: str, allowed: Iterable[str]) -> str | None:
    """The allowed word that is most like this one, without regard to case; None when none is like it."""
    # Comparing is quadratic: nobody mistypes a word of hundreds of letters, or reads through a thousand states.
    spelling = {candidate.casefold()[:100]: candidate for candidate in islice(allowed, 500)}
    found = difflib.get_close_matches(word.casefold()[:100], spelling, n=1, cutoff=0.6)
    return spelling[found[0]] if found else None


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """`; did you mean "x"?`, or nothing."""
    candidate = nearest(word, allowed)
    return f"; did you mean {quoted(candidate)}?" if candidate is not None else ""


def quoted(value: object) -> str:
    """A value as a message shows it: short, on one line."""
    text = f'"{value}"' if isinstance(value, str) else _as_json(value)
    text = printable(text)
    return text if len(text) <= 80 else text[:76] + '..."'


def printable(text: str) -> str:
    """The text on one line, without what would move a terminal's cursor or colour it."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def kind_of(value: object) -> str:
    """What a value is, in the words authors use."""
    if isinstance(value, bool):
        return "a boolean"
    for types, name in _KINDS:
        if isinstance(value, types):
            return name
    return "null"


def _as_json(value: object) -> str:
    if isinstance(value, dict | list):
        return kind_of(value)
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)


_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (str, "a text"),
    (dict, "an object"),
    (list, "a list"),
    ((int, float), "a number"),
)
