"""Checks the JSON Schemas inside a definition (its input, its events) before anything is validated with them.

A schema that refers outside of itself is refused: a validator must never fetch an address that an author wrote.
"""

from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry

from stepwell_schemas.bounded_validator import (
    UNSUPPORTED_TOGETHER,
    BoundedValidator,
    bounded_errors,
    leads_into_data,
)
from stepwell_schemas.patterns import PatternRefused, compile_pattern
from stepwell_schemas.problems import Finding, Part, PathInDocument, quoted
from stepwell_schemas.step_budget import SchemaTooCostly

MAX_FINDINGS = 20
_DATA = frozenset({"const", "enum", "default", "examples"})
_NAMED = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})


def check_embedded_schemas(document: dict[str, Any]) -> list[Finding]:
    """What is wrong with `input` and `events`."""
    findings: list[Finding] = []
    if isinstance(document.get("input"), dict):
        findings += _check(document["input"], ("input",))
    events = document.get("events")
    for name, schema in events.items() if isinstance(events, dict) else ():
        if isinstance(schema, dict):
            findings += _check(schema, ("events", name))
    return findings[:MAX_FINDINGS]


def _check(schema: dict[str, Any], path: PathInDocument) -> list[Finding]:
    # Without a budget: the schema of schemas is not a stranger's, and costs in proportion to what it judges.
    findings = [
        Finding(
            "bad-json-schema",
            f"not a JSON Schema: {error.message[:200]}",
            (*path, *error.absolute_path),
            help="JSON Schema 2020-12",
        )
        for error in islice(_meta_validator().iter_errors(schema), MAX_FINDINGS)
    ]
    findings += islice(_references_and_patterns(schema, path), MAX_FINDINGS)
    return findings or list(_endless(schema, path))


@cache
def _meta_validator() -> Draft202012Validator:
    return BoundedValidator(Draft202012Validator.META_SCHEMA)


def _references_and_patterns(root: dict[str, Any], base: PathInDocument) -> Iterator[Finding]:
    for path, schema in _subschemas(root, base):
        for key in ("$ref", "$dynamicRef"):
            if isinstance(schema.get(key), str):
                yield from _reference(root, schema[key], (*path, key))
        if isinstance(schema.get("$schema"), str) and not schema["$schema"].startswith(_DIALECT):
            message = f"{quoted(schema['$schema'])} is not the dialect read here; it is {_DIALECT}"
            yield Finding("bad-json-schema", message, (*path, "$schema"))
        patterns: list[tuple[Part, Any]] = [("pattern", schema.get("pattern"))]
        if isinstance(schema.get("patternProperties"), dict):
            patterns += [("patternProperties", pattern) for pattern in schema["patternProperties"]]
        for where, pattern in patterns:
            if isinstance(pattern, str) and (problem := _pattern_problem(pattern)):
                yield Finding("bad-json-schema", f"{quoted(pattern)} {problem}", (*path, where))
        if UNSUPPORTED_TOGETHER in schema and any(
            "patternProperties" in each for _, each in _subschemas(root, ())
        ):
            message = f"{UNSUPPORTED_TOGETHER} cannot be used in a schema with patternProperties"
            yield Finding("bad-json-schema", message, (*path, UNSUPPORTED_TOGETHER))


def _subschemas(schema: Any, path: PathInDocument) -> Iterator[tuple[PathInDocument, dict[str, Any]]]:
    """Every schema in a schema; data (`const`, `default`, ..) is none. The reader has bounded the depth."""
    if isinstance(schema, list):
        for index, item in enumerate(schema):
            yield from _subschemas(item, (*path, index))
        return
    if not isinstance(schema, dict):
        return
    yield path, schema
    for key, content in schema.items():
        if key in _NAMED and isinstance(content, dict):
            for name, item in content.items():
                yield from _subschemas(item, (*path, key, name))
        elif key not in _DATA:
            yield from _subschemas(content, (*path, key))


def _reference(root: dict[str, Any], reference: str, path: PathInDocument) -> Iterator[Finding]:
    if not reference.startswith("#"):
        message = (
            f"{quoted(reference)} lies outside of the definition; only references that begin with # are read"
        )
        yield Finding("foreign-reference", message, path, help="copy the schema into $defs")
    elif reference.startswith("#/") and (leads_into_data(reference) or not _resolves(root, reference[2:])):
        yield Finding("bad-json-schema", f"{quoted(reference)} leads nowhere", path)
    elif len(reference) > 1 and not reference.startswith("#/"):
        anchors = {
            schema.get(key) for _, schema in _subschemas(root, ()) for key in ("$anchor", "$dynamicAnchor")
        }
        if reference[1:] not in anchors:
            yield Finding(
                "bad-json-schema", f"there is no $anchor {quoted(reference[1:])} in this schema", path
            )


def _resolves(root: Any, pointer: str) -> bool:
    for part in pointer.split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(root, list) and name.isdigit() and int(name) < len(root):
            root = root[int(name)]
        elif isinstance(root, dict) and name in root:
            root = root[name]
        else:
            return False
    return isinstance(root, dict | bool)


def _pattern_problem(pattern: str) -> str | None:
    try:
        compile_pattern(pattern)
    except PatternRefused as refused:
        return str(refused)
    return None


def _endless(schema: dict[str, Any], path: PathInDocument) -> Iterator[Finding]:
    """A reference that comes back to itself without going into the value would never end."""
    try:
        next(bounded_errors(BoundedValidator(schema, registry=Registry()), None), None)
    except SchemaTooCostly as costly:
        round_about = isinstance(costly.__cause__, RecursionError)
        message = "a $ref leads back to itself" if round_about else str(costly)
        yield Finding("bad-json-schema", message, path)


_DIALECT = "https://json-schema.org/draft/2020-12/schema"
