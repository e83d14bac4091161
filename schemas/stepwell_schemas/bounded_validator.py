"""JSON Schema validation whose cost is bounded by the sizes of schema and value, whatever an author or a sender writes.

It is jsonschema's Draft 2020-12 validator with those keywords replaced whose time can explode: patterns go to RE2, and
`uniqueItems` compares frozen values instead of every pair.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from stepwell_schemas.patterns import found

UNSUPPORTED_TOGETHER: Final = "unevaluatedProperties"
"""Beside `patternProperties` anywhere in a schema: jsonschema would match those patterns with `re`."""


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not found(pattern, instance):
        yield ValidationError(f"{instance[:100]!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Any, patterns: Mapping[str, Any], instance: Any, schema: Any
) -> Iterator[ValidationError]:
    if isinstance(instance, dict):
        for pattern, subschema in patterns.items():
            for name, value in instance.items():
                if found(pattern, name):
                    yield from validator.descend(value, subschema, path=name, schema_path=pattern)


def _additional_properties(
    validator: Any, allowed: Any, instance: Any, schema: Any
) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    known = schema.get("properties", {})
    patterns = tuple(schema.get("patternProperties", ()))
    extras = [
        name for name in instance if name not in known and not any(found(each, name) for each in patterns)
    ]
    if isinstance(allowed, dict):
        for name in extras:
            yield from validator.descend(instance[name], allowed, path=name)
    elif not allowed and extras:
        shown = ", ".join(repr(name[:100]) for name in sorted(extras)[:5])
        were = "was" if len(extras) == 1 else "were"
        yield ValidationError(f"Additional properties are not allowed ({shown} {were} unexpected)")


def _unique_items(validator: Any, unique: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if unique and isinstance(instance, list):
        seen: set[Any] = set()
        for item in instance:
            key = _frozen(item)
            if key in seen:
                yield ValidationError("the list has an item twice")
                return
            seen.add(key)


def _frozen(value: Any) -> Any:
    """A hashable stand-in: two are equal where the JSON values are (1 and 1.0 are, 1 and true are not)."""
    if isinstance(value, list):
        return ("list", tuple(_frozen(item) for item in value))
    if isinstance(value, dict):
        return ("object", frozenset((name, _frozen(item)) for name, item in value.items()))
    return (isinstance(value, bool), value)


BoundedValidator: Final[type[Draft202012Validator]] = extend(  # type: ignore[no-untyped-call]  # untyped there
    Draft202012Validator,
    {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "uniqueItems": _unique_items,
    },
)
