"""Which parts of a definition scenarios walk, whatever they expect, and whether they are to be run or skipped.

What a scenario walks need not be generated: beside one that does not hold now, another of the same events and
outcomes would only say that it does not.
"""

from collections.abc import Iterable

from stepwell_interpreter.scenarios.footprint import Footprint
from stepwell_interpreter.scenarios.reading import ScenarioSet
from stepwell_interpreter.scenarios.running import Runner
from stepwell_interpreter.simulation.errors import SimulationError


def walked(runner: Runner, scenarios: ScenarioSet, indexes: Iterable[int]) -> frozenset[str]:
    """The pointers of the parts that these scenarios use; of one that cannot be carried out, none."""
    found: set[str] = set()
    for index in indexes:
        footprint = Footprint(runner.program, runner.parts, max_visits=runner.max_visits)
        try:
            runner.play(scenarios.scenarios[index], footprint)
        except SimulationError:
            continue
        found |= footprint.covered
    return frozenset(found)
