"""The states of an Amazon States Language document with what surrounds them: language, machine, who leads there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from stepwell_interpreter.asl.syntax import JSONATA, JSONPATH, Language
from stepwell_interpreter.failures import pointer_to
from stepwell_interpreter.scenarios.parts import at_pointer

How = Literal["done", "rule", "catch"]


@dataclass(frozen=True, slots=True)
class State:
    """One state. `machine` is the pointer of what holds it."""

    machine: str
    name: str
    body: Mapping[str, Any]
    language: Language

    @property
    def kind(self) -> str:
        """Its type."""
        return str(self.body.get("Type"))

    @property
    def pointer(self) -> str:
        """Where it is written."""
        return pointer_to(self.machine, "States", self.name)


@dataclass(frozen=True, slots=True)
class Entry:
    """A way to a state: `way` is what leads there, the state itself, a rule of its choices, or a catch of it."""

    source: State
    how: How
    way: Mapping[str, Any]


class AslGraph:
    """The states of one document. `machines` are the pointers of what holds states."""

    def __init__(self, document: Mapping[str, Any], machines: list[str]) -> None:
        inner = document.get("definition")
        self.document = inner if isinstance(inner, Mapping) else document
        root: Language = JSONATA if self.document.get("QueryLanguage") == JSONATA else JSONPATH
        self.states: dict[tuple[str, str], State] = {}
        self.entries: dict[tuple[str, str], list[Entry]] = {}
        for machine in machines:
            states = (at_pointer(self.document, machine) or {}).get("States") or {}
            for name, body in states.items():
                language: Language = JSONATA if body.get("QueryLanguage", root) == JSONATA else JSONPATH
                self.states[machine, name] = State(machine, name, body, language)
        for state in self.states.values():
            for entry, target in _ways(state):
                self.entries.setdefault((state.machine, target), []).append(entry)

    def starts(self, state: State) -> bool:
        """Whether its machine begins with it."""
        holder = at_pointer(self.document, state.machine) or {}
        return bool(holder.get("StartAt") == state.name)

    def ends_of(self, machine: str) -> Iterator[State]:
        """The states a machine may end well with."""
        for state in self.states.values():
            if state.machine == machine and (state.body.get("End") is True or state.kind == "Succeed"):
                yield state

    def holder(self, machine: str) -> State | None:
        """The Parallel or Map that a machine stands in; None for the whole document."""
        if not machine:
            return None
        outer, _, rest = machine.rpartition("/States/")
        name = rest.partition("/")[0].replace("~1", "/").replace("~0", "~")
        return self.states.get((outer, name))


def _ways(state: State) -> Iterator[tuple[Entry, str]]:
    body = state.body
    for key in ("Next", "Default"):
        if isinstance(body.get(key), str):
            yield Entry(state, "done", body), body[key]
    for rule in body.get("Choices") or ():
        yield Entry(state, "rule", rule), rule["Next"]
    for catch in body.get("Catch") or ():
        yield Entry(state, "catch", catch), catch["Next"]
