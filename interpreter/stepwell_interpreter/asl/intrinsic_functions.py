"""What each `States.*` function does with its values. All are total and bounded; chance comes from the scope.

A function gets its values as a list and raises BadArgument where they do not fit.
"""

import hashlib
import math
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from stepwell_interpreter.asl.intrinsic_syntax import template_pieces
from stepwell_interpreter.asl.scope import AslScope
from stepwell_interpreter.asl.values import is_number, json_text, kind_of
from stepwell_interpreter.values import frozen, same

LONGEST_ENCODED: Final = 10_000
LARGEST_WHOLE: Final = 2**63 - 1
"""What functions calculate stays within what JSON is written with."""
MOST_ITEMS: Final = 1_000
LONGEST_TEXT: Final = 1_048_576

Function = Callable[[list[Any], AslScope], Any]


class BadArgument(Exception):
    """The values of a call do not fit; its text says which and why."""


def _format(values: list[Any], scope: AslScope) -> Any:
    if not values:
        raise BadArgument("States.Format takes a template and a value for each {} in it")
    pieces = template_pieces(_text(values, 0))
    given = values[1:]
    if len(pieces) - 1 != len(given):
        raise BadArgument(
            f"The template has {len(pieces) - 1} occurrences of {{}}, but {len(given)} arguments are given"
        )
    parts = [pieces[0]]
    for value, piece in zip(given, pieces[1:], strict=True):
        parts.append(value if isinstance(value, str) else json_text(value))
        parts.append(piece)
    return _bounded("".join(parts))


def _string_to_json(values: list[Any], scope: AslScope) -> Any:
    _counted(values, 1)
    text = _text(values, 0)
    if not text.strip():
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadArgument(f"The text is not JSON: {error}") from None


def _json_to_string(values: list[Any], scope: AslScope) -> Any:
    _counted(values, 1)
    return _bounded(json_text(values[0]))


def _array(values: list[Any], scope: AslScope) -> Any:
    return values


def _array_partition(values: list[Any], scope: AslScope) -> Any:
    _counted(values, 2)
    array, size = _array_at(values, 0), _whole(values, 1)
    if size < 1:
        raise BadArgument(f"The chunk size must be positive, but was {size}")
    return [array[start : start + size] for start in range(0, len(array), size)]


def _array_contains(values: list[Any], scope: AslScope) -> Any:
    _counted(values, 2)
    wanted = values[1]
    return any(same(item, wanted) for item in _array_at(values, 0))


