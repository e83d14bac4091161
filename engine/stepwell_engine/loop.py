"""The engine loop: own partitions, read what has arrived, decide it, commit it, hand out what was decided.

Everything that waits or fails on I/O is here; what a batch means is in `partition`. A commit that comes back stale
means another engine has the partition: its caches are dropped and nothing of the batch is used.
"""

import logging
import os
import time
import zlib
from collections.abc import Callable

import orjson
from stepwell_schemas.cloudevents import EventRejected, event_key, parse_event
from stepwell_store.errors import StoreUnavailable
from stepwell_store.partition import partition_of
from stepwell_store.protocol import START, Commit, CommitResult, Entry, Inbound, Loaded, Store

from stepwell_engine.catalog import Catalog
from stepwell_engine.dispatch import Dispatcher, Job, jobs_of
from stepwell_engine.partition import Arrival, Partition, Work
from stepwell_engine.sweeper import Sweeper
from stepwell_engine.turn import Batch

log = logging.getLogger("stepwell.engine")

BATCH = 500
TIMERS = 500
DAY_MS = 86_400_000


def clock_ms() -> int:
    """The engine's clock: epoch milliseconds."""
    return time.time_ns() // 1_000_000


class Engine:
    """One engine process's work. `step` is one round; the caller repeats it (`run`) or drives it (simulation)."""

    def __init__(
        self,
        store: Store,
        dispatcher: Dispatcher,
        owner: str,
        *,
        lease_ms: int = 5_000,
        retention_days: float = 8,
        now_ms: Callable[[], int] = clock_ms,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.store = store
        self.catalog = Catalog(store)
        self.owned: dict[int, Partition] = {}
        self._dispatcher = dispatcher
        self._owner = owner
        self._lease_ms = lease_ms
        self._retention_ms = int(retention_days * DAY_MS)
        self._now_ms = now_ms
        self._entropy = entropy
        self._door = START
        self._leases_at_ms = 0
        self._undelivered: list[tuple[Partition, str, list[Job]]] = []
        self._sweeper = Sweeper(store, dispatcher)
        self._sources: set[str] = set()

    def step(self, block_ms: int = 100) -> int:
        """One round: at most one batch per partition. How many records were applied.

        Raises StoreUnavailable; the engine has then forgotten what it held and starts from what is committed.
        """
        try:
            return self._round(block_ms)
        except BaseException:
            self._forget()
            raise

    def _round(self, block_ms: int) -> int:
        now_ms = self._now_ms()
        if not 0 < self._leases_at_ms - now_ms <= self._lease_ms:  # due, or the clock went back
            self._keep_leases(now_ms)
        if not self.owned:
            return 0
        inbound = self._read(now_ms, block_ms)
        self.catalog.refresh(inbound.catalog_revision)
        now_ms = self._now_ms()
        works = self._collect(inbound, now_ms)
        applied = self._apply(works, now_ms)
        self._hand_out()
        self._sweeper.tidy(self.owned, now_ms, self._commit_idle)
        return applied

    def drain(self) -> None:
        """Give every partition up, so that another engine can take over at once."""
        for number in list(self.owned):
            self.store.release(self._owner, number)
            del self.owned[number]

    def _forget(self) -> None:
        """After a failed round it is not known how far it came: own nothing, take everything again."""
        self.owned.clear()
        self._undelivered.clear()
        self._sweeper.forget()
        self._leases_at_ms = 0

    # -- ownership -----------------------------------------------------------------------------------------

    def _keep_leases(self, now_ms: int) -> None:
        engines = self.store.heartbeat_engine(self._owner, self._lease_ms)
        mine = self.store.renew(self._owner, list(self.owned), self._lease_ms)
        for number in set(self.owned) - set(mine):
            self._lose(number)
        share = -(-self.store.partitions // max(1, len(engines)))
        for number in sorted(self.owned, reverse=True)[: max(0, len(self.owned) - share)]:
            self.store.release(self._owner, number)
            self._lose(number)
        for number in range(self.store.partitions):
            if len(self.owned) >= share:
                break
            if number not in self.owned:
                self._acquire(number)
        self._leases_at_ms = now_ms + self._lease_ms // 3

    def _acquire(self, number: int) -> None:
        ownership = self.store.acquire(number, self._owner, self._lease_ms)
        if ownership is None:
            return
        partition = Partition(ownership, self.store, self.catalog, self._retention_ms, self._entropy)
        self.owned[number] = partition
        self._door = min(self._door, partition.door, key=_order) if len(self.owned) > 1 else partition.door
        after = partition.dispatched
        while entries := self.store.outbox(number, after, 100):
            for entry in entries:
                self._undelivered.append((partition, entry.id, _jobs(number, entry)))
            after = entries[-1].id
        log.info("owns partition %d, epoch %d", number, partition.epoch)

    def _lose(self, number: int) -> None:
        partition = self.owned.pop(number, None)
        if partition is not None:
            self._undelivered = [item for item in self._undelivered if item[0] is not partition]
            log.warning("gave partition %d up", number)

    # -- reading -------------------------------------------------------------------------------------------

    def _read(self, now_ms: int, block_ms: int) -> Inbound:
        wait = block_ms
        for partition in self.owned.values():
            if partition.next_due_ms is not None:
                wait = min(wait, partition.next_due_ms - now_ms)
        inboxes = {number: partition.inbox for number, partition in self.owned.items()}
        return self.store.read(self._door, inboxes, BATCH, wait if wait > 0 else None)

    def _collect(self, inbound: Inbound, now_ms: int) -> dict[int, Work]:
        works = {number: Work() for number in self.owned}
        door_until_ms = _read_until_ms(inbound.door, now_ms)
        for entry in inbound.door:
            arrival, number = self._parse(entry, now_ms)
            partition = self.owned.get(number)
            if partition is not None and _order(entry.id) > _order(partition.door):
                works[number].door.append(arrival)
        for number, entries in inbound.inboxes.items():
            works[number].inbox = entries
        if inbound.door:
            self._door = inbound.door[-1].id
            for partition in self.owned.values():
                partition.door = max(partition.door, self._door, key=_order)
        for number, partition in self.owned.items():
            work = works[number]
            until_ms = min(door_until_ms, _read_until_ms(work.inbox, now_ms))
            if partition.next_due_ms is not None and partition.next_due_ms <= until_ms:
                work.timers = self.store.due_timers(number, until_ms, TIMERS)
            work.attempts = self._sweeper.lost(partition, now_ms, until_ms)
        return works

    def _parse(self, entry: Entry, now_ms: int) -> tuple[Arrival, int]:
        raw = entry.fields.get(b"event")
        if raw is None:
            return _without_event(entry), zlib.crc32(entry.id.encode()) % self.store.partitions
        partitions = self.store.partitions
        try:
            event = parse_event(raw, now_ms)
        except EventRejected as rejected:
            return Arrival(entry.id, None, rejected, raw), zlib.crc32(entry.id.encode()) % partitions
        except Exception as error:
            log.error("an event made the engine fail and is set apart", exc_info=error)
            unread = EventRejected("invalidData", f"the engine cannot read it: {error!r}")
            return Arrival(entry.id, None, unread, raw), zlib.crc32(entry.id.encode()) % partitions
        if event.source not in self._sources and len(self._sources) < 1_000:
            self.store.add_sources([event.source])
            self._sources.add(event.source)
        arrival = Arrival(
            entry.id, event, None, raw, event_key(event.source, event.id), entry.fields.get(b"replay") == b"1"
        )
        return arrival, partition_of(event.device if event.device is not None else entry.id, partitions)

    # -- applying ------------------------------------------------------------------------------------------

    def _apply(self, works: dict[int, Work], now_ms: int) -> int:
        busy = {number: work for number, work in works.items() if work or self._sweeper.has_postponed(number)}
        if not busy:
            return 0
        loaded = self._load(busy, now_ms)
        commits: list[tuple[Partition, Commit, Batch]] = []
        for number, work in busy.items():
            partition = self.owned[number]
            work.claims = self._sweeper.claims(partition, work.timers)
            commit, batch = partition.decide(work, loaded[number], now_ms)
            self._sweeper.postpone(number, commit)
            commits.append((partition, commit, batch))
        self._commit(commits)
        return sum(
            len(work.door) + len(work.inbox) + len(work.timers) + len(work.attempts) for work in busy.values()
        )

    def _load(self, busy: dict[int, Work], now_ms: int) -> dict[int, Loaded]:
        wanted = [self.owned[number].wants(work) for number, work in busy.items()]
        answers = self.store.load(wanted, now_ms)
        for want, loaded in zip(wanted, answers, strict=True):
            self.owned[want.partition].take(want, loaded)
        more = [self.owned[number].wants_running(work) for number, work in busy.items()]
        second = [want for want in more if want is not None]
        if second:
            for want, loaded in zip(second, self.store.load(second, now_ms), strict=True):
                self.owned[want.partition].take(want, loaded)
        return {want.partition: loaded for want, loaded in zip(wanted, answers, strict=True)}

    def _commit(self, commits: list[tuple[Partition, Commit, Batch]]) -> None:
        results = self._repeat_until_known([commit for _, commit, _ in commits])
        for (partition, commit, batch), result in zip(commits, results, strict=True):
            if result.status == "stale":
                self._lose(partition.number)
                continue
            partition.committed(commit, batch, result.next_due_ms)
            if result.outbox:
                jobs = jobs_of(partition.number, batch.outbox)
                self._undelivered.append((partition, result.outbox[-1], jobs))

    def _repeat_until_known(self, commits: list[Commit]) -> list[CommitResult]:
        """A lost reply leaves it open whether a commit was applied; its token makes asking again safe."""
        try:
            return self.store.commit(commits)
        except StoreUnavailable:
            return self.store.commit(commits)

    def _commit_idle(self, partitions: list[Partition], now_ms: int) -> None:
        made = [(partition, partition.idle_commit(now_ms)) for partition in partitions]
        due = [(partition, commit) for partition, commit in made if commit is not None]
        if not due:
            return
        results = self._repeat_until_known([commit for _, commit in due])
        for (partition, commit), result in zip(due, results, strict=True):
            if result.status == "stale":
                self._lose(partition.number)
            else:
                partition.committed(commit, None, result.next_due_ms)

    # -- handing out ---------------------------------------------------------------------------------------

    def _hand_out(self) -> None:
        """Commands reach their queue after the commit; what fails here is in the outbox and is tried again."""
        if not self._undelivered:
            return
        waiting, self._undelivered = self._undelivered, []
        self._dispatcher.enqueue([job for _, _, jobs in waiting for job in jobs])
        for partition, entry_id, _ in waiting:
            partition.dispatched_to = entry_id


def _without_event(entry: Entry) -> Arrival:
    """A door entry written with other fields than ours: kept whole, so that it can be pushed again rightly."""
    fields = {
        name.decode("utf-8", "replace"): value.decode("utf-8", "replace")
        for name, value in entry.fields.items()
    }
    message = f"the entry has no field `event` (found: {', '.join(sorted(fields))})"
    return Arrival(entry.id, None, EventRejected("missingAttribute", message), orjson.dumps(fields))


def _jobs(partition: int, entry: Entry) -> list[Job]:
    try:
        return jobs_of(partition, orjson.loads(entry.fields[b"c"]))
    except (ValueError, KeyError, TypeError) as error:
        # The attempts are in the store; the sweeper finds those that reached no queue.
        log.error("outbox entry %s of partition %d cannot be read: %r", entry.id, partition, error)
        return []


def _read_until_ms(entries: list[Entry], now_ms: int) -> int:
    """Up to when everything of a log has been read: a timer due later than this must not overtake the rest."""
    return now_ms if len(entries) < BATCH else min(now_ms, _order(entries[-1].id)[0])


def _order(id: str) -> tuple[int, int]:
    ms, _, n = id.partition("-")
    return int(ms), int(n)
