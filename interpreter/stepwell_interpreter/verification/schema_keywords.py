"""Keywords in the schemas of a definition that are no keywords: JSON Schema reads over them, and checks nothing."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final

from stepwell_interpreter.failures import pointer_to
from stepwell_interpreter.verification.facts import Facts
from stepwell_interpreter.verification.findings import Sink

KEYWORDS: Final = frozenset(
    {
        "$anchor", "$comment", "$defs", "$dynamicAnchor", "$dynamicRef", "$id", "$ref", "$schema",
        "$vocabulary", "additionalProperties", "allOf", "anyOf", "const", "contains", "contentEncoding",
        "contentMediaType", "contentSchema", "default", "definitions", "dependentRequired",
        "dependentSchemas", "deprecated", "description", "else", "enum", "examples", "exclusiveMaximum",
        "exclusiveMinimum", "format", "if", "items", "maxContains", "maxItems", "maxLength",
        "maxProperties", "maximum", "minContains", "minItems", "minLength", "minProperties", "minimum",
        "multipleOf", "not", "oneOf", "pattern", "patternProperties", "prefixItems", "properties",
        "propertyNames", "readOnly", "required", "sensitive", "then", "title", "type", "unevaluatedItems",
        "unevaluatedProperties", "uniqueItems", "writeOnly",
    }
)  # fmt: skip
_NAMED: Final = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_DATA: Final = frozenset({"const", "enum", "default", "examples", "required", "dependentRequired"})
_LIKENESS: Final = 0.8
_MOST_SCHEMAS: Final = 2_000


def check_keywords(facts: Facts, sink: Sink) -> None:
    """Tell of keywords that are nearly one. Others are annotations, which JSON Schema allows."""
    definition = facts.definition
    schemas: list[tuple[str, Any]] = [("/input", definition.input)]
    schemas += [(pointer_to("/events", name), schema) for name, schema in definition.events.items()]
    for place, schema in schemas:
        for pointer, key in _unknown(schema, place):
            near = get_close_matches(key[:40], KEYWORDS, n=1, cutoff=_LIKENESS)
            if near:
                message = f"JSON Schema has no keyword `{key}`; did you mean `{near[0]}`?"
                sink.add("schema-keyword", pointer, message)


def _unknown(schema: Any, place: str) -> Iterator[tuple[str, str]]:
    pending, left = [(place, schema)], _MOST_SCHEMAS
    while pending and left:
        left -= 1
        pointer, part = pending.pop()
        if isinstance(part, list):
            pending += [(pointer_to(pointer, index), each) for index, each in enumerate(part)]
        if not isinstance(part, Mapping):
            continue
        for key, content in part.items():
            inner = pointer_to(pointer, key)
            if key not in KEYWORDS:
                yield inner, key
            elif key in _NAMED and isinstance(content, Mapping):
                pending += [(pointer_to(inner, name), each) for name, each in content.items()]
            elif key not in _DATA:
                pending.append((inner, content))
