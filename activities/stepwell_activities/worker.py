"""`StepwellWorker`: a real RQ worker (registration, `rq info`, suspend, commands, signals) with few round trips.

It runs our job body only. An idle worker is handed a job within the commit that makes it, and writes once, when its
body has ended (`hands.py`); with more to do, one turn takes a batch of jobs, claims, runs and reports them. What it
holds when it is killed comes back by the engine's leases, by `Taker.recover` and `Hands.recover`.
Without a loop of its own, `ForkingWorker` runs each attempt in a child that may crash alone.
"""

import select
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import redis.exceptions
from redis import Redis
from rq import Queue, SimpleWorker, Worker
from rq.command import parse_payload
from rq.defaults import DEFAULT_LOGGING_DATE_FORMAT, DEFAULT_LOGGING_FORMAT
from rq.exceptions import DeserializationError, NoSuchJobError, StopRequested
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from rq.worker import DequeueStrategy, WorkerStatus
from stepwell_schemas.settings import Settings
from stepwell_store.errors import StoreUnavailable
from stepwell_store.redis_errors import translate

from stepwell_activities.claiming import Held, claim_jobs, claiming_of, hold_in_hand, read_call
from stepwell_activities.hands import Hand, Hands, Shown
from stepwell_activities.pool import PoolBench
from stepwell_activities.runtime import Runtime, open_runtime
from stepwell_activities.serial import SerialBench
from stepwell_activities.taking import Finished, TakenJob, Taker
from stepwell_activities.watching import QueueWatcher

WORKER_TTL_SECONDS = 60
HEARTBEAT_SECONDS = 15.0
RECOVERY_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 1.0
"""Between tries to reach the store: as long as a worker may take to notice that it is to stop."""
COUNT_SECONDS = 1.0
"""How late RQ may count what was done in hand."""
LINGER_SECONDS = 0.005
"""What follows on a report is likely to be here by then: it is taken by the turn that tells RQ of what is finished, so
that the disk is not kept busy by that just when the engine commits."""


class Bench(Protocol):
    """Where attempts run: one by one (`SerialBench`) or several at once (`PoolBench`)."""

    wake_descriptor: int | None
    abandoned: bool

    @property
    def busy(self) -> bool: ...
    def room(self) -> int: ...
    def in_hand(self) -> list[str]: ...
    def begin(self, held: Sequence[Held]) -> None: ...
    def collect(self) -> Finished: ...
    def stop_job(self, job_id: str) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What one call of `work` works with. `hands` where the store is on RQ's server."""

    runtime: Runtime
    bench: Bench
    taker: Taker
    watcher: QueueWatcher
    hands: Hands | None


def queue_name(namespace: str, queue: str) -> str:
    """The RQ queue of an activity queue."""
    return f"{namespace}-{queue}"


