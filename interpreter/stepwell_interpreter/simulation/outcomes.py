"""Outcomes: what an attempt of a task comes to, as a value, and how one is read from what an author wrote."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from stepwell_schemas.durations import duration_ms

from stepwell_interpreter.failures import did_you_mean
from stepwell_interpreter.scope import MISSING
from stepwell_interpreter.simulation.errors import MockRefused

KEYS: Final = (
    "output", "error", "cause", "timed_out", "lost", "retryable", "submitted", "after", "iteration", "undo",
    "worker",
)  # fmt: skip
_ENDS: Final = ("output", "error", "timed_out", "lost")
_MAX_NAME: Final = 256

RECORDED: Final = frozenset(
    {
        "event", "resource", "resourceType", "region", "parameters", "input", "callback", "no_result",
        "heartbeatInSeconds", "timeoutInSeconds",
    }
)  # fmt: skip
"""What a recording of an execution says of an attempt beside its end; it is passed over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one attempt, child workflow or undo comes to. Without an error or a flag it succeeds with `output`.

    `after_ms` counts from the dispatch; until then the worker gives signs of life. `timed_out`: nobody answers and
    no sign of life comes. `lost`: the worker dies, and the same attempt is dispatched again. `submitted`: the
    answer of a callback task's body, before the outcome itself comes through its token.
    """

    output: Any = None
    error: str | None = None
    cause: str | None = None
    failed: bool = False
    """Failed without an error's name."""
    timed_out: bool = False
    lost: bool = False
    retryable: bool = True
    submitted: Any = MISSING
    after_ms: int = 0
    iteration: tuple[int, ...] | None = None
    """The map item it is for, or the items from the outermost map inwards; None: whichever comes."""
    undo: str | None = None
    """The task whose undo it is for; None: whichever comes."""
    worker: str = ""

    @property
    def fails(self) -> bool:
        """Whether it ends badly, with an error's name or without."""
        return self.failed or self.error is not None


def outcome_of(given: Any, where: str) -> Outcome:
    """The outcome of an object with `output`, `error` … as authors write it. Raises MockRefused, saying `where`."""
    if isinstance(given, Outcome):
        return given
    if not isinstance(given, Mapping):
        raise MockRefused(f'{where}: an outcome is an object such as {{"output": ...}}, not {_shown(given)}')
    for key in given:
        if key not in KEYS and key not in RECORDED:
            raise MockRefused(f"{where}: unknown key {key!r} in an outcome. {did_you_mean(str(key), KEYS)}")
    ends = [key for key in _ENDS if given.get(key, False) is not False]
    if len(ends) > 1 and ends != ["error", "timed_out"]:
        raise MockRefused(f"{where}: an outcome has one end, this one has {' and '.join(ends)}")
    silent = given.get("no_result") is True
    if not ends and not silent and "submitted" not in given:
        raise MockRefused(f"{where}: an outcome needs one of output, error, timed_out or lost")
    return Outcome(
        output=plain(given.get("output"), f"{where}: output"),
        error=_text(given, "error", where) if ends == ["error"] else None,
        cause=_text(given, "cause", where),
        timed_out=_flag(given, "timed_out", False, where) or not ends,
        lost=_flag(given, "lost", False, where),
        # A failure need not have a name: a callback can fail without one.
        failed=ends == ["error"] and given["error"] is None,
        retryable=_flag(given, "retryable", True, where),
        submitted=plain(given["submitted"], f"{where}: submitted") if "submitted" in given else MISSING,
        after_ms=_after(given, where),
        iteration=_iteration(given, where),
        undo=_text(given, "undo", where),
        worker=_text(given, "worker", where) or "",
    )


def failure_of(problem: Exception) -> Outcome:
    """The failure that an exception stands for: its class's name, or the error name it carries itself."""
    error = getattr(problem, "error", None)
    cause = getattr(problem, "cause", None)
    retryable = getattr(problem, "retryable", True)
    return Outcome(
        error=error if isinstance(error, str) and error else type(problem).__name__,
        cause=cause if isinstance(cause, str) else str(problem),
        retryable=retryable if isinstance(retryable, bool) else True,
    )


def plain(value: Any, where: str) -> Any:
    """A copy of a value as JSON has it, so that nothing is shared with the caller. Raises MockRefused."""
    if value is None or isinstance(value, str | bool):
        return value
    try:
        return orjson.loads(orjson.dumps(value))
    except (TypeError, orjson.JSONDecodeError) as error:
        raise MockRefused(f"{where} cannot be written as JSON: {error}") from None


def _text(given: Mapping[str, Any], key: str, where: str) -> str | None:
    value = given.get(key)
    if value is not None and not isinstance(value, str):
        raise MockRefused(f"{where}: {key} must be a text, not {_shown(value)}")
    if key == "error" and value is not None and len(value) > _MAX_NAME:
        raise MockRefused(f"{where}: an error name has at most {_MAX_NAME} characters")
    return value


def _flag(given: Mapping[str, Any], key: str, default: bool, where: str) -> bool:
    value = given.get(key, default)
    if not isinstance(value, bool):
        raise MockRefused(f"{where}: {key} must be true or false, not {_shown(value)}")
    return value


def _after(given: Mapping[str, Any], where: str) -> int:
    try:
        return duration_ms(given.get("after", 0))
    except ValueError as error:
        raise MockRefused(f"{where}: after: {error}") from None


def _iteration(given: Mapping[str, Any], where: str) -> tuple[int, ...] | None:
    value = given.get("iteration")
    if value is None:
        return None
    path = value if isinstance(value, list | tuple) else [value]
    if path and all(isinstance(part, Mapping) for part in path):
        path = _recorded_path(path)
    if not path or any(isinstance(part, bool) or not isinstance(part, int) or part < 0 for part in path):
        message = f"{where}: iteration is the number of an item, from 0, or a list of them (outermost first)"
        raise MockRefused(f"{message}; here is {_shown(value)}")
    return tuple(path)


def _recorded_path(recorded: Sequence[Mapping[str, Any]]) -> list[Any]:
    """The items of `{map, index}` from a recording: innermost first, each map's later iterations before its earlier."""
    innermost: dict[Any, Any] = {}
    for each in recorded:
        innermost.setdefault(each.get("map"), each.get("index"))
    return list(reversed(innermost.values()))


def _shown(value: Any) -> str:
    text = re.sub(r"\s+", " ", repr(value))
    return text if len(text) <= 80 else text[:77] + "..."
