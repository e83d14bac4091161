"""One real process of the system under test: its log, its death, and a free port. Ended by its own pid only."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic
from typing import TypeVar

STOP_SECONDS = 15.0
POLL_SECONDS = 0.02
Found = TypeVar("Found")
_never = threading.Event()


def wait_until(condition: Callable[[], Found], timeout_seconds: float, what: str) -> Found:
    """The first true answer of `condition`, asked again and again. Fails naming `what` and the last answer."""
    deadline = monotonic() + timeout_seconds
    while True:
        found = condition()
        if found:
            return found
        if monotonic() > deadline:
            raise AssertionError(f"after {timeout_seconds:g} s still not: {what} (last answer: {found!r})")
        _never.wait(POLL_SECONDS)


def free_port() -> int:
    """A loopback port that nobody has just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Process:
    """A child process with its log in a file; it can be killed and started again under the same name."""

    def __init__(self, name: str, command: list[str], environment: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._command = command
        self.environment = {**os.environ, **environment, "PYTHONUNBUFFERED": "1"}
        self._folder = folder
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the living child."""
        assert self._child is not None
        return self._child.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._child is not None and self._child.poll() is None

    def start(self) -> None:
        """Start it; its output is appended to its log."""
        assert not self.alive, f"{self.name} runs already"
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                self._command,
                env=self.environment,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self) -> None:
        """SIGKILL, with all it has forked: nothing gets to say goodbye."""
        self._signal(signal.SIGKILL)

    def stop(self) -> int | None:
        """SIGTERM, then SIGKILL for one that does not listen. Its exit code."""
        if self._child is None:
            return None
        if self.alive:
            self._child.send_signal(signal.SIGTERM)
            try:
                self._child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._signal(signal.SIGKILL)
        return self._child.returncode

    def tail(self, lines: int = 40) -> str:
        """The end of its log."""
        if not self.log.exists():
            return "(no log)"
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:])

    def _signal(self, number: signal.Signals) -> None:
        assert self._child is not None
        try:
            os.killpg(self._child.pid, number)
        except ProcessLookupError:
            return
        self._child.wait()


def stepwell_command(*arguments: str) -> list[str]:
    """The command line of the installed `stepwell`."""
    return [str(Path(sys.executable).with_name("stepwell")), *arguments]