class StepwellWorker(SimpleWorker):
    """`queues` are RQ's names (see `queue_name`). `concurrency` above 1 runs bodies in threads.

    Without `runtime` it opens what the STEPWELL_ settings describe, so that
    `rq worker --worker-class stepwell_activities.worker.StepwellWorker <queue>` works.
    """

    def __init__(
        self,
        queues: Any,
        name: str | None = None,
        *args: Any,
        runtime: Runtime | None = None,
        concurrency: int = 1,
        batch: int = 32,
        **options: Any,
    ) -> None:
        options["serializer"] = JSONSerializer
        options.setdefault("worker_ttl", WORKER_TTL_SECONDS)
        super().__init__(queues, name, *args, **options)
        if concurrency < 1 or batch < 1:
            raise ValueError(f"concurrency ({concurrency}) and batch ({batch}) must be at least 1")
        self._runtime = runtime
        self._concurrency = concurrency
        self._batch = batch
        self._bench: Bench | None = None
        self._finished = Finished([])
        self._waiting = False
        self._shown: Shown | None = None
        """What the last wait found."""
        self._is_quiet = False
        """Whether the server would have laid anything new into our hands: no turn is needed to see it."""
        self._is_drained = False
        """Whether the last turn left nothing on the queues."""
        self._cold = False
        self._next_recovery = 0.0
        self._next_look = 0.0
        self._next_sign = 0.0

    def work(
        self,
        burst: bool = False,
        logging_level: str | None = None,
        date_format: str = DEFAULT_LOGGING_DATE_FORMAT,
        log_format: str = DEFAULT_LOGGING_FORMAT,
        max_jobs: int | None = None,
        max_idle_time: int | None = None,
        with_scheduler: bool = False,
        dequeue_strategy: DequeueStrategy = DequeueStrategy.DEFAULT,
    ) -> bool:
        """RQ's work loop: until asked to stop, in `burst` until the queues are empty. Whether any job was done."""
        self.bootstrap(logging_level, date_format, log_format)
        self._dequeue_strategy = dequeue_strategy
        if with_scheduler:
            self._start_scheduler(burst, logging_level, date_format, log_format)
        self._install_signal_handlers()  # type: ignore[no-untyped-call] # rq is partly untyped
        owned = None
        if self._runtime is None:
            owned = self._runtime = open_runtime(Settings())
        tools = self._set_up(self._runtime, burst)
        self._bench = tools.bench
        done = 0
        try:
            with tools.watcher:
                done = self._loop(tools, burst, max_jobs, max_idle_time)
        except StopRequested:
            self.log.info("Worker %s: stopping on request", self.name)
        finally:
            self._end(tools, owned)
        return done > 0

    def handle_payload(self, message: Any) -> None:
        """RQ's commands; `stop-job` reports the attempt as stopped and tells its body."""
        payload = parse_payload(message)
        if payload["command"] == "stop-job" and self._bench is not None:
            self._bench.stop_job(str(payload.get("job_id")))
        else:
            super().handle_payload(message)  # type: ignore[no-untyped-call] # rq is partly untyped

    def request_force_stop(self, signum: int, frame: Any) -> None:
        """A second signal: stop at once. What runs is broken off and done again elsewhere."""
        self._cold = True
        if self._bench is not None:
            self._bench.abandoned = True
        super().request_force_stop(signum, frame)
        self._cold = False  # RQ took it for the first signal's echo
        if self._bench is not None:
            self._bench.abandoned = False

    def _shutdown(self) -> None:
        """A first signal: the bodies that run are waited for. Only a sleep may be broken off by it."""
        self._stop_requested = True
        if self._waiting:
            raise StopRequested

    def _set_up(self, runtime: Runtime, burst: bool) -> Tools:
        queues, claiming = self.queue_names(), claiming_of(runtime)
        taker = Taker(self.connection, queues, self.name, self.worker_ttl + 60, claiming)
        serves = claiming is not None and self._concurrency == 1 and not burst
        hands = None if claiming is None else Hands(self.connection, queues, self.name, claiming, serves)
        watcher = QueueWatcher(self.connection, queues, hands if serves else None)

        def let_go() -> None:
            watcher.release()
            if hands is not None:
                hands.put_back()

        bench: Bench
        if self._concurrency > 1:
            bench = PoolBench(runtime, self._concurrency)
        else:
            bench = SerialBench(runtime, self._batch, taker.give_back, self.heartbeat, let_go)
        return Tools(runtime, bench, taker, watcher, hands)

    def _loop(self, tools: Tools, burst: bool, max_jobs: int | None, max_idle_seconds: int | None) -> int:
        bench, done, idle_since, pause = tools.bench, 0, time.monotonic(), 0.0
        longest_sleep = HEARTBEAT_SECONDS if max_idle_seconds is None else 1.0
        while not (self._stop_requested and not bench.busy):
            try:
                self._look_after_queues(tools)
                left = None if max_jobs is None else max_jobs - done - len(bench.in_hand())
                progress = self._step(tools, left)
                pause = 0.0
                done += progress
                if progress or bench.busy:
                    idle_since = time.monotonic()
                elif burst:
                    break
                if max_jobs is not None and done >= max_jobs and not bench.busy:
                    break
                if max_idle_seconds is not None and time.monotonic() - idle_since >= max_idle_seconds:
                    self.log.info("Worker %s: idle for %d seconds, quitting", self.name, max_idle_seconds)
                    break
                if not progress:
                    self._wait(tools, longest_sleep)
                elif self._is_drained and not burst:
                    self._wait(tools, LINGER_SECONDS if self._finished.jobs else longest_sleep)
            except (redis.exceptions.RedisError, StoreUnavailable) as error:
                if not isinstance(translate(error), StoreUnavailable):
                    raise  # away, full or read-only passes; anything else is a mistake of ours
                pause = min(max(pause * 2, 0.1), LONGEST_PAUSE_SECONDS)
                self.log.error("Worker %s: %s; trying again in %.1f s", self.name, error, pause)
                # The reply that named our jobs may be what was lost. Nor is one who pauses to be handed any.
                self._next_recovery, self._shown, self._is_quiet = 0.0, None, False
                tools.watcher.release()
                self._sleep(pause)
        return done

    def _step(self, tools: Tools, left: int | None) -> int:
        """Run what was laid into our hands; make a turn where that is not all. How many jobs have ended."""
        shown, self._shown = self._shown, None
        quiet, self._is_quiet = self._is_quiet, False
        ended = 0
        if shown is not None and shown.hand is not None and left != 0 and not self._stop_requested:
            self._run_in_hand(tools, shown, shown.hand)
            ended = 1
        is_due = self._finished.jobs or time.monotonic() >= self._next_sign
        if (ended or quiet) and not is_due:
            return ended
        return ended + self._turn(tools, None if left is None else left - ended)

    def _run_in_hand(self, tools: Tools, shown: Shown, hand: Hand) -> None:
        """Run a job that the server has just laid into our hands."""
        tools.bench.begin([hold_in_hand(tools.runtime, shown, hand)])
        if self._cold:
            raise SystemExit
        self._collect(tools.bench)
        self._is_drained = not hand.more
        self._next_sign = min(self._next_sign, time.monotonic() + COUNT_SECONDS)

    def _turn(self, tools: Tools, left: int | None) -> int:
        """Forget what is finished, take, claim, run, report. How many jobs have ended."""
        bench = tools.bench
        ended = self._collect(bench)
        wanted = 0 if self._stop_requested else bench.room()
        if left is not None:
            wanted = max(0, min(wanted, left - ended))
        if not wanted and not self._finished.jobs and time.monotonic() < self._next_sign:
            return ended
        # An answer that came meanwhile would name a job that this turn takes. A busy worker is handed nothing, too.
        tools.watcher.release()
        suspended, jobs = tools.taker.turn(wanted, self._finished)
        self._is_drained = len(jobs) < wanted
        self._next_sign = time.monotonic() + HEARTBEAT_SECONDS
        self._finished = Finished([])
        self._state = (
            WorkerStatus.SUSPENDED if suspended else WorkerStatus.BUSY if jobs else WorkerStatus.IDLE
        )
        if not jobs:
            return ended
        claimed = claim_jobs(tools.runtime, jobs)
        for job, reason in claimed.refused:
            self._refuse(tools.taker, job, reason)
        self._finished.jobs += claimed.unwanted
        bench.begin(claimed.held)
        if self._cold:
            raise SystemExit
        ended += len(claimed.refused) + len(claimed.unwanted)
        return ended if bench.busy else ended + self._collect(bench)

    def _collect(self, bench: Bench) -> int:
        """What has been reported meanwhile, to be forgotten at the next turn. How many bodies have ended."""
        collected = bench.collect()
        self._finished.add(collected)
        return collected.ended

    def _wait(self, tools: Tools, seconds: float) -> None:
        """Sleep until there is a job, a body has ended, or a sign of life is due."""
        bench, hands = tools.bench, tools.hands
        self._waiting = True
        try:
            if self._stop_requested and not bench.busy:
                return
            if bench.room() and not self._stop_requested and self._state != WorkerStatus.SUSPENDED:
                due = min(self._next_sign, self._next_look) - time.monotonic()
                self._shown = tools.watcher.wait(min(seconds, max(due, 0.0)), bench.wake_descriptor)
                self._is_quiet = hands is not None and hands.serves and not self._shown
            else:
                self._is_quiet = False
                tools.watcher.release()
                self._sleep(seconds if bench.wake_descriptor is None else 1.0, bench.wake_descriptor)
        except StopRequested:
            if not bench.busy:
                raise
        finally:
            self._waiting = False

    def _sleep(self, seconds: float, wake: int | None = None) -> None:
        select.select([] if wake is None else [wake], [], [], min(seconds, LONGEST_PAUSE_SECONDS))

    def _look_after_queues(self, tools: Tools) -> None:
        if self.should_run_maintenance_tasks:
            self.run_maintenance_tasks()  # type: ignore[no-untyped-call] # rq is partly untyped
        now, back = time.monotonic(), 0
        if now >= self._next_recovery:
            if not self.connection.exists(self.key):  # it ran out while we could not reach RQ
                with suppress(ValueError):  # a sign of life came in between
                    self.register_birth()  # type: ignore[no-untyped-call] # rq is partly untyped
            known = tools.bench.in_hand() + [job.id for job in self._finished.jobs]
            back = tools.taker.recover(known)
            self._next_recovery = now + RECOVERY_SECONDS
        if now >= self._next_look and tools.hands is not None:
            back += tools.hands.recover()
            self._next_look = now + tools.hands.look_seconds
            if tools.hands.serves:
                self._next_sign = now  # for a turn: it takes what may be left in our own hands
        if back:
            self.log.warning("Worker %s: %d jobs of dead workers are back on their queues", self.name, back)

    def _refuse(self, taker: Taker, job: TakenJob, reason: str) -> None:
        """Mark a job that is not ours as failed, where RQ's users look for it."""
        self.log.error("Worker %s: job %s refused: %s", self.name, job.id, reason)
        try:
            fetched = Job.fetch(job.id, connection=self.connection, serializer=self.serializer)
            with self.connection.pipeline() as pipeline:
                fetched.set_status(JobStatus.FAILED, pipeline=pipeline)
                fetched._handle_failure(f"Refused: {reason}", pipeline=pipeline, worker_name=self.name)
                self.increment_failed_job_count(pipeline=pipeline)
                pipeline.execute()
        except (NoSuchJobError, DeserializationError, ValueError, KeyError, TypeError) as error:
            self.log.error("Worker %s: job %s cannot even be marked as failed: %s", self.name, job.id, error)
            self.connection.hset(f"rq:job:{job.id}", mapping={"status": "failed", "exc_info": reason})
        taker.forget(job)

    def _end(self, tools: Tools, owned: Runtime | None) -> None:
        try:
            if not self._cold:
                self._finished.add(tools.bench.collect())
            tools.bench.close()
            tools.taker.turn(0, self._finished)
            self._finished = Finished([])
            if tools.hands is not None and tools.hands.serves:
                tools.hands.put_back(leave=True)
        except (redis.exceptions.RedisError, StoreUnavailable) as error:
            self.log.error("Worker %s: cannot say goodbye: %s", self.name, error)
        finally:
            if tools.hands is not None:
                tools.hands.close()
            if owned is not None:
                owned.close()
                self._runtime = None
            self._say_goodbye()

    def _say_goodbye(self) -> None:
        """RQ's part of the end. Where its server takes no word of it, the worker's hash runs out."""
        try:
            self.teardown()  # type: ignore[no-untyped-call] # rq is partly untyped
        except redis.exceptions.RedisError as error:
            self.log.error("Worker %s: cannot leave RQ's books: %s", self.name, error)
            with suppress(redis.exceptions.RedisError):
                self.unsubscribe()

    def unsubscribe(self) -> None:
        """As RQ's, which says stop only after the word that wakes the listener: it may sleep on for a minute."""
        if self.pubsub_thread is not None:
            self.pubsub_thread.stop()
        super().unsubscribe()  # type: ignore[no-untyped-call] # rq is partly untyped


