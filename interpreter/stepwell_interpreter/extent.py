"""How large a made value is when it is written out. Bounded before anything writes it as JSON.

A template or a query shares what it refers to: a list of a thousand references to one large value is small in memory,
and more than any memory as JSON.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from stepwell_interpreter.failures import DATA_LIMIT_EXCEEDED, StateFailure

FEW_REFERENCES: Final = 8
"""What refers to no more than so many values cannot grow beyond what is written without trouble."""

MOST_CHARACTERS: Final = 8 * 1024 * 1024
"""Far above every limit on what is kept, so that those limits give their own, more telling errors."""

_NODE: Final = 4


def within_extent(value: Any) -> Any:
    """The value itself. Raises StateFailure where it would be longer than `MOST_CHARACTERS`, written out."""
    left = MOST_CHARACTERS
    pending = [value]
    while pending:
        at = pending.pop()
        left -= _NODE
        if isinstance(at, str):
            left -= len(at)
        elif isinstance(at, list):
            left -= len(at)
            pending += at
        elif isinstance(at, Mapping):
            left -= sum(map(len, at))
            pending += at.values()
        if left < 0:
            cause = f"a value of more than {MOST_CHARACTERS} characters is made of parts that repeat"
            raise StateFailure(DATA_LIMIT_EXCEEDED, cause)
    return value


def checked(evaluate: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The same evaluation, whose result is within the extent."""
    return lambda scope: within_extent(evaluate(scope))
