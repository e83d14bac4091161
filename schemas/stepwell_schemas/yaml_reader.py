"""Reads YAML into plain JSON values with positions, from parser events, so that nothing is built that is not allowed.

Bounded: depth, number of values and of characters, both counted as if every alias were written out. Refused:
second documents, duplicate keys, keys that are not texts, tags beyond JSON's, aliases to themselves.
"""

from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml import events

from stepwell_schemas.problems import Finding, PathInDocument, Place, Positions
from stepwell_schemas.scalars import ScalarRefused, note_on, plain_value
from stepwell_schemas.source_text import MAX_DEPTH, MAX_EXPANDED_CHARACTERS, MAX_NODES, SyntaxFault

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Only its scanner and parser are used; libyaml's is ten times faster."""

_TAGS = {f"tag:yaml.org,2002:{name}": name for name in ("str", "int", "float", "bool", "null", "map", "seq")}
MAX_NOTES = 20


@dataclass(slots=True)
class Size:
    """What a value costs when written out: values, characters, levels."""

    nodes: int = 1
    characters: int = 0
    depth: int = 0


@dataclass(slots=True)
class _Open:
    """A collection that is still being read. `key` waits for its value; `merged` are the values of `<<` keys."""

    value: dict[str, Any] | list[Any]
    path: PathInDocument
    anchor: str | None
    start: Any
    size: Size = field(default_factory=Size)
    key: str | None = None
    merged: list[Any] = field(default_factory=list)
    merging: bool = False


def read_yaml(text: str) -> tuple[Any, Positions, list[Finding]]:
    """The document, where everything stands in it, and notes. Raises SyntaxFault."""
    reader = _Reader()
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            reader.take(event)
    except yaml.MarkedYAMLError as error:
        raise _syntax_fault(error, text) from None
    except yaml.YAMLError as error:
        raise SyntaxFault("yaml-syntax", f"not YAML: {error}") from None
    if not reader.documents or reader.is_empty:
        raise SyntaxFault("empty-document", "there is no definition in here", 1, 1)
    return reader.root, reader.positions, reader.notes


class _Reader:
    """Builds values from events with an explicit stack: depth of the text is never depth of the Python stack."""

    def __init__(self) -> None:
        self.root: Any = None
        self.is_empty = True
        self.documents = 0
        self.positions = Positions()
        self.notes: list[Finding] = []
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Any, Size] | None] = {}
        self.total = Size(nodes=0)

    def take(self, event: events.Event) -> None:
        """One event of the parser."""
        match event:
            case events.ScalarEvent():
                self._scalar(event)
            case events.MappingStartEvent() | events.SequenceStartEvent():
                self._open(event)
            case events.MappingEndEvent() | events.SequenceEndEvent():
                self._close()
            case events.AliasEvent():
                self._alias(event)
            case events.DocumentStartEvent():
                self.documents += 1
                if self.documents > 1:
                    raise _fault(
                        "several-documents", "a file holds one definition; here a second begins", event
                    )

    def _scalar(self, event: events.ScalarEvent) -> None:
        holder = self.stack[-1] if self.stack else None
        if (
            holder is not None
            and isinstance(holder.value, dict)
            and holder.key is None
            and not holder.merging
        ):
            self._key(holder, event)
            return
        value = _scalar_value(event)
        size = Size(characters=len(event.value))
        if event.implicit[0] and len(self.notes) < MAX_NOTES and (note := note_on(event.value, value)):
            path = self._path(event)
            self.notes.append(Finding("yaml-1.1", note.message, path, note.severity))
        if event.anchor:
            self.anchors[event.anchor] = (value, size)
        self._place(value, size, event)

    def _key(self, holder: _Open, event: events.ScalarEvent) -> None:
        if event.implicit[0] and event.value == "<<":
            holder.merging = True
            return
        key = _scalar_value(event)
        if not isinstance(key, str):
            # A number or a null as key is most often meant as its text, but JSON has no such keys.
            shown = event.value or "an empty key"
            raise _fault("key-not-text", f"{shown[:80]} is not a text: quote it to use it as a key", event)
        if not isinstance(holder.value, dict) or key in holder.value:
            first = self.positions.keys.get((*holder.path, key))
            where = f", first in line {first.line}" if first else ""
            raise _fault("duplicate-key", f"the key {key[:80]!r} is here twice{where}", event)
        holder.key = key
        holder.size.characters += len(key)
        self._count(Size(nodes=0, characters=len(key)), event)
        self.positions.keys[(*holder.path, key)] = _place(event)
        if event.anchor:
            self.anchors[event.anchor] = (key, Size(characters=len(key)))

    def _open(self, event: events.MappingStartEvent | events.SequenceStartEvent) -> None:
        value: dict[str, Any] | list[Any] = {} if isinstance(event, events.MappingStartEvent) else []
        expected = "map" if isinstance(value, dict) else "seq"
        if event.tag not in (None, "!") and _TAGS.get(event.tag or "") != expected:
            raise _fault("tag-not-allowed", f"the tag {event.tag} is not allowed", event)
        if len(self.stack) >= MAX_DEPTH:
            raise _fault("too-deep", f"nested deeper than {MAX_DEPTH} levels", event)
        self._refuse_as_key(event)
        if event.anchor:
            self.anchors[event.anchor] = None
        self.stack.append(_Open(value, self._path(event), event.anchor, event))
        self._count(Size(), event)

    def _close(self) -> None:
        done = self.stack.pop()
        for source in done.merged:
            _merge(done, source)
        if done.anchor:
            self.anchors[done.anchor] = (done.value, done.size)
        self._place(done.value, done.size, done.start, counted=True)

    def _alias(self, event: events.AliasEvent) -> None:
        self._refuse_as_key(event)
        name = event.anchor or ""
        if name not in self.anchors:
            raise _fault("unknown-anchor", f"there is no anchor &{name[:80]} before this", event)
        known = self.anchors[name]
        if known is None:
            raise _fault("endless-alias", f"*{name[:80]} would contain itself", event)
        value, size = known
        if len(self.stack) + size.depth > MAX_DEPTH:
            raise _fault(
                "too-deep",
                f"nested deeper than {MAX_DEPTH} levels once *{name[:80]} is put in",
                event,
            )
        self._place(value, size, event)

    def _place(self, value: Any, size: Size, event: Any, *, counted: bool = False) -> None:
        """Puts a finished value where it belongs."""
        if not counted:
            self._count(size, event)
        if not self.stack:
            self.root, self.is_empty = value, value is None
            self.positions.values[()] = _place(event)
            return
        holder = self.stack[-1]
        holder.size.nodes += size.nodes
        holder.size.characters += size.characters
        holder.size.depth = max(holder.size.depth, size.depth + 1)
        self.positions.values[self._path(event)] = _place(event)
        if holder.merging:
            holder.merging = False
            holder.merged.extend(_mergeable(value, event))
        elif isinstance(holder.value, list):
            holder.value.append(value)
        else:
            assert holder.key is not None
            holder.value[holder.key] = value
            holder.key = None

    def _path(self, event: Any) -> PathInDocument:
        """Of the value that begins with this event."""
        if not self.stack:
            return ()
        holder = self.stack[-1]
        if isinstance(holder.value, list):
            return (*holder.path, len(holder.value))
        return (*holder.path, "<<" if holder.merging else holder.key or "")

    def _refuse_as_key(self, event: Any) -> None:
        holder = self.stack[-1] if self.stack else None
        if (
            holder is not None
            and isinstance(holder.value, dict)
            and holder.key is None
            and not holder.merging
        ):
            raise _fault("key-not-text", "a key must be a plain text", event)

    def _count(self, size: Size, event: Any) -> None:
        self.total.nodes += size.nodes
        self.total.characters += size.characters
        if self.total.nodes > MAX_NODES:
            raise _fault("too-many-values", f"more than {MAX_NODES} values, aliases written out", event)
        if self.total.characters > MAX_EXPANDED_CHARACTERS:
            raise _fault("too-large", "too many characters, aliases written out", event)


