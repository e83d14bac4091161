"""What is asked of one instance: events raised for it, cancelling, releasing, callbacks.

Each is a record in the inbox of its partition; durable first, then answered by the engine, or 202 without its answer.
"""

import hmac
import secrets
from typing import Any, Literal

import orjson
from stepwell_engine.operations import raised_source
from stepwell_schemas.bodies import (
    CallbackAnswer,
    CallbackRequest,
    CancelAnswer,
    CancelRequest,
    RaisedEventAnswer,
    ReleaseAnswer,
    ReleaseRequest,
)
from stepwell_schemas.cloudevents import MAX_EVENT_BYTES, event_key
from stepwell_schemas.event import DeviceEvent
from stepwell_schemas.instance import TERMINAL
from stepwell_schemas.problems import did_you_mean
from stepwell_schemas.records import (
    CallbackEnded,
    CallbackSignalled,
    CancelRequested,
    EventOffered,
    Record,
    to_wire,
)
from stepwell_store.batches import START
from stepwell_store.protocol import Store

from stepwell_api.definitions import Definitions
from stepwell_api.instances import Found, Look, no_instance
from stepwell_api.problems import ProblemRaised, field_problem
from stepwell_api.services import Services, now_ms

SCANNED_ENTRIES = 500
SCANNED_PAGES = 20
"""So much of an inbox is looked through for a start that was not applied yet."""


def requested_start(store: Store, found: Found) -> tuple[dict[str, Any], int]:
    """The start request that waits in the inbox, and its time; ({}, now) when it has been taken from there."""
    position, mark = START, orjson.dumps(found.id)
    for _ in range(SCANNED_PAGES):
        entries = store.read(None, {found.partition: position}, SCANNED_ENTRIES, None).inboxes.get(
            found.partition, []
        )
        for entry in entries:
            raw = entry.fields.get(b"r", b"")
            if mark in raw and (operation := orjson.loads(raw)).get("op") == "start":
                return operation, int(entry.id.partition("-")[0])
        if len(entries) < SCANNED_ENTRIES:
            break
        position = entries[-1].id
    return {}, now_ms()


async def raise_event(
    services: Services, instance: str, name: str, data: Any, actor: str, id: str | None = None
) -> RaisedEventAnswer:
    """Give an event to one instance alone. With an `id` a repeat is answered like the first time and applied once."""

    def check(found: Found) -> None:
        if _before(found) is None:  # a repeat is answered whatever has become of the instance since
            _check_event(services.definitions, found, name, data)

    key = None if id is None else event_key(raised_source(instance), id)
    found = await services.instances.look(Look(instance, check, key))
    earlier = _before(found)
    if id is not None and earlier is not None:
        return RaisedEventAnswer(instance_id=instance, event=name, id=id, disposition=earlier)
    event = DeviceEvent(
        id=id or secrets.token_hex(16),
        source=f"stepwell:api/{actor}" if id is None else raised_source(instance),
        type=name,
        device=None if found.wire is None else found.wire.get("device"),
        data=data,
        received_ms=now_ms(),
    )
    record = EventOffered(time_ms=0, event=event, raised=True)
    answer = await _deliver(services, found, record, once=id is not None)
    status = _accepted(answer, instance)
    return RaisedEventAnswer(
        instance_id=instance,
        event=name,
        id=event.id,
        disposition="accepted" if status == "accepted" else "consumed" if status == "consumed" else "kept",
    )


def _before(found: Found) -> Literal["consumed", "kept"] | None:
    """What became of an event raised under this id before; None when the engine knows of none that was taken."""
    kind = None if found.mark is None else orjson.loads(found.mark)[0]
    return None if kind in (None, "rejected") else "consumed" if kind == "consumed" else "kept"


async def cancel(services: Services, instance: str, asked: CancelRequest, actor: str) -> CancelAnswer:
    """End an instance, with `compensate` after undoing what it did."""
    found = await services.instances.look(Look(instance))
    if found.wire is not None and found.wire["status"] in TERMINAL:
        raise ProblemRaised(409, f"instance {instance} has ended ({found.wire['status']})")
    record = CancelRequested(time_ms=0, reason=asked.reason, actor=actor, compensate=asked.compensate)
    status = _accepted(await _deliver(services, found, record), instance)
    return CancelAnswer(
        instance_id=instance,
        status="cancelled"
        if status == "cancelled"
        else "cancelling"
        if status == "cancelling"
        else "accepted",
    )


