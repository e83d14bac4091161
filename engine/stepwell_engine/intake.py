"""What has arrived: the door and the inboxes are read here, events are parsed, and each goes to its partition's work.

How much is read at once follows the load: little when it is quiet, much behind a backlog, and never more than a
number of bytes that grows with what entries have lately weighed.
"""

import logging
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stepwell_schemas.cloudevents import EventRejected, event_key, parse_event
from stepwell_schemas.json_writer import json_bytes
from stepwell_store.batches import START, Entry, Inbound
from stepwell_store.lane import Lane, Pending
from stepwell_store.partition import partition_of
from stepwell_store.protocol import Store

from stepwell_engine.partition import Partition
from stepwell_engine.work import Arrival, Work

log = logging.getLogger("stepwell.engine")

KNOWN_SOURCES = 1_000


@dataclass(frozen=True, slots=True)
class Pace:
    """How much is taken on at once. `most_bytes` is per log and round, about: one entry is always read."""

    fewest: int = 64
    most: int = 1_000
    most_bytes: int = 8_388_608
    ahead_from: int = 32
    """Arrivals in a batch that make it worth asking for the next one while this one is decided."""


USUAL_PACE = Pace()


class Intake:
    """Reads for all owned partitions of an engine. Positions move when entries are handed to `collect`."""

    def __init__(self, store: Store, pace: Pace) -> None:
        self._store = store
        self._pace = pace
        self._door = START
        self._count = self._asked = pace.fewest
        self._ahead: Pending[Inbound] | None = None
        self._sources: set[str] = set()

    @property
    def is_ahead(self) -> bool:
        """Whether the next read has been asked for already."""
        return self._ahead is not None

    def own(self, partition: Partition, is_only: bool) -> None:
        """Read for this partition too, from where it stands."""
        self._door = partition.door if is_only else min(self._door, partition.door, key=order)
        self.forget_ahead()

    def forget_ahead(self) -> None:
        """What was asked for ahead does not fit any more (or its line is gone); it is asked for again."""
        self._ahead = None

    def read_ahead(self, lane: Lane, owned: Mapping[int, Partition]) -> None:
        """Ask for what follows, so that it is there when it is wanted."""
        self._ahead = self._ask(lane, owned, None)

    def read(self, lane: Lane, owned: Mapping[int, Partition], block_ms: int | None) -> Inbound:
        """What there is now; waits up to `block_ms` for the first entry."""
        return self._ask(lane, owned, block_ms).wait()

    def take_ahead(self) -> Inbound | None:
        """What was asked for ahead; None where nothing was, or nothing was there when it was read."""
        pending, self._ahead = self._ahead, None
        inbound = None if pending is None else pending.wait()
        return inbound if inbound is not None and (inbound.door or inbound.inboxes) else None

    def collect(
        self, inbound: Inbound, owned: Mapping[int, Partition], now_ms: int
    ) -> tuple[dict[int, Work], int]:
        """The work of each owned partition that has some, and up to which time the door has been read.

        No timer may overtake: none fires that is due after that time, or after its partition's `inbox_until_ms`.
        Where nothing has come, the inbox has been read up to now.
        """
        works: dict[int, Work] = {}
        if inbound.door:
            self._collect_door(works, inbound.door, owned, now_ms)
        for number, entries in inbound.inboxes.items():
            if number in owned:
                work = works.get(number)
                if work is None:
                    work = works[number] = Work()
                work.inbox = entries
                work.inbox_until_ms = self._read_until_ms(entries, now_ms)
                owned[number].reading = entries[-1].id
        self._adapt(inbound)
        return works, self._read_until_ms(inbound.door, now_ms)

    def _collect_door(
        self, works: dict[int, Work], entries: list[Entry], owned: Mapping[int, Partition], now_ms: int
    ) -> None:
        here = order(self._door)
        further = {number: at for number, one in owned.items() if (at := order(one.door)) > here}
        for entry in entries:
            arrival, number = self._parse(entry, now_ms)
            if number in owned and (number not in further or order(entry.id) > further[number]):
                work = works.get(number)
                if work is None:
                    work = works[number] = Work(inbox_until_ms=now_ms)
                work.door.append(arrival)
        self._door = entries[-1].id
        for number, partition in owned.items():
            if number not in further or order(self._door) > further[number]:
                partition.door = self._door

    def _ask(self, lane: Lane, owned: Mapping[int, Partition], block_ms: int | None) -> Pending[Inbound]:
        self._asked = self._count
        inboxes = {number: partition.reading for number, partition in owned.items()}
        return lane.read(self._door, inboxes, self._count, block_ms)

    def _read_until_ms(self, entries: list[Entry], now_ms: int) -> int:
        return now_ms if len(entries) < self._asked else min(now_ms, order(entries[-1].id)[0])

    def _adapt(self, inbound: Inbound) -> None:
        """Twice as many where a log was full, within the bytes that a log may bring."""
        heaviest, is_full = 1, False
        for entries in (inbound.door, *inbound.inboxes.values()):
            if entries:
                weight = sum(len(value) for entry in entries for value in entry.fields.values())
                heaviest = max(heaviest, weight // len(entries))
                is_full = is_full or len(entries) >= self._asked
        wanted = self._asked * 2 if is_full else max(self._pace.fewest, self._asked // 2)
        self._count = max(1, min(wanted, self._pace.most, self._pace.most_bytes // heaviest))

    def _parse(self, entry: Entry, now_ms: int) -> tuple[Arrival, int]:
        raw = entry.fields.get(b"event")
        partitions = self._store.partitions
        if raw is None:
            return _without_event(entry), zlib.crc32(entry.id.encode()) % partitions
        try:
            event = parse_event(raw, now_ms)
        except EventRejected as rejected:
            return Arrival(entry.id, None, rejected, raw), zlib.crc32(entry.id.encode()) % partitions
        except Exception as error:
            log.error("an event made the engine fail and is set apart", exc_info=error)
            unread = EventRejected("invalidData", f"the engine cannot read it: {error!r}")
            return Arrival(entry.id, None, unread, raw), zlib.crc32(entry.id.encode()) % partitions
        if event.source not in self._sources and len(self._sources) < KNOWN_SOURCES:
            self._store.add_sources([event.source])
            self._sources.add(event.source)
        replay = len(entry.fields) > 1 and entry.fields.get(b"replay") == b"1"
        arrival = Arrival(entry.id, event, None, raw, event_key(event.source, event.id), replay)
        return arrival, partition_of(event.device if event.device is not None else entry.id, partitions)


def _without_event(entry: Entry) -> Arrival:
    """A door entry written with other fields than ours: kept whole, so that it can be pushed again rightly."""
    fields: dict[str, Any] = {
        name.decode("utf-8", "replace"): value.decode("utf-8", "replace")
        for name, value in entry.fields.items()
    }
    message = f"the entry has no field `event` (found: {', '.join(sorted(fields))})"
    return Arrival(entry.id, None, EventRejected("missingAttribute", message), json_bytes(fields))


def order(id: str) -> tuple[int, int]:
    """A position as it is compared."""
    ms, _, n = id.partition("-")
    return int(ms), int(n)
