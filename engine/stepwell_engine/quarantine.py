"""Quarantine: an instance that makes the engine itself fail is set apart alone, with the records it has not taken.

What is held belongs to the instance: the first record is the one that broke it. A device's event that is held is
not available to others; it comes back to the device when the instance does not take it after all.
"""

from dataclasses import replace
from typing import Any

import orjson
from stepwell_schemas import records
from stepwell_schemas.cloudevents import event_key
from stepwell_schemas.event import DeviceEvent
from stepwell_schemas.instance import TERMINAL, Instance
from stepwell_schemas.json_writer import json_bytes
from stepwell_schemas.records import (
    ActivityCompleted,
    ActivityFailed,
    AttemptLost,
    ChildEnded,
    EventOffered,
    InstanceStarted,
    Record,
    TimerFired,
)
from stepwell_store.errors import CorruptValue

from stepwell_engine.turn import Disposition, Turn

HELD_RECORDS = 10_000
"""Records kept for a quarantined instance; further ones become dead letters."""

SHARED = "shared"
"""Marks a held event that others have taken as well: it is never given back to the device."""


NEEDED = {
    InstanceStarted.kind: "its start",
    TimerFired.kind: "a timer",
    ChildEnded.kind: "the end of a child",
    AttemptLost.kind: "the loss of an attempt",
}
"""Records that come once: an instance that is not told would wait for ever. What it broke at, in words."""


def set_apart(turn: Turn, instance: Instance, record: Record, error: Exception) -> str:
    """Quarantine a running instance, or quarantine it again, with the record that broke it."""
    wire: dict[str, Any] | None = records.to_wire(record)
    try:
        body = orjson.dumps({"instance": instance.id, "record": wire})
    except orjson.JSONEncodeError:  # too deep, or too large a number: it cannot be kept with the instance
        body, wire = repr(wire).encode(errors="replace"), None
    if instance.status in TERMINAL or wire is None:
        letter(turn, "engineError", repr(error), raw=body[:262_144].decode("utf-8", "replace"))
    if instance.status in TERMINAL:
        return "ended"
    created_ms = instance.created_ms or turn.now_ms
    if instance.status != "quarantined":
        turn.index.append((instance.id, instance.definition, instance.status, "quarantined", created_ms))
    turn.instances[instance.id] = replace(
        instance,
        status="quarantined",
        error="Stepwell.EngineError",
        cause=f"{type(error).__name__}: {error}"[:4_096],
        held=[*instance.held, wire] if wire is not None else instance.held,
        created_ms=created_ms,
        updated_ms=turn.now_ms,
    )
    return "held"


def set_apart_by_id(turn: Turn, instance_id: str, record: Record, error: Exception) -> None:
    """The same for an instance that may not be there, or not be readable: the record is then a dead letter."""
    try:
        instance = turn.instance(instance_id)
    except CorruptValue as corrupt:
        instance, error = None, corrupt
    if instance is not None:
        set_apart(turn, instance, record, error)
        return
    try:
        body = orjson.dumps({"instance": instance_id, "record": records.to_wire(record)})
    except orjson.JSONEncodeError:
        body = repr(records.to_wire(record)).encode(errors="replace")
    letter(turn, "engineError", repr(error), raw=body[:262_144].decode("utf-8", "replace"))


def hold(turn: Turn, instance: Instance, record: Record) -> str:
    """Keep a record for a quarantined instance until it is released."""
    if len(instance.held) >= HELD_RECORDS:
        message = f"instance {instance.id} is quarantined and holds {HELD_RECORDS} records already"
        letter(turn, "quarantineFull", message, instance=instance.id, record=records.to_wire(record))
        return "rejected"
    turn.instances[instance.id] = replace(instance, held=[*instance.held, records.to_wire(record)])
    return "held"


def lift(turn: Turn, instance: Instance) -> Instance:
    """The instance as it goes on; what it held is for the caller to apply or to give back."""
    turn.index.append((instance.id, instance.definition, "quarantined", "running", instance.created_ms))
    turn.lifted.add(instance.id)
    going_on = replace(instance, status="running", held=[], error=None, cause=None)
    turn.instances[instance.id] = going_on
    return going_on


def share(turn: Turn, holders: list[str]) -> None:
    """Others have taken the event that these instances were quarantined by."""
    for id in holders:
        instance = turn.instances[id]
        if instance.held:
            held = [*instance.held[:-1], instance.held[-1] | {SHARED: True}]
            turn.instances[id] = replace(instance, held=held)


def give_back(turn: Turn, instance: Instance, held: list[dict[str, Any]]) -> None:
    """The device's events among what an instance held and will not take are the device's again."""
    for wire in held:
        sequence = wire.get("sequence")
        if (
            wire["kind"] != EventOffered.kind
            or sequence is None
            or wire.get(SHARED)
            or instance.device is None
        ):
            continue
        event = DeviceEvent.from_document(wire["event"])
        device = turn.device(instance.device)
        if sequence >= device.first:
            device.keep(event.type)
            turn.available.append((device.id, sequence, event))
        else:
            reason = f"dropped by the accumulator while the quarantined {instance.id} held it"
            _close(turn, event, "expired", sequence, reason=reason)


def discard(turn: Turn, instance: Instance, wire: dict[str, Any], actor: str | None) -> None:
    """Drop a held record at an operator's word: it is a dead letter that says who."""
    message = f"discarded from the quarantine of {instance.id} by {actor or 'an operator'}: {instance.cause}"
    record = {name: value for name, value in wire.items() if name != SHARED}
    letter(turn, "discarded", message, instance=instance.id, record=record, actor=actor)
    if wire["kind"] == EventOffered.kind and wire.get("sequence") is not None and not wire.get(SHARED):
        event = DeviceEvent.from_document(wire["event"])
        _close(turn, event, "deadLettered", wire["sequence"], reason=message)


def instead_of(wire: dict[str, Any], now_ms: int, actor: str | None) -> list[dict[str, Any]]:
    """What an instance gets in place of a discarded record: an activity's answer is as good as lost."""
    if wire["kind"] not in (ActivityCompleted.kind, ActivityFailed.kind):
        return []
    reason = f"its answer was discarded by {actor or 'an operator'}"
    return [records.to_wire(AttemptLost(now_ms, wire["attempt"], wire["token"], reason))]


def taken(turn: Turn, instance: Instance, record: EventOffered) -> None:
    """A held event was taken after the release: the ledger tells."""
    _close(turn, record.event, "consumed", record.sequence, by=(instance.id,))


def letter(turn: Turn, reason: str, message: str, **what: Any) -> None:
    """A dead letter of this turn."""
    turn.dead.append(json_bytes({"reason": reason, "message": message, "time_ms": turn.now_ms, **what}))


def _close(turn: Turn, event: DeviceEvent, kind: str, sequence: int | None, **details: Any) -> None:
    key = event_key(event.source, event.id)
    turn.dispositions.append(Disposition(event, key, kind, turn.now_ms, sequence, **details))
