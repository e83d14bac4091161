"""From JSON Schemas to shapes. What a schema says in ways not read here leaves the shape wider, never narrower."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from stepwell_interpreter.values import is_number, kind_of
from stepwell_interpreter.verification.shapes import ANY, KINDS, MOST_VALUES, Member, Rest, Shape, join

_KINDS: Final = {
    "null": "null",
    "boolean": "boolean",
    "integer": "number",
    "number": "number",
    "string": "text",
    "array": "list",
    "object": "object",
}
_DEEPEST: Final = 12
_MOST_SCHEMAS: Final = 5_000
_SECRET_MARKS: Final = ("sensitive", "x-sensitive", "writeOnly")


def shape_of(schema: Any, name: str = "") -> Shape:
    """The shape of what a schema allows. `name` is the path of the value, for the marks of secrets."""
    return _Reader(schema).read(schema, name, 0)


class _Reader:
    """One schema and its references; bounded in depth and in the number of schemas it looks at."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._left = _MOST_SCHEMAS

    def read(self, schema: Any, name: str, depth: int) -> Shape:
        """The shape of one schema."""
        self._left -= 1
        if not isinstance(schema, Mapping) or depth > _DEEPEST or self._left < 0:
            return ANY
        shape = self._own(schema, name, depth)
        reference = schema.get("$ref")
        if isinstance(reference, str):
            shape = _both(shape, self.read(self._resolved(reference), name, depth + 1))
        for part in _list(schema.get("allOf")):
            shape = _both(shape, self.read(part, name, depth + 1))
        for key in ("anyOf", "oneOf"):
            alternatives = [self.read(part, name, depth + 1) for part in _list(schema.get(key))]
            if alternatives:
                joined = alternatives[0]
                for other in alternatives[1:]:
                    joined = join(joined, other)
                shape = _both(shape, joined)
        if any(schema.get(mark) is True for mark in _SECRET_MARKS) or schema.get("format") == "password":
            shape = replace(shape, secret=name or "a secret")
        return shape

    def _own(self, schema: Mapping[str, Any], name: str, depth: int) -> Shape:
        kinds = KINDS
        if "type" in schema:
            words = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
            kinds = frozenset(_KINDS[word] for word in words if isinstance(word, str) and word in _KINDS)
        values = _values(schema)
        if values is not None:
            kinds &= frozenset(kind for kind, _ in values)
        members, rest = self._members(schema, name, depth)
        items = schema.get("items")
        shape = Shape(
            kinds,
            members,
            rest,
            None if items is None else self.read(items, f"{name}[]", depth + 1),
            values,
        )
        return ANY if shape == ANY else shape

    def _members(self, schema: Mapping[str, Any], name: str, depth: int) -> tuple[dict[str, Member], Rest]:
        required = dict.fromkeys(key for key in _list(schema.get("required")) if isinstance(key, str))
        properties = schema.get("properties")
        declared = properties if isinstance(properties, Mapping) else {}
        members = {
            key: Member(self.read(part, f"{name}.{key}", depth + 1), key in required)
            for key, part in declared.items()
            if part is not False
        }
        for key in required:
            members.setdefault(key, Member(ANY))
        more = schema.get("additionalProperties")
        patterned = "patternProperties" in schema
        if more is False and not patterned:
            return members, "closed"
        if more is not None or patterned or "propertyNames" in schema:
            return members, "open"
        if declared:
            return members, "declared"
        return members, "listed" if required else "open"

    def _resolved(self, reference: str) -> Any:
        if not reference.startswith("#"):
            return None
        node = self._root
        for part in reference[1:].split("/")[1:]:
            node = node.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(node, Mapping) else None
        return node


def _values(schema: Mapping[str, Any]) -> frozenset[tuple[str, Any]] | None:
    given = [schema["const"]] if "const" in schema else schema.get("enum")
    if not isinstance(given, list) or len(given) > MOST_VALUES:
        return None
    if any(isinstance(value, dict | list) for value in given):
        return None
    return frozenset((kind_of(value), value) for value in given if value is None or _is_scalar(value))


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | bool) or is_number(value)


def _both(left: Shape, right: Shape) -> Shape:
    """What both say; of two objects all members, the stricter counts."""
    if left is ANY or right is ANY:
        return right if left is ANY else left
    members = dict(left.members)
    for name, other in right.members.items():
        one = members.get(name)
        members[name] = (
            other if one is None else Member(_both(one.shape, other.shape), one.sure or other.sure)
        )
    # The closed one of two forbids what only the other names; taking both is wider, and so right.
    rest: Rest = "open"
    if left.rest == right.rest or not right.members or not left.members:
        rest = right.rest if left.rest == "open" else left.rest
    elif "declared" in (left.rest, right.rest):
        rest = "declared"
    values = left.values if right.values is None else right.values
    if left.values is not None and right.values is not None:
        values = left.values & right.values
    return Shape(
        left.kinds & right.kinds,
        members,
        rest,
        left.items if right.items is None else right.items,
        values,
        left.secret or right.secret,
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
