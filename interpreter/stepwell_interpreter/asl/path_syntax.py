"""The text of a JSONPath as AWS reads it (the dialect of Jayway's JsonPath), parsed into frozen nodes.

A path starts at `$` (the data), `$$` (the context object) or `$name` (a variable). Names in quotes, negative
indices, slices, wildcards, recursive descent and filters are read; depth and length are bounded.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from stepwell_interpreter.asl.syntax import AslSyntax

LONGEST_PATH: Final = 4_096
DEEPEST_FILTER: Final = 16

_VARIABLE: Final = re.compile(r"\$([^\W\d]\w*)")
_DOTTED: Final = re.compile(r"[^\s.\[\]()'\"*,?@&|=<>!~]+(?:\(\))?")
_INDEX: Final = re.compile(r"-?\d{1,9}")
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_WORD: Final = re.compile(r"[a-z]+")
_OPERATOR: Final = re.compile(r"==|!=|<=|>=|=~|<|>|(?:in|nin|subsetof|anyof|noneof|contains|size|empty)\b")
_REGEX: Final = re.compile(r"/((?:[^/\\]|\\.)+)/([a-zA-Z]*)")
_KEYWORDS: Final[dict[str, Any]] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True, slots=True)
class Names:
    """One member, or several of them (`['a','b']`)."""

    names: tuple[str, ...]
    descend: bool = False


@dataclass(frozen=True, slots=True)
class Indices:
    """One element, or several of them (`[0,2]`)."""

    indices: tuple[int, ...]
    descend: bool = False


@dataclass(frozen=True, slots=True)
class Slice:
    start: int | None
    stop: int | None
    descend: bool = False


@dataclass(frozen=True, slots=True)
class Wildcard:
    descend: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    condition: "Condition"
    descend: bool = False


Segment = Names | Indices | Slice | Wildcard | Filter


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed path. `root` is `$`, `$$`, or a variable's name with its `$`; in a filter `@` too."""

    text: str
    root: str
    segments: tuple[Segment, ...]

    @property
    def definite(self) -> bool:
        """Whether the path can lead to one value only."""
        return all(
            not segment.descend
            and (
                (isinstance(segment, Names) and len(segment.names) == 1)
                or (isinstance(segment, Indices) and len(segment.indices) == 1)
            )
            for segment in self.segments
        )

    @property
    def members(self) -> tuple[str | int, ...]:
        """The names and indices of a definite path."""
        return tuple(
            segment.names[0] if isinstance(segment, Names) else segment.indices[0]
            for segment in self.segments
            if isinstance(segment, Names | Indices)
        )


@dataclass(frozen=True, slots=True)
class Constant:
    value: Any


@dataclass(frozen=True, slots=True)
class Pattern:
    source: str
    flags: str


Operand = Query | Constant | Pattern


@dataclass(frozen=True, slots=True)
class Comparison:
    left: Operand
    operator: str
    right: Operand


@dataclass(frozen=True, slots=True)
class Exists:
    query: Query


@dataclass(frozen=True, slots=True)
class Both:
    """All parts hold (`&&`)."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Either:
    """One part holds (`||`)."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Negated:
    part: "Condition"


Condition = Comparison | Exists | Both | Either | Negated


@lru_cache(maxsize=4096)
def parse_path(text: str) -> Query:
    """The query of a path's text. Raises AslSyntax that names the text."""
    query, end = parse_prefix(text, 0)
    if end != len(text):
        raise refused(text)
    return query


def parse_prefix(text: str, start: int) -> tuple[Query, int]:
    """The path that begins at `start`, and where it ends; what follows is the caller's."""
    if len(text) > LONGEST_PATH:
        raise AslSyntax(f"An expression is at most {LONGEST_PATH} characters long, this one has {len(text)}")
    reader = _Reader(text, start)
    query = reader.query()
    return query, reader.at


def refused(text: str) -> AslSyntax:
    """How a text that is no path is refused."""
    return AslSyntax(f"The value '{text}' is not a valid JSONPath")


