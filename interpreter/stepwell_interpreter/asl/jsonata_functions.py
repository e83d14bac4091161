"""The functions of JSONata in Step Functions: AWS's own, those that need the scope, and those to be bounded or mended.

All others are the library's. `$eval` is not offered. Chance and time come from the scope of the evaluation.
"""

import hashlib
import math
import re
from collections.abc import Callable
from functools import cmp_to_key, lru_cache
from inspect import signature
from typing import Any, Final

import orjson
from jsonata.functions import Functions
from jsonata.jexception import JException
from jsonata.jsonata import Jsonata
from jsonata.utils import Utils

from stepwell_interpreter.asl.intrinsic_functions import uuid_text
from stepwell_interpreter.asl.jsonata_engine import Evaluation, Exhausted, whole
from stepwell_interpreter.asl.jsonata_values import library_value
from stepwell_interpreter.values import frozen

LONGEST_TEXT: Final = 1_048_576
MOST_ITEMS: Final = 100_000

_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[Ee][-+]?[0-9]+)?", re.ASCII)
_OTHER_BASES: Final = re.compile(r"0(?:[xX][0-9A-Fa-f]{1,200}|[oO][0-7]{1,200}|[bB][01]{1,1000})", re.ASCII)
_HASHES: Final = {
    "MD5": "md5",
    "SHA-1": "sha1",
    "SHA-256": "sha256",
    "SHA-384": "sha384",
    "SHA-512": "sha512",
}


class Native(Jsonata.JFunction):  # type: ignore[misc]
    """A function of ours for the library: checked by its signature, then called with all its parameters."""

    def __init__(self, name: str, declared: str, implementation: Callable[..., Any]) -> None:
        super().__init__(None, declared)
        self.function_name = name
        self.signature.set_function_name(name)
        self.implementation = implementation
        self.arity = len(signature(implementation).parameters)

    def call(self, input: Any, args: Any) -> Any:
        given = [None if argument is Utils.NULL_VALUE else argument for argument in args or ()]
        return self.implementation(*(given + [None] * self.arity)[: self.arity])

    def get_number_of_args(self) -> int:
        return self.arity


@lru_cache(maxsize=1)
def step_functions_frame() -> Any:
    """The frame of all functions, made at first use and shared: it is never written to again."""
    frame = Jsonata.Frame(Jsonata.static_frame)
    for name, (declared, implementation) in _FUNCTIONS.items():
        frame.bind(name, Native(name, declared, implementation))
    frame.bind("eval", None)
    return frame


def function_names() -> frozenset[str]:
    """The names that are functions, and so no variables, unless a variable has the same name."""
    return frozenset((*Jsonata.static_frame.bindings, *_FUNCTIONS))


def _current() -> Evaluation:
    evaluation: Evaluation = Jsonata.CURRENT.jsonata
    return evaluation


# -- Step Functions' own -------------------------------------------------------------------------------------


def _partition(items: Any, size: Any) -> Any:
    if items is None:
        return None
    length = 0 if size is None else math.floor(size)
    if length < 1:
        raise JException("T0410", -1, 2, "partition")
    return [list(items[start : start + length]) for start in range(0, len(items), length)]


def _range(first: Any, last: Any, step: Any) -> Any:
    for place, number in enumerate((first, last, step), 1):
        if number is None or (place == 3 and number == 0):
            raise JException("T0410", -1, place, "range")
    count = math.floor((last - first) / step + 1e-9) + 1
    if count > MOST_ITEMS:
        raise Exhausted(f"A range has at most {MOST_ITEMS} items")
    return Utils.create_sequence_from_iter(
        whole(float(first + place * step)) for place in range(max(0, count))
    )


