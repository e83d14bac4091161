"""Instances under the engine: starting them, delivering records to them, carrying out what was decided.

One record goes through `deliver`; what it makes for other instances (a child's end) is applied in the same turn.
"""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any, assert_never

import orjson
from stepwell_interpreter.decide import Decision, decide
from stepwell_interpreter.matching import matches
from stepwell_interpreter.program import Program
from stepwell_schemas import history
from stepwell_schemas.cloudevents import event_key
from stepwell_schemas.commands import (
    CancelActivity,
    CancelChild,
    ClearTimer,
    Command,
    RunActivity,
    SetTimer,
    StartChild,
)
from stepwell_schemas.event import DeviceEvent
from stepwell_schemas.instance import TERMINAL, Instance, new_instance, to_wire
from stepwell_schemas.json_writer import json_bytes
from stepwell_schemas.records import (
    ActivityCompleted,
    ActivityFailed,
    AttemptLost,
    CancelRequested,
    ChildEnded,
    EventOffered,
    InstanceStarted,
    Record,
)

from stepwell_engine import alarms, quarantine
from stepwell_engine.catalog import BrokenDefinition, Catalog
from stepwell_engine.kept import in_order
from stepwell_engine.turn import Disposition, Turn

log = logging.getLogger("stepwell.engine")

DISPATCH_DEADLINE_MS = 15_000
"""How long a job may go unclaimed before the sweeper looks whether it is still queued."""

MAX_CHAIN = 100_000
"""Records one turn may make for other instances; more means two workflows that feed each other without end."""


class UnknownProgram(LookupError):
    """An instance names a version that is not stored."""


def program_of(catalog: Catalog, instance: Instance) -> Program:
    """The program an instance is pinned to. Raises UnknownProgram."""
    program = catalog.program(instance.definition, instance.version)
    if program is None:
        raise UnknownProgram(
            f"instance {instance.id} runs {instance.definition} {instance.version}, which is not stored"
        )
    return program


def start(
    turn: Turn,
    catalog: Catalog,
    program: Program,
    *,
    id: str,
    device: str | None,
    input: Any,
    seed: str,
    event: DeviceEvent | None = None,
    actor: str | None = None,
    parent: str | None = None,
) -> None:
    """Begin an instance in this turn."""
    instance = new_instance(
        id=id,
        definition=program.id,
        version=program.version,
        program=program.hash,
        device=device,
        parent=parent,
    )
    if device is not None:
        turn.device(device).begins(id, program.id if parent is None else f"^{program.id}")
    turn.index.append((id, program.id, None, "running", turn.now_ms))
    record = InstanceStarted(time_ms=turn.now_ms, input=input, seed=seed, event=event, actor=actor)
    _step(turn, catalog, program, instance, record)


def deliver(turn: Turn, catalog: Catalog, instance_id: str, record: Record) -> str:
    """Apply one record to one instance and all that follows from it. What `decide` answered, `held` by a quarantined
    instance, or `notFound`."""
    instance = turn.instance(instance_id)
    _forget_attempt(turn, record)
    if instance is None:
        return "notFound"
    answer = _hand_over(turn, catalog, instance, record)
    settle(turn, catalog)
    return answer


def settle(turn: Turn, catalog: Catalog) -> None:
    """Apply what the turn has made for other instances, in order, until there is no more."""
    for _ in range(MAX_CHAIN):
        if not turn.pending:
            return
        target, record = turn.pending.popleft()
        instance = turn.instance(target)
        if instance is not None and instance.status not in TERMINAL:
            _hand_over(turn, catalog, instance, record)
    raise RuntimeError(f"a record led to more than {MAX_CHAIN} others")


def _hand_over(turn: Turn, catalog: Catalog, instance: Instance, record: Record) -> str:
    """To the instance, or to what is held for it; a cancel reaches a quarantined instance too."""
    if instance.status != "quarantined":
        return _step_pinned(turn, catalog, instance, record)
    if not isinstance(record, CancelRequested):
        return quarantine.hold(turn, instance, record)
    held = instance.held
    answer = _step_pinned(turn, catalog, quarantine.lift(turn, instance), record)
    after = turn.instances[instance.id]
    if answer == "held":  # it broke on this as well
        turn.instances[instance.id] = replace(after, held=[*held, *after.held])
    else:
        quarantine.give_back(turn, after, held)
    return answer


def offer(
    turn: Turn,
    catalog: Catalog,
    program: Program | None,
    instance: Instance,
    event: DeviceEvent,
    sequence: int,
) -> str:
    """Offer a device's event to a running instance: `consumed`, `none`, or `held` where it broke on it.

    `program` is the one it is pinned to; None where that cannot be had.
    """
    record = EventOffered(turn.now_ms, event, sequence)
    if program is None or not instance.revision:
        return _step_pinned(turn, catalog, instance, record)
    return _step(turn, catalog, program, instance, record)


