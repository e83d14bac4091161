"""The text of an intrinsic function call, parsed: `States.Format('Hello {}', $.name)`.

Arguments are texts in single quotes, numbers, true, false, null, paths and further calls, which nest at most
`MOST_NESTED` deep. A backslash may stand only before ' { } and another backslash, as the specification has it.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from stepwell_interpreter.asl.path_syntax import Query, parse_prefix
from stepwell_interpreter.asl.syntax import AslSyntax

MOST_NESTED: Final = 10
LONGEST_CALL: Final = 10_000
MOST_ARGUMENTS: Final = 100

_NAME: Final = re.compile(r"States\.([A-Za-z0-9]+)\s*\(")
_NUMBER: Final = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_WORD: Final = re.compile(r"true|false|null")
_WORDS: Final[dict[str, Any]] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant. Of a text, `raw` is how it stands between its quotes: only there are braces told apart."""

    value: Any
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """`text` is the call as it was written; `name` is without `States.`."""

    text: str
    name: str
    arguments: tuple["Argument", ...]


Argument = Literal | Query | Call


@lru_cache(maxsize=4096)
def parse_intrinsic(text: str) -> Call:
    """The call that a text is. Raises AslSyntax with AWS's words."""
    if len(text) > LONGEST_CALL:
        raise AslSyntax(f"An intrinsic function call is at most {LONGEST_CALL} characters long")
    reader = _Reader(text)
    call = reader.call(1)
    reader.blank()
    if reader.at != len(text):
        raise reader.refused()
    return call


class _Reader:
    __slots__ = ("at", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def call(self, depth: int) -> Call:
        if depth > MOST_NESTED:
            raise AslSyntax(f"The intrinsic function call nests deeper than {MOST_NESTED}: {self.text[:200]}")
        start = self.at
        found = _NAME.match(self.text, self.at)
        if found is None:
            raise self.refused()
        self.at = found.end()
        arguments: list[Argument] = []
        self.blank()
        if not self.take(")"):
            arguments.append(self.argument(depth))
            while self.take(","):
                arguments.append(self.argument(depth))
            if not self.take(")"):
                raise self.refused()
        if len(arguments) > MOST_ARGUMENTS:
            raise AslSyntax(f"An intrinsic function takes at most {MOST_ARGUMENTS} arguments")
        return Call(self.text[start : self.at], found.group(1), tuple(arguments))

    def argument(self, depth: int) -> Argument:
        self.blank()
        argument = self.one(depth)
        self.blank()
        return argument

    def one(self, depth: int) -> Argument:
        letter = self.text[self.at : self.at + 1]
        if letter == "'":
            return self.quoted()
        if letter == "$":
            query, self.at = parse_prefix(self.text, self.at)
            return query
        if self.text.startswith("States.", self.at):
            return self.call(depth + 1)
        return self.constant()

    def constant(self) -> Literal:
        word = _WORD.match(self.text, self.at)
        if word is not None:
            self.at = word.end()
            return Literal(_WORDS[word.group()])
        number = _NUMBER.match(self.text, self.at)
        if number is None:
            raise self.refused()
        self.at = number.end()
        text = number.group()
        return Literal(int(text) if text.lstrip("+-").isdigit() else float(text))

    def quoted(self) -> Literal:
        start = self.at + 1
        at = start
        while (letter := self.text[at : at + 1]) != "'":
            if not letter:
                raise self.refused()
            if letter == "\\":
                if self.text[at + 1 : at + 2] not in ("'", "{", "}", "\\"):
                    raise self.refused()
                at += 1
            at += 1
        self.at = at + 1
        raw = self.text[start:at]
        return Literal(unescaped(raw), raw)

    def take(self, word: str) -> bool:
        if not self.text.startswith(word, self.at):
            return False
        self.at += len(word)
        return True

    def blank(self) -> None:
        while self.text[self.at : self.at + 1].isspace():
            self.at += 1

    def refused(self) -> AslSyntax:
        return AslSyntax(f"The value '{self.text[:500]}' is not a valid intrinsic function call")


def unescaped(raw: str) -> str:
    """A text without its protecting backslashes."""
    return _ESCAPED.sub(lambda found: found.group(1), raw)


def template_pieces(raw: str) -> list[str]:
    """The pieces of a `States.Format` template between its `{}`, without protecting backslashes."""
    pieces: list[str] = []
    piece: list[str] = []
    at = 0
    while at < len(raw):
        if raw[at] == "\\" and raw[at + 1 : at + 2] in ("'", "{", "}", "\\"):
            piece.append(raw[at + 1])
            at += 2
        elif raw.startswith("{}", at):
            pieces.append("".join(piece))
            piece = []
            at += 2
        else:
            piece.append(raw[at])
            at += 1
    pieces.append("".join(piece))
    return pieces


_ESCAPED: Final = re.compile(r"\\([\\'{}])")
