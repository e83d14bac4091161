"""What an engine makes of stored records: what is left out comes back, what is garbled is named."""

from contextlib import suppress
from typing import Any

import orjson
import pytest
from stepwell_engine.device import Device, decode, encode
from stepwell_engine.loading import decode_instance
from stepwell_schemas import device_record
from stepwell_schemas.instance import Frame, new_instance, to_wire
from stepwell_store.errors import CorruptValue

USUAL: dict[str, Any] = {"next": 3, "bytes": 40, "oldest_ms": 5, "first_ms": 5, "last_ms": 5}
CHANGES: list[dict[str, Any]] = [
    {},
    {"first": 2, "oldest_ms": 7, "last_ms": 9, "dropped": 1},
    {"first": 3, "bytes": 0, "oldest_ms": None, "rejected": 4},
    {"last_sequence": 0, "running": {"i": "d"}, "ended": {"d": "j"}, "kept": {"Tick": 2}},
    {"first_ms": None, "last_ms": None, "oldest_ms": None, "next": 1, "bytes": 0},
]


@pytest.mark.parametrize("change", CHANGES, ids=repr)
def test_every_device_comes_back(change: dict[str, Any]) -> None:
    device = Device("d", **(USUAL | change))
    assert decode("d", encode(device)) == device


@pytest.mark.parametrize("change", CHANGES, ids=repr)
def test_what_is_shown_is_what_the_engine_reads(change: dict[str, Any]) -> None:
    stored = encode(Device("d", **(USUAL | change)))
    device, shown = decode("d", stored), device_record.shown(orjson.loads(stored))
    assert shown == {
        "next": device.next,
        "first": device.first,
        "bytes": device.bytes,
        "dropped": device.dropped,
        "rejected": device.rejected,
        "firstMs": device.first_ms,
        "oldestMs": device.oldest_ms,
        "lastMs": device.last_ms,
        "lastSequence": device.last_sequence,
        "running": device.running,
        "ended": device.ended,
        "kept": device.kept,
    }


@pytest.mark.parametrize(
    "name", ["next", "first", "bytes", "dropped", "rejected", "running", "ended", "kept"]
)
def test_a_value_of_another_type_is_refused(name: str) -> None:
    wire = orjson.loads(encode(Device("d", **USUAL)))
    with pytest.raises(TypeError):
        decode("d", orjson.dumps(wire | {name: "7"}))


@pytest.mark.parametrize("name", ["next", "bytes", "firstMs"])
def test_a_record_that_lacks_something_is_refused(name: str) -> None:
    wire = orjson.loads(encode(Device("d", **USUAL)))
    del wire[name]
    with pytest.raises(KeyError):
        decode("d", orjson.dumps(wire))


def stored_instance() -> dict[str, Any]:
    instance = new_instance(id="i", definition="d", version="1.0.0", program="h", device="d")
    work = {"timers": {"timeout": 7}}
    instance.frames["0"] = Frame("0", None, "", "A", 1, 0, "wait", work, [], {})
    return to_wire(instance)


def test_an_instance_is_read() -> None:
    wire = stored_instance() | {"deadline_ms": 9, "held": [{}]}
    assert to_wire(decode_instance("i", orjson.dumps(wire))) == wire


@pytest.mark.parametrize(
    "change",
    [
        {"status": 1}, {"definition": None}, {"created_ms": "7"}, {"held": {}}, {"held": "x"}, {"deadline_ms": "7"},
        {"frames": {}, "updated_ms": None, "colour": 1}, {"frames": [7]},
    ],
    ids=repr,
)  # fmt: skip
def test_an_instance_that_is_garbled_is_named(change: dict[str, Any]) -> None:
    with pytest.raises(CorruptValue, match="instance:i"):
        decode_instance("i", orjson.dumps(stored_instance() | change))


@pytest.mark.parametrize("name", ["created_ms", "deadline_ms"])
def test_a_moment_that_is_true_is_refused_or_a_number(name: str) -> None:
    with suppress(CorruptValue):  # compiled, it is the number
        found = decode_instance("i", orjson.dumps(stored_instance() | {name: True}))
        assert type(getattr(found, name)) is int


@pytest.mark.parametrize(
    "change",
    [
        {"id": 5}, {"id": 5, "parent": None}, {"work": []}, {"work": "x"}, {"work": {"timers": [7]}},
        {"work": {"timers": 7}}, {"work": {"timers": {"timeout": "7"}}}, {"work": {"timers": {"timeout": None}}},
        {"work": {"timers": {"timeout": True}}},
        {"waits": 7}, {"waits": [7]}, {"waits": [[]]}, {"waits": [{}]}, {"waits": [["Go", [], None, 1, True, 6]]},
        {"work": None, "waits": None}, {"id": None}, {"id": ["0"]},
    ],
    ids=repr,
)  # fmt: skip
def test_an_instance_with_a_garbled_frame_is_named(change: dict[str, Any]) -> None:
    wire = stored_instance()
    with pytest.raises(CorruptValue, match="instance:i"):
        decode_instance("i", orjson.dumps(wire | {"frames": [wire["frames"][0] | change]}))
