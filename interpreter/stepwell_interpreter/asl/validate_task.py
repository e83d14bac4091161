"""The rules of a Task's Resource: AWS knows it, an Express machine may use it, and here it leads to something."""

from collections.abc import Mapping
from typing import Any

from stepwell_interpreter.asl.diagnostics import UNKNOWN_RESOURCE
from stepwell_interpreter.asl.resources import (
    ANY,
    ResourceProblem,
    ResourceTable,
    classify,
    resolve,
    unrecognized,
)
from stepwell_interpreter.asl.validate_fields import Place, is_expression


def check_task(state: Mapping[str, Any], place: Place, table: ResourceTable, *, express: bool) -> None:
    """The Resource of a Task."""
    resource = state.get("Resource")
    if not isinstance(resource, str):
        return
    here = place.at("Resource")
    known = table is not ANY and resource in table
    if is_expression(resource) or (classify(resource) is None and not known):
        here.error(unrecognized(resource).message)
        return
    if express and (refused := _express_problem(resource)):
        here.error(refused)
        return
    try:
        resolve(resource, table, state.get("Parameters", state.get("Arguments")))
    except ResourceProblem as problem:
        name = place.path[-1]
        here.found.error(here.path, f"state {name!r}: {problem.message}", UNKNOWN_RESOURCE, problem.help)


def _express_problem(resource: str) -> str | None:
    found = classify(resource)
    if found is None:
        return None
    if found.kind == "activity":
        return "Express state machine does not support Activity ARN"
    match found.pattern:
        case "sync" | "sync:2":
            return "Express state machine does not support '.sync' service integration"
        case "waitForTaskToken":
            # The second blank is AWS's.
            return "Express state machine does not support '.waitForTaskToken' service integration "
        case None:
            return None
