"""Whether a value of one shape can be what another asks for; tells only what is certainly wrong."""

from collections.abc import Iterator
from dataclasses import dataclass

from stepwell_schemas.durations import duration_ms, timestamp_ms

from stepwell_interpreter.failures import nearest, pointer_to
from stepwell_interpreter.verification.shapes import Shape

_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Misfit:
    """Where (a pointer below the value) and why."""

    pointer: str
    message: str


def misfits(
    given: Shape, wanted: Shape, pointer: str = "", name: str = "", depth: int = 0
) -> Iterator[Misfit]:
    """What of `given` can never be what `wanted` allows."""
    shown = f"`{name}` is" if name else "it is"
    if depth > _DEEPEST or given.is_empty or wanted.is_empty:
        return
    if given.kinds.isdisjoint(wanted.kinds):
        yield Misfit(pointer, f"{shown} {given}, wanted is {wanted}")
        return
    if given.values is not None and wanted.values is not None and given.values.isdisjoint(wanted.values):
        yield Misfit(pointer, f"{shown} {given}, wanted is {wanted}")
        return
    if given.kinds == {"object"} and "object" in wanted.kinds:
        yield from _members(given, wanted, pointer, name, depth)
    if given.kinds == {"list"} and given.items is not None and wanted.items is not None:
        yield from misfits(given.items, wanted.items, pointer, f"{name}[]", depth + 1)


def is_never_duration(shape: Shape) -> bool:
    """Whether a value of this shape is no duration, whatever it is."""
    return _never(shape, frozenset({"text", "number"}), duration_ms)


def is_never_timestamp(shape: Shape) -> bool:
    """Whether a value of this shape is no timestamp, whatever it is."""
    return _never(shape, frozenset({"text"}), timestamp_ms)


def _members(given: Shape, wanted: Shape, pointer: str, name: str, depth: int) -> Iterator[Misfit]:
    inside = f"{name}." if name else ""
    for key, member in wanted.members.items():
        mine = given.members.get(key)
        if mine is not None:
            # Where the object is handed on as a whole there is no place of its own for a member.
            yield from misfits(mine.shape, member.shape, pointer_to(pointer, key), inside + key, depth + 1)
        elif member.sure and given.rest == "closed":
            yield Misfit(pointer, f"`{inside}{key}` is missing")
    if wanted.rest == "closed":
        for key, mine in given.members.items():
            if key not in wanted.members and mine.sure:
                near = nearest(key, wanted.members)
                hint = f"; did you mean `{near}`?" if near is not None else ""
                yield Misfit(pointer_to(pointer, key), f"there is no `{inside}{key}` in what it takes{hint}")


def _never(shape: Shape, kinds: frozenset[str], parse: object) -> bool:
    if shape.kinds.isdisjoint(kinds):
        return True
    if shape.values is None:
        return False
    return not any(_parses(parse, value) for _, value in shape.values)


def _parses(parse: object, value: object) -> bool:
    assert callable(parse)
    try:
        parse(value)
    except ValueError:
        return False
    return True