def _step_pinned(turn: Turn, catalog: Catalog, instance: Instance, record: Record) -> str:
    """A step under the version the instance is pinned to; without that version it is quarantined."""
    try:
        program = program_of(catalog, instance)
    except (UnknownProgram, BrokenDefinition) as error:
        log.error("%s", error)
        return quarantine.set_apart(turn, instance, record, error)
    if not instance.revision:
        instance = replace(instance, created_ms=0)  # it broke at its start: nothing of it is in its history
    return _step(turn, catalog, program, instance, record)


def _step(
    turn: Turn,
    catalog: Catalog,
    program: Program,
    instance: Instance,
    record: Record,
    *,
    look_back: bool = True,
) -> str:
    """`look_back` False: the caller offers the device's kept events itself, so that nothing recurses."""
    outer, turn.steps = turn.stepping, turn.steps + 1
    this = turn.stepping = (turn.steps, instance.id)
    if turn.poison and this in turn.poison:
        answer = quarantine.set_apart(turn, instance, record, turn.poison[this])
        turn.stepping = outer
        return answer
    decision = decide(program, instance, record)
    if decision.answer in ("none", "ended"):
        turn.stepping = outer
        return decision.answer
    decided = decision.instance
    if turn.batch.careful:
        orjson.dumps(to_wire(decided))
    turn.instances[decided.id] = decided
    _write_history(turn, decision, record)
    for command in decision.commands:
        _carry_out(turn, catalog, decided, command)
    alarms.follow(turn, instance, decision)
    if decided.status != instance.status:
        turn.index.append(
            (decided.id, decided.definition, instance.status, decided.status, decided.created_ms)
        )
        if decided.status in TERMINAL:
            _end(turn, decided)
    elif look_back and decided.device is not None and turn.device(decided.device).kept:
        look_at_kept(turn, catalog, program, decided.id)
    turn.stepping = outer
    return decision.answer


def _write_history(turn: Turn, decision: Decision, record: Record) -> None:
    instance = decision.instance
    entry = history.written(
        instance.revision, record, decision.trace, decision.patch, instance.program, instance.history_hash
    )
    instance.history_hash = hashlib.blake2b(entry, digest_size=16).hexdigest()
    turn.history.append((instance.id, entry))


def _carry_out(turn: Turn, catalog: Catalog, instance: Instance, command: Command) -> None:
    match command:
        case RunActivity():
            _run_activity(turn, instance, command)
        case CancelActivity():
            _forget(turn, command.token)
        case SetTimer() | ClearTimer():
            pass  # `alarms.follow` looks at what has become of each timer
        case StartChild():
            _start_child(turn, catalog, instance, command)
        case CancelChild():
            record = CancelRequested(
                time_ms=turn.now_ms,
                reason=command.reason,
                actor=f"workflow:{instance.id}",
                compensate=command.compensate,
            )
            turn.pending.append((command.child, record))
        case _:
            assert_never(command)


def _run_activity(turn: Turn, instance: Instance, command: RunActivity) -> None:
    payload = {
        "partition": turn.batch.partition,
        "instance": instance.id,
        "definition": instance.definition,
        "version": instance.version,
        "device": instance.device,
        "attempt": command.attempt,
        "token": command.token,
        "activity": command.activity,
        "queue": command.queue,
        "input": command.input,
        "idempotencyKey": command.idempotency_key,
        "state": command.state,
        "number": command.number,
        "timeoutMs": command.timeout_ms,
        "heartbeatMs": command.heartbeat_ms,
        "callbackToken": None
        if command.callback_token is None
        else f"{instance.id}.{command.callback_token}",
    }
    if command.integration is not None:
        payload["integration"] = command.integration
    turn.attempts[command.token] = (json_bytes(payload), turn.now_ms + DISPATCH_DEADLINE_MS)
    turn.outbox.append(
        {
            "token": command.token,
            "queue": command.queue,
            "timeout": command.timeout_ms,
            "front": command.priority > 0,
            "what": f"{command.activity} for {instance.id}",
        }
    )


def _start_child(turn: Turn, catalog: Catalog, parent: Instance, command: StartChild) -> None:
    program = catalog.resolve(command.definition)
    problem: str | None = None
    if program is None:
        problem = f"there is no workflow {command.definition!r}"
    else:
        found = program.input_problem(command.input)
        if found is not None:
            problem = f"input of {command.definition!r} at {found[1] or '/'}: {found[0]}"
    if program is None or problem is not None:
        record = ChildEnded(
            time_ms=turn.now_ms,
            child=command.child,
            status="failed",
            error="States.Runtime",
            cause=problem or "",
        )
        turn.pending.append((parent.id, record))
        return
    start(
        turn,
        catalog,
        program,
        id=command.child,
        device=parent.device,
        input=command.input,
        seed=hashlib.blake2b(f"{parent.seed}/{command.child}".encode(), digest_size=16).hexdigest(),
        actor=f"workflow:{parent.id}",
        parent=parent.id,
    )


