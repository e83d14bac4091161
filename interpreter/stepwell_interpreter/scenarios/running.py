"""Runs scenarios in virtual time, each in a small world of its own, and says what came of them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from stepwell_schemas.catalog import ActivityDescription
from stepwell_schemas.durations import duration_ms, timestamp_ms
from stepwell_schemas.problems import PathInDocument, Problem, pointer_of
from stepwell_schemas.scenario import Outcome as OutcomeModel
from stepwell_schemas.scenario import Scenario

from stepwell_interpreter.compile import Compiled
from stepwell_interpreter.program import Program
from stepwell_interpreter.scenarios.checking import check_scenarios
from stepwell_interpreter.scenarios.expecting import Ran, Unmet, unmet
from stepwell_interpreter.scenarios.footprint import MAX_VISITS, Footprint
from stepwell_interpreter.scenarios.itinerary import rendered
from stepwell_interpreter.scenarios.parts import Parts
from stepwell_interpreter.scenarios.reading import TESTS, ScenarioSet
from stepwell_interpreter.scenarios.results import Difference, ScenarioResult
from stepwell_interpreter.scope import MISSING
from stepwell_interpreter.simulation.errors import SimulationError
from stepwell_interpreter.simulation.mocks import Mocks
from stepwell_interpreter.simulation.moments import given_events
from stepwell_interpreter.simulation.outcomes import Outcome
from stepwell_interpreter.simulation.simulate import DEVICE
from stepwell_interpreter.simulation.world import Applied, Observer, World

MAX_RECORDS: Final = 100_000
"""Records one scenario may take; more is a workflow that goes round and round."""


def run_scenarios(
    compiled: Compiled,
    scenarios: ScenarioSet,
    activities: Mapping[str, ActivityDescription] | None = None,
    *,
    max_records: int = MAX_RECORDS,
) -> list[ScenarioResult]:
    """Check and run all scenarios of a set, in order. What cannot be run is `unusable`, with its problems.

    `activities`: outcomes are checked against their output schemas, as far as these are known.
    """
    assert compiled.program is not None, "only an accepted definition has scenarios to run"
    checked = check_scenarios(compiled, scenarios, activities)
    runner = Runner(compiled.program, compiled.loaded.document or {}, max_records=max_records)
    results = []
    for index in range(len(scenarios.scenarios)):
        found = checked.get(index, ())
        if any(problem.severity == "error" for problem in found):
            results.append(unusable(scenarios, index, found))
        else:
            results.append(runner.run(scenarios, index))
    return results


class Runner:
    """Runs scenarios of one definition that have been checked."""

    def __init__(
        self,
        program: Program,
        document: Mapping[str, Any],
        *,
        max_records: int = MAX_RECORDS,
        max_visits: int = MAX_VISITS,
    ) -> None:
        self.program = program
        self.parts = Parts(program, document)
        self.max_records = max_records
        self.max_visits = max_visits

    def run(self, scenarios: ScenarioSet, index: int) -> ScenarioResult:
        """One scenario, with the places of what differs."""
        scenario = scenarios.scenarios[index]
        base = _base(scenarios, index)
        if scenario.skip is not None:
            return replace(base, verdict="skipped", notes=(scenario.skip,))
        footprint = Footprint(self.program, self.parts, max_visits=self.max_visits)
        try:
            ran, world, mocks = self.play(scenario, footprint)
        except SimulationError as error:
            stopped = Difference("the run", "to go through", str(error), line=base.line, column=base.column)
            return replace(
                base,
                verdict="failed",
                differences=(stopped,),
                path=rendered(footprint.path),
                covered=frozenset(footprint.covered),
                visits=footprint.visits,
            )
        found = unmet(scenario.expect, ran)
        return replace(
            base,
            verdict="failed" if found else "passed",
            differences=tuple(_difference(scenarios, index, each) for each in found),
            status=ran.status,
            output=ran.instance.output,
            error=ran.instance.error,
            cause=ran.instance.cause,
            path=rendered(footprint.path),
            elapsed_ms=ran.elapsed_ms,
            records=world.records,
            visits=footprint.visits,
            covered=frozenset(footprint.covered),
            notes=_unused(mocks, world),
        )

    def play(
        self, scenario: Scenario, footprint: Footprint, *, observers: Sequence[Observer] = ()
    ) -> tuple[Ran, World, Mocks]:
        """Let a scenario happen. Raises SimulationError where it cannot be carried out as written."""
        begin_ms = timestamp_ms(scenario.now)
        mocks = Mocks({name: outcomes_of(given) for name, given in scenario.tasks.items()}, [self.program])
        followed: list[str] = []

        def follow(applied: Applied) -> None:
            if not followed:
                followed.append(applied.before.id)
            if applied.before.id == followed[0]:
                footprint.follow(applied.decision.trace, applied.decision.commands)

        world = World(
            self.program,
            now_ms=begin_ms,
            answerer=mocks,
            observers=[follow, *observers],
            max_records=self.max_records,
            keep_history=False,
        )
        self._begin(world, scenario, begin_ms)
        world.run(None if scenario.until is None else begin_ms + duration_ms(scenario.until))
        first = next(iter(world.instances.values()), None)
        if first is None:
            raise _NotStarted(_why_not_started(world))
        ended_ms = world.now_ms if first.ended_ms is None else first.ended_ms
        return Ran(first, first.status, footprint, ended_ms - begin_ms), world, mocks

    def _begin(self, world: World, scenario: Scenario, begin_ms: int) -> None:
        device = scenario.device
        if device is None and (scenario.events or scenario.start or self.program.start_types):
            device = DEVICE
        events = [_event(each) for each in scenario.events]
        if scenario.start is not None:
            first = {"type": scenario.start.type, "data": scenario.start.data, "id": "start", "at": 0}
            for given in given_events([first], begin_ms=begin_ms, device=device):
                world.deliver(given.event)
            instance = next(iter(world.instances), None)
            if instance is None:
                raise _NotStarted(_why_not_started(world))
        else:
            value = scenario.input if "input" in scenario.model_fields_set else {}
            instance = world.start(value, device=device)
        for given in given_events(events, begin_ms=begin_ms, device=device):
            world.send(given.event, given.at_ms, raised_for=instance if given.raised else None)


class _NotStarted(SimulationError):
    """The event that should start the instance did not."""


def outcomes_of(given: OutcomeModel | Sequence[OutcomeModel]) -> Outcome | list[Outcome]:
    """What a scenario writes for a task, as the simulation takes it."""
    if isinstance(given, OutcomeModel):
        return _outcome(given)
    return [_outcome(each) for each in given for _ in range(each.times)]


def _outcome(given: OutcomeModel) -> Outcome:
    iteration = given.iteration
    return Outcome(
        output=given.output,
        error=given.error,
        cause=given.cause,
        timed_out=given.timed_out is True,
        lost=given.lost is True,
        retryable=given.retryable,
        submitted=given.submitted if "submitted" in given.model_fields_set else MISSING,
        after_ms=0 if given.after is None else duration_ms(given.after),
        iteration=tuple(iteration)
        if isinstance(iteration, list)
        else iteration
        if iteration is None
        else (iteration,),
        undo=given.undo,
    )


def _event(given: Any) -> dict[str, Any]:
    event = {"type": given.type, "data": given.data, "at": given.at, "raised": given.raised}
    if given.id is not None:
        event["id"] = given.id
    return event


def _why_not_started(world: World) -> str:
    came = "; ".join(f"{event.type}: {disposition}" for event, disposition in world.dispositions)
    problem = next(
        (
            found
            for event, _ in world.dispositions
            for found in (
                world.program.event_problem(event.type, event.data) or world.program.start_input(event)[1],
            )
            if found
        ),
        None,
    )
    if problem is None:
        for event, _ in world.dispositions:
            refused = world.program.input_problem(world.program.start_input(event)[0])
            problem = (
                None if refused is None else f"the input made of it: {refused[0]} (at {refused[1] or '/'})"
            )
    return f"the event did not start the workflow ({came})" + (f": {problem}" if problem else "")


def _unused(mocks: Mocks, world: World) -> tuple[str, ...]:
    notes = [f"note: {count} outcomes of {state} were not used" for state, count in mocks.unused.items()]
    for event, disposition in world.dispositions:
        if disposition not in ("consumed", "started"):
            notes.append(f"note: the event {event.id} ({event.type}) was {disposition}")
    return tuple(notes[:10])


def _base(scenarios: ScenarioSet, index: int) -> ScenarioResult:
    place = scenarios.place(index)
    return ScenarioResult(
        scenarios.scenarios[index].name,
        "passed",
        file=scenarios.file,
        line=place.line if place else None,
        column=place.column if place else None,
        index=index,
    )


def unusable(scenarios: ScenarioSet, index: int, problems: Sequence[Problem]) -> ScenarioResult:
    """The result of a scenario that cannot be run."""
    return replace(_base(scenarios, index), verdict="unusable", problems=tuple(problems))


def _difference(scenarios: ScenarioSet, index: int, each: Unmet) -> Difference:
    path: PathInDocument = (TESTS, index, *each.path)
    place = scenarios.positions.value(path)
    return Difference(
        each.what,
        each.expected,
        each.got,
        each.note,
        place.line if place else None,
        place.column if place else None,
        pointer_of(path),
    )
