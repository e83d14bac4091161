"""Lowering: from the models of a definition to a program. Everything is compiled once; every problem is found.

Settings are baked in here: a state's own, else its activity's, else the configuration's, else the machine's.
"""

from collections.abc import Mapping

from stepwell_schemas.catalog import ActivityDescription
from stepwell_schemas.states import MapState, ParallelState, Scope, State
from stepwell_schemas.workflow import WorkflowDefinition

from stepwell_interpreter.contracts import Contract
from stepwell_interpreter.exploration.assertions import compile_assertions
from stepwell_interpreter.failures import CompileProblem, pointer_to
from stepwell_interpreter.findings import DefinitionProblem, DefinitionProblems, Findings
from stepwell_interpreter.lower_calls import Calls
from stepwell_interpreter.lower_states import lower_state
from stepwell_interpreter.program import CompensationStep, Machine, Program, Step, TaskStep, WaitStep
from stepwell_interpreter.templates import template_paths

__all__ = ["DefinitionProblem", "DefinitionProblems", "lower"]


def lower(
    definition: WorkflowDefinition, activities: Mapping[str, ActivityDescription], program_hash: str
) -> Program:
    """The program of a definition. Raises DefinitionProblems with everything that is wrong."""
    findings = Findings()
    calls = Calls(findings, activities, definition.configuration)
    machines: dict[str, Machine] = {}
    root = Scope.model_construct(start_at=definition.start_at, states=definition.states)
    _lower_machine("", root, calls, machines, definition.configuration.on_error)
    start = definition.start
    template = None
    if start is not None and "input" in start.model_fields_set:
        template = findings.template(start.input, "/start/input")
        _check_start_paths(start.input, findings)
    contract = None if definition.input is None else findings.contract(definition.input, "/input")
    contracts = _event_contracts(definition, findings)
    timeout = findings.duration(definition.configuration.timeout, "/configuration/timeout")
    for problem in compile_assertions(definition.assertions, frozenset(calls.used))[1]:
        findings.add(problem.code, problem.pointer, problem.message, problem.help)
    if findings.problems:
        raise DefinitionProblems(findings.problems)
    steps = [step for machine in machines.values() for step in machine.steps.values()]
    start_types = tuple(start.on) if start is not None else ()
    waited = [event.type for step in steps if isinstance(step, WaitStep) for event in step.events]
    return Program(
        id=definition.id,
        version=definition.version,
        hash=program_hash,
        scopes=machines,
        timeout_ms=timeout,
        compensates=any(isinstance(step, CompensationStep) for step in steps),
        accumulator=definition.configuration.accumulator,
        after_completion=start.after_completion if start is not None else "buffer",
        start_types=start_types,
        event_types=tuple(dict.fromkeys([*definition.events, *start_types, *waited])),
        activity_names=frozenset(calls.used),
        children=frozenset(
            step.workflow for step in steps if isinstance(step, TaskStep) and step.workflow is not None
        ),
        start_template=template,
        input_contract=contract,
        event_contracts=contracts,
    )


def _lower_machine(
    pointer: str, scope: Scope, calls: Calls, machines: dict[str, Machine], on_error: str | None = None
) -> None:
    """A machine and those inside its states. Its id is the JSON pointer of what holds its `states`."""
    findings = calls.findings
    names = list(scope.states)
    findings.known(scope.start_at, names, pointer_to(pointer, "startAt"))
    if on_error is not None:
        findings.known(on_error, names, "/configuration/onError")
    steps: dict[str, Step] = {}
    for name, state in scope.states.items():
        place = pointer_to(pointer, "states", name)
        steps[name] = lower_state(name, state, place, names, calls)
        for inner_pointer, inner in _inside(state, place):
            _lower_machine(inner_pointer, inner, calls, machines)
    machines[pointer] = Machine(pointer, scope.start_at, steps, on_error)


def _inside(state: State, pointer: str) -> list[tuple[str, Scope]]:
    if isinstance(state, ParallelState):
        return [(pointer_to(pointer, "branches", name), branch) for name, branch in state.branches.items()]
    if isinstance(state, MapState):
        return [(pointer, Scope.model_construct(start_at=state.start_at, states=state.states))]
    return []


def _event_contracts(definition: WorkflowDefinition, findings: Findings) -> dict[str, Contract]:
    contracts: dict[str, Contract] = {}
    for event_type, schema in definition.events.items():
        contract = findings.contract(schema, pointer_to("", "events", event_type))
        if contract is not None:
            contracts[event_type] = contract
    return contracts


def _check_start_paths(template: object, findings: Findings) -> None:
    """Before an instance there is only the event."""
    try:
        used = template_paths(template, "/start/input")
    except CompileProblem:
        return  # noted where the template was compiled
    for path in used:
        if path.path.root != "event":
            message = f"`{path.path.text}`: when an instance is about to start there is only $.event"
            findings.add(
                "start-path", path.pointer, message, "Such as $.event.data.orderId or $.event.device"
            )
