"""Mistakes of names and of things left out: what `seeded_mistakes.py` draws from, registered in `KINDS`."""

import copy
import random
from collections.abc import Iterator
from typing import Any

from seeded_places import (
    KINDS,
    Activities,
    Damage,
    Place,
    at,
    changed,
    input_keys,
    kind,
    misspelt,
    of_type,
    paths,
    removed,
    replaced,
    scalars,
    states,
    targets,
    written,
)

# -- names -----------------------------------------------------------------------------------------------------


@kind("a segment of a path misspelt")
def _path_segment(
    document: dict[str, Any], activities: Activities, chance: random.Random
) -> Iterator[Damage]:
    """Passed over: paths of one segment, whose only name is the root."""
    for place, path in paths(document):
        segments = path.split(".")
        if len(segments) > 2:
            number = chance.randrange(2, len(segments))
            wrong = ".".join(
                misspelt(part, chance) if index == number else part for index, part in enumerate(segments)
            )
            yield replaced("a segment of a path misspelt", document, place, wrong)


@kind("the root of a path misspelt")
def _path_root(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    for place, path in paths(document):
        _, root, *rest = path.split(".")
        wrong = ".".join(["$", misspelt(root, chance), *rest])
        yield replaced("the root of a path misspelt", document, place, wrong)


@kind("a state misspelt where it is led to")
def _target(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    for place, _ in targets(document):
        yield changed(
            "a state misspelt where it is led to", document, place, lambda name: misspelt(name, chance)
        )


@kind("an activity misspelt")
def _activity(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    for place, value in scalars(document, ()):
        if place[-1] == "activity" and value in activities:
            yield changed("an activity misspelt", document, place, lambda name: misspelt(name, chance))


@kind("an event misspelt where it is waited for")
def _event(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    for place, state in of_type(document, "wait"):
        if "event" in state:
            name = "an event misspelt where it is waited for"
            yield changed(name, document, (*place, "event"), lambda event: misspelt(event, chance))


@kind("an event misspelt where it starts")
def _start_event(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    name = "an event misspelt where it starts"
    yield changed(name, document, ("start", "on", 0), lambda event: misspelt(event, chance))


@kind("a key of a state misspelt")
def _key(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    """Passed over: `comment`, which nobody reads."""
    for place, state, _ in states(document):
        for key in state:
            if key != "comment":
                damaged = copy.deepcopy(document)
                holder = at(damaged, place)
                holder[misspelt(key, chance)] = holder.pop(key)
                yield Damage("a key of a state misspelt", f"{written(place)}: {key}", damaged)


@kind("a function misspelt")
def _function(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    for place, _ in scalars(document, ()):
        for depth, part in enumerate(place):
            if part in ("$path", "$format") and isinstance(part, str):
                damaged = copy.deepcopy(document)
                holder = at(damaged, place[:depth])
                holder["$" + misspelt(part[1:], chance)] = holder.pop(part)
                yield Damage("a function misspelt", written(place[: depth + 1]), damaged)


@kind("an error's name misspelt")
def _error_name(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    """Passed over: names that activities raise, which nothing declares."""
    for place, value in scalars(document, ()):
        if isinstance(value, str) and value.startswith("States."):
            wrong = "States." + misspelt(value.removeprefix("States."), chance)
            yield replaced("an error's name misspelt", document, place, wrong)


@kind("a keyword of a schema misspelt")
def _keyword(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    """Passed over: titles and descriptions."""
    places: list[Place] = [("input",), *(("events", name) for name in document["events"])]
    for place in places:
        for key in at(document, place):
            if key in ("type", "required", "properties"):
                damaged = copy.deepcopy(document)
                holder = at(damaged, place)
                holder[misspelt(key, chance)] = holder.pop(key)
                yield Damage("a keyword of a schema misspelt", f"{written(place)}: {key}", damaged)


@kind("a type of a schema misspelt")
def _schema_type(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    for place, value in scalars(document["input"], ("input",)):
        if place[-1] == "type" and isinstance(value, str):
            yield changed("a type of a schema misspelt", document, place, lambda word: misspelt(word, chance))


@kind("an enum word misspelt")
def _word(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    for place, _ in scalars(document, ()):
        if place[-1] in ("failure", "afterCompletion", "overflow", "jitter", "steps", "scope"):
            yield changed("an enum word misspelt", document, place, lambda word: misspelt(str(word), chance))


# -- things left out -------------------------------------------------------------------------------------------


def _without(name: str, keys: tuple[str, ...], *types: str, needs: str = "") -> None:
    """A kind that leaves a key out of the states that have it."""

    def generator(
        document: dict[str, Any], activities: Activities, chance: random.Random
    ) -> Iterator[Damage]:
        for place, state in of_type(document, *types):
            if keys[0] in state and (not needs or needs in state):
                yield removed(name, document, *((*place, key) for key in keys))

    KINDS[name] = generator


_ALL_STEPS = ("task", "wait", "parallel", "map", "compensation", "pass")
_without("next left out", ("next",), *_ALL_STEPS)
_without("end left out", ("end",), *_ALL_STEPS)
_without("the activity left out", ("activity",), "task")
_without("default of a choice left out", ("default",), "choice")
_without("match of a wait left out", ("match",), "wait")
_without("timeout left out beside timeoutNext", ("timeout",), "wait", needs="timeoutNext")
_without("items of a map left out", ("items",), "map")
_without("timeoutNext left out with its state", ("timeoutNext",), "wait")


@kind("no limit to a wait")
def _unbounded(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    """Passed over: a wait whose limit goes while the instance's stays, which then bounds it."""
    for place, state in of_type(document, "wait"):
        if "event" in state:
            places = ((*place, "timeout"), (*place, "timeoutNext"), ("configuration", "timeout"))
            yield removed("no limit to a wait", document, *places)


@kind("resultPath left out")
def _result_path(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    """Passed over: states that end a branch or an iteration (their result goes out all the same), and results null."""
    for place, state, _ in states(document):
        if "resultPath" not in state or "next" not in state:
            continue
        described = activities.get(state.get("activity", ""))
        if described is None or described.output_schema != {"type": "null"}:
            yield removed("resultPath left out", document, (*place, "resultPath"))


@kind("compensateWith left out")
def _undo(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    """Passed over: undos of activities that no other is declared to compensate; nobody could know."""
    partners = {each.compensates for each in activities.values()}
    for place, state in of_type(document, "task"):
        if "compensateWith" in state and state["activity"] in partners:
            yield removed("compensateWith left out", document, (*place, "compensateWith"))


@kind("a required key of an input left out")
def _input_key(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    for place, key, required in input_keys(document, activities):
        if required:
            yield removed("a required key of an input left out", document, (*place, key))


@kind("a key of start.input left out")
def _start_key(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    """Passed over: keys that the input schema does not require."""
    for key in document["start"]["input"]:
        if key in document["input"].get("required", ()):
            yield removed("a key of start.input left out", document, ("start", "input", key))


@kind("a key no longer required")
def _not_required(
    document: dict[str, Any], activities: Activities, chance: random.Random
) -> Iterator[Damage]:
    """Passed over: keys that no path reads."""
    text = str(document["states"])
    for key in document["input"].get("required", ()):
        if f"$.input.{key}" in text:
            yield changed(
                "a key no longer required",
                document,
                ("input", "required"),
                lambda keys, key=key: [each for each in keys if each != key],
            )


@kind("the default of a path left out")
def _path_default(
    document: dict[str, Any], activities: Activities, chance: random.Random
) -> Iterator[Damage]:
    for place, _ in scalars(document, ()):
        if place[-1] == "$default":
            yield changed("the default of a path left out", document, place[:-1], lambda form: form["$path"])


@kind("an event no longer declared")
def _undeclared(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    """Passed over: the last event that is declared (without any, nothing is declared), and those nobody waits for."""
    used = [*document["start"]["on"], *(state.get("event") for _, state in of_type(document, "wait"))]
    for name in document["events"]:
        if len(document["events"]) > 1 and name in used:
            yield removed("an event no longer declared", document, ("events", name))
