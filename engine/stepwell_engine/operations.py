"""Inbox operations: what an inbox entry asks for, by its `op`. The wire forms are in docs/decisions/0001.

Whatever an entry holds, it is applied, answered or ends as a dead letter; it never stops its partition.
"""

from functools import cache
from typing import Any, ClassVar, get_origin, get_type_hints

import orjson
from stepwell_schemas import records
from stepwell_schemas.instance import TERMINAL
from stepwell_schemas.records import ActivityCompleted, CallbackEnded, CancelRequested, EventOffered, Record

from stepwell_engine import execution, routing
from stepwell_engine.catalog import Catalog
from stepwell_engine.turn import Turn

LONGEST_NAME = 2_048
"""Characters of an instance's id (children of children have long ones), a device, a definition."""


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
    if turn.instance(id) is not None:
        turn.reply(reply, "started", instance=id)
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
        actor=operation.get("actor"),
    )
    execution.settle(turn, catalog)
    turn.reply(reply, "started", instance=id)


def _refuse(turn: Turn, id: str, reply: dict[str, Any] | None, status: str, **details: Any) -> None:
    turn.unreserved.append(id)
    turn.reply(reply, status, **details)


def _deliver(turn: Turn, catalog: Catalog, operation: dict[str, Any]) -> None:
    id, reply = _text(operation, "instance"), operation.get("reply")
    record = read_record(operation.get("record"), turn.now_ms)
    answer = execution.deliver(turn, catalog, id, record)
    status, details = _status(turn, id, record, answer)
    turn.reply(reply, status, **details)


def read_record(wire: Any, now_ms: int) -> Record:
    """The record of its wire form, every field of its type. Raises MalformedOperation."""
    try:
        record = records.from_wire({**wire, "time_ms": now_ms})
    except (KeyError, TypeError, AttributeError) as error:
        raise MalformedOperation(f"not a record: {error!r}") from error
    _check_types(record, record.kind)
    if isinstance(record, EventOffered):
        _check_types(record.event, "event")
    return record


def _check_types(value: Any, what: str) -> None:
    for name, allowed in _field_types(value.__class__):
        found = getattr(value, name)
        if not isinstance(found, allowed) or (found.__class__ is bool and allowed is not bool):
            raise MalformedOperation(
                f"`{name}` of {what} is {type(found).__name__}; it must be {_written(allowed)}"
            )


@cache
def _field_types(cls: type[Any]) -> tuple[tuple[str, Any], ...]:
    """Fields whose type says something: texts, numbers, events; not what may be any JSON."""
    return tuple(
        (name, get_origin(hint) if get_origin(hint) is dict else hint)
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
    if isinstance(record, CancelRequested):
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
    id, reply = _text(operation, "instance"), operation.get("reply")
    instance = turn.instance(id)
    if instance is None or instance.status != "quarantined":
        turn.reply(
            reply, "notFound" if instance is None else "ended", message=f"instance {id} is not quarantined"
        )
        return
    held = instance.held
    execution.unquarantined(turn, instance)
    for wire in held:
        execution.deliver(turn, catalog, id, read_record(wire, turn.now_ms))
    turn.reply(reply, "released", count=len(held))


_OPERATIONS = {"start": _start, "deliver": _deliver, "clear": _clear, "release": _release}
