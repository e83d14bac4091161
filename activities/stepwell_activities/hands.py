"""Jobs that the server itself lays into an idle worker's hands, in the very commit that makes them.

`rq:stepwell:hands:<queue>:<worker>` is the worker's private front of the queue: a job there is still queued, and
nothing of it is written until its short body has ended; then one script claims and reports, where it can without
waiting for the disk (docs/decisions/0015). Whoever finds a job in hands for too long may put it back: a result whose
job is not in hand any more does not count.
"""

import hashlib
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from redis import Redis
from redis.exceptions import NoScriptError
from rq.utils import utcformat
from stepwell_store.redis_errors import translated

from stepwell_activities.attempt import Outcome, now_ms, record_json
from stepwell_activities.pinned_script import PinnedScript
from stepwell_activities.reporting import GRACE_MS, patiently
from stepwell_activities.taking import (
    HANDS_KEY,
    QUEUE_KEY,
    SUSPENDED_KEY,
    TAKEN_KEY,
    WORKER_KEY,
    Claiming,
)

log = logging.getLogger("stepwell.worker")


@dataclass(frozen=True, slots=True)
class Shown:
    """A job that a wait has found. With `hand` it is in hand and can be begun at once: `payload` is its attempt."""

    queue: str
    id: str
    payload: bytes = b""
    hand: "Hand | None" = None


HANDED_KEY = "rq:stepwell:handed:{queue}"
"""Set of the workers that may have a job of the queue in hand."""
LOOK_SHARE = 0.5
LEAST_LOOK_SECONDS = 0.25


class Hands:
    """One worker's hands, and its eye on those of others. `worker` is its name in RQ.

    `serves`: jobs are laid into its hands; without, it only looks after those of others.
    """

    def __init__(
        self,
        connection: Redis,
        queues: Sequence[str],
        worker: str,
        claiming: Claiming,
        serves: bool = True,
    ) -> None:
        self.serves = serves
        self._connection = connection
        self._queues = list(queues)
        self._worker = worker
        self._claiming = claiming
        self._seen: set[tuple[str, str, str]] = set()
        self._asks: dict[tuple[str, int], bytes] = {}
        """What each wait sends, put together once."""
        self._queue_keys = [QUEUE_KEY.format(queue=queue) for queue in self._queues]
        self.look_seconds = max(claiming.lease_ms / 1000 * LOOK_SHARE, LEAST_LOOK_SECONDS)
        """A job that is in the same hands at two looks goes back: lost for no longer than by a lease."""
        prefixes = ", ".join(f"'{prefix}'" for prefix in claiming.prefixes)
        claim, report = _function("claim"), _function("report")
        self._peek = f"local prefixes = {{{prefixes}}}\n" + _script("hand_peek")
        self._peek_sha = hashlib.sha1(self._peek.encode(), usedforsecurity=False).hexdigest()
        self._claim = connection.register_script(claim + _script("hand_claim"))
        self._finish = PinnedScript(connection, claim + report + _script("hand_finish"))
        self._back = connection.register_script(_script("hand_back"))
        self._look = connection.register_script(_script("hand_look"))

    def key(self, queue: str) -> str:
        """Where the server lays jobs of a queue for this worker."""
        return HANDS_KEY.format(queue=queue, worker=self._worker)

    def prepare(self, connection: Any) -> None:
        """Make a new connection of the wait know how to look at what it is given."""
        connection.send_command("SCRIPT", "LOAD", self._peek)
        connection.read_response()

    def ask(self, connection: Any, queue: str, block_seconds: int) -> None:
        """Wait in the server for a job, and look at it in the same breath: nothing is written by that."""
        asked = self._asks.get((queue, block_seconds))
        if asked is None:
            key = self.key(queue)
            move = ("BLMOVE", QUEUE_KEY.format(queue=queue), key, "LEFT", "RIGHT", block_seconds)
            look = ("EVALSHA", self._peek_sha, 2, SUSPENDED_KEY, key)
            asked = self._asks[queue, block_seconds] = b"".join(connection.pack_commands([move, look]))
        connection.send_packed_command([asked])

    def answer(self, connection: Any, queue: str) -> Shown | None:
        """What came of `ask`; None where the wait was in vain. Raises RedisError."""
        id = connection.read_response()
        try:
            found = connection.read_response()
        except NoScriptError:
            self.prepare(connection)
            found = None
        if id is None:
            return None
        if not found or found[0] != id:
            return Shown(queue, id.decode())
        return Shown(queue, id.decode(), found[2], Hand(self, queue, id.decode(), found[1]))

    def claim(self, queue: str, id: str, partition: int) -> bool:
        """Take the job out of our hands and claim its attempt. Whether both was done."""
        keys = [self.key(queue), TAKEN_KEY.format(queue=queue), WORKER_KEY.format(worker=self._worker)]
        now = now_ms()
        arguments: list[Any] = [id, self._worker, utcformat(datetime.now(UTC))]
        arguments += [self._claiming.worker, now, now + self._claiming.lease_ms]
        with translated():
            return bool(self._claim(keys=keys + self._partition_keys(partition)[:3], args=arguments))

    def finish(self, queue: str, id: str, outcome: Outcome) -> tuple[bool, bool]:
        """Claim and report; the job is forgotten then, or with the commit that applies the result.

        Whether the result counted, and whether a queue of ours has more.
        """
        keys = [self.key(queue), TAKEN_KEY.format(queue=queue)]
        keys += [*self._partition_keys(outcome.attempt.partition), *self._queue_keys]
        worker = self._claiming.worker
        arguments: list[Any] = [
            id,
            self._worker,
            worker,
            outcome.started_ms,
            record_json(outcome, worker),
            now_ms() + GRACE_MS,
        ]
        reported, more = self._finish(keys, arguments)
        return bool(reported), bool(more)

    def close(self) -> None:
        """Give the connection back that results are written on."""
        self._finish.close()

    def put_back(self, leave: bool = False) -> int:
        """Everything in our hands goes back to the heads of the queues; `leave` when nothing will come any more."""
        return sum(self._put_back(queue, self._worker, [], leave) for queue in self._queues)

    def recover(self) -> int:
        """Put back what dead workers have in hand, and what any other has had there since the last look.

        What lies in our own hands is for a turn to take.
        """
        seen: set[tuple[str, str, str]] = set()
        back, name_of_ours = 0, self._worker if self.serves else ""
        for queue in self._queues:
            found = self._look(keys=[HANDED_KEY.format(queue=queue)], args=[queue, name_of_ours])
            for name, is_dead, *in_hand in found:
                worker, ids = name.decode(), [id.decode() for id in in_hand]
                if self.serves and worker == self._worker:
                    continue
                stale = [id for id in ids if is_dead or (queue, worker, id) in self._seen]
                if stale:
                    back += self._put_back(queue, worker, stale)
                seen.update((queue, worker, id) for id in ids)
        self._seen = seen
        return back

    def _put_back(self, queue: str, worker: str, ids: Sequence[str], leave: bool = False) -> int:
        hands = HANDS_KEY.format(queue=queue, worker=worker)
        keys = [QUEUE_KEY.format(queue=queue), hands, HANDED_KEY.format(queue=queue)]
        return int(self._back(keys=keys, args=[worker if leave else "", *ids]))

    def _partition_keys(self, partition: int) -> list[str]:
        prefix = self._claiming.prefixes[partition]
        return [prefix + name for name in ("attempts", "claims", "deadlines", "inbox", "lease")]


