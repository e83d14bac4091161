"""Conditions of choices, waits and undo steps, compiled from their document form. A test writes down what it did.

Each comparison that is evaluated is appended to the record given: variable, operator, expected, actual, result,
and a `note` where the types do not fit. What `and` and `or` do not need any more is not evaluated.
"""

from dataclasses import dataclass
from typing import Any

from stepwell_interpreter.comparisons import Record, Test, compile_rule
from stepwell_interpreter.scope import Scope
from stepwell_interpreter.templates import TemplateCompiler, UsedPath


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled condition; `paths` are those it may read. Calling it raises StateFailure only."""

    test: Test
    paths: tuple[UsedPath, ...]

    def __call__(self, scope: Scope, record: Record) -> bool:
        return self.test(scope, record)


def compile_condition(rule: Any, pointer: str = "") -> Condition:
    """The condition of `{variable, <operator>: value}`, `{and: [..]}`, `{or: [..]}` or `{not: {..}}`.

    `next` and `comment` beside it (a choice's rule) are left alone. Raises CompileProblem below `pointer`.
    """
    compiler = TemplateCompiler()
    test = compile_rule(rule, pointer, compiler)
    return Condition(test, tuple(compiler.used))