def _hash(text: Any, algorithm: Any) -> Any:
    if text is None:
        return None
    name = _HASHES.get("SHA-256" if algorithm is None else algorithm)
    if name is None:
        raise JException(
            f"The algorithm of $hash must be one of {', '.join(_HASHES)}, but was {algorithm[:100]}"
        )
    return hashlib.new(name, text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


def _random(seed: Any) -> Any:
    if seed is None:
        drawn = _current().scope.draw()
    else:
        drawn = hashlib.blake2b(f"seed\0{seed}".encode(), digest_size=16).digest()
    return (int.from_bytes(drawn[:8]) >> 11) / 2**53


def _uuid() -> Any:
    return uuid_text(_current().scope.draw())


def _parse(text: Any) -> Any:
    if text is None:
        return None
    try:
        return library_value(orjson.loads(text))
    except orjson.JSONDecodeError as error:
        raise JException(f"$parse was given a text that is not JSON: {error}") from None


def _shuffle(items: Any) -> Any:
    if items is None:
        return None
    shuffled = list(items)
    for place in range(len(shuffled) - 1, 0, -1):
        other = int.from_bytes(_current().scope.draw()[:8]) % (place + 1)
        shuffled[place], shuffled[other] = shuffled[other], shuffled[place]
    return shuffled


# -- bounded, or mended --------------------------------------------------------------------------------------


def _join(texts: Any, separator: Any) -> Any:
    if texts is None:
        return None
    between = separator or ""
    _check_length(sum(map(len, texts)) + len(between) * len(texts))
    return between.join(texts)


def _pad(text: Any, width: Any, letters: Any) -> Any:
    if text is None or width is None:
        return text
    missing = abs(int(width)) - len(text)
    if missing <= 0:
        return text
    _check_length(abs(int(width)))
    fill = letters or " "
    padding = (fill * (missing // len(fill) + 1))[:missing]
    return padding + text if width < 0 else text + padding


def _replace(text: Any, pattern: Any, replacement: Any, limit: Any) -> Any:
    if text is None:
        return None
    if pattern == "":
        raise JException("D3010", -1)
    if limit is not None and limit < 0:
        raise JException("D3011", -1)
    most = math.inf if limit is None else limit
    parts: list[str] = []
    at = length = 0
    for count, (start, end, groups) in enumerate(_occurrences(text, pattern)):
        if count >= most:
            break
        piece = _replaced(replacement, groups, isinstance(pattern, str))
        parts += (text[at:start], piece)
        length += start - at + len(piece)
        _check_length(length)
        at = end
    return "".join((*parts, text[at:]))


def _replaced(replacement: Any, groups: list[str], plain: bool) -> str:
    if isinstance(replacement, str):
        return replacement if plain else _expanded(replacement, groups)
    found = Functions.func_apply(replacement, [{"match": groups[0], "groups": groups[1:]}])
    if not isinstance(found, str):
        raise JException("D3012", -1)
    return found


def _expanded(replacement: str, groups: list[str]) -> str:
    """`$1` is the first group, `$0` the match, `$$` a dollar sign; the longest number that is a group counts."""

    def insert(found: re.Match[str]) -> str:
        digits = found.group(1)
        if digits == "$":
            return "$"
        for length in range(len(digits), 0, -1):
            if int(digits[:length]) < len(groups):
                return groups[int(digits[:length])] + digits[length:]
        return digits[1:]

    return re.sub(r"\$(\$|[0-9]{1,3})", insert, replacement)


def _occurrences(text: str, pattern: Any) -> Any:
    if isinstance(pattern, str):
        at = text.find(pattern)
        while at >= 0:
            yield at, at + len(pattern), [pattern]
            at = text.find(pattern, at + len(pattern))
        return
    for found in pattern.finditer(text):
        if found.start() == found.end():
            raise JException("D1004", -1)
        yield found.start(), found.end(), [found.group(), *(group or "" for group in found.groups())]


def _split(text: Any, pattern: Any, limit: Any) -> Any:
    if text is None:
        return None
    if limit is not None and limit < 0:
        raise JException("D3020", -1)
    if pattern == "":
        pieces = list(text)
    else:
        pieces, at = [], 0
        for start, end, _ in _occurrences(text, pattern):
            pieces.append(text[at:start])
            at = end
        pieces.append(text[at:])
    return pieces if limit is None else pieces[: math.floor(limit)]


def _sort(items: Any, comparator: Any) -> Any:
    if items is None or len(items) <= 1:
        return items
    if comparator is None:
        if not (Utils.is_array_of_numbers(items) or Utils.is_array_of_strings(items)):
            raise JException("D3070", -1)
        return sorted(items)

    def compare(left: Any, right: Any) -> int:
        # the comparator says whether the two have to be swapped
        return 1 if Jsonata.boolize(Functions.func_apply(comparator, [left, right])) else -1

    return sorted(items, key=cmp_to_key(compare))


def _distinct(items: Any) -> Any:
    if not isinstance(items, list) or len(items) <= 1:
        return items
    kept: dict[Any, Any] = {}
    for item in items:
        kept.setdefault(frozen(item), item)
    unique = list(kept.values())
    return Utils.create_sequence_from_iter(unique) if Utils.is_sequence(items) else unique


def _number(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, bool):
        return int(value)
    if not isinstance(value, str):
        return value
    if _OTHER_BASES.fullmatch(value):
        return whole(float(int(value, 0)))
    if _NUMBER.fullmatch(value) and len(value) <= 400:
        number = float(value)
        if math.isfinite(number):
            return whole(number)
    raise JException("D3030", -1, value)


def _power(base: Any, exponent: Any) -> Any:
    if base is None or exponent is None:
        return None
    try:
        result = math.pow(base, exponent)
    except (OverflowError, ValueError):
        raise JException("D3061", -1, base, exponent) from None
    return whole(result)


def _check_length(length: int) -> None:
    if length > LONGEST_TEXT:
        raise Exhausted(f"A text has at most {LONGEST_TEXT} characters")


_FUNCTIONS: Final[dict[str, tuple[str, Callable[..., Any]]]] = {
    "partition": ("<an:a<a>>", _partition),
    "range": ("<nnn:a<n>>", _range),
    "hash": ("<ss?:s>", _hash),
    "random": ("<n?:n>", _random),
    "uuid": ("<:s>", _uuid),
    "parse": ("<s:x>", _parse),
    "shuffle": ("<a:a>", _shuffle),
    "join": ("<a<s>s?:s>", _join),
    "pad": ("<s-ns?:s>", _pad),
    "replace": ("<s-(sf)(sf)n?:s>", _replace),
    "split": ("<s-(sf)n?:a<s>>", _split),
    "sort": ("<af?:a>", _sort),
    "distinct": ("<x:x>", _distinct),
    "number": ("<(nsb)-:n>", _number),
    "power": ("<n-n:n>", _power),
}
