"""Choice rules compiled to closures: every operator of the specification, `And`, `Or`, `Not`, JSONata's `Condition`.

A comparison of values of other kinds than its operator's is false, never a failure. Only a `Variable` (or the
path on the right) that leads to nothing fails.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from stepwell_interpreter.asl.choice_operators import COMPARISONS, TESTS, literal_problem, string_matcher
from stepwell_interpreter.asl.jsonata import compile_jsonata, is_jsonata, unexpected_result
from stepwell_interpreter.asl.path_finders import compile_finder
from stepwell_interpreter.asl.paths import compile_path
from stepwell_interpreter.asl.scope import AslScope
from stepwell_interpreter.asl.syntax import JSONATA, AslSyntax, Language
from stepwell_interpreter.failures import did_you_mean, pointer_to
from stepwell_interpreter.scope import MISSING

Rule = Callable[[AslScope], bool]

DEEPEST_RULE: Final = 20

_COMBINATIONS: Final = ("And", "Or", "Not")
_NO_OPERATORS: Final = frozenset({"Variable", "Next", "Comment", "Assign", "Output"})
_PATH: Final = "Path"


def compile_choice_rule(rule: Mapping[str, Any], language: Language, pointer: str = "") -> Rule:
    """Whether a rule of `Choices` holds; its `Next`, `Assign`, `Output` and `Comment` are the caller's.

    `pointer` is where the rule stands ("/Choices/0"): refusals begin with it, and JSONata's location is made of
    it ("Choices[0]/Condition"). Raises AslSyntax.
    """
    try:
        if language == JSONATA:
            return _condition(rule, f"{_place(pointer)}/Condition")
        return _rule(rule, "", 0)
    except AslSyntax as problem:
        raise problem.below(pointer) from problem


def operator_of(rule: Mapping[str, Any]) -> str:
    """The operator of a JSONPath rule. Raises AslSyntax where there is none, or more than one."""
    found = [name for name in rule if name in _OPERATORS]
    if len(found) == 1:
        return found[0]
    if found:
        raise AslSyntax(f"These fields cannot be specified together: [{', '.join(found)}]")
    unknown = [name for name in rule if name not in _NO_OPERATORS]
    if unknown:
        hint = did_you_mean(unknown[0], _OPERATORS)
        raise AslSyntax(f"Field '{unknown[0]}' is not supported", detail=hint)
    raise AslSyntax("A choice rule must have a comparison operator")


def _rule(rule: Any, pointer: str, depth: int) -> Rule:
    if not isinstance(rule, Mapping):
        raise AslSyntax("A choice rule must be an object", pointer)
    if depth > DEEPEST_RULE:
        raise AslSyntax(f"A choice rule nests at most {DEEPEST_RULE} deep", pointer)
    try:
        operator = operator_of(rule)
    except AslSyntax as problem:
        raise problem.below(pointer) from problem
    if operator in _COMBINATIONS:
        return _combined(operator, rule[operator], pointer_to(pointer, operator), depth)
    if not isinstance(rule.get("Variable"), str):
        raise AslSyntax("These fields are required: [Variable]", pointer)
    try:
        return _comparison(rule["Variable"], operator, rule[operator])
    except AslSyntax as problem:
        raise problem.below(pointer) from problem


def _combined(operator: str, value: Any, pointer: str, depth: int) -> Rule:
    if operator == "Not":
        negated = _rule(value, pointer, depth + 1)
        return lambda scope: not negated(scope)
    if not isinstance(value, list) or not value:
        raise AslSyntax(f"The value of the field '{operator}' must be a non-empty array", pointer)
    rules = [_rule(inner, pointer_to(pointer, place), depth + 1) for place, inner in enumerate(value)]
    if operator == "And":
        return lambda scope: all(rule(scope) for rule in rules)
    return lambda scope: any(rule(scope) for rule in rules)


def _comparison(variable: str, operator: str, value: Any) -> Rule:
    if operator == "IsPresent":
        return _present(variable, value)
    left = compile_path(variable, "Variable")
    if operator in TESTS:
        test, wanted = TESTS[operator], _boolean(operator, value)
        return lambda scope: test(left(scope)) is wanted
    if operator == "StringMatches":
        _check_literal(operator, value)
        matches = string_matcher(value)
        return lambda scope: matches(left(scope))
    if operator.endswith(_PATH):
        if not isinstance(value, str):
            raise AslSyntax(f"The value of the field '{operator}' must be a valid JSONPath", f"/{operator}")
        compare, right = COMPARISONS[operator.removesuffix(_PATH)], compile_path(value, "Variable")
        return lambda scope: compare(left(scope), right(scope))
    _check_literal(operator, value)
    compare = COMPARISONS[operator]
    return lambda scope: compare(left(scope), value)


def _present(variable: str, value: Any) -> Rule:
    finder, wanted = compile_finder(variable), _boolean("IsPresent", value)
    find, definite = finder.find, finder.query.definite

    def present(scope: AslScope) -> bool:
        found = find(scope)
        there = found is not MISSING and (definite or bool(found))
        return there is wanted

    return present


def _boolean(operator: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise AslSyntax("Expected value of type Boolean", f"/{operator}")
    return value


def _check_literal(operator: str, value: Any) -> None:
    problem = literal_problem(operator, value)
    if problem:
        raise AslSyntax(problem, f"/{operator}")


def _condition(rule: Mapping[str, Any], location: str) -> Rule:
    if "Condition" not in rule:
        raise AslSyntax("These fields are required: [Condition]")
    value = rule["Condition"]
    if isinstance(value, bool):
        return lambda scope: value
    if not is_jsonata(value):
        raise AslSyntax(
            "The value of the field 'Condition' must be a boolean or a JSONata expression", "/Condition"
        )
    try:
        evaluate = compile_jsonata(value, location)
    except AslSyntax as problem:
        raise problem.below("/Condition") from problem

    def holds(scope: AslScope) -> bool:
        result = evaluate(scope)
        if not isinstance(result, bool):
            raise unexpected_result(scope, value, location, "boolean", result)
        return result

    return holds


def _place(pointer: str) -> str:
    """`Choices[0]` for `/Choices/0`."""
    *names, index = pointer.strip("/").split("/") if pointer.strip("/") else ["Choices", "0"]
    return f"{'/'.join(names)}[{index}]" if index.isdigit() else "/".join([*names, index])


_OPERATORS: Final = (
    *_COMBINATIONS,
    "IsPresent",
    *TESTS,
    "StringMatches",
    *COMPARISONS,
    *(f"{name}{_PATH}" for name in COMPARISONS),
)
