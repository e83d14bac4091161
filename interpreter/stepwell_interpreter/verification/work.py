"""The work of an analysis, counted: whatever is uploaded, it ends after so many steps, on every machine after the same.

A unit is about a microsecond: a member that is joined, a part of a template that is read.
"""

from dataclasses import dataclass
from typing import Final

MOST_WORK: Final = 800_000
MOST_ROUGH_WORK: Final = 250_000
MOST_WORK_ON_RULES: Final = 400_000
COPIED_PER_UNIT: Final = 64
"""So many members of an object are copied while one is joined."""


class TooMuchWork(Exception):
    """The analysis would take too long; what it has found so far is no result."""


@dataclass(slots=True)
class Work:
    """What may still be done."""

    left: int = MOST_WORK

    def spend(self, units: int) -> None:
        """Count work before it is done. Raises TooMuchWork."""
        self.left -= units
        if self.left < 0:
            raise TooMuchWork

    def copy(self, members: int) -> None:
        """Count the copy of an object of so many members. Raises TooMuchWork."""
        self.spend(1 + members // COPIED_PER_UNIT)
