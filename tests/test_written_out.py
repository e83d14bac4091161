"""Dataclasses whose `__init__` is written out, since every event makes some: it does what a generated one does."""

from copy import deepcopy
from dataclasses import MISSING, fields
from typing import Any

import pytest
from stepwell_engine.device import Device
from stepwell_engine.turn import Disposition
from stepwell_interpreter.draft import Decision
from stepwell_interpreter.program import WORDS, Step
from stepwell_schemas.event import DeviceEvent
from stepwell_schemas.instance import Frame, Instance, Wait, new_instance
from stepwell_store.batches import Commit, CommitResult, Entry, Handing, Inbound, Loaded, Wanted

ONE = new_instance(id="run", definition="order", version="1.0.0", program="p", device="lamp")

GIVEN: dict[type[Any], dict[str, Any]] = {
    Wait: {"type": "Go", "match": [["a", 1]], "name": "go", "opened_ms": 5, "from_now": True},
    Frame: {
        "id": "0.1", "parent": "0", "scope": "s", "state": "A", "visit": 3, "entered_ms": 7, "phase": "wait",
        "work": {"timers": {}}, "waits": [Wait("Go")], "retries": {"r": 1}, "branch": "b", "index": 2, "item": {"i": 1},
        "local": {"l": 1}, "error": {"error": "E"}, "data": [1], "variables": {"v": 1},
    },
    Instance: {
        "id": "run", "definition": "order", "version": "1.0.0", "program": "p", "device": "lamp", "status": "failed",
        "input": {"n": 1}, "state": {"s": 1}, "created_ms": 11, "updated_ms": 12, "seed": "5eed", "parent": "other",
        "revision": 13, "visits": 14, "frames": {"0": Frame("0", None, "", "A", 1, 1, "", {}, [], {})},
        "undo": [{"u": 1}], "kept": [{"k": 1}], "output": 15, "error": "E", "cause": "c", "custom_status": "half",
        "ended_ms": 16, "history_hash": "h", "ending": {"status": "cancelled"}, "state_bytes": 17, "deadline_ms": 18,
        "held": [{"kind": "TimerFired"}], "events": 19,
    },
    DeviceEvent: {
        "id": "e", "source": "/s", "type": "Go", "device": "lamp", "data": {"n": 1}, "received_ms": 21,
        "time": "2026-01-01T00:00:00Z", "sequence": 22, "extensions": {"x": "y"},
    },
    Device: {
        "id": "lamp", "next": 31, "first": 32, "bytes": 33, "dropped": 34, "rejected": 35, "oldest_ms": 36,
        "first_ms": 37, "last_ms": 38, "last_sequence": 39, "running": {"run": "order"}, "ended": {"order": "old"},
        "kept": {"Go": 1}, "oldest": [(1, 2, 3)], "may_drop": True,
    },
    Decision: {
        "instance": ONE, "commands": [], "trace": [{"type": "T"}], "patch": [{"op": "set"}], "answer": "consumed",
        "work": 41,
    },
    Entry: {"id": "1-0", "fields": {b"event": b"{}"}},
    Inbound: {"door": [Entry("1-0", {})], "inboxes": {3: [Entry("2-0", {})]}, "catalog_revision": 61},
    Wanted: {
        "partition": 71, "instances": ["run"], "devices": ["lamp"], "behind": {"lamp": 72}, "available": ["lamp"],
        "seen": [b"k"],
    },
    Loaded: {
        "instances": {"run": b"{}"}, "devices": {"lamp": b"{}"}, "available": {"lamp": [(1, b"{}")]},
        "oldest": {"lamp": [(2, b"{}")]}, "seen": {b"k": b"[]"},
    },
    Commit: {
        "partition": 81, "epoch": 82, "revision": 83, "token": "t", "time_ms": 84, "inbox": "1-0", "door": "2-0",
        "dispatched": "3-0", "removed": {"gone": None}, "instances": {"run": b"{}"}, "history": {"run": [b"h"]},
        "index": [("run", "order", None, "running", 85)], "runs": [("lamp", "run", 86)], "devices": {"lamp": b"{}"},
        "accumulated": {"lamp": [(1, b"{}")]}, "dropped": {"lamp": 1}, "available": {"lamp": [2]},
        "consumed": {"lamp": [3]}, "timers": {("run", "s"): 87}, "attempts": {"a": (b"p", 88)}, "deadlines": {"b": 89},
        "seen": {b"k": b"[]"}, "ledger": [b"l"], "outbox": [b"o"], "dead": [b"d"], "unreserved": ["other"],
        "counters": {"consumed": 1}, "replies": [("c", b"r")], "handing": Handing("return 0", ()),
        "unwritten": ("4-0", b"h"),
    },
    CommitResult: {
        "status": "stale", "next_due_ms": 91, "outbox": ["4-0"], "is_handed": True, "set_aside": ["devices"],
    },
}  # fmt: skip
"""A value other than the usual one for every field, in their order."""

ONE_FOR_ALL = {
    *((Instance, name) for name in ("undo", "kept", "held")),
    *((Device, name) for name in ("running", "ended", "kept", "oldest")),
}
"""Never changed, only replaced: `conftest.py` looks after each test whether they are still empty."""


