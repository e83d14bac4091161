"""What may be given to a state under test, and the refusals in AWS's words where it may not.

https://docs.aws.amazon.com/step-functions/latest/apireference/API_TestState.html
"""

from collections.abc import Mapping
from typing import Any, Final

from stepwell_interpreter.program import MapStep, ParallelStep, Step, TaskStep
from stepwell_interpreter.simulation.errors import SimulationError
from stepwell_interpreter.simulation.outcomes import Outcome

CONFIGURATION: Final = (
    "retrierRetryCount",
    "mapIterationFailureCount",
    "errorCausedByState",
    "mapItemReaderData",
)
_TEXT: Final = "a string"
_NUMBER: Final = "a number"
_OBJECT: Final = "an object"
_CONTEXT: Final[dict[str, dict[str, str]]] = {
    "Execution": {
        "Id": _TEXT,
        "Input": "",
        "Name": _TEXT,
        "RoleArn": _TEXT,
        "StartTime": _TEXT,
        "RedriveCount": _NUMBER,
        "RedriveTime": _TEXT,
    },
    "State": {"EnteredTime": _TEXT, "Name": _TEXT, "RetryCount": _NUMBER},
    "StateMachine": {"Id": _TEXT, "Name": _TEXT},
    "Task": {"Token": _TEXT},
}
_KINDS: Final[dict[str, type | tuple[type, ...]]] = {_TEXT: str, _NUMBER: (int, float), _OBJECT: Mapping}


class StateRefused(SimulationError):
    """A state cannot be tested as asked. `error` and `message` are those of AWS's TestState."""

    def __init__(self, message: str, error: str = "ValidationException") -> None:
        super().__init__(f"{error}: {message}")
        self.error = error
        self.message = message


def check_mock(step: Step, outcome: Outcome | None, configuration: Mapping[str, Any]) -> None:
    """Whether an ASL state takes this outcome. Raises StateRefused."""
    if outcome is None:
        if "mapIterationFailureCount" in configuration:
            raise StateRefused(
                "TestState does not support MapIterationFailureCount when a mock is not specified."
            )
        return
    if not isinstance(step, TaskStep | ParallelStep | MapStep):
        raise StateRefused(f"State type '{step.word}' is not supported when a mock is specified")
    well = not outcome.fails and not outcome.timed_out
    if well and isinstance(step, ParallelStep | MapStep) and not isinstance(outcome.output, list):
        raise StateRefused("Mocked result must be an array.")
    if well and isinstance(outcome.output, list):
        check_iterations(configuration, len(outcome.output))


def check_iterations(configuration: Mapping[str, Any], count: int) -> None:
    """Whether so many iterations of a Map can have failed. Raises StateRefused."""
    failed = configuration.get("mapIterationFailureCount")
    if isinstance(failed, int) and failed > count:
        message = "Map iteration failure count must be less than or equal to the number of Map iterations"
        raise StateRefused(message)


def check_context(context: Mapping[str, Any]) -> None:
    """Whether a context object can be put in place of the real one. Raises StateRefused."""
    for name, value in context.items():
        if name == "Map":
            raise _wrong("'Map' field is not supported when mocking a Context object")
        if name not in _CONTEXT:
            raise _wrong(f"Field '{name}' is not allowed")
        _require(name, value, _OBJECT)
        for key, part in value.items():
            if key not in _CONTEXT[name]:
                raise _wrong(f"Field '{key}' is not allowed")
            _require(f"{name}.{key}", part, _CONTEXT[name][key])


def _require(name: str, value: Any, kind: str) -> None:
    if kind and (isinstance(value, bool) or not isinstance(value, _KINDS[kind])):
        raise _wrong(f"{name} must be {kind}")


def _wrong(message: str) -> StateRefused:
    return StateRefused(f"Invalid Context object provided: {message}")
