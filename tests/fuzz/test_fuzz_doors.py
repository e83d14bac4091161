"""What strangers append to the event door and to the inboxes: each entry ends in a disposition or a dead letter.

Both doors are open to anyone with the server's address, so an entry may hold anything; the engine goes on.
"""

import json
from random import Random
from typing import Any

import orjson
from engine_world import World
from fuzz.amount import examples
from fuzz.mutation import garbled, mutated
from hypothesis import given
from hypothesis import strategies as st

SEEDS = st.integers(0, 2**63)
WAITING = """
id: waiting
version: 1.0.0
events: {Seen: {type: object, properties: {n: {type: integer}}}, Go: {}}
start: {on: [Seen], input: {n: $.event.data.n}, afterCompletion: restart}
startAt: One
states:
  One: {type: task, activity: one, resultPath: $.state.one, next: Two}
  Two: {type: wait, event: Go, match: {n: $.input.n}, timeout: PT60S, timeoutNext: Done, resultPath: null, next: Done}
  Done: {type: succeed}
"""
EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e",
    "source": "/fuzz",
    "type": "Seen",
    "subject": "d",
    "data": {"n": 1},
    "time": "2026-01-01T00:00:00Z",
}
ATTEMPT = {"time_ms": 0, "attempt": "0/One/1/1", "token": "t"}
RECORDS: tuple[dict[str, Any], ...] = (
    {"kind": "ActivityCompleted", "output": 1, "started_ms": 0, **ATTEMPT},
    {"kind": "ActivityFailed", "error": "E", "cause": "c", "started_ms": 0, **ATTEMPT},
    {"kind": "CallbackEnded", **ATTEMPT},
    {"kind": "TimerFired", "time_ms": 0, "timer": "0/1/wait", "due_ms": 0},
    {"kind": "CancelRequested", "time_ms": 0, "compensate": True},
    {"kind": "ChildEnded", "time_ms": 0, "child": "x", "status": "succeeded"},
    {
        "kind": "EventOffered",
        "time_ms": 0,
        "raised": True,
        "event": {
            "id": "r",
            "source": "/fuzz",
            "type": "Go",
            "device": None,
            "time": None,
            "data": {"n": 1},
            "received": 0,
        },
    },
)
OPERATIONS: tuple[dict[str, Any], ...] = (
    {"op": "start", "instance": "asked", "definition": "waiting", "version": None, "input": {"n": 1}},
    {
        "op": "start",
        "instance": "other",
        "definition": "waiting",
        "version": "1.0.0",
        "device": "d",
        "input": {"n": 1},
    },
    {"op": "clear", "device": "d", "upTo": 3},
    {"op": "replay", "id": "1-0"},
    {"op": "release", "instance": "run"},
    *({"op": "deliver", "instance": "run", "record": record} for record in RECORDS),
)


def a_world() -> World:
    world = World(partitions=2)
    world.activities("one")
    world.deploy(WAITING)
    for partition in (0, 1):
        world.request(
            partition, op="start", instance="run", definition="waiting", version=None, input={"n": 1}
        )
    world.run()
    return world


def check_goes_on(world: World) -> None:
    """A good event still starts an instance, which asks for its task: nothing is stuck."""
    jobs = len(world.workers.jobs)
    world.push("afterwards", "Seen", {"n": 7})
    world.run()
    assert len(world.workers.jobs) > jobs


def told(world: World) -> int:
    """Dispositions and dead letters, of all partitions."""
    lines = len(world.store.dead_letters(10_000, None)[0])
    for partition in range(2):
        entries = world.store.ledger(partition, "0-0", 10_000)
        lines += sum(len(orjson.loads(entry.fields[b"e"])) for entry in entries)
    return lines


@examples(40)
@given(seed=SEEDS)
def test_every_entry_of_the_event_door_is_told_of_and_the_engine_goes_on(seed: int) -> None:
    random = Random(seed)
    world = a_world()
    for _ in range(8):
        before = told(world)
        world.store.append_events([raw_event(random)])
        world.run()
        assert told(world) > before
    check_goes_on(world)


@examples(40)
@given(seed=SEEDS)
def test_no_entry_of_an_inbox_stops_the_engine(seed: int) -> None:
    random = Random(seed)
    world = a_world()
    for _ in range(8):
        operation = mutated(random.choice(OPERATIONS), random, random.choice((0, 1, 2)))
        raw = (
            as_json(operation)
            if random.random() < 0.8
            else garbled(json.dumps(operation), random, 2).encode(errors="replace")
        )
        world.store.append_records(random.randrange(2), [raw])
        world.run()
        world.advance(1)
        world.run()
    check_goes_on(world)


def raw_event(random: Random) -> bytes:
    kind = random.random()
    if kind < 0.1:
        return random.randbytes(random.choice((0, 1, 50)))
    if kind < 0.15:
        return as_json({**EVENT, "data": "x" * 300_000})
    event = {**EVENT, "id": f"e{random.random()}", "type": random.choice(("Seen", "Go", "Other"))}
    raw = as_json(mutated(event, random, random.choice((0, 1, 1, 2))))
    return garbled(raw.decode(), random, 1).encode("utf-8", "surrogatepass") if kind < 0.3 else raw


def as_json(document: Any) -> bytes:
    return json.dumps(document).encode()
