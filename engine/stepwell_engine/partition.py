"""One owned partition: its positions, its caches, and how a batch of arrivals becomes one commit.

Nothing here talks to a queue or waits; the loop brings what has arrived and carries the commit to the store.
"""

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from stepwell_interpreter.decide import heartbeat_token
from stepwell_schemas import records
from stepwell_schemas.cloudevents import EventRejected
from stepwell_schemas.event import DeviceEvent
from stepwell_schemas.instance import TERMINAL, Instance
from stepwell_schemas.records import AttemptLost, Record, TimerFired
from stepwell_store.errors import CorruptValue, StoreError
from stepwell_store.protocol import (
    Claim,
    Commit,
    DueAttempt,
    DueTimer,
    Entry,
    Loaded,
    Ownership,
    Store,
    Wanted,
)

from stepwell_engine import execution, operations, routing
from stepwell_engine.catalog import Catalog
from stepwell_engine.device import Device
from stepwell_engine.turn import (
    CACHED_DEVICES,
    CACHED_INSTANCES,
    Batch,
    Cache,
    Loader,
    Turn,
    decode_device,
    decode_instance,
)

log = logging.getLogger("stepwell.engine")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A door entry for this partition, already parsed: an event, or why it is none."""

    id: str
    event: DeviceEvent | None
    rejected: EventRejected | None
    raw: bytes
    key: bytes = b""
    replay: bool = False


@dataclass(slots=True)
class Work:
    """What has arrived for a partition since its last commit."""

    door: list[Arrival] = field(default_factory=list)
    inbox: list[Entry] = field(default_factory=list)
    timers: list[DueTimer] = field(default_factory=list)
    claims: dict[tuple[str, str], Claim] = field(default_factory=dict)
    attempts: list[DueAttempt] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.door or self.inbox or self.timers or self.attempts)


class Partition:
    """The owner's side of a partition. Single-threaded; dropped as a whole when the lease is lost."""

    def __init__(self, ownership: Ownership, store: Store, catalog: Catalog, retention_ms: int) -> None:
        self.number = ownership.partition
        self.epoch = ownership.epoch
        self.revision = ownership.revision
        self.inbox = ownership.inbox
        self.door = ownership.door
        self.committed_door = ownership.door
        self.dispatched = ownership.dispatched
        self.dispatched_to: str | None = None
        self.next_due_ms = ownership.next_due_ms
        self.sweep_at_ms = 0
        self._catalog = catalog
        self._loader = Loader(store)
        self._instances: Cache[Instance] = Cache(CACHED_INSTANCES)
        self._devices: Cache[Device] = Cache(CACHED_DEVICES)
        self._retention_ms = retention_ms
        self._last_ms = 0

    # -- what a batch needs from the store -----------------------------------------------------------------

    def wants(self, work: Work) -> Wanted:
        """Dedupe marks, devices and instances of this batch that are not cached."""
        devices = {event.device for arrival in work.door if (event := arrival.event) and event.device}
        instances = {timer.instance for timer in work.timers}
        for entry in work.inbox:
            self._name(entry, devices, instances)
        return Wanted(
            partition=self.number,
            instances=[id for id in instances if id not in self._instances],
            devices=[id for id in devices if id not in self._devices],
            seen=[arrival.key for arrival in work.door if arrival.event is not None],
        )

    def wants_running(self, work: Work) -> Wanted | None:
        """Second look, once the devices are there: the instances they run."""
        missing: dict[str, None] = {}
        for arrival in work.door:
            device = arrival.event and self._devices.get(arrival.event.device or "")
            if device:
                missing.update((id, None) for id in device.running if id not in self._instances)
        return Wanted(partition=self.number, instances=list(missing)) if missing else None

    def take(self, wanted: Wanted, loaded: Loaded) -> None:
        """Cache what was loaded; what cannot be read is left for the turn that needs it, to be named there."""
        for id in wanted.instances:
            raw = loaded.instances.get(id)
            if raw is None:
                self._instances.put(id, None)
                continue
            try:
                self._instances.put(id, decode_instance(id, raw))
            except CorruptValue as error:
                log.error("%s", error)
        for id in wanted.devices:
            raw = loaded.devices.get(id)
            if raw is None:
                self._devices.put(id, None)
                continue
            try:
                self._devices.put(id, decode_device(id, raw))
            except CorruptValue as error:
                log.error("%s", error)

    def _name(self, entry: Entry, devices: set[str], instances: set[str]) -> None:
        try:
            operation = orjson.loads(entry.fields.get(b"r", b""))
            if operation.get("instance"):
                instances.add(operation["instance"])
            if operation.get("device"):
                devices.add(operation["device"])
        except (ValueError, AttributeError, TypeError):
            return  # the turn that applies it makes it a dead letter

    def heartbeat_token(self, timer: DueTimer) -> str | None:
        """The attempt a heartbeat timer watches; None for any other timer."""
        instance = self._instances.get(timer.instance)
        return None if instance is None else heartbeat_token(instance, timer.timer)

    # -- a batch -------------------------------------------------------------------------------------------

    def decide(self, work: Work, loaded: Loaded, now_ms: int) -> tuple[Commit, Batch]:
        """Apply everything in order of arrival. The commit is complete but for nothing."""
        now_ms = self._last_ms = max(now_ms, self._last_ms)
        batch = Batch(self.number, self._instances, self._devices, self._loader)
        batch.seen.update(loaded.seen)
        known = set(loaded.seen)
        for timer in work.timers:
            self._fire(batch, timer, work.claims, now_ms)
        for attempt in work.attempts:
            self._lose(batch, attempt, now_ms)
        for item in _in_order(work):
            if isinstance(item, Arrival):
                self._arrive(batch, item, now_ms)
            else:
                self._operate(batch, item, now_ms)
        for key in known:
            if batch.seen.get(key) == loaded.seen[key]:
                del batch.seen[key]
        return self._seal(batch, work, now_ms), batch

    def _seal(self, batch: Batch, work: Work, now_ms: int) -> Commit:
        commit = batch.close()
        commit.epoch, commit.revision, commit.time_ms = self.epoch, self.revision, now_ms
        commit.token = os.urandom(8).hex()
        commit.inbox = work.inbox[-1].id if work.inbox else self.inbox
        commit.door = self.door
        commit.dispatched = self.dispatched_to
        return commit

    def idle_commit(self, now_ms: int) -> Commit | None:
        """Moves the door's position and trims the outbox where nothing else did; None when there is nothing."""
        if self.door == self.committed_door and self.dispatched_to is None:
            return None
        return self._seal(Batch(self.number, self._instances, self._devices, self._loader), Work(), now_ms)

    def committed(self, commit: Commit, batch: Batch | None, next_due_ms: int | None) -> None:
        """The commit is durable: move on."""
        self.revision += 1
        self.inbox = commit.inbox
        self.committed_door = commit.door
        if commit.dispatched is not None:
            self.dispatched, self.dispatched_to = commit.dispatched, None
        self.next_due_ms = next_due_ms
        if batch is not None:
            batch.remember()

    # -- turns ---------------------------------------------------------------------------------------------

    def _arrive(self, batch: Batch, arrival: Arrival, now_ms: int) -> None:
        event = arrival.event

        def act(turn: Turn) -> None:
            if event is None:
                assert arrival.rejected is not None
                rejected = arrival.rejected
                routing.dead_letter_raw(
                    turn, arrival.raw, rejected.reason, rejected.message, rejected.pointer
                )
            elif event.device is None:
                message = "the event has no `subject`, so it belongs to no device"
                routing.dead_letter(turn, event, arrival.key, "noDevice", message)
            else:
                routing.route(
                    turn,
                    self._catalog,
                    event,
                    key=arrival.key,
                    entry_id=arrival.id,
                    replay=arrival.replay,
                    retention_ms=self._retention_ms,
                )

        def poisoned(turn: Turn, error: Exception) -> None:
            if event is None:
                routing.dead_letter_raw(turn, arrival.raw, "engineError", repr(error))
            else:
                routing.dead_letter(turn, event, arrival.key, "engineError", repr(error))

        self._turn(batch, now_ms, act, poisoned)

    def _operate(self, batch: Batch, entry: Entry, now_ms: int) -> None:
        raw = entry.fields.get(b"r", b"")

        def act(turn: Turn) -> None:
            operations.apply(turn, self._catalog, operations.parse(raw))

        def poisoned(turn: Turn, error: Exception) -> None:
            self._poisoned_operation(turn, raw, error)

        self._turn(batch, now_ms, act, poisoned)

    def _fire(self, batch: Batch, timer: DueTimer, claims: dict[tuple[str, str], Claim], now_ms: int) -> None:
        claim = claims.get((timer.instance, timer.timer))
        record = TimerFired(
            time_ms=now_ms,
            timer=timer.timer,
            due_ms=timer.due_ms,
            started_ms=claim.started_ms if claim else None,
            heartbeat_ms=claim.sign_ms if claim else None,
        )

        def act(turn: Turn) -> None:
            turn.timers[(timer.instance, timer.timer)] = None
            execution.deliver(turn, self._catalog, timer.instance, record)

        def poisoned(turn: Turn, error: Exception) -> None:
            turn.timers[(timer.instance, timer.timer)] = None
            self._quarantine(turn, timer.instance, record, error)

        self._turn(batch, now_ms, act, poisoned)

    def _lose(self, batch: Batch, attempt: DueAttempt, now_ms: int) -> None:
        payload = orjson.loads(attempt.payload)
        worker = attempt.claim.worker if attempt.claim else "no worker"
        record = AttemptLost(
            time_ms=now_ms,
            attempt=payload["attempt"],
            token=attempt.token,
            reason=f"{worker} gave no sign of life",
        )

        def act(turn: Turn) -> None:
            execution.deliver(turn, self._catalog, payload["instance"], record)

        def poisoned(turn: Turn, error: Exception) -> None:
            turn.attempts[attempt.token] = None
            self._quarantine(turn, payload["instance"], record, error)

        self._turn(batch, now_ms, act, poisoned)

    def _turn(
        self,
        batch: Batch,
        now_ms: int,
        act: Callable[[Turn], None],
        poisoned: Callable[[Turn, Exception], None],
    ) -> None:
        """Run one turn. The store's failures end the batch; anything else is poison, and is kept apart."""
        turn = Turn(batch, now_ms)
        try:
            act(turn)
        except CorruptValue as error:
            turn = self._recover(batch, now_ms, error, poisoned)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - a poisonous record must not stop the other devices
            turn = self._recover(batch, now_ms, error, poisoned)
        batch.accept(turn)

    def _recover(
        self, batch: Batch, now_ms: int, error: Exception, poisoned: Callable[[Turn, Exception], None]
    ) -> Turn:
        log.error("a record made the engine fail and is set apart", exc_info=error)
        turn = Turn(batch, now_ms)
        poisoned(turn, error)
        return turn

    def _poisoned_operation(self, turn: Turn, raw: bytes, error: Exception) -> None:
        try:
            operation = operations.parse(raw)
        except operations.MalformedOperation:
            routing.dead_letter_raw(turn, raw, "malformedRecord", str(error))
            return
        turn.reply(operation.get("reply"), "rejected", message=f"the engine could not apply this: {error}")
        try:
            record = records.from_wire({**operation["record"], "time_ms": turn.now_ms})
        except (KeyError, TypeError, AttributeError):
            routing.dead_letter_raw(turn, raw, "engineError", repr(error))
            return
        self._quarantine(turn, str(operation.get("instance")), record, error)

    def _quarantine(self, turn: Turn, instance_id: str, record: Record, error: Exception) -> None:
        """Set an instance apart with the record that broke it; the record waits there for the release."""
        try:
            instance = turn.instance(instance_id)
        except CorruptValue as corrupt:
            instance, error = None, corrupt
        if instance is None or instance.status in TERMINAL:
            body = orjson.dumps({"instance": instance_id, "record": records.to_wire(record)})
            routing.dead_letter_raw(turn, body, "engineError", repr(error))
            return
        if instance.status != "quarantined":
            turn.index.append(
                (instance.id, instance.definition, instance.status, "quarantined", instance.created_ms)
            )
        turn.instances[instance.id] = replace(
            instance,
            status="quarantined",
            error="Stepwell.EngineError",
            cause=f"{type(error).__name__}: {error}"[:4_096],
            held=[*instance.held, records.to_wire(record)],
            updated_ms=turn.now_ms,
        )


def _in_order(work: Work) -> Sequence[Arrival | Entry]:
    """Both logs merged by the server's time of arrival; each log's own order is kept."""
    if not work.inbox:
        return work.door
    if not work.door:
        return work.inbox
    both: list[Any] = [*work.inbox, *work.door]
    return sorted(both, key=lambda item: _position(item.id))


def _position(id: str) -> tuple[int, int]:
    ms, _, n = id.partition("-")
    return int(ms), int(n)
