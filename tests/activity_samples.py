"""Activities that worker processes in tests import from this file."""

import os
import threading
from pathlib import Path

from stepwell import ActivityContext, activity


@activity("sample.pid")
def pid() -> int:
    """The process that runs it."""
    return os.getpid()


@activity("sample.number")
def number(n: int) -> int:
    """What it was given."""
    return n


@activity("sample.gate")
def gate(started: str, release: str) -> int:
    """Writes to one FIFO, then waits for the other."""
    Path(started).write_text(str(os.getpid()))
    Path(release).read_text()
    return os.getpid()


@activity("sample.until_cancelled")
def until_cancelled(started: str, context: ActivityContext) -> None:
    """Runs until it is told that its answer is not wanted."""
    Path(started).write_text("x")
    while True:
        context.raise_if_cancelled()
        threading.Event().wait(0.005)
