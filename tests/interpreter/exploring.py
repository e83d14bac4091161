"""Builders for tests of exploration: definitions of few lines, and a check that a counter-example shows its fault."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from stepwell_interpreter.compile import AnyActivity, Compiled
from stepwell_interpreter.exploration.explore import explore
from stepwell_interpreter.exploration.report import Bounds, Exploration, Finding
from stepwell_interpreter.lower import lower
from stepwell_interpreter.scenarios.expecting import unmet
from stepwell_interpreter.scenarios.footprint import Footprint
from stepwell_interpreter.scenarios.running import Runner
from stepwell_schemas.catalog import ActivityDescription
from stepwell_schemas.loader import load_definition
from stepwell_schemas.scenario import Scenario

ONCE = {"maxAttempts": 0}
"""No retries: shorter runs."""


def compiled(states: Mapping[str, Any], **rest: Any) -> Compiled:
    """A definition that begins with the first of the states. It is not verified: faults are what is tested."""
    document = {
        "id": "flow",
        "version": "1.0.0",
        "startAt": next(iter(states)),
        "states": dict(states),
        **rest,
    }
    loaded = load_definition(orjson.dumps(document), format="json")
    assert loaded.definition is not None, [str(problem) for problem in loaded.problems]
    return Compiled(lower(loaded.definition, AnyActivity(), "hash"), (), loaded)


def explored(
    states: Mapping[str, Any],
    *,
    bounds: Bounds | None = None,
    activities: Sequence[ActivityDescription] = (),
    asserts: Sequence[Mapping[str, Any]] = (),
    **rest: Any,
) -> Exploration:
    """What comes of exploring it."""
    if asserts:
        rest["assert"] = list(asserts)
    known = {each.name: each for each in activities}
    return explore(compiled(states, **rest), activities=known, bounds=bounds or Bounds())


def codes(findings: Sequence[Finding]) -> list[str]:
    """The codes of findings."""
    return [finding.code for finding in findings]


def told(finding: Finding) -> list[str]:
    """The trace as texts."""
    return [stimulus.text for stimulus in finding.trace]


def shown_by_scenario(states: Mapping[str, Any], finding: Finding, **rest: Any) -> bool:
    """Whether the finding's scenario, run in virtual time, meets what it expects and uses all it gives."""
    made = compiled(states, **rest)
    assert made.program is not None
    assert finding.scenario is not None
    runner = Runner(made.program, made.loaded.document or {})
    scenario = Scenario.model_validate(finding.scenario)
    ran, _, mocks = runner.play(scenario, Footprint(runner.program, runner.parts))
    return not unmet(scenario.expect, ran) and not mocks.unused
