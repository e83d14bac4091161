"""The pytest plug-in: collects scenario files (`NAME.tests.yaml`) and definitions with `tests:`; each scenario an item.

pytest loads this module at every start, also where there is no workflow: nothing of Stepwell is imported before a
file with scenarios is collected.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from stepwell_interpreter.scenarios.running import Runner

    from stepwell.scenario_files import Suite

SCENARIO_SUFFIXES = (".tests.yaml", ".tests.yml", ".tests.json")
SCENARIO_BYTES = 1024 * 1024


def pytest_addoption(parser: pytest.Parser) -> None:
    """The plug-in's settings."""
    group = parser.getgroup("stepwell")
    group.addoption(
        "--stepwell-definitions",
        action="store_true",
        default=False,
        help="also collect the scenarios inside definitions (tests:), not only NAME.tests.yaml",
    )
    parser.addini(
        "stepwell_activities", "modules with activities, whose schemas outcomes are checked against", "args"
    )
    parser.addini(
        "stepwell_definitions", "collect the scenarios inside definitions too", "bool", default=False
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "ScenarioFile | None":
    """Scenario files are collected by their name, definitions only where that is asked for or they are named."""
    if file_path.name.endswith(SCENARIO_SUFFIXES):
        # Other tools may name their files alike; those name no definition.
        ours = parent.session.isinitpath(file_path) or _names_a_definition(file_path)
        return ScenarioFile.from_parent(parent, path=file_path) if ours else None
    if file_path.suffix not in (".yaml", ".yml", ".json") or not _definitions_wanted(file_path, parent):
        return None
    from stepwell.scenario_files import may_hold_scenarios

    return ScenarioFile.from_parent(parent, path=file_path) if may_hold_scenarios(file_path) else None


def _names_a_definition(file_path: Path) -> bool:
    from stepwell.file_reading import read_bounded

    try:
        return b"definition" in read_bounded(file_path, SCENARIO_BYTES)
    except OSError:
        return True  # opening it says why it cannot be read


def _definitions_wanted(file_path: Path, parent: pytest.Collector) -> bool:
    config = parent.config
    if config.getoption("--stepwell-definitions") or config.getini("stepwell_definitions"):
        return True
    return parent.session.isinitpath(file_path)


class ScenarioFile(pytest.File):
    """One file with scenarios; opened and compiled once."""

    def collect(self) -> Iterable["ScenarioItem"]:
        """An item for each scenario. A file that cannot be used is an error of the collection."""
        from stepwell_interpreter.scenarios.checking import check_scenarios
        from stepwell_interpreter.scenarios.running import Runner

        from stepwell.scenario_files import open_suite

        suite = open_suite(self.path, tuple(self.config.getini("stepwell_activities")))
        if not suite.usable:
            raise self.CollectError("\n".join(str(problem) for problem in suite.problems))
        assert suite.compiled is not None
        assert suite.compiled.program is not None
        checked = check_scenarios(suite.compiled, suite.scenarios, suite.activities)
        if checked:
            raise self.CollectError(
                "\n".join(str(problem) for found in checked.values() for problem in found)
            )
        runner = Runner(suite.compiled.program, suite.compiled.loaded.document or {})
        for index, scenario in enumerate(suite.scenarios.scenarios):
            yield ScenarioItem.from_parent(self, name=scenario.name, suite=suite, runner=runner, index=index)


class ScenarioItem(pytest.Item):
    """One scenario."""

    def __init__(self, *, suite: "Suite", runner: "Runner", index: int, **rest: Any) -> None:
        super().__init__(**rest)
        self.suite = suite
        self.runner = runner
        self.index = index

    def runtest(self) -> None:
        """Run it; a scenario with `skip` is skipped with its reason."""
        result = self.runner.run(self.suite.scenarios, self.index)
        if result.verdict == "skipped":
            pytest.skip("; ".join(result.notes))
        if result.failed:
            raise ScenarioFailed(result.explanation())

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The differences, without a Python traceback."""
        if isinstance(excinfo.value, ScenarioFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the scenario stands; pytest counts lines from 0."""
        place = self.suite.scenarios.place(self.index)
        return self.path, None if place is None else place.line - 1, self.name


class ScenarioFailed(Exception):
    """A scenario does not hold; the message has the differences."""
