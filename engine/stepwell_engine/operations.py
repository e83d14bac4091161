"""Inbox operations: what an inbox entry asks for, by its `op`. The wire forms are in docs/decisions/0001.

Whatever an entry holds, it is applied, answered or ends as a dead letter; it never stops its partition.
"""

from functools import cache
from typing import Any, ClassVar, get_origin, get_type_hints

import orjson
from stepwell_schemas import records
from stepwell_schemas.cloudevents import event_key
from stepwell_schemas.instance import TERMINAL
from stepwell_schemas.records import (
    ActivityCompleted,
    CallbackEnded,
    CancelRequested,
    EventOffered,
    Record,
)

from stepwell_engine import execution, quarantine, routing
from stepwell_engine.catalog import Catalog
from stepwell_engine.turn import Disposition, Turn

LONGEST_NAME = 2_048
"""Characters of an instance's id (children of children have long ones), a device, a definition."""


_RAISED = {"consumed": "consumed", "kept": "buffered", "rejected": "rejected"}
"""Dispositions of raised events by what they were answered."""


class MalformedOperation(ValueError):
    """An inbox entry that is not one of ours."""


def parse(raw: bytes) -> dict[str, Any]:
    """The operation of an inbox entry. Raises MalformedOperation."""
    try:
        operation = orjson.loads(raw)
    except ValueError as error:
        raise MalformedOperation(f"not JSON: {error}") from error
    op = operation.get("op") if isinstance(operation, dict) else None
    if not isinstance(op, str) or op not in _OPERATIONS:
        raise MalformedOperation(f"`op` must be one of {', '.join(sorted(_OPERATIONS))}")
    reply = operation.get("reply")
    if reply is not None and not (
        isinstance(reply, dict) and isinstance(reply.get("channel"), str) and "id" in reply
    ):
        raise MalformedOperation("`reply` must be an object with a text `channel` and an `id`")
    return operation  # type: ignore[no-any-return]  # an object, as just seen


def apply(turn: Turn, catalog: Catalog, operation: dict[str, Any]) -> None:
    """Apply one operation. Raises MalformedOperation where its fields are not right."""
    _OPERATIONS[operation["op"]](turn, catalog, operation)


def _start(turn: Turn, catalog: Catalog, operation: dict[str, Any]) -> None:
    id, reply = _text(operation, "instance"), operation.get("reply")
    name = _text(operation, "definition")
    version, device = _text_or_none(operation, "version"), _text_or_none(operation, "device")
    known = turn.instance(id)
    if known is not None:
        turn.reply(reply, "started", instance=id, state=known.status)
        return
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
        seed=turn.batch.new_seed(),
        actor=_text_or_none(operation, "actor"),
    )
    execution.settle(turn, catalog)
    started = turn.instance(id)
    turn.reply(reply, "started", instance=id, state=None if started is None else started.status)


def _refuse(turn: Turn, id: str, reply: dict[str, Any] | None, status: str, **details: Any) -> None:
    turn.unreserved.append(id)
    turn.reply(reply, status, **details)


def _deliver(turn: Turn, catalog: Catalog, operation: dict[str, Any]) -> None:
    id, reply = _text(operation, "instance"), operation.get("reply")
    record = read_record(operation.get("record"), turn.now_ms)
    key = once_key(operation)
    if key is not None and isinstance(record, EventOffered) and _is_repeat(turn, key, record, reply):
        return
    answer = execution.deliver(turn, catalog, id, record)
    status, details = _status(turn, id, record, answer)
    turn.reply(reply, status, **details)
    if isinstance(record, EventOffered):
        _note(turn, id, record, status, key)


def raised_source(instance: str) -> str:
    """The source of events that are raised for one instance under an id of the sender's."""
    return f"stepwell:instance/{instance}"


def once_key(operation: dict[str, Any]) -> bytes | None:
    """The dedupe key of an event that is raised for one instance under its sender's id; None for all else."""
    record = operation.get("record")
    if operation.get("once") is not True or not isinstance(record, dict) or not record.get("raised"):
        return None
    event = record.get("event")
    if not isinstance(event, dict):
        return None
    source, id = event.get("source"), event.get("id")
    return event_key(source, id) if isinstance(source, str) and isinstance(id, str) else None


def _is_repeat(turn: Turn, key: bytes, record: EventOffered, reply: dict[str, Any] | None) -> bool:
    found = turn.batch.seen.get(key)
    before = None if found is None else orjson.loads(found)[0]
    if before is None or before == "rejected":
        return False
    turn.dispositions.append(Disposition(record.event, key, "duplicate", turn.now_ms))
    turn.reply(reply, "consumed" if before == "consumed" else "kept")
    return True


def _note(turn: Turn, id: str, record: EventOffered, status: str, key: bytes | None) -> None:
    """The ledger's line for a raised event that has an id of its own, and for a held event sent again."""
    if key is not None and status in _RAISED:
        by = (id,) if status == "consumed" else ()
        turn.dispositions.append(Disposition(record.event, key, _RAISED[status], turn.now_ms, by=by))
    elif not record.raised and record.sequence is not None and status == "consumed":
        quarantine.taken(turn, turn.instances[id], record)


def read_record(wire: Any, now_ms: int) -> Record:
    """The record of its wire form, every field of its type. Raises MalformedOperation."""
    try:
        event = wire.get("event")
        for name, allowed in _EVENT_TYPES if isinstance(event, dict) else ():
            if name in event:
                _check_type("event", name, event[name], allowed)
        record = records.from_wire({**wire, "time_ms": now_ms})
    except (KeyError, TypeError, AttributeError) as error:
        raise MalformedOperation(f"not a record: {error!r}") from error
    cls: Any = record.__class__
    for name, allowed in _field_types(cls):
        _check_type(record.kind, name, getattr(record, name), allowed)
    return record


