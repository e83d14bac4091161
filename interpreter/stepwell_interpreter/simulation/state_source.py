"""The state a test is about: out of a whole definition, or by itself with stand-ins for the states it names."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from stepwell_schemas.loader import load_definition

from stepwell_interpreter.asl.diagnostics import creation_error
from stepwell_interpreter.asl.validate import validate_asl
from stepwell_interpreter.compile import AnyActivity, place
from stepwell_interpreter.findings import DefinitionProblems
from stepwell_interpreter.lower import lower
from stepwell_interpreter.program import Program
from stepwell_interpreter.simulation.errors import DefinitionRefused, MockRefused, NoDefinition
from stepwell_interpreter.simulation.source import Definition, program_of, text_of
from stepwell_interpreter.simulation.state_requests import StateRefused

ALONE: Final = "StateName"
"""The name of a state that is given by itself, as AWS's TestState has it."""

BEFORE: Final = "(before)"


@dataclass(frozen=True, slots=True)
class StateSource:
    """The program with the state in it, the state's name and its own object in the document."""

    program: Program
    name: str
    state: Mapping[str, Any]
    is_asl: bool

    @property
    def literal(self) -> bool:
        """Whether it is an ASL Pass that says its result itself."""
        return self.is_asl and "Result" in self.state


def read_state(given: Definition, name: str | None, variables: frozenset[str]) -> StateSource:
    """The state named `name`, or the state itself. Raises DefinitionRefused, StateRefused or MockRefused."""
    document = _document(given)
    by_itself = "Type" in document or ("type" in document and "definition" not in document)
    if by_itself and name is None:
        state = document
        document = _wrapped(state, variables)
        name = ALONE
    definition = document.get("definition", document)
    if not isinstance(definition, Mapping):
        raise MockRefused("the definition in an envelope must be an object here")
    is_asl = "States" in definition or "StartAt" in definition
    if is_asl:
        error = creation_error(validate_asl(definition))
        if error is not None:
            raise StateRefused(error[1], error[0])
    program = program_of(document) if is_asl else _lowered(document)
    if name is None:
        raise MockRefused("which state? A whole definition needs state=...")
    found = next(_states(definition, name), None)
    return StateSource(program, name, {} if found is None else found, is_asl)


def _lowered(document: Mapping[str, Any]) -> Program:
    """A native program. What other states write, or whether they end, does not matter here: it is not verified."""
    loaded = load_definition(text_of(document), format="json")
    if loaded.definition is None or loaded.errors:
        raise DefinitionRefused(loaded.problems)
    try:
        return lower(loaded.definition, AnyActivity(), "")
    except DefinitionProblems as raised:
        found = [
            place(each.code, each.pointer, each.message, each.help, loaded, None) for each in raised.problems
        ]
        raise DefinitionRefused(found) from None


def _document(given: Definition) -> Mapping[str, Any]:
    if isinstance(given, Mapping):
        return given
    if not isinstance(given, str | bytes):
        raise NoDefinition(given, "a state or definition")
    loaded = load_definition(given)
    if loaded.document is None:
        raise DefinitionRefused(loaded.problems)
    return loaded.document


def _wrapped(state: Mapping[str, Any], variables: frozenset[str]) -> dict[str, Any]:
    """A definition around one state. What it leads to is there, and so are the variables it may name."""
    targets = [target for target in _targets(state) if target != ALONE]
    if "type" in state:
        ends = {target: {"type": "succeed"} for target in targets}
        return {"id": "one-state", "version": "1.0.0", "startAt": ALONE, "states": {ALONE: state, **ends}}
    ends = {target: {"Type": "Succeed"} for target in targets}
    if not variables:
        return {"StartAt": ALONE, "States": {ALONE: state, **ends}}
    before = {"Type": "Pass", "Assign": dict.fromkeys(sorted(variables)), "Next": ALONE}
    return {"StartAt": BEFORE, "States": {BEFORE: before, ALONE: state, **ends}}


def _targets(state: Mapping[str, Any]) -> list[str]:
    """The names a state leads to, each once; not those of the machines inside it."""
    found: list[Any] = [
        state.get(key) for key in ("Next", "Default", "next", "default", "timeoutNext", "onError")
    ]
    for key in ("Choices", "Catch", "choices", "catch"):
        rules = state.get(key)
        for rule in rules if isinstance(rules, list) else [rules]:
            if isinstance(rule, Mapping):
                found += [rule.get("Next"), rule.get("next")]
    alternatives = state.get("anyOf")
    if isinstance(alternatives, Mapping):
        found += [each.get("next") for each in alternatives.values() if isinstance(each, Mapping)]
    return list(dict.fromkeys(name for name in found if isinstance(name, str)))


def _states(part: Any, name: str) -> Iterator[Mapping[str, Any]]:
    """The states of that name, the outermost first."""
    level: list[Any] = [part]
    while level:
        inner: list[Any] = []
        for node in level:
            if isinstance(node, Mapping):
                for key in ("States", "states"):
                    states = node.get(key)
                    if isinstance(states, Mapping) and isinstance(states.get(name), Mapping):
                        yield states[name]
                inner += node.values()
            elif isinstance(node, list):
                inner += node
        level = inner