class Hand:
    """One job in hand whose body is running. It is claimed with its result, or before where it takes its time.

    Safe to call from any thread.
    """

    def __init__(self, hands: Hands, queue: str, id: str, partition: int) -> None:
        self._hands = hands
        self._queue = queue
        self._id = id
        self._partition = partition
        self._lock = threading.Lock()
        self._state = "in hand"
        self.more = False
        """Whether the queues had more when the result was reported."""

    @property
    def is_claimed(self) -> bool:
        """Whether the attempt is held and the job taken, as those of a turn are."""
        return self._state == "claimed"

    def claim(self) -> bool:
        """Claim now what is not claimed yet. Whether the attempt is ours. Raises StoreError."""
        with self._lock:
            if self._state == "in hand":
                ours = self._hands.claim(self._queue, self._id, self._partition)
                self._state = "claimed" if ours else "lost"
            return self._state == "claimed"

    def finish(self, outcome: Outcome) -> bool:
        """Report the result of a job that is still in hand. False where it was claimed and is to be reported so.

        A result that has been put off too long is dropped: the job went back, and is done again or not wanted.
        """
        with self._lock:
            if self._state == "claimed":
                return False
            if self._state == "in hand":
                counts, self.more = patiently(
                    lambda: self._hands.finish(self._queue, self._id, outcome), "report results"
                )
                if not counts:
                    log.info("a result of attempt %s is not wanted from here, or there already", self._id)
                self._state = "finished"
            return True


def _script(name: str) -> str:
    return files("stepwell_activities").joinpath("lua", f"{name}.lua").read_text("utf-8")


def _function(name: str) -> str:
    """A script of the store as a Lua function of its own KEYS and ARGV."""
    text = files("stepwell_store").joinpath("lua", f"{name}.lua").read_text("utf-8")
    return f"local function {name}(KEYS, ARGV)\n{text}\nend\n"
