"""Representative values: from a JSON Schema where there is one, and from what the definition looks at.

The first value of each list is the plainest. Only what a condition looks at, or what may be missing where it is
read, makes for more than one value.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, product
from typing import Any, Final

import orjson
from jsonschema.exceptions import SchemaError

from stepwell_interpreter.contracts import Contract
from stepwell_interpreter.exploration.shapes import Shape
from stepwell_interpreter.scope import MISSING

DEEPEST_SCHEMA: Final = 10
MOST_PRODUCT: Final = 4_096

_BY_KIND: Final[Mapping[str, Any]] = {
    "number": 1,
    "text": "x",
    "duration": "PT1H",
    "timestamp": "2026-01-01T00:00:00Z",
    "json": "{}",
    "base64": "eA==",
    "object": {},
}
_BY_FORMAT: Final[Mapping[str, str]] = {
    "date-time": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "time": "00:00:00Z",
    "duration": "PT1H",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "192.0.2.1",
    "hostname": "example.com",
}
_TYPES: Final = ("object", "array", "string", "integer", "number", "boolean", "null")


@dataclass(frozen=True, slots=True)
class Limits:
    """How many values at most, and how long lists are."""

    values: int
    items: int


def representative(shape: Shape | None, schema: Any, limits: Limits) -> list[Any]:
    """Values for which the definition may behave differently; at least one, at most `limits.values`."""
    root = schema if isinstance(schema, dict) else {}
    made = _Values(root, limits).of(shape, root, 0)
    good = [value for value in made if _fits(root, value)] or made
    return _distinct(good)[: limits.values]


class _Values:
    def __init__(self, root: Mapping[str, Any], limits: Limits) -> None:
        self._root = root
        self._limits = limits

    def of(self, shape: Shape | None, schema: Mapping[str, Any], depth: int) -> list[Any]:
        """Values of a place."""
        schema = self._resolved(schema)
        if depth > DEEPEST_SCHEMA:
            return [None]
        if "const" in schema:
            return [schema["const"]]
        told = shape is not None and bool(shape.constants)
        if schema.get("enum"):
            return list(schema["enum"]) if told else [schema["enum"][0]]
        for key in ("oneOf", "anyOf"):
            options = [part for part in schema.get(key, ()) if isinstance(part, dict)]
            if options:
                rest = {name: value for name, value in schema.items() if name != key}
                chosen = options if shape is not None else options[:1]
                return [value for part in chosen for value in self.of(shape, {**rest, **part}, depth + 1)]
        if shape is not None and shape.constants and not shape.members:
            fitting = [value for value in shape.constants if _fits(schema, value)]
            if fitting:
                return fitting + self._bounds(schema)
        return self._by_type(shape, schema, depth)

    def _by_type(self, shape: Shape | None, schema: Mapping[str, Any], depth: int) -> list[Any]:
        type = _type_of(shape, schema)
        if type == "object":
            return list(self._objects(shape, schema, depth))
        if type == "array":
            return self._lists(shape, schema, depth)
        if shape is not None and (not schema or type == "string"):
            read = next((_BY_KIND[kind] for kind in sorted(shape.kinds) if kind in _BY_KIND), None)
            if not schema or (read is not None and _fits(schema, read)):
                return ["x" if read is None else read]
        plain = _plain(type, schema)
        if shape is not None and type == "boolean" and shape.constants:
            return [plain, not plain]
        return [plain]

    def _objects(
        self, shape: Shape | None, schema: Mapping[str, Any], depth: int
    ) -> Iterator[dict[str, Any]]:
        properties = _object(schema.get("properties"))
        required = list(schema.get("required") or ())
        read = {} if shape is None else shape.members
        names = list(dict.fromkeys([*required, *read]))
        if schema.get("additionalProperties") is False:
            names = [name for name in names if name in properties]
        choices: list[list[Any]] = []
        for name in names:
            inner = properties.get(name)
            member = read.get(name)
            values: list[Any] = self.of(member, inner if isinstance(inner, dict) else {}, depth + 1)
            may_lack = name not in required and (bool(schema) or (member is not None and not member.needed))
            choices.append([*values, MISSING] if may_lack else values)
        for combination in _combined(choices, self._limits.values * 2):
            pairs = zip(names, combination, strict=True)
            yield {name: value for name, value in pairs if value is not MISSING}

    def _lists(self, shape: Shape | None, schema: Mapping[str, Any], depth: int) -> list[Any]:
        least = schema.get("minItems", 0)
        items = schema.get("items")
        element = None if shape is None else shape.element
        inner = self.of(element, items if isinstance(items, dict) else {}, depth + 1)
        base = [inner[0]] * max(least, 1 if shape is not None else 0)
        if shape is None or not (shape.kinds or shape.element or shape.constants):
            return [base]
        longest = max(least, min(self._limits.items, schema.get("maxItems", self._limits.items)))
        made = [base, *([inner[0]] * length for length in range(least, longest + 1))]
        return made + [[other] * max(least, 1) for other in inner[1:]]

    def _bounds(self, schema: Mapping[str, Any]) -> list[Any]:
        return [schema[key] for key in ("minimum", "maximum") if isinstance(schema.get(key), int | float)]

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """The schema without `$ref` and `allOf`; references lead into its own root only."""
        for _ in range(DEEPEST_SCHEMA):
            reference: Any = schema.get("$ref")
            if not isinstance(reference, str) or not reference.startswith("#"):
                break
            found: Any = self._root
            for name in reference.split("/")[1:]:
                found = _object(found).get(name.replace("~1", "/").replace("~0", "~"))
            schema = _object(found)
        parts = [part for part in schema.get("allOf", ()) if isinstance(part, dict)]
        if not parts:
            return schema
        merged = {key: value for key, value in schema.items() if key != "allOf"}
        for part in parts:
            inner = self._resolved(part)
            merged = {
                **merged,
                **inner,
                "properties": {**merged.get("properties", {}), **inner.get("properties", {})},
                "required": [*merged.get("required", []), *inner.get("required", [])],
            }
        return merged


def _combined(choices: list[list[Any]], most: int) -> Iterator[tuple[Any, ...]]:
    """All combinations where they are few; else the plainest, and it with one member changed."""
    size = 1
    for values in choices:
        size = min(size * len(values), MOST_PRODUCT)
    if size <= most:
        yield from product(*choices)
        return
    base = tuple(values[0] for values in choices)
    yield base
    changed = (
        (*base[:place], value, *base[place + 1 :])
        for place, values in enumerate(choices)
        for value in values[1:]
    )
    yield from islice(changed, most)


def _type_of(shape: Shape | None, schema: Mapping[str, Any]) -> str:
    written = schema.get("type")
    types = [written] if isinstance(written, str) else [each for each in written or () if each != "null"]
    if types and types[0] in _TYPES:
        return str(types[0])
    if "properties" in schema or "required" in schema:
        return "object"
    if "items" in schema:
        return "array"
    if shape is not None:
        if shape.element is not None or shape.kinds & {"items", "list"}:
            return "array"
        if shape.members:
            return "object"
        return "string"
    return "object" if not schema else "string"


def _plain(type: str, schema: Mapping[str, Any]) -> Any:
    """The plainest value of a scalar type."""
    for given in (schema.get("default"), *(schema.get("examples") or ())[:1]):
        if given is not None:
            return given
    if type == "string":
        text = _BY_FORMAT.get(str(schema.get("format")), "x" * max(1, schema.get("minLength", 1)))
        return text[: schema["maxLength"]] if isinstance(schema.get("maxLength"), int) else text
    if type in ("integer", "number"):
        return schema.get(
            "minimum", schema.get("exclusiveMinimum", 0) + 1 if "exclusiveMinimum" in schema else 1
        )
    return False if type == "boolean" else None


def _object(value: Any) -> dict[str, Any]:
    """The value where it is an object; else an empty one."""
    return value if isinstance(value, dict) else {}


def _fits(schema: Mapping[str, Any], value: Any) -> bool:
    if not schema:
        return True
    try:
        return Contract(schema).problem(value) is None
    except (SchemaError, RecursionError):
        return True  # a schema that is none is told at upload


def _distinct(values: list[Any]) -> list[Any]:
    return list({orjson.dumps(value, option=orjson.OPT_SORT_KEYS): value for value in values}.values())
