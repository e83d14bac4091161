"""Whether a mocked result looks like what the called service answers, for the services this engine stands in for.

Fields and types are those of https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html and
https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from stepwell_interpreter.program import Step, TaskStep

FieldValidation = Literal["STRICT", "PRESENT", "NONE"]
MODES: Final = ("STRICT", "PRESENT", "NONE")

_TYPES: Final[dict[str, type | tuple[type, ...]]] = {"string": str, "number": (int, float)}


@dataclass(frozen=True, slots=True)
class _Answer:
    """The fields of a service's answer by type, and those it always has."""

    fields: Mapping[str, str]
    required: tuple[str, ...] = ()


_ANSWERS: Final[dict[str, _Answer]] = {
    "lambda:invoke": _Answer(
        {
            "StatusCode": "number",
            "FunctionError": "string",
            "LogResult": "string",
            "ExecutedVersion": "string",
        }
    ),
    "states:startExecution": _Answer(
        {"ExecutionArn": "string", "StartDate": "string"}, ("ExecutionArn", "StartDate")
    ),
}


def mock_problem(step: Step, result: Any, mode: FieldValidation) -> str | None:
    """What keeps a result from being the service's answer; None where nothing does, or nothing is known of it.

    STRICT wants all required fields, PRESENT looks at those that are there, NONE at nothing.
    """
    answer = _answer_of(step)
    if answer is None or mode == "NONE" or not isinstance(result, Mapping):
        return None
    if mode == "STRICT":
        for name in answer.required:
            if name not in result:
                return f"Required field '{name}' is missing"
    for name, kind in answer.fields.items():
        value = result.get(name)
        if name in result and (isinstance(value, bool) or not isinstance(value, _TYPES[kind])):
            return f"Field '{name}' must be a {kind}"
    return None


def _answer_of(step: Step) -> _Answer | None:
    """A task that waits for more than the service's own answer may get anything."""
    if not isinstance(step, TaskStep) or step.call is None or step.callback or step.submits:
        return None
    return _ANSWERS.get(step.call.integration or "")
