"""Checks scenarios against the definition they are for, before anything runs: names, schemas, what cannot be meant.

A scenario that names a state which is not there would pass or fail for the wrong reason.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import orjson
from stepwell_schemas.catalog import ActivityDescription
from stepwell_schemas.problems import Finding, PathInDocument, Problem
from stepwell_schemas.scenario import ANY_STATES, ExpectedWait, Outcome, Scenario

from stepwell_interpreter.compile import Compiled
from stepwell_interpreter.contracts import Contract, compile_contract
from stepwell_interpreter.failures import CompileProblem, did_you_mean
from stepwell_interpreter.program import (
    CANCEL_STEP,
    Call,
    CompensationStep,
    MapStep,
    ParallelStep,
    Program,
    Step,
    TaskStep,
    WaitStep,
)
from stepwell_interpreter.scenarios.answers import answer_schema, task_schema
from stepwell_interpreter.scenarios.expecting import path_problem
from stepwell_interpreter.scenarios.itinerary import EVERY
from stepwell_interpreter.scenarios.reading import ScenarioSet
from stepwell_interpreter.simulation.mocks import EVERY_OTHER

MOST: Final = 50
"""Findings about one scenario; who has more of them has read enough."""
MOST_OUTCOMES: Final = 20_000
"""Of one task, those that come several times counted as often."""


def check_scenarios(
    compiled: Compiled,
    scenarios: ScenarioSet,
    activities: Mapping[str, ActivityDescription] | None = None,
) -> dict[int, list[Problem]]:
    """What is wrong with each scenario, by its number; those that are sound are left out."""
    assert compiled.program is not None, "scenarios are checked against an accepted definition"
    checker = _Checker(compiled.program, activities or {})
    found: dict[int, list[Problem]] = {}
    names: dict[str, int] = {}
    for index, scenario in enumerate(scenarios.scenarios):
        findings = list(checker.findings(scenario))[:MOST]
        first = names.setdefault(scenario.name, index)
        if first != index:
            message = f"there is another scenario with this name, number {first + 1}; names tell them apart"
            findings.append(Finding("duplicate-scenario", message, ("name",)))
        if findings:
            found[index] = [scenarios.problem(finding, index) for finding in findings]
    return found


class _Checker:
    def __init__(self, program: Program, activities: Mapping[str, ActivityDescription]) -> None:
        self.program = program
        self.activities = activities
        self._contracts: dict[str, Contract | None] = {}
        self._steps: dict[str, list[Step]] = {}
        for machine in program.scopes.values():
            for step in machine.steps.values():
                self._steps.setdefault(step.name, []).append(step)

    def findings(self, scenario: Scenario) -> Iterator[Finding]:
        yield from self._beginning(scenario)
        for name, outcomes in scenario.tasks.items():
            yield from self._task(name, outcomes)
        for index, event in enumerate(scenario.events):
            yield from self._event(event.type, event.data, ("events", index))
        expect = scenario.expect
        yield from self._path(expect.path or (), "", ("expect", "path"))
        for index, wait in enumerate(expect.waits or ()):
            yield from self._wait(wait, ("expect", "waits", index))
        for text in expect.values:
            problem = path_problem(text)
            if problem is not None:
                yield Finding("path", problem, ("expect", "values", text), at_key=True)
        for activity in expect.activities:
            if activity not in self.program.activity_names:
                hint = did_you_mean(activity, sorted(self.program.activity_names))
                message = f"the workflow calls no activity {activity!r}. {hint}"
                yield Finding("unknown-activity", message, ("expect", "activities", activity), at_key=True)

    def _beginning(self, scenario: Scenario) -> Iterator[Finding]:
        if scenario.start is not None:
            if not self.program.starts_on(scenario.start.type):
                types = self.program.start_types
                hint = did_you_mean(scenario.start.type, types) if types else "`start.on` names none."
                message = f"the workflow does not start on {scenario.start.type!r}. {hint}"
                yield Finding("unknown-event", message, ("start", "type"))
            else:
                yield from self._event(scenario.start.type, scenario.start.data, ("start",))
            return
        value = scenario.input if "input" in scenario.model_fields_set else {}
        refused = self.program.input_problem(value)
        if refused is not None:
            message = f"the input is not what the workflow takes: {refused[0]} (at {refused[1] or '/'})"
            yield Finding("scenario-input", message, ("input", *_members(refused[1], value)))

    def _task(self, name: str, given: Outcome | list[Outcome]) -> Iterator[Finding]:
        path: PathInDocument = ("tasks", name)
        outcomes = [given] if isinstance(given, Outcome) else given
        if name in (EVERY_OTHER, CANCEL_STEP.name):
            return
        steps = [step for step in self._steps.get(name, ()) if _answerable(step)]
        if not steps:
            yield self._unknown_task(name, path)
            return
        if sum(outcome.times for outcome in outcomes) > MOST_OUTCOMES:
            message = f"{name} has more than {MOST_OUTCOMES} outcomes; one that stands alone serves every try"
            yield Finding("too-many-outcomes", message, path)
            return
        for index, outcome in enumerate(outcomes):
            place = path if isinstance(given, Outcome) else (*path, index)
            yield from self._outcome(outcome, steps, place)

    def _unknown_task(self, name: str, path: PathInDocument) -> Finding:
        if name in self._steps:
            word = self._steps[name][0].word
            message = f"{name} is a {word} state, which runs no task"
        else:
            known = [step.name for steps in self._steps.values() for step in steps if _answerable(step)]
            message = f"there is no state {name!r} that runs a task. {did_you_mean(name, known)}"
        return Finding("unknown-state", message, path, at_key=True)

    def _outcome(self, outcome: Outcome, steps: Sequence[Step], path: PathInDocument) -> Iterator[Finding]:
        if "output" not in outcome.model_fields_set:
            return
        answers = [answer for step in steps for answer in self._answering(step, outcome.undo)]
        found = [(name, self._contract(name, schema)) for name, schema in answers]
        refusals = [
            (name, None if contract is None else contract.problem(outcome.output)) for name, contract in found
        ]
        # Where one name stands for several states, an output that one of them may give is sound.
        if refusals and all(refusal is not None for _, refusal in refusals):
            name, refusal = refusals[0]
            assert refusal is not None
            message = f"the activity {name} gives no such output: {refusal[0]} (at {refusal[1] or '/'})"
            members = _members(refusal[1], outcome.output)
            yield Finding("mock-output", message, (*path, "output", *members))

    def _answering(self, step: Step, undo: str | None) -> Iterable[tuple[str, Any]]:
        """The activities whose answer an outcome of this state may be, with the schemas of their answers."""
        match step:
            case TaskStep():
                return [] if step.call is None else [(step.call.activity, task_schema(step, self.activities))]
            case CompensationStep() if step.steps is not None:
                return [self._answer(given.call) for given in step.steps]
            case CompensationStep():
                return [
                    self._answer(each.undo)
                    for name, steps in self._steps.items()
                    for each in steps
                    if isinstance(each, TaskStep) and each.undo is not None and undo in (None, name)
                ]
            case _:
                return []

    def _answer(self, call: Call) -> tuple[str, Any]:
        return call.activity, answer_schema(call, self.activities)

    def _contract(self, activity: str, schema: Any) -> Contract | None:
        # One activity may answer plainly in one state and in an envelope in another.
        key = f"{activity} {orjson.dumps(schema).decode()}"
        if key not in self._contracts:
            try:
                self._contracts[key] = None if schema is None else compile_contract(schema)
            except CompileProblem:
                self._contracts[key] = None  # the worker that publishes such a schema is told, not the author
        return self._contracts[key]

    def _event(self, type: str, data: Any, path: PathInDocument) -> Iterator[Finding]:
        if not self.program.knows_event(type):
            message = f"the workflow knows no event {type!r}. {did_you_mean(type, self.program.event_types)}"
            yield Finding("unknown-event", message, (*path, "type"))
            return
        problem = self.program.event_problem(type, data)
        if problem is not None:
            yield Finding("event-data", f"no {type} has such data: {problem}", (*path, "data"))

    def _path(self, path: Sequence[Any], machine: str, place: PathInDocument) -> Iterator[Finding]:
        steps = self.program.scopes[machine].steps
        before: Step | None = None
        for index, part in enumerate(path):
            if isinstance(part, Mapping):
                yield from self._branches(part, before, (*place, index))
                before = None
            elif part == ANY_STATES:
                before = None
            elif part not in steps:
                message = f"there is no state {part!r} here. {did_you_mean(part, steps)}"
                yield Finding("unknown-state", message, (*place, index))
                before = None
            else:
                before = steps[part]

    def _branches(
        self, branches: Mapping[str, Any], before: Step | None, place: PathInDocument
    ) -> Iterator[Finding]:
        match before:
            case ParallelStep():
                machines = dict(before.branches)
                for name, path in branches.items():
                    inner = list(machines.values()) if name == EVERY else [machines.get(name)]
                    for machine in inner[:1]:
                        if machine is None:
                            message = f"{before.name} has no branch {name!r}. {did_you_mean(name, machines)}"
                            yield Finding("unknown-branch", message, (*place, name), at_key=True)
                        else:
                            yield from self._path(path, machine, (*place, name))
            case MapStep():
                for name, path in branches.items():
                    if name != EVERY and not name.isdigit():
                        message = f'{name!r} is no item of {before.name}: write its index, or "*" for each'
                        yield Finding("unknown-branch", message, (*place, name), at_key=True)
                    yield from self._path(path, before.machine, (*place, name))
            case _:
                message = "branches stand behind the parallel or map state that they are of"
                yield Finding("misplaced-branches", message, place)

    def _wait(self, wait: str | ExpectedWait, path: PathInDocument) -> Iterator[Finding]:
        name = wait if isinstance(wait, str) else wait.state
        waiting = [
            step.name for steps in self._steps.values() for step in steps if isinstance(step, WaitStep)
        ]
        if name is not None and name not in waiting:
            message = f"there is no wait state {name!r}. {did_you_mean(name, waiting)}"
            place = path if isinstance(wait, str) else (*path, "state")
            yield Finding("unknown-state", message, place)
        event = None if isinstance(wait, str) else wait.event
        if event is not None and not self.program.knows_event(event):
            message = (
                f"the workflow knows no event {event!r}. {did_you_mean(event, self.program.event_types)}"
            )
            yield Finding("unknown-event", message, (*path, "event"))


def _answerable(step: Step) -> bool:
    return isinstance(step, TaskStep | CompensationStep | MapStep)


def _members(pointer: str, value: Any) -> PathInDocument:
    """A pointer into a value as members, as far as they are there."""
    members: list[str | int] = []
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        members.append(int(name) if isinstance(value, list) and name.isdigit() else name)
        value = value[members[-1]] if isinstance(value, list | dict) else None  # type: ignore[index]  # as just built
    return tuple(members)
