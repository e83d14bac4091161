"""The rules of Retry and Catch."""

from typing import Any

from stepwell_interpreter.asl.syntax import JSONATA
from stepwell_interpreter.asl.validate_fields import (
    MAX_SECONDS,
    Place,
    Rule,
    anything,
    assignment,
    number,
    one_of,
    result_path,
    structure,
    template,
    text,
)

MAX_DELAY_SECONDS = 31_622_400

_RETRIER: dict[str, Rule] = {
    "ErrorEquals": anything,
    "IntervalSeconds": number(1, MAX_SECONDS, exact=True),
    "MaxAttempts": number(0, MAX_SECONDS, exact=True),
    "BackoffRate": number(1, None, integral=False, exact=True),
    "MaxDelaySeconds": number(1, MAX_DELAY_SECONDS - 1, exact=True),
    "JitterStrategy": one_of("JitterStrategy", ("FULL", "NONE")),
    "Comment": text,
}
_CATCHER: dict[str, Rule] = {
    "ErrorEquals": anything,
    "Next": text,
    "ResultPath": result_path,
    "Output": template,
    "Assign": assignment,
    "Comment": text,
}
_ONE_LANGUAGE = {"ResultPath": "JSONPath", "Output": "JSONata"}


def check_retry(value: Any, place: Place) -> None:
    """A list of retriers."""
    _check_list(value, place, _RETRIER, ("ErrorEquals",))


def check_catch(value: Any, place: Place) -> None:
    """A list of catchers."""
    _check_list(value, place, _CATCHER, ("Next", "ErrorEquals"))


def _check_list(value: Any, place: Place, rules: dict[str, Rule], required: tuple[str, ...]) -> None:
    if not isinstance(value, list):
        place.error("Expected value of type Array")
        return
    for index, item in enumerate(value):
        here = place.at(index)
        if not structure(item, here):
            continue
        check_required(item, required, here)
        for field, inner in item.items():
            rule = rules.get(field)
            if rule is None:
                here.error(f"Field '{field}' is not supported")
            elif check_language(field, _ONE_LANGUAGE.get(field), here):
                rule(inner, here.at(field))
        if "ErrorEquals" in item:
            _check_names(item["ErrorEquals"], here.at("ErrorEquals"), last=index == len(value) - 1)


def check_required(value: Any, fields: tuple[str, ...], place: Place) -> None:
    """Notes the fields that must be there and are not, as one finding."""
    missing = [field for field in fields if field not in value]
    if missing:
        place.error(f"These fields are required: [{', '.join(missing)}]")


def check_language(field: str, only: str | None, place: Place) -> bool:
    """Whether a field that only one query language has is used in it."""
    if only is None or only == place.language:
        return True
    place.error(
        f"The QueryLanguage is set to '{place.language}', but field '{field}' is only supported for the '{only}' "
        f"QueryLanguage",
        f"use {JSONATA} fields such as Arguments and Output" if place.language == JSONATA else "",
    )
    return False


def _check_names(value: Any, place: Place, *, last: bool) -> None:
    if not isinstance(value, list):
        place.error("Expected value of type Array")
        return
    if not value:
        place.error("Array must not be empty")
    for index, name in enumerate(value):
        if not isinstance(name, str):
            place.at(index).error("Expected value of type String")
        elif name == "States.ALL" and not (last and len(value) == 1):
            place.at(index).error("States.ALL must appear alone and at end of list")
