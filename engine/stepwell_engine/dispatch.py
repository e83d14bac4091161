"""From the outbox to RQ: attempts become jobs whose id is the attempt's token, so that repeating is harmless.

RQ is a pipe. Nothing is read back from its registries; the only question it is asked is whether a job still queues.
The job's hash is what rq 2.10 to 2.x writes itself (rq/job.py, `Job.to_dict`), made in one script for a whole batch.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, Protocol

import orjson
from redis import Redis
from redis.exceptions import RedisError
from stepwell_store.errors import StoreUnavailable

JOB_FUNCTION = "stepwell_activities.job.run_attempt"
DEFAULT_TIMEOUT_SECONDS = 3_600
GRACE_SECONDS = 60
"""RQ's own limit lies this far behind the activity's, so that it never strikes first."""


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
        """Hand out jobs; one that is there already is left alone. Raises StoreUnavailable."""
        ...

    def queued(self, jobs: Sequence[Job]) -> set[str]:
        """Tokens of those that no worker has taken yet. Raises StoreUnavailable."""
        ...


class RqDispatcher:
    """The dispatcher on RQ's Redis."""

    def __init__(self, redis: "Redis", namespace: str) -> None:
        self._namespace = namespace
        scripts = files("stepwell_engine") / "lua"
        self._enqueue = redis.register_script((scripts / "enqueue.lua").read_text())
        self._queued = redis.register_script((scripts / "still_queued.lua").read_text())

    def enqueue(self, jobs: Sequence[Job]) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        for start in range(0, len(jobs), 1_000):
            arguments: list[Any] = [now]
            for job in jobs[start : start + 1_000]:
                arguments += self._fields(job)
            self._call(self._enqueue, arguments)

    def queued(self, jobs: Sequence[Job]) -> set[str]:
        arguments: list[Any] = []
        for job in jobs:
            arguments += [job.token, f"{self._namespace}-{job.queue}"]
        return {token.decode() for token in self._call(self._queued, arguments)} if jobs else set()

    def _fields(self, job: Job) -> list[Any]:
        seconds = DEFAULT_TIMEOUT_SECONDS if job.timeout_ms is None else -(-job.timeout_ms // 1_000)
        call: list[Any] = [JOB_FUNCTION, None, [self._namespace, job.partition, job.token], {}]
        return [
            job.token,
            f"{self._namespace}-{job.queue}",
            zlib.compress(orjson.dumps(call), 1),
            seconds + GRACE_SECONDS,
            job.what,
            "1" if job.front else "0",
        ]

    def _call(self, script: Any, arguments: list[Any]) -> Any:
        try:
            return script(args=arguments)
        except RedisError as error:
            raise StoreUnavailable(f"RQ's Redis does not take jobs: {error}") from error


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
