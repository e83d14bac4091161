"""Start-or-route: what one device event does, as one act.

The event is deduplicated, held against the accumulator's limits, offered to every running instance of its device,
starts the workflows that begin with it, and ends in exactly one disposition.
"""

import hashlib
from typing import Any

import orjson
from stepwell_interpreter.decide import waits_for
from stepwell_interpreter.program import Program
from stepwell_schemas.cloudevents import event_key
from stepwell_schemas.event import DeviceEvent
from stepwell_schemas.instance import Instance
from stepwell_schemas.json_writer import json_bytes
from stepwell_schemas.workflow import Accumulator
from stepwell_store.batches import AHEAD
from stepwell_store.partition import instance_id

from stepwell_engine import execution, quarantine
from stepwell_engine.catalog import BrokenDefinition, Catalog
from stepwell_engine.device import Device
from stepwell_engine.turn import Disposition, Turn

DAY_MS = 86_400_000


Running = list[tuple[Instance, Program | None]]
"""Instances of a device with their programs; None where the version cannot be had."""

DEFAULT_LIMITS = Accumulator()
"""Of a device that no workflow runs for."""


def route(
    turn: Turn,
    catalog: Catalog,
    event: DeviceEvent,
    *,
    key: bytes,
    entry_id: str,
    replay: bool,
    retention_ms: int,
) -> Disposition:
    """Apply one device event. The disposition is in the turn as well."""
    assert event.device is not None
    if _is_duplicate(turn, key, replay):
        return _close(turn, Disposition(event, key, "duplicate", turn.now_ms))
    device = turn.device(event.device)
    device.last_ms = turn.now_ms
    running = _running(turn, catalog, device)
    starters = catalog.starters(event.type)
    if not (catalog.knowing(event.type) or _is_known(running, event.type)):
        message = f"no published workflow declares, waits for or starts with events of type {event.type!r}"
        return dead_letter(turn, event, key, "unknownEventType", message)
    body = b'%b,"n":%d}' % (event.encoded()[:-1], device.next)
    deciding = next(
        (program for _, program in running if program is not None), starters[0] if starters else None
    )
    limits = DEFAULT_LIMITS if deciding is None else deciding.accumulator
    overflow = _make_room(turn, device, limits, len(body), retention_ms)
    if overflow is not None:
        return _refuse(turn, device, event, key, overflow)
    return _apply(turn, catalog, device, event, key, body, running, entry_id)


def _apply(
    turn: Turn,
    catalog: Catalog,
    device: Device,
    event: DeviceEvent,
    key: bytes,
    body: bytes,
    running: Running,
    entry_id: str,
) -> Disposition:
    sequence = device.next
    takers, holders, problems = _offer(turn, catalog, running, event, sequence)
    started, refused = _start(turn, catalog, device, event, entry_id)
    problems += refused
    if turn.pending:
        execution.settle(turn, catalog)
    policy = "buffer"
    if not started and not takers and not holders:
        policy = _after_completion(catalog, device, event.type)
        # A dead letter is not accumulated: replayed, it would be there twice.
        if problems:
            return dead_letter(turn, event, key, "schema", "; ".join(problems))
        if policy == "deadLetter":
            message = f"the workflow of device {device.id!r} has ended and takes no more {event.type!r}"
            return dead_letter(turn, event, key, "afterCompletion", message)
    device.append(len(body), turn.now_ms)
    if event.sequence is not None:
        device.last_sequence = max(event.sequence, device.last_sequence or event.sequence)
    turn.accumulated.append((device.id, sequence, body))
    reason = _set_apart(turn, [*holders, *started]) if holders or turn.poison else None
    if started or takers:
        quarantine.share(turn, holders)
        kind = "started" if started else "consumed"
        by = (*started, *takers)
        return _close(turn, Disposition(event, key, kind, turn.now_ms, sequence, by, reason))
    if holders:
        return _close(turn, Disposition(event, key, "buffered", turn.now_ms, sequence, reason=reason))
    if policy == "ignore":
        return _close(
            turn, Disposition(event, key, "ignored", turn.now_ms, sequence, reason="the workflow has ended")
        )
    device.keep(event.type)
    turn.available.append((device.id, sequence, event))
    return _close(turn, Disposition(event, key, "buffered", turn.now_ms, sequence))


