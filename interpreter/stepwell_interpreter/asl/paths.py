"""The path fields of a state: reading (`InputPath`, `ItemsPath`, `SecondsPath` ...) and writing (`ResultPath`).

A definite path that leads to nothing fails in AWS's words for its field; an indefinite one gives a list.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from stepwell_interpreter.asl.intrinsics import compile_intrinsic, intrinsic_or_path
from stepwell_interpreter.asl.path_finders import Finder, compile_finder, root_value
from stepwell_interpreter.asl.path_queries import Member, find_members, why_not_found
from stepwell_interpreter.asl.path_syntax import Indices, Names, parse_path, refused
from stepwell_interpreter.asl.scope import AslFailure, AslScope
from stepwell_interpreter.asl.syntax import AslSyntax, Evaluate
from stepwell_interpreter.asl.values import shown
from stepwell_interpreter.failures import RESULT_PATH_MATCH_FAILURE, RUNTIME
from stepwell_interpreter.scope import MISSING

WAIT_PATHS: Final = frozenset({"SecondsPath", "TimestampPath"})
INTRINSIC_PATHS: Final = frozenset({"ErrorPath", "CausePath"})

MOST_REFERENCE_MEMBERS: Final = 64

Combine = Callable[[AslScope, Any, Any], Any]


def compile_path(text: str, field: str) -> Evaluate:
    """`$`, `$.x`, `$$...`, `$variable...`, or where AWS allows it an intrinsic function.

    `field` is AWS's name of the field, for causes: "InputPath", "SecondsPath", "Variable", "x.$". Raises
    AslSyntax; evaluation raises States.Runtime where a definite path leads to nothing.
    """
    in_template = field.endswith(".$")
    if intrinsic_or_path(text) == "intrinsic":
        if in_template or field in INTRINSIC_PATHS:
            return compile_intrinsic(text)
        raise refused(text)
    finder = compile_finder(text)
    find = finder.find
    miss = _payload_miss if in_template else _MISSES.get(field, _invalid_path)

    def evaluate(scope: AslScope) -> Any:
        value = find(scope)
        if value is MISSING:
            raise miss(finder, field, scope)
        return value

    return evaluate


def compile_input_path(text: str | None) -> Evaluate:
    """`InputPath`; null gives {}."""
    return _no_data if text is None else compile_path(text, "InputPath")


def compile_output_path(text: str | None) -> Evaluate:
    """`OutputPath`; null gives {}. Here `scope.data` is what `ResultPath` has made."""
    return _no_data if text is None else compile_path(text, "OutputPath")


def compile_result_path(text: str | None) -> Combine:
    """`ResultPath`: from the state's input and its result to the combined value; null keeps the input.

    Neither is changed: what is on the path is copied, the rest is shared. Missing parents are made. Raises
    States.ResultPathMatchFailure where something on the way is no object or an element is not there.
    """
    if text is None:
        return lambda scope, data, result: data
    members = reference_members(text)
    if not members:
        return lambda scope, data, result: result

    def combine(scope: AslScope, data: Any, result: Any) -> Any:
        combined = _written(data, members, result)
        if combined is MISSING:
            raise scope.failure(
                RESULT_PATH_MATCH_FAILURE, f"Unable to apply ReferencePath {text} to input {shown(data)}"
            )
        return combined

    return combine


def reference_members(text: str) -> tuple[Member, ...]:
    """The members of a reference path of the data (`ResultPath`). Raises AslSyntax."""
    query = parse_path(text)
    plain = all(isinstance(segment, Names | Indices) for segment in query.segments)
    if query.root != "$" or not plain or not query.definite:
        raise AslSyntax(f"The value '{text}' is not a valid Reference Path")
    if len(query.segments) > MOST_REFERENCE_MEMBERS:
        raise AslSyntax(f"A Reference Path has at most {MOST_REFERENCE_MEMBERS} members")
    return query.members


def _no_data(scope: AslScope) -> Any:
    return {}


def _written(document: Any, members: tuple[Member, ...], value: Any) -> Any:
    """A copy of the document with the value at the members, or MISSING where the members do not fit."""
    member, *others = members
    if isinstance(member, str):
        if not isinstance(document, Mapping):
            return MISSING
        inner = document.get(member, MISSING)
    else:
        inner = find_members(document, (member,))
        if inner is MISSING:
            return MISSING
    if others:
        inner = {} if inner is MISSING else inner
        value = _written(inner, tuple(others), value)
        if value is MISSING:
            return MISSING
    copy: Any = dict(document) if isinstance(member, str) else list(document)
    copy[member] = value
    return copy


def _payload_miss(finder: Finder, field: str, scope: AslScope) -> AslFailure:
    text = finder.query.text
    return scope.failure(
        RUNTIME,
        f"The JSONPath '{text}' specified for the field '{field}' could not be found in the input "
        f"'{finder.searched(scope)}'",
    )


def _wait_miss(finder: Finder, field: str, scope: AslScope) -> AslFailure:
    return scope.failure(
        RUNTIME, f"The {field} parameter does not reference an input value: {finder.query.text}"
    )


def _choice_miss(finder: Finder, field: str, scope: AslScope) -> AslFailure:
    return scope.failure(
        RUNTIME,
        f"Invalid path '{finder.query.text}': The choice state's condition path references an invalid value.",
    )


def _invalid_path(finder: Finder, field: str, scope: AslScope) -> AslFailure:
    start = root_value(scope, finder.query.root)
    return scope.failure(
        RUNTIME, f"Invalid path '{finder.query.text}' : {why_not_found(finder.query, start)}"
    )


_MISSES: Final[dict[str, Callable[[Finder, str, AslScope], AslFailure]]] = {
    "SecondsPath": _wait_miss,
    "TimestampPath": _wait_miss,
    "Variable": _choice_miss,
}
