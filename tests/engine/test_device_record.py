"""A device's stored record: what is left out of it comes back, for the engine and for whoever shows it."""

from typing import Any

import orjson
import pytest
from stepwell_engine.device import Device, decode, encode
from stepwell_schemas import device_record

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
