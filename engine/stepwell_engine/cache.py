"""What an owned partition remembers of the store: the hot values, bounded by their stored size."""

from collections import OrderedDict
from typing import Generic, TypeVar

Value = TypeVar("Value")

CACHED_BYTES = 4 * 1_048_576
ABSENCE_BYTES = 100
"""What it costs to remember that there is nothing, or the least that something takes."""


class Cache(Generic[Value]):
    """The hot values of an owned partition, least recently used out first. None remembers an absence."""

    def __init__(self, limit_bytes: int) -> None:
        self._values: OrderedDict[str, tuple[Value | None, int]] = OrderedDict()
        self._bytes = 0
        self.limit_bytes = limit_bytes
        """Bounds the stored size of what is kept."""

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def find(self, key: str) -> tuple[Value | None, int] | None:
        """The value and its size; None where nothing is known. What is only read does not count as used."""
        return self._values.get(key)

    def get(self, key: str) -> Value | None:
        """The value; None also where nothing is known."""
        found = self._values.get(key)
        return None if found is None else found[0]

    def put(self, key: str, value: Value | None, size: int) -> None:
        """Remember as used last."""
        size += ABSENCE_BYTES
        before = self._values.get(key)
        self._values[key] = value, size
        if before is None:
            self._bytes += size
        else:
            self._bytes += size - before[1]
            self._values.move_to_end(key)

    def grow(self, key: str, size: int) -> None:
        """Something remembered takes so much more."""
        value, before = self._values[key]
        self._values[key] = value, before + size
        self._bytes += size

    def shrink(self) -> None:
        """Back to the limit; called between batches, never within one, and only when all is in the store."""
        while self._bytes > self.limit_bytes and self._values:
            _, (_, size) = self._values.popitem(last=False)
            self._bytes -= size
