"""Damages JSON documents and their texts as a hostile or careless hand would, from one `Random`."""

import copy
from random import Random
from typing import Any

ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    2**63,
    2**64,
    1e308,
    -0.0,
    "",
    " ",
    "$",
    "$.",
    "$[",
    "$.state",
    "$$.",
    "x" * 5_000,
    "\u0000",
    "é😀\u202e",
    "..",
    "/",
    "~0~1",
    "PT",
    "P1Y",
    "9999-12-31T23:59:60Z",
    [],
    {},
    [[]],
    [None],
    {"": ""},
    {"$": 1},
    {"$path": 1},
    {"$concat": {}},
    {"$if": []},
    {"$unknown": 1},
    {"type": "task"},
    {"$ref": "#"},
    {"pattern": "("},
    {"variable": "$.x"},
    {"not": {"not": {}}},
    "\ud800",
)
TEXTS = (
    "&a ",
    "*a",
    "<<: ",
    "!!python/object:os.system ",
    "!!binary ",
    "? ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    ":",
    "\t",
    "\r\n",
    "\0",
    "\ufeff",
    "%YAML 1.1\n",
    "---\n",
    "...\n",
    "|2\n",
    ">-\n",
    '"\\ud800"',
    "0x1F",
    "1_000",
    "NaN",
    ".inf",
    "1e400",
    "9" * 400,
    "\u2028",
    "\u0085",
    "#",
    "'",
    '"',
    "&a [*a]",
    "{<<: *a}",
    "true: ",
    "null: ",
    "!<tag:x> ",
    "\x1b[31m",
    "\U0010ffff",
)


def mutated(document: Any, random: Random, times: int) -> Any:
    """A copy with so many changes: members dropped, renamed, moved, doubled, nested, or replaced by odd values."""
    document = copy.deepcopy(document)
    for _ in range(times):
        holder, key = random.choice(list(_places(document)))
        match random.randrange(7):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[_respelled(str(key), random)] = holder.pop(key)
            case 2:
                holder[key] = copy.deepcopy(random.choice(list(_values(document))))
            case 3:
                holder[key] = _nested(holder[key], random.choice((1, 5, 70)))
            case 4 if isinstance(holder, list):
                holder.insert(0, holder[key])
            case 5 if isinstance(holder, dict):
                holder[str(random.choice(ODD))[:40]] = holder[key]
            case _:
                holder[key] = random.choice(ODD)
        if not document:
            break
    return document


def garbled(text: str, random: Random, times: int) -> str:
    """The text with pieces cut out, doubled, swapped, and syntax of YAML and JSON put in."""
    for _ in range(times):
        start = random.randrange(len(text) + 1)
        end = min(len(text), start + random.randrange(1, 30))
        piece = random.choice(
            (
                random.choice(TEXTS),
                "",
                text[start:end] * random.choice((2, 200)),
                chr(random.randrange(0x110000)),
            )
        )
        text = text[:start] + piece + text[end if random.random() < 0.5 else start :]
    return text


def _places(document: Any) -> Any:
    """Every (holder, key) of a document."""
    pending = [document]
    while pending:
        at = pending.pop()
        keys: list[Any] = (
            list(at) if isinstance(at, dict) else list(range(len(at))) if isinstance(at, list) else []
        )
        for key in keys:
            yield at, key
            pending.append(at[key])


def _values(document: Any) -> Any:
    yield from (holder[key] for holder, key in _places(document))


def _nested(value: Any, levels: int) -> Any:
    for _ in range(levels):
        value = {"not": value}
    return value


def _respelled(name: str, random: Random) -> str:
    return random.choice((name.upper(), name + "s", name[:-1], name[::-1], "", name + "\n", "$" + name))
