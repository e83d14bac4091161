"""Commands on their way from commit to queue. What the queue has not taken stays in the outbox, in order.

A queue that is away costs nothing but time: partitions are kept, nothing piles up in memory, and when the queue is back
the outbox is read from where it was left.
"""

import logging
from collections.abc import Callable

import orjson
from stepwell_store.batches import Entry
from stepwell_store.protocol import Store

from stepwell_engine.dispatch import Dispatcher, Job, QueueUnavailable, jobs_of
from stepwell_engine.partition import Partition

log = logging.getLogger("stepwell.engine")

PAUSE_MS = 500
"""Between looks whether a queue that was away is back."""
PAGE = 100
PAGES = 10
"""So much of an outbox is worked off in one round; the logs want to be read meanwhile."""


class Outgoing:
    """What one engine still has to hand out."""

    def __init__(self, store: Store, dispatcher: Dispatcher, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._now_ms = now_ms
        self._waiting: list[tuple[Partition, str, list[Job]]] = []
        self._behind: dict[int, Partition] = {}
        """Partitions whose outbox holds what is not in `_waiting`."""
        self._again_at_ms = 0
        self._is_away = False

    def own(self, partition: Partition) -> None:
        """Hand out what the last owner left."""
        self._behind[partition.number] = partition

    def add(self, partition: Partition, entry_id: str, jobs: list[Job]) -> None:
        """Jobs of a commit that is confirmed, the last of them in this entry of the outbox."""
        if not self.is_behind(partition):
            self._waiting.append((partition, entry_id, jobs))

    def is_behind(self, partition: Partition) -> bool:
        """Whether older commands of the partition have not been handed out."""
        return self._behind.get(partition.number) is partition

    def lose(self, partition: Partition) -> None:
        """Another engine has the partition."""
        self._waiting = [item for item in self._waiting if item[0] is not partition]
        if self.is_behind(partition):
            del self._behind[partition.number]

    def clear(self) -> None:
        """The engine owns nothing any more."""
        self._waiting.clear()
        self._behind.clear()

    def hand_out(self) -> None:
        """Everything to its queue. Raises StoreUnavailable for the store; a queue that is away is waited for."""
        if not self._waiting and not self._behind:
            return
        if self._is_away and 0 < self._again_at_ms - self._now_ms() <= PAUSE_MS:
            self._leave_in_outbox()
            return
        try:
            self._enqueue_waiting()
            for partition in list(self._behind.values()):
                self._catch_up(partition)
        except QueueUnavailable as error:
            self._leave_in_outbox()
            self._again_at_ms = self._now_ms() + PAUSE_MS
            if not self._is_away:
                log.warning("jobs wait in the outbox: %s", error)
            self._is_away = True
        else:
            if self._is_away:
                log.warning("RQ's Redis is back; what waited is handed out")
            self._is_away = False

    def _enqueue_waiting(self) -> None:
        if self._waiting:
            self._dispatcher.enqueue([job for _, _, jobs in self._waiting for job in jobs])
            for partition, entry_id, _ in self._waiting:
                partition.dispatched_to = entry_id
            self._waiting.clear()

    def _catch_up(self, partition: Partition) -> None:
        for _ in range(PAGES):
            after = partition.dispatched_to or partition.dispatched
            entries = self._store.outbox(partition.number, after, PAGE)
            if not entries:
                del self._behind[partition.number]
                return
            self._dispatcher.enqueue([job for entry in entries for job in _jobs(partition.number, entry)])
            partition.dispatched_to = entries[-1].id

    def _leave_in_outbox(self) -> None:
        for partition, _, _ in self._waiting:
            self._behind[partition.number] = partition
        self._waiting.clear()


def _jobs(partition: int, entry: Entry) -> list[Job]:
    try:
        return jobs_of(partition, orjson.loads(entry.fields[b"c"]))
    except (ValueError, KeyError, TypeError) as error:
        # The attempts are in the store; the sweeper finds those that reached no queue.
        log.error("outbox entry %s of partition %d cannot be read: %r", entry.id, partition, error)
        return []
