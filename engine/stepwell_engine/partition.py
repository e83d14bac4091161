"""One owned partition: its positions, its caches, and how a batch of arrivals becomes one commit.

Nothing here talks to a queue or waits; the loop brings what has arrived and carries the commit to the store.
"""

import logging
import math
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import orjson
from stepwell_interpreter.decide import heartbeat_token, timer_in
from stepwell_schemas.instance import Instance
from stepwell_schemas.json_writer import json_bytes
from stepwell_schemas.records import AttemptLost, TimerFired
from stepwell_store.batches import Commit, Entry, Loaded, Wanted
from stepwell_store.errors import StoreUnavailable
from stepwell_store.protocol import Alarm, Claim, DueAttempt, Ownership, Store

from stepwell_engine import alarms, execution, loading, operations, quarantine, routing
from stepwell_engine.alarms import FiringTimer
from stepwell_engine.cache import CACHED_BYTES, Cache
from stepwell_engine.catalog import Catalog
from stepwell_engine.device import Device
from stepwell_engine.loading import Loader
from stepwell_engine.turn import Batch, Step, Turn
from stepwell_engine.work import Arrival, Work

log = logging.getLogger("stepwell.engine")

STANDSTILL_MS = 10_000
"""A clock set back by no more than this stands still instead."""

MOST_POISONED = 100
"""Instances that one record may quarantine; beyond that the record itself is to blame."""


