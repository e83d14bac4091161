"""The engine loop: own partitions, read what has arrived, decide it, commit it, hand out what was decided.

Under load three things overlap: while a batch is decided, the store writes the batch before it and reads out the one
after it. What is decided is remembered at once, but nothing leaves (no job, no trim, no position) before its commit
is confirmed; and a commit is sent only when the one before it is. After any failure everything remembered is dropped
and the engine starts from what is committed. A commit that comes back stale means another engine has the partition:
its caches are dropped, and so is the batch that was decided on top of it.
"""

import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stepwell_store.batches import Commit, CommitResult, Handing, Loaded
from stepwell_store.errors import CorruptValue, StoreUnavailable
from stepwell_store.lane import Pending
from stepwell_store.protocol import Store

from stepwell_engine.catalog import Catalog
from stepwell_engine.dispatch import Dispatcher, Ended, Job, ended_job, jobs_of
from stepwell_engine.intake import USUAL_PACE, Intake, Pace
from stepwell_engine.outgoing import Outgoing
from stepwell_engine.partition import Partition
from stepwell_engine.sweeper import Sweeper
from stepwell_engine.turn import Batch
from stepwell_engine.work import Work

log = logging.getLogger("stepwell.engine")

TIMERS = 500
DAY_MS = 86_400_000
CACHE_BYTES = 64 * 1_048_576
"""Stored size of the instances and devices that one engine keeps; in memory they take about four times as much."""


