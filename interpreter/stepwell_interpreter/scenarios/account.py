"""Counts the work of a search for scenarios, so that it ends by what it has done and never by a clock.

One account bounds the whole search; a share of it bounds one part, so that no part can take all. A unit is about the
time of one comparison of a condition, some microseconds.
"""

from typing import Final

MOST_WORK: Final = 2_000_000
"""Of one search: a few seconds."""


class Account:
    """What may still be done. Spending more than is left is no failure: who spends looks at `exhausted`."""

    __slots__ = ("_around", "left", "most")

    def __init__(self, most: int = MOST_WORK, around: "Account | None" = None) -> None:
        self.most = most
        self.left = most
        self._around = around

    @property
    def exhausted(self) -> bool:
        """Whether nothing is left, of this or of what it is a share of."""
        return self.left <= 0 or (self._around is not None and self._around.exhausted)

    @property
    def spent(self) -> int:
        """The work that was done."""
        return self.most - self.left

    def spend(self, units: int) -> None:
        """Take units off."""
        self.left -= units
        if self._around is not None:
            self._around.spend(units)

    def share(self, parts: int) -> "Account":
        """An account of one of so many parts of the whole; what it spends is spent of both."""
        return Account(self.most // parts, self)
