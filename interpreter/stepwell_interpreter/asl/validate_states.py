"""Which fields each state type has, in which query language, and the rule of each; the fields that go together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from stepwell_interpreter.asl.syntax import JSONATA, JSONPATH
from stepwell_interpreter.asl.validate_choice import check_choices
from stepwell_interpreter.asl.validate_errors import check_catch, check_language, check_required, check_retry
from stepwell_interpreter.asl.validate_fields import (
    MAX_SECONDS,
    Place,
    Rule,
    anything,
    assignment,
    boolean,
    context_or_reference,
    expression,
    is_expression,
    json_path,
    number,
    one_of,
    reference_or_intrinsic,
    reference_path,
    result_path,
    template,
    text,
    text_or_expression,
    timestamp,
)

TYPES: Final = ("Task", "Wait", "Pass", "Succeed", "Fail", "Choice", "Parallel", "Map")
LANGUAGES: Final = (JSONPATH, JSONATA)


@dataclass(frozen=True, slots=True)
class Field:
    """A field's rule, and the one language that has it (None: both)."""

    rule: Rule
    only: str | None = None


def _items(value: Any, place: Place) -> None:
    """A list of templates, or an expression that gives one."""
    if is_expression(value):
        expression(value, place)
    elif isinstance(value, list):
        template(value, place)
    else:
        place.error("Expected value of type Array")


_COMMON: dict[str, Field] = {
    "Type": Field(one_of("Type", TYPES)),
    "Comment": Field(text),
    "QueryLanguage": Field(one_of("QueryLanguage", LANGUAGES)),
}
_FLOW: dict[str, Field] = {"Next": Field(text), "End": Field(boolean)}
_PATHS: dict[str, Field] = {
    "InputPath": Field(json_path, JSONPATH),
    "OutputPath": Field(json_path, JSONPATH),
}
_OUTPUT: dict[str, Field] = {"Output": Field(template, JSONATA)}
_ASSIGN: dict[str, Field] = {"Assign": Field(assignment)}
_PARAMETERS: dict[str, Field] = {"Parameters": Field(template, JSONPATH)}
_ARGUMENTS: dict[str, Field] = {"Arguments": Field(template, JSONATA)}
_RESULT_PATH: dict[str, Field] = {"ResultPath": Field(result_path, JSONPATH)}
_RESULT: dict[str, Field] = {"ResultSelector": Field(template, JSONPATH), **_RESULT_PATH}
_ERRORS: dict[str, Field] = {"Retry": Field(check_retry), "Catch": Field(check_catch)}
_STEP = {**_COMMON, **_FLOW, **_PATHS, **_OUTPUT, **_ASSIGN}

FIELDS: Final[dict[str, dict[str, Field]]] = {
    "Task": {
        **_STEP, **_PARAMETERS, **_ARGUMENTS, **_RESULT, **_ERRORS,
        "Resource": Field(text),
        "Credentials": Field(template),
        "TimeoutSeconds": Field(number(1, MAX_SECONDS)),
        "TimeoutSecondsPath": Field(context_or_reference, JSONPATH),
        "HeartbeatSeconds": Field(number(1, MAX_SECONDS)),
        "HeartbeatSecondsPath": Field(context_or_reference, JSONPATH),
    },
    "Pass": {
        **_STEP, **_PARAMETERS, **_RESULT_PATH,
        "Result": Field(anything, JSONPATH),
    },
    "Wait": {
        **_STEP,
        "Seconds": Field(number(0, MAX_SECONDS)),
        "SecondsPath": Field(context_or_reference, JSONPATH),
        "Timestamp": Field(timestamp),
        "TimestampPath": Field(context_or_reference, JSONPATH),
    },
    "Choice": {
        **_COMMON, **_PATHS, **_OUTPUT, **_ASSIGN,
        "Choices": Field(check_choices),
        "Default": Field(text),
    },
    "Succeed": {**_COMMON, **_PATHS, **_OUTPUT},
    "Fail": {
        **_COMMON,
        "Error": Field(text_or_expression),
        "ErrorPath": Field(reference_or_intrinsic, JSONPATH),
        "Cause": Field(text_or_expression),
        "CausePath": Field(reference_or_intrinsic, JSONPATH),
    },
    "Parallel": {
        **_STEP, **_PARAMETERS, **_ARGUMENTS, **_RESULT, **_ERRORS,
        "Branches": Field(anything),
    },
    "Map": {
        **_STEP, **_PARAMETERS, **_RESULT, **_ERRORS,
        "ItemProcessor": Field(anything),
        "Iterator": Field(anything),
        "Items": Field(_items, JSONATA),
        "ItemsPath": Field(context_or_reference, JSONPATH),
        "ItemSelector": Field(template),
        "ItemReader": Field(anything),
        "ItemBatcher": Field(anything),
        "ResultWriter": Field(anything),
        "Label": Field(text),
        "MaxConcurrency": Field(number(0, MAX_SECONDS)),
        "MaxConcurrencyPath": Field(reference_path, JSONPATH),
        "ToleratedFailureCount": Field(number(0, MAX_SECONDS)),
        "ToleratedFailureCountPath": Field(reference_path, JSONPATH),
        "ToleratedFailurePercentage": Field(number(0, 100, integral=False)),
        "ToleratedFailurePercentagePath": Field(reference_path, JSONPATH),
    },
}  # fmt: skip

