"""What is wrong with a definition, gathered while it is lowered: every compiler below notes its problem and goes on.

What a compiler gives for a wrong part is a stand-in; a program with problems is never handed out.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from stepwell_schemas.conditions import Condition as ConditionModel
from stepwell_schemas.durations import duration_ms, timestamp_ms
from stepwell_schemas.words import is_template

from stepwell_interpreter.conditions import Condition, compile_condition
from stepwell_interpreter.contracts import Contract, compile_contract
from stepwell_interpreter.failures import (
    PARAMETER_PATH_FAILURE,
    CompileProblem,
    StateFailure,
    did_you_mean,
    pointer_to,
)
from stepwell_interpreter.matching import Match, compile_match
from stepwell_interpreter.paths import Target, compile_target
from stepwell_interpreter.program import Milliseconds, Template
from stepwell_interpreter.scope import MISSING, Scope, constant
from stepwell_interpreter.templates import TemplateCompiler, compile_template

T = TypeVar("T")

DYNAMIC = object()
"""Stands in a partly literal value where only a running instance knows what is there."""

_ANYWHERE = (
    "required",
    "additionalProperties",
    "type",
    "minProperties",
    "maxProperties",
    "minItems",
    "maxItems",
)
"""Keywords that judge a value whatever its members turn out to be."""


@dataclass(frozen=True, slots=True)
class DefinitionProblem:
    """One thing that is wrong. `code` is stable, `pointer` a JSON pointer into the definition."""

    code: str
    pointer: str
    message: str
    help: str = ""


class DefinitionProblems(Exception):
    """The definition cannot be run: `problems` has every reason, in the order of the document."""

    def __init__(self, problems: list[DefinitionProblem]) -> None:
        super().__init__("; ".join(f"{each.pointer or '/'}: {each.message}" for each in problems))
        self.problems = problems


class Findings:
    """Compilers that note problems instead of raising them."""

    def __init__(self) -> None:
        self.problems: list[DefinitionProblem] = []

    def add(self, code: str, pointer: str, message: str, help: str = "") -> None:
        """Note a problem, once: a setting of the configuration is compiled for every task that uses it."""
        problem = DefinitionProblem(code, pointer, message, help)
        if problem not in self.problems:
            self.problems.append(problem)

    def attempt(self, compile: Callable[[], T], stand_in: T, below: str = "") -> T:
        """What a compiler gives, or the stand-in. `below` is put before the problem's own pointer."""
        try:
            return compile()
        except CompileProblem as problem:
            self.add(problem.code, below + problem.pointer, problem.message, problem.help)
            return stand_in

    def template(self, value: Any, pointer: str) -> Template:
        """A template of any form."""
        return self.attempt(lambda: compile_template(value, pointer), _NOTHING)

    def optional(self, given: bool, value: Any, pointer: str) -> Template | None:
        """A template that may be left out; a written null is given."""
        return self.template(value, pointer) if given else None

    def target(self, path: str | None, pointer: str) -> Target | None:
        """A place in `$.state`."""
        return None if path is None else self.attempt(lambda: compile_target(path), None, pointer)

    def condition(self, rule: ConditionModel, pointer: str) -> Condition:
        """A condition in its model form."""
        document = rule.model_dump(by_alias=True, exclude_unset=True)
        return self.attempt(lambda: compile_condition(document, pointer), _NEVER)

    def match(self, match: Mapping[str, Any], pointer: str) -> Match | None:
        """The match of a wait; None matches everything."""
        return self.attempt(lambda: compile_match(match, pointer), None) if match else None

    def duration(self, value: Any, pointer: str) -> Milliseconds | None:
        """A duration in milliseconds."""
        return None if value is None else self.fixed_duration(value, pointer)

    def fixed_duration(self, value: Any, pointer: str) -> Milliseconds:
        """A duration that is there."""
        return self._moment(value, pointer, duration_ms)

    def timestamp(self, value: Any, pointer: str) -> Milliseconds | None:
        """A moment in epoch milliseconds."""
        return None if value is None else self._moment(value, pointer, timestamp_ms)

    def contract(self, schema: Mapping[str, Any] | bool, pointer: str) -> Contract | None:
        """A JSON Schema; None allows everything."""
        return self.attempt(lambda: compile_contract(schema), None, pointer)

    def known(self, name: str, names: Iterable[str], pointer: str) -> None:
        """A state that is led to must be there."""
        names = list(names)
        if name not in names:
            message = f"there is no state `{name}` here. {did_you_mean(name, names)}"
            self.add(
                "unknown-state", pointer, message, "A state leads only to states of its own branch or map."
            )

    def literal_input(self, value: Any, contract: Contract, pointer: str, activity: str) -> None:
        """What is already known of an activity's input must be what the activity takes."""
        for error in contract.errors(literal_of(value)):
            if _is_dynamic(error.instance) and not _is_sure(str(error.validator), error.instance):
                continue
            place = pointer_to(pointer, *error.absolute_path)
            self.add("activity-input", place, f"`{activity}` does not take this: {error.message[:300]}")

    def _moment(self, value: Any, pointer: str, parse: Callable[[object], int]) -> Milliseconds:
        if not is_template(value):
            fixed = parse(value)
            return lambda scope: fixed
        template = self.template(value, pointer)

        def resolve(scope: Scope) -> int:
            found = template(scope)
            try:
                return parse(found)
            except ValueError as error:
                raise StateFailure(PARAMETER_PATH_FAILURE, f"{pointer}: {error}") from error

        return resolve


def literal_of(value: Any) -> Any:
    """A template as the value it will have, with DYNAMIC where that is not known yet."""
    if isinstance(value, dict) and not is_template(value):
        return {
            key.removeprefix("$") if key.startswith("$$") else key: literal_of(part)
            for key, part in value.items()
        }
    if isinstance(value, list):
        return [literal_of(part) for part in value]
    try:
        constant = TemplateCompiler().value(value, "").constant
    except CompileProblem:
        return DYNAMIC  # noted where the template itself is compiled
    return DYNAMIC if constant is MISSING else constant


def _is_dynamic(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_is_dynamic(part) for part in value.values())
    if isinstance(value, list):
        return any(_is_dynamic(part) for part in value)
    return value is DYNAMIC


def _is_sure(keyword: str, value: Any) -> bool:
    return value is not DYNAMIC and keyword in _ANYWHERE


_NOTHING: Template = constant(None).evaluate
_NEVER = Condition(lambda scope, record: False, ())
