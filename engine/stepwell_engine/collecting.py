"""When Python looks for cyclic garbage in an engine: among what is new as it goes, among all only when it is idle.

A batch makes thousands of values without cycles, and what is remembered is millions of them: one look at all of it by
Python's own rules was a second in which nothing else happened.
"""

import gc
import time
from collections.abc import Callable

NEW_VALUES = 50_000
"""More of them than have gone again, since the last look among what is new."""
NEW_LOOKS = 5
"""Looks among what is new until those are looked at again that were left over."""
NEVER = 2**31 - 1
ALL_SECONDS = 600.0
"""From one look at all to the next."""


class Collector:
    """Calms the collector of this process at once; `idle` is told whenever there is nothing to do."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._look_at_all()
        gc.set_threshold(NEW_VALUES, NEW_LOOKS, NEVER)

    def idle(self) -> None:
        """Look at all that has come to stay since the last time, if that is long ago."""
        if self._clock() - self._looked_at >= ALL_SECONDS:
            self._look_at_all()

    def _look_at_all(self) -> None:
        gc.collect()
        gc.freeze()  # what is left is not garbage; it goes without us when nobody holds it any more
        self._looked_at = self._clock()