class Partition:
    """The owner's side of a partition. Single-threaded; dropped as a whole when the lease is lost."""

    def __init__(
        self,
        ownership: Ownership,
        store: Store,
        catalog: Catalog,
        retention_ms: int,
        entropy: Callable[[int], bytes] = os.urandom,
        confirm: Callable[[], None] = lambda: None,
    ) -> None:
        """`confirm` waits for a commit on its way: it is called before the store is read within a batch."""
        self.number = ownership.partition
        self.epoch = ownership.epoch
        self.revision = ownership.revision
        self.inbox = ownership.inbox
        self.reading = ownership.inbox
        """How far the inbox was read; `inbox` is how far it was decided."""
        self.door = ownership.door
        self.committed_door = ownership.door
        self.dispatched = ownership.dispatched
        self.dispatched_to: str | None = None
        self.next_due_ms = ownership.next_due_ms
        self._catalog = catalog
        self._loader = Loader(store, confirm)
        self._instances: Cache[Instance] = Cache(CACHED_BYTES)
        self._devices: Cache[Device] = Cache(CACHED_BYTES)
        self._on_its_way: dict[bytes, bytes] = {}
        """Dedupe marks of the batch that was decided last: the store may not have them yet."""
        self._retention_ms = retention_ms
        self._entropy = entropy
        self._last_ms = 0

    # -- what a batch needs from the store -----------------------------------------------------------------

    def wants(self, work: Work) -> Wanted:
        """Dedupe marks, devices and instances of this batch that are not cached. A device brings what it runs; of one
        that is cached it is what its events will drop."""
        devices: dict[str, int] = {}
        for arrival in work.door:
            if (event := arrival.event) and event.device:
                devices[event.device] = devices.get(event.device, 0) + 1
        instances = dict.fromkeys(timer.instance for timer in work.timers)
        seen = [arrival.key for arrival in work.door if arrival.event is not None]
        for entry in work.inbox:
            self._name(entry, devices, instances, seen)
        unknown: list[str] = []
        behind: dict[str, int] = {}
        for id, events in devices.items():
            known = self._devices.find(id)
            if known is None:
                unknown.append(id)
            elif (device := known[0]) is not None:
                instances.update(dict.fromkeys(device.running))
                if device.lacks(events):
                    behind[id] = device.known_to
        return Wanted(
            partition=self.number,
            instances=[id for id in instances if id not in self._instances],
            devices=unknown,
            behind=behind,
            seen=seen,
        )

    def take(self, wanted: Wanted, loaded: Loaded) -> None:
        """Cache what was loaded. It may have been loaded before the last batch was written: that batch's marks count,
        and what it changed is cached and so was not asked for."""
        for key in self._on_its_way.keys() & wanted.seen:
            loaded.seen[key] = self._on_its_way[key]
        loading.take(wanted, loaded, self._instances, self._devices)

    def _name(
        self, entry: Entry, devices: dict[str, int], instances: dict[str, None], seen: list[bytes]
    ) -> None:
        try:
            operation = orjson.loads(entry.fields.get(b"r", b""))
            instance, device = operation.get("instance"), operation.get("device")
            if isinstance(instance, str):
                instances[instance] = None
            if isinstance(device, str):
                devices.setdefault(device, 0)
            key = operations.once_key(operation)
            if key is not None:
                seen.append(key)
        except (ValueError, AttributeError, TypeError):
            return  # the turn that applies it makes it a dead letter

    def heartbeat_token(self, timer: Alarm) -> str | None:
        """The attempt a heartbeat timer watches; None for any other timer."""
        instance = self._instances.get(timer.instance)
        found = None if instance is None else timer_in(instance, timer.slot)
        return None if instance is None or found is None else heartbeat_token(instance, found[0])

    # -- a batch -------------------------------------------------------------------------------------------

    def decide(self, work: Work, loaded: Loaded, now_ms: int) -> tuple[Commit, Batch]:
        """Apply everything in order of arrival: the commit that is to be made, and the batch it was built from."""
        now_ms = self._logical_ms(now_ms)
        try:
            return self._decide(work, loaded, now_ms, careful=False)
        except StoreUnavailable:
            raise
        except Exception as error:
            # Nothing of it has been remembered, so that it can be decided again.
            log.error("a batch cannot be encoded; it is decided again turn by turn", exc_info=error)
            return self._decide(work, loaded, now_ms, careful=True)

    def _logical_ms(self, now_ms: int) -> int:
        """A clock that is set back a little stands still until it has caught up; one that had jumped ahead and is
        right again is followed, or timers armed meanwhile would all be late by that jump."""
        if now_ms < self._last_ms - STANDSTILL_MS:
            log.warning("the clock went back by %d s; it is followed", (self._last_ms - now_ms) // 1_000)
            self._last_ms = now_ms
        self._last_ms = max(now_ms, self._last_ms)
        return self._last_ms

    def _decide(self, work: Work, loaded: Loaded, now_ms: int, careful: bool) -> tuple[Commit, Batch]:
        batch = Batch(self.number, self._instances, self._devices, self._loader, self._entropy, careful)
        try:
            self._fill(batch, work, loaded, now_ms)
        finally:
            batch.spare = None
        return self._seal(batch, work, now_ms), batch

    def _fill(self, batch: Batch, work: Work, loaded: Loaded, now_ms: int) -> None:
        batch.seen.update(loaded.seen)
        known = set(loaded.seen)
        for item in _in_order(work, alarms.due(batch, work.timers, work.timers_until_ms)):
            match item:
                case Arrival():
                    self._arrive(batch, item, now_ms)
                case Entry():
                    self._operate(batch, item, now_ms)
                case FiringTimer():
                    self._fire(batch, item, work.claims, now_ms)
        for attempt in work.attempts:
            self._lose(batch, attempt, now_ms)
        for key in known:
            if batch.seen.get(key) == loaded.seen[key]:
                del batch.seen[key]

    def _seal(self, batch: Batch, work: Work, now_ms: int) -> Commit:
        commit = batch.close()
        commit.epoch, commit.revision, commit.time_ms = self.epoch, self.revision, now_ms
        commit.token = self._entropy(8).hex()
        commit.inbox = work.inbox[-1].id if work.inbox else self.inbox
        commit.door = self.door
        commit.dispatched = self.dispatched_to
        return commit

    def has_timer_due(self, until_ms: int) -> bool:
        """Whether the first timer is due by then."""
        return self.next_due_ms is not None and self.next_due_ms <= until_ms

    def limit_caches(self, stored_bytes: int) -> None:
        """Keep at most this much, by its stored size."""
        self._instances.limit_bytes = stored_bytes * 3 // 4
        self._devices.limit_bytes = stored_bytes // 4

    def idle_commit(self, now_ms: int) -> tuple[Commit, Batch] | None:
        """Moves the door's position and trims the outbox where nothing else did; None when there is nothing."""
        if self.door == self.committed_door and self.dispatched_to is None:
            return None
        batch = Batch(self.number, self._instances, self._devices, self._loader)
        return self._seal(batch, Work(), now_ms), batch

    def decided(self, commit: Commit, batch: Batch) -> None:
        """Go on from here, before the commit is confirmed; if it fails, the whole partition is dropped."""
        self.revision += 1
        self.inbox = commit.inbox
        self._on_its_way = commit.seen
        self.expect_timers(commit)  # again: the confirmation before has told the store's first one
        batch.remember()

    def expect_timers(self, commit: Commit) -> None:
        """The first timer may be one that this commit arms."""
        if armed := [due_ms for due_ms in commit.timers.values() if due_ms is not None]:
            self.next_due_ms = min(armed if self.next_due_ms is None else [*armed, self.next_due_ms])

    def confirmed(self, commit: Commit, batch: Batch, next_due_ms: int | None) -> None:
        """The commit is durable. The batch after it has not been remembered yet."""
        self.committed_door = commit.door
        if commit.dispatched is not None:
            self.dispatched = commit.dispatched
            if self.dispatched_to == commit.dispatched:
                self.dispatched_to = None
        self.next_due_ms = next_due_ms
        batch.forget_cold()

    # -- turns ---------------------------------------------------------------------------------------------

    def _arrive(self, batch: Batch, arrival: Arrival, now_ms: int) -> None:
        turn = batch.turn(now_ms)
        try:
            self._route(turn, arrival)
            if batch.careful:
                turn.check()
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - poison is of any kind; it is logged and set apart
            act, poisoned = partial(self._route, arrival=arrival), partial(_poisoned_event, arrival)
            turn = self._set_apart(turn, act, poisoned, partial(_told_event, arrival), error)
        batch.accept(turn)

    def _route(self, turn: Turn, arrival: Arrival) -> None:
        event = arrival.event
        if event is None:
            assert arrival.rejected is not None
            rejected = arrival.rejected
            routing.dead_letter_raw(turn, arrival.raw, rejected.reason, rejected.message, rejected.pointer)
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

    def _operate(self, batch: Batch, entry: Entry, now_ms: int) -> None:
        raw = entry.fields.get(b"r", b"")

        def act(turn: Turn) -> None:
            operations.apply(turn, self._catalog, operations.parse(raw))

        def poisoned(turn: Turn, error: Exception) -> None:
            self._poisoned_operation(turn, raw, error)

        self._turn(batch, now_ms, act, poisoned, lambda: raw)

    def _fire(
        self, batch: Batch, timer: FiringTimer, claims: dict[tuple[str, str], Claim], now_ms: int
    ) -> None:
        key = (timer.instance, timer.slot)
        if alarms.timer_of(batch, *key) != (timer.timer, timer.due_ms):
            return  # moved or cleared by what came before it in this batch
        claim = claims.get(key)
        record = TimerFired(
            time_ms=now_ms,
            timer=timer.timer,
            due_ms=timer.due_ms,
            started_ms=claim.started_ms if claim else None,
            heartbeat_ms=claim.sign_ms if claim else None,
        )

        def act(turn: Turn) -> None:
            turn.timers[key] = None
            execution.deliver(turn, self._catalog, timer.instance, record)

        def poisoned(turn: Turn, error: Exception) -> None:
            turn.timers[key] = None
            quarantine.set_apart_by_id(turn, timer.instance, record, error)

        def told() -> bytes:
            return json_bytes({"instance": timer.instance, "timer": timer.timer, "due_ms": timer.due_ms})

        self._turn(batch, now_ms, act, poisoned, told, timer=key)

    def _lose(self, batch: Batch, attempt: DueAttempt, now_ms: int) -> None:
        if attempt.token in batch.writes.attempts:
            return  # its result, or its end, came before in this batch

        def act(turn: Turn) -> None:
            execution.deliver(turn, self._catalog, *_loss(attempt, now_ms))

        def poisoned(turn: Turn, error: Exception) -> None:
            turn.attempts[attempt.token] = None
            quarantine.set_apart_by_id(turn, *_loss(attempt, now_ms), error)

        self._turn(batch, now_ms, act, poisoned, lambda: attempt.payload, token=attempt.token)

    def _turn(
        self,
        batch: Batch,
        now_ms: int,
        act: Callable[[Turn], None],
        poisoned: Callable[[Turn, Exception], None],
        told: Callable[[], bytes],
        *,
        timer: tuple[str, str] | None = None,
        token: str | None = None,
    ) -> None:
        """Run one turn. The store's absence ends the batch; anything else is poison, and is kept apart."""
        turn = batch.turn(now_ms)
        try:
            act(turn)
            if batch.careful:
                turn.check()
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - poison is of any kind; it is logged and set apart
            turn = self._set_apart(turn, act, poisoned, told, error, timer, token)
        batch.accept(turn)

    def _without(self, failed: Turn, act: Callable[[Turn], None], error: Exception) -> Turn | Exception:
        """The turn again, with each instance that made it fail quarantined at that step, all else applied as usual;
        the last error where that leads nowhere."""
        poison: dict[Step, Exception] = {}
        while failed.stepping is not None and failed.stepping not in poison and len(poison) < MOST_POISONED:
            poison[failed.stepping] = error
            log.error("instance %s made the engine fail", failed.stepping[1], exc_info=error)
            turn = Turn(failed.batch, failed.now_ms)
            turn.poison = poison
            try:
                act(turn)
                turn.check()
                return turn
            except StoreUnavailable:
                raise
            except Exception as again:  # noqa: BLE001 - another instance, or the quarantine itself
                failed, error = turn, again
            finally:
                for told in poison.values():
                    told.__traceback__ = None  # it holds the turn, which holds it
        return error

    def _set_apart(
        self,
        failed: Turn,
        act: Callable[[Turn], None],
        poisoned: Callable[[Turn, Exception], None],
        told: Callable[[], bytes],
        error: Exception,
        timer: tuple[str, str] | None = None,
        token: str | None = None,
    ) -> Turn:
        """The turn of what made the engine fail: an instance that is to blame is quarantined, else the record as a
        whole is `poisoned`. Where even that fails, what came is a dead letter, as `told`, and its timer or attempt is
        let go."""
        batch, now_ms = failed.batch, failed.now_ms
        again = self._without(failed, act, error)
        if isinstance(again, Turn):
            return again
        error = again
        log.error("a record made the engine fail and is set apart", exc_info=error)
        error.__traceback__ = None  # it holds the turn that failed
        turn = Turn(batch, now_ms)
        try:
            poisoned(turn, error)
            turn.check()
        except StoreUnavailable:
            raise
        except Exception as second:
            log.error("setting it apart failed too; it is a dead letter", exc_info=second)
            turn = Turn(batch, now_ms)
            if timer is not None:
                turn.timers[timer] = None
            if token is not None:
                turn.attempts[token] = None
            routing.dead_letter_raw(turn, told(), "engineError", f"{error!r}, then {second!r}")
        return turn

    def _poisoned_operation(self, turn: Turn, raw: bytes, error: Exception) -> None:
        try:
            operation = operations.parse(raw)
        except operations.MalformedOperation:
            routing.dead_letter_raw(turn, raw, "malformedRecord", str(error))
            return
        id = operation.get("instance")
        turn.reply(operation.get("reply"), "rejected", message=f"the engine could not apply this: {error}")
        if operation["op"] == "start" and isinstance(id, str):
            turn.unreserved.append(id)
        if isinstance(error, operations.MalformedOperation):
            routing.dead_letter_raw(turn, raw, "malformedRecord", str(error))
        elif operation["op"] == "deliver":
            record = operations.read_record(operation.get("record"), turn.now_ms)
            quarantine.set_apart_by_id(turn, str(id), record, error)
        else:
            routing.dead_letter_raw(turn, raw, "engineError", repr(error))


def _told_event(arrival: Arrival) -> bytes:
    return arrival.raw


def _poisoned_event(arrival: Arrival, turn: Turn, error: Exception) -> None:
    if arrival.event is None:
        routing.dead_letter_raw(turn, arrival.raw, "engineError", repr(error))
    else:
        routing.dead_letter(turn, arrival.event, arrival.key, "engineError", repr(error))


def _loss(attempt: DueAttempt, now_ms: int) -> tuple[str, AttemptLost]:
    """The instance and its record of an attempt whose worker is gone."""
    payload = orjson.loads(attempt.payload)
    worker = attempt.claim.worker if attempt.claim else "no worker"
    reason = f"{worker} gave no sign of life"
    return payload["instance"], AttemptLost(now_ms, payload["attempt"], attempt.token, reason)


def _in_order(work: Work, due: Sequence[FiringTimer]) -> Sequence[Arrival | Entry | FiringTimer]:
    """Both logs merged by the server's time of arrival, each log's own order kept; timers when they were due.

    So what came in time wins over the timeout, however long no engine was there to see it.
    """
    if not due:
        if not work.inbox:
            return work.door
        if not work.door:
            return work.inbox
    items: list[Any] = [*work.inbox, *work.door, *due]
    return sorted(items, key=_moment)


def _moment(item: Arrival | Entry | FiringTimer) -> tuple[int, float]:
    return (item.due_ms, math.inf) if isinstance(item, FiringTimer) else _position(item.id)


def _position(id: str) -> tuple[int, int]:
    ms, _, n = id.partition("-")
    return int(ms), int(n)
