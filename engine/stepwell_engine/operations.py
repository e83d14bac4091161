"""Inbox operations: what an inbox entry asks for, by its `op`. The wire forms are in docs/decisions/0001.

Whatever an entry holds, it is applied, answered or ends as a dead letter; it never stops its partition.
"""

import os
from dataclasses import replace
from typing import Any

import orjson
from stepwell_schemas import records
from stepwell_schemas.instance import TERMINAL
from stepwell_schemas.records import ActivityCompleted, CallbackEnded, CancelRequested, EventOffered, Record

from stepwell_engine import execution, routing
from stepwell_engine.catalog import Catalog
from stepwell_engine.turn import Turn


class MalformedOperation(ValueError):
    """An inbox entry that is not one of ours."""


def parse(raw: bytes) -> dict[str, Any]:
    """The operation of an inbox entry. Raises MalformedOperation."""
    try:
        operation = orjson.loads(raw)
    except ValueError as error:
        raise MalformedOperation(f"not JSON: {error}") from error
    if not isinstance(operation, dict) or operation.get("op") not in _OPERATIONS:
        raise MalformedOperation(f"`op` must be one of {', '.join(sorted(_OPERATIONS))}")
    return operation


def apply(turn: Turn, catalog: Catalog, operation: dict[str, Any]) -> None:
    """Apply one operation. Raises MalformedOperation where its fields are not right."""
    _OPERATIONS[operation["op"]](turn, catalog, operation)


def _start(turn: Turn, catalog: Catalog, operation: dict[str, Any]) -> None:
    id, reply = operation["instance"], operation.get("reply")
    if turn.instance(id) is not None:
        turn.reply(reply, "started", instance=id)
        return
    name, version, device = operation["definition"], operation.get("version"), operation.get("device")
    program = catalog.latest(name) if version is None else catalog.program(name, version)
    if program is None:
        _refuse(
            turn,
            id,
            reply,
            "rejected",
            message=f"there is no definition {name!r} version {version or 'latest'}",
        )
        return
    running = None if device is None else turn.device(device).runs(name)
    if running is not None:
        message = f"{name} already runs for device {device!r}"
        _refuse(turn, id, reply, "conflict", instance=running, message=message)
        return
    found = program.input_problem(operation.get("input"))
    if found is not None:
        _refuse(turn, id, reply, "rejected", message=found[0], pointer=found[1])
        return
    execution.start(
        turn,
        catalog,
        program,
        id=id,
        device=device,
        input=operation.get("input"),
        seed=os.urandom(16).hex(),
        actor=operation.get("actor"),
    )
    execution.settle(turn, catalog)
    turn.reply(reply, "started", instance=id)


def _refuse(turn: Turn, id: str, reply: dict[str, Any] | None, status: str, **details: Any) -> None:
    turn.unreserved.append(id)
    turn.reply(reply, status, **details)


def _deliver(turn: Turn, catalog: Catalog, operation: dict[str, Any]) -> None:
    id, reply = operation["instance"], operation.get("reply")
    record = _record(operation["record"], turn.now_ms)
    answer = execution.deliver(turn, catalog, id, record)
    status, details = _status(turn, id, record, answer)
    turn.reply(reply, status, **details)


def _record(wire: dict[str, Any], now_ms: int) -> Record:
    try:
        return records.from_wire({**wire, "time_ms": now_ms})
    except (KeyError, TypeError, AttributeError) as error:
        raise MalformedOperation(f"not a record: {error}") from error


def _status(turn: Turn, id: str, record: Record, answer: str) -> tuple[str, dict[str, Any]]:
    """The reply's word for what `decide` answered."""
    if answer == "notFound":
        return answer, {}
    instance = turn.instance(id)
    assert instance is not None
    if answer == "ended":
        return "ended", {"message": f"instance {id} has ended ({instance.status})"}
    if isinstance(record, CancelRequested):
        return ("cancelled" if instance.status in TERMINAL else "cancelling"), {}
    if isinstance(record, EventOffered) and answer == "rejected":
        return "rejected", {"message": "the instance keeps too many events that no wait has taken"}
    if isinstance(record, CallbackEnded | ActivityCompleted) or answer != "held":
        return answer, {}
    return "kept", {"message": "the instance is quarantined; it gets this when it is released"}


def _clear(turn: Turn, catalog: Catalog, operation: dict[str, Any]) -> None:
    count = routing.clear(turn, operation["device"], int(operation["upTo"]))
    turn.reply(operation.get("reply"), "cleared", count=count)


def _release(turn: Turn, catalog: Catalog, operation: dict[str, Any]) -> None:
    id, reply = operation["instance"], operation.get("reply")
    instance = turn.instance(id)
    if instance is None or instance.status != "quarantined":
        turn.reply(
            reply, "notFound" if instance is None else "ended", message=f"instance {id} is not quarantined"
        )
        return
    held = instance.held
    turn.instances[id] = replace(instance, status="running", held=[], error=None, cause=None)
    turn.index.append((id, instance.definition, "quarantined", "running", instance.created_ms))
    for wire in held:
        execution.deliver(turn, catalog, id, _record(wire, turn.now_ms))
    turn.reply(reply, "released", count=len(held))


_OPERATIONS = {"start": _start, "deliver": _deliver, "clear": _clear, "release": _release}
