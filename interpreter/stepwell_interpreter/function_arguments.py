"""What every function does with its arguments: ask for a kind, and keep results within the limits.

A wrong argument is States.IntrinsicFailure that names the function, the argument, what it was, what is allowed.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from stepwell_interpreter.failures import INTRINSIC_FAILURE, StateFailure
from stepwell_interpreter.scope import Scope
from stepwell_interpreter.values import described, is_number

LONGEST_TEXT: Final = 256 * 1024
"""Bytes of UTF-8 a function's text may have."""
LONGEST_LIST: Final = 10_000
"""Items a function's list may have."""
LARGEST: Final = 2**63 - 1
"""Whole numbers beyond it (or below its negative) do not travel through JSON unharmed."""

Number = int | float


@dataclass(slots=True)
class Arguments:
    """The evaluated arguments of one call."""

    function: str
    values: list[Any]
    scope: Scope

    def failed(self, what: str) -> StateFailure:
        """The failure of this call, to be raised."""
        return StateFailure(INTRINSIC_FAILURE, f"{self.function}: {what}")

    def wrong(self, position: int, allowed: str) -> StateFailure:
        """The failure for an argument that is not what is allowed, to be raised."""
        found = described(self.values[position])
        return self.failed(f"argument {position + 1} is {found}; allowed is {allowed}")

    def text(self, position: int) -> str:
        """A text."""
        value = self.values[position]
        if isinstance(value, str):
            return value
        raise self.wrong(position, "a text")

    def utf8(self, position: int) -> bytes:
        """A text's bytes."""
        try:
            return self.text(position).encode()
        except UnicodeEncodeError as error:
            raise self.failed(f"argument {position + 1} holds half a surrogate pair") from error

    def items(self, position: int) -> list[Any]:
        """A list within the limit."""
        value = self.values[position]
        if not isinstance(value, list):
            raise self.wrong(position, "a list")
        if len(value) > LONGEST_LIST:
            raise self.wrong(position, f"a list of at most {LONGEST_LIST} items")
        return value

    def members(self, position: int) -> Mapping[str, Any]:
        """An object."""
        value = self.values[position]
        if isinstance(value, Mapping):
            return value
        raise self.wrong(position, "an object")

    def number(self, position: int) -> Number:
        """A number; booleans and texts are none."""
        value: Number = self.values[position]
        if not is_number(value):
            raise self.wrong(position, "a number")
        if not _fits(value):
            raise self.wrong(position, f"a number from -{LARGEST} to {LARGEST}")
        return value

    def whole(self, position: int, least: int = -LARGEST, most: int = LARGEST) -> int:
        """A whole number within bounds; 2.0 is one."""
        value = self.number(position)
        if value != int(value) or not least <= value <= most:
            raise self.wrong(position, f"a whole number from {least} to {most}")
        return int(value)

    def spread(self) -> "Arguments":
        """The arguments, or the items of the one argument that is a list."""
        if len(self.values) == 1 and isinstance(self.values[0], list):
            return Arguments(self.function, self.items(0), self.scope)
        return self

    # -- results -------------------------------------------------------------------------------------------

    def bounded_text(self, text: str) -> str:
        """The text, if it is within the limit."""
        if len(text) > LONGEST_TEXT or (
            len(text) * 4 > LONGEST_TEXT and len(text.encode("utf-8", "surrogatepass")) > LONGEST_TEXT
        ):
            raise self.failed(f"the result is longer than {LONGEST_TEXT} bytes")
        self.scope.spend(len(text) >> 6)
        return text

    def bounded_list(self, items: list[Any]) -> list[Any]:
        """The list, if it is within the limit."""
        if len(items) > LONGEST_LIST:
            raise self.failed(f"the result has {len(items)} items, allowed are {LONGEST_LIST}")
        self.scope.spend(len(items))
        return items

    def bounded_number(self, number: Number) -> Number:
        """The number, if JSON can hold it."""
        if _fits(number):
            return number
        raise self.failed(f"the result is beyond {LARGEST}")

    def json(self, value: Any) -> str:
        """A value as compact JSON within the limit of texts."""
        try:
            return self.bounded_text(orjson.dumps(value, default=dict).decode())
        except orjson.JSONEncodeError as error:
            raise self.failed(f"{described(value)} cannot be written as JSON: {error}") from error

    def written(self, position: int) -> str:
        """An argument as part of a text: texts as they are, all else as JSON."""
        value = self.values[position]
        return value if isinstance(value, str) else self.json(value)


def _fits(number: Number) -> bool:
    if isinstance(number, float):
        return math.isfinite(number)
    return -LARGEST <= number <= LARGEST
