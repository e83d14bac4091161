"""When Python looks for cyclic garbage in an engine: the less it finds, the less often.

What an engine remembers is millions of values without cycles, and a batch makes thousands that go by themselves: by
Python's own rules a look through all of them stopped an engine for over a second. Where something leaves cycles,
looks are worth it.
"""

import gc
from typing import Any, Final

FEW: Final = 50_000
"""Containers, more than have gone again since the last look, that make for a look: where the looks find garbage."""
MANY: Final = 400_000
"""The same where they find none: a tenth of a second or so. Two full batches under way are half as many."""
WORTH: Final = 10
"""One in so many was garbage."""


def calm_collector() -> None:
    """Take charge of the collector of this process, once."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(MANY, 20, 50)
    gc.callbacks.append(_adapt)


def _adapt(phase: str, info: dict[str, Any]) -> None:
    if phase != "stop":
        return
    now, *older = gc.get_threshold()
    is_worth_it = info["collected"] * WORTH >= now
    gc.set_threshold(FEW if is_worth_it else min(2 * now, MANY), *older)
