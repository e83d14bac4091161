"""Values made from JSON Schemas: the smallest plain one that fits, always the same."""

from collections.abc import Mapping
from typing import Any, Final

from stepwell_interpreter.contracts import compile_contract
from stepwell_interpreter.failures import CompileProblem

DEEPEST: Final = 12
MOST_ITEMS: Final = 20
TEXTS: Final[Mapping[str, str]] = {
    "date-time": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "time": "00:00:00Z",
    "duration": "PT1H",
    "email": "someone@example.com",
    "uri": "https://example.com",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "192.0.2.1",
}

Schema = Any
"""A JSON Schema: an object or a boolean."""


def sample(schema: Schema, name: str = "value") -> Any:
    """A value that fits, as far as one is found. `name` makes texts readable: `orderId-1`."""
    return _sample(schema, schema, name, 0)


def fits(schema: Schema, value: Any) -> bool:
    """Whether a value is what a schema asks for; a schema that is none asks for nothing."""
    try:
        contract = compile_contract(schema)
    except CompileProblem:
        return True
    return contract is None or contract.problem(value) is None


def part_of(schema: Schema, members: tuple[str | int, ...], root: Schema = None) -> Schema:
    """The schema of a member, however deep; True (anything) where the schema says nothing about it."""
    root = schema if root is None else root
    for member in members[:DEEPEST]:
        schema = _resolved(schema, root)
        if not isinstance(schema, Mapping):
            return True
        if isinstance(member, str):
            properties = schema.get("properties")
            known = properties if isinstance(properties, Mapping) else {}
            schema = known.get(member, True)
        else:
            schema = schema.get("items", True)
    return _resolved(schema, root)


def _sample(schema: Schema, root: Schema, name: str, depth: int) -> Any:
    schema = _resolved(schema, root)
    if not isinstance(schema, Mapping) or depth > DEEPEST:
        return f"{name}-1"
    if "const" in schema:
        return schema["const"]
    for key in ("enum", "examples"):
        if isinstance(schema.get(key), list) and schema[key]:
            return schema[key][0]
    for key in ("anyOf", "oneOf"):
        if isinstance(schema.get(key), list) and schema[key]:
            rest = {part: value for part, value in schema.items() if part != key}
            made = [_sample(_merged(rest, option, root), root, name, depth + 1) for option in schema[key][:8]]
            return next((value for value in made if fits(schema, value)), made[0])
    if isinstance(schema.get("allOf"), list):
        merged: Schema = {part: value for part, value in schema.items() if part != "allOf"}
        for part in schema["allOf"][:8]:
            merged = _merged(merged, part, root)
        return _sample(merged, root, name, depth + 1)
    kind = schema.get("type")
    kinds = kind if isinstance(kind, list) else [kind]
    first = next((each for each in kinds if each != "null"), "null")
    return _of_kind(first if first is not None else _guessed(schema), schema, root, name, depth)


def _of_kind(kind: str, schema: Mapping[str, Any], root: Schema, name: str, depth: int) -> Any:
    match kind:
        case "object":
            properties = schema.get("properties")
            known = properties if isinstance(properties, Mapping) else {}
            return {
                key: _sample(known.get(key, True), root, key, depth + 1)
                for key in list(schema.get("required", ()))[:200]
            }
        case "array":
            least = min(int(schema.get("minItems", 1)), MOST_ITEMS)
            return [_sample(schema.get("items", True), root, name, depth + 1) for _ in range(least)]
        case "integer" | "number":
            return _number(schema, whole=kind == "integer")
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return _text(schema, name)


def _number(schema: Mapping[str, Any], *, whole: bool) -> int | float:
    step = schema.get("multipleOf", 1)
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    value = 1 if low is None or low < 1 else low + (step if "exclusiveMinimum" in schema else 0)
    if high is not None and value >= high:
        value = high - (step if "exclusiveMaximum" in schema else 0)
    return int(value) if whole else value


def _text(schema: Mapping[str, Any], name: str) -> str:
    text = TEXTS.get(schema.get("format", ""), f"{name}-1")
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    text = text.ljust(min(least, 10_000), "x")
    return text if most is None else text[:most]


def _guessed(schema: Mapping[str, Any]) -> str:
    if "properties" in schema or "required" in schema:
        return "object"
    if "items" in schema or "minItems" in schema:
        return "array"
    if "minimum" in schema or "maximum" in schema:
        return "number"
    return "string"


def _resolved(schema: Schema, root: Schema) -> Schema:
    for _ in range(DEEPEST):
        reference = schema.get("$ref") if isinstance(schema, Mapping) else None
        if not isinstance(reference, str) or not reference.startswith("#"):
            return schema
        found: Any = root
        for part in reference[1:].split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            found = found.get(key) if isinstance(found, Mapping) else None
        schema = True if found is None else found
    return schema


def _merged(schema: Any, more: Any, root: Schema) -> Any:
    more = _resolved(more, root)
    if not isinstance(schema, Mapping) or not isinstance(more, Mapping):
        return schema
    merged = {**schema, **more}
    for key in ("properties", "$defs"):
        if isinstance(schema.get(key), Mapping) and isinstance(more.get(key), Mapping):
            merged[key] = {**schema[key], **more[key]}
    if isinstance(schema.get("required"), list) and isinstance(more.get("required"), list):
        merged["required"] = [*schema["required"], *more["required"]]
    return merged
