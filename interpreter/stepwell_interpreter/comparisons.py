"""The operators of conditions, and how conditions combine. Types are never coerced, patterns are linear.

Compiling is given a compiler of values (see `templates`), because templates hold conditions in `$if` and conditions
hold templates on their right sides.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from stepwell_schemas.durations import timestamp_ms

from stepwell_interpreter.failures import CompileProblem, did_you_mean, pointer_to
from stepwell_interpreter.paths import Path
from stepwell_interpreter.scope import MISSING, Expression, Scope
from stepwell_interpreter.values import comparable, is_number, kind_of, recorded, same

DEEPEST_CONDITION: Final = 32
LONGEST_GLOB: Final = 1_024
COMBINATORS: Final = ("and", "or", "not")

Record = list[dict[str, Any]]
Test = Callable[[Scope, Record], bool]
Outcome = tuple[bool, str | None]
"""Whether it holds, and a note for the history where the kinds do not fit."""
Holds = Callable[[Any], Outcome]

_BESIDE = ("next", "comment")


class Compiler(Protocol):
    """What conditions need of templates."""

    def value(self, value: Any, pointer: str) -> Expression:
        """A compiled template."""
        ...

    def path(self, text: Any, pointer: str, optional: bool) -> Path:
        """A compiled path; `optional` where it may find nothing."""
        ...


def compile_rule(rule: Any, pointer: str, compiler: Compiler, depth: int = 0) -> Test:
    """The test of a condition in its raw form. Raises CompileProblem below `pointer`."""
    if not isinstance(rule, Mapping):
        raise _wrong(pointer, f"a condition is an object, not {recorded(rule)!r}")
    if depth > DEEPEST_CONDITION:
        raise _wrong(pointer, f"conditions nest deeper than {DEEPEST_CONDITION}")
    keys = [key for key in rule if key not in _BESIDE]
    for key in keys:
        if key != "variable" and key not in COMBINATORS and key not in _OPERATORS:
            names = ["variable", *COMBINATORS, *_OPERATORS]
            raise _wrong(
                pointer_to(pointer, str(key)), f"unknown key `{key}`. {did_you_mean(str(key), names)}"
            )
    if len(keys) == 1 and keys[0] in COMBINATORS:
        return _combination(keys[0], rule[keys[0]], pointer_to(pointer, keys[0]), compiler, depth)
    operators = [key for key in keys if key in _OPERATORS]
    if "variable" not in keys or len(operators) != 1 or len(keys) != 2:
        found = ", ".join(f"`{key}`" for key in keys) or "nothing"
        raise _wrong(
            pointer, f"a condition is `variable` and one operator, or one of and, or, not; here: {found}"
        )
    name = operators[0]
    place = pointer_to(pointer, name)
    if name == "isPresent":
        return _presence(rule, pointer, compiler)
    path = compiler.path(rule["variable"], pointer_to(pointer, "variable"), False)
    if name in _KINDS and not isinstance(rule[name], bool):
        raise _wrong(place, f"`{name}` is true or false, not {recorded(rule[name])!r}")
    return _comparison(name, path, compiler.value(rule[name], place), place)


def compile_glob(pattern: str) -> Callable[[str], bool]:
    r"""Whether a text matches: `*` is any text, `\*` a star, `\\` a backslash. Linear in the text's length.

    Raises ValueError for a pattern longer than `LONGEST_GLOB`.
    """
    if len(pattern) > LONGEST_GLOB:
        raise ValueError(f"a pattern is at most {LONGEST_GLOB} characters long, this one has {len(pattern)}")
    first, *others = _glob_parts(pattern)
    if not others:
        return lambda text: text == first
    *middle, last = others

    def matches(text: str) -> bool:
        if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
            return False
        position, end = len(first), len(text) - len(last)
        for part in middle:
            found = text.find(part, position, end)
            if found < 0:
                return False
            position = found + len(part)
        return True

    return matches


# -- the forms -----------------------------------------------------------------------------------------------


def _combination(name: str, parts: Any, pointer: str, compiler: Compiler, depth: int) -> Test:
    if name == "not":
        test = compile_rule(parts, pointer, compiler, depth + 1)
        return lambda scope, record: not test(scope, record)
    if not isinstance(parts, list) or not parts:
        raise _wrong(pointer, f"`{name}` is a list of at least one condition")
    tests = [
        compile_rule(part, pointer_to(pointer, index), compiler, depth + 1)
        for index, part in enumerate(parts)
    ]
    if name == "and":
        return lambda scope, record: all(test(scope, record) for test in tests)
    return lambda scope, record: any(test(scope, record) for test in tests)


def _presence(rule: Mapping[str, Any], pointer: str, compiler: Compiler) -> Test:
    path = compiler.path(rule["variable"], pointer_to(pointer, "variable"), True)
    expected = rule["isPresent"]
    if not isinstance(expected, bool):
        raise _wrong(
            pointer_to(pointer, "isPresent"), f"`isPresent` is true or false, not {recorded(expected)!r}"
        )

    def test(scope: Scope, record: Record) -> bool:
        actual = path.find(scope)
        result = (actual is not MISSING) is expected
        _note(record, path.text, "isPresent", expected, None if actual is MISSING else actual, result, None)
        return result

    return test


def _comparison(name: str, path: Path, right: Expression, place: str) -> Test:
    prepare = _OPERATORS[name]
    find = path.resolve
    text = path.text
    if right.constant is MISSING:
        evaluate = right.evaluate

        def test(scope: Scope, record: Record) -> bool:
            actual = find(scope)
            expected = evaluate(scope)
            try:
                result, note = prepare(expected)(actual)
            except ValueError as error:
                result, note = False, f"the right side cannot be used: {error}"
            _note(record, text, name, expected, actual, result, note)
            return result

        return test
    expected = right.constant
    try:
        holds = prepare(expected)
    except ValueError as error:
        raise _wrong(place, f"`{name}`: {error}") from error

    def constant_test(scope: Scope, record: Record) -> bool:
        actual = find(scope)
        result, note = holds(actual)
        _note(record, text, name, expected, actual, result, note)
        return result

    return constant_test


def _note(
    record: Record, variable: str, name: str, expected: Any, actual: Any, result: bool, note: str | None
) -> None:
    entry = {
        "variable": variable,
        "operator": name,
        "expected": recorded(expected),
        "actual": recorded(actual),
        "result": result,
    }
    if note is not None:
        entry["note"] = note
    record.append(entry)


# -- the operators: each is given the right side, and answers for left ones -----------------------------------


def _equals(expected: Any) -> Holds:
    def holds(actual: Any) -> Outcome:
        return same(actual, expected), _unlike(actual, expected)

    return holds


def _not_equals(expected: Any) -> Holds:
    def holds(actual: Any) -> Outcome:
        return not same(actual, expected), _unlike(actual, expected)

    return holds


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any], Holds]:
    def prepare(expected: Any) -> Holds:
        if not isinstance(expected, str) and not is_number(expected):
            raise ValueError(f"{recorded(expected)!r} has no order; allowed is a number or a text")

        def holds(actual: Any) -> Outcome:
            if comparable(actual, expected):
                return compare(actual, expected), None
            return False, _unlike(actual, expected) or f"{kind_of(actual)} has no order"

        return holds

    return prepare


def _timed(compare: Callable[[int, int], bool]) -> Callable[[Any], Holds]:
    def prepare(expected: Any) -> Holds:
        moment = timestamp_ms(expected)

        def holds(actual: Any) -> Outcome:
            try:
                return compare(timestamp_ms(actual), moment), None
            except ValueError:
                return False, f"type mismatch: the {kind_of(actual)} is not an RFC 3339 timestamp"

        return holds

    return prepare


def _contains(expected: Any) -> Holds:
    def holds(actual: Any) -> Outcome:
        if isinstance(actual, list):
            return any(same(item, expected) for item in actual), None
        if isinstance(actual, str) and isinstance(expected, str):
            return expected in actual, None
        return False, f"type mismatch: {kind_of(actual)} cannot contain {kind_of(expected)}"

    return holds


def _textual(make: Callable[[str], Callable[[str], bool]]) -> Callable[[Any], Holds]:
    def prepare(expected: Any) -> Holds:
        if not isinstance(expected, str):
            raise ValueError(f"allowed is a text, not {recorded(expected)!r}")
        test = make(expected)

        def holds(actual: Any) -> Outcome:
            return (test(actual), None) if isinstance(actual, str) else (False, _unlike(actual, expected))

        return holds

    return prepare


def _one_of(expected: Any) -> Holds:
    if not isinstance(expected, list):
        raise ValueError(f"allowed is a list, not {recorded(expected)!r}")
    kinds = {kind_of(item) for item in expected}

    def holds(actual: Any) -> Outcome:
        found = any(same(actual, item) for item in expected)
        kind = kind_of(actual)
        note = None if kind in kinds else f"type mismatch: no item of the list is {kind}"
        return found, note

    return holds


def _of_kind(kind: str) -> Callable[[Any], Holds]:
    def prepare(expected: Any) -> Holds:
        return lambda actual: ((kind_of(actual) == kind) is expected, None)

    return prepare


def _is_timestamp(expected: Any) -> Holds:
    def holds(actual: Any) -> Outcome:
        try:
            timestamp_ms(actual)
        except ValueError:
            return expected is False, None
        return expected is True, None

    return holds


def _unlike(actual: Any, expected: Any) -> str | None:
    left, right = kind_of(actual), kind_of(expected)
    return None if left == right else f"type mismatch: {left} is never compared with {right}"


def _glob_parts(pattern: str) -> list[str]:
    """The literal texts between stars."""
    parts: list[list[str]] = [[]]
    letters = iter(pattern)
    for letter in letters:
        if letter == "*":
            parts.append([])
        elif letter == "\\":
            escaped = next(letters, "")
            parts[-1].append(escaped if escaped in ("*", "\\") else letter + escaped)
        else:
            parts[-1].append(letter)
    return ["".join(part) for part in parts]


def _wrong(pointer: str, message: str) -> CompileProblem:
    return CompileProblem("condition", pointer, message, "Such as {variable: $.state.count, greaterThan: 2}")


_KINDS: Final = {
    "isNull": "null",
    "isString": "text",
    "isNumber": "number",
    "isBoolean": "boolean",
    "isObject": "object",
    "isArray": "list",
    "isTimestamp": "text",
}
_OPERATORS: Final[dict[str, Callable[[Any], Holds]]] = {
    "equals": _equals,
    "notEquals": _not_equals,
    "greaterThan": _ordered(operator.gt),
    "greaterThanOrEquals": _ordered(operator.ge),
    "lessThan": _ordered(operator.lt),
    "lessThanOrEquals": _ordered(operator.le),
    "before": _timed(operator.lt),
    "after": _timed(operator.gt),
    "contains": _contains,
    "startsWith": _textual(lambda expected: lambda actual: actual.startswith(expected)),
    "endsWith": _textual(lambda expected: lambda actual: actual.endswith(expected)),
    "matches": _textual(compile_glob),
    "in": _one_of,
    "isPresent": _equals,
    **{name: _of_kind(kind) for name, kind in _KINDS.items()},
    "isTimestamp": _is_timestamp,
}
