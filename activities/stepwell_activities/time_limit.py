"""Ends a sync body that overruns: by SIGALRM in the main thread, by an asynchronous exception in any other.

SIGALRM also breaks off blocking calls. It nests inside RQ's own death penalty, whose alarm is put back afterwards.
The asynchronous exception arrives at the body's next bytecode; a thread that hangs in C cannot be ended.
"""

import ctypes
import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any, Self

from stepwell_activities.errors import ActivityInterrupted, ActivityTimedOut


class AlarmLimit:
    """A `with` block in the main thread that raises ActivityTimedOut after `seconds`."""

    __slots__ = ("_armed", "_began", "_outer_handler", "_outer_seconds", "_seconds")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._armed = False
        self._began = 0.0
        self._outer_seconds = 0.0
        self._outer_handler: Any = None

    def __enter__(self) -> Self:
        outer_seconds = signal.getitimer(signal.ITIMER_REAL)[0]
        if 0 < outer_seconds <= self._seconds:
            return self  # the outer alarm comes first anyway
        self._began, self._outer_seconds = time.monotonic(), outer_seconds
        self._outer_handler = signal.signal(signal.SIGALRM, self._fire)
        self._armed = True
        signal.setitimer(signal.ITIMER_REAL, self._seconds)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._outer_handler is None:
            return
        try:
            self._armed = False
        finally:  # the alarm may still go off on the line above
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._outer_handler)
            if self._outer_seconds:
                left = self._outer_seconds - (time.monotonic() - self._began)
                signal.setitimer(signal.ITIMER_REAL, max(left, 0.001))

    def _fire(self, number: int, frame: FrameType | None) -> None:
        if self._armed:
            raise ActivityTimedOut(f"the activity took longer than {self._seconds:g} seconds")


class ThreadInterrupt:
    """A `with` block during which another thread may `throw` an interruption into this one, at most once."""

    __slots__ = ("_lock", "_thread", "_thrown")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: int | None = None
        self._thrown = False

    def __enter__(self) -> Self:
        self._thread = threading.get_ident()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            thread, self._thread = self._thread, None
            if self._thrown and thread is not None:  # it may not have arrived yet: it must not arrive later
                _set_exception(thread, None)

    def throw(self, kind: type[ActivityInterrupted]) -> bool:
        """Interrupt the block. False where it has ended or was interrupted before."""
        with self._lock:
            if self._thread is None or self._thrown:
                return False
            self._thrown = True
            _set_exception(self._thread, kind)
            return True


def _set_exception(thread: int, kind: type[BaseException] | None) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread), None if kind is None else ctypes.py_object(kind)
    )
