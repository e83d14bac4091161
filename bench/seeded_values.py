"""Mistakes of places and values: what `seeded_mistakes.py` draws from, registered in `KINDS`."""

import copy
import random
import re
from collections.abc import Iterator
from typing import Any

from seeded_places import (
    KINDS,
    Activities,
    Damage,
    added,
    at,
    changed,
    comparisons,
    input_keys,
    input_schema,
    kind,
    misspelt,
    of_type,
    paths,
    replaced,
    scalars,
    schema_of,
    states,
    written,
)

# -- things in the wrong place ---------------------------------------------------------------------------------


@kind("resultPath renamed, its readers not")
def _renamed_result(
    document: dict[str, Any], activities: Activities, chance: random.Random
) -> Iterator[Damage]:
    """Passed over: results that nobody reads, or only with a default."""
    for place, state, _ in states(document):
        target = state.get("resultPath")
        if target and any(
            path.startswith(f"{target}.") and "$path" not in where for where, path in paths(document)
        ):
            place = (*place, "resultPath")
            wrong = "$.state." + misspelt(target.removeprefix("$.state."), chance)
            yield replaced("resultPath renamed, its readers not", document, place, wrong)


@kind("next across scopes")
def _across(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    everything = list(states(document))
    for place, state, holder in everything:
        others = [where[-1] for where, _, other in everything if other != holder]
        if "next" in state and others:
            target = chance.choice(others)
            yield replaced("next across scopes", document, (*place, "next"), target)


@kind("a state that leads to itself")
def _self_loop(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    for place, state, _ in states(document):
        if "next" in state:
            name = place[-1]
            yield replaced("a state that leads to itself", document, (*place, "next"), name)


@kind("next past the state that is meant")
def _past(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    for place, state, _ in states(document):
        follower = at(document, place[:-1]).get(state.get("next"), {})
        if "next" in follower:
            yield replaced(
                "next past the state that is meant",
                document,
                (*place, "next"),
                follower["next"],
            )


@kind("a loop back without a wait")
def _loop(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    """A choice that goes back to the task before it."""
    for place, _ in of_type(document, "choice"):
        before = [
            where[-1]
            for where, state in of_type(document, "task")
            if state.get("next") == place[-1] and where[:-1] == place[:-1]
        ]
        for name in before:
            yield added("a loop back without a wait", document, (*place, "default"), name)


@kind("a state that nothing leads to")
def _orphan(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    state = {"type": "task", "activity": "notify", "input": {"message": "left over"}, "resultPath": None}
    for name, other in document["states"].items():
        if "next" in other:
            orphan = {**state, "next": other["next"]}
            yield added("a state that nothing leads to", document, ("states", f"Other{name}"), orphan)


@kind("a state passed by")
def _passed_by(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    """The start goes to the second state, so that what the first writes is missing."""
    first = document["states"][document["startAt"]]
    if "next" in first:
        yield replaced("a state passed by", document, ("startAt",), first["next"])


@kind("onError back to its own state")
def _on_error(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    for place, _ in of_type(document, "task", "wait", "parallel", "map"):
        yield added("onError back to its own state", document, (*place, "onError"), place[-1])


@kind("branches that write one place")
def _same_place(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    for place, state in of_type(document, "parallel"):
        damaged = copy.deepcopy(document)
        for branch in state["branches"]:
            inner = at(damaged, (*place, "branches", branch))
            inner["states"][inner["startAt"]]["resultPath"] = "$.state.same"
        yield Damage("branches that write one place", written(place), damaged)


@kind("a result kept outside of the state")
def _wrong_target(
    document: dict[str, Any], activities: Activities, chance: random.Random
) -> Iterator[Damage]:
    for place, state, _ in states(document):
        if state.get("resultPath"):
            yield changed(
                "a result kept outside of the state",
                document,
                (*place, "resultPath"),
                lambda path: path.replace("$.state", "$.input"),
            )


def _out_of_scope(name: str, path: str) -> None:
    def generator(
        document: dict[str, Any], activities: Activities, chance: random.Random
    ) -> Iterator[Damage]:
        for place, key, _ in input_keys(document, activities):
            inside_map = any(
                at(document, place[:depth]).get("type") == "map"
                for depth in range(2, len(place) - 1)
                if isinstance(at(document, place[:depth]), dict)
            )
            if not (inside_map and path.startswith("$.item")) and "compensateWith" not in place:
                yield replaced(name, document, (*place, key), path)

    KINDS[name] = generator


_out_of_scope("$.item outside of a map", "$.item.id")
_out_of_scope("$.result outside of its place", "$.result.id")
_out_of_scope("$.event outside of its place", "$.event.data.id")
_out_of_scope("$.error where no error led", "$.error.cause")


# -- wrong values ----------------------------------------------------------------------------------------------


@kind("an operand of another type")
def _operand(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    for place, comparison in comparisons(document):
        for key, value in comparison.items():
            if key not in ("variable", "next") and not isinstance(value, bool | dict | list):
                other = str(value) if isinstance(value, int | float) else 17
                yield replaced("an operand of another type", document, (*place, key), other)


@kind("an operator for another type")
def _operator(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    for place, comparison in comparisons(document):
        for key, value in comparison.items():
            if key.startswith(("greater", "less")):
                damaged = copy.deepcopy(document)
                holder = at(damaged, place)
                del holder[key]
                holder[chance.choice(["startsWith", "matches", "endsWith"])] = str(value)
                yield Damage("an operator for another type", f"{written(place)}: {key}", damaged)


@kind("a rule said twice")
def _twice(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    for place, _ in of_type(document, "choice"):
        yield changed("a rule said twice", document, (*place, "choices"), lambda rules: [*rules, rules[0]])


@kind("a literal of a wrong type in an input")
def _literal(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    """Passed over: keys whose schema allows anything."""
    for place, key, _ in input_keys(document, activities):
        schema = schema_of(document, activities, place, key)
        wrong = {"string": 17, "object": "text", "array": "text", "integer": "17", "number": "17"}
        if schema.get("type") in wrong:
            value = wrong[schema["type"]]
            yield replaced("a literal of a wrong type in an input", document, (*place, key), value)


@kind("a path of a wrong type in an input")
def _wrong_path(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    """Passed over: keys whose schema allows anything."""
    for place, key, _ in input_keys(document, activities):
        wanted = schema_of(document, activities, place, key).get("type")
        if wanted in ("string", "object", "array"):
            path = "$.system.now" if wanted != "string" else "$.system"
            yield replaced("a path of a wrong type in an input", document, (*place, key), path)


@kind("a key too many in an input")
def _extra_key(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    """Passed over: activities that take keys they do not name."""
    for place, key, _ in input_keys(document, activities):
        if input_schema(document, activities, place).get("additionalProperties") is False:
            yield added("a key too many in an input", document, (*place, misspelt(key, chance)), "x")


@kind("a path of match misspelt")
def _match_key(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    for place, state in of_type(document, "wait"):
        for key in state.get("match", {}):
            damaged = copy.deepcopy(document)
            holder = at(damaged, (*place, "match"))
            holder[misspelt(key, chance)] = holder.pop(key)
            yield Damage("a path of match misspelt", f"{written(place)}: {key}", damaged)


@kind("match with a value of another type")
def _match_type(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    """Passed over: paths of which the event's schema does not say the type."""
    for place, state in of_type(document, "wait"):
        declared = document["events"][state["event"]].get("properties", {}) if "event" in state else {}
        for key in state.get("match", {}):
            if declared.get(key, {}).get("type") == "string":
                yield added("match with a value of another type", document, (*place, "match", key), 17)


@kind("a duration that is none")
def _duration(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    for place, value in scalars(document, ()):
        if isinstance(value, str) and re.fullmatch(r"P[T0-9].*", value):
            wrong = chance.choice(["48 hours", value[:-1], value + "X", value.lower().replace("p", "q")])
            yield replaced("a duration that is none", document, place, wrong)


@kind("a wait longer than the instance")
def _too_long(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    for place, state in of_type(document, "wait"):
        if "timeout" in state:
            yield added("a wait longer than the instance", document, (*place, "timeout"), "P300D")


@kind("a heartbeat longer than the timeout")
def _heartbeat(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    for place, _ in of_type(document, "task"):
        yield added("a heartbeat longer than the timeout", document, (*place, "heartbeat"), "PT1H")


@kind("retries longer than the instance")
def _pauses(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    retry = {"maxAttempts": 20, "initialInterval": "PT1H", "backoffCoefficient": 2.0}
    for place, _ in of_type(document, "task"):
        yield added("retries longer than the instance", document, (*place, "retry"), [retry])


@kind("a catch behind States.ALL")
def _shadowed(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    for place, state, _ in states(document):
        for catcher in state.get("catch", ()):
            rules = [{**catcher, "errors": ["States.ALL"]}, *state["catch"]]
            yield added("a catch behind States.ALL", document, (*place, "catch"), rules)


@kind("a number beyond what is allowed")
def _number(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    for place, value in scalars(document, ()):
        wrong = {
            "maxAttempts": -1,
            "backoffCoefficient": 0.5,
            "maxConcurrency": -4,
            "percent": 120,
            "quorum": 9,
        }
        if place[-1] in wrong and isinstance(value, int | float):
            number = wrong[str(place[-1])]
            yield replaced("a number beyond what is allowed", document, place, number)


@kind("items that are no list")
def _items(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    for place, _ in of_type(document, "map"):
        yield added("items that are no list", document, (*place, "items"), "$.system.now")


@kind("the undo of something else")
def _other_undo(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    """Passed over: activities that are not declared to undo anything."""
    undos = [name for name, each in activities.items() if each.compensates]
    for place, state in of_type(document, "task"):
        if "compensateWith" not in state:
            continue
        others = [name for name in undos if activities[name].compensates != state["activity"]]
        if others:
            where = (*place, "compensateWith", "activity")
            other = chance.choice(others)
            yield replaced("the undo of something else", document, where, other)


@kind("a compensation made into something else")
def _no_compensation(
    document: dict[str, Any], activities: Activities, chance: random.Random
) -> Iterator[Damage]:
    """Passed over: a compensation beside which others stay, whose undos they run."""
    found = list(of_type(document, "compensation"))
    if len(found) == 1:
        [(place, state)] = found
        yield added(
            "a compensation made into something else",
            document,
            place,
            {"type": "pass", "next": state["next"]},
        )


@kind("a secret in what is said of a failure")
def _secret(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    for key, schema in document["input"]["properties"].items():
        if schema.get("type") != "string":
            continue
        for place, _ in of_type(document, "fail"):
            if len(place) == 2:
                marked = added("", document, ("input", "properties", key), {**schema, "writeOnly": True})
                cause = {"$format": ["it was {}", {"$path": f"$.input.{key}", "$default": ""}]}
                yield added(
                    "a secret in what is said of a failure", marked.document, (*place, "cause"), cause
                )


@kind("an activity taken for another")
def _other_activity(
    document: dict[str, Any], activities: Activities, chance: random.Random
) -> Iterator[Damage]:
    for place, state in of_type(document, "task"):
        others = sorted(activities.keys() - {state["activity"]})
        name = "an activity taken for another"
        yield replaced(name, document, (*place, "activity"), chance.choice(others))


@kind("a path taken for another")
def _other_path(document: dict[str, Any], activities: Activities, chance: random.Random) -> Iterator[Damage]:
    """Another path that the definition reads somewhere. Where both have one type, nothing could tell."""
    known = sorted({path for _, path in paths(document)})
    for place, path in paths(document):
        others = [each for each in known if each != path]
        yield replaced("a path taken for another", document, place, chance.choice(others))
