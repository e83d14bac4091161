"""The table of the language's functions: how many arguments each takes, and what it does.

Every function is total: it ends, its result is bounded, and what it cannot do is States.IntrinsicFailure that
names the function, the argument and what is allowed. None reads a clock; chance comes from the scope alone.
`$path` and `$if` are forms of templates (see `templates`), since they do not evaluate all of their arguments.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from stepwell_interpreter import functions_lists, functions_numbers, functions_text, functions_time
from stepwell_interpreter.function_arguments import Arguments
from stepwell_interpreter.scope import MISSING, Scope

FORMS = ("$path", "$if")
"""Functions that templates evaluate themselves."""


@dataclass(frozen=True, slots=True)
class Function:
    """One function. `most` None takes any number of arguments; `check` sees the constant ones beforehand.

    `by_chance` functions take from the scope, so that two calls differ.
    """

    name: str
    least: int
    most: int | None
    body: Callable[[Arguments], Any]
    by_chance: bool = False
    check: Callable[[Sequence[Any]], str | None] | None = None

    def call(self, values: list[Any], scope: Scope) -> Any:
        """The result for evaluated arguments. Raises States.IntrinsicFailure."""
        return self.body(Arguments(self.name, values, scope))

    def accepts(self, count: int) -> str | None:
        """What is allowed, where this number of arguments is not."""
        if self.least <= count and (self.most is None or count <= self.most):
            return None
        if self.most == self.least:
            return f"takes {self.least or 'no'} argument{'' if self.least == 1 else 's'}"
        if self.most is None:
            return f"takes {self.least} or more arguments"
        return f"takes {self.least} to {self.most} arguments"


@cache
def functions() -> Mapping[str, Function]:
    """All functions by name, `$` included."""
    text, lists, numbers, time = functions_text, functions_lists, functions_numbers, functions_time
    table = (
        Function("$format", 1, None, text.format_text, check=text.check_format),
        Function("$concat", 1, None, text.concat),
        Function("$join", 1, 2, text.join),
        Function("$split", 2, 2, text.split),
        Function("$lower", 1, 1, text.lower),
        Function("$upper", 1, 1, text.upper),
        Function("$parseJson", 1, 1, text.parse_json),
        Function("$toJson", 1, 1, text.to_json),
        Function("$base64Encode", 1, 1, text.base64_encode),
        Function("$base64Decode", 1, 1, text.base64_decode),
        Function("$hash", 1, 2, text.hash_text),
        Function("$length", 1, 1, lists.length),
        Function("$keys", 1, 1, lists.keys),
        Function("$merge", 1, None, lists.merge),
        Function("$contains", 2, 2, lists.contains),
        Function("$unique", 1, 1, lists.unique),
        Function("$range", 2, 3, lists.whole_range),
        Function("$partition", 2, 2, lists.partition),
        Function("$at", 2, 3, lists.at),
        Function("$add", 1, None, numbers.add),
        Function("$subtract", 2, 2, numbers.subtract),
        Function("$multiply", 1, None, numbers.multiply),
        Function("$divide", 2, 2, numbers.divide),
        Function("$min", 1, None, numbers.smallest),
        Function("$max", 1, None, numbers.largest),
        Function("$round", 1, 2, numbers.rounded),
        Function("$random", 0, 2, numbers.random_number, by_chance=True),
        Function("$uuid", 0, 0, text.uuid, by_chance=True),
        Function("$timeAdd", 2, 2, time.time_add),
        Function("$timeDiff", 2, 2, time.time_diff),
    )
    return {function.name: function for function in table}


def constant_result(function: Function, values: Sequence[Any]) -> Any:
    """The result where all arguments are constants, or MISSING where it depends on the run.

    Raises StateFailure, which then is a mistake in the definition.
    """
    if function.by_chance or any(value is MISSING for value in values):
        return MISSING
    return function.call(list(values), Scope())