async def release(services: Services, instance: str, asked: ReleaseRequest, actor: str) -> ReleaseAnswer:
    """Take an instance out of quarantine; what came meanwhile is applied then."""
    found = await services.instances.look(Look(instance))
    if found.wire is None or found.wire["status"] != "quarantined":
        status = "pending" if found.wire is None else found.wire["status"]
        raise ProblemRaised(409, f"instance {instance} is not quarantined ({status})")
    operation = {"op": "release", "instance": instance, "actor": actor, "discardHeld": asked.discard_held}
    answer = await _ask(services, found, operation)
    status = _accepted(answer, instance)
    if answer is None:
        return ReleaseAnswer(instance_id=instance, status="accepted")
    return ReleaseAnswer(
        instance_id=instance,
        status="quarantined" if status == "heldAgain" else "released" if status == "released" else "accepted",
        count=int(answer.get("count", 0)),
        held=int(answer.get("held", 0)),
        cause=answer.get("message"),
    )


async def call_back(services: Services, token: str, asked: CallbackRequest, actor: str) -> CallbackAnswer:
    """Complete or fail the task whose callback token this is: `<instance>.<secret>`."""
    if asked.error is not None and asked.output is not None:
        raise field_problem("/error", "a callback has an output or an error, not both")
    found, attempt, secret = await _awaited(services, token)
    record = CallbackEnded(
        time_ms=0,
        attempt=attempt,
        token=secret,
        output=asked.output,
        error=asked.error,
        cause=asked.cause,
        actor=actor,
    )
    return await _answered(services, found, record)


async def signal_life(services: Services, token: str, actor: str | None) -> CallbackAnswer:
    """A sign of life for the task whose callback token this is."""
    found, attempt, secret = await _awaited(services, token)
    return await _answered(services, found, CallbackSignalled(0, attempt, secret, actor))


async def _awaited(services: Services, token: str) -> tuple[Found, str, str]:
    """The instance, the attempt and the secret of a token that is waited for. Raises ProblemRaised."""
    instance, _, secret = token.rpartition(".")
    if not instance or not secret:
        raise ProblemRaised(404, "this is not a callback token; it has the form <instance>.<secret>")
    found = await services.instances.look(Look(instance))
    attempt = _attempt_of(found, secret)
    if attempt is None:
        raise _stale(instance)
    return found, attempt, secret


async def _answered(services: Services, found: Found, record: Record) -> CallbackAnswer:
    answer = await _deliver(services, found, record)
    if answer is not None and answer.get("status") == "stale":
        raise _stale(found.id)
    _accepted(answer, found.id)
    return CallbackAnswer(instance_id=found.id, status="accepted")


def _check_event(definitions: Definitions, found: Found, name: str, data: Any) -> None:
    if len(orjson.dumps(data)) > MAX_EVENT_BYTES:
        raise ProblemRaised(413, f"an event's data has at most {MAX_EVENT_BYTES} bytes")
    if found.wire is None:
        return
    if found.wire["status"] in TERMINAL:
        raise ProblemRaised(409, f"instance {found.id} has ended ({found.wire['status']})")
    program = definitions.program(found.wire["definition"], found.wire["version"])
    if program is None:
        return
    if not program.knows_event(name):
        known = ", ".join(program.event_types) or "none"
        message = f"{program.id} {program.version} knows no event {name[:80]!r}"
        near = did_you_mean(name, program.event_types)
        raise ProblemRaised(422, f"{message}{near} (known: {known})")
    problem = program.event_problem(name, data)
    if problem is not None:
        raise field_problem("", problem, "schema")


def _attempt_of(found: Found, secret: str) -> str | None:
    for frame in () if found.wire is None else found.wire["frames"]:
        known = frame["work"].get("callback")
        if isinstance(known, str) and hmac.compare_digest(known.encode(), secret.encode()):
            attempt: str = frame["work"]["attempt"]
            return attempt
    return None


async def _deliver(
    services: Services, found: Found, record: Record, *, once: bool = False
) -> dict[str, Any] | None:
    operation: dict[str, Any] = {"op": "deliver", "instance": found.id, "record": to_wire(record)}
    if once:
        operation["once"] = True
    return await _ask(services, found, operation)


async def _ask(services: Services, found: Found, operation: dict[str, Any]) -> dict[str, Any] | None:
    async with services.replies.expect() as expected:
        await services.inboxes.append(found.partition, orjson.dumps(operation | {"reply": expected.to}))
        return await expected.answer()


def _accepted(answer: dict[str, Any] | None, instance: str) -> str:
    """The engine's good word, `accepted` when it has not answered in time. Raises ProblemRaised otherwise."""
    if answer is None:
        return "accepted"
    status = str(answer.get("status"))
    message = answer.get("message")
    match status:
        case "notFound":
            raise no_instance(instance)
        case "ended":
            raise ProblemRaised(409, str(message or f"instance {instance} has ended"))
        case "rejected":
            raise ProblemRaised(422, str(message or "the engine refused this"))
        case _:
            return status


def _stale(instance: str) -> ProblemRaised:
    return ProblemRaised(
        409, f"instance {instance} does not wait for this token: it was answered, timed out or cancelled"
    )
