"""JSON Schema validation whose cost is bounded by the sizes of schema and value, whatever an author or a sender writes.

It is jsonschema's Draft 2020-12 validator with those keywords replaced whose time can explode: patterns go to RE2, and
`uniqueItems` compares frozen values instead of every pair. All keywords together have a budget of steps, because
references let a schema of a few lines ask for more evaluations than there are atoms.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import UnknownType
from jsonschema.validators import extend
from referencing.exceptions import Unresolvable

from stepwell_schemas.patterns import PatternRefused, found
from stepwell_schemas.step_budget import SchemaTooCostly, StepBudget

UNSUPPORTED_TOGETHER: Final = "unevaluatedProperties"
"""Beside `patternProperties` anywhere in a schema: jsonschema would match those patterns with `re`."""

LONGEST_MESSAGE: Final = 500
_Keyword = Callable[[Any, Any, Any, Any], Iterable[ValidationError] | None]
_DATA: Final = frozenset({"const", "enum", "default", "examples"})
_NAMED: Final = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})


def bounded_errors(validator: Draft202012Validator, value: Any) -> Iterator[ValidationError]:
    """Every violation. Raises SchemaTooCostly where finding them takes more steps than such a value may cost."""
    budget = StepBudget(value)
    try:
        yield from validator.evolve(format_checker=budget).iter_errors(value)
    except RecursionError as error:
        raise SchemaTooCostly(
            "its references lead round in a circle, or the value is nested too deeply"
        ) from error
    except (Unresolvable, UnknownType, PatternRefused) as error:
        raise SchemaTooCostly(f"the schema cannot be used: {str(error)[:200]}") from error


def leads_into_data(pointer: str) -> bool:
    """Whether a reference (`#/…`) leads into a `const`, `enum`, `default` or `examples`, which hold no schemas."""
    named = False
    for part in pointer.removeprefix("#").split("/")[1:]:
        if part in _DATA and not named:
            return True
        named = part in _NAMED and not named
    return False


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not found(pattern, instance):
        yield ValidationError(f"{instance[:100]!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Any, patterns: Mapping[str, Any], instance: Any, schema: Any
) -> Iterator[ValidationError]:
    if isinstance(instance, dict):
        for pattern, subschema in patterns.items():
            _spend(validator, len(instance))
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
    _spend(validator, len(instance) * len(patterns))
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


def _counted(name: str, keyword: _Keyword) -> _Keyword:
    """The keyword with its steps counted, and its messages, which may hold the whole value, cut."""

    def check(validator: Any, part: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        steps = 1
        if name == "enum":
            steps += len(part) // 4
        elif name in ("$ref", "$dynamicRef"):
            steps = 4  # finding the place costs as much as several plain keywords
        elif name.startswith("unevaluated") and isinstance(instance, list | dict):
            steps += len(instance) * len(instance) // 500  # jsonschema looks each up in a list of them
        _spend(validator, steps)
        for error in keyword(validator, part, instance, schema) or ():
            if len(error.message) > LONGEST_MESSAGE:
                _spend(validator, len(error.message) // 100)
                error.message = error.message[: LONGEST_MESSAGE - 1] + "…"
            yield error

    return check


def _spend(validator: Any, steps: int) -> None:
    if isinstance(validator.format_checker, StepBudget):
        validator.format_checker.spend(steps)


def _evolve(validator: Any, **changes: Any) -> Any:
    """The same for another schema. jsonschema's own takes its plain validator for a part that has a `$schema`."""
    made = {
        "schema": validator.schema,
        "resolver": validator._ref_resolver,
        "format_checker": validator.format_checker,
        "registry": validator._registry,
        "_resolver": validator._resolver,
    } | changes
    return BoundedValidator(**made)


_REPLACED: Final[dict[str, _Keyword]] = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "uniqueItems": _unique_items,
}
_KEYWORDS: Final[dict[str, _Keyword]] = {**Draft202012Validator.VALIDATORS, **_REPLACED}
BoundedValidator: Final[type[Draft202012Validator]] = extend(  # type: ignore[no-untyped-call]  # untyped there
    Draft202012Validator,
    # A format is a note to the reader here, as the specification has it by default; its checker carries the budget.
    {name: _counted(name, keyword) for name, keyword in _KEYWORDS.items() if name != "format"}
    | {"format": lambda validator, part, instance, schema: None},
)
BoundedValidator.evolve = _evolve  # type: ignore[assignment]  # see there