def _end(turn: Turn, instance: Instance) -> None:
    if instance.device is not None:
        device = turn.device(instance.device)
        device.ends(instance.id, instance.definition if instance.parent is None else None)
        turn.runs.append((instance.device, instance.id, instance.created_ms))
    if instance.parent is not None:
        record = ChildEnded(
            time_ms=turn.now_ms,
            child=instance.id,
            status=instance.status,
            output=instance.output,
            error=instance.error,
            cause=instance.cause or "",
        )
        turn.pending.append((instance.parent, record))


def look_at_kept(turn: Turn, catalog: Catalog, program: Program, instance_id: str) -> None:
    """A wait that has just opened looks at the device's unconsumed events first, oldest first."""
    instance = turn.instances[instance_id]
    assert instance.device is not None
    device = turn.device(instance.device)
    waits: list[tuple[str, Any]] = []
    fitting: list[tuple[int, DeviceEvent]] = []
    place = 0
    while device.kept and (now := turn.instances[instance_id]).status == "running":
        standing = [(wait.type, wait.match) for frame in now.frames.values() for wait in frame.waits]
        if standing != waits:  # what has opened may want an event that was passed over
            waits, place = standing, 0
            wanted = [(type, match) for type, match in standing if type in device.kept]
            fitting = available(turn, instance.device, wanted) if wanted else []
        if place == len(fitting):
            return
        sequence, event = fitting[place]
        taken = program.event_problem(event.type, event.data) is None and _offer_one(
            turn, catalog, program, now, EventOffered(turn.now_ms, event, sequence)
        )
        if taken:
            del fitting[place]
            place = 0
        else:
            place += 1


def _offer_one(
    turn: Turn, catalog: Catalog, program: Program, instance: Instance, record: EventOffered
) -> bool:
    """Whether the event was taken."""
    device = turn.device(instance.device or "")
    sequence = record.sequence or 0
    marks = len(turn.consumed)
    turn.consumed.append((device.id, sequence))
    device.take(record.event.type)
    answer = _step(turn, catalog, program, instance, record, look_back=False)
    if answer == "consumed":
        turn.dispositions.append(consumed_later(turn.now_ms, record.event, sequence, instance.id))
    if answer in ("consumed", "held"):
        return True
    del turn.consumed[marks]
    device.keep(record.event.type)
    return False


def available(turn: Turn, device: str, wanted: Sequence[tuple[str, Any]]) -> list[tuple[int, DeviceEvent]]:
    """A device's unconsumed events that fit one of these (type, match), oldest first as this turn sees them; by
    `sequence` where they carry one. Whether a wait takes one is for `decide` to say."""
    fitting = [
        (n, event)
        for n, event in _kept(turn, device)
        if any(type == event.type and (not match or matches(event.data, match)) for type, match in wanted)
    ]
    return sorted(fitting, key=lambda pair: (pair[1].sequence is None, pair[1].sequence or 0, pair[0]))


def available_below(turn: Turn, device: str, first: int) -> list[tuple[int, DeviceEvent]]:
    """A device's unconsumed events before a sequence, oldest first."""
    return list(takewhile(lambda pair: pair[0] < first, _kept(turn, device)))


def _kept(turn: Turn, device: str) -> Iterator[tuple[int, DeviceEvent]]:
    kept = turn.batch.available(device)
    offered = {n: event for owner, n, event in turn.available if owner == device}
    gone = {n for owner, n in turn.consumed if owner == device}
    first = turn.dropped.get(device, 0)
    if offered:
        kept = in_order(dict(kept), offered, gone, first)
    for n, event in kept:
        if n >= first and n not in gone:
            yield n, event


def consumed_later(now_ms: int, event: DeviceEvent, sequence: int, by: str) -> Disposition:
    """The disposition of a kept event that a later wait has taken."""
    return Disposition(
        event=event,
        key=event_key(event.source, event.id),
        kind="consumed",
        at_ms=now_ms,
        sequence=sequence,
        by=(by,),
    )


def _forget_attempt(turn: Turn, record: Record) -> None:
    if isinstance(record, ActivityCompleted | ActivityFailed | AttemptLost):
        _forget(turn, record.token)


def _forget(turn: Turn, token: str) -> None:
    turn.attempts[token] = None
    turn.outbox = [command for command in turn.outbox if command["token"] != token]
