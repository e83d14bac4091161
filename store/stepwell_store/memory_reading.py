"""Reading in memory: instances, devices, ledger, dead letters, and the figures of a partition."""

import threading
from collections.abc import Callable, Iterator, Sequence

from stepwell_store.batches import Entry
from stepwell_store.memory_partition import MemoryPartition
from stepwell_store.partition import partition_of
from stepwell_store.positions import Position, parse_position
from stepwell_store.protocol import Alarm, DeadLetter, InstanceFilter, PartitionInfo
from stepwell_store.searching import (
    STATUSES,
    Place,
    accepts,
    created_of,
    find_letter,
    letter_place,
    read_cursor,
    running_of,
    within,
    write_cursor,
)


class MemoryReading:
    """The part of `MemoryStore` that shows what is there."""

    partitions: int
    _changed: threading.Condition
    _parts: list[MemoryPartition]
    _clock: Callable[[], int]

    # -- instances -----------------------------------------------------------------------------------------

    def instance(self, partition: int, instance: str) -> bytes | None:
        with self._changed:
            return self._parts[partition].instances.get(instance)

    def read_instances(self, wanted: Sequence[tuple[int, str]]) -> Sequence[bytes | None]:
        with self._changed:
            return [self._parts[partition].instances.get(instance) for partition, instance in wanted]

    def read_reservations(self, wanted: Sequence[tuple[int, str]]) -> Sequence[str | None]:
        with self._changed:
            return [self._parts[partition].reservations.get(instance) for partition, instance in wanted]

    def history(self, partition: int, instance: str, start: int, count: int) -> list[bytes]:
        with self._changed:
            return self._parts[partition].history.get(instance, [])[start : start + count]

    def instances(
        self, filter: InstanceFilter, definitions: Sequence[str], limit: int, cursor: str | None
    ) -> tuple[list[bytes], str | None]:
        after = None if cursor is None else read_cursor(cursor)
        with self._changed:
            found = (
                self._of_device(filter) if filter.device is not None else self._indexed(filter, definitions)
            )
            places = sorted(
                (
                    (place, part)
                    for place, part in found
                    if (after is None or place < after) and within(filter, place[0])
                ),
                key=lambda item: item[0],
                reverse=True,
            )
            page = [part.instances[place[1]] for place, part in places[:limit]]
        more = len(places) > limit > 0
        return page, write_cursor(places[limit - 1][0]) if more else None

    def _of_device(self, filter: InstanceFilter) -> list[tuple[Place, MemoryPartition]]:
        device = filter.device or ""
        part = self._parts[partition_of(device, self.partitions)]
        running = [id for id in running_of(part.devices.get(device, b"")) if id in part.instances]
        runs = {id: created_of(id, part.instances[id]) for id in running} | part.runs.get(device, {})
        return [
            ((created_ms, instance), part)
            for instance, created_ms in runs.items()
            if instance in part.instances and accepts(filter, instance, part.instances[instance])
        ]

    def _indexed(
        self, filter: InstanceFilter, definitions: Sequence[str]
    ) -> list[tuple[Place, MemoryPartition]]:
        wanted = definitions if filter.definition is None else [filter.definition]
        return [
            ((created_ms, instance), part)
            for part in self._parts
            for definition in wanted
            for status in filter.statuses or STATUSES
            for instance, created_ms in part.index.get((definition, status), {}).items()
            if instance in part.instances
        ]

    def scan(self, partition: int) -> Iterator[tuple[str, bytes]]:
        with self._changed:
            found = list(self._parts[partition].instances.items())
        return iter(found)

    def timers(self, partition: int, instance: str) -> list[Alarm]:
        with self._changed:
            armed = self._parts[partition].timers.items()
            return [Alarm(*key, due_ms) for key, due_ms in armed if key[0] == instance]

    # -- devices -------------------------------------------------------------------------------------------

    def device(self, partition: int, device: str) -> bytes | None:
        with self._changed:
            return self._parts[partition].devices.get(device)

    def device_ids(self, partition: int, limit: int, cursor: str | None) -> tuple[list[str], str | None]:
        after = "" if cursor is None else cursor
        with self._changed:
            known = sorted(device for device in self._parts[partition].devices if device > after)
        page = known[:limit]
        return page, page[-1] if page and len(known) > limit else None

    def device_events(self, partition: int, device: str, after: int, limit: int) -> list[tuple[int, bytes]]:
        with self._changed:
            events = self._parts[partition].accumulated.get(device, [])
            return [item for item in events if item[0] > after][:limit]

    # -- events --------------------------------------------------------------------------------------------

    def seen(self, key: bytes, now_ms: int) -> list[tuple[int, bytes]]:
        with self._changed:
            found = [(part.number, part.find_seen(key, now_ms)) for part in self._parts]
        return [(number, value) for number, value in found if value is not None]

    def ledger(self, partition: int, after: str, count: int) -> list[Entry]:
        with self._changed:
            return self._parts[partition].ledger.after(after, count)

    def dead_letters(self, limit: int, cursor: str | None) -> tuple[list[DeadLetter], str | None]:
        before = None if cursor is None else letter_place(cursor)
        with self._changed:
            found: list[tuple[Position, int, bytes]] = [
                (parse_position(entry.id), part.number, entry.fields[b"b"])
                for part in self._parts
                for entry in part.dead.newest_first()
            ]
        ordered = sorted((item for item in found if before is None or item[:2] < before), reverse=True)
        page = [DeadLetter(f"{number}-{ms}-{n}", body) for (ms, n), number, body in ordered[:limit]]
        return page, page[-1].id if page and len(ordered) > limit else None

    def dead_letter(self, id: str) -> DeadLetter | None:
        found = find_letter(id, self.partitions)
        if found is None:
            return None
        with self._changed:
            entry = self._parts[found[0]].dead.get(found[1])
        return None if entry is None else DeadLetter(id, entry.fields[b"b"])

    def remove_dead_letter(self, id: str) -> bool:
        found = find_letter(id, self.partitions)
        if found is None:
            return False
        with self._changed:
            return self._parts[found[0]].dead.remove(found[1])

    # -- figures -------------------------------------------------------------------------------------------

    def partition_info(self, partition: int) -> PartitionInfo:
        with self._changed:
            part = self._parts[partition]
            return PartitionInfo(
                partition=partition,
                owner=part.owner if part.lease_until_ms > self._clock() else None,
                epoch=part.epoch,
                revision=part.revision,
                inbox_length=len(part.inbox),
                inbox_lag=len(part.inbox),
                outbox_length=len(part.outbox),
                timers=len(part.timers),
                attempts=len(part.attempts),
                counters=dict(part.counters),
            )
