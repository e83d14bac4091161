"""JSONata expressions of a state as closures over its scope: `$states`, the variables, AWS's failures.

A plain member path (`$states.input.order.id`) is direct look-ups; everything else goes to the library, with a
copy of only what the expression reads, so that no expression can change a workflow's data.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from jsonata.jexception import JException

from stepwell_interpreter.asl.jsonata_engine import MOST_STEPS, Evaluation, Exhausted
from stepwell_interpreter.asl.jsonata_errors import coded_text
from stepwell_interpreter.asl.jsonata_functions import function_names, step_functions_frame
from stepwell_interpreter.asl.jsonata_syntax import (
    Parsed,
    Prefix,
    inner_text,
    is_jsonata,
    parse_jsonata,
    unsupported_reference,
)
from stepwell_interpreter.asl.jsonata_values import NotJson, library_value, plain_value
from stepwell_interpreter.asl.scope import AslFailure, AslScope
from stepwell_interpreter.asl.syntax import Evaluate
from stepwell_interpreter.asl.values import kind_of, shown
from stepwell_interpreter.failures import QUERY_EVALUATION_ERROR
from stepwell_interpreter.scope import MISSING

__all__ = ["compile_jsonata", "is_jsonata", "unexpected_result"]

STATES: Final = "states"
WORK_OF_A_STEP: Final = 10
"""A step of the library takes as long as some visits of a path."""

_STATES_MEMBERS: Final[dict[str, Callable[[AslScope], Any]]] = {
    "input": lambda scope: scope.input,
    "context": lambda scope: scope.context(),
    "result": lambda scope: scope.result,
    "errorOutput": lambda scope: scope.error,
}


def compile_jsonata(value: str, location: str) -> Evaluate:
    """The closure of a `{% %}` text. `location` is the field as causes and history name it.

    Raises AslSyntax; evaluation raises States.QueryEvaluationError with `evaluation`, also where the result is
    undefined.
    """
    parsed = parse_jsonata(inner_text(value))
    unsupported = unsupported_reference(parsed)
    if unsupported is not None:
        raise unsupported
    search = _library(parsed, location)
    if parsed.members is not None and parsed.members[0] not in function_names():
        search = _plain(parsed.members, search)

    def evaluate(scope: AslScope) -> Any:
        result = search(scope)
        if result is MISSING:
            raise _failure(scope, parsed.text, location, "returned nothing (undefined).")
        return result

    return evaluate


def unexpected_result(scope: AslScope, value: str, location: str, expected: str, result: Any) -> AslFailure:
    """The failure of an expression whose result is not of the type its field needs."""
    text = (
        f"returned an unexpected result type. Expected '{expected}', but was '{kind_of(result)}' "
        f"for value: {shown(result)}"
    )
    return _failure(scope, inner_text(value), location, text)


def _failure(scope: AslScope, expression: str, location: str, text: str) -> AslFailure:
    return scope.failure(
        QUERY_EVALUATION_ERROR,
        f"The JSONata expression '{expression}' specified for the field '{location}' {text}",
        location=location,
        evaluation=True,
    )


def _plain(members: tuple[str, ...], otherwise: Evaluate) -> Evaluate:
    """Look-ups for a plain member path; lists on the way are the library's affair."""
    name, *others = members

    def search(scope: AslScope) -> Any:
        if name == STATES and others:
            read = _STATES_MEMBERS.get(others[0])
            value, rest = (MISSING if read is None else read(scope)), others[1:]
        elif name == STATES:
            value, rest = states_object(scope), others
        else:
            value, rest = scope.variables().get(name, MISSING), others
        for member in rest:
            if type(value) is not dict:
                return MISSING if value is MISSING else otherwise(scope)
            value = value.get(member, MISSING)
        return value

    return search


def states_object(scope: AslScope) -> dict[str, Any]:
    """`$states`, with the members that there are."""
    return {name: value for name, read in _STATES_MEMBERS.items() if (value := read(scope)) is not MISSING}


def _library(parsed: Parsed, location: str) -> Evaluate:
    tree = parsed.tree
    reads = [(name, prefixes) for name, prefixes in parsed.reads.items() if name in parsed.variables]

    def search(scope: AslScope) -> Any:
        scope.spend(WORK_OF_A_STEP)  # what has no work left does not begin
        try:
            evaluation = Evaluation(scope)
            try:
                result = evaluation.run(tree, step_functions_frame(), _bindings(scope, reads))
            finally:
                scope.spend((MOST_STEPS - evaluation.steps) * WORK_OF_A_STEP)
            return MISSING if result is None else plain_value(result)
        except Exhausted as error:
            text = f"threw an error during evaluation: {error.text}"
        except JException as error:
            text = f"threw an error during evaluation. {coded_text(error)}"
        except NotJson as error:
            text = f"returned an unsupported result type: {error}"
        except RecursionError:
            text = "threw an error during evaluation: Stack overflow"
        except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            # the library raises these on arguments that its functions do not expect
            text = f"threw an error during evaluation: {str(error)[:1_000]}"
        raise _failure(scope, parsed.text, location, text)

    return search


def _bindings(scope: AslScope, reads: list[tuple[str, frozenset[Prefix]]]) -> dict[str, Any]:
    """Copies of what is read of each variable that there is."""
    bindings: dict[str, Any] = {}
    for name, prefixes in reads:
        if name == STATES:
            wanted = {prefix[0] for prefix in prefixes if prefix} if () not in prefixes else _STATES_MEMBERS
            value: Any = {
                member: found
                for member in wanted
                if member in _STATES_MEMBERS and (found := _STATES_MEMBERS[member](scope)) is not MISSING
            }
        else:
            value = scope.variables().get(name, MISSING)
        if value is not MISSING:
            bindings[name] = _copied(value, prefixes)
    return bindings


def _copied(value: Any, prefixes: Iterable[Prefix]) -> Any:
    """A copy for the library of the members that are read; of anything but an object, of all of it."""
    if type(value) is not dict or () in prefixes:
        return library_value(value)
    inner: dict[str, list[Prefix]] = {}
    for first, *others in prefixes:
        inner.setdefault(first, []).append(tuple(others))
    return {name: _copied(value[name], rest) for name, rest in inner.items() if name in value}
