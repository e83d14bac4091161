"""Functions on lists and objects."""

from collections.abc import Mapping
from typing import Any

from stepwell_interpreter.failures import did_you_mean
from stepwell_interpreter.function_arguments import LONGEST_LIST, Arguments
from stepwell_interpreter.values import DEEPEST, counted, frozen, same

_MOST_MEMBERS = LONGEST_LIST
_LONGEST_RANGE = 1_000


def length(arguments: Arguments) -> int:
    """How many characters, items or members there are."""
    value = arguments.values[0]
    if isinstance(value, str | list | Mapping):
        return len(value)
    raise arguments.wrong(0, "a text, a list or an object")


def keys(arguments: Arguments) -> list[Any]:
    """The names of an object's members, in their order."""
    return arguments.bounded_list(list(arguments.members(0)))


def merge(arguments: Arguments) -> dict[str, Any]:
    """One object of several; of two members with one name the later counts, they are not merged."""
    arguments = arguments.spread()
    merged: dict[str, Any] = {}
    for position in range(len(arguments.values)):
        merged.update(arguments.members(position))
        if len(merged) > _MOST_MEMBERS:
            raise arguments.failed(f"the result has more than {_MOST_MEMBERS} members")
    return merged


def contains(arguments: Arguments) -> bool:
    """Whether a list has an equal item, a text the other text, an object the member."""
    inside, wanted = arguments.values
    if isinstance(inside, list):
        return any(same(item, wanted) for item in inside)
    if isinstance(inside, str):
        return arguments.text(1) in inside
    if isinstance(inside, Mapping):
        return arguments.text(1) in inside
    raise arguments.wrong(0, "a list, a text or an object")


def unique(arguments: Arguments) -> list[Any]:
    """The items of a list without repetitions, each at its first place."""
    items = arguments.items(0)
    try:
        return _firsts(items)
    except RecursionError as error:
        raise arguments.failed(f"argument 1 nests deeper than {DEEPEST}") from error


def whole_range(arguments: Arguments) -> list[int]:
    """Whole numbers from the first to the second, both included, by the step (1), as ASL's ArrayRange."""
    first, last = arguments.whole(0), arguments.whole(1)
    step = arguments.whole(2) if len(arguments.values) > 2 else 1
    if step == 0:
        raise arguments.wrong(2, "a whole number other than 0")
    numbers = range(first, last + (1 if step > 0 else -1), step)
    # len() of a range that is longer than a machine word raises, so the count is worked out.
    count = max((last - first) // step + 1, 0)
    if count > _LONGEST_RANGE:
        raise arguments.failed(f"the result has {count} items, allowed are {_LONGEST_RANGE}")
    return list(numbers)


def partition(arguments: Arguments) -> list[list[Any]]:
    """The list in pieces of a size; the last may be shorter."""
    items = arguments.items(0)
    size = arguments.whole(1, least=1)
    return [items[start : start + size] for start in range(0, len(items), size)]


def at(arguments: Arguments) -> Any:
    """The item of a list by index (-1 is the last), an object's member by name; else the third argument."""
    inside = arguments.values[0]
    if isinstance(inside, list):
        index = arguments.whole(1)
        if -len(inside) <= index < len(inside):
            return inside[index]
        absent = f"the list has {counted(len(inside), 'item')}, there is no [{index}]"
    elif isinstance(inside, Mapping):
        name = arguments.text(1)
        if name in inside:
            return inside[name]
        absent = f"there is no member '{name[:60]}'. {did_you_mean(name, inside)}"
    else:
        raise arguments.wrong(0, "a list or an object")
    if len(arguments.values) > 2:
        return arguments.values[2]
    raise arguments.failed(f"{absent} (a third argument would be the default)")


def _firsts(items: list[Any]) -> list[Any]:
    firsts: dict[Any, Any] = {}
    for item in items:
        firsts.setdefault(frozen(item), item)
    return list(firsts.values())
