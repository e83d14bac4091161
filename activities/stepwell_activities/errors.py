"""What can go wrong with an activity, and how an exception becomes an error name and a cause in a workflow.

Exception
├── ActivityError           raised by activities: has an error name of its own
│   └── NonRetryable        the same, and no retry of the workflow applies
└── RegistryError           the activities of a process are wrong: refused when they are discovered
    ├── DiscoveryError      a module or entry point could not be imported
    ├── DuplicateActivity   two functions with one name
    └── InvalidActivity     a signature or option that cannot be offered to workflows
BaseException
└── ActivityInterrupted     thrown into a running body, past its `except Exception`
    ├── ActivityTimedOut    it took longer than its timeout
    └── ActivityCancelled   its answer is not wanted any more
"""

import traceback
from dataclasses import dataclass

CAUSE_LIMIT_BYTES = 32 * 1024
TRACEBACK_LINES = 40


class ActivityError(Exception):
    """An activity failed: `error` is the name that `retry` and `catch` see, `cause` says what happened."""

    def __init__(self, error: str, cause: str = "", *, retryable: bool = True) -> None:
        if not error or len(error) > 256:
            raise ValueError(f"an error name has 1 to 256 characters, this one has {len(error)}")
        super().__init__(f"{error}: {cause}" if cause else error)
        self.error = error
        self.cause = cause
        self.retryable = retryable

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuilt, (type(self), self.error, self.cause, self.retryable)


class NonRetryable(ActivityError):
    """An activity failed and trying again cannot help."""

    def __init__(self, error: str, cause: str = "", *, retryable: bool = False) -> None:
        super().__init__(error, cause, retryable=retryable)


class RegistryError(Exception):
    """The activities of this process are wrong."""


class DiscoveryError(RegistryError):
    """A module or entry point that should hold activities could not be imported."""


class DuplicateActivity(RegistryError):
    """Two functions offer an activity of the same name."""


class InvalidActivity(RegistryError):
    """A function cannot be offered as an activity."""


class ActivityInterrupted(BaseException):
    """The worker ends a running body."""


class ActivityTimedOut(ActivityInterrupted):
    """The body took longer than its timeout."""


class ActivityCancelled(ActivityInterrupted):
    """The body's answer is not wanted any more."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An activity's bad end as the workflow sees it."""

    error: str
    cause: str
    retryable: bool = True


def failure_of(problem: BaseException) -> Failure:
    """The failure an exception stands for. `States.Timeout` for an overrun; else the exception's class name."""
    if isinstance(problem, ActivityError):
        return Failure(problem.error, bounded(problem.cause or problem.error), problem.retryable)
    if isinstance(problem, ActivityTimedOut):
        return Failure("States.Timeout", bounded(str(problem) or "the activity took too long"))
    if isinstance(problem, ActivityCancelled):
        return Failure("Cancelled", bounded(str(problem) or "the activity was cancelled"), retryable=False)
    return Failure(type(problem).__name__, bounded(_described(problem)))


def bounded(text: str) -> str:
    """The text, cut in the middle to at most 32 KiB of UTF-8."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= CAUSE_LIMIT_BYTES:
        return raw.decode()
    half = CAUSE_LIMIT_BYTES // 2 - 32
    head, tail = raw[:half].decode("utf-8", "ignore"), raw[-half:].decode("utf-8", "ignore")
    return f"{head}\n... {len(raw) - 2 * half} bytes ...\n{tail}"


def _described(problem: BaseException) -> str:
    """The message first, then the traceback's last lines: a list of causes shows only the beginning."""
    message = _text(problem)
    lines = "".join(traceback.format_exception(problem)).splitlines()
    kept = lines[-TRACEBACK_LINES:]
    return "\n".join([message, "", *kept]) if message else "\n".join(kept)


def _text(problem: BaseException) -> str:
    try:
        return str(problem)
    except Exception as broken:  # noqa: BLE001 - an exception whose own text fails must still be reported
        return f"(its message cannot be shown: {type(broken).__name__})"


def _rebuilt(cls: type[ActivityError], error: str, cause: str, retryable: bool) -> ActivityError:
    return cls(error, cause, retryable=retryable)
