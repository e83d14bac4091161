"""The store in memory: the whole protocol under one lock, for tests and simulation; it ends with the process.

`clock` gives epoch milliseconds; a simulation passes its own, so that leases and positions follow its time.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

from stepwell_schemas.catalog import ActivityDescription, StoredDefinition

from stepwell_store.batches import AHEAD, OLDEST, Commit, CommitResult, Entry, Inbound, Loaded, Wanted
from stepwell_store.memory_lane import MemoryLane
from stepwell_store.memory_log import MemoryLog
from stepwell_store.memory_partition import MemoryPartition, apply_commit
from stepwell_store.memory_reading import MemoryReading
from stepwell_store.memory_workers import MemoryWorkers
from stepwell_store.protocol import Alarm, Ownership, PublishResult, RequestedStart, StartReceipt
from stepwell_store.searching import has_dropped, running_of

SOURCES_KEPT = 1000


def wall_clock() -> int:
    """Now, in epoch milliseconds."""
    return time.time_ns() // 1_000_000


class MemoryStore(MemoryWorkers, MemoryReading):
    """See `protocol.Store`. Replies are delivered in the thread that commits."""

    def __init__(
        self, namespace: str = "stepwell", partitions: int = 16, clock: Callable[[], int] = wall_clock
    ) -> None:
        if partitions < 1:
            raise ValueError(f"partitions is {partitions}; it must be at least 1")
        self.namespace = namespace
        self.partitions = partitions
        self._clock = clock
        self._changed = threading.Condition(threading.RLock())
        self._parts = [MemoryPartition(number) for number in range(partitions)]
        self._door = MemoryLog()
        self._placed: dict[str, int] = {}
        self._definitions: dict[str, dict[str, StoredDefinition]] = {}
        self._latest: dict[str, str] = {}
        self._activities: dict[str, ActivityDescription] = {}
        self._catalog_revision = 0
        self._engines: dict[str, int] = {}
        self._sources: dict[str, None] = {}
        self._listeners: dict[str, list[Callable[[bytes], None]]] = {}

    # -- doors ---------------------------------------------------------------------------------------------

    def append_events(self, events: Sequence[bytes], replay: bool = False) -> list[str]:
        extra = {b"replay": b"1"} if replay else {}
        with self._changed:
            positions = [self._door.append({b"event": event, **extra}, self._clock()) for event in events]
            self._changed.notify_all()
        return positions

    def door_length(self) -> int:
        with self._changed:
            return len(self._door)

    def misfits(self) -> Iterator[tuple[str, str]]:
        return iter(())  # nobody else writes here

    def memory_used(self) -> float:
        return 0.0

    def append_records(self, partition: int, records: Sequence[bytes]) -> list[str]:
        with self._changed:
            return [self._to_inbox(self._parts[partition], record) for record in records]

    def append_each(self, records: Sequence[tuple[int, bytes]]) -> Sequence[str]:
        with self._changed:
            return [self._to_inbox(self._parts[partition], record) for partition, record in records]

    def request_starts(self, starts: Sequence[RequestedStart]) -> Sequence[StartReceipt]:
        with self._changed:
            return [self._request_start(self._parts[start.partition], start) for start in starts]

    def _request_start(self, part: MemoryPartition, start: RequestedStart) -> StartReceipt:
        reserved = part.reservations.get(start.instance)
        if reserved is None and start.instance not in part.instances:
            part.reservations[start.instance] = start.fingerprint
            self._to_inbox(part, start.record)
            return StartReceipt("created", start.partition)
        return StartReceipt("repeated" if reserved == start.fingerprint else "conflict", start.partition)

    def locate_all(self, instances: Sequence[str]) -> Sequence[int | None]:
        with self._changed:
            return [self._placed.get(instance) for instance in instances]

    def place_all(self, wanted: Sequence[tuple[str, int]]) -> Sequence[int]:
        with self._changed:
            return [self._placed.setdefault(instance, partition) for instance, partition in wanted]

    def add_sources(self, sources: Sequence[str]) -> None:
        with self._changed:
            for source in sources:
                self._sources.pop(source, None)
                self._sources[source] = None
            for source in list(self._sources)[:-SOURCES_KEPT]:
                del self._sources[source]

    def sources(self) -> list[str]:
        with self._changed:
            return sorted(self._sources)

    # -- catalogue -----------------------------------------------------------------------------------------

    def publish_definition(self, definition: StoredDefinition) -> PublishResult:
        with self._changed:
            versions = self._definitions.setdefault(definition.id, {})
            known = versions.get(definition.version)
            if known is not None:
                return "unchanged" if known.hash == definition.hash else "conflict"
            versions[definition.version] = definition
            self._latest[definition.id] = definition.version
            self._catalog_revision += 1
            return "created"

    def catalog_revision(self) -> int:
        with self._changed:
            return self._catalog_revision

    def definitions(self) -> dict[str, str]:
        with self._changed:
            return dict(self._latest)

    def versions(self, definition: str) -> list[StoredDefinition]:
        with self._changed:
            return list(self._definitions.get(definition, {}).values())

    def publish_activities(self, activities: Sequence[ActivityDescription]) -> None:
        with self._changed:
            self._activities.update({activity.name: activity for activity in activities})
            self._catalog_revision += 1

    def activities(self) -> dict[str, ActivityDescription]:
        with self._changed:
            return dict(self._activities)

    # -- ownership -----------------------------------------------------------------------------------------

    def acquire(self, partition: int, owner: str, lease_ms: int) -> Ownership | None:
        with self._changed:
            part, now_ms = self._parts[partition], self._clock()
            if part.owner not in (None, owner) and part.lease_until_ms > now_ms:
                return None
            part.owner, part.lease_until_ms = owner, now_ms + lease_ms
            part.epoch += 1
            return Ownership(
                partition,
                part.epoch,
                part.revision,
                part.inbox_position,
                part.door_position,
                part.dispatched,
                part.next_due_ms(),
            )

    def renew(self, owner: str, partitions: Sequence[int], lease_ms: int) -> list[int]:
        with self._changed:
            ours = [number for number in partitions if self._parts[number].owner == owner]
            for number in ours:
                self._parts[number].lease_until_ms = self._clock() + lease_ms
            return ours

    def release(self, owner: str, partition: int) -> None:
        with self._changed:
            part = self._parts[partition]
            if part.owner == owner:
                part.owner, part.lease_until_ms = None, 0

    def heartbeat_engine(self, owner: str, ttl_ms: int) -> list[str]:
        with self._changed:
            now_ms = self._clock()
            self._engines[owner] = now_ms + ttl_ms
            self._engines = {name: until for name, until in self._engines.items() if until > now_ms}
            return sorted(self._engines)

    # -- the owner's loop ----------------------------------------------------------------------------------

    def lane(self) -> MemoryLane:
        return MemoryLane(self)

    def read(self, door: str | None, inboxes: Mapping[int, str], count: int, block_ms: int | None) -> Inbound:
        with self._changed:
            found = self._read(door, inboxes, count)
            if block_ms and not found.door and not found.inboxes:
                self._changed.wait_for(lambda: self._has_new(door, inboxes), block_ms / 1000)
                found = self._read(door, inboxes, count)
            return found

    def load(self, wanted: Sequence[Wanted], now_ms: int) -> list[Loaded]:
        with self._changed:
            return [self._load(self._parts[want.partition], want, now_ms) for want in wanted]

    def commit(self, commits: Sequence[Commit]) -> list[CommitResult]:
        messages: list[tuple[str, bytes]] = []
        results = []
        with self._changed:
            for commit in commits:
                part = self._parts[commit.partition]
                revision = part.revision
                results.append(apply_commit(part, commit, self._clock()))
                if part.revision != revision:
                    messages.extend(commit.replies)
            targets = [(self._listeners.get(channel, ())[:], message) for channel, message in messages]
        for listeners, message in targets:
            for deliver in listeners:
                deliver(message)
        return results

    def due_timers(self, partition: int, now_ms: int, limit: int) -> list[Alarm]:
        with self._changed:
            due = [(at, *key) for key, at in self._parts[partition].timers.items() if at <= now_ms]
            return [Alarm(instance, timer, at) for at, instance, timer in sorted(due)[:limit]]

    def outbox(self, partition: int, after: str, count: int) -> list[Entry]:
        with self._changed:
            return self._parts[partition].outbox.after(after, count)

    def trim_door(self, before: str) -> None:
        with self._changed:
            self._door.trim_before(before)

    def door_positions(self) -> dict[int, str]:
        with self._changed:
            return {part.number: part.door_position for part in self._parts}

    # -- everything else -----------------------------------------------------------------------------------

    def listen(self, channel: str, deliver: Callable[[bytes], None]) -> AbstractContextManager[None]:
        return self._listening(channel, deliver)

    def ping(self) -> None:
        """Memory is always there."""

    def close(self) -> None:
        """There are no connections to free."""

    @contextmanager
    def _listening(self, channel: str, deliver: Callable[[bytes], None]) -> Iterator[None]:
        with self._changed:
            self._listeners.setdefault(channel, []).append(deliver)
        try:
            yield
        finally:
            with self._changed:
                self._listeners[channel].remove(deliver)

    def _read(self, door: str | None, inboxes: Mapping[int, str], count: int) -> Inbound:
        events = [] if door is None else self._door.after(door, count)
        found = {number: self._parts[number].inbox.after(at, count) for number, at in inboxes.items()}
        return Inbound(
            events, {n: entries for n, entries in found.items() if entries}, self._catalog_revision
        )

    def _has_new(self, door: str | None, inboxes: Mapping[int, str]) -> bool:
        found = self._read(door, inboxes, 1)
        return bool(found.door or found.inboxes)

    @staticmethod
    def _load(part: MemoryPartition, want: Wanted, now_ms: int) -> Loaded:
        devices = {name: part.devices[name] for name in want.devices if name in part.devices}
        wanted = [*want.instances, *(id for device in devices.values() for id in running_of(device))]
        instances = {name: part.instances[name] for name in wanted if name in part.instances}
        loaded = Loaded(instances, devices)
        for device, record in devices.items():
            if has_dropped(record):
                loaded.oldest[device] = list(part.accumulated.get(device, ()))[:OLDEST]
        for device, after in want.behind.items():
            events = part.accumulated.get(device, ())
            loaded.oldest[device] = [item for item in events if item[0] > after][:AHEAD]
        for device in want.available:
            waiting = part.available.get(device, set())
            if waiting:
                loaded.available[device] = [
                    item for item in part.accumulated.get(device, ()) if item[0] in waiting
                ]
        for key in want.seen:
            value = part.find_seen(key, now_ms)
            if value is not None:
                loaded.seen[key] = value
        return loaded