_REQUIRED: dict[str, tuple[str, ...]] = {
    "Task": ("Resource",),
    "Choice": ("Choices",),
    "Parallel": ("Branches",),
}
_EXCLUSIVE: tuple[tuple[str, ...], ...] = (
    ("TimeoutSeconds", "TimeoutSecondsPath"),
    ("HeartbeatSeconds", "HeartbeatSecondsPath"),
    ("Seconds", "SecondsPath", "Timestamp", "TimestampPath"),
    ("Error", "ErrorPath"),
    ("Cause", "CausePath"),
    ("ItemProcessor", "Iterator"),
    ("Parameters", "ItemSelector"),
    ("MaxConcurrency", "MaxConcurrencyPath"),
    ("ToleratedFailureCount", "ToleratedFailureCountPath"),
    ("ToleratedFailurePercentage", "ToleratedFailurePercentagePath"),
)
_WAITS = ("Seconds", "SecondsPath", "Timestamp", "TimestampPath")


def check_state(state: Mapping[str, Any], kind: str, place: Place) -> None:
    """A state's fields, without the machines inside it."""
    fields = FIELDS[kind]
    check_required(state, _REQUIRED.get(kind, ()), place)
    _check_flow(state, kind, place)
    for group in _EXCLUSIVE:
        check_exclusive(state, group, place)
    for name, value in state.items():
        field = fields.get(name)
        if field is None:
            place.error(f"Field '{name}' is not supported")
        elif check_language(name, field.only, place):
            field.rule(value, place.at(name))
    _check_heartbeat(state, place)


def check_exclusive(value: Mapping[str, Any], group: tuple[str, ...], place: Place) -> None:
    """Notes fields of which only one may be there."""
    given = [field for field in group if field in value]
    if len(given) > 1:
        place.error(f"There should only be one of the following fields: [{', '.join(given)}]")


def _check_flow(state: Mapping[str, Any], kind: str, place: Place) -> None:
    if "Next" in FIELDS[kind]:
        ends = state.get("End") is True
        if "Next" in state and ends:
            place.error("There should only be one of the following fields: [Next, End]")
        elif "Next" not in state and not ends:
            place.error("There should be one of the following fields: [Next, End]")
    if kind == "Wait" and not any(field in state for field in _WAITS):
        place.error(f"There should be one of the following fields: [{', '.join(_WAITS)}]")
    if kind == "Map" and "ItemProcessor" not in state and "Iterator" not in state:
        check_required(state, ("ItemProcessor",), place)


def _check_heartbeat(state: Mapping[str, Any], place: Place) -> None:
    heartbeat, timeout = state.get("HeartbeatSeconds"), state.get("TimeoutSeconds")
    if isinstance(heartbeat, int) and isinstance(timeout, int) and heartbeat >= timeout:
        place.at("HeartbeatSeconds").error("HeartbeatSeconds must be less than TimeoutSeconds")
