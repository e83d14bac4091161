"""How much is fuzzed: a fixed, small and repeatable amount in the suite, as much as asked for in a soak.

STEPWELL_FUZZ_EXAMPLES=20000 pytest tests/fuzz -k definitions   looks further, each time elsewhere.
"""

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings


def examples(usual: int) -> Callable[[Any], Any]:
    """So many examples, the same ones in every run; or as many as the environment asks for, at random."""
    asked = os.environ.get("STEPWELL_FUZZ_EXAMPLES")
    return settings(
        max_examples=int(asked) if asked else usual,
        derandomize=asked is None,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
