"""Tells which files of a folder are definitions, and which of them have tests, by the keys at the top of the document.

A folder also holds outcomes, events, JSON Schemas and tables of resources; where a file cannot be read to its end, its
bytes are looked at instead, so that a broken definition is told about and not passed over.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import yaml
from stepwell_schemas.source_text import MAX_DEPTH, MAX_SOURCE_BYTES

from stepwell.file_reading import read_bounded

DEFINITION_SUFFIXES = (".yaml", ".yml", ".json")
SCENARIO_SUFFIXES = (".tests.yaml", ".tests.yml", ".tests.json")
NATIVE = frozenset({"startAt", "states"})
ASL = frozenset({"StartAt", "States"})
_WORDS = tuple(word.encode() for word in (*NATIVE, *ASL))
_ASL_WORDS = tuple(word.encode() for word in ASL)
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def is_scenario_file(path: Path) -> bool:
    """Whether a file holds scenarios for a definition beside it, by its name."""
    return path.name.endswith(SCENARIO_SUFFIXES)


def holds_definition(path: Path) -> bool:
    """Whether a file is a definition of either dialect, or meant as one; also when it cannot be read."""
    try:
        content = read_bounded(path, MAX_SOURCE_BYTES)
    except OSError:
        return True  # whoever opens it says why
    return _is_definition(content, path)


def holds_tests(path: Path) -> bool:
    """Whether a file is a definition (or the envelope of one) with `tests:`; also when it cannot be read."""
    try:
        content = read_bounded(path, MAX_SOURCE_BYTES)
    except OSError:
        return True
    return b"tests" in content and _is_definition(content, path, tests=True)


@dataclass(frozen=True, slots=True)
class _Top:
    """The keys at the top of a document. `whole`: it could be read to its end. `keys` is None for what is no object."""

    keys: frozenset[str] | None
    whole: bool


def _is_definition(content: bytes, path: Path, *, tests: bool = False) -> bool:
    if not _has_any(content, _WORDS):
        return False
    top = _top_of_json(content) if path.suffix == ".json" else _top_of_yaml(content)
    if top.keys is None:
        return False
    if not top.whole:
        return True
    native = bool(top.keys & NATIVE)
    # The definition of an envelope is an object or its JSON text: either way the words stand in it.
    envelope = "definition" in top.keys and _has_any(content, _ASL_WORDS)
    if tests:
        # A bare definition in Amazon States Language has no place for tests.
        return "tests" in top.keys and (native or envelope)
    return native or envelope or bool(top.keys & ASL)


def _has_any(content: bytes, words: Iterable[bytes]) -> bool:
    return any(word in content for word in words)


def _top_of_json(content: bytes) -> _Top:
    try:
        document = orjson.loads(content.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        # Only an object can be a definition, however broken.
        return _Top(None if content.lstrip()[:1] == b"[" else frozenset(), whole=False)
    return _Top(frozenset(document) if isinstance(document, dict) else None, whole=True)


def _top_of_yaml(content: bytes) -> _Top:
    """Of the first document, from the parser's events: nothing is built, and no alias is followed.

    What is wrong with a second document, its loader says.
    """
    keys: set[str] = set()
    depth, is_key = 0, True
    try:
        for event in yaml.parse(content, Loader=_LOADER):
            if isinstance(event, yaml.DocumentEndEvent):
                break
            if depth == 0 and isinstance(event, yaml.SequenceStartEvent | yaml.ScalarEvent):
                return _Top(None, whole=True)
            if depth == 1 and isinstance(event, yaml.NodeEvent):
                if is_key and isinstance(event, yaml.ScalarEvent):
                    keys.add(event.value)
                is_key = not is_key
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MAX_DEPTH:  # what the loader refuses; the parser would need long for it
                    return _Top(frozenset(keys), whole=False)
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
    except (yaml.YAMLError, UnicodeError):
        return _Top(frozenset(keys), whole=False)
    return _Top(frozenset(keys), whole=True)