def _array_range(values: list[Any], scope: AslScope) -> Any:
    _counted(values, 3)
    first, last, step = _whole(values, 0), _whole(values, 1), _whole(values, 2)
    if step == 0:
        raise BadArgument("The step of a range must not be zero")
    numbers = range(first, last + (1 if step > 0 else -1), step)
    # the bounds come from the data, so the length is checked before anything is made
    if max(0, (numbers.stop - first + step - (1 if step > 0 else -1)) // step) > MOST_ITEMS:
        raise BadArgument(f"A range has at most {MOST_ITEMS} items")
    return list(numbers)


def _array_get_item(values: list[Any], scope: AslScope) -> Any:
    _counted(values, 2)
    array, index = _array_at(values, 0), _whole(values, 1)
    if not 0 <= index < len(array):
        raise BadArgument(f"The index {index} is outside of the array of {len(array)} items")
    return array[index]


def _array_length(values: list[Any], scope: AslScope) -> Any:
    _counted(values, 1)
    return len(_array_at(values, 0))


def _array_unique(values: list[Any], scope: AslScope) -> Any:
    _counted(values, 1)
    try:
        unique = {frozen(item): item for item in reversed(_array_at(values, 0))}
        order = dict.fromkeys(frozen(item) for item in values[0])
    except RecursionError as error:
        raise BadArgument(f"An item is {error}") from None
    return [unique[key] for key in order]


def _base64_encode(values: list[Any], scope: AslScope) -> Any:
    _counted(values, 1)
    return b64encode(_short(values, 0).encode("utf-8", "replace")).decode()


def _base64_decode(values: list[Any], scope: AslScope) -> Any:
    """Lenient as AWS's decoder is: letters outside the alphabet are skipped, padding ends the text."""
    _counted(values, 1)
    text = _short(values, 0).partition("=")[0].translate(_URL_SAFE)
    kept = "".join(letter for letter in text if letter in _ALPHABET)
    if len(kept) % 4 == 1:
        kept = kept[:-1]
    return b64decode(kept + "=" * (-len(kept) % 4)).decode("utf-8", "replace")


def _hash(values: list[Any], scope: AslScope) -> Any:
    _counted(values, 2)
    algorithm = _HASHES.get(values[1]) if isinstance(values[1], str) else None
    if algorithm is None:
        raise BadArgument(f"The algorithm must be one of {', '.join(_HASHES)}, but was {_brief(values[1])}")
    text = values[0] if isinstance(values[0], str) else json_text(values[0])
    if len(text) > LONGEST_ENCODED:
        raise BadArgument(f"The data may have {LONGEST_ENCODED} characters, this has {len(text)}")
    return hashlib.new(algorithm, text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


def _json_merge(values: list[Any], scope: AslScope) -> Any:
    _counted(values, 3)
    if values[2] is not False:
        raise BadArgument("Only shallow merging is supported: the third argument must be false")
    for position in (0, 1):
        if not isinstance(values[position], Mapping):
            raise BadArgument(_unfit(values, position, "an object"))
    return {**values[0], **values[1]}


def _math_random(values: list[Any], scope: AslScope) -> Any:
    if len(values) not in (2, 3):
        raise BadArgument(f"2 or 3 arguments are needed, {len(values)} are given")
    first, last = _whole(values, 0), _whole(values, 1)
    if first >= last:
        raise BadArgument(f"The start of the range must be below its end, but was {first} and {last}")
    if len(values) == 3:
        drawn = hashlib.blake2b(f"seed\0{_whole(values, 2)}".encode(), digest_size=16).digest()
    else:
        drawn = scope.draw()
    return first + int.from_bytes(drawn) % (last - first)


def _math_add(values: list[Any], scope: AslScope) -> Any:
    _counted(values, 2)
    total = _whole(values, 0) + _whole(values, 1)
    if abs(total) > LARGEST_WHOLE:
        raise BadArgument("The sum is beyond 64 bits")
    return total


def _string_split(values: list[Any], scope: AslScope) -> Any:
    """Every character of the second text splits; empty pieces are dropped."""
    _counted(values, 2)
    text, delimiters = _text(values, 0), _text(values, 1)
    if not delimiters:
        return [text] if text else []
    spread = str.maketrans(dict.fromkeys(delimiters, delimiters[0]))
    return [piece for piece in text.translate(spread).split(delimiters[0]) if piece]


def _uuid(values: list[Any], scope: AslScope) -> Any:
    _counted(values, 0)
    return uuid_text(scope.draw())


def uuid_text(chance: bytes) -> str:
    """The UUID of version 4 that 16 random bytes make."""
    marked = bytearray(chance)
    marked[6] = marked[6] & 0x0F | 0x40
    marked[8] = marked[8] & 0x3F | 0x80
    text = marked.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


# -- reading values ------------------------------------------------------------------------------------------


def _counted(values: list[Any], number: int) -> None:
    if len(values) != number:
        raise BadArgument(f"{number} arguments are needed, {len(values)} are given")


def _text(values: list[Any], position: int) -> str:
    value = values[position]
    if not isinstance(value, str):
        raise BadArgument(_unfit(values, position, "a string"))
    return value


def _short(values: list[Any], position: int) -> str:
    text = _text(values, position)
    if len(text) > LONGEST_ENCODED:
        raise BadArgument(f"The text may have {LONGEST_ENCODED} characters, this has {len(text)}")
    return text


def _array_at(values: list[Any], position: int) -> list[Any]:
    value = values[position]
    if not isinstance(value, list):
        raise BadArgument(_unfit(values, position, "an array"))
    return value


def _whole(values: list[Any], position: int) -> int:
    """A number, rounded half up where it has a fraction."""
    value = values[position]
    if not is_number(value) or (isinstance(value, float) and not math.isfinite(value)):
        raise BadArgument(_unfit(values, position, "a number"))
    if abs(value) > LARGEST_WHOLE:
        raise BadArgument(_unfit(values, position, "a number within 64 bits"))
    return value if isinstance(value, int) else math.floor(value + 0.5)


def _unfit(values: list[Any], position: int, wanted: str) -> str:
    return f"Argument {position + 1} must be {wanted}, but was {_brief(values[position])}"


def _brief(value: Any) -> str:
    text = json_text(value)
    return f"{text if len(text) <= 200 else text[:200] + '...'}, of type {kind_of(value)}"


def _bounded(text: str) -> str:
    if len(text) > LONGEST_TEXT:
        raise BadArgument(f"The result would have more than {LONGEST_TEXT} characters")
    return text


_ALPHABET: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_URL_SAFE: Final = str.maketrans("-_", "+/")
_HASHES: Final = {
    "MD5": "md5",
    "SHA-1": "sha1",
    "SHA-256": "sha256",
    "SHA-384": "sha384",
    "SHA-512": "sha512",
}

FUNCTIONS: Final[dict[str, Function]] = {
    "Format": _format,
    "StringToJson": _string_to_json,
    "JsonToString": _json_to_string,
    "Array": _array,
    "ArrayPartition": _array_partition,
    "ArrayContains": _array_contains,
    "ArrayRange": _array_range,
    "ArrayGetItem": _array_get_item,
    "ArrayLength": _array_length,
    "ArrayUnique": _array_unique,
    "Base64Encode": _base64_encode,
    "Base64Decode": _base64_decode,
    "Hash": _hash,
    "JsonMerge": _json_merge,
    "MathRandom": _math_random,
    "MathAdd": _math_add,
    "StringSplit": _string_split,
    "UUID": _uuid,
}
"""The functions by their name after `States.`."""
