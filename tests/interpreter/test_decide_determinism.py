"""The same records give the same bytes, whatever they are and in whatever order they come; and nothing is raised."""

from collections.abc import Callable
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from interpreter.given import Run, program
from stepwell_interpreter.decide import decide
from stepwell_schemas.instance import Instance, to_wire
from stepwell_schemas.instance import new_instance as new
from stepwell_schemas.records import Record, from_wire
from stepwell_schemas.records import to_wire as record_to_wire

WAIT: dict[str, Any] = {
    "type": "wait",
    "anyOf": {
        "two": {"event": "Seen", "count": 2},
        "left": {"event": "Left", "match": {"n": "$.input.n"}, "next": "Ask"},
    },
    "timeout": 30,
    "timeoutNext": "Undo",
    "resultPath": "$.state.got",
    "next": "Many",
}
STATES: dict[str, Any] = {
    "Make": {
        "type": "task",
        "activity": "do",
        "input": {"key": {"$uuid": []}},
        "retry": {"maxAttempts": 2, "initialInterval": 4, "jitter": "full"},
        "compensateWith": {"activity": "undo"},
        "resultPath": "$.state.made",
        "next": "Wait",
    },
    "Wait": WAIT,
    "Ask": {
        "type": "task",
        "activity": "other",
        "callback": True,
        "heartbeat": 9,
        "catch": {"next": "Many"},
        "next": "Many",
    },
    "Many": {
        "type": "map",
        "items": [1, 2, 3],
        "maxConcurrency": 2,
        "tolerate": {"count": 1},
        "startAt": "Each",
        "states": {
            "Each": {
                "type": "parallel",
                "failure": {"quorum": 1},
                "branches": {
                    "a": {
                        "startAt": "T",
                        "states": {
                            "T": {
                                "type": "task",
                                "activity": "check",
                                "retry": [],
                                "compensateWith": {"activity": "undo"},
                                "end": True,
                            }
                        },
                    },
                    "b": {"startAt": "W", "states": {"W": {"type": "wait", "event": "Seen", "end": True}}},
                    "c": {
                        "startAt": "K",
                        "states": {"K": {"type": "task", "workflow": "kid", "timeout": 20, "end": True}},
                    },
                },
                "end": True,
            },
        },
        "next": "Quiet",
    },
    "Quiet": {"type": "wait", "absence": {"event": "Seen", "for": 15}, "next": "Wait"},
    "Undo": {"type": "compensation", "next": "Failed"},
    "Failed": {"type": "fail", "error": "Gone"},
}
PROGRAM = program(STATES, configuration={"timeout": 400, "onError": "Undo", "retry": {"maxAttempts": 1}})

Act = Callable[[Run], object]
ACTS: dict[str, Act] = {
    "complete": lambda run: run.attempts and run.complete({"id": len(run.records)}),
    "fail": lambda run: run.attempts and run.fail(),
    "refuse": lambda run: run.attempts and run.fail("Refused", retryable=False),
    "lose": lambda run: run.attempts and run.lose(),
    "answer": lambda run: run.attempts and run.call_back(run.pending(), 1),
    "seen": lambda run: run.offer("Seen", {"n": 1}),
    "left": lambda run: run.offer("Left", {"n": 4}),
    "raise": lambda run: run.raise_event("Seen"),
    "fire": lambda run: run.timers and run.fire(),
    "child": lambda run: run.children and run.end_child("succeeded", 1),
    "lost child": lambda run: run.children and run.end_child("failed", error="Kid"),
    "cancel": lambda run: len(run.records) > 25 and run.cancel(compensate=True),
    "time": lambda run: run.pass_time(3_000),
}


def replay(records: list[Record]) -> list[bytes]:
    """What each record leads to, as bytes, from records that have been to JSON and back."""
    instance: Instance = new(id="flow-1~0", definition="flow", version="1.0.0", program="hash", device="d1")
    found = []
    for record in records:
        again = from_wire(orjson.loads(orjson.dumps(record_to_wire(record))))
        decision = decide(PROGRAM, instance, again)
        instance = decision.instance
        found.append(orjson.dumps([to_wire(instance), decision.trace, decision.patch, decision.answer]))
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(sorted(ACTS)), max_size=60))
def test_any_history_replays_to_the_same_bytes_and_never_hangs(acts: list[str]) -> None:
    run = Run(PROGRAM).start({"n": 4})
    for act in acts:
        ACTS[act](run)  # the run checks each decision
    assert replay(run.records) == replay(run.records)
    last = orjson.loads(replay(run.records)[-1])[0]
    assert last == orjson.loads(orjson.dumps(to_wire(run.instance)))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(sorted(ACTS)), max_size=40))
def test_the_patches_add_up_to_the_document(acts: list[str]) -> None:
    run = Run(PROGRAM).start({"n": 4})
    for act in acts:
        ACTS[act](run)
    state: dict[str, Any] = {}
    for entry in run.patch:
        if "frame" not in entry:
            state[entry["path"].removeprefix("/")] = entry["value"]
    assert state == run.state
