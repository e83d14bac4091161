"""Values given on a command line: JSON in place, `@file`, or `-` for stdin."""

import sys
from pathlib import Path
from typing import Any

import orjson

from stepwell_cli.failures import UsageError


def json_argument(text: str, option: str) -> Any:
    """The JSON value of an option. Raises UsageError, saying what is wrong and where."""
    source, content = _content(text, option)
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        hint = "" if source != "the text" else '; quote it for the shell: \'{"key": "value"}\''
        raise UsageError(f"{option}: {source} is not JSON: {error}{hint}") from None


def json_object_argument(text: str, option: str) -> dict[str, Any]:
    """The same where only an object will do."""
    value = json_argument(text, option)
    if not isinstance(value, dict):
        raise UsageError(f"{option}: an object is needed, not {orjson.dumps(value)[:60].decode()}")
    return value


def read_file(path: Path) -> bytes:
    """A file's bytes; `-` is stdin. Raises UsageError where it cannot be read."""
    if str(path) == "-":
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None


def _content(text: str, option: str) -> tuple[str, bytes]:
    if text == "-":
        return "stdin", sys.stdin.buffer.read()
    if text.startswith("@"):
        if len(text) == 1:
            raise UsageError(f"{option}: name a file after the @")
        return text[1:], read_file(Path(text[1:]))
    return "the text", text.encode()
