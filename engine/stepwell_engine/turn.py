"""One batch of one partition, built turn by turn: what was changed, what is cached, what goes into the commit.

A *turn* applies one record. Its changes are kept apart until it has succeeded, so that a record which makes the
engine itself fail changes nothing but its instance's quarantine.
"""

import os
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Any

import orjson
from stepwell_schemas import instance as instances
from stepwell_schemas.event import DeviceEvent
from stepwell_schemas.instance import Instance
from stepwell_schemas.json_writer import json_bytes
from stepwell_schemas.records import Record
from stepwell_store.batches import Commit

from stepwell_engine import device as devices
from stepwell_engine.cache import Cache
from stepwell_engine.device import SIZES_BYTES, Device, Sizes
from stepwell_engine.kept import in_order
from stepwell_engine.loading import Loader, sizes_of

Step = tuple[int, str]
"""A step of a turn: its number there, and the instance that takes it."""

MORE, MOST = 128, 1_024
"""Accumulated events whose sizes are read at once, where too few are known: as many again, within these bounds."""


class Disposition:
    """Where an event ended, for the ledger and the dedupe mark."""

    __slots__ = ("at_ms", "by", "event", "key", "kind", "reason", "sequence")

    def __init__(
        self,
        event: DeviceEvent,
        key: bytes,
        kind: str,
        at_ms: int,
        sequence: int | None = None,
        by: tuple[str, ...] = (),
        reason: str | None = None,
    ) -> None:
        self.event = event
        self.key = key
        self.kind = kind
        self.at_ms = at_ms
        self.sequence = sequence
        self.by = by
        self.reason = reason

    def mark(self) -> list[Any]:
        """What is kept under the event's key; the ledger has the event's id and source before it."""
        event = self.event
        return [self.kind, self.at_ms, event.device, self.sequence, event.type, self.by, self.reason]


class Turn:
    """What one record changes. Reads fall through to the batch. Written out, since every event goes through one."""

    __slots__ = (
        "accumulated", "attempts", "available", "batch", "consumed", "dead", "devices", "dispositions", "dropped",
        "history", "index", "instances", "lifted", "now_ms", "outbox", "pending", "poison", "replies", "runs",
        "stepping", "steps", "timers", "unreserved",
    )  # fmt: skip

    def __init__(self, batch: "Batch", now_ms: int) -> None:
        self.batch = batch
        self.now_ms = now_ms
        self.instances: dict[str, Instance] = {}
        self.devices: dict[str, Device] = {}
        self.history: list[tuple[str, bytes]] = []
        self.index: list[tuple[str, str, str | None, str | None, int]] = []
        self.runs: list[tuple[str, str, int]] = []
        self.accumulated: list[tuple[str, int, bytes]] = []
        self.available: list[tuple[str, int, DeviceEvent]] = []
        self.consumed: list[tuple[str, int]] = []
        self.dropped: dict[str, int] = {}
        self.timers: dict[tuple[str, str], int | None] = {}
        self.attempts: dict[str, tuple[bytes, int] | None] = {}
        self.outbox: list[dict[str, Any]] = []
        self.dispositions: list[Disposition] = []
        self.dead: list[bytes] = []
        self.replies: list[tuple[str, bytes]] = []
        self.unreserved: list[str] = []
        self.lifted: set[str] = set()
        """Instances that leave their quarantine: alarms may have rung for what they held."""
        self.pending: deque[tuple[str, Record]] = deque()
        """Records this turn makes for other instances (a child's end, a cancel); applied before it closes."""
        self.steps = 0
        """Steps of instances begun so far."""
        self.stepping: Step | None = None
        """The step under way: where an exception leaves the turn, this instance is to blame."""
        self.poison: dict[Step, Exception] | None = None
        """Steps that made an earlier try of this turn fail: their instances are quarantined in this one."""

    def instance(self, id: str) -> Instance | None:
        """The instance as this turn sees it. Raises CorruptValue for a stored value that is not ours."""
        return self.instances.get(id) or self.batch.instance(id)

    def device(self, id: str) -> Device:
        """The device, copied for this turn; a new record where it is unknown."""
        device = self.devices.get(id)
        if device is None:
            known = self.batch.device(id)
            device = Device(id) if known is None else known.copy()
            self.devices[id] = device
        return device

    def reply(self, to: dict[str, Any] | None, status: str, **details: Any) -> None:
        """Answer the request that carried `to`; nothing where it asked for none."""
        if to is not None:
            self.replies.append((to["channel"], json_bytes({"id": to["id"], "status": status, **details})))

    def check(self) -> None:
        """Raises where something of this turn cannot be encoded; `Batch.close` would then fail for all turns."""
        for instance in self.instances.values():
            orjson.dumps(instances.to_wire(instance))
        for device in self.devices.values():
            devices.encode(device)
        for disposition in self.dispositions:
            orjson.dumps(disposition.mark())


