"""The lifeline: a pipe whose writing end only the parent holds. When it closes, the parent is dead, and we end too.

It works for a parent that was killed with SIGKILL, on every POSIX system, and across changes of parent.
The pipe is the child's stdin; the first line on it is the child's order.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from typing import Any

import orjson

GRACE_SECONDS = 10.0
"""How long an orderly end may take before the process ends hard."""


def start_child(order: dict[str, Any], output: Any) -> "subprocess.Popen[bytes]":
    """Start `stepwell_cli.child` with an order. It ends when its stdin is closed, by us or by our death."""
    process = subprocess.Popen(
        [sys.executable, "-m", "stepwell_cli.child"],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it died at once: whoever looks after it finds that out
        process.stdin.write(orjson.dumps(order) + b"\n")
        process.stdin.flush()
    return process


def read_order() -> tuple[dict[str, Any], int]:
    """The order on stdin and the lifeline's descriptor; afterwards stdin is empty for everyone else."""
    line = bytearray()
    while not line.endswith(b"\n"):
        part = os.read(0, 1)
        if not part:
            raise SystemExit("the parent ended before it gave an order")
        line += part
    lifeline = os.dup(0)  # not inherited by what this process starts
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    order: dict[str, Any] = orjson.loads(line)
    return order, lifeline


def end_with_parent(lifeline: int, delay_seconds: float = 0.0) -> None:
    """From now on, end like on SIGTERM when the parent ends; hard when that takes too long."""

    def watch() -> None:
        while os.read(lifeline, 64):
            pass
        threading.Event().wait(delay_seconds)
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(GRACE_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set.

    It is set from a thread of its own: the handler may interrupt `Event.wait` while that holds the event's lock.
    """
    stop = threading.Event()

    def handle(*_: object) -> None:
        threading.Thread(target=stop.set, daemon=True).start()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    return stop
