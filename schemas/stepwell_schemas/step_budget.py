"""How many steps a validation may take: in proportion to the value, and never more than a second or few.

Rule: small values are decided in an instant or refused, whatever the schema; large ones get more steps, up to a limit.
"""

from typing import Any, Final

from jsonschema import FormatChecker

FREE_STEPS: Final = 50_000
"""So many keywords may be evaluated over any value."""
STEPS_OF_A_NODE: Final = 20
MOST_STEPS: Final = 1_000_000


class SchemaTooCostly(Exception):
    """The value cannot be judged by this schema. The message says why."""


class StepBudget(FormatChecker):
    """The steps left. It travels through a validation in the place of a format checker, the one thing passed on."""

    def __init__(self, value: Any) -> None:
        super().__init__(formats=())
        self._value = value
        self._left = FREE_STEPS
        self._extended = False

    def spend(self, steps: int) -> None:
        """Count steps. Raises SchemaTooCostly when there are none left."""
        self._left -= steps
        if self._left >= 0:
            return
        if not self._extended:
            # Most values never come here, so that they need not be measured.
            self._extended = True
            self._left += min(STEPS_OF_A_NODE * nodes(self._value), MOST_STEPS - FREE_STEPS)
        if self._left < 0:
            raise SchemaTooCostly(
                "checking the value against its schema takes too many steps "
                f"({FREE_STEPS}, and {STEPS_OF_A_NODE} for each part of the value, at most {MOST_STEPS}): "
                "simplify the schema, or send less at a time"
            )


def nodes(value: Any) -> int:
    """How many values a JSON value is made of."""
    count = 0
    pending = [value]
    while pending:
        at = pending.pop()
        count += 1
        if isinstance(at, dict):
            pending += at.values()
        elif isinstance(at, list):
            pending += at
    return count