def dead_letter(turn: Turn, event: DeviceEvent, key: bytes, reason: str, message: str) -> Disposition:
    """End an event as a dead letter."""
    turn.dead.append(
        json_bytes(
            {"reason": reason, "message": message, "time_ms": turn.now_ms, "event": cloud_event(event)}
        )
    )
    return _close(turn, Disposition(event, key, "deadLettered", turn.now_ms, reason=message))


def dead_letter_raw(turn: Turn, raw: bytes, reason: str, message: str, pointer: str = "") -> None:
    """An entry that is no event or record: kept as it came, with the reason."""
    turn.dead.append(
        json_bytes(
            {
                "reason": reason,
                "message": message,
                "pointer": pointer,
                "time_ms": turn.now_ms,
                "raw": raw[:262_144].decode("utf-8", "replace"),
            }
        )
    )


def cloud_event(event: DeviceEvent) -> dict[str, Any]:
    """The CloudEvents form of an event, as it can be pushed again."""
    wire: dict[str, Any] = {"specversion": "1.0", "id": event.id, "source": event.source, "type": event.type}
    for name, value in (("subject", event.device), ("time", event.time), ("data", event.data)):
        if value is not None:
            wire[name] = value
    if event.sequence is not None:
        wire["sequence"] = str(event.sequence)
    return wire | event.extensions


def _is_duplicate(turn: Turn, key: bytes, replay: bool) -> bool:
    """An event that was refused has changed nothing, so it may come again; a dead letter when it is replayed."""
    found = turn.batch.seen.get(key)
    if found is None:
        return False
    before = orjson.loads(found)[0]
    return not (before == "rejected" or (replay and before == "deadLettered"))


def _running(turn: Turn, catalog: Catalog, device: Device) -> Running:
    """What runs for a device. A version that cannot be had is for the offer to tell: it quarantines the instance."""
    running: Running = []
    for id in device.running:
        instance = turn.instance(id)
        if instance is not None:
            try:
                running.append((instance, execution.program_of(catalog, instance)))
            except (execution.UnknownProgram, BrokenDefinition):
                running.append((instance, None))
    return running


def _is_known(running: Running, event_type: str) -> bool:
    """Whether one of the instances knows of such events."""
    for instance, program in running:
        if waits_for(instance, event_type) if program is None else program.knows_event(event_type):
            return True
    return False


def _make_room(turn: Turn, device: Device, limits: Accumulator, size: int, retention_ms: int) -> str | None:
    """None when the event fits (older ones may have gone), else the policy that refuses it."""
    if device.oldest_ms is not None and device.oldest_ms < turn.now_ms - retention_ms:
        _expire(
            turn, device, _first_since(turn, device, turn.now_ms - retention_ms), "older than the retention"
        )
    room = limits.max_events - device.count
    is_nearly_full = room <= AHEAD or device.bytes + AHEAD * size > limits.max_bytes
    device.may_drop = is_nearly_full and limits.overflow == "dropOldest"
    if room > 0 and device.bytes + size <= limits.max_bytes:
        return None
    if limits.overflow != "dropOldest" or size > limits.max_bytes:
        return "reject" if limits.overflow == "dropOldest" else limits.overflow
    first, count, kept = device.first, device.count, device.bytes
    for n, event_size, _ in turn.batch.each_oldest(device):
        if count < limits.max_events and kept + size <= limits.max_bytes:
            break
        first, count, kept = n + 1, count - 1, kept - event_size
    _expire(turn, device, first, "dropped by the accumulator's overflow policy")
    return None


def _first_since(turn: Turn, device: Device, since_ms: int) -> int:
    for n, _, received_ms in turn.batch.each_oldest(device):
        if received_ms >= since_ms:
            return n
    return device.next


def _expire(turn: Turn, device: Device, first: int, reason: str) -> None:
    if device.kept:
        for n, event in execution.available_below(turn, device.id, first):
            device.take(event.type)
            key = event_key(event.source, event.id)
            turn.dispositions.append(Disposition(event, key, "expired", turn.now_ms, n, reason=reason))
    turn.batch.know_oldest(device, first)
    device.dropped += device.drop_before(first)
    turn.dropped[device.id] = first


