"""The values a generated scenario may give: inputs, outputs and events' data, made so that choices go every way.

Each starts as a sample of its schema, has whatever members the definition reads, and comes in variants: one for each
way of making a choice's rule the first that holds, or none of them.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import orjson
from stepwell_schemas.catalog import ActivityDescription

from stepwell_interpreter.compile import Compiled
from stepwell_interpreter.paths import compile_members, find_members
from stepwell_interpreter.program import MapStep, TaskStep, WaitEvent, WaitStep
from stepwell_interpreter.scenarios.account import Account
from stepwell_interpreter.scenarios.answers import task_schema
from stepwell_interpreter.scenarios.asl_flows import AslFlows
from stepwell_interpreter.scenarios.flows import INPUT, Flows, Members, Rules, Source
from stepwell_interpreter.scenarios.native_conditions import native_formula
from stepwell_interpreter.scenarios.placing import put
from stepwell_interpreter.scenarios.samples import fits, part_of, sample
from stepwell_interpreter.scenarios.solving import Solution, comparisons, solutions
from stepwell_interpreter.scope import MISSING

MOST_VARIANTS: Final = 12
MOST_NOTED: Final = 4 * MOST_VARIANTS
"""Variants of one source that are looked for: some come to the same value, and some do not fit its schema."""
MOST_ADDED: Final = 2_000
"""Values that a search may add to one source."""
_BYTES_IN_A_UNIT: Final = 256
_NUMERIC: Final = frozenset({"$add", "$subtract", "$multiply", "$divide", "$min", "$max", "$round", "$range"})
_USUAL: Final[Mapping[str, Any]] = {
    **dict.fromkeys(_NUMERIC, 1),
    "timestamp": "2026-01-01T01:00:00Z",
    "number": 1,
    "boolean": True,
    "digits": "1",
    "json": "{}",
}
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
    """The candidates of one definition. Those made from it come first; a search may add others behind them."""

    def __init__(
        self,
        compiled: Compiled,
        activities: Mapping[str, ActivityDescription] | None = None,
        account: Account | None = None,
    ) -> None:
        assert compiled.program is not None, "only an accepted definition can be run"
        self._program = compiled.program
        self._document: Mapping[str, Any] = compiled.loaded.document or {}
        self._activities = activities or {}
        self._needs: dict[Source, dict[Members, str]] = {}
        self._variants: dict[Source, list[dict[Members, Any]]] = {}
        self._wheres: dict[Source, dict[Members, Any]] = {}
        self._made: dict[Source, list[Any]] = {}
        self._added: dict[Source, list[Any]] = {}
        self._numbers: dict[Source, dict[bytes, int]] = {}
        self._account = Account() if account is None else account
        self._preparing = self._account.share(4)
        machines = list(self._program.scopes)
        self.flows: Flows | AslFlows
        if compiled.program.dialect == "native":
            self.flows = Flows(self._document, machines, self._account.spend)
        else:
            self.flows = AslFlows(self._document, machines, self._account.spend)
        self.rules = tuple(self.flows.rules())
        """Those of every choice."""
        if isinstance(self.flows, Flows):
            self._note_native(self.flows)
        self._note_needs()
        self._note_variants()

    @property
    def cut_short(self) -> bool:
        """Whether there was more to prepare than there may be."""
        return self._preparing.exhausted

    def inputs(self) -> list[Any]:
        """Inputs, the plainest first."""
        return self._fixed(INPUT)

    def outputs(self, machine: str, state: str) -> list[Any]:
        """Outputs of a task that runs an activity (or child workflow), or the items a map's reader gives."""
        return self._fixed(Source("output", machine, state))

    def errors(self, machine: str, state: str) -> list[str]:
        """Names of errors that something asks for behind a catch of this state."""
        variants = self._variants.get(Source("error", machine, state), ())
        names = [values.get(("Error",)) for values in variants]
        return list(dict.fromkeys(name for name in names if isinstance(name, str) and name))

    def undo_output(self, activity: str) -> Any:
        """The output of an undo; nothing reads it but the report."""
        described = self._activities.get(activity)
        schema = None if described is None else described.output_schema
        return None if schema is None else sample(schema, "undo")

    def events(
        self, machine: str, step: WaitStep, wanted: WaitEvent, match: Iterable[Any]
    ) -> list[tuple[int, Any]]:
        """The data of events that an open wait takes, numbered: see `taken`. Each is there once."""
        values = self._fixed(event_source(machine, step, wanted))
        taken = [
            (number, self.taken(machine, step, wanted, match, data)) for number, data in enumerate(values)
        ]
        seen: dict[bytes, tuple[int, Any]] = {}
        for number, data in taken:
            seen.setdefault(_key(data), (number, data))
        return list(seen.values())

    def taken(self, machine: str, step: WaitStep, wanted: WaitEvent, match: Iterable[Any], data: Any) -> Any:
        """An event's data with the values that an open wait wants, and its `where` made true."""
        source = event_source(machine, step, wanted)
        schema = self._schema(source)
        for path, value in match:
            data = _within(data, compile_members(path), value, schema)
        for members, value in self._wheres.get(source, {}).items():
            data = _within(data, members, value, schema)
        return data

    def added(self, source: Source, number: int) -> Any:
        """A value that a search has added, by the number it was given; MISSING where there is none."""
        values, at = self._added.get(source, ()), number - len(self._fixed(source))
        return values[at] if 0 <= at < len(values) else MISSING

    def add(self, source: Source, value: Any) -> int | None:
        """The number of a value among its source's candidates, put there if need be; None where it must not be."""
        fixed = self._fixed(source)
        numbers = self._numbers.get(source)
        if numbers is None:
            numbers = self._numbers[source] = {}
            for number, each in enumerate(fixed):
                numbers.setdefault(_key(each), number)
        key = _key(value)
        self._account.spend(1 + len(key) // _BYTES_IN_A_UNIT)
        if key in numbers:
            return numbers[key]
        added = self._added.setdefault(source, [])
        schema = self._schema(source)
        if len(added) >= MOST_ADDED or (schema is not None and not fits(schema, value)):
            return None
        added.append(value)
        number = numbers[key] = len(fixed) + len(added) - 1
        return number

    # -- what is needed ------------------------------------------------------------------------------------

    def _note_needs(self) -> None:
        for reading in self.flows.readings():
            for source, members in self.flows.origins(reading.place, reading.machine, reading.state):
                if members or reading.key == "items":
                    self._needs.setdefault(source, {}).setdefault(members, reading.key)

    def _note_variants(self) -> None:
        for choice in self.rules:
            for number in range(len(choice.rules) + 1):
                if self._preparing.exhausted:
                    return
                if self._has_enough(choice, number):
                    continue
                wanted = [(rule, False) for rule in choice.rules[:number]]
                wanted += [(rule, True) for rule in choice.rules[number : number + 1]]
                for solution in solutions(wanted, self._preparing):
                    self._note_variant(solution, choice.machine, choice.state)

    def _has_enough(self, choice: Rules, number: int) -> bool:
        """Whether all that a rule (behind the last: every rule) reads has as many variants as are of use."""
        read = choice.rules[number : number + 1] or choice.rules
        self._preparing.spend(len(read))
        sources = {
            source
            for formula in read
            for comparison in comparisons(formula)
            for place in comparison.places
            for source, _ in self.flows.origins(place, choice.machine, choice.state)
        }
        return bool(sources) and all(
            source.kind != "error" and len(self._variants.get(source, ())) >= MOST_NOTED for source in sources
        )

    def _note_native(self, flows: Flows) -> None:
        for machine, state, body in flows.states():
            steps = body.get("steps")
            for step in steps if isinstance(steps, list) else ():
                if isinstance(step, Mapping) and isinstance(step.get("when"), Mapping):
                    for wish in (True, False):
                        for solution in solutions([(native_formula(step["when"]), wish)], self._preparing):
                            self._note_variant(solution, machine, state)
            self._note_wheres(machine, state, body)

    def _note_wheres(self, machine: str, state: str, body: Mapping[str, Any]) -> None:
        named = body.get("anyOf") or body.get("allOf") or {"": body.get("absence") or body}
        for name, wait in named.items():
            if not isinstance(wait, Mapping) or not isinstance(wait.get("where"), Mapping):
                continue
            for solution in solutions([(native_formula(wait["where"]), True)], self._preparing)[:1]:
                for path, value in solution.items():
                    for source, members in self.flows.origins(path, machine, state):
                        if source.kind != "event":
                            self._variants.setdefault(source, []).append({members: value})
                        elif source.name == name:
                            self._wheres.setdefault(source, {})[members] = value

    def _note_variant(self, solution: Solution, machine: str, state: str) -> None:
        """Each source gets its part; which parts belong together the search finds out."""
        parts: dict[Source, dict[Members, Any]] = {}
        for path, value in solution.items():
            for source, members in self.flows.origins(path, machine, state):
                parts.setdefault(source, {})[members] = value
        for source, values in parts.items():
            variants = self._variants.setdefault(source, [])
            self._preparing.spend(1 + len(variants) // 16)
            if values not in variants:
                variants.append(values)

    # -- making them ---------------------------------------------------------------------------------------

    def _fixed(self, source: Source) -> list[Any]:
        """The candidates that were made from the definition."""
        made = self._made.get(source)
        if made is None:
            made = self._made[source] = self._make(source, self._schema(source))
        return made

    def _schema(self, source: Source) -> Any:
        if self._program.dialect != "native" and source.kind != "output":
            return None
        match source.kind:
            case "input":
                return self._document.get("input")
            case "event":
                return (self._document.get("events") or {}).get(self._event_type(source))
            case _:
                step = self._program.scopes[source.machine].steps.get(source.state)
                return task_schema(step, self._activities) if isinstance(step, TaskStep) else None

    def _event_type(self, source: Source) -> str:
        step = self._program.scopes[source.machine].steps.get(source.state)
        events = step.events if isinstance(step, WaitStep) else ()
        return next((each.type for each in events if (each.name or "") == source.name), "")

    def _make(self, source: Source, schema: Any) -> list[Any]:
        name = source.state or source.kind
        if source.kind == "event":
            name = self._event_type(source)
        base = sample(schema, name) if _tells_kind(schema) else self._empty(source)
        for members, key in sorted(self._needs.get(source, {}).items(), key=lambda need: -len(need[0])):
            if members and find_members(base, members) is MISSING:
                base = _within(base, members, self._needed(schema, members, key, name), schema)
        made = [base]
        for values in self._variants.get(source, ()):
            value = base
            for members, part in sorted(values.items(), key=lambda pair: len(pair[0])):
                value = _within(value, members, part, schema)
            made.append(value)
        for value in list(made):
            made += [_within(value, at, both, schema) for at, both in self._pairs(source, value, base)]
        sound = [value for value in _distinct(made) if schema is None or fits(schema, value)]
        return (sound or [base])[:MOST_VARIANTS]

    def _pairs(self, source: Source, value: Any, base: Any) -> Iterator[tuple[Members, list[Any]]]:
        """The lists that are gone through, with the plainest item behind their own: it may go otherwise."""
        for members, key in self._needs.get(source, {}).items():
            items, plain = find_members(value, members), find_members(base, members)
            if key == "items" and isinstance(items, list) and len(items) == 1 and isinstance(plain, list):
                yield members, [*items, *plain[:1]]

    def _empty(self, source: Source) -> Any:
        """What a value is where nothing is known of it."""
        step = self._program.scopes[source.machine].steps.get(source.state) if source.state else None
        if self._needs.get(source, {}).get(()) == "items" or isinstance(step, MapStep):
            return [f"{source.state or source.kind}-1"]
        return {}

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
    return _USUAL.get(key, f"{name}-1")


def event_source(machine: str, step: WaitStep, wanted: WaitEvent) -> Source:
    """The source of the data of a wait's events."""
    return Source("event", machine, step.name, wanted.name or "")


def _within(document: Any, members: Members, value: Any, schema: Any) -> Any:
    """The document with a value in it; as it was where its schema does not allow for one there."""
    made = put(document, members, value)
    return document if schema is not None and not fits(schema, made) and fits(schema, document) else made


def _distinct(values: Iterable[Any]) -> list[Any]:
    seen: dict[bytes, Any] = {}
    for value in values:
        seen.setdefault(_key(value), value)
    return list(seen.values())


def _key(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