def clock_ms() -> int:
    """The engine's clock: epoch milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Decided:
    """A batch of a partition that is decided and not confirmed."""

    partition: Partition
    commit: Commit
    batch: Batch


class Engine:
    """One engine process's work. `step` is one round; the caller repeats it (`run`) or drives it (simulation).

    `handing` makes the request that hands jobs out on the store's own server, within the commit, and forgets those that
    have ended in a worker's hands; None where RQ's Redis is another.
    """

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
        handing: Callable[[Sequence[Job], Sequence[Ended]], Handing | None] | None = None,
        cache_bytes: int = CACHE_BYTES,
        pace: Pace = USUAL_PACE,
    ) -> None:
        self.store = store
        self.catalog = Catalog(store)
        self.owned: dict[int, Partition] = {}
        self._dispatcher = dispatcher
        self._handing = handing
        self._owner = owner
        self._lease_ms = lease_ms
        self._retention_ms = int(retention_days * DAY_MS)
        self._cache_bytes = cache_bytes
        self._now_ms = now_ms
        self._entropy = entropy
        self._leases_at_ms = 0
        self._lane = store.lane()
        self._intake = Intake(store, pace)
        self._pace = pace
        self._sweeper = Sweeper(store, dispatcher)
        self._decided: list[Decided] = []
        """Not sent yet. Left so only while the next read is on its way."""
        self._made: list[Decided] = []
        """Of the last batch; decided further only when the one before it is confirmed, as late as may be."""
        self._flying: tuple[list[Decided], Pending[list[CommitResult]]] | None = None
        self._unfit: dict[int, str] = {}
        """Partitions that cannot be worked on, and why; said once."""
        self._outgoing = Outgoing(store, dispatcher, now_ms)

    def step(self, block_ms: int = 100) -> int:
        """One round: at most one batch per partition. How many records were applied; after 0 all is committed.

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
        inbound = self._intake.take_ahead()
        if inbound is None:
            self._land()
            inbound = self._intake.read(self._lane, self.owned, self._block_ms(now_ms, block_ms))
        self.catalog.refresh(inbound.catalog_revision)
        now_ms = self._now_ms()
        works, door_until_ms = self._intake.collect(inbound, self.owned, now_ms)
        self._look_up_due(works, door_until_ms, now_ms)
        applied = self._apply(works, now_ms)
        if self._sweeper.is_tidying_due(now_ms):
            self._commit_idle(now_ms)
            self._sweeper.tidy(now_ms)
        self._outgoing.hand_out()
        return applied

    def drain(self) -> None:
        """Give every partition up, so that another engine can take over at once."""
        try:
            self._land()
            for number in list(self.owned):
                self.store.release(self._owner, number)
                del self.owned[number]
        finally:
            self._forget()

    def _forget(self) -> None:
        """After a failed round it is not known how far it came: own nothing, take everything again."""
        self.owned.clear()
        self._outgoing.clear()
        self._made.clear()
        self._decided.clear()
        self._flying = None
        self._sweeper.forget()
        self._intake.forget_ahead()
        self._lane.close()
        self._leases_at_ms = 0

    # -- ownership -----------------------------------------------------------------------------------------

    def _keep_leases(self, now_ms: int) -> None:
        """What is on its way is not waited for, unless a partition is given up: a commit tells by its epoch whether
        it still counts."""
        # A little shorter than what is promised, since others look only now and then whether a lease has run out.
        hold_ms = self._lease_ms * 17 // 20
        engines = self.store.heartbeat_engine(self._owner, hold_ms)
        mine = self.store.renew(self._owner, list(self.owned), hold_ms)
        for number in set(self.owned) - set(mine):
            self._lose(number)
        share = -(-self.store.partitions // max(1, len(engines)))
        too_many = sorted(self.owned, reverse=True)[: max(0, len(self.owned) - share)]
        if too_many:
            self._land()
        for number in too_many:
            self.store.release(self._owner, number)
            self._lose(number)
        for number in range(self.store.partitions):
            if len(self.owned) >= share:
                break
            if number not in self.owned:
                self._acquire(number, hold_ms)
        for partition in self.owned.values():
            partition.limit_caches(self._cache_bytes // max(1, len(self.owned)))
        owns_all = len(self.owned) == self.store.partitions
        self._leases_at_ms = now_ms + self._lease_ms // (5 if owns_all else 10)

    def _acquire(self, number: int, hold_ms: int) -> None:
        try:
            ownership = self.store.acquire(number, self._owner, hold_ms)
        except CorruptValue as error:
            if self._unfit.get(number) != str(error):
                log.error("partition %d stays without an owner: %s", number, error)
            self._unfit[number] = str(error)
            return
        if ownership is None:
            return
        partition = Partition(
            ownership, self.store, self.catalog, self._retention_ms, self._entropy, self._confirm
        )
        self.owned[number] = partition
        self._intake.own(partition, is_only=len(self.owned) == 1)
        self._outgoing.own(partition)
        self._sweeper.own()
        log.info("owns partition %d, epoch %d", number, partition.epoch)

    def _lose(self, number: int) -> None:
        partition = self.owned.pop(number, None)
        if partition is not None:
            self._outgoing.lose(partition)
            self._decided = [one for one in self._decided if one.partition is not partition]
            log.warning("gave partition %d up", number)

    # -- what there is to do -------------------------------------------------------------------------------

    def _block_ms(self, now_ms: int, block_ms: int) -> int | None:
        wait = block_ms
        for partition in self.owned.values():
            if partition.next_due_ms is not None:
                wait = min(wait, partition.next_due_ms - now_ms)
        return wait if wait > 0 else None

    def _look_up_due(self, works: dict[int, Work], door_until_ms: int, now_ms: int) -> None:
        """Due timers and lost attempts. The store is asked when all that is decided is committed: it would else
        tell of timers that a batch on its way has fired, moved or cleared."""
        is_sweeping = self._sweeper.begins_sweep(now_ms)
        for number, partition in list(self.owned.items()):
            work = works.get(number)
            inbox_until = now_ms if work is None else work.inbox_until_ms
            until = min(door_until_ms, inbox_until)
            has_timer = partition.has_timer_due(until)
            # Results come by the inbox: a backlog at the door is no reason to leave a dead worker's attempts be.
            has_attempt = is_sweeping and self._sweeper.finds_lost(partition, inbox_until)
            if not has_timer and not has_attempt:
                continue
            self._land()
            if self.owned.get(number) is not partition:
                continue
            if work is None:
                work = works[number] = Work(inbox_until)
            if has_timer and partition.has_timer_due(until):
                rung = work.timers = self.store.due_timers(number, until, TIMERS)
                # Where there are more, a timer that is due later than they ring may not fire before theirs.
                work.timers_until_ms = until if len(rung) < TIMERS else min(until, rung[-1].due_ms)
            if has_attempt:
                work.attempts = self._sweeper.lost(partition, now_ms, inbox_until)

    # -- applying ------------------------------------------------------------------------------------------

    def _apply(self, works: dict[int, Work], now_ms: int) -> int:
        busy = [
            (self.owned[number], work)
            for number, work in works.items()
            if number in self.owned and (work or self._sweeper.has_postponed(number))
        ]
        if not busy:
            self._land()
            return 0
        loaded = self._load(busy, now_ms)
        decided: list[Decided] = []
        for (partition, work), found in zip(busy, loaded, strict=True):
            work.claims = self._sweeper.claims(partition, work.timers)
            commit, batch = partition.decide(work, found, now_ms)
            self._sweeper.postpone(partition.number, commit)
            told = [entry for entry in work.inbox if b"h" in entry.fields]
            if told:
                commit.unwritten = told[0].id, told[0].fields[b"h"]
            if self._handing is not None and (batch.outbox or told):
                ended = [ended_job(entry) for entry in told]
                commit.handing = self._handing(jobs_of(partition.number, batch.outbox), ended)
            partition.expect_timers(commit)  # known before it is taken on: no later event may go before them
            decided.append(Decided(partition, commit, batch))
        # Half is packed while the store may still be busy with the batch before, half while it answers `_load`.
        for one in decided[: len(decided) // 2]:
            self._lane.prepare(one.commit)
        self._made = decided
        if not self._intake.is_ahead:
            self._land()
        return sum(work.size for _, work in busy)

    def _load(self, busy: list[tuple[Partition, Work]], now_ms: int) -> list[Loaded]:
        """What the batches need. The batch before is sent right behind the question, and the next read behind that."""
        self._go_on()
        wanted = [partition.wants(work) for partition, work in busy]
        answer = self._lane.load(wanted, now_ms)
        if self._decided:
            self._lane.send()
        self._send_behind(busy)
        self._lane.send()
        found = answer.wait()
        for (partition, _), want, loaded in zip(busy, wanted, found, strict=True):
            partition.take(want, loaded)
        return found

    def _send_behind(self, busy: list[tuple[Partition, Work]]) -> None:
        """The commit of the batch before and, under load, the question for the next one."""
        self._send_decided()
        if sum(work.size for _, work in busy) >= self._pace.ahead_from:
            self._intake.read_ahead(self._lane, self.owned)

    def _land(self) -> None:
        """Commit what is decided, and wait for it."""
        self._go_on()
        self._send_decided()
        self._confirm()

    def _go_on(self) -> None:
        """From the batch that was made last, once the one before it is confirmed: the store has had all the time."""
        made, self._made = self._made, []
        if made:
            self._confirm()
        for one in made:
            if self.owned.get(one.partition.number) is one.partition:
                one.partition.decided(one.commit, one.batch)
                self._decided.append(one)

    def _send_decided(self) -> None:
        if self._decided:
            self._confirm()
            decided, self._decided = self._decided, []
            self._flying = decided, self._lane.commit([one.commit for one in decided])

    def _confirm(self) -> None:
        """Wait for the commit that is on its way, then let out what it allows."""
        if self._flying is None:
            return
        (flown, answer), self._flying = self._flying, None
        try:
            results = answer.wait()
        except StoreUnavailable:
            # A lost reply leaves it open whether a commit was applied; its token makes asking again safe.
            self._lane.close()
            self._intake.forget_ahead()
            results = self.store.commit([one.commit for one in flown])
        for one, result in zip(flown, results, strict=True):
            if self.owned.get(one.partition.number) is not one.partition:
                continue
            if result.status == "stale":
                self._lose(one.partition.number)
                self._leases_at_ms = 0  # perhaps nobody else has it: the store had forgotten what was told
            else:
                for name in result.set_aside:
                    log.error("%s is not of its type; set aside as corrupt:%s", name, name)
                one.partition.confirmed(one.commit, one.batch, result.next_due_ms)
                self._let_out(one, result)
        self._outgoing.hand_out()

    def _let_out(self, one: Decided, result: CommitResult) -> None:
        if not result.outbox:
            return
        if result.is_handed and not self._outgoing.is_behind(one.partition):
            one.partition.dispatched_to = result.outbox[-1]
        else:
            jobs = jobs_of(one.partition.number, one.batch.outbox)
            self._outgoing.add(one.partition, result.outbox[-1], jobs)

    def _commit_idle(self, now_ms: int) -> None:
        """Positions that moved in partitions of which nothing is on its way."""
        flying = self._flying[0] if self._flying is not None else []
        under_way = {one.partition.number for one in (*flying, *self._decided, *self._made)}
        for number, partition in self.owned.items():
            made = None if number in under_way else partition.idle_commit(now_ms)
            if made is not None:
                self._made.append(Decided(partition, *made))
        if not self._intake.is_ahead:
            self._land()
