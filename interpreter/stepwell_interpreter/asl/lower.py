"""Lowering of ASL: from a document that has been validated to the program that `decide` runs.

What AWS refuses has been refused by `validate.py`; what is found here is what this installation cannot run: a
resource without an activity, an activity nobody offers.
"""

from collections.abc import Mapping
from typing import Any, Literal

from stepwell_schemas.catalog import ActivityDescription
from stepwell_schemas.workflow import Accumulator

from stepwell_interpreter.asl.expressions import AslSyntax, Language
from stepwell_interpreter.asl.lower_states import lower_state
from stepwell_interpreter.asl.lowering import Lowering
from stepwell_interpreter.asl.resources import ResourceTable
from stepwell_interpreter.failures import pointer_to
from stepwell_interpreter.findings import DefinitionProblems
from stepwell_interpreter.program import Machine, Milliseconds, Program, Step, TaskStep


def lower_asl(
    document: Mapping[str, Any],
    *,
    id: str,
    version: str,
    program_hash: str,
    activities: Mapping[str, ActivityDescription],
    resources: ResourceTable,
    type: Literal["STANDARD", "EXPRESS"] = "STANDARD",
) -> Program:
    """The program of a state machine. Raises DefinitionProblems with everything that cannot run here."""
    lowering = Lowering(activities, resources)
    machines: dict[str, Machine] = {}
    language: Language = document.get("QueryLanguage", "JSONPath")
    _lower_machine("", document, language, lowering, machines, numbered=True)
    if lowering.problems:
        raise DefinitionProblems(lowering.problems)
    steps = [step for machine in machines.values() for step in machine.steps.values()]
    return Program(
        id=id,
        version=version,
        hash=program_hash,
        scopes=machines,
        timeout_ms=_timeout(document.get("TimeoutSeconds")),
        compensates=False,
        accumulator=Accumulator(),
        after_completion="buffer",
        start_types=(),
        event_types=(),
        activity_names=frozenset(lowering.used),
        children=frozenset(
            step.workflow for step in steps if isinstance(step, TaskStep) and step.workflow is not None
        ),
        start_template=None,
        input_contract=None,
        event_contracts={},
        dialect="asl",
    )


def _lower_machine(
    pointer: str,
    document: Mapping[str, Any],
    language: Language,
    lowering: Lowering,
    machines: dict[str, Machine],
    *,
    numbered: bool,
) -> None:
    """A machine and those inside its states. Its id is the JSON pointer of what holds its `States`."""
    steps: dict[str, Step] = {}
    for name, state in document["States"].items():
        place = pointer_to(pointer, "States", name)
        own: Language = state.get("QueryLanguage", language)
        try:
            steps[name] = lower_state(name, state, place, own, lowering, told=numbered)
        except AslSyntax as problem:
            lowering.add("asl-expression", place + problem.pointer, str(problem))
            continue
        for inner_pointer, inner, apart in _inside(state, place):
            _lower_machine(inner_pointer, inner, own, lowering, machines, numbered=numbered and not apart)
    machines[pointer] = Machine(pointer, document["StartAt"], steps, None, numbered)


def _inside(state: Mapping[str, Any], pointer: str) -> list[tuple[str, Mapping[str, Any], bool]]:
    """The machines in a state: where, which, and whether its runs count as executions of their own."""
    if state["Type"] == "Parallel":
        return [
            (pointer_to(pointer, "Branches", number), branch, False)
            for number, branch in enumerate(state["Branches"])
        ]
    if state["Type"] == "Map":
        key = "ItemProcessor" if "ItemProcessor" in state else "Iterator"
        return [(pointer_to(pointer, key), state[key], runs_apart(state[key]))]
    return []


def runs_apart(processor: Mapping[str, Any]) -> bool:
    """Whether a Map is distributed."""
    return str(processor.get("ProcessorConfig", {}).get("Mode", "INLINE")).upper() == "DISTRIBUTED"


def _timeout(seconds: Any) -> Milliseconds | None:
    if seconds is None:
        return None
    milliseconds = int(seconds) * 1_000
    return lambda scope: milliseconds
