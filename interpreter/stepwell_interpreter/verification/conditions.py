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
from stepwell_interpreter.verification.work import Work

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


@dataclass(frozen=True, slots=True)
class Decided:
    """A verdict, and what is known where the condition holds and where it does not; None: that cannot be."""

    verdict: bool | None
    yes: Shape | None
    no: Shape | None


@dataclass(slots=True)
class Judge:
    """Judges conditions in one environment. `lenient` as of a Reader."""

    environment: Shape
    sink: Sink
    lenient: bool = False

    def judge(self, condition: Any, pointer: str) -> bool | None:
        """The verdict; tells what is wrong with each comparison. Goes on with what earlier parts have made sure."""
        return self.decide(condition, pointer).verdict

    def decide(self, condition: Any, pointer: str) -> Decided:
        """The verdict with what is known on either side of it. Each part is looked at once."""
        if not isinstance(condition, Mapping):
            return Decided(None, self.environment, self.environment)
        for name, stop in (("and", False), ("or", True)):
            if isinstance(condition.get(name), list):
                return self._several(condition[name], pointer_to(pointer, name), stop)
        if "not" in condition:
            inner = self.decide(condition["not"], pointer_to(pointer, "not"))
            verdict = None if inner.verdict is None else not inner.verdict
            return Decided(verdict, inner.no, inner.yes)
        verdict = self._comparison(condition, pointer)
        return Decided(verdict, *_sides(self.environment, condition, self.sink.work))

    def _several(self, parts: list[Any], pointer: str, stop: bool) -> Decided:
        """`stop` is the verdict of one part that settles the whole."""
        environment, verdicts = self.environment, []
        going: Shape | None = environment
        settled: Shape | None = None
        for place, part in enumerate(parts):
            judge = Judge(environment, self.sink, self.lenient)
            decided = judge.decide(part, pointer_to(pointer, place))
            verdicts.append(decided.verdict)
            here, on = (decided.yes, decided.no) if stop else (decided.no, decided.yes)
            if going is not None:
                if here is not None:
                    settled = here if settled is None else join(settled, here, self.sink.work)
                going = on
            # The next part is looked at only where this one has not settled it.
            environment = on or environment
        verdict = stop if stop in verdicts else None if None in verdicts else not stop
        return Decided(verdict, settled, going) if stop else Decided(verdict, going, settled)

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


def _sides(environment: Shape, condition: Mapping[str, Any], work: Work) -> tuple[Shape | None, Shape | None]:
    """The environments where a comparison holds and where it does not; None where that cannot be."""
    operator, text = operator_of(condition), condition.get("variable")
    members = members_of(text) if isinstance(text, str) else None
    if operator is None or members is None or not all(isinstance(each, str) for each in members):
        return environment, environment
    found = lookup(environment, members)
    holder = environment.members.get(str(members[0]))
    work.copy(0 if holder is None else 2 * len(holder.shape.members))
    if operator == "isPresent":
        there = None if found.certainty == "absent" else made_sure(environment, members)
        missing = None if found.certainty == "sure" else environment
        return (there, missing) if condition[operator] is True else (missing, there)

    # What is compared is there: a missing variable is an error, not a verdict.
    def side(truth: bool) -> Shape | None:
        narrowed = _narrowed(found.shape, operator, condition[operator], truth)
        if narrowed.is_empty:
            return None
        return made_sure(environment, members, None if narrowed is found.shape else narrowed)

    return side(True), side(False)


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
