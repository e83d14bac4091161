"""Verification of a whole definition that has been loaded and lowered: paths, types, loops, errors, undo, secrets.

Pure and total. Each check stands in a module of its own; the codes and their help are in `findings`.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from stepwell_schemas.catalog import ActivityDescription
from stepwell_schemas.workflow import WorkflowDefinition

from stepwell_interpreter.verification.choices import check_choices
from stepwell_interpreter.verification.dataflow import Flow
from stepwell_interpreter.verification.errors import check_default_retries, check_errors
from stepwell_interpreter.verification.facts import Facts, with_root
from stepwell_interpreter.verification.findings import CHECKS, Sink, VerificationProblem
from stepwell_interpreter.verification.fitting import misfits
from stepwell_interpreter.verification.graph import Machine, machines_of
from stepwell_interpreter.verification.loops import check_loops
from stepwell_interpreter.verification.parallel_writes import check_parallel_writes
from stepwell_interpreter.verification.reading import Reader
from stepwell_interpreter.verification.results import check_events, check_results
from stepwell_interpreter.verification.schema_keywords import check_keywords
from stepwell_interpreter.verification.shapes import ANY, Shape, closed, join
from stepwell_interpreter.verification.timing import check_configuration, check_timing
from stepwell_interpreter.verification.transfers import transfer
from stepwell_interpreter.verification.undo import check_undo
from stepwell_interpreter.verification.work import MOST_ROUGH_WORK, MOST_WORK_ON_RULES, TooMuchWork, Work


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found. Of the codes in `incomplete` there is more than that."""

    problems: list[VerificationProblem]
    incomplete: frozenset[str]


def verify(
    definition: WorkflowDefinition, document: Mapping[str, Any], activities: Mapping[str, ActivityDescription]
) -> Verified:
    """All findings. `checks.ignore` is not yet applied; see `silencing`."""
    sink = Sink()
    facts = Facts(definition, activities)
    machines = machines_of(definition)
    check_keywords(facts, sink)
    _check_start(facts, sink)
    _follow(machines[0], facts, sink)
    check_configuration(facts, sink)
    check_default_retries(facts, sink)
    check_events(machines, facts, sink)
    check_undo(machines, facts, sink)
    rules = Work(MOST_WORK_ON_RULES)
    for machine in machines:
        check_results(machine, facts, sink)
        _check_choices(machine, facts, sink, rules)
        check_loops(machine, facts, sink)
        check_errors(machine, facts, sink)
        check_timing(machine, facts, sink)
        check_parallel_writes(machine, sink)
    return Verified([_placed(problem, document) for problem in sink.found.values()], frozenset(sink.capped))


def _follow(root: Machine, facts: Facts, sink: Sink) -> None:
    """Paths and types along the routes; where these are too many to follow, of each state by itself."""
    try:
        Flow(facts, transfer).run(root, sink)
    except TooMuchWork:
        message = "too much to follow; paths and types were looked at for each state by itself only"
        sink.add("too-complex", "/states", message)
        sink.work = Work(MOST_ROUGH_WORK)
        # What was told before the work ran out is true all the same.
        with suppress(TooMuchWork):
            Flow(facts, transfer).run_roughly(root, sink)
    sink.work, sink.muted = Work(), frozenset()


def _check_choices(machine: Machine, facts: Facts, sink: Sink, work: Work) -> None:
    try:
        check_choices(machine, facts, sink, work)
    except TooMuchWork:
        message = "too many rules to hold each against those before it; not all of them were looked at"
        sink.add("too-complex", "/states", message)


def _check_start(facts: Facts, sink: Sink) -> None:
    """What events start an instance with must be an input that it takes."""
    start = facts.definition.start
    if start is None:
        return
    event: Shape | None = None
    for type in start.on:
        one = facts.event(type, of_device=True)
        event = one if event is None else join(event, one)
    assert event is not None
    pointer = "/start"
    if "input" in start.model_fields_set:
        pointer = "/start/input"
        given = Reader(with_root(closed(), event=event), sink).value(start.input, pointer)
    else:
        given = event.members["data"].shape
    for misfit in misfits(given, facts.input if facts.definition.input is not None else ANY):
        message = f"no instance could start with this: {misfit.message}"
        sink.add("start-input", pointer + misfit.pointer, message)


def _placed(problem: VerificationProblem, document: Mapping[str, Any]) -> VerificationProblem:
    """The problem with its pointer cut to what is in the document: a value may come from elsewhere."""
    node: Any = document
    kept = ""
    for part in problem.pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(node, Mapping) and name in node:
            node = node[name]
        elif isinstance(node, list) and name.isdigit() and int(name) < len(node):
            node = node[int(name)]
        elif name == "0" and node is not None:
            continue  # one thing where a list of them is allowed
        else:
            break
        kept += "/" + part
    help = problem.help or CHECKS[problem.code].help
    return VerificationProblem(problem.code, problem.severity, kept, problem.message, help)
