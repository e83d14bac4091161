"""What a definition reads of a value: the members it looks at, and the values that would make a difference to it.

`Shape` is a tree beside the value. Values that satisfy or break each condition are noted as `constants`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from stepwell_interpreter.values import is_number

MOST_CONSTANTS: Final = 12
DEEPEST: Final = 12
ELEMENT: Final = "[]"
"""Stands in a rooted path for any element of a list."""

RootedPath = tuple[str, ...]


@dataclass(slots=True)
class Shape:
    """What is read of one value. `needed`: somewhere it must be there."""

    members: dict[str, "Shape"] = field(default_factory=dict)
    element: "Shape | None" = None
    kinds: set[str] = field(default_factory=set)
    constants: list[Any] = field(default_factory=list)
    needed: bool = False

    def at(self, path: RootedPath) -> "Shape":
        """The shape of a part, made where it is not there yet."""
        shape = self
        for member in path[:DEEPEST]:
            if member == ELEMENT:
                shape.element = shape.element or Shape()
                shape = shape.element
            else:
                shape = shape.members.setdefault(member, Shape())
        return shape

    def find(self, path: RootedPath) -> "Shape | None":
        """The shape of a part, or None where nothing is read of it."""
        shape: Shape | None = self
        for member in path:
            if shape is None:
                return None
            shape = shape.element if member == ELEMENT else shape.members.get(member)
        return shape

    def note(self, constants: list[Any]) -> None:
        """Note values that make a difference."""
        for value in constants:
            if len(self.constants) < MOST_CONSTANTS and not any(
                _alike(value, each) for each in self.constants
            ):
                self.constants.append(value)

    def take(self, other: "Shape", depth: int = 0) -> bool:
        """Read all that `other` reads. True where that was new."""
        before = (len(self.constants), len(self.kinds), self.needed, len(self.members), self.element is None)
        self.note(other.constants)
        self.kinds |= other.kinds
        self.needed = self.needed or other.needed
        changed = False
        if depth < DEEPEST:
            for name, member in list(other.members.items()):
                changed |= self.members.setdefault(name, Shape()).take(member, depth + 1)
            if other.element is not None:
                self.element = self.element or Shape()
                changed |= self.element.take(other.element, depth + 1)
        after = (len(self.constants), len(self.kinds), self.needed, len(self.members), self.element is None)
        return changed or before != after


def telling(operator: str, value: Any) -> list[Any]:
    """Values for the left side of a comparison with a constant: some for which it holds, some for which it does not."""
    maker = _MAKERS.get(operator)
    return [] if maker is None else maker(value)


def _alike(left: Any, right: Any) -> bool:
    return type(left) is type(right) and bool(left == right)


def _other(value: Any) -> Any:
    """A value of the same kind that is not this one."""
    if isinstance(value, bool):
        return not value
    if is_number(value):
        return value + 1
    if isinstance(value, str):
        return value + "-other"
    return "other" if value is None else None


def _equality(value: Any) -> list[Any]:
    return [value, _other(value)]


def _order(value: Any) -> list[Any]:
    """Below, at and above."""
    if is_number(value):
        return [value - 1, value, value + 1]
    return ["", value, value + "~"] if isinstance(value, str) else []


def _moments(value: Any) -> list[Any]:
    return ["1970-01-01T00:00:00Z", "9999-01-01T00:00:00Z"] if isinstance(value, str) else []


def _containing(value: Any) -> list[Any]:
    return [value, "", [value], []] if isinstance(value, str) else [[value], []]


def _text(value: Any) -> list[Any]:
    return [value, "-"] if isinstance(value, str) else []


def _glob(value: Any) -> list[Any]:
    return [value.replace("*", "x"), "-"] if isinstance(value, str) else []


def _listed(value: Any) -> list[Any]:
    return [*value, _other(value[-1])] if isinstance(value, list) and value else []


_MAKERS: Final[Mapping[str, Callable[[Any], list[Any]]]] = {
    "equals": _equality,
    "notEquals": _equality,
    "greaterThan": _order,
    "greaterThanOrEquals": _order,
    "lessThan": _order,
    "lessThanOrEquals": _order,
    "before": _moments,
    "after": _moments,
    "contains": _containing,
    "startsWith": _text,
    "endsWith": _text,
    "matches": _glob,
    "in": _listed,
    "isNull": lambda value: ["x", None],
    "isString": lambda value: ["x", 0],
    "isNumber": lambda value: [1, "x"],
    "isBoolean": lambda value: [True, "x"],
    "isObject": lambda value: [{}, "x"],
    "isArray": lambda value: [[], "x"],
    "isTimestamp": lambda value: ["2026-01-01T00:00:00Z", "x"],
}
