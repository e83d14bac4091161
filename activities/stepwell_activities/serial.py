"""Runs attempts one after another in the main thread, several per turn while they are short.

A turn takes as many jobs as recent bodies fit into two milliseconds. If a body then stalls all the same, a watching
thread reports what is done and gives back what has not begun, so that no job waits behind a slow one; what was begun
in hand (`hands.py`) is claimed then.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from redis.exceptions import RedisError
from stepwell_store.errors import StoreUnavailable

from stepwell_activities.attempt import Outcome, now_ms
from stepwell_activities.claiming import Held
from stepwell_activities.errors import Failure
from stepwell_activities.reporting import GRACE_MS, patiently, report
from stepwell_activities.runtime import Runtime
from stepwell_activities.taking import Finished, TakenJob

log = logging.getLogger("stepwell.worker")

TURN_SECONDS = 0.002
STALL_SECONDS = 0.05
SIGN_SECONDS = 15.0
WEIGHT = 0.2
"""How much the latest turn counts in the average."""


class SerialBench:
    """One body at a time. `give_back` puts jobs back on their queues, `sign` is the worker's own sign of life.

    `let_go` is called when a body stalls: what else the server lays into the worker's hands would wait behind it.
    """

    wake_descriptor: int | None = None
    abandoned = False
    """Set on a cold stop: what was broken off is not reported, its lease runs out and it is done again."""

    def __init__(
        self,
        runtime: Runtime,
        batch: int,
        give_back: Callable[[list[TakenJob]], None],
        sign: Callable[[], None],
        let_go: Callable[[], None] = lambda: None,
    ) -> None:
        self._runtime = runtime
        self._batch = batch
        self._give_back = give_back
        self._sign = sign
        self._let_go = let_go
        self._room = 1
        self._average_seconds = TURN_SECONDS
        self._lock = threading.Lock()
        self._pending: deque[Held] = deque()
        self._done: list[tuple[Held, Outcome]] = []
        self._settled = Finished([])
        self._current: Held | None = None
        self._turn = 0
        self._watch = threading.Event()
        self._stop = threading.Event()
        self._reporting = threading.Lock()
        self._watcher: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Nothing is left running between turns."""
        return False

    def room(self) -> int:
        """How many jobs the next turn should take."""
        return self._room

    def in_hand(self) -> list[str]:
        """Jobs that are being worked on."""
        with self._lock:
            current = [] if self._current is None else [self._current.job.id]
            return current + [held.job.id for held in self._pending]

    def begin(self, held: Sequence[Held]) -> None:
        """Run them all; on return every outcome is reported. Goes on with what a body threw at the worker."""
        if not held:
            return
        self._start_watching()
        with self._lock:
            self._pending.extend(held)
        interrupt: BaseException | None = None
        last_report = time.perf_counter()
        ran, body_seconds = 0, 0.0
        try:
            while interrupt is None and (next_held := self._next()) is not None:
                began = time.perf_counter()
                outcome = self._runtime.runner.run(next_held.hold)
                ran, body_seconds = ran + 1, body_seconds + time.perf_counter() - began
                interrupt = outcome.interrupt
                if not (self.abandoned and interrupt is not None):
                    self._add(next_held, outcome)
                if time.perf_counter() - last_report > TURN_SECONDS:
                    self._report()
                    last_report = time.perf_counter()
        finally:
            self._watch.clear()
            self._settle(interrupt)
        # Without the report: where that is slow, larger batches are the remedy.
        self._adapt(ran, body_seconds)
        if isinstance(interrupt, KeyboardInterrupt):
            raise interrupt

    def collect(self) -> Finished:
        """What has been reported since the last call."""
        with self._lock:
            settled, self._settled = self._settled, Finished([])
        return settled

    def stop_job(self, job_id: str) -> None:
        """Report the running job as stopped; its body is told, and its own answer comes too late."""
        with self._lock:
            current = self._current
        if current is not None and current.job.id == job_id:
            attempt = current.hold.attempt
            current.hold.signs.cancel("stopped by an operator")
            failure = Failure("Stopped", "an operator stopped the job", retryable=False)
            if current.hand is None or patiently(current.hand.claim, "claim an attempt"):
                report(
                    self._runtime.store, [Outcome(attempt, now_ms(), failure=failure)], self._runtime.worker
                )
            else:
                log.warning(
                    "attempt %s is not ours any more: only its body here is told to stop", attempt.token
                )
            if current.hold.cancelled is not None:
                current.hold.cancelled("stopped by an operator")

    def close(self) -> None:
        """Stop the watching thread."""
        self._stop.set()
        self._watch.set()
        if self._watcher is not None:
            self._watcher.join(timeout=5)

    def _next(self) -> Held | None:
        with self._lock:
            self._turn += 1
            self._current = self._pending.popleft() if self._pending else None
            return self._current

    def _add(self, held: Held, outcome: Outcome) -> None:
        with self._lock:
            self._current = None
            self._done.append((held, outcome))

    def _report(self) -> None:
        """Under a lock of its own: main must not take the next jobs while the watcher still reports."""
        with self._reporting:
            with self._lock:
                done, self._done = self._done, []
            claimed = [
                (held, outcome)
                for held, outcome in done
                if held.hand is None or not held.hand.finish(outcome)
            ]
            report(self._runtime.store, [outcome for _, outcome in claimed], self._runtime.worker)
            for _, outcome in done:
                self._runtime.keeper.drop(outcome.attempt.token)
            failed = sum(outcome.failure is not None for _, outcome in done)
            with self._lock:
                self._settled.jobs += [held.job for held, _ in claimed]
                self._settled.succeeded += len(done) - failed
                self._settled.failed += failed

    def _settle(self, interrupt: BaseException | None) -> None:
        if interrupt is not None:
            self._hand_back()
        self._report()

    def _hand_back(self) -> None:
        """Give back what has not begun: first the claims, then the jobs, so that the next worker can claim them."""
        with self._lock:
            rest = list(self._pending)
            self._pending.clear()
        if not rest:
            return
        for held in rest:
            self._runtime.keeper.drop(held.hold.attempt.token)
        claims = [(held.hold.attempt.partition, held.hold.attempt.token) for held in rest]
        patiently(
            lambda: self._runtime.store.unclaim(claims, self._runtime.worker, now_ms(), GRACE_MS),
            "give back attempts",
        )
        self._give_back([held.job for held in rest])

    def _adapt(self, ran: int, seconds: float) -> None:
        if ran:
            self._average_seconds += WEIGHT * (seconds / ran - self._average_seconds)
            fitting = int(TURN_SECONDS / max(self._average_seconds, 1e-6))
            self._room = max(1, min(self._batch, fitting, self._room * 2))
            with self._lock:
                self._settled.worked_seconds += seconds

    def _start_watching(self) -> None:
        if self._watcher is None:
            self._watcher = threading.Thread(target=self._watch_stalls, name="stepwell-stalls", daemon=True)
            self._watcher.start()
        self._watch.set()

    def _watch_stalls(self) -> None:
        seen, relieved, next_sign = -1, -1, time.monotonic() + SIGN_SECONDS
        while not self._stop.is_set():
            self._watch.wait()
            if self._stop.wait(STALL_SECONDS):
                return
            with self._lock:
                turn, waiting = self._turn, bool(self._pending or self._done)
                running = self._current is not None
            try:
                if waiting and turn == seen:
                    self._report()
                    self._hand_back()
                if running and turn == seen != relieved:
                    self._relieve(turn)
                    relieved = turn
                if time.monotonic() >= next_sign:
                    next_sign = time.monotonic() + SIGN_SECONDS
                    self._sign()
            except (RedisError, StoreUnavailable) as error:
                log.warning("cannot look after what waits behind a slow body, trying again: %s", error)
            except Exception:
                log.exception("cannot look after what waits behind a slow body; trying again")
            seen = turn

    def _relieve(self, turn: int) -> None:
        """The body of this turn takes its time: claim its attempt, and have nothing else laid into our hands.

        Main waits at its report until this is done, so that it does not wait for jobs meanwhile.
        """
        with self._reporting:
            with self._lock:
                current = self._current if self._turn == turn else None
            if current is None:
                return
            if current.hand is not None:
                current.hand.claim()
            self._let_go()