_EVENT_TYPES = (
    ("id", str),
    ("source", str),
    ("type", str),
    ("device", str | None),
    ("time", str | None),
    ("received", int),
    ("sequence", int | None),
    ("extensions", dict),
)
"""Of an event's document, but for its data, which may be any JSON."""


def _check_type(what: str, name: str, found: Any, allowed: Any) -> None:
    if not isinstance(found, allowed) or (found.__class__ is bool and allowed is not bool):
        raise MalformedOperation(
            f"`{name}` of {what} is {type(found).__name__}; it must be {_written(allowed)}"
        )


@cache
def _field_types(cls: type[Any]) -> tuple[tuple[str, Any], ...]:
    """A record's fields whose type says something: texts, numbers, events; not what may be any JSON."""
    return tuple(
        (name, hint)
        for name, hint in get_type_hints(cls).items()
        if hint is not Any and get_origin(hint) is not ClassVar
    )


def _written(allowed: Any) -> str:
    return allowed.__name__ if isinstance(allowed, type) else str(allowed)


def _text(operation: dict[str, Any], name: str) -> str:
    value = _text_or_none(operation, name)
    if value is None:
        raise MalformedOperation(f"`{name}` is missing")
    return value


def _text_or_none(operation: dict[str, Any], name: str) -> str | None:
    value = operation.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not value or len(value) > LONGEST_NAME or "\0" in value:
        raise MalformedOperation(f"`{name}` must be a text of 1 to {LONGEST_NAME} characters without NUL")
    return value


def _status(turn: Turn, id: str, record: Record, answer: str) -> tuple[str, dict[str, Any]]:
    """The reply's word for what `decide` answered."""
    if answer == "notFound":
        return answer, {}
    instance = turn.instance(id)
    assert instance is not None
    if answer == "ended":
        return "ended", {"message": f"instance {id} has ended ({instance.status})"}
    if isinstance(record, CancelRequested) and answer != "held":
        return ("cancelled" if instance.status in TERMINAL else "cancelling"), {}
    if isinstance(record, EventOffered) and answer == "rejected":
        return "rejected", {"message": "the instance keeps too many events that no wait has taken"}
    if isinstance(record, CallbackEnded | ActivityCompleted) or answer != "held":
        return answer, {}
    return "kept", {"message": "the instance is quarantined; it gets this when it is released"}


def _clear(turn: Turn, catalog: Catalog, operation: dict[str, Any]) -> None:
    device, up_to = _text(operation, "device"), operation.get("upTo")
    if up_to.__class__ is not int:
        raise MalformedOperation("`upTo` must be a whole number: the last sequence to clear")
    count = routing.clear(turn, device, up_to)
    turn.reply(operation.get("reply"), "cleared", count=count)


def _release(turn: Turn, catalog: Catalog, operation: dict[str, Any]) -> None:
    """Out of quarantine, without the record that broke it where `discardHeld` says so. What was held is applied; a
    record that breaks the engine again quarantines again, and what is behind it stays held."""
    id, reply = _text(operation, "instance"), operation.get("reply")
    instance = turn.instance(id)
    if instance is None or instance.status != "quarantined":
        status = "notFound" if instance is None else "ended"
        turn.reply(reply, status, message=f"instance {id} is not quarantined")
        return
    held, discards = instance.held, operation.get("discardHeld", False)
    if discards.__class__ is not bool:
        raise MalformedOperation("`discardHeld` must be true or false")
    if discards and held:
        needed = quarantine.NEEDED.get(held[0]["kind"])
        if needed is not None:
            message = f"instance {id} broke at {needed}, so without that record it cannot go on; cancel it"
            turn.reply(reply, "rejected", message=message)
            return
        actor = _text_or_none(operation, "actor")
        quarantine.discard(turn, instance, held[0], actor)
        held = [*quarantine.instead_of(held[0], turn.now_ms, actor), *held[1:]]
    quarantine.lift(turn, instance)
    applied = sum(_give(turn, catalog, id, wire) for wire in held)
    _look_at_kept(turn, catalog, id)
    after = turn.instances[id]
    turn.reply(
        reply,
        "heldAgain" if after.status == "quarantined" else "released",
        count=applied,
        held=len(after.held),
        message=after.cause,
    )


def _give(turn: Turn, catalog: Catalog, id: str, wire: dict[str, Any]) -> bool:
    """One held record to its instance; whether it was applied. An event that it does not take goes back."""
    shared = wire.get(quarantine.SHARED, False)
    fields = {name: value for name, value in wire.items() if name != quarantine.SHARED}
    record = read_record(fields, turn.now_ms)
    answer = execution.deliver(turn, catalog, id, record)
    instance = turn.instances[id]
    if answer == "held":
        if shared:
            quarantine.share(turn, [id])
        return False
    if isinstance(record, EventOffered):
        if answer == "consumed" and (not record.raised or record.event.source == raised_source(id)):
            quarantine.taken(turn, instance, record)
        elif answer != "consumed":
            quarantine.give_back(turn, instance, [wire])
    return True


def _look_at_kept(turn: Turn, catalog: Catalog, id: str) -> None:
    """The device's events that came meanwhile were offered to nobody."""
    instance = turn.instances[id]
    if instance.status == "running" and instance.device is not None and instance.revision:
        execution.look_at_kept(turn, catalog, execution.program_of(catalog, instance), id)
        execution.settle(turn, catalog)


_OPERATIONS = {"start": _start, "deliver": _deliver, "clear": _clear, "release": _release}
