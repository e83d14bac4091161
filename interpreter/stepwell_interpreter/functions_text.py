"""Functions that make or read text."""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from typing import Any

import orjson

from stepwell_interpreter.function_arguments import LONGEST_LIST, LONGEST_TEXT, Arguments
from stepwell_interpreter.values import kind_of

_HASHES = {"md5": "md5", "sha1": "sha1", "sha256": "sha256", "sha384": "sha384", "sha512": "sha512"}


def format_text(arguments: Arguments) -> str:
    r"""`{}` stands for the next argument; `\{`, `\}` and `\\` for themselves, as in ASL's States.Format."""
    pieces, problem = _pieces(arguments.text(0))
    if problem is not None:
        raise arguments.failed(problem)
    given = len(arguments.values) - 1
    if len(pieces) - 1 != given:
        raise arguments.failed(_count_problem(len(pieces) - 1, given))
    parts = [pieces[0]]
    size = len(pieces[0])
    for position, piece in enumerate(pieces[1:], 1):
        part = arguments.written(position)
        size += len(part) + len(piece)
        if size > LONGEST_TEXT:
            raise arguments.failed(f"the result is longer than {LONGEST_TEXT} bytes")
        parts += (part, piece)
    return arguments.bounded_text("".join(parts))


def check_format(constants: Sequence[Any]) -> str | None:
    """What is wrong with a constant format text, whatever its arguments will be."""
    if not isinstance(constants[0], str):
        return None
    pieces, problem = _pieces(constants[0])
    if problem is not None or len(pieces) == len(constants):
        return problem
    return _count_problem(len(pieces) - 1, len(constants) - 1)


def concat(arguments: Arguments) -> str | list[Any]:
    """One text of texts, or one list of lists. A single list of texts or lists is spread."""
    arguments = arguments.spread()
    if arguments.values and all(isinstance(value, list) for value in arguments.values):
        items: list[Any] = []
        for value in arguments.values:
            items += value
            arguments.bounded_list(items)
        return items
    return _joined(arguments, [_part(arguments, position) for position in range(len(arguments.values))], "")


def join(arguments: Arguments) -> str:
    """The items of a list as one text, with a separator between them."""
    items = Arguments(arguments.function, arguments.items(0), arguments.scope)
    separator = arguments.text(1) if len(arguments.values) > 1 else ""
    return _joined(arguments, [_part(items, position) for position in range(len(items.values))], separator)


def split(arguments: Arguments) -> list[str]:
    """The parts of a text between separators."""
    text, separator = arguments.text(0), arguments.text(1)
    if not separator:
        raise arguments.wrong(1, "a text of at least one character")
    return arguments.bounded_list(text.split(separator, LONGEST_LIST))


def lower(arguments: Arguments) -> str:
    """The text in small letters."""
    return arguments.bounded_text(arguments.text(0).lower())


def upper(arguments: Arguments) -> str:
    """The text in capital letters."""
    return arguments.bounded_text(arguments.text(0).upper())


def parse_json(arguments: Arguments) -> Any:
    """The value that a JSON text means."""
    text = arguments.bounded_text(arguments.text(0))
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise arguments.failed(f"argument 1 is not JSON: {error}") from error


def to_json(arguments: Arguments) -> str:
    """The value as compact JSON."""
    return arguments.json(arguments.values[0])


def base64_encode(arguments: Arguments) -> str:
    """The text's UTF-8 bytes in base 64."""
    return arguments.bounded_text(base64.b64encode(arguments.utf8(0)).decode())


def base64_decode(arguments: Arguments) -> str:
    """The UTF-8 text that was written in base 64."""
    try:
        return arguments.bounded_text(base64.b64decode(arguments.utf8(0), validate=True).decode())
    except (binascii.Error, UnicodeDecodeError) as error:
        raise arguments.failed(f"argument 1 is not base 64 of a UTF-8 text: {error}") from error


def hash_text(arguments: Arguments) -> str:
    """The digest of a text in hexadecimal: SHA-256, or as the second argument says."""
    wanted = arguments.text(1) if len(arguments.values) > 1 else "sha256"
    name = _HASHES.get(wanted.lower().replace("-", ""))
    if name is None:
        raise arguments.wrong(1, "MD5, SHA-1, SHA-256, SHA-384 or SHA-512")
    return hashlib.new(name, arguments.utf8(0), usedforsecurity=False).hexdigest()


def uuid(arguments: Arguments) -> str:
    """A UUID of version 4 that a replay gives again."""
    digest = bytearray(arguments.scope.draw())
    digest[6] = digest[6] & 0x0F | 0x40
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _pieces(template: str) -> tuple[list[str], str | None]:
    """The text around the placeholders, and what is wrong with the template."""
    pieces: list[str] = []
    piece: list[str] = []
    letters = iter(template)
    for letter in letters:
        if letter == "\\":
            escaped = next(letters, "")
            piece.append(escaped if escaped in ("{", "}", "\\") else letter + escaped)
        elif letter == "{":
            if next(letters, "") != "}":
                return [], r"the text has a { without its }; a { of its own is written \{"
            pieces.append("".join(piece))
            piece = []
        elif letter == "}":
            return [], r"the text has a } without its {; a } of its own is written \}"
        else:
            piece.append(letter)
    return [*pieces, "".join(piece)], None


def _count_problem(places: int, given: int) -> str:
    return f"the text has {places} placeholders {{}}, but {given} values follow it"


def _part(arguments: Arguments, position: int) -> str:
    if kind_of(arguments.values[position]) in ("null", "list", "object"):
        raise arguments.wrong(position, "a text, a number or a boolean ($toJson writes anything)")
    return arguments.written(position)


def _joined(arguments: Arguments, parts: list[str], separator: str) -> str:
    size = sum(map(len, parts)) + len(separator) * max(len(parts) - 1, 0)
    if size > LONGEST_TEXT:
        raise arguments.failed(f"the result is longer than {LONGEST_TEXT} bytes")
    return arguments.bounded_text(separator.join(parts))
