"""Scenarios: tests of a workflow in virtual time. `load_scenarios` or `scenarios_of`, then `run_scenarios`."""

from stepwell_interpreter.scenarios.reading import ScenarioSet, load_scenarios, scenarios_of
from stepwell_interpreter.scenarios.results import Difference, ScenarioResult
from stepwell_interpreter.scenarios.running import run_scenarios

__all__ = [
    "Difference",
    "ScenarioResult",
    "ScenarioSet",
    "load_scenarios",
    "run_scenarios",
    "scenarios_of",
]