class Batch:
    """Everything one commit of a partition will write, with the caches it reads through."""

    def __init__(
        self,
        partition: int,
        cached: Cache[Instance],
        known: Cache[Device],
        loader: Loader,
        entropy: Callable[[int], bytes] = os.urandom,
        careful: bool = False,
    ) -> None:
        self._entropy = entropy
        self.partition = partition
        self.careful = careful
        """Whether each turn is checked by itself, because something in the batch could not be encoded."""
        self._cached = cached
        self._known = known
        self._loader = loader
        self.changed_instances: dict[str, Instance] = {}
        self.changed_devices: dict[str, Device] = {}
        self.stored: dict[str, dict[int, DeviceEvent]] = {}
        self.offers: dict[str, dict[int, DeviceEvent]] = {}
        self.taken: dict[str, set[int]] = {}
        self.seen: dict[bytes, bytes] = {}
        self.outbox: list[dict[str, Any]] = []
        self.ledger: list[list[Any]] = []
        self.spare: Turn | None = None
        """A turn that was accepted, empty. It holds the batch, so it must go with the deciding."""
        self.writes = Commit(partition=partition, epoch=0, revision=0, token="", time_ms=0, inbox="", door="")

    def instance(self, id: str) -> Instance | None:
        """A changed, cached or stored instance."""
        changed = self.changed_instances.get(id)
        if changed is not None:
            return changed
        found = self._cached.find(id)
        if found is None:
            found = self._loader.instance(self.partition, id)
            self._cached.put(id, *found)
        return found[0]

    def device(self, id: str) -> Device | None:
        """A changed, cached or stored device record; not to be changed."""
        changed = self.changed_devices.get(id)
        if changed is not None:
            return changed
        found = self._known.find(id)
        if found is None:
            found = self._loader.device(self.partition, id)
            self._known.put(id, *found)
        return found[0]

    def available(self, device: str) -> Iterator[tuple[int, DeviceEvent]]:
        """Unconsumed events of a device, oldest first: the stored ones and this batch's."""
        if device not in self.stored:
            self.stored[device] = self._loader.available(self.partition, device)
        offered, taken = self.offers.get(device, {}), self.taken.get(device, set())
        return in_order(self.stored[device], offered, taken, self.writes.dropped.get(device, 0))

    def each_oldest(self, device: Device) -> Iterator[Sizes]:
        """A device's accumulated events, oldest first."""
        place = 0
        while place < len(device.oldest) or self._know_more(device):
            yield device.oldest[place]
            place += 1

    def know_oldest(self, device: Device, through: int) -> None:
        """Know the same up to a sequence at least, where there are so many."""
        while device.known_to < through and self._know_more(device):
            pass

    def _know_more(self, device: Device) -> bool:
        """Whether there are accumulated events behind those whose sizes are known; some of them are then, too."""
        last = device.known_to
        if last >= device.next - 1:
            return False
        count = min(max(MORE, len(device.oldest)), MOST)
        found = self._loader.sizes(self.partition, device.id, last, count)
        if len(found) < count:
            last = found[-1][0] if found else last
            fresh = self.writes.accumulated.get(device.id, ())
            found += [sizes_of(n, body) for n, body in fresh if n > last]
        device.oldest = [*device.oldest, *found]
        return bool(found)

    def new_seed(self) -> str:
        """The randomness of a new instance: 32 hex digits."""
        return self._entropy(16).hex()

    def turn(self, now_ms: int) -> Turn:
        """One that has changed nothing yet. One that was accepted is used again: its containers cost more to make
        than most events put into them."""
        spare, self.spare = self.spare, None
        if spare is None:
            return Turn(self, now_ms)
        spare.now_ms = now_ms
        return spare

    def accept(self, turn: Turn) -> None:
        """Make a turn's changes part of the batch. It is the batch's then, and empty."""
        writes = self.writes
        if turn.instances:
            self.changed_instances.update(turn.instances)
            turn.instances.clear()
        if turn.devices:
            self.changed_devices.update(turn.devices)
            turn.devices.clear()
        for instance, entry in turn.history:
            writes.history.setdefault(instance, []).append(entry)
        turn.history.clear()
        for device, n, body in turn.accumulated:
            writes.accumulated.setdefault(device, []).append((n, body))
        turn.accumulated.clear()
        for disposition in turn.dispositions:
            mark, event = disposition.mark(), disposition.event
            self.ledger.append([event.id, event.source, *mark])
            if disposition.kind != "duplicate":
                self.seen[disposition.key] = json_bytes(mark)
        turn.dispositions.clear()
        if turn.available or turn.consumed or turn.dropped:
            self._accept_kept(turn)
        if turn.index:
            writes.index += turn.index
            turn.index.clear()
        if turn.runs:
            writes.runs += turn.runs
            turn.runs.clear()
        if turn.timers:
            writes.timers.update(turn.timers)
            turn.timers.clear()
        if turn.attempts or turn.outbox:
            self._accept_jobs(turn)
        if turn.dead:
            writes.dead += turn.dead
            turn.dead.clear()
        if turn.replies:
            writes.replies += turn.replies
            turn.replies.clear()
        if turn.unreserved:
            writes.unreserved += turn.unreserved
            turn.unreserved.clear()
        if turn.lifted:
            turn.lifted.clear()
        turn.steps, turn.poison = 0, None
        self.spare = turn

    def _accept_kept(self, turn: Turn) -> None:
        for device, n, event in turn.available:
            self.writes.available.setdefault(device, []).append(n)
            self.offers.setdefault(device, {})[n] = event
            if n in self.taken.get(device, ()):  # taken and given back in one batch
                self.taken[device].remove(n)
                self.writes.consumed[device].remove(n)
        for device, n in turn.consumed:
            self.writes.consumed.setdefault(device, []).append(n)
            self.taken.setdefault(device, set()).add(n)
        for device, first in turn.dropped.items():
            self._drop(device, first)
        turn.available.clear()
        turn.consumed.clear()
        turn.dropped.clear()

    def _accept_jobs(self, turn: Turn) -> None:
        for token, attempt in turn.attempts.items():
            self._attempt(token, attempt)
        self.outbox += turn.outbox
        turn.attempts.clear()
        turn.outbox.clear()

    def _drop(self, device: str, first: int) -> None:
        """What this batch made available and dropped again is not made available: the store drops before it adds."""
        self.writes.dropped[device] = first
        if device in self.writes.available:
            self.writes.available[device] = [n for n in self.writes.available[device] if n >= first]

    def _attempt(self, token: str, attempt: tuple[bytes, int] | None) -> None:
        if attempt is None and self.writes.attempts.get(token) is not None:
            self.outbox = [command for command in self.outbox if command["token"] != token]
        self.writes.attempts[token] = attempt

    def close(self) -> Commit:
        """The commit, with everything encoded. Position, epoch and revision are the caller's."""
        writes = self.writes
        for id, instance in self.changed_instances.items():
            writes.instances[id] = json_bytes(instances.to_wire(instance))
        for id, device in self.changed_devices.items():
            writes.devices[id] = devices.encode(device)
        writes.seen = self.seen
        if self.ledger:
            writes.ledger.append(json_bytes(self.ledger))
        if self.outbox:
            writes.outbox.append(json_bytes(self.outbox))
        writes.counters.update(Counter(entry[2] for entry in self.ledger))
        return writes

    def remember(self) -> None:
        """What was changed is what is hot."""
        writes = self.writes
        for id, instance in self.changed_instances.items():
            self._cached.put(id, instance, len(writes.instances[id]))
        for id, device in self.changed_devices.items():
            size = len(writes.devices[id] or b"")
            self._known.put(id, device, size + SIZES_BYTES * len(device.oldest))
        kept = self._loader.kept
        for id in self.offers.keys() | self.taken.keys() | writes.dropped.keys():
            if id not in kept:
                continue
            size = sum(len(body) for _, body in writes.accumulated.get(id, ()))
            offered, taken = self.offers.get(id, {}), self.taken.get(id, set())
            kept.change(id, offered, size, taken, writes.dropped.get(id, 0))

    def forget_cold(self) -> None:
        """Bring the caches back to their limits."""
        self._cached.shrink()
        self._known.shrink()
        self._loader.kept.shrink()
