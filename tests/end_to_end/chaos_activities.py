"""The activity of the chaos run: each body that runs leaves one line in a file, so that bodies can be counted.

The workers import this file; CHAOS_BODIES names the file. A line is written with one call, so a kill tears none.
"""

import os
import threading
import time
from pathlib import Path
from typing import NamedTuple

from stepwell import ActivityContext, activity

BODY_SECONDS = 0.01
_never = threading.Event()


class Body(NamedTuple):
    """One run of an activity's body. `at_seconds` is the machine's monotonic clock, the same in every process."""

    at_seconds: float
    key: str
    device: str
    amount: int


@activity("chaos.book", timeout=60)
def book(amount: int, context: ActivityContext) -> int:
    """Book an amount; the answer is the amount."""
    line = f"{time.monotonic():.6f} {context.idempotency_key} {context.device} {amount}\n"
    descriptor = os.open(os.environ["CHAOS_BODIES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)
    _never.wait(BODY_SECONDS)  # long enough that kills find bodies under way
    return amount


class Bodies:
    """What has run so far; each look reads only what has been added."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self._known: list[Body] = []

    def look(self) -> list[Body]:
        """Every body that ran, oldest first."""
        if self._path.exists():
            with self._path.open("rb") as file:
                file.seek(self._read)
                added = file.read()
            whole = added[: added.rfind(b"\n") + 1]
            self._read += len(whole)
            self._known += [_parse(line) for line in whole.decode().splitlines()]
        return self._known


def _parse(line: str) -> Body:
    at, key, device, amount = line.split()
    return Body(float(at), key, device, int(amount))
