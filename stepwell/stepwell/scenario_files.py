"""From files to scenarios that can be run: reads them, finds their definition and activities, compiles.

What `stepwell test` and the pytest plug-in share. Whatever is wrong with a file is a problem with its place.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from stepwell_activities.builtin import builtin_registry
from stepwell_activities.errors import RegistryError
from stepwell_activities.registry import discover
from stepwell_interpreter.compile import AnyActivity, Compiled, compile_source
from stepwell_interpreter.scenarios.reading import ScenarioSet, load_scenarios, scenarios_of
from stepwell_schemas.catalog import ActivityDescription
from stepwell_schemas.problems import Problem
from stepwell_schemas.source_text import MAX_SOURCE_BYTES

from stepwell.definition_files import DEFINITION_SUFFIXES, holds_tests, is_scenario_file
from stepwell.file_reading import read_bounded

Resources = tuple[tuple[str, str], ...]
"""The table of resources of Amazon States Language, as what can be a key of a cache."""


@dataclass(frozen=True, slots=True)
class Suite:
    """The scenarios of one file with their definition. With `problems` (all of them errors) it cannot be run."""

    file: str
    definition_file: str
    scenarios: ScenarioSet
    compiled: Compiled | None
    activities: Mapping[str, ActivityDescription] = field(default_factory=dict)
    modules: tuple[str, ...] = ()
    """Where the activities come from."""
    problems: tuple[Problem, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether its scenarios can be run."""
        return not self.problems and self.compiled is not None


class KnownActivities(AnyActivity):
    """The activities that are known; any other exists too and takes everything."""

    def __init__(self, known: Mapping[str, ActivityDescription]) -> None:
        self._known = known

    def __getitem__(self, name: str) -> ActivityDescription:
        return self._known.get(name) or ActivityDescription(name=name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


def may_hold_scenarios(path: Path) -> bool:
    """Whether a definition's file has `tests:`, or may have them where it cannot be read to its end."""
    return path.suffix in DEFINITION_SUFFIXES and not is_scenario_file(path) and holds_tests(path)


def open_suite(path: Path, modules: Sequence[str] = (), resources: Resources = ()) -> Suite:
    """The suite of a scenario file, or of a definition with `tests:`. `modules` have activities, as `--activities`."""
    of_kind = _of_scenario_file if is_scenario_file(path) else _of_definition
    return of_kind(path, modules, resources)


@lru_cache(maxsize=64)
def compiled_with(source: bytes, modules: tuple[str, ...], file: str, resources: Resources = ()) -> Compiled:
    """The definition for tests: activities that are not known exist too, and without a table so does every resource.

    A definition in Amazon States Language needs neither id nor version here. Raises RegistryError.
    """
    known = None if b"StartAt" in source else KnownActivities(known_activities(modules))
    return compile_source(source, activities=known, file=file, resources=dict(resources) or None)


@lru_cache(maxsize=64)
def known_activities(modules: tuple[str, ...]) -> Mapping[str, ActivityDescription]:
    """Descriptions of the built-in activities and those of the modules. Raises RegistryError."""
    registry = builtin_registry().include(discover(modules))
    return {activity.name: activity.description() for activity in registry}


def _of_definition(path: Path, modules: Sequence[str], resources: Resources) -> Suite:
    label = str(path)
    try:
        compiled = compiled_with(read_bounded(path, MAX_SOURCE_BYTES), tuple(modules), label, resources)
        return _suite(label, label, scenarios_of(compiled, label), compiled, tuple(modules))
    except (OSError, RegistryError) as error:
        return _broken(label, label, _unreadable(label, error))


def _of_scenario_file(path: Path, modules: Sequence[str], resources: Resources) -> Suite:
    label = str(path)
    try:
        scenarios = load_scenarios(read_bounded(path, MAX_SOURCE_BYTES), file=label)
    except OSError as error:
        return _broken(label, label, _unreadable(label, error))
    if scenarios.definition is None:
        return _broken(label, label, *scenarios.problems)
    definition = path.parent / scenarios.definition
    named = tuple(dict.fromkeys([*modules, *(_module(path, name) for name in scenarios.activities)]))
    try:
        compiled = compiled_with(
            read_bounded(definition, MAX_SOURCE_BYTES), named, str(definition), resources
        )
        return _suite(label, str(definition), scenarios, compiled, named)
    except (OSError, RegistryError) as error:
        key = "definition" if isinstance(error, OSError) else "activities"
        place = scenarios.positions.value((key,))
        problem = replace(
            _unreadable(label, error, definition),
            line=place.line if place else None,
            column=place.column if place else None,
        )
        return _broken(label, str(definition), problem)


def _module(path: Path, name: str) -> str:
    """A Python file is named relative to the scenario file."""
    return str(path.parent / name) if name.endswith(".py") else name


def _suite(
    file: str, definition_file: str, scenarios: ScenarioSet, compiled: Compiled, modules: tuple[str, ...]
) -> Suite:
    problems = [*scenarios.problems, *(compiled.problems if compiled.program is None else ())]
    errors = tuple(_distinct(problem for problem in problems if problem.severity == "error"))
    return Suite(file, definition_file, scenarios, compiled, known_activities(modules), modules, errors)


def _broken(file: str, definition_file: str, *problems: Problem) -> Suite:
    errors = tuple(problem for problem in problems if problem.severity == "error")
    return Suite(file, definition_file, ScenarioSet((), file=file), None, problems=errors)


def _unreadable(file: str, error: Exception, what: Path | None = None) -> Problem:
    message = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    named = f"{what}: " if what is not None and isinstance(error, OSError) else ""
    return Problem("unusable-scenarios", "error", named + message, file)


def _distinct(problems: Iterable[Problem]) -> Iterator[Problem]:
    yield from dict.fromkeys(problems)
