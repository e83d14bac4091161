"""What a running activity knows of itself: its attempt, signs of life, cancellation, and the idempotency key.

The worker makes one context per attempt; a body gets it as a parameter annotated `ActivityContext`, or by
`current_context()`.
"""

import logging
import threading
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from stepwell_schemas.settings import Settings
from stepwell_store.protocol import Store

from stepwell_activities.errors import ActivityCancelled

_current: ContextVar["ActivityContext"] = ContextVar("stepwell_activity_context")


class Signs:
    """One attempt's flags between its body and the worker's lease keeper."""

    __slots__ = ("cancelled", "details", "lock", "wanted", "why")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.wanted = False
        self.details: Any = None
        self.cancelled = False
        self.why = ""

    def cancel(self, why: str) -> None:
        """Tell the body that its answer is not wanted; the first reason stays."""
        with self.lock:
            if not self.cancelled:
                self.cancelled, self.why = True, why


@dataclass(frozen=True, slots=True)
class ActivityContext:
    """One attempt of an activity.

    `idempotency_key` is the same on every try and every repeat of this visit of the state; `attempt` counts
    the tries from 1. `callback_token` completes the task later, where it says `callback: true`.
    """

    activity: str
    idempotency_key: str
    attempt: int
    instance: str
    definition: str
    version: str
    device: str | None
    state: str
    callback_token: str | None
    store: Store = field(repr=False)
    settings: Settings = field(repr=False)
    _signs: Signs = field(default_factory=Signs, repr=False)
    _wake: Callable[[], None] = field(default=lambda: None, repr=False)

    @property
    def logger(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger `stepwell.activity.<name>` whose records carry the instance, state and attempt."""
        extra = {"instance": self.instance, "state": self.state, "attempt": self.attempt}
        return logging.LoggerAdapter(logging.getLogger(f"stepwell.activity.{self.activity}"), extra)

    @property
    def cancelled(self) -> bool:
        """Whether the answer is not wanted any more (cancelled, timed out, or another worker has the attempt)."""
        return self._signs.cancelled

    def raise_if_cancelled(self) -> None:
        """Raises ActivityCancelled when the answer is not wanted any more."""
        if self._signs.cancelled:
            raise ActivityCancelled(self._signs.why)

    def heartbeat(self, details: Any = None) -> None:
        """Say that the body makes progress; `details` stay with the attempt for whoever debugs it.

        Returns at once (the lease keeper sends the sign), so it may be called in a tight loop and in async
        bodies. Raises ActivityCancelled when the answer is not wanted any more.
        """
        self.raise_if_cancelled()
        self._signs.details = details
        if not self._signs.wanted:
            self._signs.wanted = True
            self._wake()


def current_context() -> ActivityContext:
    """The context of the attempt that runs here. Raises LookupError outside of an activity."""
    try:
        return _current.get()
    except LookupError:
        raise LookupError("there is no current activity: call this from inside of one") from None


def context_variable() -> ContextVar[ActivityContext]:
    """The variable behind `current_context`, for the worker that sets it."""
    return _current
