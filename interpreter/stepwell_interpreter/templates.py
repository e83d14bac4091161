"""Templates: any JSON value in which texts starting with `$.` are paths and objects with one `$`-key functions.

`$$.text` is the literal `$.text`, and a key `$$name` the literal key `$name`. What is constant is made once, when
the template is compiled, and given out without a copy: nobody may change what a template gives.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from stepwell_interpreter.comparisons import COMBINATORS, Record, compile_rule
from stepwell_interpreter.extent import FEW_REFERENCES, checked
from stepwell_interpreter.failures import (
    INTRINSIC_FAILURE,
    CompileProblem,
    StateFailure,
    did_you_mean,
    pointer_to,
)
from stepwell_interpreter.functions import FORMS, Function, constant_result, functions
from stepwell_interpreter.paths import Path, compile_path, is_path
from stepwell_interpreter.scope import MISSING, Expression, Scope, constant
from stepwell_interpreter.values import described

DEEPEST_TEMPLATE: Final = 64

Template = Callable[[Scope], Any]


@dataclass(frozen=True, slots=True)
class UsedPath:
    """A path that a template or condition reads. `optional`: it may find nothing (a default, `isPresent`)."""

    pointer: str
    path: Path
    optional: bool


def compile_template(value: Any, pointer: str = "") -> Template:
    """A function of the scope. Raises CompileProblem below `pointer`; the function raises StateFailure only."""
    return TemplateCompiler().value(value, pointer).evaluate


def template_paths(value: Any, pointer: str = "") -> list[UsedPath]:
    """Every path a template reads, in the order written. Raises CompileProblem like `compile_template`."""
    compiler = TemplateCompiler()
    compiler.value(value, pointer)
    return compiler.used


class TemplateCompiler:
    """Compiles values and keeps account of the paths they use."""

    __slots__ = ("_depth", "used")

    def __init__(self) -> None:
        self.used: list[UsedPath] = []
        self._depth = 0

    def value(self, value: Any, pointer: str) -> Expression:
        """A template of any form. What refers to many values is bounded, as they may be one large value."""
        before = len(self.used)
        made = self._value(value, pointer)
        if made.constant is MISSING and len(self.used) - before > FEW_REFERENCES:
            return Expression(MISSING, checked(made.evaluate))
        return made

    def _value(self, value: Any, pointer: str) -> Expression:
        if isinstance(value, str):
            return self._text(value, pointer)
        if not isinstance(value, list | Mapping):
            return constant(value)
        if self._depth >= DEEPEST_TEMPLATE:
            raise CompileProblem(
                "template-depth", pointer, f"a template nests deeper than {DEEPEST_TEMPLATE}"
            )
        self._depth += 1
        try:
            return self._list(value, pointer) if isinstance(value, list) else self._object(value, pointer)
        finally:
            self._depth -= 1

    def path(self, text: Any, pointer: str, optional: bool) -> Path:
        """A path, which is noted as used."""
        if not is_path(text):
            message = f"{described(text)}, is not a path"
            raise CompileProblem(
                "path-syntax", pointer, message, "A path starts with $. such as $.state.order.id"
            )
        try:
            path = compile_path(text)
        except CompileProblem as problem:
            raise problem.below(pointer) from None
        self.used.append(UsedPath(pointer, path, optional))
        return path

    def _text(self, text: str, pointer: str) -> Expression:
        if not text.startswith("$"):
            return constant(text)
        if is_path(text):
            return Expression(MISSING, self.path(text, pointer, False).resolve)
        return constant(text[1:] if text.startswith(("$$.", "$$[")) else text)

    def _list(self, values: list[Any], pointer: str) -> Expression:
        items = [self.value(item, pointer_to(pointer, index)) for index, item in enumerate(values)]
        if all(item.constant is not MISSING for item in items):
            return constant(_unless_same(values, [item.constant for item in items]))
        evaluators = [item.evaluate for item in items]
        return Expression(MISSING, lambda scope: [evaluate(scope) for evaluate in evaluators])

    def _object(self, values: Mapping[Any, Any], pointer: str) -> Expression:
        for key in values:
            if not isinstance(key, str):
                raise CompileProblem(
                    "template-key", pointer, f"the key {key!r} is not a text; put it in quotes"
                )
        named = [key for key in values if key.startswith("$") and not key.startswith("$$")]
        if named:
            return self._call(named, values, pointer)
        return self._members(values, pointer)

    def _members(self, values: Mapping[str, Any], pointer: str) -> Expression:
        members = {
            key.removeprefix("$") if key.startswith("$$") else key: self.value(
                value, pointer_to(pointer, key)
            )
            for key, value in values.items()
        }
        constants = {key: member.constant for key, member in members.items()}
        moving = [(key, member.evaluate) for key, member in members.items() if member.constant is MISSING]
        if not moving:
            return constant(_unless_same(values, constants))

        def evaluate(scope: Scope) -> dict[str, Any]:
            # The copy holds all keys in their order already; what moves is put in its place.
            result = constants.copy()
            for key, of in moving:
                result[key] = of(scope)
            return result

        return Expression(MISSING, evaluate)

    # -- functions -----------------------------------------------------------------------------------------

    def _call(self, named: list[str], values: Mapping[str, Any], pointer: str) -> Expression:
        name = named[0]
        if name in ("$path", "$default") and values.keys() <= {"$path", "$default"} and "$path" in values:
            return self._path_form(values, pointer)
        function = functions().get(name)
        if function is None and name not in FORMS:
            hint = did_you_mean(name, [*functions(), *FORMS])
            raise _unusable(pointer_to(pointer, name), f"there is no function `{name}`. {hint}")
        if len(values) > 1:
            others = ", ".join(f"`{key}`" for key in values if key != name)
            raise _unusable(pointer, f"`{name}` stands alone in its object; here beside it: {others}")
        place = pointer_to(pointer, name)
        raw = values[name]
        if isinstance(raw, list):
            given = [(item, pointer_to(place, index)) for index, item in enumerate(raw)]
        else:
            given = [] if raw is None else [(raw, place)]
        if function is None:
            return self._if_form(given, place)
        return self._function(function, given, place)

    def _function(self, function: Function, given: list[tuple[Any, str]], place: str) -> Expression:
        allowed = function.accepts(len(given))
        if allowed is not None:
            message = f"`{function.name}` {allowed}, here are {len(given)}"
            raise _unusable(
                place, message, "A list is the list of arguments; a list as an argument is [[1, 2]]."
            )
        arguments = [self.value(raw, where) for raw, where in given]
        constants = [argument.constant for argument in arguments]
        problem = function.check(constants) if function.check else None
        if problem is not None:
            raise _unusable(place, f"`{function.name}`: {problem}")
        try:
            result = constant_result(function, constants)
        except StateFailure as failure:
            raise _unusable(place, failure.cause) from failure
        if result is not MISSING:
            return constant(result)
        evaluators = [argument.evaluate for argument in arguments]
        call = function.call
        return Expression(MISSING, lambda scope: call([evaluate(scope) for evaluate in evaluators], scope))

    def _path_form(self, values: Mapping[str, Any], pointer: str) -> Expression:
        path = self.path(values["$path"], pointer_to(pointer, "$path"), "$default" in values)
        if "$default" not in values:
            return Expression(MISSING, path.resolve)
        otherwise = self.value(values["$default"], pointer_to(pointer, "$default")).evaluate

        def evaluate(scope: Scope) -> Any:
            found = path.find(scope)
            return otherwise(scope) if found is MISSING else found

        return Expression(MISSING, evaluate)

    def _if_form(self, given: list[tuple[Any, str]], place: str) -> Expression:
        if not 2 <= len(given) <= 3:
            raise _unusable(
                place, f"`$if` takes a condition, a value and another value, here are {len(given)}"
            )
        test = self._test(*given[0])
        yes = self.value(*given[1]).evaluate
        no = self.value(*given[2]).evaluate if len(given) > 2 else constant(None).evaluate
        return Expression(MISSING, lambda scope: yes(scope) if test(scope) else no(scope))

    def _test(self, raw: Any, pointer: str) -> Callable[[Scope], bool]:
        if isinstance(raw, Mapping) and ("variable" in raw or any(name in raw for name in COMBINATORS)):
            holds = compile_rule(raw, pointer, self)

            def test(scope: Scope) -> bool:
                unread: Record = []
                return holds(scope, unread)

            return test
        condition = self.value(raw, pointer)
        if condition.constant is not MISSING and not isinstance(condition.constant, bool):
            raise _unusable(
                pointer, f"{described(condition.constant)}, is neither a condition nor true or false"
            )

        def decided(scope: Scope) -> bool:
            value = condition.evaluate(scope)
            if isinstance(value, bool):
                return value
            cause = f"$if: argument 1 is {described(value)}; allowed is a condition, true or false"
            raise StateFailure(INTRINSIC_FAILURE, cause)

        return decided


def _unless_same(values: Any, constants: Any) -> Any:
    """The written value itself where compiling changed nothing in it."""
    made = zip(values, constants, strict=True) if isinstance(values, list) else None
    if made is not None:
        return values if all(left is right for left, right in made) else constants
    unchanged = all(key in constants and constants[key] is value for key, value in values.items())
    return values if unchanged else constants


def _unusable(pointer: str, message: str, help: str = "") -> CompileProblem:
    return CompileProblem("function", pointer, message, help)
