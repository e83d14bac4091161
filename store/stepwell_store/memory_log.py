"""A log in memory: what a Redis stream does for the memory store, with the same positions."""

from bisect import bisect_left, bisect_right

from stepwell_store.batches import Entry
from stepwell_store.positions import Position, format_position, parse_position


class MemoryLog:
    """Entries in the order of their positions. Not thread-safe; the store holds the lock."""

    __slots__ = ("_entries", "_last", "_positions")

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._positions: list[Position] = []
        self._last: Position = (0, 0)

    def __len__(self) -> int:
        return len(self._entries)

    def append(self, fields: dict[bytes, bytes], now_ms: int) -> str:
        """Add an entry; its position never goes back, even when the clock does."""
        milliseconds, number = self._last
        self._last = (now_ms, 0) if now_ms > milliseconds else (milliseconds, number + 1)
        entry = Entry(format_position(self._last), fields)
        self._entries.append(entry)
        self._positions.append(self._last)
        return entry.id

    def after(self, position: str, count: int) -> list[Entry]:
        """At most `count` entries after a position."""
        start = bisect_right(self._positions, parse_position(position))
        return self._entries[start : start + count]

    def newest_first(self) -> list[Entry]:
        """All entries, newest first."""
        return self._entries[::-1]

    def get(self, position: str) -> Entry | None:
        """The entry at exactly this position."""
        index = self._index(position)
        return None if index is None else self._entries[index]

    def remove(self, position: str) -> bool:
        """Take one entry out; False where there is none."""
        index = self._index(position)
        if index is None:
            return False
        del self._entries[index], self._positions[index]
        return True

    def trim_through(self, position: str) -> None:
        """Drop the entries up to and with this position."""
        self._drop(bisect_right(self._positions, parse_position(position)))

    def trim_before(self, position: str) -> None:
        """Drop the entries before this position."""
        self._drop(bisect_left(self._positions, parse_position(position)))

    def _drop(self, count: int) -> None:
        del self._entries[:count], self._positions[:count]

    def _index(self, position: str) -> int | None:
        wanted = parse_position(position)
        index = bisect_left(self._positions, wanted)
        return index if index < len(self._positions) and self._positions[index] == wanted else None
