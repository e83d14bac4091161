"""Activities that worker processes in tests import from this file."""

import os
import signal
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


@activity("sample.signs")
def signs(count: int, context: ActivityContext) -> int:
    """Gives signs of life from its first moment on; ends when it is told that nobody wants its answer."""
    for _ in range(count):
        context.heartbeat()
        threading.Event().wait(0.01)
        context.raise_if_cancelled()
    return count


@activity("sample.dies_once")
def dies_once(marker: str) -> int:
    """Kills its process at once, unless the marker says that it has done so."""
    if not Path(marker).exists():
        Path(marker).write_text("x")
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


@activity("sample.dies")
def dies() -> None:
    """Kills its process at once, each time."""
    os.kill(os.getpid(), signal.SIGKILL)
