"""JSON Schemas as contracts on data: compiled once, nothing is ever fetched, the answer is a sentence and a place.

Most values are good, so a quick look accepts the plain cases and only the rest goes through `jsonschema`.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012
from stepwell_schemas.bounded_validator import (
    UNSUPPORTED_TOGETHER,
    BoundedValidator,
    bounded_errors,
    leads_into_data,
)
from stepwell_schemas.patterns import PatternRefused, compile_pattern
from stepwell_schemas.step_budget import SchemaTooCostly

from stepwell_interpreter.failures import CompileProblem, pointer_to

Accepts = Callable[[Any], bool]

_SAYS_NOTHING = frozenset(
    {"$schema", "$id", "$comment", "title", "description", "default", "examples", "deprecated", "format"}
)
_KINDS: dict[str, Accepts] = {
    "object": lambda value: type(value) is dict,
    "array": lambda value: type(value) is list,
    "string": lambda value: type(value) is str,
    "boolean": lambda value: type(value) is bool,
    "null": lambda value: value is None,
    "integer": lambda value: type(value) is int,
    "number": lambda value: type(value) is int or type(value) is float,
}


class Contract:
    """A schema that can say what is wrong with a value."""

    def __init__(self, schema: Mapping[str, Any] | bool) -> None:
        # An empty registry: a reference to another document is an error, never a request to somewhere.
        self._validator = BoundedValidator(schema, registry=Registry())
        self._accepts = _quick(schema)

    def problem(self, value: Any) -> tuple[str, str] | None:
        """The most telling violation as (message, JSON pointer into the value); None where there is none.

        A value that the schema cannot judge within bounds is refused, too.
        """
        if self._accepts is not None and self._accepts(value):
            return None
        try:
            error = best_match(bounded_errors(self._validator, value))
        except SchemaTooCostly as costly:
            return str(costly), ""
        return None if error is None else (error.message[:500], pointer_to("", *error.absolute_path))

    def errors(self, value: Any) -> Iterator[ValidationError]:
        """Every violation. Raises SchemaTooCostly."""
        yield from bounded_errors(self._validator, value)


def compile_contract(schema: Mapping[str, Any] | bool) -> Contract | None:
    """The contract of a schema; None where it allows everything. Raises CompileProblem for a schema that is none."""
    if schema is True or schema == {}:
        return None
    # Without a budget: the schema of schemas is not a stranger's, and costs in proportion to what it judges.
    wrong = best_match(BoundedValidator(Draft202012Validator.META_SCHEMA).iter_errors(schema))
    if wrong is not None:
        pointer = pointer_to("", *wrong.absolute_path)
        raise CompileProblem("invalid-schema", pointer, f"not a JSON Schema: {wrong.message[:300]}")
    _check_patterns(schema)
    _check_references(schema)
    contract = Contract(schema)
    try:
        samples: tuple[Any, ...] = ({}, [], "", 0, None)
        for sample in samples:
            for _ in contract.errors(sample):
                pass
    except SchemaTooCostly as costly:
        code = "schema-reference" if isinstance(costly.__cause__, RecursionError) else "schema-cost"
        raise CompileProblem(code, "", str(costly)) from costly
    return contract


def _check_references(schema: Any) -> None:
    resolver = Registry().resolver_with_root(DRAFT202012.create_resource(schema))
    for pointer, reference in _references(schema, ""):
        message = f"`{reference}` leads nowhere; a schema refers only to its own parts"
        try:
            resolver.lookup(reference)
        except Unresolvable as error:
            raise CompileProblem("schema-reference", pointer, message, "Such as #/$defs/name") from error
        if leads_into_data(reference):
            message = f"`{reference}` leads into data, which is no schema"
            raise CompileProblem("schema-reference", pointer, message, "Such as #/$defs/name")


def _check_patterns(schema: Any) -> None:
    """Patterns must be matched in linear time. Raises CompileProblem."""
    patterned = False
    for pointer, key, part in _keywords(schema, ""):
        patterns = [part] if key == "pattern" else list(part) if key == "patternProperties" else []
        patterned = patterned or key == "patternProperties"
        for pattern in patterns:
            try:
                compile_pattern(pattern)
            except PatternRefused as refused:
                raise CompileProblem("schema-pattern", pointer, f"`{pattern[:80]}` {refused}") from refused
    for pointer, key, _ in _keywords(schema, ""):
        if patterned and key == UNSUPPORTED_TOGETHER:
            message = f"`{key}` cannot be used in a schema with `patternProperties`"
            raise CompileProblem("schema-pattern", pointer, message)


def _keywords(schema: Any, pointer: str) -> Iterator[tuple[str, str, Any]]:
    """Every member of every object in a schema that may be a keyword: its place, name and value."""
    if isinstance(schema, dict):
        for key, part in schema.items():
            fits = isinstance(part, str) if key == "pattern" else isinstance(part, dict)
            if key in ("pattern", "patternProperties", UNSUPPORTED_TOGETHER) and (
                fits or key == UNSUPPORTED_TOGETHER
            ):
                yield pointer_to(pointer, key), key, part
            if key not in ("const", "enum", "default", "examples"):
                yield from _keywords(part, pointer_to(pointer, key))
    elif isinstance(schema, list):
        for index, part in enumerate(schema):
            yield from _keywords(part, pointer_to(pointer, index))


def _references(schema: Any, pointer: str) -> Iterator[tuple[str, str]]:
    """Every `$ref` that is a text, with its place."""
    if isinstance(schema, dict):
        for key, part in schema.items():
            if key in ("$ref", "$dynamicRef") and isinstance(part, str):
                yield pointer_to(pointer, key), part
            elif key not in ("const", "enum", "default", "examples"):
                yield from _references(part, pointer_to(pointer, key))
    elif isinstance(schema, list):
        for index, part in enumerate(schema):
            yield from _references(part, pointer_to(pointer, index))


def _quick(schema: Any) -> Accepts | None:
    """A test whose yes can be trusted and whose no means: look closely. None where the schema is not plain."""
    if not isinstance(schema, dict):
        return None
    tests: list[Accepts] = []
    for key, part in schema.items():
        if key in _SAYS_NOTHING:
            continue
        test = _quick_test(key, part)
        if test is None:
            return None
        tests.append(test)
    if "properties" in schema or "required" in schema:
        tests.insert(0, _KINDS["object"])
    if len(tests) == 1:
        return tests[0]
    return lambda value: all(test(value) for test in tests)


def _quick_test(key: str, part: Any) -> Accepts | None:
    if key == "type" and isinstance(part, str):
        return _KINDS[part]
    if key == "required":
        names = tuple(part)
        return lambda value: all(name in value for name in names)
    if key == "properties":
        return _quick_properties(part)
    if key == "enum" and all(type(word) is str for word in part):
        words = frozenset(part)
        return lambda value: type(value) is str and value in words
    if key == "minLength":
        return lambda value: type(value) is str and len(value) >= part
    return None


def _quick_properties(properties: Mapping[str, Any]) -> Accepts | None:
    tests: list[tuple[str, Accepts]] = []
    for name, schema in properties.items():
        test = _quick(schema)
        if test is None:
            return None
        tests.append((name, test))
    return lambda value: all(name not in value or test(value[name]) for name, test in tests)
