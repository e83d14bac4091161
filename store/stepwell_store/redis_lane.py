"""A lane on Redis: one connection, written and read apart."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Generic, NamedTuple, TypeVar

from hiredis import pack_command
from redis.exceptions import RedisError, ResponseError

from stepwell_store.batches import Commit, CommitResult, Inbound, Loaded, Wanted
from stepwell_store.errors import StoreUnavailable
from stepwell_store.keys import Keys
from stepwell_store.redis_errors import translated
from stepwell_store.redis_link import Command, RedisLink, Request
from stepwell_store.redis_requests import (
    commit_requests,
    load_requests,
    read_commands,
    read_commits,
    read_inbound,
    read_loaded,
)

Answer = TypeVar("Answer")

_MULTI: Final[bytes] = pack_command(("MULTI",))
_EXEC: Final[bytes] = pack_command(("EXEC",))

FEW = 8
"""Commands that are written with one call; more may be large."""


class Awaited(Generic[Answer]):
    """Replies of the server that make one answer."""

    __slots__ = ("_error", "_lane", "_read", "_replies", "is_settled", "requests", "together")

    def __init__(
        self,
        lane: "RedisLane",
        requests: Sequence[Request],
        read: Callable[[list[Any]], Answer],
        together: bool,
    ) -> None:
        self.requests = requests
        self.together = together and len(requests) > 1
        self.is_settled = False
        self._lane = lane
        self._read = read
        self._replies: list[Any] = []
        self._error: Exception | None = None

    def wait(self) -> Answer:
        self._lane.read_through(self)
        if self._error is not None:
            raise self._error
        return self._read(self._replies)

    def settle(self, replies: list[Any]) -> None:
        """Take the replies; what they tell is read when it is wanted."""
        self.is_settled, self._replies = True, replies

    def fail(self, error: Exception) -> None:
        """The answer will not come."""
        self.is_settled, self._error = True, error


class Packed(NamedTuple):
    """A batch as it goes over the wire. `commit` is held so that its identity stays its own."""

    commit: Commit
    requests: list[Request]
    commands: list[bytes]


def pack(commands: Iterable[Command]) -> list[bytes]:
    """Commands in the protocol's bytes, as hiredis writes them: redis-py's own way looks at every argument twice."""
    return list(map(pack_command, commands))


class RedisLane:
    """See `lane.Lane`. One exception to the order: a script the server had forgotten runs when it is waited for."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._keys = keys
        self._connection: Any = None
        self._unsent: list[bytes] = []
        self._prepared: dict[int, Packed] = {}
        """By the identity of their commits."""
        self._unanswered: deque[Awaited[Any]] = deque()

    def read(
        self, door: str | None, inboxes: Mapping[int, str], count: int, block_ms: int | None
    ) -> Awaited[Inbound]:
        commands = read_commands(self._keys, door, inboxes, count, block_ms)
        return self._ask(commands, lambda replies: read_inbound(self._keys, inboxes, replies))

    def load(self, wanted: Sequence[Wanted], now_ms: int) -> Awaited[list[Loaded]]:
        return self._ask(
            load_requests(self._keys, wanted, now_ms), lambda replies: read_loaded(wanted, replies)
        )

    def prepare(self, commit: Commit) -> None:
        self._prepared[id(commit)] = self._packed(commit)

    def commit(self, commits: Sequence[Commit]) -> Awaited[list[CommitResult]]:
        packed = [self._prepared.get(id(commit)) or self._packed(commit) for commit in commits]
        self._prepared.clear()  # what was prepared and is not sent now never will be
        return self._await(
            [request for one in packed for request in one.requests],
            [command for one in packed for command in one.commands],
            lambda replies: read_commits(commits, replies),
            together=True,
        )

    def send(self) -> None:
        if not self._unsent:
            return
        commands, self._unsent = self._unsent, []
        try:
            with translated():
                if self._connection is None:
                    self._connection = self._link.client.connection_pool.get_connection()
                self._connection.send_packed_command(
                    [b"".join(commands)] if len(commands) < FEW else commands
                )
        except StoreUnavailable as error:
            self._fail(error)
            raise

    def close(self) -> None:
        self._fail(StoreUnavailable("the line to the store was closed"))

    def release(self) -> None:
        """Give the connection back for others, where nothing is unanswered; else drop it."""
        if self._unanswered or self._unsent:
            self.close()
        elif self._connection is not None:
            self._link.client.connection_pool.release(self._connection)
            self._connection = None

    def read_through(self, wanted: Awaited[Any]) -> None:
        """Read replies up to those of `wanted`."""
        if wanted.is_settled:
            return
        self.send()
        while not wanted.is_settled:
            awaited = self._unanswered[0]
            try:
                with translated():
                    replies = self._read_replies(awaited)
            except StoreUnavailable as error:
                self._fail(error)
                return
            self._unanswered.popleft()
            awaited.settle(replies)

    def _ask(self, requests: Sequence[Request], read: Callable[[list[Any]], Answer]) -> Awaited[Answer]:
        return self._await(requests, pack(map(self._link.spell, requests)), read)

    def _await(
        self,
        requests: Sequence[Request],
        commands: list[bytes],
        read: Callable[[list[Any]], Answer],
        together: bool = False,
    ) -> Awaited[Answer]:
        awaited = Awaited(self, requests, read, together)
        if not requests:
            awaited.settle([])
            return awaited
        self._unsent += [_MULTI, *commands, _EXEC] if awaited.together else commands
        self._unanswered.append(awaited)
        return awaited

    def _packed(self, commit: Commit) -> Packed:
        requests = commit_requests(self._keys, [commit])
        return Packed(commit, requests, pack(map(self._link.spell, requests)))

    def _read_replies(self, awaited: Awaited[Any]) -> list[Any]:
        if awaited.together:
            queued = [self._reply() for _ in range(len(awaited.requests) + 1)]
            refused = [reply for reply in queued if isinstance(reply, RedisError)]
            replies = self._reply()
            if refused or not isinstance(replies, list):
                return [*refused, replies]
        else:
            replies = [self._reply() for _ in awaited.requests]
        # A script the server has forgotten has not run. Running it late is no harm: nothing that was sent behind it
        # depends on it.
        self._link.run_forgotten(awaited.requests, replies, awaited.together)
        return replies

    def _reply(self) -> Any:
        try:
            return self._connection.read_response(disable_decoding=True)
        except ResponseError as error:
            return error

    def _fail(self, error: StoreUnavailable) -> None:
        connection, self._connection = self._connection, None
        self._unsent.clear()
        self._prepared.clear()
        while self._unanswered:
            self._unanswered.popleft().fail(error)
        if connection is not None:
            connection.disconnect()
            self._link.client.connection_pool.release(connection)
