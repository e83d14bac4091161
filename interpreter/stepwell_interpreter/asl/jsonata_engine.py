"""Evaluates a parsed JSONata expression within bounds that count work, not time: the same work, the same answer.

Each node that is evaluated costs a step, and so does what it builds or walks over, by its size; so loops,
recursion and values that share parts over and over all come to an end. `Evaluation` replaces what the library does
by wall clock, by thread or wrongly. Whatever goes wrong is a JException.
"""

import math
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from typing import Any, Final

from jsonata.functions import Functions
from jsonata.jexception import JException
from jsonata.jsonata import Jsonata
from jsonata.parser import Parser
from jsonata.utils import Utils

from stepwell_interpreter.asl.scope import AslScope

MOST_STEPS: Final = 500_000
DEEPEST: Final = 450
"""Of evaluations and calls within each other: some seven Python frames each, far from the limit of 10,000 that the
library sets for the process when it is imported. So who calls does not decide how far an expression gets."""
HEAVIEST_VALUE: Final = 500_000
"""Of one value: its members and items, and an eighth of the characters of its texts."""
LONGEST_RANGE: Final = 100_000

_WALKED_IN_A_STEP: Final = 16
_LETTERS_IN_A_STEP: Final = 256
_NO_WALK: Final = frozenset({"count", "exists", "lookup", "type"})
_SCALARS: Final = frozenset({bool, int, float, type(None), type(Utils.NULL_VALUE)})