def _scalar_value(event: events.ScalarEvent) -> Any:
    plain = event.implicit[0] and event.tag != "!"
    try:
        value = plain_value(event.value) if plain else event.value
        if plain or event.tag in (None, "!") or event.implicit[1]:
            return value
        return _tagged(event)
    except ScalarRefused as error:
        raise _fault("number-not-json", str(error), event) from None


def _tagged(event: events.ScalarEvent) -> Any:
    name = _TAGS.get(event.tag or "")
    if name is None or name in ("map", "seq"):
        raise _fault("tag-not-allowed", f"the tag {event.tag} is not allowed", event)
    if name == "str":
        return event.value
    value = plain_value(event.value)
    if name == "float" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if {"int": int, "float": float, "bool": bool, "null": type(None)}[name] is not type(value):
        raise _fault(
            "tag-not-allowed", f"{event.value[:80]!r} is not of the type its tag says ({name})", event
        )
    return value


def _mergeable(value: Any, event: Any) -> list[dict[str, Any]]:
    sources = value if isinstance(value, list) else [value]
    if not all(isinstance(source, dict) for source in sources):
        raise _fault("merge-not-object", "<< merges an object, or a list of objects", event)
    return sources


def _merge(target: _Open, source: dict[str, Any]) -> None:
    """What the object says itself wins, then the sources in their order."""
    assert isinstance(target.value, dict)
    for key, value in source.items():
        target.value.setdefault(key, value)


def _syntax_fault(error: yaml.MarkedYAMLError, text: str) -> SyntaxFault:
    mark = error.problem_mark or error.context_mark
    what = error.problem or error.context or "not YAML"
    if mark is None:
        return SyntaxFault("yaml-syntax", f"not YAML: {what}")
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return SyntaxFault(
            "yaml-tab",
            "a tab indents this line; YAML wants spaces",
            mark.line + 1,
            1,
            "use two spaces for each level",
        )
    context = f" ({error.context})" if error.context and error.problem else ""
    return SyntaxFault("yaml-syntax", f"not YAML: {what}{context}", mark.line + 1, mark.column + 1)


def _fault(code: str, message: str, event: Any) -> SyntaxFault:
    place = _place(event)
    return SyntaxFault(code, message, place.line, place.column)


def _place(event: Any) -> Place:
    return Place(event.start_mark.line + 1, event.start_mark.column + 1)
