"""Values and files given on a command line: JSON in place, `@file`, or `-` for stdin; all of it bounded."""

import os
import sys
from pathlib import Path
from typing import Any

import orjson
from stepwell.file_reading import read_bounded
from stepwell_schemas.source_text import MAX_SOURCE_BYTES

from stepwell_cli.failures import UsageError

MEBIBYTE = 1024 * 1024
MAX_FILE_BYTES = 256 * MEBIBYTE
"""What a file of events or values may have; a definition's limit is its loader's."""


def json_argument(text: str, option: str) -> Any:
    """The JSON value of an option. Raises UsageError, saying what is wrong and where."""
    source, content = _content(text, option)
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        hint = _hint(text) if source == "the text" else ""
        raise UsageError(f"{option}: {source} is not JSON: {error}{hint}") from None


def json_object_argument(text: str, option: str) -> dict[str, Any]:
    """The same where only an object will do."""
    value = json_argument(text, option)
    if not isinstance(value, dict):
        raise UsageError(f"{option}: an object is needed, not {orjson.dumps(value)[:60].decode()}")
    return value


def read_file(path: Path, limit: int = MAX_FILE_BYTES) -> bytes:
    """A file's bytes; `-` is stdin. Raises UsageError where it cannot be read, or is larger than the limit."""
    content = _read(path, limit)
    if len(content) > limit:
        raise UsageError(f"{path} is larger than {limit // MEBIBYTE} MiB")
    return content


def read_definition(path: Path) -> bytes:
    """A definition's bytes, or so many that its loader sees that they are too many."""
    return _read(path, MAX_SOURCE_BYTES)


def refuse_stdin_twice(*given: object) -> None:
    """Raises UsageError where several of the values given are `-`: stdin can be read once."""
    if sum(str(each) == "-" for each in given) > 1:
        raise UsageError("- is stdin, which can be read once only: name a file for the others")


def _read(path: Path, limit: int) -> bytes:
    if str(path) == "-":
        return sys.stdin.buffer.read(limit + 1)
    try:
        return read_bounded(path, limit)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None
    except ValueError as error:  # a NUL in the name
        raise UsageError(f"{str(path)!r}: {error}") from None


def _hint(text: str) -> str:
    if os.path.isfile(text):  # noqa: PTH113 - Path.is_file raises for a text that is too long for a name
        return f"; to read the file, write @{text}"
    return '; quote it for the shell: \'{"key": "value"}\''


def _content(text: str, option: str) -> tuple[str, bytes]:
    if text == "-":
        return "stdin", read_file(Path("-"))
    if text.startswith("@"):
        if len(text) == 1:
            raise UsageError(f"{option}: name a file after the @")
        return text[1:], read_file(Path(text[1:]))
    return "the text", text.encode()
