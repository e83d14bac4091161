"""What the loop does now and then: attempts whose lease ran out, jobs that got lost, logs to trim.

An attempt that is still queued only gets a later deadline; one that was claimed and went silent is lost.
Re-dispatch by timeout alone collapses under load (docs/decisions/0001).
"""

import logging
from contextlib import suppress

import orjson
from stepwell_store.batches import Commit
from stepwell_store.protocol import Alarm, Claim, DueAttempt, Store

from stepwell_engine.dispatch import Dispatcher, Job, QueueUnavailable
from stepwell_engine.execution import DISPATCH_DEADLINE_MS
from stepwell_engine.partition import Partition

log = logging.getLogger("stepwell.engine")

SWEEP_MS = 1_000
ATTEMPTS = 200


class Sweeper:
    """Looks after attempts and logs, once a second."""

    def __init__(self, store: Store, dispatcher: Dispatcher) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._later: dict[int, dict[str, int]] = {}
        self._tidy_at_ms = 0
        self._sweep_at_ms = 0

    def is_tidying_due(self, now_ms: int) -> bool:
        """Whether it is time to tidy."""
        return not 0 < self._tidy_at_ms - now_ms <= SWEEP_MS

    def own(self) -> None:
        """A partition was taken over: what was lost there has waited long enough."""
        self._sweep_at_ms = 0

    def begins_sweep(self, now_ms: int) -> bool:
        """Whether it is time to look for lost attempts, in all partitions; then it is not for a while."""
        if 0 < self._sweep_at_ms - now_ms <= SWEEP_MS:
            return False
        self._sweep_at_ms = now_ms + SWEEP_MS
        return True

    def finds_lost(self, partition: Partition, until_ms: int) -> bool:
        """Looks for lost attempts. A batch on its way may have ended what it finds: see `lost`."""
        return bool(self._store.due_attempts(partition.number, until_ms, 1))

    def lost(self, partition: Partition, now_ms: int, until_ms: int) -> list[DueAttempt]:
        """Attempts of a partition whose worker was gone by `until_ms`, asked for when all that is decided is
        committed. Unclaimed ones are looked after here."""
        due = self._store.due_attempts(partition.number, until_ms, ATTEMPTS)
        jobs = {
            attempt.token: job
            for attempt in due
            if attempt.claim is None and (job := _job(partition.number, attempt)) is not None
        }
        if jobs:
            self._look_after(partition.number, jobs, now_ms)
        return [attempt for attempt in due if attempt.token not in jobs]

    def _look_after(self, number: int, jobs: dict[str, Job], now_ms: int) -> None:
        with suppress(
            QueueUnavailable
        ):  # told by whoever hands out; what may still queue gets a later deadline too
            self._hand_out_missing(number, jobs)
        later = self._later.setdefault(number, {})
        for token in jobs:
            later[token] = now_ms + DISPATCH_DEADLINE_MS

    def _hand_out_missing(self, number: int, jobs: dict[str, Job]) -> None:
        queued = self._dispatcher.queued(list(jobs.values()))
        missing = [job for token, job in jobs.items() if token not in queued]
        if missing:
            log.warning(
                "%d jobs of partition %d were no longer queued; handing them out again", len(missing), number
            )
            self._dispatcher.enqueue(missing)

    def forget(self) -> None:
        """The engine owns nothing any more."""
        self._later.clear()
        self._sweep_at_ms = 0

    def has_postponed(self, number: int) -> bool:
        """Whether deadlines wait for a commit; else the same attempts would be found again and hide later ones."""
        return number in self._later

    def postpone(self, number: int, commit: Commit) -> None:
        """Add the later deadlines found meanwhile to a commit."""
        for token, deadline in self._later.pop(number, {}).items():
            if token not in commit.attempts:
                commit.deadlines[token] = deadline

    def claims(self, partition: Partition, timers: list[Alarm]) -> dict[tuple[str, str], Claim]:
        """For due heartbeat timers: who works on the attempt and when it last gave a sign."""
        tokens = {
            token: (timer.instance, timer.slot)
            for timer in timers
            if (token := partition.heartbeat_token(timer)) is not None
        }
        if not tokens:
            return {}
        found = self._store.claims(partition.number, list(tokens))
        return {tokens[token]: claim for token, claim in found.items()}

    def tidy(self, now_ms: int) -> None:
        """Trim the door below the smallest of all committed positions."""
        self._tidy_at_ms = now_ms + SWEEP_MS
        positions = self._store.door_positions()
        if len(positions) == self._store.partitions:
            self._store.trim_door(min(positions.values(), key=_order))


def _job(number: int, attempt: DueAttempt) -> Job | None:
    """The job of an attempt; None where its payload is not what we write: the turn that loses it tells."""
    try:
        payload = orjson.loads(attempt.payload)
        return Job(
            partition=number,
            token=attempt.token,
            queue=payload["queue"],
            timeout_ms=payload["timeoutMs"],
            what=f"{payload['activity']} for {payload['instance']}",
        )
    except (ValueError, KeyError, TypeError):
        return None


def _order(id: str) -> tuple[int, int]:
    ms, _, n = id.partition("-")
    return int(ms), int(n)
