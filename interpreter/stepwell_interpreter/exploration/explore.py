"""`explore`: the one way into this folder. Puts model, search, judge and replay together and makes the report.

explore(compiled, activities=..., inputs=[...], bounds=Bounds(...)) -> Exploration
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import orjson
from stepwell_schemas.catalog import ActivityDescription
from stepwell_schemas.workflow import WorkflowDefinition

from stepwell_interpreter.compile import Compiled
from stepwell_interpreter.exploration.abstraction import model_of
from stepwell_interpreter.exploration.assertions import Assertions, compile_assertions
from stepwell_interpreter.exploration.canonical import Canon
from stepwell_interpreter.exploration.counterexample import scenario_of
from stepwell_interpreter.exploration.endings import traps
from stepwell_interpreter.exploration.judge import Judge, Verdict
from stepwell_interpreter.exploration.moves import Move, Moves
from stepwell_interpreter.exploration.reenactment import reenact
from stepwell_interpreter.exploration.replay import Trace, trace_of
from stepwell_interpreter.exploration.report import Bounds, Coverage, Exploration, Finding
from stepwell_interpreter.exploration.search import DEVICE, Found, Progress, Search
from stepwell_interpreter.exploration.tally import Counter
from stepwell_interpreter.exploration.uses import Uses, read_uses
from stepwell_interpreter.failures import pointer_to
from stepwell_interpreter.findings import DefinitionProblems
from stepwell_interpreter.program import CompensationStep, MapStep, Program, Step
from stepwell_interpreter.simulation.errors import InputRefused

NO_BOUNDS: Final = Bounds()


def explore(
    compiled: Compiled | Program,
    *,
    activities: Mapping[str, ActivityDescription] | None = None,
    inputs: Sequence[Any] | None = None,
    bounds: Bounds = NO_BOUNDS,
    progress: Progress | None = None,
) -> Exploration:
    """Walk everything that can happen to an instance. A bare program has no assertions and no schemas to go by.

    `activities` give the outputs' schemas; of one that is not there the outputs are made from how they are used.
    `inputs` are what an instance may begin with; without them they are made from the definition's schema, and of
    Amazon States Language, which has none, it is `{}`. Raises ValueError for a definition that cannot run,
    InputRefused for an input that it does not take, DefinitionProblems for assertions that cannot be compiled.
    """
    program, document, definition = _parts(compiled)
    if inputs is not None:
        _check_inputs(inputs, program)
    assertions = _assertions(definition, program)
    uses = read_uses(document) if definition is not None else Uses()
    known = activities or {}
    model = model_of(program, document, uses, known, bounds, inputs)
    undoes = {each.name: each.compensates for each in known.values() if each.compensates}
    counter = Counter(model.program, assertions, undoes)
    moves = Moves(model, cancel=bounds.cancel)
    judge = Judge(model.program, assertions, counter, bounds.state_bytes, DEVICE)
    canon = Canon(
        maps=_has(program, _is_map),
        frames_matter=_has(program, _undoes_a_branch),
        places_matter=_places_matter(program, document),
    )
    found = Search(model, moves, judge, counter, canon, bounds).run(progress)
    verdicts = list(found.verdicts)
    if found.complete:
        verdicts += traps(found, model.program)
        verdicts += _never_possible(judge, assertions)
    findings = []
    for verdict, number in verdicts:
        finding, path = _finding(verdict, trace_of(model, moves, found, number))
        scenario = (
            scenario_of(finding, reenact(program, model, moves, path), program.activity_names)
            if path
            else None
        )
        findings.append((verdict.grave, replace(finding, scenario=scenario)))
    return Exploration(
        states=len(found.moves),
        transitions=len(found.targets),
        complete=found.complete,
        depth=found.depth,
        violations=tuple(finding for grave, finding in findings if grave),
        warnings=tuple(finding for grave, finding in findings if not grave),
        coverage=_coverage(found, program),
        bounds=bounds,
        stopped_by=found.stopped_by,
    )


def _parts(compiled: Compiled | Program) -> tuple[Program, Mapping[str, Any], WorkflowDefinition | None]:
    if isinstance(compiled, Program):
        return compiled, {}, None
    if compiled.program is None:
        raise ValueError("a definition with errors cannot be explored")
    return compiled.program, compiled.loaded.document or {}, compiled.loaded.definition


def _assertions(definition: WorkflowDefinition | None, program: Program) -> Assertions:
    given = [] if definition is None else definition.assertions
    assertions, problems = compile_assertions(given, program.activity_names)
    if problems:
        raise DefinitionProblems(problems)
    return assertions


def _check_inputs(inputs: Sequence[Any], program: Program) -> None:
    if not inputs:
        raise InputRefused("there must be at least one to begin with")
    for given in inputs:
        try:
            json.dumps(given, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise InputRefused(f"it cannot be written as JSON: {error}") from None
        problem = program.input_problem(given)
        if problem is not None:
            raise InputRefused(*problem)


def _never_possible(judge: Judge, assertions: Assertions) -> list[tuple[Verdict, int]]:
    """Assertions of the form `possible` that held nowhere. There is no run to show: it is missing."""
    return [
        (
            Verdict(
                "assertion", (each.name,), f"{each.name}: {each.message or 'this never happens'}",
                assertion=each.name,
            ),
            -1,
        )
        for each in assertions.compiled
        if each.name in judge.possible
    ]  # fmt: skip


def _finding(verdict: Verdict, trace: Trace) -> tuple[Finding, tuple[Move, ...]]:
    stimuli, instance, path = trace
    finding = Finding(
        code=verdict.code,
        message=verdict.message,
        trace=stimuli,
        status=instance.status,
        assertion=verdict.assertion,
        states=tuple(dict.fromkeys(frame.state for frame in instance.frames.values())),
        help=verdict.help,
    )
    return finding, () if verdict.code == "engine-error" else path


def _coverage(found: Found, program: Program) -> Coverage:
    places = [(machine.id, name) for machine in program.scopes.values() for name in machine.steps]
    states = "States" if program.dialect == "asl" else "states"
    pointers = {place: pointer_to(place[0], states, place[1]) for place in places}
    led = {(pointers.get(a, ""), pointers.get(b, "")) for a, b in found.led}
    return Coverage(
        states={pointers[place]: found.entered[place] for place in places if place in found.entered},
        unreached=tuple(pointers[place] for place in places if place not in found.entered),
        transitions=frozenset(led),
        statuses=dict(found.statuses),
    )


def _has(program: Program, holds: Callable[[Step], bool]) -> bool:
    return any(holds(step) for machine in program.scopes.values() for step in machine.steps.values())


def _places_matter(program: Program, document: Mapping[str, Any]) -> bool:
    """Whether anything may tell alike iterations apart: their index is read, or their results are kept in order."""
    if not document or program.dialect != "native" or b"$.index" in orjson.dumps(document):
        return _has(program, _is_map)
    return _has(
        program, lambda step: isinstance(step, MapStep) and (step.target is not None or step.next is None)
    )


def _is_map(step: Step) -> bool:
    return isinstance(step, MapStep)


def _undoes_a_branch(step: Step) -> bool:
    return isinstance(step, CompensationStep) and step.branch_only


__all__ = ["Bounds", "Exploration", "Finding", "Move", "explore"]
