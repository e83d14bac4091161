"""How fast `explore` walks: states and transitions per second, beside the same decisions made bare.

    python bench/exploration.py [--states 100000] [--profile]

The bare figure repeats the decisions of the walk (same instances, same records) without keys, judgement or queue.
Times are those of the process, so that a busy machine tells little less than a quiet one; the garbage collector is
off, as in `stepwell explore`.
"""

import argparse
import cProfile
import gc
import pstats
import time
from typing import Any
from unittest.mock import patch

import orjson
from stepwell_interpreter.compile import AnyActivity, Compiled
from stepwell_interpreter.decide import decide
from stepwell_interpreter.exploration import search
from stepwell_interpreter.exploration.explore import explore
from stepwell_interpreter.exploration.report import Bounds, Exploration
from stepwell_interpreter.lower import lower
from stepwell_schemas.loader import load_definition

KEPT = 20_000
"""Decisions that are repeated bare."""


def task(activity: str, next: str | None = None) -> dict[str, Any]:
    """A task with the usual retries and an undo."""
    step = {"type": "task", "activity": activity, "retry": {"maxAttempts": 3, "initialInterval": 1}}
    return {**step, **({"end": True} if next is None else {"next": next})}


def side_by_side(branches: int, tasks: int) -> dict[str, Any]:
    """Branches of tasks in sequence."""
    made = {}
    for branch in range(branches):
        names = [f"T{branch}{number}" for number in range(tasks)]
        followers = [*names[1:], None]
        states = {name: task(name.lower(), follower) for name, follower in zip(names, followers, strict=True)}
        made[f"b{branch}"] = {"startAt": names[0], "states": states}
    return {"All": {"type": "parallel", "branches": made, "failure": "collect", "end": True}}


def waiting(branches: int, waits: int) -> dict[str, Any]:
    """Branches of event waits in sequence, each with a timeout."""
    made = {}
    for branch in range(branches):
        states: dict[str, Any] = {}
        for number in range(waits):
            follows = {"next": f"W{branch}{number + 1}"} if number + 1 < waits else {"end": True}
            states[f"W{branch}{number}"] = {
                "type": "wait", "event": f"E{branch}", "resultPath": f"$.state.w{branch}{number}", **follows,
            }  # fmt: skip
        made[f"b{branch}"] = {"startAt": f"W{branch}0", "states": states}
    return {"All": {"type": "parallel", "branches": made, "end": True}}


def items(tasks: int) -> dict[str, Any]:
    """A map over a few items with tasks in sequence."""
    names = [f"T{number}" for number in range(tasks)]
    states = {name: task(name.lower(), after) for name, after in zip(names, [*names[1:], None], strict=True)}
    each = {"type": "map", "items": "$.input.list", "startAt": names[0], "states": states, "resultPath": None}
    return {"Each": {**each, "next": "Done"}, "Done": {"type": "succeed"}}


CASES: dict[str, tuple[dict[str, Any], Bounds]] = {
    "five branches of tasks": (side_by_side(5, 3), Bounds()),
    "four branches of waits": (waiting(4, 20), Bounds()),
    "a map over four items": (items(4), Bounds(items=4)),
}


def compiled(states: dict[str, Any]) -> Compiled:
    """A definition of these states."""
    document = {"id": "bench", "version": "1.0.0", "startAt": next(iter(states)), "states": states}
    loaded = load_definition(orjson.dumps(document), format="json")
    assert loaded.definition is not None, loaded.problems
    return Compiled(lower(loaded.definition, AnyActivity(), "bench"), (), loaded)


def measured(made: Compiled, bounds: Bounds) -> tuple[Exploration, float]:
    """The exploration and its seconds."""
    gc.collect()
    gc.disable()
    try:
        started = time.process_time()
        result = explore(made, bounds=bounds)
        return result, time.process_time() - started
    finally:
        gc.enable()


def bare_rate(made: Compiled, bounds: Bounds) -> float:
    """Decisions per second, of those that the exploration makes."""
    kept: list[tuple[Any, Any, Any]] = []

    def noted(program: Any, instance: Any, record: Any) -> Any:
        if len(kept) < KEPT:
            kept.append((program, instance, record))
        return decide(program, instance, record)

    with patch.object(search, "decide", noted):
        explore(made, bounds=bounds)
    started = time.process_time()
    for program, instance, record in kept:
        decide(program, instance, record)
    return len(kept) / (time.process_time() - started)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--states", type=int, default=100_000)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    for name, (states, bounds) in CASES.items():
        made = compiled(states)
        limited = Bounds(states=options.states, items=bounds.items)
        if options.profile:
            profile = cProfile.Profile()
            profile.runcall(explore, made, bounds=limited)
            pstats.Stats(profile).sort_stats("tottime").print_stats(25)
            continue
        result, seconds = measured(made, limited)
        bare = bare_rate(made, limited)
        rate = result.transitions / seconds
        print(
            f"{name:<24} {result.states:7,} states in {seconds:5.2f} s: {result.states / seconds:7,.0f} states/s, "
            f"{rate:7,.0f} transitions/s, {rate / bare:4.2f} of {bare:7,.0f} bare decisions/s"
        )


if __name__ == "__main__":
    main()