class Exhausted(JException):  # type: ignore[misc]
    """The expression needs more work, depth or room than it may have. `text` says which."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class _LazyParser:
    """Stands where the library expects its parser: partial application parses a small function."""

    dbg = False
    recover = False

    def parse(self, text: str) -> Any:
        return Parser().parse(text)


class Evaluation(Jsonata):  # type: ignore[misc]
    """One evaluation. Functions of the library that call back find it as the thread's current one."""

    def __init__(self, scope: AslScope) -> None:
        # not the library's constructor: it would parse; only what evaluation reads is set
        self.scope = scope
        self.timestamp = scope.now_ms
        self.parser = _LazyParser()
        self.input: Any = None
        self.environment: Any = None
        self.steps = MOST_STEPS
        self.depth = 0
        self.weights: dict[int, tuple[int, Any]] = {}
        self.kinds: dict[str, Callable[..., Any]] = {
            "path": self.evaluate_path,
            "binary": self.evaluate_binary,
            "unary": self.evaluate_unary,
            "name": self._name,
            "string": self._literal,
            "number": self._literal,
            "value": self._literal,
            "wildcard": self._wildcard,
            "descendant": self._descendant,
            "parent": lambda expr, input, environment: environment.lookup(expr.slot.label),
            "condition": self.evaluate_condition,
            "block": self.evaluate_block,
            "bind": self.evaluate_bind_expression,
            "regex": self._literal,
            "function": self._function,
            "variable": self._variable,
            "lambda": self.evaluate_lambda,
            "partial": self.evaluate_partial_application,
            "apply": self.evaluate_apply_expression,
            "transform": self.evaluate_transform_expression,
        }

    def run(self, tree: Any, functions: Any, variables: Mapping[str, Any]) -> Any:
        """The value of the tree in the library's own values; None where it is undefined."""
        frame = self.create_frame(functions)
        for name, value in variables.items():
            frame.bind(name, value)
        with _current(self):
            return self.eval(tree, None, frame)

    def spend(self, steps: int) -> None:
        """Takes steps from what is left. Raises Exhausted."""
        self.steps -= steps
        if self.steps < 0:
            raise Exhausted("Evaluation takes too many steps. Check for infinite loop")

    def eval(self, expr: Any, input: Any, environment: Any) -> Any:
        self._descend()
        outer = self.input, self.environment
        self.input, self.environment = input, environment
        try:
            result = self._value(expr, input, environment)
        finally:
            self.depth -= 1
            self.input, self.environment = outer
        self.spend(1)
        if type(result) not in _SCALARS:
            self.weight(result)
        return result

    def _descend(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            self.depth -= 1
            raise Exhausted(
                "Stack overflow. Check for non-terminating recursive function. Consider rewriting as tail-recursive"
            )

    def weight(self, value: Any) -> int:
        """How large a value is when it is written out. Raises Exhausted where it is larger than any may be."""
        if isinstance(value, str):
            weight = 1 + len(value) // 8
        elif isinstance(value, dict | list):
            known = self.weights.get(id(value))
            # a list that has grown since is weighed again
            if known is not None and len(known[1]) == len(value):
                return known[0]
            self.spend(len(value) // _WALKED_IN_A_STEP)
            items = value.values() if isinstance(value, dict) else value
            weight = 1 + sum(1 if type(item) in _SCALARS else self.weight(item) for item in items)
            if isinstance(value, dict):
                weight += sum(map(len, value)) // 8
            self.weights[id(value)] = (weight, value)
        else:
            weight = 1
        if weight > HEAVIEST_VALUE:
            raise Exhausted("A value grows larger than an expression may make it")
        return weight

    # -- the kinds of nodes -----------------------------------------------------------------------------------

    def _value(self, expr: Any, input: Any, environment: Any) -> Any:
        kind = expr.type
        handler = self.kinds.get(kind)
        result = None if handler is None else handler(expr, input, environment)
        if getattr(expr, "predicate", None) is not None:
            for item in expr.predicate:
                result = self.evaluate_filter(item.expr, result, environment)
        if kind != "path" and getattr(expr, "group", None) is not None:
            result = self.evaluate_group_expression(expr.group, result, environment)
        if isinstance(result, Utils.JList) and result.sequence and not result.tuple_stream:
            if expr.keep_array:
                result.keep_singleton = True
            if not result:
                return None
            if len(result) == 1 and not result.keep_singleton:
                return result[0]
        return result

    def _name(self, expr: Any, input: Any, environment: Any) -> Any:
        return Functions.lookup(input, str(expr.value))

    def _literal(self, expr: Any, input: Any, environment: Any) -> Any:
        return Utils.NULL_VALUE if expr.value is None else expr.value

    def _variable(self, expr: Any, input: Any, environment: Any) -> Any:
        if expr.value == "":
            return input[0] if isinstance(input, Utils.JList) and input.outer_wrapper else input
        return environment.lookup(str(expr.value))

    def _wildcard(self, expr: Any, input: Any, environment: Any) -> Any:
        if isinstance(input, dict | list):
            self._spend_on_copies(len(input))
        return self.evaluate_wildcard(expr, input)

    def _descendant(self, expr: Any, input: Any, environment: Any) -> Any:
        self._spend_on_walk(input)
        return self.evaluate_descendants(expr, input)

    def _function(self, expr: Any, input: Any, environment: Any) -> Any:
        return self.evaluate_function(expr, input, environment, Utils.NONE)

    def _spend_on_walk(self, *values: Any) -> None:
        self.spend(sum(map(self.weight, values)) // _WALKED_IN_A_STEP)

    def _spend_on_copies(self, items: int) -> None:
        """For what the library does by copying a growing list for each item."""
        self.spend(items * items // 20_000)

    # -- what the library does otherwise than JSONata ---------------------------------------------------------

    def evaluate_group_expression(self, expr: Any, input: Any, environment: Any) -> Any:
        if isinstance(input, list):
            self._spend_on_copies(len(input))
            # the library adds an entry to an empty list; it must not be one of the data
            input = input if input else Utils.create_sequence()
        return super().evaluate_group_expression(expr, input, environment)

    def validate_arguments(self, function: Any, args: Any, context: Any) -> Any:
        name = getattr(function, "function_name", None)
        if name is None:
            return super().validate_arguments(function, args, context)
        if name not in _NO_WALK:
            self._spend_on_walk(*args)
        return super().validate_arguments(function, args, context)

    def evaluate_function(self, expr: Any, input: Any, environment: Any, applied_to: Any) -> Any:
        try:
            return super().evaluate_function(expr, input, environment, applied_to)
        except JException as error:
            # the library does not say which function it was, and of null not even which argument
            name = getattr(expr.procedure, "value", None)
            if error.error == "T0410" and error.expected is None:
                raise JException("T0410", -1, 1, name) from None
            if error.error == "T0411":
                raise JException("T0411", -1, error.current, error.expected, name) from None
            raise

    def apply_inner(self, proc: Any, args: Any, input: Any, environment: Any) -> Any:
        if not self.is_function_like(proc):
            raise JException("T1006", -1)
        # A call at a function's end is made after its evaluation; within $reduce or $sort it nests all the same.
        self._descend()
        try:
            return super().apply_inner(proc, args, input, environment)
        finally:
            self.depth -= 1

    def evaluate_equality_expression(self, lhs: Any, rhs: Any, op: Any) -> Any:
        self._spend_on_walk(lhs, rhs)
        return super().evaluate_equality_expression(lhs, rhs, op)

    def evaluate_string_concat(self, lhs: Any, rhs: Any) -> str:
        self._spend_on_walk(lhs, rhs)
        text: str = super().evaluate_string_concat(lhs, rhs)
        self.spend(len(text) // _LETTERS_IN_A_STEP)
        return text

    def evaluate_numeric_expression(self, lhs: Any, rhs: Any, op: Any) -> Any:
        if lhs is not None and not Utils.is_numeric(lhs):
            raise JException("T2001", -1, op, lhs)
        if rhs is not None and not Utils.is_numeric(rhs):
            raise JException("T2002", -1, op, rhs)
        if lhs is None or rhs is None:
            return None
        try:
            result = _ARITHMETIC[op](float(lhs), float(rhs))
        except (ArithmeticError, ValueError):
            raise JException("D1001", -1, None) from None
        if not math.isfinite(result):
            raise JException("D1001", -1, None)
        return whole(result)

    def evaluate_unary(self, expr: Any, input: Any, environment: Any) -> Any:
        result = super().evaluate_unary(expr, input, environment)
        return 0 if result == 0 and isinstance(result, float) else result

    def evaluate_includes_expression(self, lhs: Any, rhs: Any) -> bool:
        if lhs is None or rhs is None:
            return False
        self._spend_on_walk(lhs, rhs)
        return any(Utils.is_deep_equal(item, lhs) for item in (rhs if isinstance(rhs, list) else [rhs]))

    def evaluate_range_expression(self, lhs: Any, rhs: Any) -> Any:
        for side, code in ((lhs, "T2003"), (rhs, "T2004")):
            if side is not None and not (Utils.is_numeric(side) and float(side).is_integer()):
                raise JException(code, -1, side)
        if lhs is None or rhs is None or lhs > rhs:
            return None
        if rhs - lhs >= LONGEST_RANGE:
            raise Exhausted(f"A range has at most {LONGEST_RANGE} items")
        return Utils.create_sequence_from_iter(range(int(lhs), int(rhs) + 1))


_ARITHMETIC: Final[dict[str, Callable[[float, float], float]]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
    "%": math.fmod,
}


def whole(number: float) -> int | float:
    """2 for 2.0, as JSON in JavaScript writes it."""
    return int(number) if number.is_integer() and abs(number) <= 2**53 else number


@contextmanager
def _current(evaluation: Evaluation) -> Any:
    """Makes an evaluation the thread's current one, where the library's functions look for it."""
    before = getattr(Jsonata.CURRENT, "jsonata", None)
    Jsonata.CURRENT.jsonata = evaluation
    try:
        yield
    finally:
        Jsonata.CURRENT.jsonata = before
