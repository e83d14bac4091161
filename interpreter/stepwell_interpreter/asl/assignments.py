"""`Assign`: new values of variables, all evaluated before any takes effect, within AWS's limits of names and size."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from stepwell_interpreter.asl.payload import compile_payload
from stepwell_interpreter.asl.scope import AslScope
from stepwell_interpreter.asl.syntax import JSONPATH, AslSyntax, Language
from stepwell_interpreter.failures import DATA_LIMIT_EXCEEDED, RUNTIME, pointer_to

LONGEST_NAME: Final = 80
MOST_BYTES: Final = 262_144
"""Of one variable, and of all that one Assign sets: 256 KiB each."""

RESERVED: Final = "states"

_NAME: Final = re.compile(r"[^\W\d]\w*")


def compile_assign(
    template: Any, language: Language, field: str = "Assign"
) -> Callable[[AslScope], dict[str, Any]]:
    """The variables that a template sets. Raises AslSyntax where it is no object or a name is not allowed;
    evaluation raises States.DataLimitExceeded beyond `MOST_BYTES`."""
    if not isinstance(template, Mapping):
        raise AslSyntax(f"The value of the field '{field}' must be an object")
    for written in template:
        name = written[:-2] if language == JSONPATH and written.endswith(".$") else written
        _check_name(name, pointer_to("", written))
    evaluate = compile_payload(dict(template), field, language)

    def assign(scope: AslScope) -> dict[str, Any]:
        values: dict[str, Any] = dict(evaluate(scope))
        _check_size(values, field, scope)
        return values

    return assign if template else _nothing


def _nothing(scope: AslScope) -> dict[str, Any]:
    return {}


def _check_name(name: str, pointer: str) -> None:
    if name == RESERVED:
        raise AslSyntax(f"The variable name '{RESERVED}' is reserved", pointer)
    if _NAME.fullmatch(name) is None:
        raise AslSyntax(
            f"The variable name '{name[:100]}' is not valid: it must start with a letter or _, and go on with "
            "letters, digits and _",
            pointer,
        )
    if len(name) > LONGEST_NAME:
        raise AslSyntax(f"A variable name is at most {LONGEST_NAME} characters long", pointer)


def _check_size(values: dict[str, Any], field: str, scope: AslScope) -> None:
    try:
        size = len(orjson.dumps(values))
    except orjson.JSONEncodeError as error:
        raise scope.failure(RUNTIME, f"The field '{field}' cannot be written as JSON: {error}") from error
    if size > MOST_BYTES:
        raise scope.failure(
            DATA_LIMIT_EXCEEDED,
            f"The variables assigned by the field '{field}' exceed the limit of {MOST_BYTES} bytes.",
        )
