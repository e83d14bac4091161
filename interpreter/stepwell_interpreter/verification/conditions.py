"""Conditions on shapes: which comparisons are decided by type alone, and what is known once one has been decided.

A condition is taken in its document form (`{variable, <operator>: value}`, and/or/not). Verdicts are True, False, or
None where it depends on the run.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from stepwell_schemas.conditions import OPERATORS
from stepwell_schemas.durations import timestamp_ms

from stepwell_interpreter.failures import pointer_to
from stepwell_interpreter.values import kind_of
from stepwell_interpreter.verification.findings import Sink
from stepwell_interpreter.verification.reading import Reader, members_of
from stepwell_interpreter.verification.shapes import ANY, KINDS, Shape, join, lookup, made_sure

KIND_TESTS: Final = {
    "isNull": "null",
    "isString": "text",
    "isNumber": "number",
    "isBoolean": "boolean",
    "isObject": "object",
    "isArray": "list",
    "isTimestamp": "text",
}
_ORDERED: Final = frozenset({"greaterThan", "greaterThanOrEquals", "lessThan", "lessThanOrEquals"})
_ON_TEXT: Final = frozenset({"startsWith", "endsWith", "matches", "before", "after"})
_ORDERABLE: Final = frozenset({"number", "text"})


@dataclass(slots=True)
class Judge:
    """Judges conditions in one environment. `lenient` as of a Reader."""

    environment: Shape
    sink: Sink
    lenient: bool = False

    def judge(self, condition: Any, pointer: str) -> bool | None:
        """The verdict; tells what is wrong with each comparison. Goes on with what earlier parts have made sure."""
        if not isinstance(condition, Mapping):
            return None
        for name, stop in (("and", False), ("or", True)):
            if isinstance(condition.get(name), list):
                return self._several(condition[name], pointer_to(pointer, name), stop)
        if "not" in condition:
            verdict = self.judge(condition["not"], pointer_to(pointer, "not"))
            return None if verdict is None else not verdict
        return self._comparison(condition, pointer)

    def after(self, condition: Any, truth: bool) -> Shape | None:
        """The environment where the condition is that; None where it cannot be."""
        return after(self.environment, condition, truth)

    def _several(self, parts: list[Any], pointer: str, stop: bool) -> bool | None:
        environment, verdicts = self.environment, []
        for place, part in enumerate(parts):
            judge = Judge(environment, self.sink, self.lenient)
            verdicts.append(judge.judge(part, pointer_to(pointer, place)))
            # The next part is looked at only where this one has not settled it.
            environment = after(environment, part, not stop) or environment
        if stop in verdicts:
            return stop
        return None if None in verdicts else not stop

    def _comparison(self, condition: Mapping[str, Any], pointer: str) -> bool | None:
        operator = operator_of(condition)
        text = condition.get("variable")
        if operator is None or not isinstance(text, str):
            return None
        reader = Reader(self.environment, self.sink, self.lenient)
        place = pointer_to(pointer, "variable")
        if operator == "isPresent":
            return self._presence(reader, text, place, condition[operator] is True)
        left = reader.path(text, place)
        if operator in KIND_TESTS:
            verdict = _kind_verdict(left, operator, condition[operator] is True)
            self._tell_kind(verdict, text, left, operator, pointer)
            return verdict
        right = reader.value(condition[operator], pointer_to(pointer, operator))
        reason = mismatch(left, operator, right)
        if reason is None:
            return None
        place = pointer_to(pointer, operator)
        if operator == "notEquals":
            self.sink.add("always-true", place, f"`{text}` is {left}: {reason}, so this always holds")
            return True
        self.sink.add("never-true", place, f"`{text}` is {left}: {reason}, so this never holds")
        return False

    def _presence(self, reader: Reader, text: str, pointer: str, wanted: bool) -> bool | None:
        found = reader.find(text, pointer, optional=True)
        if found.certainty == "sure":
            return wanted
        return not wanted if found.certainty == "absent" else None

    def _tell_kind(self, verdict: bool | None, text: str, left: Shape, operator: str, pointer: str) -> None:
        place = pointer_to(pointer, operator)
        if verdict is False:
            message = f"`{text}` is {left}, so this never holds"
            self.sink.add("never-true", place, message, severity="warning")
        elif verdict is True:
            self.sink.add("always-true", place, f"`{text}` is {left}, so this always holds")


def operator_of(condition: Mapping[str, Any]) -> str | None:
    """The operator of a comparison."""
    return next((name for name in OPERATORS if name in condition), None)


def mismatch(left: Shape, operator: str, right: Shape) -> str | None:
    """Why a comparison can never hold (of notEquals: never fail) by types or by the values there are."""
    if operator in ("equals", "notEquals"):
        return _unequal(left, right)
    if operator == "in":
        if "list" not in right.kinds:
            return f"{right} is no list"
        return None if right.items is None else _unequal(left, right.items)
    if operator == "contains":
        return _not_containing(left, right)
    if operator in _ORDERED:
        if (left.kinds & right.kinds).isdisjoint(_ORDERABLE):
            return f"it has no order with {right}"
        return None
    if operator in _ON_TEXT:
        if "text" not in left.kinds:
            return f"`{operator}` is about texts"
        if "text" not in right.kinds:
            return f"{right} is no text"
        if operator in ("before", "after"):
            return next((f"{each} is no timestamp" for each in (left, right) if _never_a_time(each)), None)
    return None


def after(environment: Shape, condition: Any, truth: bool) -> Shape | None:
    """The environment once the condition has been found to be that; None where it cannot be."""
    if not isinstance(condition, Mapping):
        return environment
    if "not" in condition:
        return after(environment, condition["not"], not truth)
    for name, settled in (("and", True), ("or", False)):
        if isinstance(condition.get(name), list):
            if truth is settled:
                return _after_all(environment, condition[name], truth)
            return _after_any(environment, condition[name], truth)
    operator, text = operator_of(condition), condition.get("variable")
    members = members_of(text) if isinstance(text, str) else None
    if operator is None or members is None or not all(isinstance(each, str) for each in members):
        return environment
    found = lookup(environment, members)
    if operator == "isPresent":
        if condition[operator] is truth:
            return None if found.certainty == "absent" else made_sure(environment, members)
        return None if found.certainty == "sure" else environment
    # What is compared is there: a missing variable is an error, not a verdict.
    narrowed = _narrowed(found.shape, operator, condition[operator], truth)
    if narrowed.is_empty:
        return None
    return made_sure(environment, members, None if narrowed is found.shape else narrowed)


def _after_all(environment: Shape, parts: list[Any], truth: bool) -> Shape | None:
    current: Shape | None = environment
    for part in parts:
        current = None if current is None else after(current, part, truth)
    return current


def _after_any(environment: Shape, parts: list[Any], truth: bool) -> Shape | None:
    """One of the parts was this, those before it were not."""
    current: Shape | None = environment
    joined: Shape | None = None
    for part in parts:
        if current is None:
            break
        one = after(current, part, truth)
        if one is not None:
            joined = one if joined is None else join(joined, one)
        current = after(current, part, not truth)
    return joined


def _narrowed(shape: Shape, operator: str, right: Any, truth: bool) -> Shape:
    if operator in KIND_TESTS:
        kind = KIND_TESTS[operator]
        if (right is True) is truth:
            return _of_kinds(shape, frozenset({kind}))
        return shape if operator == "isTimestamp" else _of_kinds(shape, KINDS - {kind})
    if isinstance(right, str) and right.startswith("$"):
        return shape
    wanted = right if operator == "in" and isinstance(right, list) else [right]
    if operator not in ("equals", "notEquals", "in") or any(
        isinstance(each, dict | list) or (isinstance(each, str) and each.startswith("$")) for each in wanted
    ):
        return shape
    values = frozenset((kind_of(each), each) for each in wanted)
    if (operator != "notEquals") is truth:
        kept = values if shape.values is None else values & shape.values
        return replace(_of_kinds(shape, frozenset(kind for kind, _ in kept)), values=kept)
    if shape.values is not None:
        left = shape.values - values
        return replace(_of_kinds(shape, frozenset(kind for kind, _ in left)), values=left)
    if shape.kinds == {"boolean"}:
        left = frozenset({("boolean", True), ("boolean", False)}) - values
        return replace(shape, values=left)
    return shape


def _of_kinds(shape: Shape, kinds: frozenset[str]) -> Shape:
    if shape.kinds <= kinds:
        return shape
    values = None if shape.values is None else frozenset(each for each in shape.values if each[0] in kinds)
    return replace(shape, kinds=shape.kinds & kinds, values=values)


def _kind_verdict(left: Shape, operator: str, wanted: bool) -> bool | None:
    kind = KIND_TESTS[operator]
    if kind not in left.kinds:
        return not wanted
    if left.kinds == {kind} and operator != "isTimestamp":
        return wanted
    return None


def _unequal(left: Shape, right: Shape) -> str | None:
    if left.kinds.isdisjoint(right.kinds):
        return f"it is never equal to {right}, which is {_kind_named(right)}"
    if left.values is not None and right.values is not None and left.values.isdisjoint(right.values):
        return f"it is never {right}"
    return None


def _not_containing(left: Shape, right: Shape) -> str | None:
    if left.kinds.isdisjoint({"text", "list"}):
        return "only a text or a list contains something"
    if "list" not in left.kinds:
        return None if "text" in right.kinds else f"a text never contains {right}"
    if "text" in left.kinds and "text" in right.kinds:
        return None
    return None if left.items is None else _unequal(left.items, right)


def _never_a_time(shape: Shape) -> bool:
    if shape.values is None:
        return False
    return not any(_is_time(value) for _, value in shape.values)


def _is_time(value: Any) -> bool:
    try:
        timestamp_ms(value)
    except ValueError:
        return False
    return True


def _kind_named(shape: Shape) -> str:
    return str(Shape(shape.kinds)) if shape.kinds < KINDS else str(ANY)
