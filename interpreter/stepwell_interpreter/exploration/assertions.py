"""The author's `assert:` compiled: conditions over `$.state`, `$.input`, `$.system` and `$.run`, what the run has done.

A path that finds nothing is null here, so that an assertion can speak of what has not happened yet. `$.run` is known
nowhere else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from stepwell_schemas.assertions import Assertion, AssertionForm
from stepwell_schemas.conditions import Condition as ConditionModel

from stepwell_interpreter.comparisons import Test, compile_rule
from stepwell_interpreter.failures import CompileProblem, StateFailure, did_you_mean, pointer_to
from stepwell_interpreter.findings import DefinitionProblem
from stepwell_interpreter.paths import Path, compile_path, is_path
from stepwell_interpreter.scope import MISSING, Scope
from stepwell_interpreter.templates import TemplateCompiler, UsedPath

RUN: Final = "run"
ASSERTION_ROOTS: Final = ("input", "state", "system", RUN)
COUNTS: Final = ("calls", "effects", "executions", "undone", "undoFailed")
"""The facts that are counted by activity."""
FACTS: Final = ("status", "states", "error", "output", *COUNTS)
"""The members of `$.run`."""


@dataclass(slots=True)
class AssertionScope(Scope):
    """What an assertion sees."""

    run: Any = MISSING


@dataclass(frozen=True, slots=True)
class CompiledAssertion:
    """An assertion ready to be asked."""

    name: str
    form: AssertionForm
    when: Test | None
    condition: Test
    message: str | None

    def applies(self, scope: Scope) -> bool:
        """Whether `when` holds."""
        return self.when is None or _holds(self.when, scope)

    def holds(self, scope: Scope) -> bool:
        """Whether the condition holds."""
        return _holds(self.condition, scope)


@dataclass(frozen=True, slots=True)
class Assertions:
    """All assertions of a definition, and what they look at: so that only that is counted."""

    compiled: tuple[CompiledAssertion, ...]
    counted: frozenset[tuple[str, str]]
    """(fact, activity) pairs."""
    most: int
    """Beyond this number counts no longer differ for any assertion."""


def compile_assertions(
    assertions: Sequence[Assertion], activities: frozenset[str]
) -> tuple[Assertions, list[DefinitionProblem]]:
    """The assertions that can be compiled, and what is wrong with the others."""
    compiled: list[CompiledAssertion] = []
    problems: list[DefinitionProblem] = []
    used: list[UsedPath] = []
    numbers: list[float] = []
    for index, assertion in enumerate(assertions):
        place = pointer_to("", "assert", index)
        compiler = AssertionCompiler(activities)
        try:
            when = (
                None if assertion.when is None else compiler.test(assertion.when, pointer_to(place, "when"))
            )
            condition = compiler.test(assertion.condition, pointer_to(place, assertion.form))
        except CompileProblem as problem:
            problems.append(DefinitionProblem(problem.code, problem.pointer, problem.message, problem.help))
            continue
        used += compiler.used
        numbers += _numbers([assertion.model_dump(exclude_unset=True)])
        compiled.append(CompiledAssertion(assertion.name, assertion.form, when, condition, assertion.message))
    counted = _counted(used, activities)
    return Assertions(tuple(compiled), counted, int(max([2.0, *numbers])) + 1), problems


class AssertionCompiler(TemplateCompiler):
    """Compiles conditions whose paths may begin with `$.run` and may find nothing."""

    __slots__ = ("_activities",)

    def __init__(self, activities: frozenset[str]) -> None:
        super().__init__()
        self._activities = activities

    def test(self, rule: ConditionModel, pointer: str) -> Test:
        """The test of a condition. Raises CompileProblem below `pointer`."""
        return compile_rule(rule.model_dump(by_alias=True, exclude_unset=True), pointer, self)

    def path(self, text: Any, pointer: str, optional: bool) -> Path:
        """A path; where it finds nothing it gives null."""
        if not is_path(text):
            return super().path(text, pointer, optional)
        try:
            path = compile_path(text, ASSERTION_ROOTS)
        except CompileProblem as problem:
            raise problem.below(pointer) from None
        if path.root == RUN:
            self._check_fact(path, pointer)
        self.used.append(UsedPath(pointer, path, True))
        find = path.find

        def resolve(scope: Scope) -> Any:
            found = find(scope)
            return None if found is MISSING else found

        return replace(path, resolve=resolve) if path.definite else path

    def _check_fact(self, path: Path, pointer: str) -> None:
        members = path.members[1:] if path.members is not None else ()
        if not members or members[0] not in FACTS:
            known = " ".join(f"$.run.{fact}" for fact in FACTS)
            raise CompileProblem("run-fact", pointer, f"`{path.text}` is no fact of a run", f"Known: {known}")
        if members[0] in COUNTS and (len(members) < 2 or members[1] not in self._activities):
            hint = did_you_mean(str(members[1]), self._activities) if len(members) > 1 else ""
            message = f"`{path.text}` names no activity of this workflow. {hint}"
            help = f"Such as $.run.{members[0]}['orders.charge']: an activity's name stands in quotes."
            raise CompileProblem("run-activity", pointer, message, help)


def _holds(test: Test, scope: Scope) -> bool:
    """An assertion that cannot be evaluated (a function that fails) does not hold."""
    try:
        return test(scope, [])
    except StateFailure:
        return False


def _counted(used: Sequence[UsedPath], activities: frozenset[str]) -> frozenset[tuple[str, str]]:
    found = set()
    for each in used:
        members = each.path.members
        if members is not None and members[0] == RUN and members[1] in COUNTS:
            found.add((str(members[1]), str(members[2])))
    return frozenset(found)


def _numbers(values: list[Any]) -> list[float]:
    """Every number written anywhere in the values."""
    found: list[float] = []
    pending = values
    while pending:
        value = pending.pop()
        if isinstance(value, Mapping):
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
        elif isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1_000:
            found.append(value)
    return found
