"""JSONata conditions as formulas for the solver: `and`, `or` and `$not` taken apart, the rest decided by evaluation."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from jsonata.jexception import JException
from jsonata.utils import Utils

from stepwell_interpreter.asl.jsonata import states_object
from stepwell_interpreter.asl.jsonata_engine import Evaluation
from stepwell_interpreter.asl.jsonata_functions import function_names, step_functions_frame
from stepwell_interpreter.asl.jsonata_syntax import inner_text, is_jsonata, parse_jsonata
from stepwell_interpreter.asl.jsonata_values import library_value
from stepwell_interpreter.asl.syntax import AslSyntax
from stepwell_interpreter.scenarios.asl_places import AslPlace, children, reads_of, scope_with
from stepwell_interpreter.scenarios.solving import (
    UNKNOWN,
    Comparison,
    Every,
    Formula,
    Negation,
    Some,
    distinct,
    forms,
    near,
)
from stepwell_interpreter.scope import MISSING

MOST_PLACES: Final = 4
"""Places of one comparison that are looked at together."""
MOST_STEPS: Final = 2_000
"""Of one try. A workflow may take far more for an expression, but thousands of values are tried."""
_STEPS_IN_A_UNIT: Final = 2
_UNITS_OF_A_TRY: Final = 20
_KINDS: Final[tuple[Any, ...]] = (
    "text",
    1,
    True,
    False,
    None,
    [],
    {},
    0,
    "",
    MISSING,
    ["text"],
    "2026-01-01T00:00:00Z",
)
_NOT_PRESENT: Final = (MISSING, "text", 1)


def jsonata_formula(rule: Mapping[str, Any]) -> Formula:
    """The formula of a rule's `Condition`."""
    condition = rule.get("Condition")
    if isinstance(condition, bool):
        return Comparison((), lambda values: condition, ())
    if not is_jsonata(condition):
        return UNKNOWN
    try:
        tree = parse_jsonata(inner_text(str(condition))).tree
    except AslSyntax:
        return UNKNOWN  # an accepted definition has none
    return _formula(tree)


def literals_in(node: Any) -> Iterator[Any]:
    """The literals of an expression."""
    pending = [node]
    while pending:
        at = pending.pop(0)
        if at.type in ("string", "number"):
            yield at.value
        elif at.type == "value":
            yield None if at.value is None or at.value is Utils.NULL_VALUE else at.value
        pending += list(children(at))


def _formula(node: Any) -> Formula:
    if node.type == "binary" and node.value in ("and", "or"):
        parts = (_formula(node.lhs), _formula(node.rhs))
        return Every(parts) if node.value == "and" else Some(parts)
    if node.type == "block" and len(node.expressions) == 1:
        return _formula(node.expressions[0])
    if node.type == "function" and _called(node) == "not" and len(node.arguments) == 1:
        return Negation(_formula(node.arguments[0]))
    return _comparison(node)


def _comparison(node: Any) -> Formula:
    places: list[AslPlace] = []
    for read, _, around in reads_of(node):
        calls = around is not None and getattr(around, "procedure", None) is not None
        name = read.place[1] if read.place[0] == "variable" and len(read.place) == 2 else None
        if read.place not in places and not (calls and name in function_names()):
            places.append(read.place)
    places.reverse()  # in the order in which they are written
    if len(places) > MOST_PLACES:
        return UNKNOWN
    present = node.type == "function" and _called(node) == "exists"
    suggested = _NOT_PRESENT[1::-1] if present else tuple(_suggested(node))

    def holds(values: Sequence[Any]) -> bool | None:
        return tried(values)[0]

    def tried(values: Sequence[Any]) -> tuple[bool | None, int]:
        return _evaluated(node, places, values)

    return Comparison(tuple(places), holds, (suggested,) * len(places), tried)


def _evaluated(node: Any, places: Sequence[AslPlace], values: Sequence[Any]) -> tuple[bool | None, int]:
    """What an expression gives, and the work; None where it fails, needs too much, or gives no truth value."""
    scope = scope_with(places, values)
    bindings = {"states": library_value(states_object(scope))}
    bindings |= {name: library_value(value) for name, value in scope.variables().items()}
    evaluation = Evaluation(scope)
    evaluation.steps = MOST_STEPS
    try:
        result = evaluation.run(node, step_functions_frame(), bindings)
    except (JException, RecursionError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        result = None  # the library raises these on values that its functions do not expect
    work = _UNITS_OF_A_TRY + (MOST_STEPS - evaluation.steps) // _STEPS_IN_A_UNIT
    return result if isinstance(result, bool) else None, work


def _suggested(node: Any) -> Iterator[Any]:
    """Values beside the literals of an expression, in the forms that its functions may want."""
    literals = distinct(literals_in(node))[:8]
    for literal in literals:
        yield literal
        yield from near(literal)
    for literal in literals:
        yield from forms(literal)
    yield from _KINDS
    yield from range(2, 6)


def _called(node: Any) -> str:
    return str(getattr(node.procedure, "value", ""))
