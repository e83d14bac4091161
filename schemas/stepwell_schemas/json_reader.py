"""Reads strict JSON (RFC 8259) into values with positions. Duplicate keys, NaN and deep nesting are refused."""

import re
from bisect import bisect_left
from json import JSONDecodeError
from json import decoder as json_decoder
from typing import Any

from stepwell_schemas.problems import PathInDocument, Place, Positions
from stepwell_schemas.scalars import MAX_INTEGER, MIN_INTEGER
from stepwell_schemas.source_text import MAX_DEPTH, MAX_NODES, SyntaxFault, place_of

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORDS = {"true": True, "false": False, "null": None}
_WORD = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_SCAN_STRING: Any = json_decoder.scanstring  # type: ignore[attr-defined]  # public, but not in typeshed
_SURROGATE = re.compile("[\ud800-\udfff]")


def read_json(text: str) -> tuple[Any, Positions]:
    """The document and where everything stands in it. Raises SyntaxFault."""
    reader = _Reader(text)
    start = reader.skip(0)
    if start == len(text):
        raise SyntaxFault("empty-document", "there is no definition in here", 1, 1)
    value, end = reader.value(start, ())
    end = reader.skip(end)
    if end != len(text):
        raise reader.fault(end, "there is more text after the end of the document")
    return value, reader.positions


class _Reader:
    """Recursive; MAX_DEPTH keeps it far from Python's own limit."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.positions = Positions()
        self.breaks = [found.start() for found in re.finditer("\n", text)]

    def skip(self, index: int) -> int:
        """The index of the next character that is not space."""
        found = _SPACE.match(self.text, index)
        assert found is not None
        return found.end()

    def fault(self, index: int, message: str, code: str = "json-syntax") -> SyntaxFault:
        """A fault at an index."""
        line, column = place_of(self.text, index)
        return SyntaxFault(code, message if code != "json-syntax" else f"not JSON: {message}", line, column)

    def value(self, index: int, path: PathInDocument) -> tuple[Any, int]:
        """The value that begins at `index`, and the index behind it."""
        if len(path) > MAX_DEPTH:
            raise self.fault(index, f"nested deeper than {MAX_DEPTH} levels", "too-deep")
        self.positions.values[path] = self._place(index)
        if len(self.positions.values) > MAX_NODES:
            raise self.fault(index, f"more than {MAX_NODES} values", "too-many-values")
        match self.text[index : index + 1]:
            case "{":
                return self._object(index, path)
            case "[":
                return self._list(index, path)
            case '"':
                return self._string(index)
            case _:
                return self._number_or_word(index)

    def _object(self, index: int, path: PathInDocument) -> tuple[dict[str, Any], int]:
        result: dict[str, Any] = {}
        index = self.skip(index + 1)
        if self.text[index : index + 1] == "}":
            return result, index + 1
        while True:
            if self.text[index : index + 1] != '"':
                raise self.fault(index, 'a key in double quotes, or "}", must stand here')
            start = index
            key, index = self._string(index)
            if key in result:
                first = self.positions.keys[(*path, key)]
                raise self.fault(
                    start, f"the key {key[:80]!r} is here twice, first in line {first.line}", "duplicate-key"
                )
            self.positions.keys[(*path, key)] = self._place(start)
            index = self.skip(index)
            if self.text[index : index + 1] != ":":
                raise self.fault(index, "a colon must follow the key")
            result[key], index = self.value(self.skip(index + 1), (*path, key))
            index, more = self._separator(index, "}")
            if not more:
                return result, index

    def _list(self, index: int, path: PathInDocument) -> tuple[list[Any], int]:
        result: list[Any] = []
        index = self.skip(index + 1)
        if self.text[index : index + 1] == "]":
            return result, index + 1
        while True:
            item, index = self.value(index, (*path, len(result)))
            result.append(item)
            index, more = self._separator(index, "]")
            if not more:
                return result, index

    def _separator(self, index: int, end: str) -> tuple[int, bool]:
        index = self.skip(index)
        mark = self.text[index : index + 1]
        if mark == end:
            return index + 1, False
        if mark != ",":
            raise self.fault(index, f'a comma or "{end}" must stand here')
        return self.skip(index + 1), True

    def _string(self, index: int) -> tuple[str, int]:
        try:
            text, end = _SCAN_STRING(self.text, index + 1, True)
        except JSONDecodeError as error:
            raise self.fault(
                error.pos, error.msg.removesuffix(" at").removesuffix(" starting").lower()
            ) from None
        if _SURROGATE.search(text):
            raise self.fault(index, "half of a surrogate pair is no character")
        return text, end

    def _number_or_word(self, index: int) -> tuple[Any, int]:
        if found := _NUMBER.match(self.text, index):
            return self._number(found), found.end()
        word = _WORD.match(self.text, index)
        if word and word[0] in _WORDS:
            return _WORDS[word[0]], word.end()
        if word:
            raise self.fault(index, f"{word[0][:80]} is no JSON value; texts stand in double quotes")
        raise self.fault(index, "a value must stand here")

    def _number(self, found: re.Match[str]) -> int | float:
        whole, fraction, exponent = found.groups()
        if fraction is None and exponent is None:
            number = int(whole) if len(whole) <= 20 else MAX_INTEGER + 1
            if MIN_INTEGER <= number <= MAX_INTEGER:
                return number
            raise self.fault(found.start(), f"{whole[:40]} is beyond 64 bits", "number-not-json")
        value = float(found[0])
        if abs(value) == float("inf"):
            raise self.fault(found.start(), f"{found[0][:40]} is too large for a number", "number-not-json")
        return value

    def _place(self, index: int) -> Place:
        line = bisect_left(self.breaks, index)
        return Place(line + 1, index - (self.breaks[line - 1] if line else -1))
