"""Intrinsic functions compiled to closures: arguments are read in order, then the function is called.

Which functions there are, and what they do, is the table of `intrinsic_functions`. A path that finds nothing
is States.Runtime, an argument that the function does not take States.IntrinsicFailure.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal

from stepwell_interpreter.asl.intrinsic_functions import FUNCTIONS, BadArgument
from stepwell_interpreter.asl.intrinsic_syntax import Argument, Call, parse_intrinsic
from stepwell_interpreter.asl.intrinsic_syntax import Literal as Constant
from stepwell_interpreter.asl.path_finders import compile_finder
from stepwell_interpreter.asl.path_syntax import Query
from stepwell_interpreter.asl.scope import AslScope
from stepwell_interpreter.asl.syntax import AslSyntax, Evaluate
from stepwell_interpreter.extent import FEW_REFERENCES, within_extent
from stepwell_interpreter.failures import INTRINSIC_FAILURE, RUNTIME, did_you_mean
from stepwell_interpreter.scope import MISSING

Read = Callable[[AslScope, str], Any]
"""Reads an argument; the text is that of the call it belongs to."""


def intrinsic_or_path(text: str) -> Literal["intrinsic", "path"]:
    """What the value of a `.$` member is, by its beginning."""
    return "intrinsic" if text.startswith("States.") else "path"


@lru_cache(maxsize=4096)
def compile_intrinsic(text: str) -> Evaluate:
    """The closure of an intrinsic function call. Raises AslSyntax."""
    return _compiled(parse_intrinsic(text))


def _compiled(call: Call) -> Evaluate:
    if call.name not in FUNCTIONS:
        hint = did_you_mean(f"States.{call.name}", [f"States.{name}" for name in FUNCTIONS])
        raise AslSyntax(f"States.{call.name} is not an intrinsic function", detail=hint)
    function = FUNCTIONS[call.name]
    text = call.text
    reads = [_reader(argument, call.name, position) for position, argument in enumerate(call.arguments)]

    def evaluate(scope: AslScope) -> Any:
        values = [read(scope, text) for read in reads]
        if len(values) > FEW_REFERENCES:
            within_extent(values)
        try:
            return function(values, scope)
        except BadArgument as problem:
            raise scope.failure(
                INTRINSIC_FAILURE, f"The function '{text}' had the following error: {problem}"
            ) from None

    return evaluate


def _reader(argument: Argument, name: str, position: int) -> Read:
    match argument:
        case Constant():
            # a template keeps its backslashes: only Format tells `{}` from `\{\}`
            value = argument.value
            if name == "Format" and position == 0 and isinstance(value, str):
                value = argument.raw
            return lambda scope, text: value
        case Call():
            evaluate = _compiled(argument)
            return lambda scope, text: evaluate(scope)
        case Query():
            return _path_reader(argument)


def _path_reader(query: Query) -> Read:
    finder = compile_finder(query.text)

    def read(scope: AslScope, text: str) -> Any:
        value = finder.find(scope)
        if value is MISSING:
            raise scope.failure(
                RUNTIME,
                f"The function '{text}' had the following error: The JsonPath argument for the field "
                f"'{query.text}' could not be found in the input '{finder.searched(scope)}'",
            )
        return value

    return read
