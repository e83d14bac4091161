"""How long the store remembers applied event ids and dispositions, and how the time is cut into buckets."""

DAY_MS = 24 * 60 * 60 * 1000

SEEN_BUCKET_MS = 4 * DAY_MS
SEEN_BUCKETS = 3
"""Buckets kept, the current one included: an id is remembered for at least 8 and at most 12 days."""

LEDGER_MS = SEEN_BUCKET_MS * SEEN_BUCKETS


def seen_bucket(time_ms: int) -> int:
    """The number of the bucket a time falls into."""
    return time_ms // SEEN_BUCKET_MS


def ledger_cutoff(now_ms: int) -> str:
    """Ledger entries before this position are older than any remembered id."""
    return f"{max(0, now_ms - LEDGER_MS)}-0"
