"""The gate of an upload: the scenarios inside a definition must hold, or it is refused.

Bounded: so many scenarios, so many states that all of them together enter. What cannot be run within that is an
error too, since nobody would know whether it holds.
"""

from collections.abc import Mapping
from typing import Final

from stepwell_schemas.catalog import ActivityDescription
from stepwell_schemas.problems import Finding, Problem

from stepwell_interpreter.compile import Compiled
from stepwell_interpreter.scenarios.checking import check_scenarios
from stepwell_interpreter.scenarios.reading import ScenarioSet, scenarios_of
from stepwell_interpreter.scenarios.results import ScenarioResult
from stepwell_interpreter.scenarios.running import Runner

MAX_SCENARIOS: Final = 500
MAX_VISITS: Final = 100_000
"""States that all scenarios may enter together: some seconds of work."""
MAX_RECORDS_OF_ONE: Final = 20_000
HELP: Final = "`stepwell test FILE` runs the scenarios on your machine"


def gate(
    compiled: Compiled,
    activities: Mapping[str, ActivityDescription] | None = None,
    *,
    file: str | None = None,
) -> list[Problem]:
    """Run the `tests:` of an accepted definition: a `test-failed` problem for each that does not hold.

    The problem stands where the scenario does, and its message has the differences. Empty where there are no tests.
    """
    scenarios = scenarios_of(compiled, file)
    if compiled.program is None or not scenarios.scenarios:
        return []
    if len(scenarios.scenarios) > MAX_SCENARIOS:
        count = len(scenarios.scenarios)
        message = f"the definition has {count} scenarios; an upload runs at most {MAX_SCENARIOS}"
        help = "put them into NAME.tests.yaml beside the definition"
        finding = Finding("too-many-tests", message, ("name",), help=help)
        return [scenarios.problem(finding, MAX_SCENARIOS)]
    checked = check_scenarios(compiled, scenarios, activities)
    problems = [problem for found in checked.values() for problem in found]
    return problems or _run(compiled, scenarios)


def _run(compiled: Compiled, scenarios: ScenarioSet) -> list[Problem]:
    assert compiled.program is not None
    problems: list[Problem] = []
    left = MAX_VISITS
    document = compiled.loaded.document or {}
    for index in range(len(scenarios.scenarios)):
        if left <= 0:
            message = (
                f"the scenarios enter more than {MAX_VISITS} states; this one and those after it were not run"
            )
            finding = Finding("too-many-tests", message, ("name",), help=HELP)
            problems.append(scenarios.problem(finding, index))
            break
        runner = Runner(compiled.program, document, max_records=MAX_RECORDS_OF_ONE, max_visits=left)
        result = runner.run(scenarios, index)
        left -= max(result.visits, 1)
        if result.failed:
            problems.append(scenarios.problem(_finding(result), index))
    return problems


def _finding(result: ScenarioResult) -> Finding:
    lines = result.explanation().splitlines()
    shown = "\n".join(f"  {line}" for line in lines[:40])
    message = f"the scenario {result.name!r} does not hold:\n{shown}"
    return Finding("test-failed", message, ("name",), help=HELP)
