"""The activities of the benchmarks: they do nothing, so that only Stepwell is measured."""

from stepwell import activity


@activity(name="bench.nothing")
def nothing(n: int = 0) -> int:
    """Give the number back."""
    return n
