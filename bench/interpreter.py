"""`decide` alone, without any I/O: waits, choices, passes, maps, nesting; native and Amazon States Language.

    python bench/interpreter.py [--events 50000]

Prints transitions (states entered) per second of processor time, beside a plain Python loop that does the same
arithmetic, and beside moto's Step Functions where that is installed (pip install 'moto[stepfunctions]').
"""

import argparse
import json
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from stepwell_interpreter.asl.lower import lower_asl
from stepwell_interpreter.asl.resources import ANY
from stepwell_interpreter.compile import AnyActivity, compile_source
from stepwell_interpreter.decide import decide
from stepwell_interpreter.program import Program
from stepwell_schemas.event import DeviceEvent
from stepwell_schemas.instance import Instance, new_instance
from stepwell_schemas.records import EventOffered, InstanceStarted

PLAIN = """
id: plain
version: 1.0.0
configuration: {timeout: P365D}
events: {Tick: {}}
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
startAt: Reset
states:
  Reset: {type: pass, set: {$.state.n: 0}, next: More}
  More: {type: choice, choices: [{variable: $.state.n, lessThan: 1000, next: Add}], default: Done}
  Add: {type: pass, set: {$.state.n: {$add: [$.state.n, 1]}}, next: More}
  Done: {type: succeed}
"""
MAPPED = """
id: mapped
version: 1.0.0
startAt: All
states:
  All:
    type: map
    items: $.input.items
    resultPath: $.state.results
    startAt: Keep
    states:
      Keep: {type: pass, set: {$.state.kept: $.item}, next: Give}
      Give: {type: succeed, output: $.state.kept}
    end: true
"""
ADDING = {
    "JSONPath": {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)"}, "Next": "More"},
    "JSONata": {
        "Type": "Pass",
        "QueryLanguage": "JSONata",
        "Output": {"n": "{% $states.input.n + 1 %}"},
        "Next": "More",
    },
}
TICK = DeviceEvent("1", "/bench", "Tick", "d", {"kind": "tick", "number": 1}, 0)
MOTO = "moto's Step Functions"


def counting_asl(language: str) -> dict[str, Any]:
    """The counting workflow as a state machine; the additions are in the given query language."""
    return {
        "StartAt": "Reset",
        "States": {
            "Reset": {"Type": "Pass", "Result": {"n": 0}, "Next": "More"},
            "More": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.n", "NumericLessThan": 100, "Next": "Add"}],
                "Default": "Done",
            },
            "Add": ADDING[language],
            "Done": {"Type": "Succeed"},
        },
    }


def nested(depth: int) -> str:
    """So many parallel states, each within the other."""
    inner = "startAt: P, states: {P: {type: pass, end: true}}"
    for _ in range(depth):
        state = f"{{type: parallel, branches: {{a: {{{inner}}}}}, resultPath: null, end: true}}"
        inner = f"startAt: Q, states: {{Q: {state}}}"
    return f"{{id: nested, version: 1.0.0, {inner}}}"


def native(source: str) -> Program:
    """The program of a definition. Raises ValueError with its problems."""
    compiled = compile_source(source, format="yaml")
    if compiled.program is None:
        raise ValueError("; ".join(str(problem) for problem in compiled.problems))
    return compiled.program


def amazon(document: dict[str, Any]) -> Program:
    """The program of a state machine."""
    return lower_asl(
        document, id="asl", version="1.0.0", program_hash="bench", activities=AnyActivity(), resources=ANY
    )


def begin(program: Program, value: Any = None) -> Instance:
    """An instance that has begun."""
    instance = new_instance(id="i", definition=program.id, version="1.0.0", program="bench", device="d")
    record = InstanceStarted(1, {} if value is None else value, "00" * 16)
    return decide(program, instance, record).instance


def listening(source: str, events: int) -> tuple[int, float]:
    """States entered, and seconds, while an instance takes one event after the other."""
    program = native(source)
    instance = begin(program)
    entered = instance.visits
    started = time.process_time()
    for number in range(events):
        instance = decide(program, instance, EventOffered(number + 2, TICK, number)).instance
    return instance.visits - entered, time.process_time() - started


def running(program: Program, runs: int, value: Any = None) -> tuple[int, float]:
    """States entered, and seconds, of whole runs."""
    entered = 0
    started = time.process_time()
    for _ in range(runs):
        instance = begin(program, value)
        if instance.status != "succeeded":
            raise ValueError(f"{program.id} ended as {instance.status}: {instance.cause}")
        entered += instance.visits
    return entered, time.process_time() - started


def plain_loop(rounds: int) -> float:
    """The counting workflow's arithmetic in plain Python: additions and comparisons per second."""
    started = time.process_time()
    for _ in range(rounds):
        state = {"n": 0}
        while state["n"] < 100:
            state["n"] = state["n"] + 1
    return rounds * 202 / (time.process_time() - started)


def moto_rate() -> float:
    """The counting state machine (JSONPath) on moto: states entered per second."""
    import boto3
    from moto import mock_aws

    keys = {"aws_access_key_id": "bench", "aws_secret_access_key": "bench", "region_name": "us-east-1"}
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        client = boto3.client("stepfunctions", **keys)
        machine = client.create_state_machine(
            name="counting",
            definition=json.dumps(counting_asl("JSONPath")),
            roleArn="arn:aws:iam::123456789012:role/bench",
        )
        started = time.process_time()
        run = client.start_execution(stateMachineArn=machine["stateMachineArn"], input="{}")["executionArn"]
        while client.describe_execution(executionArn=run)["status"] == "RUNNING":
            time.sleep(0.02)
        return 203 / (time.process_time() - started)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=50_000)
    events = parser.parse_args().events
    items = {"items": list(range(1_000))}
    parts: list[tuple[str, Callable[[], tuple[int, float]]]] = [
        ("event wait", lambda: listening(PLAIN, events)),
        ("with match, result, timeout", lambda: listening(MATCHED, events)),
        ("choice and pass", lambda: running(native(COUNTING), events // 1_000)),
        ("map of 1,000 items", lambda: running(native(MAPPED), events // 2_500, items)),
        ("20 parallel states deep", lambda: running(native(nested(20)), events // 50)),
        ("ASL choice and pass, JSONPath", lambda: running(amazon(counting_asl("JSONPath")), events // 250)),
        ("ASL the same, JSONata", lambda: running(amazon(counting_asl("JSONata")), events // 1_000)),
    ]
    loop = plain_loop(events // 10)
    moto = moto_rate() if find_spec("moto") and find_spec("boto3") else None
    for name, measure in parts:
        entered, seconds = measure()
        rate = entered / seconds
        beside = "" if moto is None else f"   {rate / moto:6,.0f} times moto"
        print(f"{name:<30} {rate:10,.0f} transitions/s   1/{loop / rate:,.0f} of the plain loop{beside}")
    if moto is None:
        print(f"{MOTO:<30} not installed here: pip install 'moto[stepfunctions]'")
    else:
        print(f"{MOTO:<30} {moto:10,.0f} transitions/s")
    print(f"{'plain Python loop':<30} {loop:10,.0f} steps/s")


if __name__ == "__main__":
    main()
