"""What is stored leaves out what is known, and nothing is lost by it; what an older release wrote is read as well."""

from dataclasses import replace
from typing import Any

import orjson
import pytest
from stepwell_schemas import history, records
from stepwell_schemas.event import DeviceEvent
from stepwell_schemas.instance import Frame, Instance, Wait, from_wire, new_instance, shown, to_wire
from stepwell_schemas.records import EventOffered, InstanceStarted, TimerFired

EVENT = DeviceEvent("e1", "/s", "Tick", "d", {"n": 1}, 5)


def waiting() -> Instance:
    instance = replace(
        new_instance(id="i", definition="d", version="1.0.0", program="h", device="d"),
        updated_ms=5,
        revision=1,
        visits=1,
    )
    instance.frames["0"] = Frame("0", None, "", "A", 1, 5, "wait", {}, [Wait("Tick", [], None, 5)], {})
    return instance


def again(instance: Instance) -> Instance:
    return from_wire(orjson.loads(orjson.dumps(to_wire(instance))))


def test_a_frame_that_waits_as_usual_is_written_in_four_fields() -> None:
    assert to_wire(waiting())["frames"] == [{"id": "0", "state": "A", "visit": 1, "waits": [["Tick"]]}]


@pytest.mark.parametrize(
    "change",
    [
        {"state": {"a": 1}, "state_bytes": 9},
        {"state_bytes": 9},
        {"input": 0, "output": [], "custom_status": False, "cause": ""},
        {"undo": [{"activity": "x"}], "kept": [{"id": "e"}], "held": [{}], "events": 3},
        {"deadline_ms": 0, "ended_ms": 0, "ending": {}, "parent": "p", "error": "E"},
        {"device": None, "updated_ms": 6},
    ],
    ids=repr,
)
def test_every_unusual_value_comes_back(change: dict[str, Any]) -> None:
    instance = replace(waiting(), **change)
    assert again(instance) == instance


ANY_VALUE: list[Any] = [0, "", False, [], {}, "x"]
RARE: dict[str, list[Any]] = {
    "output": ANY_VALUE, "custom_status": ANY_VALUE, "error": ["", "x"], "cause": ["", "x"], "ended_ms": [0, 7],
    "deadline_ms": [0, 7], "undo": [[{}]], "kept": [[{}]], "held": [[{}]], "parent": ["p"], "events": [3],
    "ending": [{}, {"status": "cancelled"}],
}  # fmt: skip
RARE_OF_FRAME: dict[str, list[Any]] = {
    "item": ANY_VALUE, "data": ANY_VALUE, "branch": ["", "b"], "index": [0, 1], "local": [{}, {"a": 1}],
    "error": [{}, {"a": 1}], "variables": [{}, {"a": 1}],
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in RARE for value in RARE[name]])
def test_one_unusual_value_alone_comes_back_and_nothing_else_is_written(name: str, value: Any) -> None:
    changes: dict[str, Any] = {name: value}
    instance = replace(waiting(), **changes)
    assert again(instance) == instance
    assert to_wire(instance) == {**to_wire(waiting()), name: value}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in RARE_OF_FRAME for value in RARE_OF_FRAME[name]]
)
def test_the_same_of_a_frame(name: str, value: Any) -> None:
    changes: dict[str, Any] = {name: value}
    instance = waiting()
    instance.frames["0"] = replace(instance.frames["0"], **changes)
    assert again(instance) == instance
    (usual,) = to_wire(waiting())["frames"]
    assert to_wire(instance)["frames"] == [{**usual, name: value}]


@pytest.mark.parametrize(
    "wait",
    [
        Wait("Tick", [["a", 1]], None, 5),
        Wait("Tick", [], "x", 5),
        Wait("Tick", [["a", 1]], "x", 4),
        Wait("Tick", [], None, 5, True),
    ],
    ids=repr,
)
def test_every_wait_comes_back(wait: Wait) -> None:
    instance = waiting()
    instance.frames["0"].waits = [wait]
    assert again(instance) == instance


