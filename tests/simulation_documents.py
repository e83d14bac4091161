"""Builders for tests of simulation: a definition of a few states, run with given outcomes and events."""

from typing import Any

from stepwell_interpreter.simulation.simulate import Simulation, simulate

HOUR_MS = 3_600_000


def document(states: dict[str, Any], **rest: Any) -> dict[str, Any]:
    """A definition that begins with the first of the states."""
    return {"id": "flow", "version": "1.0.0", "startAt": next(iter(states)), "states": states, **rest}


def task(**more: Any) -> dict[str, Any]:
    """A task that ends the workflow with what its activity answers."""
    return {"type": "task", "activity": "do", "retry": [], "resultPath": "$.state.done", "end": True, **more}


def run(
    states: dict[str, Any], input: Any = None, *, given: dict[str, Any] | None = None, **rest: Any
) -> Simulation:
    """Simulate states, with further keys of the definition."""
    return simulate(document(states, **(given or {})), input, **rest)


WAITING = {
    "Wait": {
        "type": "wait",
        "event": "Paid",
        "match": {"order": "$.input.order"},
        "timeout": "PT1H",
        "timeoutNext": "Late",
        "resultPath": "$.state.paid",
        "end": True,
    },
    "Late": {"type": "fail", "error": "Late", "cause": "nobody paid"},
}


def types(result: Simulation) -> list[str]:
    """The types of all trace entries."""
    return [each["type"] for entry in result.history for each in entry["trace"]]
