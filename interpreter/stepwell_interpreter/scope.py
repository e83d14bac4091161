"""What the expressions of one step can see: `$.input`, `$.state`, `$.system` and the names of the moment.

A scope is made per step and dropped after it. It carries the step's only source of chance: a seed, a counter.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b
from typing import Any, Final


class Missing(Enum):
    """The type of `MISSING`; an enum, so that type checkers can narrow by `is`."""

    MISSING = "missing"

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing.MISSING
"""Stands where a name is not in scope (`$.item` outside a map) or a path found nothing."""

ROOTS: Final = ("input", "state", "system", "item", "index", "event", "result", "error")
"""The first members a path may have, which are the attributes of a scope."""

_PLACES: Final = {
    "item": "inside a map",
    "index": "inside a map",
    "event": "in a wait and in `start`",
    "result": "in `resultSelector` and `compensateWith`",
    "error": "in `catch`",
}


@dataclass(slots=True)
class Scope:
    """The names in scope. `counter` counts the `$uuid` and `$random` of the step."""

    input: Any = MISSING
    state: Any = MISSING
    system: Mapping[str, Any] | Missing = MISSING
    item: Any = MISSING
    index: Any = MISSING
    event: Any = MISSING
    result: Any = MISSING
    error: Any = MISSING
    seed: str = ""
    counter: int = 0

    def draw(self) -> bytes:
        """The next 16 bytes of chance: the same for the same seed and number of draws before."""
        number = self.counter
        self.counter = number + 1
        return blake2b(f"{self.seed}\0{number}".encode(), digest_size=16).digest()

    def spend(self, steps: int) -> None:
        """Count work that data makes large. Nothing here; a step of a running instance has a bound for it."""

    def present(self) -> list[str]:
        """The names that are in scope, in the order of `ROOTS`."""
        return [name for name in ROOTS if getattr(self, name) is not MISSING]


def place_of(root: str) -> str:
    """Where a name is in scope, for messages."""
    return _PLACES.get(root, "everywhere")


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled value: `constant`, or MISSING there and `evaluate` for each scope. Raises StateFailure only."""

    constant: Any
    evaluate: Callable[[Scope], Any]


def constant(value: Any) -> Expression:
    """The expression that is always this very value; it is not copied."""
    return Expression(value, lambda scope: value)
