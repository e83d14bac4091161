"""A lane on a store that answers at once: what was asked for is carried out, in order, when it is sent.

A simulation keeps what was sent back (`carry_out`) and lets it happen later, or never.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from stepwell_store.batches import Commit, CommitResult, Inbound, Loaded, Wanted
from stepwell_store.errors import StoreError, StoreUnavailable

Answer = TypeVar("Answer")


class Answering(Protocol):
    """The methods that a lane stands for."""

    def read(
        self, door: str | None, inboxes: Mapping[int, str], count: int, block_ms: int | None
    ) -> Inbound: ...
    def load(self, wanted: Sequence[Wanted], now_ms: int) -> list[Loaded]: ...
    def commit(self, commits: Sequence[Commit]) -> list[CommitResult]: ...


class Request(Generic[Answer]):
    """One request, and its answer once it was carried out."""

    def __init__(self, lane: "MemoryLane", name: str, call: Callable[[], Answer]) -> None:
        self.name = name
        self.is_settled = False
        self._lane = lane
        self.call = call
        self._answer: Answer | None = None
        self._error: Exception | None = None

    def wait(self) -> Answer:
        self._lane.send()
        self._lane.carry_out(self)
        if self._error is not None:
            raise self._error
        return self._answer  # type: ignore[return-value]  # carried out without an error: it is there

    def run(self) -> None:
        """Carry it out."""
        self.is_settled = True
        try:
            self._answer = self.call()
        except StoreError as error:
            self._error = error

    def fail(self, error: Exception) -> None:
        """No answer will come, whether it has happened or not."""
        self.is_settled, self._error, self._answer = True, error, None


class MemoryLane:
    """See `lane.Lane`."""

    def __init__(self, store: Answering) -> None:
        self._store = store
        self._unsent: list[Request[Any]] = []
        self.sent: deque[Request[Any]] = deque()

    def read(
        self, door: str | None, inboxes: Mapping[int, str], count: int, block_ms: int | None
    ) -> Request[Inbound]:
        return self._ask("read", lambda: self._store.read(door, inboxes, count, block_ms))

    def load(self, wanted: Sequence[Wanted], now_ms: int) -> Request[list[Loaded]]:
        return self._ask("load", lambda: self._store.load(wanted, now_ms))

    def prepare(self, commit: Commit) -> None:
        """Nothing is written out here."""

    def commit(self, commits: Sequence[Commit]) -> Request[list[CommitResult]]:
        return self._ask("commit", lambda: self._store.commit(commits))

    def send(self) -> None:
        self.sent.extend(self._unsent)
        self._unsent.clear()

    def carry_out(self, last: Request[Any] | None = None) -> None:
        """Carry out what was sent, in order, up to `last` (None: all of it)."""
        while self.sent and not (last is not None and last.is_settled):
            self.sent.popleft().run()

    def close(self) -> None:
        error = StoreUnavailable("the line to the store was closed")
        for request in (*self.sent, *self._unsent):
            request.fail(error)
        self.sent.clear()
        self._unsent.clear()

    def _ask(self, name: str, call: Callable[[], Answer]) -> Request[Answer]:
        request = Request(self, name, call)
        self._unsent.append(request)
        return request
