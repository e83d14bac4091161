"""Where a definition can be damaged, and how a damaged copy is made. The kinds of damages register in `KINDS`.

A kind is a generator of damaged copies that gives every place where it applies; the caller draws from them.
"""

import copy
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stepwell_schemas.catalog import ActivityDescription

Place = tuple[str | int, ...]
Activities = Mapping[str, ActivityDescription]
Kind = Callable[[dict[str, Any], Activities, random.Random], Iterator["Damage"]]
KINDS: dict[str, Kind] = {}

EXPRESSIONS = (
    "input",
    "output",
    "set",
    "resultSelector",
    "match",
    "choices",
    "where",
    "error",
    "cause",
    "items",
)


@dataclass(frozen=True, slots=True)
class Damage:
    """A damaged definition; `what` says where and how."""

    kind: str
    what: str
    document: dict[str, Any]


def kind(name: str) -> Callable[[Kind], Kind]:
    """Put a generator into the table."""

    def noted(generator: Kind) -> Kind:
        KINDS[name] = generator
        return generator

    return noted


# -- reading and changing --------------------------------------------------------------------------------------


def at(document: Any, place: Place) -> Any:
    """What is at a place."""
    for part in place:
        document = document[part]
    return document


def changed(name: str, document: dict[str, Any], place: Place, change: Callable[[Any], Any]) -> Damage:
    """A copy in which the value at a place is another."""
    damaged = copy.deepcopy(document)
    holder = at(damaged, place[:-1])
    before = holder[place[-1]]
    holder[place[-1]] = change(before)
    return Damage(name, f"{written(place)}: {before!r} -> {holder[place[-1]]!r}"[:200], damaged)


def replaced(name: str, document: dict[str, Any], place: Place, value: Any) -> Damage:
    """A copy in which this value is at a place."""
    return changed(name, document, place, lambda _: copy.deepcopy(value))


def removed(name: str, document: dict[str, Any], *places: Place) -> Damage:
    """A copy without the values at these places."""
    damaged = copy.deepcopy(document)
    for place in places:
        at(damaged, place[:-1]).pop(place[-1], None)
    return Damage(name, f"without {', '.join(written(place) for place in places)}", damaged)


def added(name: str, document: dict[str, Any], place: Place, value: Any) -> Damage:
    """A copy with a value more (or another one)."""
    damaged = copy.deepcopy(document)
    at(damaged, place[:-1])[place[-1]] = copy.deepcopy(value)
    return Damage(name, f"with {written(place)}: {value!r}"[:200], damaged)


def written(place: Place) -> str:
    """A place as people read it."""
    return "/".join(str(part) for part in place)


def misspelt(word: str, chance: random.Random) -> str:
    """A word with one letter left out, doubled or swapped with its neighbour."""
    letters = [index for index, letter in enumerate(word) if letter.isalpha()]
    index = chance.choice(letters[1:] or letters)
    match chance.randrange(3):
        case 0 if len(word) > 3:
            wrong = word[:index] + word[index + 1 :]
        case 1 if index + 1 < len(word):
            wrong = word[:index] + word[index + 1] + word[index] + word[index + 2 :]
        case _:
            wrong = word[:index] + word[index] + word[index:]
    return wrong if wrong != word else word + word[-1]


def states(holder: Any, place: Place = ()) -> Iterator[tuple[Place, dict[str, Any], Place]]:
    """Every state with its place and the place of what holds its `states`; inner ones too."""
    for name, state in holder["states"].items():
        here = (*place, "states", name)
        yield here, state, place
        for branch, inner in state.get("branches", {}).items():
            yield from states(inner, (*here, "branches", branch))
        if state["type"] == "map":
            yield from states(state, here)


def of_type(document: dict[str, Any], *types: str) -> Iterator[tuple[Place, dict[str, Any]]]:
    """The states of these types."""
    return ((place, state) for place, state, _ in states(document) if state["type"] in types)


def scalars(value: Any, place: Place) -> Iterator[tuple[Place, Any]]:
    """Every scalar inside of a value."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from scalars(part, (*place, key))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from scalars(part, (*place, index))
    else:
        yield place, value


def paths(document: dict[str, Any]) -> Iterator[tuple[Place, str]]:
    """Every path that is read, with its place."""
    for place, state, _ in states(document):
        for key in (*EXPRESSIONS, "timeout", "compensateWith"):
            if key in state:
                for where, value in scalars(state[key], (*place, key)):
                    if isinstance(value, str) and value.startswith("$."):
                        yield where, value
    for where, value in scalars(document.get("start", {}).get("input"), ("start", "input")):
        if isinstance(value, str) and value.startswith("$."):
            yield where, value


def targets(document: dict[str, Any]) -> Iterator[tuple[Place, str]]:
    """Every place that names a state."""
    for place, value in scalars(document, ()):
        keys = ("next", "default", "timeoutNext", "onError", "startAt")
        if place[-1] in keys and isinstance(value, str) and "input" not in place[:2]:
            yield place, value


def comparisons(document: dict[str, Any]) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Every comparison of the choices."""
    for place, state in of_type(document, "choice"):
        pending: list[tuple[Place, Any]] = [((*place, "choices"), state["choices"])]
        while pending:
            where, part = pending.pop()
            if isinstance(part, dict) and "variable" in part:
                yield where, part
            elif isinstance(part, dict | list):
                inner = part.items() if isinstance(part, dict) else enumerate(part)
                pending += [((*where, key), value) for key, value in inner]


# -- inputs of activities --------------------------------------------------------------------------------------


def input_keys(document: dict[str, Any], activities: Activities) -> Iterator[tuple[Place, str, bool]]:
    """The keys of every literal input, with its place and whether the activity requires the key."""
    for place, state in of_type(document, "task"):
        for where in (place, (*place, "compensateWith")):
            call = at(document, where) if where == place or "compensateWith" in state else {}
            if isinstance(call.get("input"), dict) and call["activity"] in activities:
                schema = activities[call["activity"]].input_schema or {}
                for key in call["input"]:
                    yield (*where, "input"), key, key in schema.get("required", ())


def input_schema(document: dict[str, Any], activities: Activities, place: Place) -> dict[str, Any]:
    return activities[at(document, place[:-1])["activity"]].input_schema or {}


def schema_of(document: dict[str, Any], activities: Activities, place: Place, key: str) -> dict[str, Any]:
    schema: dict[str, Any] = input_schema(document, activities, place).get("properties", {}).get(key, {})
    return schema
