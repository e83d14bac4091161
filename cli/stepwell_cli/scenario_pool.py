"""Runs files of scenarios in several processes, the largest first; results come back in the order of the files.

A process opens its files itself: programs hold closures and go nowhere, and reading YAML is half of the work.
"""

import multiprocessing
import re
import threading
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

from stepwell.scenario_files import Resources, Suite, open_suite
from stepwell_interpreter.scenarios.checking import check_scenarios
from stepwell_interpreter.scenarios.results import ScenarioResult
from stepwell_interpreter.scenarios.running import Runner, unusable
from stepwell_schemas.problems import Problem

WORTH_A_PROCESS = 60_000
"""Bytes of scenarios; fewer are run sooner than a process has started."""


@dataclass(frozen=True, slots=True)
class FileResult:
    """What came of one file. With `problems` it could not be used, and nothing was run."""

    file: str
    definition_file: str
    modules: tuple[str, ...]
    problems: tuple[Problem, ...]
    results: tuple[ScenarioResult, ...]
    left_out: tuple[str, ...] = ()
    """The names of scenarios that were not chosen."""

    @property
    def unusable(self) -> bool:
        """Whether the file, or a scenario in it, cannot be run."""
        return bool(self.problems) or any(result.verdict == "unusable" for result in self.results)

    @property
    def failed(self) -> bool:
        """Whether a scenario does not hold."""
        return any(result.failed for result in self.results)


def run_files(
    files: Sequence[Path],
    modules: Sequence[str],
    chosen: re.Pattern[str] | None,
    jobs: int,
    resources: Resources = (),
) -> list[FileResult]:
    """Run the scenarios of all files whose names are `chosen`."""
    sizes = [_size(file) for file in files]
    workers = min(jobs, len(files), max(1, sum(sizes) // WORTH_A_PROCESS))
    if workers <= 1:
        return [run_file(file, tuple(modules), chosen, resources) for file in files]
    # A copy of this process has everything loaded; with threads about, it would not be safe.
    forks = "fork" in multiprocessing.get_all_start_methods() and threading.active_count() == 1
    context = multiprocessing.get_context("fork" if forks else "spawn")
    order = sorted(range(len(files)), key=lambda number: -sizes[number])
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        futures = {
            number: pool.submit(run_file, files[number], tuple(modules), chosen, resources)
            for number in order
        }
        return [futures[number].result() for number in range(len(files))]


def run_file(
    file: Path, modules: tuple[str, ...], chosen: re.Pattern[str] | None, resources: Resources = ()
) -> FileResult:
    """Open one file and run its scenarios."""
    suite = open_suite(file, modules, resources)
    results = tuple(_run(suite, chosen)) if suite.usable else ()
    names = [scenario.name for scenario in suite.scenarios.scenarios] if suite.usable else []
    left_out = tuple(name for name in names if chosen is not None and not chosen.search(name))
    return FileResult(suite.file, suite.definition_file, suite.modules, suite.problems, results, left_out)


def _run(suite: Suite, chosen: re.Pattern[str] | None) -> list[ScenarioResult]:
    assert suite.compiled is not None
    assert suite.compiled.program is not None
    problems = check_scenarios(suite.compiled, suite.scenarios, suite.activities)
    runner = Runner(suite.compiled.program, suite.compiled.loaded.document or {})
    results = []
    for index, scenario in enumerate(suite.scenarios.scenarios):
        if chosen is not None and not chosen.search(scenario.name):
            continue
        if index in problems:
            results.append(unusable(suite.scenarios, index, problems[index]))
            continue
        begun = perf_counter()
        result = runner.run(suite.scenarios, index)
        results.append(replace(result, seconds=perf_counter() - begun))
    return results


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
