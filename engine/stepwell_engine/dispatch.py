"""From the outbox to RQ: attempts become jobs whose id is the attempt's token, so that repeating is harmless.

RQ is a pipe. Nothing is read back from its registries; the only question it is asked is whether a job still queues.
The job's hash is what rq 2.10 to 2.x writes itself (rq/job.py, `Job.to_dict`), made in one script for a whole batch.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, Protocol

import orjson
from redis import Redis
from redis.exceptions import RedisError
from stepwell_store.batches import Entry, Handing
from stepwell_store.errors import StoreUnavailable

JOB_FUNCTION = "stepwell_activities.job.run_attempt"
DEFAULT_TIMEOUT_SECONDS = 3_600
GRACE_SECONDS = 60
"""RQ's own limit lies this far behind the activity's, so that it never strikes first."""
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0


Ended = tuple[bytes, bytes]
"""A job that has ended in a worker's hands: its id, and the list that is those hands."""


class QueueUnavailable(StoreUnavailable):
    """RQ's Redis cannot be reached or takes nothing. The store may well be there."""


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt to hand out."""

    partition: int
    token: str
    queue: str
    timeout_ms: int | None = None
    front: bool = False
    what: str = ""


class Dispatcher(Protocol):
    """Where attempts are handed to workers."""

    def enqueue(self, jobs: Sequence[Job]) -> None:
        """Hand out jobs; one that is there already is left alone. Raises QueueUnavailable."""
        ...

    def queued(self, jobs: Sequence[Job]) -> set[str]:
        """Tokens of those that no worker has taken yet. Raises StoreUnavailable."""
        ...


class RqDispatcher:
    """The dispatcher on RQ's Redis. While that is away it is asked only now and then, so that nobody waits for it."""

    def __init__(
        self, redis: "Redis", namespace: str, monotonic_seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._namespace = namespace
        self._monotonic_seconds = monotonic_seconds
        self._pause_seconds = FIRST_PAUSE_SECONDS
        self._again_at = 0.0
        scripts = files("stepwell_engine") / "lua"
        self._enqueue_text = (scripts / "enqueue.lua").read_text()
        self._enqueue = redis.register_script(self._enqueue_text)
        self._queued = redis.register_script((scripts / "still_queued.lua").read_text())

    def enqueue(self, jobs: Sequence[Job]) -> None:
        for start in range(0, len(jobs), 1_000):
            self._call(self._enqueue, ["", *self._arguments(jobs[start : start + 1_000], ())])

    def handing(self, jobs: Sequence[Job], ended: Sequence[Ended]) -> Handing | None:
        """The same as `enqueue`, for the store to run with a commit: where RQ's Redis is the store's own server.

        Jobs that have `ended` in a worker's hands are forgotten with it.
        """
        few = len(jobs) <= 1_000 and len(ended) <= 1_000
        return Handing(self._enqueue_text, self._arguments(jobs, ended)) if few else None

    def queued(self, jobs: Sequence[Job]) -> set[str]:
        arguments: list[Any] = []
        for job in jobs:
            arguments += [job.token, f"{self._namespace}-{job.queue}"]
        return {token.decode() for token in self._call(self._queued, arguments)} if jobs else set()

    def _arguments(self, jobs: Sequence[Job], ended: Sequence[Ended]) -> list[Any]:
        arguments: list[Any] = [rq_time(datetime.now(UTC)), len(ended)]
        for job_id, hands in ended:
            arguments += (hands, job_id)
        for job in jobs:
            arguments += self._fields(job)
        return arguments

    def _fields(self, job: Job) -> list[Any]:
        seconds = DEFAULT_TIMEOUT_SECONDS if job.timeout_ms is None else -(-job.timeout_ms // 1_000)
        # RQ compresses its calls, which takes 15 us at best, and reads those that are not.
        call: list[Any] = [JOB_FUNCTION, None, [self._namespace, job.partition, job.token], {}]
        return [
            job.token,
            f"{self._namespace}-{job.queue}",
            orjson.dumps(call),
            seconds + GRACE_SECONDS,
            job.what,
            "1" if job.front else "0",
            job.partition,
        ]

    def _call(self, script: Any, arguments: list[Any]) -> Any:
        now = self._monotonic_seconds()
        if now < self._again_at:
            raise QueueUnavailable("RQ's Redis was away a moment ago")
        try:
            answer = script(args=arguments)
        except RedisError as error:
            self._pause_seconds = min(self._pause_seconds * 2, LONGEST_PAUSE_SECONDS)
            self._again_at = self._monotonic_seconds() + self._pause_seconds
            raise QueueUnavailable(f"RQ's Redis does not take jobs: {error}") from error
        self._pause_seconds = FIRST_PAUSE_SECONDS
        return answer


def rq_time(moment: datetime) -> str:
    """As RQ writes it (`rq.utils.utcformat`), without the 20 us that `strftime` takes."""
    return moment.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def ended_job(told: Entry) -> Ended:
    """The job of a result that was told from its worker's hands (0015), where it still lies."""
    job_id, _, hands = told.fields[b"h"].partition(b" ")
    return job_id, hands


def jobs_of(partition: int, commands: list[dict[str, Any]]) -> list[Job]:
    """The jobs of one outbox entry."""
    return [
        Job(
            partition=partition,
            token=command["token"],
            queue=command["queue"],
            timeout_ms=command["timeout"],
            front=command["front"],
            what=command["what"],
        )
        for command in commands
    ]
