"""Rate limits: one token bucket per caller, in memory of this process; what is forgotten first is unused longest."""

from collections import OrderedDict

CALLERS = 10_000
"""Callers remembered; a forgotten one starts with a full bucket."""


class TokenBuckets:
    """Each caller may make `per_second` requests a second, in bursts of as many."""

    def __init__(self, per_second: int, callers: int = CALLERS) -> None:
        if per_second < 1:
            raise ValueError(f"per_second is {per_second}; it must be at least 1")
        self._per_second = per_second
        self._callers = callers
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """caller -> (tokens left, when that was)"""

    def wait_seconds(self, caller: str, now_seconds: float) -> float:
        """0 when the request may go on (a token is taken), else how long until there is one."""
        tokens, then = self._buckets.pop(caller, (float(self._per_second), now_seconds))
        tokens = min(self._per_second, tokens + max(0.0, now_seconds - then) * self._per_second)
        wait = 0.0 if tokens >= 1 else (1 - tokens) / self._per_second
        self._buckets[caller] = (tokens if wait else tokens - 1, now_seconds)
        while len(self._buckets) > self._callers:
            self._buckets.popitem(last=False)
        return wait
