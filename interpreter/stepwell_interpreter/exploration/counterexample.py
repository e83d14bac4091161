"""A counter-example as a scenario file: what `stepwell test` runs, so that a fault can be seen and later stays mended.

The scenario expects what goes wrong. It passes as long as the fault is there.
"""

from typing import Any, Final

from stepwell_schemas.instance import TERMINAL

from stepwell_interpreter.exploration.reenactment import Attempt, Reenactment
from stepwell_interpreter.exploration.report import Finding

LATE_MS: Final = 1_000
MOST_ACTIVITIES: Final = 50


def scenario_of(finding: Finding, run: Reenactment, activities: frozenset[str]) -> dict[str, Any] | None:
    """The scenario of a finding; None where a scenario cannot tell it (a cancellation, a fault of the engine's).

    `activities`: all of the workflow; those that are not called are expected not to be. The scenario is plain JSON
    in the form of `stepwell_schemas.scenario.Scenario`.
    """
    cancelled = any(stimulus.kind == "cancelled" for stimulus in finding.trace)
    if cancelled or not run.faithful or not finding.trace:
        return None
    scenario: dict[str, Any] = {
        "name": finding.message[:200],
        "comment": _comment(finding),
        "input": run.input,
    }
    tasks = _tasks(run)
    if tasks:
        scenario["tasks"] = tasks
    if run.events:
        scenario["events"] = [
            {"at": _seconds(at), "type": type, "data": data} for at, type, data in run.events
        ]
    if run.instance.status not in TERMINAL:
        scenario["until"] = _seconds(run.ended_ms)
    scenario["expect"] = _expectation(run, activities)
    return scenario


def _comment(finding: Finding) -> str:
    lines = [f"Found by `stepwell explore` [{finding.code}]: {finding.message}."]
    if finding.help:
        lines.append(f"To mend it: {finding.help}.")
    lines.append(
        "It expects what goes wrong, so it passes while the fault is there: change `expect` when mended."
    )
    lines += [f"{number}. {stimulus.text}" for number, stimulus in enumerate(finding.trace, 1)]
    return "\n".join(lines)


def _tasks(run: Reenactment) -> dict[str, list[dict[str, Any]]]:
    """Outcomes by state, in the order in which the tries began."""
    tasks: dict[str, list[dict[str, Any]]] = {}
    for attempt in sorted(run.attempts, key=lambda each: each.dispatched_ms):
        tasks.setdefault(attempt.state, []).append(_outcome(attempt))
    return {state: _folded(outcomes) for state, outcomes in tasks.items()}


def _outcome(attempt: Attempt) -> dict[str, Any]:
    outcome: dict[str, Any]
    took = attempt.answered_ms - attempt.dispatched_ms
    if attempt.kind == "timedOut" and attempt.timer == "task" and attempt.beats:
        # It gives signs of life, but its answer comes too late.
        outcome = {"output": None, "after": _seconds((attempt.timeout_ms or 0) + LATE_MS)}
    elif attempt.kind in (None, "timedOut"):
        outcome = {"timedOut": True}
    elif attempt.error is not None:
        outcome = {"error": attempt.error, "cause": "explored"}
    else:
        outcome = {"output": attempt.value}
    if took > 0 and attempt.kind not in (None, "timedOut"):
        outcome["after"] = _seconds(took)
    if attempt.submitted:
        outcome["submitted"] = None
    if attempt.iteration:
        outcome["iteration"] = list(attempt.iteration)
    if attempt.undo:
        outcome["undo"] = attempt.undo
    return outcome


def _folded(outcomes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Equal neighbours as one with `times`."""
    folded: list[dict[str, Any]] = []
    for outcome in outcomes:
        last = folded[-1] if folded else None
        if last is not None and {**last, "times": 1} == {**outcome, "times": 1}:
            last["times"] = last.get("times", 1) + 1
        else:
            folded.append(outcome)
    return folded


def _expectation(run: Reenactment, activities: frozenset[str]) -> dict[str, Any]:
    instance = run.instance
    expected: dict[str, Any] = {"status": instance.status}
    if instance.status in ("failed", "timedOut") and instance.error:
        expected["error"] = instance.error
    waiting = [frame.state for frame in instance.frames.values() if frame.waits]
    if instance.status not in TERMINAL and waiting:
        expected["waits"] = list(dict.fromkeys(waiting))
    plain = {
        name: value for name, value in instance.state.items() if isinstance(value, str | bool | int | float)
    }
    if plain:
        expected["state"] = plain
    counts: dict[str, int] = {}
    for attempt in run.attempts:
        if attempt.activity != "child":
            counts[attempt.activity] = counts.get(attempt.activity, 0) + 1
    counts = {**counts, **dict.fromkeys(sorted(activities - counts.keys()), 0)}
    if counts and len(counts) <= MOST_ACTIVITIES:
        expected["activities"] = counts
    return expected


def _seconds(milliseconds: int) -> float | int:
    return milliseconds // 1000 if milliseconds % 1000 == 0 else milliseconds / 1000