class _Reader:
    """A position in a text, and the grammar as methods that move it on."""

    __slots__ = ("at", "depth", "text")

    def __init__(self, text: str, at: int) -> None:
        self.text = text
        self.at = at
        self.depth = 0

    # -- the path ---------------------------------------------------------------------------------------------

    def query(self) -> Query:
        start = self.at
        root = self.root()
        segments: list[Segment] = []
        while (segment := self.segment()) is not None:
            segments.append(segment)
        return Query(self.text[start : self.at], root, tuple(segments))

    def root(self) -> str:
        if self.take("$$"):
            return "$$"
        variable = _VARIABLE.match(self.text, self.at)
        if variable is not None:
            self.at = variable.end()
            return variable.group()
        if self.take("$"):
            return "$"
        if self.depth and self.take("@"):
            return "@"
        raise refused(self.text)

    def segment(self) -> Segment | None:
        if self.take(".."):
            if self.peek() == "[":
                return self.bracket(descend=True)
            return self.dotted(descend=True)
        if self.peek() == "[":
            return self.bracket(descend=False)
        if self.take("."):
            return self.bracket(descend=False) if self.peek() == "[" else self.dotted(descend=False)
        return None

    def dotted(self, *, descend: bool) -> Segment:
        if self.take("*"):
            return Wildcard(descend)
        found = _DOTTED.match(self.text, self.at)
        if found is None:
            raise refused(self.text)
        self.at = found.end()
        return Names((found.group(),), descend)

    def bracket(self, *, descend: bool) -> Segment:
        self.expect("[")
        self.blank()
        segment = self.inside(descend)
        self.blank()
        self.expect("]")
        return segment

    def inside(self, descend: bool) -> Segment:
        if self.take("*"):
            return Wildcard(descend)
        if self.take("?"):
            self.blank()
            self.expect("(")
            condition = self.either()
            self.blank()
            self.expect(")")
            return Filter(condition, descend)
        if self.peek() in "'\"" and self.peek():
            return Names(tuple(self.listed(self.quoted)), descend)
        return self.numbers(descend)

    def numbers(self, descend: bool) -> Segment:
        first = self.index()
        self.blank()
        if self.take(":"):
            self.blank()
            return Slice(first, self.index(), descend)
        if first is None:
            raise refused(self.text)
        indices = [first]
        while self.take(","):
            self.blank()
            following = self.index()
            if following is None:
                raise refused(self.text)
            indices.append(following)
            self.blank()
        return Indices(tuple(indices), descend)

    def index(self) -> int | None:
        found = _INDEX.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return int(found.group())

    def listed(self, item: Any) -> list[Any]:
        items = [item()]
        self.blank()
        while self.take(","):
            self.blank()
            items.append(item())
            self.blank()
        return items

    def quoted(self) -> str:
        quote = self.peek()
        if quote not in ("'", '"'):
            raise refused(self.text)
        self.at += 1
        letters: list[str] = []
        while self.peek() != quote:
            letter = self.peek()
            if not letter:
                raise refused(self.text)
            # a backslash protects a quote or a backslash; before anything else it is a letter of the name
            if letter == "\\" and self.text[self.at + 1 : self.at + 2] in (quote, "\\"):
                self.at += 1
                letter = self.peek()
            letters.append(letter)
            self.at += 1
        self.at += 1
        return "".join(letters)

    # -- filters ----------------------------------------------------------------------------------------------

    def either(self) -> Condition:
        parts = [self.both()]
        while self.taken_after_blank("||"):
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def both(self) -> Condition:
        parts = [self.part()]
        while self.taken_after_blank("&&"):
            parts.append(self.part())
        return parts[0] if len(parts) == 1 else Both(tuple(parts))

    def part(self) -> Condition:
        self.blank()
        self.depth += 1
        if self.depth > DEEPEST_FILTER:
            raise AslSyntax(f"A filter nests at most {DEEPEST_FILTER} deep")
        try:
            if self.take("!"):
                return Negated(self.part())
            if self.take("("):
                inner = self.either()
                self.blank()
                self.expect(")")
                return inner
            return self.comparison()
        finally:
            self.depth -= 1

    def comparison(self) -> Condition:
        left = self.operand()
        self.blank()
        operator = _OPERATOR.match(self.text, self.at)
        if operator is None:
            if isinstance(left, Query):
                return Exists(left)
            raise refused(self.text)
        self.at = operator.end()
        self.blank()
        return Comparison(left, operator.group(), self.operand())

    def operand(self) -> Operand:
        letter = self.peek()
        if letter and letter in "@$":
            return self.query()
        if letter and letter in "'\"":
            return Constant(self.quoted())
        if letter == "/":
            return self.pattern()
        if letter == "[":
            return self.array()
        number = _NUMBER.match(self.text, self.at)
        if number is not None:
            self.at = number.end()
            text = number.group()
            return Constant(int(text) if text.lstrip("-").isdigit() else float(text))
        word = _WORD.match(self.text, self.at)
        if word is None or word.group() not in _KEYWORDS:
            raise refused(self.text)
        self.at = word.end()
        return Constant(_KEYWORDS[word.group()])

    def pattern(self) -> Pattern:
        found = _REGEX.match(self.text, self.at)
        if found is None:
            raise refused(self.text)
        self.at = found.end()
        return Pattern(found.group(1), found.group(2))

    def array(self) -> Constant:
        self.expect("[")
        self.blank()
        items: list[Any] = []
        if self.peek() != "]":
            items = self.listed(self.constant)
        self.expect("]")
        return Constant(items)

    def constant(self) -> Any:
        operand = self.operand()
        if not isinstance(operand, Constant):
            raise refused(self.text)
        return operand.value

    # -- letters ----------------------------------------------------------------------------------------------

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self, word: str) -> bool:
        if not self.text.startswith(word, self.at):
            return False
        self.at += len(word)
        return True

    def taken_after_blank(self, word: str) -> bool:
        self.blank()
        return self.take(word)

    def expect(self, word: str) -> None:
        if not self.take(word):
            raise refused(self.text)

    def blank(self) -> None:
        while self.peek().isspace():
            self.at += 1
