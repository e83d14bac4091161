"""The owner's own line to the store: requests go out without waiting, are carried out in order, answered in order.

So an engine can decide the next batch while the store still writes the last one. What was sent but not answered may
have happened or not; a lane that has failed is closed, and every answer it still owes fails too.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from stepwell_store.batches import Commit, CommitResult, Inbound, Loaded, Wanted

Answer_co = TypeVar("Answer_co", covariant=True)


class Pending(Protocol[Answer_co]):
    """An answer that is on its way."""

    def wait(self) -> Answer_co:
        """The answer, once it is there; asked again, the same. Raises StoreUnavailable."""
        ...


class Lane(Protocol):
    """Each call asks for what the method of the same name on `Store` does. Requests leave with the next `send`."""

    def read(
        self, door: str | None, inboxes: Mapping[int, str], count: int, block_ms: int | None
    ) -> Pending[Inbound]:
        """Entries after the given positions. Behind a read that blocks, everything else waits too."""
        ...

    def load(self, wanted: Sequence[Wanted], now_ms: int) -> Pending[list[Loaded]]:
        """What each partition needs."""
        ...

    def prepare(self, commit: Commit) -> None:
        """Write out ahead of time what `commit` will send of this batch, which is not changed any more."""
        ...

    def commit(self, commits: Sequence[Commit]) -> Pending[list[CommitResult]]:
        """Apply each batch whole. At most one of these may be unanswered at a time: only the last can be repeated."""
        ...

    def send(self) -> None:
        """Let everything that was asked for leave. Raises StoreUnavailable."""
        ...

    def close(self) -> None:
        """Drop the line; what is unanswered stays unknown."""
        ...