@pytest.mark.parametrize("cls", GIVEN)
def test_it_takes_every_field_in_order(cls: type[Any]) -> None:
    given = GIVEN[cls]
    assert [part.name for part in fields(cls) if part.init] == list(given)
    by_place, by_name = cls(*given.values()), cls(**given)
    for made in (by_place, by_name):
        assert {name: getattr(made, name) for name in given} == given
    assert by_place == by_name


@pytest.mark.parametrize("cls", GIVEN)
def test_what_is_not_given_is_as_the_fields_say(cls: type[Any]) -> None:
    needed = {part.name for part in fields(cls) if part.default is part.default_factory is MISSING}
    one, other = (cls(**{name: GIVEN[cls][name] for name in needed}) for _ in range(2))
    for part in fields(cls):
        if part.default is not MISSING:
            assert getattr(one, part.name) == part.default
            assert not part.init or part.default != GIVEN[cls][part.name], "says nothing above"
        elif part.default_factory is not MISSING:
            assert getattr(one, part.name) == part.default_factory()
            alike = getattr(one, part.name) is getattr(other, part.name)
            assert alike == ((cls, part.name) in ONE_FOR_ALL), part.name


@pytest.mark.parametrize("cls", [Frame, Instance, Device])
def test_a_copy_has_all_of_it(cls: type[Any]) -> None:
    made = cls(**GIVEN[cls])
    copy = made.copy()
    assert copy == made
    assert copy is not made
    assert {name: getattr(copy, name) for name in GIVEN[cls]} == GIVEN[cls]


def test_what_a_copy_may_change_is_its_own() -> None:
    frame, instance = Frame(**GIVEN[Frame]), Instance(**GIVEN[Instance])
    for part in (frame.copy().work, instance.copy().frames):
        assert part
        part.clear()
    assert {} not in (frame.work, instance.frames)


CHANGES: dict[str, tuple[list[tuple[Any, ...]], dict[str, Any]]] = {
    "keep": ([("keep", "Go")], {"kept": {"Go": 2}}),
    "keep another": ([("keep", "Stop")], {"kept": {"Go": 1, "Stop": 1}}),
    "take": ([("take", "Go")], {"kept": {}}),
    "take one of two": ([("keep", "Go"), ("take", "Go")], {}),
    "take what is not kept": ([("take", "Stop")], {}),
    "begins": ([("begins", "new", "other")], {"running": {"run": "order", "new": "other"}}),
    "ends": ([("ends", "run", "order")], {"running": {}, "ended": {"order": "run"}}),
    "another workflow ends": (
        [("ends", "run", "other")],
        {"running": {}, "ended": {"order": "old", "other": "run"}},
    ),
    "a child ends": ([("ends", "run", None)], {"running": {}}),
    "append": ([("append", 7, 40)], {"next": 5, "bytes": 16, "oldest": [(2, 4, 3), (3, 5, 4), (4, 7, 40)]}),
    "learn": (
        [("learn", [(3, 0, 0), (4, 6, 5), (5, 7, 6), (7, 1, 1)])],
        {"oldest": [(2, 4, 3), (3, 5, 4), (4, 6, 5), (5, 7, 6)]},
    ),
    "drop": ([("drop_before", 3)], {"first": 3, "bytes": 5, "oldest_ms": 4, "oldest": [(3, 5, 4)]}),
    "drop all": ([("drop_before", 4)], {"first": 4, "bytes": 0, "oldest_ms": None, "oldest": []}),
}
"""What is done to a device with two accumulated events, and what is another value then."""


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_of_a_device_leaves_the_device_as_it_was(change: str) -> None:
    given = {
        **GIVEN[Device],
        "next": 4,
        "first": 2,
        "bytes": 9,
        "oldest_ms": 3,
        "oldest": [(2, 4, 3), (3, 5, 4)],
    }
    device, before = Device(**deepcopy(given)), deepcopy(given)
    copy = device.copy()
    calls, changed = CHANGES[change]
    for method, *arguments in calls:
        getattr(copy, method)(*arguments)
    assert {name: getattr(copy, name) for name in given} == {**before, **changed}
    assert {name: getattr(device, name) for name in given} == before


def test_the_mark_of_a_disposition_has_all_of_it() -> None:
    event = DeviceEvent(**GIVEN[DeviceEvent])
    whole = Disposition(event, b"k", "consumed", 51, 52, ("run",), "why")
    assert whole.mark() == ["consumed", 51, "lamp", 52, "Go", ("run",), "why"]
    assert (whole.event, whole.key) == (event, b"k")
    assert Disposition(event, b"k", "ignored", 51).mark() == ["ignored", 51, "lamp", None, "Go", (), None]


def test_each_kind_of_state_has_its_word() -> None:
    kinds: list[Any] = Step.__subclasses__()
    usual: list[dict[str, Any]] = [{part.name: part.default for part in fields(kind)} for kind in kinds]
    assert {kind["word"] for kind in usual} == set(WORDS)
    assert len(WORDS) == len(set(WORDS))
    assert [kind["kind"] for kind in usual] == [kind["word"].lower() for kind in usual]
