"""Functions on numbers. Whole numbers stay whole; no result is infinite, none is beyond 64 bits."""

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

from stepwell_interpreter.function_arguments import Arguments, Number

_MOST_DIGITS = 15


def add(arguments: Arguments) -> Number:
    """The sum of the arguments, or of one list."""
    return _folded(arguments, 0, lambda left, right: left + right)


def multiply(arguments: Arguments) -> Number:
    """The product of the arguments, or of one list."""
    return _folded(arguments, 1, lambda left, right: left * right)


def subtract(arguments: Arguments) -> Number:
    """The first less the second."""
    return arguments.bounded_number(arguments.number(0) - arguments.number(1))


def divide(arguments: Arguments) -> Number:
    """The first by the second; whole where it comes out even."""
    left, right = arguments.number(0), arguments.number(1)
    if right == 0:
        raise arguments.wrong(1, "a number other than 0")
    if isinstance(left, int) and isinstance(right, int) and left % right == 0:
        return arguments.bounded_number(left // right)
    return arguments.bounded_number(left / right)


def smallest(arguments: Arguments) -> Any:
    """The smallest of the arguments, or of one list: all numbers, or all texts."""
    return min(_alike(arguments))


def largest(arguments: Arguments) -> Any:
    """The largest of the arguments, or of one list: all numbers, or all texts."""
    return max(_alike(arguments))


def rounded(arguments: Arguments) -> Number:
    """The number rounded to so many digits after the point (0); halves go away from zero."""
    number = arguments.number(0)
    digits = arguments.whole(1, -_MOST_DIGITS, _MOST_DIGITS) if len(arguments.values) > 1 else 0
    with localcontext() as context:
        # A float has at most 309 digits before its point, and 15 may follow: nothing is lost.
        context.prec = 400
        result = Decimal(repr(number)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    return (
        float(result) if digits > 0 and isinstance(number, float) else arguments.bounded_number(int(result))
    )


def random_number(arguments: Arguments) -> Number:
    """Without arguments a fraction from 0 up to 1; else a whole number from the first to before the second.

    A replay gives it again.
    """
    drawn = int.from_bytes(arguments.scope.draw(), "big")
    match len(arguments.values):
        case 0:
            return (drawn >> 75) / 2**53
        case 1:
            raise arguments.failed("takes no argument, or a first number and one beyond the last")
        case _:
            first, beyond = arguments.whole(0), arguments.whole(1)
            if beyond <= first:
                raise arguments.wrong(1, f"a whole number greater than {first}")
            return first + drawn % (beyond - first)


def _folded(arguments: Arguments, start: Number, step: Callable[[Number, Number], Number]) -> Number:
    arguments = arguments.spread()
    total = start
    for position in range(len(arguments.values)):
        total = arguments.bounded_number(step(total, arguments.number(position)))
    return total


def _alike(arguments: Arguments) -> list[Any]:
    arguments = arguments.spread()
    if not arguments.values:
        raise arguments.failed("there is nothing to choose from: the list is empty")
    if isinstance(arguments.values[0], str):
        return [arguments.text(position) for position in range(len(arguments.values))]
    return [arguments.number(position) for position in range(len(arguments.values))]