class ForkingWorker(Worker):
    """RQ's own worker with our job body: each attempt in a child process, so that a crash takes only itself along.

    Refuses what is not ours as `StepwellWorker` does. Slower by far: a fork and a new store connection per attempt.
    """

    def __init__(
        self, queues: Any, *args: Any, namespace: str = "stepwell", partitions: int = 16, **options: Any
    ) -> None:
        options["serializer"] = JSONSerializer
        super().__init__(queues, *args, **options)
        self._namespace = namespace
        self._partitions = partitions

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Refuse foreign jobs before anything is forked or imported."""
        data: Any = self.connection.hget(job.key, "data")
        try:
            read_call(data or b"", self._namespace, self._partitions)
        except ValueError as error:
            self.log.error("Worker %s: job %s refused: %s", self.name, job.id, error)
            self.prepare_execution(job)
            self.handle_job_failure(job, queue, exc_string=f"Refused: {error}")
            return
        super().execute_job(job, queue)


def make_worker(
    runtime: Runtime,
    connection: Redis,
    *,
    queues: Sequence[str] = (),
    concurrency: int = 1,
    batch: int = 32,
) -> StepwellWorker:
    """The worker of a runtime, on activity queues (by default those of the settings)."""
    names = [queue_name(runtime.settings.namespace, queue) for queue in queues or runtime.settings.queues]
    return StepwellWorker(
        names, runtime.worker, connection=connection, runtime=runtime, concurrency=concurrency, batch=batch
    )
