"""What the language's functions take and give, as shapes. A function that is not in the table gives anything."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from stepwell_interpreter.verification.shapes import (
    ANY,
    BOOLEAN,
    KINDS,
    NUMBER,
    TEXT,
    Shape,
    constant,
    join,
    list_of,
    lookup,
    secrets,
)

Give = Callable[[Sequence[Shape]], Shape]

_TEXT: Final = frozenset({"text"})
_NUMBER: Final = frozenset({"number"})
_LIST: Final = frozenset({"list"})
_OBJECT: Final = frozenset({"object"})
_DURATION: Final = _TEXT | _NUMBER
_SCALAR: Final = frozenset({"text", "number", "boolean"})
_SAYS_NOTHING_OF_ITS_ARGUMENT: Final = frozenset({"$hash", "$length", "$contains", "$uuid", "$random"})


@dataclass(frozen=True, slots=True)
class Signature:
    """Kinds of the first arguments, kinds of all further ones; `spread`: one list stands for the arguments."""

    first: tuple[frozenset[str], ...]
    further: frozenset[str]
    gives: Give
    spread: bool = False


def result_of(name: str, arguments: Sequence[Shape]) -> Shape:
    """What the function gives."""
    signature = SIGNATURES.get(name)
    result = ANY if signature is None else signature.gives(arguments)
    if name in _SAYS_NOTHING_OF_ITS_ARGUMENT:
        return result
    kept = next((secret for argument in arguments for secret in secrets(argument)), "")
    return replace(result, secret=kept) if kept and not result.secret else result


def wrong_argument(name: str, arguments: Sequence[Shape]) -> tuple[int, frozenset[str]] | None:
    """The first argument that is certainly of a wrong kind, and what would be right."""
    signature = SIGNATURES.get(name)
    if signature is None:
        return None
    for position, argument in enumerate(arguments):
        allowed = signature.first[position] if position < len(signature.first) else signature.further
        if signature.spread and len(arguments) == 1:
            allowed = allowed | _LIST
        if argument.kinds.isdisjoint(allowed):
            return position, allowed
    return None


def _always(shape: Shape) -> Give:
    return lambda arguments: shape


def _concat(arguments: Sequence[Shape]) -> Shape:
    if arguments and all(argument.kinds <= _LIST for argument in arguments) and len(arguments) > 1:
        return list_of(ANY)
    if arguments and all("list" not in argument.kinds for argument in arguments):
        return TEXT
    return Shape(_TEXT | _LIST)


def _extreme(arguments: Sequence[Shape]) -> Shape:
    if arguments and all(argument.kinds <= _NUMBER for argument in arguments):
        return NUMBER
    return Shape(_TEXT | _NUMBER)


def _merge(arguments: Sequence[Shape]) -> Shape:
    if len(arguments) == 1 and "list" in arguments[0].kinds:
        return Shape(_OBJECT)
    merged = Shape(_OBJECT, {}, "closed")
    for argument in arguments:
        if argument.rest != "closed" or not argument.kinds <= _OBJECT:
            merged = replace(merged, rest="open")
    members = dict(merged.members)
    for argument in arguments:
        for name, member in argument.members.items():
            before = members.get(name)
            if member.sure or before is None:
                members[name] = member
            else:
                members[name] = replace(before, shape=join(before.shape, member.shape))
    return replace(merged, members=members)


def _at(arguments: Sequence[Shape]) -> Shape:
    inside, key = arguments[0], arguments[1]
    found = ANY
    if key.values is not None and len(key.values) == 1:
        [(_, name)] = key.values
        if isinstance(name, str) or (isinstance(name, int) and not isinstance(name, bool)):
            looked = lookup(inside, [name])
            if looked.certainty == "sure":
                return looked.shape
            found = looked.shape if looked.certainty == "optional" or isinstance(name, int) else ANY
    return join(found, arguments[2]) if len(arguments) > 2 else found


def _items(arguments: Sequence[Shape]) -> Shape:
    return list_of(arguments[0].items or ANY)


def _pieces(arguments: Sequence[Shape]) -> Shape:
    return list_of(_items(arguments))


SIGNATURES: Final[dict[str, Signature]] = {
    "$format": Signature((_TEXT,), KINDS, _always(TEXT)),
    "$concat": Signature((), _SCALAR | _LIST, _concat, spread=True),
    "$join": Signature((_LIST, _TEXT), _TEXT, _always(TEXT)),
    "$split": Signature((_TEXT, _TEXT), _TEXT, _always(list_of(TEXT))),
    "$lower": Signature((_TEXT,), _TEXT, _always(TEXT)),
    "$upper": Signature((_TEXT,), _TEXT, _always(TEXT)),
    "$length": Signature((_TEXT | _LIST | _OBJECT,), KINDS, _always(NUMBER)),
    "$keys": Signature((_OBJECT,), _OBJECT, _always(list_of(TEXT))),
    "$merge": Signature((), _OBJECT, _merge, spread=True),
    "$contains": Signature((_TEXT | _LIST | _OBJECT,), KINDS, _always(BOOLEAN)),
    "$unique": Signature((_LIST,), _LIST, _items),
    "$range": Signature((), _NUMBER, _always(list_of(NUMBER))),
    "$partition": Signature((_LIST, _NUMBER), _NUMBER, _pieces),
    "$at": Signature((_LIST | _OBJECT, _TEXT | _NUMBER), KINDS, _at),
    "$add": Signature((), _NUMBER, _always(NUMBER), spread=True),
    "$subtract": Signature((), _NUMBER, _always(NUMBER)),
    "$multiply": Signature((), _NUMBER, _always(NUMBER), spread=True),
    "$divide": Signature((), _NUMBER, _always(NUMBER)),
    "$min": Signature((), _NUMBER | _TEXT, _extreme, spread=True),
    "$max": Signature((), _NUMBER | _TEXT, _extreme, spread=True),
    "$round": Signature((), _NUMBER, _always(NUMBER)),
    "$random": Signature((), _NUMBER, _always(NUMBER)),
    "$parseJson": Signature((_TEXT,), _TEXT, _always(ANY)),
    "$toJson": Signature((), KINDS, _always(TEXT)),
    "$base64Encode": Signature((_TEXT,), _TEXT, _always(TEXT)),
    "$base64Decode": Signature((_TEXT,), _TEXT, _always(TEXT)),
    "$hash": Signature((_TEXT, _TEXT), _TEXT, _always(TEXT)),
    "$uuid": Signature((), KINDS, _always(TEXT)),
    "$timeAdd": Signature((_TEXT, _DURATION), _DURATION, _always(TEXT)),
    "$timeDiff": Signature((_TEXT, _TEXT), _TEXT, _always(NUMBER)),
}

NOTHING: Final = constant(None)
