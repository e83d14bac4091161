"""From paths, payload templates and intrinsic functions of ASL to templates of the native dialect.

`$` of ASL is a place below `$.state` there. What the native dialect does not do alike is Untranslatable.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stepwell_interpreter.asl.intrinsic_syntax import Argument, Call, Literal, parse_intrinsic
from stepwell_interpreter.asl.path_syntax import Indices, Names, Query, Segment, Wildcard, parse_path
from stepwell_interpreter.failures import pointer_to

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_CONTEXT: dict[tuple[str | int, ...], str] = {
    ("Execution", "Input"): "$.input",
}
_STATE: dict[tuple[str | int, ...], str] = {("State", "Name"): "$.system.stateName"}
_ITEM: dict[tuple[str | int, ...], str] = {
    ("Map", "Item", "Value"): "$.item",
    ("Map", "Item", "Index"): "$.index",
}
_FUNCTIONS = {
    "ArrayContains": "$contains",
    "ArrayLength": "$length",
    "ArrayPartition": "$partition",
    "Base64Encode": "$base64Encode",
    "Base64Decode": "$base64Decode",
    "Format": "$format",
    "UUID": "$uuid",
}


class Untranslatable(Exception):
    """What the native dialect cannot say. `pointer` leads to it in the ASL document."""

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__(f"{pointer}: {message}")
        self.pointer = pointer
        self.message = message


@dataclass(frozen=True, slots=True)
class Source:
    """What `$` is: a native path. `item`: whether the item of a map iteration is in scope.

    `moved`: the template will stand in another state than the one it was written in.
    """

    root: str
    item: bool = False
    moved: bool = False

    def path(self, text: Any, pointer: str) -> str:
        """A path of ASL as one of the native dialect."""
        if not isinstance(text, str):
            raise Untranslatable(pointer, "only a path is translated here")
        return self.query(parse_path(text), pointer)

    def query(self, query: Query, pointer: str) -> str:
        """A parsed path."""
        if query.root == "$":
            return self.root + "".join(_segment(segment, query, pointer) for segment in query.segments)
        if query.root != "$$":
            raise Untranslatable(pointer, f"variables ({query.root}) are not translated")
        known = {**_CONTEXT, **(_ITEM if self.item else {}), **({} if self.moved else _STATE)}
        for members, path in known.items():
            if query.definite and query.members[: len(members)] == members:
                rest = query.segments[len(members) :]
                return path + "".join(_segment(segment, query, pointer) for segment in rest)
        raise Untranslatable(pointer, f"{query.text} of the context object has no counterpart")

    def value(self, text: Any, pointer: str) -> Any:
        """What a `.$` field says: a path, or a call of an intrinsic function."""
        if isinstance(text, str) and text.startswith("States."):
            return self._call(parse_intrinsic(text), pointer)
        return self.path(text, pointer)

    def template(self, value: Any, pointer: str) -> Any:
        """A payload template."""
        if isinstance(value, Mapping):
            made: dict[str, Any] = {}
            for key, inner in value.items():
                place = pointer_to(pointer, key)
                dynamic = key.endswith(".$")
                name = _key(key.removesuffix(".$") if dynamic else key)
                made[name] = self.value(inner, place) if dynamic else self.template(inner, place)
            return made
        if isinstance(value, list):
            return [self.template(inner, pointer_to(pointer, index)) for index, inner in enumerate(value)]
        return literal(value)

    def _call(self, call: Call, pointer: str) -> Any:
        arguments = [self._argument(argument, pointer) for argument in call.arguments]
        if call.name == "Array":
            return arguments
        function = _FUNCTIONS.get(call.name)
        if function is None:
            raise Untranslatable(
                pointer, f"States.{call.name} has no native function that does just the same"
            )
        if call.name == "Format" and isinstance(call.arguments[0], Literal):
            arguments[0] = call.arguments[0].raw.replace("\\'", "'")
        return {function: arguments}

    def _argument(self, argument: Argument, pointer: str) -> Any:
        if isinstance(argument, Query):
            return self.query(argument, pointer)
        if isinstance(argument, Call):
            return self._call(argument, pointer)
        return literal(argument.value)


def literal(value: Any) -> Any:
    """A value that means itself, with what the native dialect would read as path or function escaped."""
    if isinstance(value, Mapping):
        return {_key(key): literal(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [literal(inner) for inner in value]
    if isinstance(value, str):
        if value.startswith(("$.", "$[")):
            return f"${value}"
        if value.startswith(("$$.", "$$[")):
            return {"$concat": ["$$", value[2:]]}
    return value


def target(root: str, text: str, pointer: str) -> str:
    """A ResultPath as a place that is written."""
    query = parse_path(text)
    if query.root != "$" or not query.definite:
        raise Untranslatable(pointer, f"{text} is not a place in the state's input")
    return root + "".join(_segment(segment, query, pointer) for segment in query.segments)


def _key(key: str) -> str:
    return f"${key}" if key.startswith("$") else key


def _segment(segment: Segment, query: Query, pointer: str) -> str:
    if not segment.descend:
        if isinstance(segment, Names) and len(segment.names) == 1:
            return _member(segment.names[0])
        if isinstance(segment, Indices) and len(segment.indices) == 1:
            return f"[{segment.indices[0]}]"
        if isinstance(segment, Wildcard):
            return "[*]"
    raise Untranslatable(
        pointer, f"{query.text}: filters, slices and `..` may find other things in native paths"
    )


def _member(name: str) -> str:
    if _PLAIN.match(name):
        return f".{name}"
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    return f"['{escaped}']"
