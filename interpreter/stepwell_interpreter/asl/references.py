"""What expressions refer to, and what is wrong with them: for the validator and the description of a definition."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from stepwell_interpreter.asl.intrinsic_syntax import Call, parse_intrinsic
from stepwell_interpreter.asl.intrinsics import compile_intrinsic, intrinsic_or_path
from stepwell_interpreter.asl.jsonata_functions import function_names
from stepwell_interpreter.asl.jsonata_syntax import (
    inner_text,
    is_jsonata,
    parse_jsonata,
    unsupported_reference,
)
from stepwell_interpreter.asl.path_syntax import (
    Both,
    Comparison,
    Condition,
    Either,
    Exists,
    Filter,
    Negated,
    Query,
    parse_path,
)
from stepwell_interpreter.asl.paths import reference_members
from stepwell_interpreter.asl.syntax import JSONATA, AslSyntax, Language

Kind = Literal["path", "referencePath", "intrinsic", "payload", "jsonata"]

_TEMPLATES: Final = frozenset(
    {"Parameters", "ResultSelector", "ItemSelector", "BatchInput", "Assign", "Credentials"}
)
_NOT_READ: Final = frozenset({"ItemProcessor", "Iterator", "Branches", "Result", "Comment", "ResultPath"})


def referenced_variables(value: Any, language: Language, *, template: bool = False) -> set[str]:
    """The variables a value refers to: a text is an expression, a list or object a state, one of its fields, or
    a choice rule; inner machines are left out. With `template` an object is a payload template, of which
    only `.$` members are expressions. Malformed expressions refer to nothing."""
    if language == JSONATA:
        return set(_jsonata_names(value))
    if isinstance(value, str):
        return set(_expression_names(value))
    return set(_jsonpath_names(value, template))


def syntax_problem(text: str, kind: Kind, language: Language) -> str | None:
    """AWS's message for a malformed expression, or None. A "jsonata" text is with its `{% %}`."""
    problem = expression_problem(text, kind, language)
    return None if problem is None else problem.message


def expression_problem(text: str, kind: Kind, language: Language) -> AslSyntax | None:
    """Like `syntax_problem`, with AWS's code too."""
    try:
        if kind == "jsonata" or language == JSONATA:
            return unsupported_reference(parse_jsonata(inner_text(text))) if is_jsonata(text) else None
        if kind == "intrinsic" or (kind == "payload" and intrinsic_or_path(text) == "intrinsic"):
            compile_intrinsic(text)
        elif kind == "referencePath":
            reference_members(text)
        else:
            parse_path(text)
    except AslSyntax as problem:
        return problem
    return None


def _jsonata_names(value: Any) -> Iterator[str]:
    if is_jsonata(value):
        try:
            parsed = parse_jsonata(inner_text(value))
        except AslSyntax:
            return
        yield from parsed.variables - {"states"} - function_names()
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            if name not in _NOT_READ:
                yield from _jsonata_names(inner)
    elif isinstance(value, list):
        for item in value:
            yield from _jsonata_names(item)


def _jsonpath_names(value: Any, template: bool) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _jsonpath_names(item, template)
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            if name.endswith(".$") or (not template and (name == "Variable" or name.endswith("Path"))):
                yield from _expression_names(inner)
            elif template or name not in _NOT_READ:
                yield from _jsonpath_names(inner, template or name in _TEMPLATES)


def _expression_names(text: Any) -> Iterator[str]:
    if not isinstance(text, str):
        return
    try:
        if intrinsic_or_path(text) == "intrinsic":
            yield from _call_names(parse_intrinsic(text))
        elif text.startswith("$"):
            yield from _query_names(parse_path(text))
    except AslSyntax:
        return


def _call_names(call: Call) -> Iterator[str]:
    for argument in call.arguments:
        if isinstance(argument, Call):
            yield from _call_names(argument)
        elif isinstance(argument, Query):
            yield from _query_names(argument)


def _query_names(query: Query) -> Iterator[str]:
    if query.root.startswith("$") and query.root not in ("$", "$$"):
        yield query.root[1:]
    for segment in query.segments:
        if isinstance(segment, Filter):
            yield from _condition_names(segment.condition)


def _condition_names(condition: Condition) -> Iterator[str]:
    match condition:
        case Both(parts) | Either(parts):
            for part in parts:
                yield from _condition_names(part)
        case Negated(part):
            yield from _condition_names(part)
        case Exists(query):
            yield from _query_names(query)
        case Comparison(left, _, right):
            for side in (left, right):
                if isinstance(side, Query):
                    yield from _query_names(side)
