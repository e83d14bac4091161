"""Gets the text of a definition from a path, bytes or text, within limits, before anything reads its syntax."""

import re
from dataclasses import dataclass
from pathlib import Path

MAX_SOURCE_BYTES = 1024 * 1024
MAX_DEPTH = 100
MAX_NODES = 50_000
MAX_EXPANDED_CHARACTERS = 4 * 1024 * 1024

_FORBIDDEN = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class SyntaxFault(Exception):
    """The text cannot be read. `line` and `column` are counted from 1; None where there is no place."""

    def __init__(
        self,
        code: str,
        message: str,
        line: int | None = None,
        column: int | None = None,
        help: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.line = line
        self.column = column
        self.help = help


@dataclass(frozen=True, slots=True)
class SourceText:
    """The text, and the name to call it by in messages."""

    text: str
    file: str | None


def read_source(source: str | bytes | Path, file: str | None) -> SourceText:
    """The text of a source. A `str` is the text itself, never a name. Raises SyntaxFault."""
    if isinstance(source, Path):
        return SourceText(_decoded(_content(source)), file or str(source))
    text = source if isinstance(source, str) else _decoded(source)
    # Four bytes at most are one character: only a text near the limit is encoded to find its size.
    if len(text) > MAX_SOURCE_BYTES // 4 and len(text.encode(errors="surrogatepass")) > MAX_SOURCE_BYTES:
        raise _too_large()
    text = text.removeprefix("\ufeff")
    if found := _FORBIDDEN.search(text):
        line, column = place_of(text, found.start())
        raise SyntaxFault(
            "control-character",
            f"the character U+{ord(found[0]):04X} is not allowed in a definition",
            line,
            column,
            'write it as an escape in double quotes, such as "\\u0007"',
        )
    return SourceText(text, file)


def place_of(text: str, index: int) -> tuple[int, int]:
    """Line and column, from 1, of an index into the text."""
    return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(MAX_SOURCE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else None
        raise SyntaxFault("unreadable-file", f"cannot read {path}: {reason or error}") from None


def _decoded(content: bytes) -> str:
    if len(content) > MAX_SOURCE_BYTES:
        raise _too_large()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SyntaxFault("not-utf-8", "the text is UTF-16; definitions are UTF-8", 1, 1, "save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = place_of(before := content[: error.start].decode(errors="replace"), len(before))
        raise SyntaxFault(
            "not-utf-8",
            f"the byte 0x{content[error.start]:02X} is not UTF-8",
            line,
            column,
            "save the file as UTF-8",
        ) from None


def _too_large() -> SyntaxFault:
    return SyntaxFault(
        "too-large",
        f"the definition is larger than {MAX_SOURCE_BYTES // 1024} KiB",
        help="move large data out of the definition",
    )
