"""`@activity`: marks a function as an activity. It registers nothing and changes nothing else about the function.

`stepwell_activities.registry.discover` finds what is marked, in the modules that the settings name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, overload

from stepwell_schemas.durations import duration_ms

MARK = "__stepwell_activity__"
Function = TypeVar("Function", bound=Callable[..., Any])
Limit = str | float | timedelta


@dataclass(frozen=True, slots=True)
class ActivityOptions:
    """What the decorator was given. Times in seconds; `name` None takes the function's."""

    name: str | None = None
    compensates: str | None = None
    timeout_seconds: float | None = None
    heartbeat_seconds: float | None = None
    retry: Mapping[str, Any] | None = None
    queue: str = "default"
    description: str | None = None


@overload
def activity(name: Function, /) -> Function: ...


@overload
def activity(
    name: str | None = None,
    /,
    *,
    compensates: str | None = None,
    timeout: Limit | None = None,
    heartbeat: Limit | None = None,
    retry: Mapping[str, Any] | None = None,
    queue: str = "default",
    description: str | None = None,
) -> Callable[[Function], Function]: ...


@overload
def activity(
    *,
    name: str,
    compensates: str | None = None,
    timeout: Limit | None = None,
    heartbeat: Limit | None = None,
    retry: Mapping[str, Any] | None = None,
    queue: str = "default",
    description: str | None = None,
) -> Callable[[Function], Function]: ...


def activity(
    name: Any = None,
    *,
    compensates: str | None = None,
    timeout: Limit | None = None,
    heartbeat: Limit | None = None,
    retry: Mapping[str, Any] | None = None,
    queue: str = "default",
    description: str | None = None,
) -> Any:
    """Offer a function (sync or async) to workflows as the activity `name`, by default the function's name.

    `compensates` names the activity that this one undoes. `timeout` and `heartbeat` are seconds, a timedelta or
    ISO 8601 (`PT5M`); `retry` is a policy as in a workflow (`{"maxAttempts": 3, "initialInterval": "PT2S"}`): both
    are defaults for tasks that say nothing themselves. `description` is by default the docstring's first paragraph.
    """
    if callable(name):
        return _mark(name, ActivityOptions())
    options = ActivityOptions(
        name=name,
        compensates=compensates,
        timeout_seconds=_seconds("timeout", timeout),
        heartbeat_seconds=_seconds("heartbeat", heartbeat),
        retry=None if retry is None else dict(retry),
        queue=queue,
        description=description,
    )

    def mark(function: Function) -> Function:
        return _mark(function, options)

    return mark


def options_of(candidate: object) -> ActivityOptions | None:
    """What a function was marked with; None where it was not."""
    found = getattr(candidate, MARK, None)
    return found if isinstance(found, ActivityOptions) else None


def _mark(function: Function, options: ActivityOptions) -> Function:
    if isinstance(function, staticmethod | classmethod | type) or not callable(function):
        raise TypeError(f"@activity marks functions, not {function!r}")
    setattr(function, MARK, options)
    return function


def _seconds(what: str, limit: Limit | None) -> float | None:
    if limit is None:
        return None
    try:
        milliseconds = duration_ms(limit.total_seconds() if isinstance(limit, timedelta) else limit)
    except ValueError as error:
        raise ValueError(f"@activity {what}: {error}") from None
    if milliseconds == 0:
        raise ValueError(f"@activity {what}: must be more than zero")
    return milliseconds / 1000
