"""Rules of choices against each other: what a rule before takes already, and whether anything is left over."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from stepwell_schemas.conditions import ChoiceRule
from stepwell_schemas.states import ChoiceState

from stepwell_interpreter.failures import pointer_to
from stepwell_interpreter.values import frozen, is_number, same
from stepwell_interpreter.verification.conditions import operator_of
from stepwell_interpreter.verification.facts import Facts
from stepwell_interpreter.verification.findings import Sink
from stepwell_interpreter.verification.graph import Machine
from stepwell_interpreter.verification.reading import members_of
from stepwell_interpreter.verification.shapes import Shape, lookup
from stepwell_interpreter.verification.work import Work

_MOST_RULES: Final = 40
_MOST_PARTS: Final = 40
_MOST_COMPARED: Final = 60
_WORK_OF_A_COMPARISON: Final = 2
"""Rules before that a rule is held against, parts of one, and comparisons of two: beyond that nothing is told."""

_OPPOSITES: Final = {
    "equals": "notEquals",
    "greaterThan": "lessThanOrEquals",
    "greaterThanOrEquals": "lessThan",
}
_LOWER_BOUNDS: Final = {"greaterThan": False, "greaterThanOrEquals": True}
_UPPER_BOUNDS: Final = {"lessThan": False, "lessThanOrEquals": True}


def check_choices(machine: Machine, facts: Facts, sink: Sink, work: Work) -> None:
    """Tell of rules that a rule before always takes, and of choices that decide nothing."""
    for name in machine.order:
        state = machine.states[name]
        if not isinstance(state, ChoiceState):
            continue
        place = machine.place(name)
        documents = [facts.document_of(rule) for rule in state.choices]
        for index, before in _taken_before(documents, work):
            message = f"whatever this rule would take, rule {before + 1} takes before it"
            sink.add("rule-unreachable", pointer_to(place, "choices", index), message)
        targets = {rule.next for rule in state.choices} | {state.default}
        if len(targets) == 1:
            sink.add("same-target", place, f"all ways of `{name}` lead to `{state.choices[0].next}`")


def _taken_before(documents: Sequence[Mapping[str, Any]], work: Work) -> Iterator[tuple[int, int]]:
    """Each rule that another takes before it, with that one. Raises TooMuchWork.

    A comparison can only be implied by one of the same variable, so that those of others are not looked at.
    """
    alike: dict[Any, int] = {}
    by_variable: dict[str, list[int]] = {}
    combined: list[int] = []
    sizes: list[int] = []
    for index, document in enumerate(documents):
        parts = _parts(document)
        sizes.append(parts)
        work.spend(2 * parts)
        plain = _plain(document)
        variable = document.get("variable")
        if plain in alike:
            yield index, alike[plain]
        elif parts <= _MOST_PARTS:
            same_variable = by_variable.setdefault(variable, []) if isinstance(variable, str) else []
            # What is combined may imply, or be implied by, a comparison of any variable.
            others = same_variable if isinstance(variable, str) else list(range(index))
            for before in sorted({*combined[-_MOST_RULES:], *others[-_MOST_RULES:]}):
                other = documents[before]
                # Of two plain comparisons that are not the same only their operators and values matter.
                simple = isinstance(variable, str) and "variable" in other
                compared = min(parts * sizes[before], _MOST_COMPARED)
                work.spend(1 if simple else _WORK_OF_A_COMPARISON * compared)
                takes = _compared if simple else implies
                if sizes[before] <= _MOST_PARTS and takes(document, other):
                    yield index, before
                    break
            same_variable.append(index)
            if not isinstance(variable, str):
                combined.append(index)
        alike.setdefault(plain, index)


def leaves_nothing_over(rules: Sequence[ChoiceRule], facts: Facts, environment: Shape) -> bool:
    """Whether two of the rules are each other's opposite, so that one of them always holds."""
    documents = [facts.document_of(rule) for rule in rules[:_MOST_RULES]]
    pairs = ((one, other) for one in documents for other in documents if one is not other)
    return any(_opposite(one, other, environment) for one, other in pairs)


def implies(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether the second certainly holds where the first does."""
    return _implies(one, other, [_MOST_COMPARED])


def _implies(one: Mapping[str, Any], other: Mapping[str, Any], left: list[int]) -> bool:
    left[0] -= 1
    if left[0] < 0:
        return False
    if _plain(one) == _plain(other):
        return True
    if isinstance(other.get("or"), list) and any(_implies(one, part, left) for part in other["or"]):
        return True
    if isinstance(one.get("and"), list) and any(_implies(part, other, left) for part in one["and"]):
        return True
    if isinstance(other.get("and"), list):
        return all(_implies(one, part, left) for part in other["and"])
    if isinstance(one.get("or"), list):
        return all(_implies(part, other, left) for part in one["or"])
    if "variable" not in one or one.get("variable") != other.get("variable"):
        return False
    return _compared(one, other)


def _compared(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """The same for two comparisons of one variable with values that are written there."""
    mine, theirs = operator_of(one), operator_of(other)
    if mine is None or theirs is None:
        return False
    left, right = one[mine], other[theirs]
    if theirs == "isPresent":
        return right is True and (mine != "isPresent" or left is True)
    if mine == "equals" and theirs == "in" and isinstance(right, list) and not _moving(left):
        return any(not _moving(each) and same(left, each) for each in right)
    if mine == "in" and theirs == "in" and isinstance(left, list) and isinstance(right, list):
        return bool(left) and all(any(same(each, every) for every in right) for each in left)
    if not (is_number(left) and is_number(right)):
        return False
    if mine == "equals":
        return _in_bound(left, theirs, right)
    for bounds, sign in ((_LOWER_BOUNDS, 1), (_UPPER_BOUNDS, -1)):
        if mine in bounds and theirs in bounds:
            return left * sign > right * sign or (left == right and (bounds[theirs] or not bounds[mine]))
    return False


def _in_bound(value: float, operator: str, bound: float) -> bool:
    match operator:
        case "greaterThan":
            return value > bound
        case "greaterThanOrEquals":
            return value >= bound
        case "lessThan":
            return value < bound
        case "lessThanOrEquals":
            return value <= bound
        case _:
            return False


def _opposite(one: Mapping[str, Any], other: Mapping[str, Any], environment: Shape) -> bool:
    if "not" in one:
        return isinstance(one["not"], Mapping) and implies(one["not"], other)
    if "variable" not in one or one.get("variable") != other.get("variable"):
        return False
    mine, theirs = operator_of(one), operator_of(other)
    if mine is None or theirs is None:
        return False
    if mine == theirs and mine.startswith("is"):
        return one[mine] is not other[theirs]
    if _OPPOSITES.get(mine) != theirs or frozen(one[mine]) != frozen(other[theirs]):
        return False
    members = members_of(one["variable"])
    # An order is total only where the value is certainly of the kind that is compared.
    return mine == "equals" or (
        members is not None and lookup(environment, members).shape.kinds in ({"number"}, {"text"})
    )


def _parts(rule: Any) -> int:
    pending, count = [rule], 0
    while pending and count <= _MOST_PARTS:
        part = pending.pop()
        count += 1
        pending += part.values() if isinstance(part, Mapping) else part if isinstance(part, list) else ()
    return count


def _plain(rule: Mapping[str, Any]) -> Any:
    return frozen({key: part for key, part in rule.items() if key not in ("next", "comment")})


def _moving(value: Any) -> bool:
    return isinstance(value, dict | list) or (isinstance(value, str) and value.startswith("$"))
