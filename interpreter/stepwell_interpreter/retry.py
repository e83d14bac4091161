"""Retry arithmetic: how long to wait before a try, always a whole number of milliseconds up to a year.

The rule is that of ASL's Retrier: interval * coefficient ** (attempt - 1), cut at the maximum, then jitter.
"""

from hashlib import blake2b
from typing import Final, Literal, assert_never

Jitter = Literal["none", "full", "equal"]

LONGEST_MS: Final = 31_622_400_000
"""366 days: what ASL allows as MaxDelaySeconds, and the limit where none is given."""


def delay_ms(
    interval_ms: int,
    coefficient: float,
    attempt: int,
    maximum_ms: int | None,
    jitter: Jitter,
    seed: str,
) -> int:
    """Milliseconds before retry number `attempt` (from 1), for any number of attempts.

    `jitter` `none` is the delay itself, `full` something from 0 to it, `equal` from half of it to it; `seed`
    decides which, so give each retry its own. Raises nothing for `interval_ms` >= 0, `coefficient` >= 0.
    """
    longest = LONGEST_MS if maximum_ms is None else min(maximum_ms, LONGEST_MS)
    delay = _grown(interval_ms, coefficient, attempt, longest)
    match jitter:
        case "none":
            return delay
        case "full":
            return _drawn(seed, delay)
        case "equal":
            half = delay // 2
            return half + _drawn(seed, delay - half)
        case _:
            assert_never(jitter)


def _grown(interval_ms: int, coefficient: float, attempt: int, longest: int) -> int:
    if interval_ms <= 0:
        return 0
    try:
        grown = interval_ms * float(coefficient) ** (max(attempt, 1) - 1)
    except OverflowError:
        return longest
    return longest if grown >= longest else round(grown)


def _drawn(seed: str, most: int) -> int:
    """A whole number from 0 to `most`, both included."""
    digest = blake2b(seed.encode(), digest_size=16).digest()
    return int.from_bytes(digest, "big") % (most + 1)
