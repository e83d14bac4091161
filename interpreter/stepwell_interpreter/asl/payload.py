"""Payload templates: `Parameters`, `ItemSelector` ... with `.$` members, `Arguments`, `Output` ... with `{% %}`.

A part of a template without expressions is a constant and shared by all its uses, never copied.
"""

from collections.abc import Callable
from typing import Any, Final

from stepwell_interpreter.asl.jsonata import compile_jsonata, is_jsonata
from stepwell_interpreter.asl.paths import compile_path
from stepwell_interpreter.asl.scope import AslScope
from stepwell_interpreter.asl.syntax import JSONATA, AslSyntax, Evaluate, Language
from stepwell_interpreter.extent import FEW_REFERENCES, checked
from stepwell_interpreter.failures import pointer_to

DEEPEST_TEMPLATE: Final = 100

Part = tuple[Any, Evaluate | None]
"""A constant, or None and the closure that makes the value."""


def compile_payload(template: Any, field: str, language: Language, *, path: str = "") -> Evaluate:
    """The closure of a template. `field` begins the locations of JSONata ("Arguments/FunctionName"); `path` is
    put before the pointers of AslSyntax."""
    if language == JSONATA:
        constant, evaluate = _jsonata_part(template, field, path, 0)
    else:
        constant, evaluate = _jsonpath_part(template, path, 0)
    if evaluate is None:
        return lambda scope: constant
    return checked(evaluate) if _references(template, language) > FEW_REFERENCES else evaluate


def _references(template: Any, language: Language) -> int:
    """How many parts of a template are made anew each time; all of them may be the same large value."""
    if isinstance(template, list):
        return sum(_references(item, language) for item in template)
    if isinstance(template, dict):
        paths = 0 if language == JSONATA else sum(name.endswith(".$") for name in template)
        return paths + sum(_references(item, language) for item in template.values())
    return int(language == JSONATA and is_jsonata(template))


def _jsonpath_expression(name: str, value: Any, path: str) -> Part:
    """The value of a member whose name ends in `.$`."""
    message = f"The value for the field '{name}' must be a valid JSONPath or a valid intrinsic function call"
    if not isinstance(value, str) or not value.startswith(("$", "States.")):
        raise AslSyntax(message, path)
    try:
        return None, compile_path(value, name)
    except AslSyntax as problem:
        raise AslSyntax(message, path, problem.message) from problem


def _jsonpath_part(value: Any, path: str, depth: int) -> Part:
    _check_depth(depth, path)
    if isinstance(value, dict):
        parts: dict[str, Part] = {}
        for name, inner in value.items():
            if name.endswith(".$"):
                plain, part = name[:-2], _jsonpath_expression(name, inner, path)
            else:
                plain, part = name, _jsonpath_part(inner, pointer_to(path, name), depth + 1)
            if plain in parts:
                raise AslSyntax(f"The fields '{plain}' and '{plain}.$' cannot be both specified", path)
            parts[plain] = part
        return _object(value, parts)
    if isinstance(value, list):
        return _array(
            value,
            [_jsonpath_part(item, pointer_to(path, place), depth + 1) for place, item in enumerate(value)],
        )
    return value, None


def _jsonata_part(value: Any, location: str, path: str, depth: int) -> Part:
    _check_depth(depth, path)
    if isinstance(value, dict):
        return _object(
            value,
            {
                name: _jsonata_part(inner, f"{location}/{name}", pointer_to(path, name), depth + 1)
                for name, inner in value.items()
            },
        )
    if isinstance(value, list):
        return _array(
            value,
            [
                _jsonata_part(item, f"{location}[{place}]", pointer_to(path, place), depth + 1)
                for place, item in enumerate(value)
            ],
        )
    if is_jsonata(value):
        try:
            return None, compile_jsonata(value, location)
        except AslSyntax as problem:
            raise problem.below(path) from problem
    return value, None


def _object(value: dict[str, Any], parts: dict[str, Part]) -> Part:
    if all(evaluate is None for _, evaluate in parts.values()):
        return value, None
    return None, _built_object(parts)


def _built_object(parts: dict[str, Part]) -> Evaluate:
    constants = {name: constant for name, (constant, _) in parts.items()}
    evaluates = [(name, evaluate) for name, (_, evaluate) in parts.items() if evaluate is not None]
    if len(evaluates) == len(parts):
        return lambda scope: {name: evaluate(scope) for name, evaluate in evaluates}

    def build(scope: AslScope) -> dict[str, Any]:
        built = constants.copy()
        for name, evaluate in evaluates:
            built[name] = evaluate(scope)
        return built

    return build


def _array(value: list[Any], parts: list[Part]) -> Part:
    if all(evaluate is None for _, evaluate in parts):
        return value, None
    makers: list[Callable[[AslScope], Any]] = [
        evaluate or _constant(constant) for constant, evaluate in parts
    ]

    def build(scope: AslScope) -> list[Any]:
        return [make(scope) for make in makers]

    return None, build


def _constant(value: Any) -> Evaluate:
    return lambda scope: value


def _check_depth(depth: int, path: str) -> None:
    if depth > DEEPEST_TEMPLATE:
        raise AslSyntax(f"A template nests at most {DEEPEST_TEMPLATE} deep", path)
