"""Keeps the leases of attempts that this process works on, from one background thread.

Every lease is extended at a third of its time, and at once when the body gives a sign of life. An attempt that is
no longer ours is cancelled through its `Signs`. The thread also ends bodies that overrun in threads.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from stepwell_store.errors import StoreError
from stepwell_store.protocol import Store

from stepwell_activities.attempt import Attempt, now_ms
from stepwell_activities.context import Signs

log = logging.getLogger("stepwell.worker")

RETRY_SECONDS = 0.5


@dataclass(slots=True)
class Hold:
    """One attempt under lease. `overrun` is called once at `deadline` (monotonic), `cancelled` when it is lost.

    `claim` is asked before every extension where the attempt may not be claimed yet; it says whether it is ours.
    """

    attempt: Attempt
    signs: Signs
    next_extension: float
    cancelled: Callable[[str], None] | None = None
    deadline: float | None = None
    overrun: Callable[[], None] | None = None
    claim: Callable[[], bool] | None = None


class LeaseKeeper:
    """Extends what is held until it is dropped. Safe to call from any thread; start it after a fork, not before."""

    def __init__(self, store: Store, worker: str, lease_seconds: float) -> None:
        self._store = store
        self._worker = worker
        self._lease_ms = int(lease_seconds * 1000)
        self._interval = lease_seconds / 3
        self._held: dict[str, Hold] = {}
        self._changed = threading.Condition()
        self._sleeps_until = 0.0
        self._thread: threading.Thread | None = None
        self._closed = False

    def hold(self, attempt: Attempt, signs: Signs, claim: Callable[[], bool] | None = None) -> Hold:
        """Keep the lease of an attempt that was just claimed, or is by `claim` when it lasts."""
        hold = Hold(attempt, signs, time.monotonic() + self._interval, claim=claim)
        with self._changed:
            self._held[attempt.token] = hold
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._keep, name="stepwell-leases", daemon=True)
                self._thread.start()
        return hold

    def limit(self, hold: Hold, seconds: float, overrun: Callable[[], None]) -> None:
        """Call `overrun` from the keeper's thread if the attempt is still held after `seconds`."""
        with self._changed:
            hold.deadline, hold.overrun = time.monotonic() + seconds, overrun
            if hold.deadline < self._sleeps_until:
                self._changed.notify()

    def drop(self, token: str) -> None:
        """The attempt has ended (or was given back): its lease is left alone."""
        with self._changed:
            self._held.pop(token, None)

    def wake(self) -> None:
        """Look at once whether an attempt gave a sign of life."""
        with self._changed:
            self._changed.notify()

    def close(self) -> None:
        """Stop. What is held is left to run out."""
        with self._changed:
            self._closed = True
            self._held.clear()
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join(timeout=5)

    def _keep(self) -> None:
        while True:
            with self._changed:
                if self._closed:
                    return
                now = time.monotonic()
                late = [hold for hold in self._held.values() if _is_late(hold, now)]
                due = [
                    hold for hold in self._held.values() if hold.signs.wanted or hold.next_extension <= now
                ]
                if not due and not late:
                    self._sleeps_until = min(map(_next, self._held.values()), default=now + self._interval)
                    self._changed.wait(self._sleeps_until - now)
                    continue
            for hold in late:
                self._end(hold)
            for hold in due:
                self._extend(hold)

    def _extend(self, hold: Hold) -> None:
        attempt, signs = hold.attempt, hold.signs
        sign, signs.wanted = signs.wanted, False
        try:
            ours = (hold.claim is None or hold.claim()) and self._store.extend(
                attempt.partition, attempt.token, self._worker, now_ms(), self._lease_ms, sign
            )
        except StoreError as error:
            log.warning("cannot extend the lease of %s: %s", attempt.attempt, error)
            signs.wanted = False  # next_extension brings it back; a hot loop would not help
            hold.next_extension = time.monotonic() + RETRY_SECONDS
            return
        hold.next_extension = time.monotonic() + self._interval
        if not ours and attempt.token in self._held:
            self.drop(attempt.token)
            reason = "the attempt is not wanted any more, or another worker has it"
            signs.cancel(reason)
            if hold.cancelled is not None:
                hold.cancelled(reason)

    def _end(self, hold: Hold) -> None:
        overrun, hold.overrun, hold.deadline = hold.overrun, None, None
        hold.signs.cancel("the activity took longer than its timeout")
        if overrun is not None:
            overrun()


def _is_late(hold: Hold, now: float) -> bool:
    return hold.deadline is not None and hold.deadline <= now


def _next(hold: Hold) -> float:
    return hold.next_extension if hold.deadline is None else min(hold.next_extension, hold.deadline)
