"""`decide` alone, without any I/O: event waits that loop, and choices and passes that loop.

    python bench/interpreter.py [--events 50000]

Prints transitions (states entered) per second and the ratio to a plain Python loop that does the same arithmetic.
"""

import argparse
import time

import yaml
from stepwell_interpreter.decide import decide
from stepwell_interpreter.lower import lower
from stepwell_interpreter.program import Program
from stepwell_schemas.event import DeviceEvent
from stepwell_schemas.instance import Instance, new_instance
from stepwell_schemas.records import EventOffered, InstanceStarted
from stepwell_schemas.workflow import WorkflowDefinition

PLAIN = """
id: plain
version: 1.0.0
startAt: Listen
states:
  Listen: {type: wait, event: Tick, resultPath: null, next: Listen}
"""
MATCHED = PLAIN.replace("event: Tick", "event: Tick, match: {kind: tick}, timeout: PT1H").replace(
    "resultPath: null", "resultPath: $.state.last"
)
COUNTING = """
id: counting
version: 1.0.0
startAt: Listen
states:
  Listen: {type: wait, event: Tick, resultPath: null, next: Reset}
  Reset: {type: pass, set: {$.state.n: 0}, next: More}
  More: {type: choice, choices: [{variable: $.state.n, lessThan: 100, next: Add}], default: Listen}
  Add: {type: pass, set: {$.state.n: {$add: [$.state.n, 1]}}, next: More}
"""
TICK = DeviceEvent("1", "/bench", "Tick", "d", {"kind": "tick", "number": 1}, 0)


def begin(source: str) -> tuple[Program, Instance]:
    """A program and an instance that stands in its first wait."""
    program = lower(WorkflowDefinition.model_validate(yaml.safe_load(source)), {}, "bench")
    instance = new_instance(id="i", definition=program.id, version="1.0.0", program="bench", device="d")
    return program, decide(program, instance, InstanceStarted(1, {}, "00" * 16)).instance


def transitions(source: str, events: int) -> float:
    """States entered per second."""
    program, instance = begin(source)
    entered = instance.visits
    started = time.process_time()
    for number in range(events):
        instance = decide(program, instance, EventOffered(number + 2, TICK, number)).instance
    elapsed = time.process_time() - started
    return (instance.visits - entered) / elapsed


def plain_loop(rounds: int) -> float:
    """The counting workflow's arithmetic in plain Python: additions and comparisons per second."""
    started = time.process_time()
    for _ in range(rounds):
        state = {"n": 0}
        while state["n"] < 100:
            state["n"] = state["n"] + 1
    return rounds * 202 / (time.process_time() - started)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=50_000)
    options = parser.parse_args()
    loop = plain_loop(options.events // 10)
    for name, source, events in (
        ("event wait", PLAIN, options.events),
        ("with match, result, timeout", MATCHED, options.events),
        ("choice and pass", COUNTING, options.events // 100),
    ):
        rate = transitions(source, events)
        print(f"{name:<28} {rate:10,.0f} transitions/s   1/{loop / rate:,.0f} of the plain loop")
    print(f"{'plain Python loop':<28} {loop:10,.0f} steps/s")


if __name__ == "__main__":
    main()
