"""Workers of the simulation, and the queue they take jobs from: they claim, extend, report (twice, late, after their
lease), stall and die, over the same failing store as everyone else."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from simulation_oracle import ObservedStore
from stepwell_engine.dispatch import Job
from stepwell_store.errors import StoreUnavailable

WORKER_LEASE_MS = 3_000
CLAIM_TRIES = 5


class Queue:
    """RQ as the engine sees it: a job that is there already is left alone."""

    def __init__(self, store: ObservedStore) -> None:
        self.jobs: dict[str, Job] = {}
        self._store = store

    def enqueue(self, jobs: Sequence[Job]) -> None:
        self._store.handed_out(jobs)
        for job in jobs:
            self.jobs.setdefault(job.token, job)

    def queued(self, jobs: Sequence[Job]) -> set[str]:
        return {job.token for job in jobs if job.token in self.jobs}


@dataclass(slots=True)
class Body:
    """An activity's body under way, as its worker knows it."""

    job: Job
    answer: bytes
    is_wanted: bool = True


class Worker:
    """One worker process. Its clock is its own; what it answers is chance."""

    def __init__(
        self, name: str, store: Any, queue: Queue, chance: random.Random, now_ms: Callable[[], int]
    ) -> None:
        self.bodies: list[Body] = []
        self._name = name
        self._store = store
        self._queue = queue
        self._chance = chance
        self._now_ms = now_ms
        self._answered: list[Body] = []

    def step(self, is_faulty: bool) -> None:
        """Whatever it does next."""
        act = self._chance.choice((self.take, self.take, self.extend, self.finish, self.finish, self._again))
        try:
            act()
            if is_faulty and self._chance.random() < 0.03:
                self.bodies.clear()  # it dies and is started again
        except StoreUnavailable:
            return

    def take(self) -> None:
        """Take a job off the queue and claim it. A reply that was lost is asked for again."""
        if not self._queue.jobs:
            return
        token = self._chance.choice(list(self._queue.jobs))
        job = self._queue.jobs[token]
        if self._chance.random() < 0.7:  # else the queue delivers it again
            del self._queue.jobs[token]
        for _ in range(CLAIM_TRIES):
            try:
                raw = self._store.claim(job.partition, token, self._name, self._now_ms(), WORKER_LEASE_MS)
            except StoreUnavailable:
                continue
            if raw is not None:
                self.bodies.append(Body(job, self._outcome(orjson.loads(raw))))
            return

    def extend(self) -> None:
        """Its keeper extends the leases; a body that is not wanted any more is broken off, or not in time."""
        for body in self.bodies:
            job, now_ms = body.job, self._now_ms()
            is_ours = self._store.extend(job.partition, job.token, self._name, now_ms, WORKER_LEASE_MS, True)
            body.is_wanted = is_ours or self._chance.random() < 0.3
        self.bodies = [body for body in self.bodies if body.is_wanted]

    def finish(self) -> None:
        """A body ends, however long after its lease, and is reported."""
        if self.bodies:
            body = self._chance.choice(self.bodies)
            self._report(body)
            self.bodies.remove(body)
            self._answered.append(body)

    def _again(self) -> None:
        if self._answered:
            self._report(self._chance.choice(self._answered))

    def _report(self, body: Body) -> None:
        job = body.job
        self._store.report(job.partition, job.token, body.answer, self._now_ms(), WORKER_LEASE_MS)

    def _outcome(self, payload: dict[str, Any]) -> bytes:
        record = {
            "kind": "ActivityCompleted", "time_ms": 0, "attempt": payload["attempt"], "token": payload["token"],
            "started_ms": self._now_ms(), "worker": self._name,
        }  # fmt: skip
        chance = self._chance.random()
        if chance < 0.2:
            record |= {"kind": "ActivityFailed", "error": "Broken", "cause": "", "retryable": chance < 0.15}
        else:
            record["output"] = {"did": payload["activity"]}
        return orjson.dumps({"op": "deliver", "instance": payload["instance"], "record": record})
