"""The values a generated scenario may give: inputs, outputs and events' data, made so that choices go every way.

Each starts as a sample of its schema, has whatever members the definition reads, and comes in variants: one for each
way of making a choice's rule the first that holds, or none of them.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson
from stepwell_schemas.catalog import ActivityDescription

from stepwell_interpreter.compile import Compiled
from stepwell_interpreter.failures import StateFailure
from stepwell_interpreter.paths import compile_members, find_members, set_in
from stepwell_interpreter.program import WaitEvent, WaitStep
from stepwell_interpreter.scenarios.flows import INPUT, Flows, Members, Source
from stepwell_interpreter.scenarios.samples import fits, part_of, sample
from stepwell_interpreter.scenarios.solving import Solution, solutions
from stepwell_interpreter.scope import MISSING

MOST_VARIANTS: Final = 12
_NUMERIC: Final = frozenset({"$add", "$subtract", "$multiply", "$divide", "$min", "$max", "$round", "$range"})
_DURATIONS: Final = frozenset({"timeout", "duration", "heartbeat", "for", "initialInterval"})
_TELLING: Final = frozenset(
    {
        "type",
        "properties",
        "required",
        "items",
        "enum",
        "const",
        "examples",
        "anyOf",
        "oneOf",
        "allOf",
        "$ref",
    }
)
_HINTED: Final = _DURATIONS | _NUMERIC | {"timestamp"}


class Candidates:
    """The candidates of one definition."""

    def __init__(
        self, compiled: Compiled, activities: Mapping[str, ActivityDescription] | None = None
    ) -> None:
        assert compiled.program is not None, "only an accepted definition can be run"
        self._program = compiled.program
        self._document: Mapping[str, Any] = compiled.loaded.document or {}
        self._activities = activities or {}
        self._needs: dict[Source, dict[Members, str]] = {}
        self._variants: dict[Source, list[dict[Members, Any]]] = {}
        self._wheres: dict[Source, dict[Members, Any]] = {}
        if compiled.program.dialect == "native":
            self._flows = Flows(self._document, list(self._program.scopes))
            self._note_needs()
            self._note_variants()

    def inputs(self) -> list[Any]:
        """Inputs, the plainest first."""
        return self._all(INPUT, self._document.get("input"), {}, "input")

    def outputs(self, machine: str, state: str, name: str) -> list[Any]:
        """Outputs of a task that runs this activity (or child workflow)."""
        described = self._activities.get(name)
        schema = None if described is None else described.output_schema
        return self._all(Source("output", machine, state), schema, {}, state)

    def undo_output(self, activity: str) -> Any:
        """The output of an undo; nothing reads it but the report."""
        described = self._activities.get(activity)
        schema = None if described is None else described.output_schema
        return None if schema is None else sample(schema, "undo")

    def events(self, machine: str, step: WaitStep, wanted: WaitEvent, match: Iterable[Any]) -> list[Any]:
        """The data of events that an open wait takes: with the values it wants, and its `where` made true."""
        source = Source("event", machine, step.name, wanted.name or "")
        schema = (self._document.get("events") or {}).get(wanted.type)
        found = []
        for data in self._all(source, schema, {}, wanted.type):
            for path, value in match:
                data = _put(data, compile_members(path), value)
            for members, value in self._wheres.get(source, {}).items():
                data = _put(data, members, value)
            found.append(data)
        return _distinct(found)

    # -- what is needed ------------------------------------------------------------------------------------

    def _note_needs(self) -> None:
        for reading in self._flows.readings():
            for source, members in self._flows.origins(reading.path.text, reading.machine, reading.state):
                if members:
                    self._needs.setdefault(source, {}).setdefault(members, reading.key)

    def _note_variants(self) -> None:
        for machine, state, body in self._flows.states():
            rules = [rule for rule in body.get("choices") or () if isinstance(rule, Mapping)]
            for number in range(len(rules) + 1):
                wanted = [(rule, False) for rule in rules[:number]] + [
                    (rule, True) for rule in rules[number : number + 1]
                ]
                for solution in solutions(wanted) if rules else ():
                    self._note_variant(solution, machine, state)
            steps = body.get("steps")
            for step in steps if isinstance(steps, list) else ():
                if isinstance(step, Mapping) and isinstance(step.get("when"), Mapping):
                    for wish in (True, False):
                        for solution in solutions([(step["when"], wish)]):
                            self._note_variant(solution, machine, state)
            self._note_wheres(machine, state, body)

    def _note_wheres(self, machine: str, state: str, body: Mapping[str, Any]) -> None:
        named = body.get("anyOf") or body.get("allOf") or {"": body.get("absence") or body}
        for name, wait in named.items():
            if not isinstance(wait, Mapping) or not isinstance(wait.get("where"), Mapping):
                continue
            for solution in solutions([(wait["where"], True)])[:1]:
                for path, value in solution.items():
                    for source, members in self._flows.origins(path, machine, state):
                        if source.kind != "event":
                            self._variants.setdefault(source, []).append({members: value})
                        elif source.name == name:
                            self._wheres.setdefault(source, {})[members] = value

    def _note_variant(self, solution: Solution, machine: str, state: str) -> None:
        """Each source gets its part; which parts belong together the search finds out."""
        parts: dict[Source, dict[Members, Any]] = {}
        for path, value in solution.items():
            for source, members in self._flows.origins(path, machine, state):
                parts.setdefault(source, {})[members] = value
        for source, values in parts.items():
            variants = self._variants.setdefault(source, [])
            if values not in variants:
                variants.append(values)

    # -- making them ---------------------------------------------------------------------------------------

    def _all(self, source: Source, schema: Any, empty: Any, name: str) -> list[Any]:
        base = sample(schema, name) if _tells_kind(schema) else empty
        for members, key in sorted(self._needs.get(source, {}).items(), key=lambda need: -len(need[0])):
            if find_members(base, members) is MISSING:
                base = _put(base, members, self._needed(schema, members, key, name))
        made = [base]
        for values in self._variants.get(source, ()):
            value = base
            for members, part in values.items():
                value = _put(value, members, part)
            made.append(value)
        sound = [value for value in _distinct(made) if schema is None or fits(schema, value)]
        return (sound or [base])[:MOST_VARIANTS]

    def _needed(self, schema: Any, members: Members, key: str, name: str) -> Any:
        last = next((str(member) for member in reversed(members) if isinstance(member, str)), name)
        part = part_of(schema, members)
        usual = _usual(key, last)
        if not isinstance(part, Mapping) or not part:
            return usual
        part = {**part, "$defs": (schema or {}).get("$defs", {})}
        return usual if key in _HINTED and fits(part, usual) else sample(part, last)


def _tells_kind(schema: Any) -> bool:
    return isinstance(schema, Mapping) and not _TELLING.isdisjoint(schema)


def _usual(key: str, name: str) -> Any:
    """A value by what it is read for."""
    if key == "items":
        return [f"{name}-1"]
    if key in _DURATIONS:
        return "PT1H"
    if key == "timestamp":
        return "2026-01-01T01:00:00Z"
    return 1 if key in _NUMERIC else f"{name}-1"


def _put(document: Any, members: Members, value: Any) -> Any:
    """The document with a value in it, or without the member; as it is where there is no such place."""
    if not members:
        return document if value is MISSING else value
    if value is MISSING:
        return _without(document, members)
    try:
        return set_in(document, members, value)
    except StateFailure:
        return document


def _without(document: Any, members: Members) -> Any:
    first, rest = members[0], members[1:]
    if not isinstance(document, dict) or first not in document:
        return document
    if not rest:
        return {key: value for key, value in document.items() if key != first}
    return {**document, first: _without(document[str(first)], rest)}


def _distinct(values: Iterable[Any]) -> list[Any]:
    seen: dict[bytes, Any] = {}
    for value in values:
        seen.setdefault(orjson.dumps(value, option=orjson.OPT_SORT_KEYS), value)
    return list(seen.values())
