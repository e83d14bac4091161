"""What is shown of a state's data steps: in AWS's names for Amazon States Language, in ours for native states."""

from collections.abc import Mapping
from typing import Any, Final

from stepwell_schemas.instance import Instance

from stepwell_interpreter.decide import describe
from stepwell_interpreter.program import MapStep, ParallelStep, PassStep, Step
from stepwell_interpreter.simulation.inspecting import Notes

_LIMITS: Final = {
    "maxConcurrency": ("MaxConcurrency", "MaxConcurrencyPath"),
    "toleratedFailureCount": ("ToleratedFailureCount", "ToleratedFailureCountPath"),
    "toleratedFailurePercentage": ("ToleratedFailurePercentage", "ToleratedFailurePercentagePath"),
}


def asl_data(
    step: Step, state: Mapping[str, Any], notes: Notes, details: Mapping[str, Any]
) -> dict[str, Any]:
    """AWS's InspectionData. https://docs.aws.amazon.com/step-functions/latest/apireference/API_InspectionData.html"""
    values = dict(notes.values)
    limits, _ = values.pop("limits", None), values.pop("items", None)
    if isinstance(step, ParallelStep | MapStep) or (isinstance(step, PassStep) and not notes.literal):
        values.pop("result", None)
    if isinstance(step, ParallelStep):
        values.pop("afterArguments", None)
    if isinstance(step, MapStep) and limits is not None:
        found = {
            "maxConcurrency": limits.concurrency,
            "toleratedFailureCount": limits.tolerate_count,
            "toleratedFailurePercentage": limits.tolerate_percent,
        }
        values["maxConcurrency"] = 0
        for name, keys in _LIMITS.items():
            if any(key in state for key in keys):
                values[name] = found[name]
    if details:
        values["errorDetails"] = dict(details)
    return values


def native_data(
    instance: Instance, trace: list[dict[str, Any]], notes: Notes, details: Mapping[str, Any]
) -> dict[str, Any]:
    """`input result selected items conditions writes state waits error`: those that the state has come to."""
    data = dict(notes.values)
    conditions = [each["conditions"] for each in trace if each.get("conditions")]
    if conditions:
        data["conditions"] = conditions[0]
    data["state"] = instance.state
    waits = describe(instance)["openWaits"]
    if waits and waits[0]["eventType"] != "(never)":
        data["waits"] = waits
    if details:
        data["error"] = dict(details)
    return data
