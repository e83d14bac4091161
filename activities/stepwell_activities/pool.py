"""Runs several attempts at once: sync bodies in threads, async bodies on one event loop. For activities that wait.

Outcomes are reported in batches by the worker's own loop; a byte on `wake_descriptor` tells it that there are some.
"""

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from stepwell_activities.attempt import Outcome, now_ms
from stepwell_activities.claiming import Held
from stepwell_activities.errors import ActivityCancelled, Failure, failure_of
from stepwell_activities.reporting import report
from stepwell_activities.running import Call
from stepwell_activities.runtime import Runtime
from stepwell_activities.taking import Finished


class PoolBench:
    """Up to `concurrency` bodies at a time. The threads are daemons: a cold stop does not wait for them."""

    abandoned = False
    """Set on a cold stop. Nothing waits for the threads then; what they ran is done again."""

    def __init__(self, runtime: Runtime, concurrency: int) -> None:
        self._runtime = runtime
        self._concurrency = concurrency
        self._running: dict[str, tuple[Held, float]] = {}
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._outcomes: SimpleQueue[tuple[Held, Outcome]] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self.wake_descriptor: int | None = self._reader.fileno()

    @property
    def busy(self) -> bool:
        """Whether bodies are running."""
        return bool(self._running)

    def room(self) -> int:
        """How many jobs the next turn should take."""
        return self._concurrency - len(self._running)

    def in_hand(self) -> list[str]:
        """Jobs that are being worked on."""
        return list(self._running)

    def begin(self, held: Sequence[Held]) -> None:
        """Start them. `collect` brings what has ended."""
        for one in held:
            self._running[one.job.id] = (one, now_ms() / 1000)
            call = self._runtime.runner.prepare(one.hold)
            if isinstance(call, Outcome):
                self._ended(one, call)
            elif call.activity.is_async:
                asyncio.run_coroutine_threadsafe(self._run_async(one, call), self._event_loop())
            else:
                if len(self._threads) < min(self._concurrency, len(self._running)):
                    self._start_thread(self._serve, "stepwell-body")
                self._work.put(lambda one=one, call=call: self._run_sync(one, call))  # type: ignore[misc]

    def collect(self) -> Finished:
        """Report what has ended since the last call, durable on return."""
        self._drain_wakes()
        ended: list[tuple[Held, Outcome]] = []
        while not self._outcomes.empty():
            ended.append(self._outcomes.get())
        report(self._runtime.store, [outcome for _, outcome in ended], self._runtime.worker)
        finished = Finished([])
        for held, outcome in ended:
            self._runtime.keeper.drop(outcome.attempt.token)
            _, began = self._running.pop(held.job.id)
            finished.jobs.append(held.job)
            finished.succeeded += outcome.failure is None
            finished.failed += outcome.failure is not None
            finished.worked_seconds += max(0.0, now_ms() / 1000 - began)
        return finished

    def stop_job(self, job_id: str) -> None:
        """Report a running job as stopped; its body is told, and its own answer comes too late."""
        found = self._running.get(job_id)
        if found is None:
            return
        hold = found[0].hold
        hold.signs.cancel("stopped by an operator")
        failure = Failure("Stopped", "an operator stopped the job", retryable=False)
        report(self._runtime.store, [Outcome(hold.attempt, now_ms(), failure=failure)], self._runtime.worker)
        if hold.cancelled is not None:
            hold.cancelled("stopped by an operator")

    def close(self) -> None:
        """End the threads that are idle, and the loop."""
        for _ in self._threads:
            self._work.put(None)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
        for thread in self._threads if not self._running else []:
            thread.join(timeout=5)
        self.wake_descriptor = None
        self._reader.close()
        self._writer.close()

    def _run_sync(self, held: Held, call: Call) -> None:
        self._ended(held, self._runtime.runner.run_sync(call))

    async def _run_async(self, held: Held, call: Call) -> None:
        try:
            outcome = await self._runtime.runner.run_async(call)
        except BaseException as problem:
            failure = failure_of(ActivityCancelled("the worker stopped"))
            self._ended(held, Outcome(call.attempt, call.started_ms, failure=failure, interrupt=problem))
            raise
        self._ended(held, outcome)

    def _ended(self, held: Held, outcome: Outcome) -> None:
        self._outcomes.put((held, outcome))
        try:
            self._writer.send(b"x")
        except BlockingIOError:
            pass  # the buffer is full of wakes already
        except OSError:
            return  # the worker has stopped; the lease runs out and the attempt is done again

    def _serve(self) -> None:
        while (body := self._work.get()) is not None:
            body()

    def _event_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._start_thread(self._serve_loop, "stepwell-async")
        return self._loop

    def _serve_loop(self) -> None:
        assert self._loop is not None
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.close()

    def _start_thread(self, target: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=target, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _drain_wakes(self) -> None:
        try:
            while self._reader.recv(4096):
                pass
        except BlockingIOError:
            return