@pytest.mark.parametrize(
    "change",
    [
        {"id": "0.3", "parent": "0", "scope": "b", "branch": "b", "phase": "task", "work": {"token": "t"}},
        {"parent": "elsewhere", "entered_ms": 4, "retries": {"0": 1}},
        {"id": "0.1", "parent": None, "phase": "", "index": 0, "item": False, "local": {}, "error": {}},
        {"data": [], "variables": {}},
    ],
    ids=repr,
)
def test_every_frame_comes_back(change: dict[str, Any]) -> None:
    instance = waiting()
    frame = replace(instance.frames.pop("0"), **change)
    instance.frames[frame.id] = frame
    assert again(instance) == instance


def test_the_form_that_names_everything_is_read_as_well() -> None:
    instance = waiting()
    assert from_wire(shown(to_wire(instance))) == instance


def test_what_holds_something_else_is_no_instance() -> None:
    wire = to_wire(replace(waiting(), parent="p"))
    for other in (wire | {"colour": 1}, wire | {"frames": [wire["frames"][0] | {"colour": 1}]}):
        with pytest.raises(TypeError, match="colour"):
            from_wire(other)


@pytest.mark.parametrize("name", ["id", "definition", "status", "created_ms", "device", "input", "frames"])
def test_what_lacks_something_is_no_instance(name: str) -> None:
    wire = to_wire(waiting())
    del wire[name]
    for other in (wire, wire | {"parent": "p"}):
        with pytest.raises(KeyError, match=name):
            from_wire(other)


@pytest.mark.parametrize(
    ("name", "usual"), [("seed", ""), ("revision", 0), ("visits", 0), ("history_hash", ""), ("state", {})]
)
def test_what_the_published_schema_lets_out_has_its_usual_value(name: str, usual: object) -> None:
    wire = to_wire(replace(waiting(), state={"a": 1}))
    del wire[name]
    for other in (wire, wire | {"parent": "p"}):
        assert getattr(from_wire(other), name) == usual
    with pytest.raises(TypeError, match="colour"):
        from_wire(wire | {"colour": 1})


def test_a_frame_whose_id_is_no_text_is_no_frame() -> None:
    wire = to_wire(waiting())
    for frame in ({"id": 5, "parent": None}, {"id": 5}):
        with pytest.raises((TypeError, AttributeError)):
            from_wire(wire | {"frames": [wire["frames"][0] | frame]})


def test_many_instances_share_the_names_of_their_definition() -> None:
    named = replace(waiting(), definition="a name", version="1.0.0 x", program="a hash", status="timedOut")
    named.frames["0"].state = "A state"
    one, other = (again(named) for _ in range(2))
    for name in ("definition", "version", "program", "status"):
        assert getattr(one, name) is getattr(other, name)
    assert one.frames["0"].state is other.frames["0"].state


def test_who_shows_an_instance_sees_every_field() -> None:
    whole = shown(to_wire(waiting()))
    assert (whole["parent"], whole["undo"], whole["frames"][0]["phase"]) == (None, [], "wait")
    assert whole["frames"][0]["waits"] == [["Tick", [], None, 5, False]]


def test_an_event_that_is_kept_in_the_state_stands_once_in_its_entry() -> None:
    patch = [{"op": "set", "path": "/last", "value": EVENT.document(), "frame": "0.1"}]
    entry = history.written(2, EventOffered(5, EVENT, 1), [], patch, "h", "")
    assert orjson.loads(entry)["patch"] == [{"op": "set", "path": "/last", "frame": "0.1", "from": "event"}]
    assert orjson.loads(history.shown(entry))["patch"] == patch
    assert records.from_wire(orjson.loads(entry)["record"]) == EventOffered(5, EVENT, 1)


def test_an_equal_value_that_is_not_the_event_stays_a_value() -> None:
    patch = [{"op": "set", "path": "/last", "value": {"id": "e1"}}]
    entry = history.written(2, EventOffered(5, EVENT, 1), [], patch, "h", "")
    assert orjson.loads(entry)["patch"] == patch


@pytest.mark.parametrize(
    "record",
    [TimerFired(5, "t", 4), InstanceStarted(5, {"a": 1}, "00", EVENT, "x"), InstanceStarted(5, None, "00")],
)
def test_entries_without_a_reference_are_shown_as_they_are(record: records.Record) -> None:
    entry = history.written(1, record, [{"type": "X"}], [], "h", "")
    assert history.shown(entry) == entry
    assert records.from_wire(orjson.loads(entry)["record"]) == record
