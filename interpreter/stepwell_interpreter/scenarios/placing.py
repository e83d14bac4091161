"""Puts values into documents at places where nothing needs to be yet; documents are never changed, but copied."""

from collections.abc import Sequence
from typing import Any, Final

import orjson

from stepwell_interpreter.paths import Member
from stepwell_interpreter.scope import MISSING

JSON_TEXT: Final = "\0json"
"""In place of a member: what the JSON text says that stands there."""
LONGEST_LIST: Final = 20
"""No list is made longer than this for the sake of one of its items."""


def put(document: Any, members: Sequence[Member], value: Any) -> Any:
    """The document with a value at the members, or without what is there (MISSING).

    Objects and lists are made on the way; an item far out in a list is left alone.
    """
    if not members:
        return document if value is MISSING else value
    first, rest = members[0], members[1:]
    if first == JSON_TEXT:
        return orjson.dumps(put(_parsed(document), rest, value)).decode()
    if isinstance(first, int):
        return _put_item(document, first, rest, value)
    known = document if isinstance(document, dict) else {}
    if value is MISSING and (first not in known or not rest):
        return {key: each for key, each in known.items() if key != first} if known else document
    return {**known, first: put(known.get(first), rest, value)}


def _parsed(text: Any) -> Any:
    try:
        return orjson.loads(text) if isinstance(text, str) else {}
    except orjson.JSONDecodeError:
        return {}


def _put_item(document: Any, index: int, rest: Sequence[Member], value: Any) -> Any:
    known = document if isinstance(document, list) else []
    if value is MISSING and not rest:
        return known[:index] if 0 <= index < len(known) else document
    if index < 0:
        index = max(len(known) + index, 0)
    if index >= LONGEST_LIST:
        return document
    items = [*known, *([known[-1] if known else None] * (index + 1 - len(known)))]
    items[index] = put(items[index], rest, value)
    return items