def clear(turn: Turn, device_id: str, up_to: int) -> int:
    """Empty the accumulator up to a sequence, as `device.clear` asks; how many events went."""
    if turn.batch.device(device_id) is None:
        return 0
    device = turn.device(device_id)
    first = min(up_to + 1, device.next)
    if first <= device.first:
        return 0
    for n, event in execution.available_below(turn, device_id, first) if device.kept else ():
        device.take(event.type)
        key = event_key(event.source, event.id)
        turn.dispositions.append(Disposition(event, key, "cleared", turn.now_ms, n))
    turn.batch.know_oldest(device, first)
    count = device.drop_before(first)
    turn.dropped[device_id] = first
    return count


def _refuse(turn: Turn, device: Device, event: DeviceEvent, key: bytes, policy: str) -> Disposition:
    device.rejected += 1
    message = f"the accumulator of device {device.id!r} is full ({device.count} events, {device.bytes} bytes)"
    if policy == "deadLetter":
        return dead_letter(turn, event, key, "accumulatorFull", message)
    return _close(turn, Disposition(event, key, "rejected", turn.now_ms, reason=message))


def _offer(
    turn: Turn, catalog: Catalog, running: Running, event: DeviceEvent, sequence: int
) -> tuple[list[str], list[str], list[str]]:
    """Who took it, who was quarantined by it and holds it, and why somebody could not take it."""
    takers: list[str] = []
    holders: list[str] = []
    problems: list[str] = []
    for seen, program in running:
        instance = turn.instances.get(seen.id, seen)
        if instance.status != "running" or not waits_for(instance, event.type):
            continue
        problem = None if program is None else program.event_problem(event.type, event.data)
        if problem is not None:
            problems.append(f"{instance.definition}: {problem}")
            continue
        answer = execution.offer(turn, catalog, program, instance, event, sequence)
        if answer == "consumed":
            takers.append(instance.id)
        elif answer == "held":
            holders.append(instance.id)
    return takers, holders, problems


def _set_apart(turn: Turn, touched: list[str]) -> str | None:
    """Who of these is quarantined now, as the reason of a disposition."""
    apart = [id for id in touched if turn.instances[id].status == "quarantined"]
    return f"quarantined by it, held there: {', '.join(apart)}" if apart else None


def _start(
    turn: Turn, catalog: Catalog, device: Device, event: DeviceEvent, entry_id: str
) -> tuple[list[str], list[str]]:
    started: list[str] = []
    problems: list[str] = []
    for program in catalog.starters(event.type):
        if device.runs(program.id) is not None:
            continue
        if program.id in device.ended and program.after_completion != "restart":
            continue
        problem = _start_one(turn, catalog, program, device, event, entry_id, started)
        if problem is not None:
            problems.append(f"{program.id}: {problem}")
    return started, problems


def _start_one(
    turn: Turn,
    catalog: Catalog,
    program: Program,
    device: Device,
    event: DeviceEvent,
    entry_id: str,
    started: list[str],
) -> str | None:
    problem = program.event_problem(event.type, event.data)
    if problem is not None:
        return problem
    document, problem = program.start_input(event)
    if problem is not None:
        return problem
    found = program.input_problem(document)
    if found is not None:
        return f"input at {found[1] or '/'}: {found[0]}"
    unique = hashlib.blake2b(f"{entry_id}/{program.id}/{device.id}".encode(), digest_size=8).hexdigest()
    id = instance_id(program.id, unique, turn.batch.partition)
    execution.start(
        turn,
        catalog,
        program,
        id=id,
        device=device.id,
        input=document,
        seed=turn.batch.new_seed(),
        event=event,
        actor=f"event:{event.source}",
    )
    started.append(id)
    return None


def _after_completion(catalog: Catalog, device: Device, event_type: str) -> str:
    for program in catalog.starters(event_type):
        if program.id in device.ended and device.runs(program.id) is None:
            return program.after_completion
    return "buffer"


def _close(turn: Turn, disposition: Disposition) -> Disposition:
    turn.dispositions.append(disposition)
    return disposition
