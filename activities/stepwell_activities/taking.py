"""How our worker takes jobs from RQ's queues: one script per turn, what it has in hand (`hands.py`) first.

A taken job is noted under its worker (`rq:stepwell:taken:<queue>`: job id -> worker name) in the same script, until
it is finished; `recover` puts back what dead workers held. RQ's own keys stay as RQ has them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from itertools import groupby
from typing import Any

from redis import Redis
from rq.utils import utcformat

from stepwell_activities.attempt import now_ms

SUSPENDED_KEY = "rq:suspended"
TAKEN_KEY = "rq:stepwell:taken:{queue}"
WORKER_KEY = "rq:worker:{worker}"
QUEUE_KEY = "rq:queue:{queue}"
HANDS_KEY = "rq:stepwell:hands:{queue}:{worker}"


@dataclass(frozen=True, slots=True)
class TakenJob:
    """A job in our hands. `data` is RQ's compressed call, empty where the job's hash has none.

    `claim` is what came of claiming its attempt in the same act: the payload, NOT_WANTED, or empty where that was not
    tried.
    """

    queue: str
    id: str
    data: bytes
    claim: bytes = b""


NOT_WANTED = b"-"


@dataclass(frozen=True, slots=True)
class Claiming:
    """How attempts are claimed as their jobs are taken, where the store is on RQ's server."""

    worker: str
    lease_ms: int
    prefixes: Sequence[str]
    """The beginning of each partition's keys."""


@dataclass(slots=True)
class Finished:
    """What to forget at the next turn, and what to count."""

    jobs: list[TakenJob]
    succeeded: int = 0
    failed: int = 0
    worked_seconds: float = 0.0

    @property
    def ended(self) -> int:
        """How many bodies have ended; `jobs` may lack those that are forgotten already."""
        return self.succeeded + self.failed

    def add(self, other: "Finished") -> None:
        """Count another one in."""
        self.jobs += other.jobs
        self.succeeded += other.succeeded
        self.failed += other.failed
        self.worked_seconds += other.worked_seconds


class Taker:
    """Takes jobs for one worker."""

    def __init__(
        self,
        connection: Redis,
        queues: Sequence[str],
        worker: str,
        ttl_seconds: int,
        claiming: Claiming | None = None,
    ) -> None:
        self._claiming = claiming
        self._connection = connection
        self._queues = list(queues)
        self._worker = worker
        self._ttl_seconds = ttl_seconds
        self._numbers = {queue: number for number, queue in enumerate(self._queues, 1)}
        self._keys = [SUSPENDED_KEY, WORKER_KEY.format(worker=worker)]
        for queue in self._queues:
            hands = HANDS_KEY.format(queue=queue, worker=worker)
            self._keys += [QUEUE_KEY.format(queue=queue), TAKEN_KEY.format(queue=queue), hands]
        self._turn = connection.register_script(_script("turn.lua"))
        self._give_back = connection.register_script(_script("give_back.lua"))

    def turn(self, wanted: int, finished: Finished) -> tuple[bool, list[TakenJob]]:
        """Forget what is finished and take up to `wanted` jobs, queues in order. Also whether RQ is suspended."""
        arguments: list[Any] = [wanted, self._worker, utcformat(datetime.now(UTC)), self._ttl_seconds]
        arguments += [finished.succeeded, finished.failed]
        arguments += [f"{finished.worked_seconds:.6f}" if finished.worked_seconds else "0"]
        arguments.append(len(finished.jobs))
        for job in finished.jobs:
            arguments += [self._numbers[job.queue], job.id]
        if self._claiming is not None and wanted:
            now = now_ms()
            arguments += [self._claiming.worker, now, now + self._claiming.lease_ms, *self._claiming.prefixes]
        reply = self._turn(keys=self._keys, args=arguments)
        taken = [
            TakenJob(self._queues[queue - 1], id.decode(), data, claim)
            for queue, id, data, claim in reply[1:]
        ]
        return bool(reply[0]), taken

    def give_back(self, jobs: Iterable[TakenJob]) -> None:
        """Put jobs back at the head of their queues, in their order."""
        for queue, group in groupby(jobs, key=lambda job: job.queue):
            self._put_back(queue, self._worker, [job.id for job in group])

    def forget(self, job: TakenJob) -> None:
        """The job is not ours any more; its hash stays."""
        self._connection.hdel(TAKEN_KEY.format(queue=job.queue), job.id)

    def recover(self, in_hand: Iterable[str]) -> int:
        """Put back what dead workers held, and what we hold without knowing (a lost reply). How many went back."""
        known, back = set(in_hand), 0
        for queue in self._queues:
            held: dict[str, list[str]] = {}
            taken: Any = self._connection.hgetall(TAKEN_KEY.format(queue=queue))
            for id, worker in taken.items():
                held.setdefault(worker.decode(), []).append(id.decode())
            for worker, ids in held.items():
                if worker == self._worker:
                    ids = [id for id in ids if id not in known]
                elif self._lives(worker):
                    continue
                back += self._put_back(queue, worker, ids)
        return back

    def _lives(self, worker: str) -> bool:
        key = WORKER_KEY.format(worker=worker)
        return bool(self._connection.exists(key)) and not self._connection.hexists(key, "death")

    def _put_back(self, queue: str, worker: str, ids: Sequence[str]) -> int:
        if not ids:
            return 0
        keys = [QUEUE_KEY.format(queue=queue), TAKEN_KEY.format(queue=queue)]
        return int(self._give_back(keys=keys, args=[worker, *ids]))


def _script(name: str) -> str:
    return files("stepwell_activities").joinpath("lua", name).read_text("utf-8")
