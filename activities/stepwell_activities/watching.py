"""How an idle worker waits for jobs: blocked in the server, one connection per queue, all watched at once.

Without hands nothing is taken (`BLMOVE queue queue LEFT LEFT` moves the head onto itself). With hands the server lays
the job there within the commit that makes it; only a connection that lives is served. An answer that names a job in
hand holds only until somebody takes it: `release` comes before whatever we do that takes it, or puts it back.
"""

import logging
import select
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from redis import Redis
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import RedisError

from stepwell_activities.hands import Hands, Shown
from stepwell_activities.taking import QUEUE_KEY

log = logging.getLogger("stepwell.worker")

BLOCK_SECONDS = 60
"""A little longer than any sleep of ours, so that an answer is seldom thrown away."""

UNBLOCK_SECONDS = 0.005
UNBLOCK_TRIES = 200
"""So many of those, a second in all: a wait that was sent is known to the server by then, or never will be."""


class QueueWatcher:
    """Sleeps until a queue has a job; with `hands` that job is in them then. A signal or a byte on `wake` ends it."""

    def __init__(self, connection: Redis, queues: Sequence[str], hands: Hands | None = None) -> None:
        self._client = connection
        self._queues = list(queues)
        self._hands = hands
        self._asked: dict[str, tuple[Any, int]] = {}
        """Queue -> the connection that is blocked for it, and the server's number of it."""
        self._idle: list[tuple[Any, int]] = []
        self._lock = threading.Lock()
        """A body that stalls has its worker's watch ended by another thread; nobody waits then."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        self.close()

    def wait(self, seconds: float, wake: int | None = None) -> Shown | None:
        """A queue that has (or lately had) a job, with its id; each in turn. Raises RedisError."""
        try:
            with self._lock:
                return self._wait(seconds, wake)
        except RedisError:
            self.close()
            raise

    def release(self) -> None:
        """Stop waiting: when this returns, the server moves nothing into our hands any more, and no answer is unread.

        Where it cannot be asked the connections are dropped; it serves none that it knows to be gone.
        """
        with self._lock:
            if self._hands is None or not self._asked:
                return
            try:
                for queue, (connection, number) in list(self._asked.items()):
                    self._unblock(connection, number)
                    self._answer(queue)
            except RedisError as error:
                log.info("cannot end the wait for jobs in order: %s", error)
                self.close()

    def _unblock(self, connection: Any, number: int) -> None:
        """End a wait, or see that it has ended. On its own connection the word may overtake what it is to end."""
        for _ in range(UNBLOCK_TRIES):
            if self._client.client_unblock(number):
                return
            if select.select([_descriptor(connection)], [], [], UNBLOCK_SECONDS)[0]:
                return
        raise Disconnected(f"the server knows of no wait on connection {number}")

    def close(self) -> None:
        """Drop the connections."""
        for connection, _ in [*self._asked.values(), *self._idle]:
            connection.disconnect()
        self._asked.clear()
        self._idle.clear()

    def _wait(self, seconds: float, wake: int | None) -> Shown | None:
        for queue in self._queues:
            if queue not in self._asked:
                self._ask(queue)
        sockets = {_descriptor(connection): queue for queue, (connection, _) in self._asked.items()}
        watched = [*sockets] if wake is None else [*sockets, wake]
        ready, _, _ = select.select(watched, [], [], seconds)
        for queue in [queue for descriptor, queue in sockets.items() if descriptor in ready]:
            if found := self._answer(queue):
                return found  # the others stand first at the next wait, unless they are released before
        return None

    def _ask(self, queue: str) -> None:
        connection, number = self._idle.pop() if self._idle else self._connect()
        with _DroppedHalfway(connection):
            if self._hands is None:
                source = QUEUE_KEY.format(queue=queue)
                connection.send_command("BLMOVE", source, source, "LEFT", "LEFT", BLOCK_SECONDS)
            else:
                self._hands.ask(connection, queue, BLOCK_SECONDS)
        self._asked[queue] = connection, number

    def _answer(self, queue: str) -> Shown | None:
        connection, number = self._asked.pop(queue)
        with _DroppedHalfway(connection):
            if self._hands is not None:
                found = self._hands.answer(connection, queue)
            else:
                id = connection.read_response()
                found = None if id is None else Shown(queue, id.decode())
        self._idle.append((connection, number))
        return found

    def _connect(self) -> tuple[Any, int]:
        connection: Any = self._client.connection_pool.make_connection()
        connection.connect()
        if self._hands is None:
            return connection, 0
        self._hands.prepare(connection)
        connection.send_command("CLIENT", "ID")
        return connection, int(connection.read_response())


class _DroppedHalfway:
    """A signal may break off what we ask or read; nobody could tell then which answer comes next."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._connection.disconnect()


def _descriptor(connection: Any) -> int:
    return int(connection._sock.fileno())  # redis-py has no public way to wait on several connections
