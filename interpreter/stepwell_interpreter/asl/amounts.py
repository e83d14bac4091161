"""Numbers that a state's fields give when it runs: seconds, moments, limits; what is none fails as AWS says it."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from stepwell_interpreter.asl.expressions import (
    Evaluate,
    Language,
    compile_path,
    compile_value,
    parse_timestamp,
)
from stepwell_interpreter.asl.scope import AslFailure, AslScope
from stepwell_interpreter.failures import QUERY_EVALUATION_ERROR, RUNTIME
from stepwell_interpreter.program import Milliseconds
from stepwell_interpreter.values import is_number

Number = Callable[[AslScope], float]
LONGEST_SECONDS: Final = 99_999_999
"""AWS's limit of every field in seconds; much more would be no moment of a calendar."""


def wait_seconds(evaluate: Evaluate, field: str, path: str | None = None, *, least: int = 0) -> Milliseconds:
    """How long a Wait waits. Only whole seconds count, as AWS has it."""

    def milliseconds(scope: AslScope) -> int:
        value = evaluate(scope)
        if not is_number(value) or value < least or value == float("inf") or value != int(value):
            raise _wrong(scope, field, path, value, "expects a positive integer")
        if value > LONGEST_SECONDS:
            raise _wrong(scope, field, path, value, f"expects at most {LONGEST_SECONDS}")
        return int(value) * 1_000

    return milliseconds


def wait_moment(evaluate: Evaluate, field: str, path: str | None = None) -> Milliseconds:
    """Until when a Wait waits."""

    def moment(scope: AslScope) -> int:
        value = evaluate(scope)
        found = parse_timestamp(value) if isinstance(value, str) else None
        if found is None:
            what = "does not reference a valid ISO-8601 extended offset date-time format string"
            raise _wrong(scope, field, path, value, what)
        return found

    return moment


def seconds_of(state: Mapping[str, Any], field: str, language: Language) -> Milliseconds | None:
    """`TimeoutSeconds`, `TimeoutSecondsPath` and their like, from 1 on; None where the state has neither."""
    if f"{field}Path" in state:
        path = state[f"{field}Path"]
        return wait_seconds(compile_path(path, f"{field}Path"), f"{field}Path", path, least=1)
    if field in state:
        return wait_seconds(compile_value(state[field], field, language, ["integer"]), field, least=1)
    return None


def number_of(
    holder: Mapping[str, Any],
    field: str,
    language: Language,
    *,
    whole: bool = True,
    most: float | None = None,
    error: str = RUNTIME,
) -> Number | None:
    """A number from 0 on of a field or of its `Path` twin, which fails by `error`; None where there is neither."""
    path: str | None = holder.get(f"{field}Path")
    if path is not None:
        evaluate = compile_path(path, f"{field}Path")
    elif field in holder:
        evaluate = compile_value(holder[field], field, language, ["integer" if whole else "number"])
    else:
        return None
    kind = "integer" if whole else "float"

    def number(scope: AslScope) -> float:
        value = evaluate(scope)
        problem = None
        if not is_number(value) or (whole and value != int(value)):
            problem = (
                f'The {field}Path field refers to value "{_shown(value)}" which is not a valid {kind}: {path}'
            )
        elif most is not None and not 0 <= value <= most:
            problem = f"{field} must be between 0 and {most:g}."
        elif value < 0:
            problem = f"Expected non-negative {kind} for {field}, but got '{_shown(value)}' instead."
        if problem is None:
            return float(value)
        if path is not None:
            raise AslFailure(error, problem)
        raise scope.failure(QUERY_EVALUATION_ERROR, problem, location=field, evaluation=True)

    return number


def _wrong(scope: AslScope, field: str, path: str | None, value: Any, what: str) -> Exception:
    if path is not None:
        return scope.failure(RUNTIME, f"The {field} parameter {what}: {path} == {_shown(value)}")
    text = f"The field '{field}' {what}, but was: {_shown(value)}"
    return scope.failure(QUERY_EVALUATION_ERROR, text, location=field, evaluation=True)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
