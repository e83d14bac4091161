"""One process tree: starts the children, restarts those that die, and ends them all, in order.

Children are told what to do on their stdin, which stays open as their lifeline: when the supervisor dies, however it
dies, they end by themselves. They run in sessions of their own, so that Ctrl-C reaches the supervisor alone.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from stepwell_cli.lifeline import start_child
from stepwell_cli.output import say

FIRST_BACKOFF_SECONDS = 0.25
LONGEST_BACKOFF_SECONDS = 10.0
HEALTHY_SECONDS = 20.0
"""A child that lived this long starts again without a pause when it dies."""
GRACE_SECONDS = 10.0
LOOK_SECONDS = 0.5
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class ChildPlan:
    """A child to keep running. Those with a lower `stop_order` are gone before the next ones are told to end."""

    name: str
    order: dict[str, Any]
    stop_order: int = 0


@dataclass(slots=True)
class Child:
    """A child's process and its record of deaths."""

    plan: ChildPlan
    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    deaths: int = 0
    restart_at: float | None = None


@dataclass(frozen=True, slots=True)
class Death:
    """A child ended although nobody told it to."""

    name: str
    exit_code: int

    def __str__(self) -> str:
        if self.exit_code < 0:
            return f"{self.name} was ended by {signal.Signals(-self.exit_code).name}"
        return f"{self.name} ended with exit code {self.exit_code}"


@dataclass(slots=True)
class Supervisor:
    """Keeps children running between `start` and `stop`. Use it on the main thread: signals go there."""

    log_dir: Path | None = None
    """Where the children's messages go, one file each; None: to our stderr."""
    on_change: Callable[[dict[str, int]], object] = lambda _: None
    """Told the process ids by name whenever a child was started again."""
    signalled: int = 0
    """How often we were told to stop."""
    _children: dict[str, Child] = field(default_factory=dict)
    _wake: tuple[int, int] | None = None

    def __enter__(self) -> "Supervisor":
        self._wake = os.pipe()
        for end in self._wake:
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._wake[1], warn_on_full_buffer=False)
        for number in SIGNALS:
            signal.signal(number, self._told_to_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # so that a child's death wakes the loop
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        signal.set_wakeup_fd(-1)
        for number in (*SIGNALS, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        for end in self._wake or ():
            os.close(end)

    def start(self, plan: ChildPlan) -> None:
        """Start a child and keep it running from now on."""
        child = Child(plan)
        self._children[plan.name] = child
        self._spawn(child)

    def processes(self) -> dict[str, int]:
        """Process ids of the children that run."""
        return {name: c.process.pid for name, c in self._children.items() if c.process is not None}

    def watch(self, timeout_seconds: float) -> list[Death]:
        """Wait for a signal or a death, at most so long; the children that died (they will be started again)."""
        self._sleep(timeout_seconds)
        return [death for child in self._children.values() if (death := self._buried(child))]

    def run(self) -> None:
        """Keep the children running until a signal says stop."""
        while not self.signalled:
            now = time.monotonic()
            pauses = [c.restart_at - now for c in self._children.values() if c.restart_at is not None]
            for death in self.watch(max(0.0, min([LOOK_SECONDS, *pauses]))):
                child = self._children[death.name]
                pause = max(0.0, (child.restart_at or 0) - time.monotonic())
                say(f"{death}; it starts again in {pause:.2f} s")
            self._restart_due()

    def stop(self) -> None:
        """End all children, the lower `stop_order` first; hard after the grace time or a second signal."""
        for order in sorted({child.plan.stop_order for child in self._children.values()}):
            group = [
                c for c in self._children.values() if c.plan.stop_order == order and c.process is not None
            ]
            for child in group:
                _signal(child, signal.SIGTERM)
            self._await_end(group)
        self._children.clear()

    def _spawn(self, child: Child) -> None:
        with self._log(child.plan.name) as log:
            child.process = start_child({**child.plan.order, "name": child.plan.name}, log or sys.stderr)
        child.started, child.restart_at = time.monotonic(), None

    @contextlib.contextmanager
    def _log(self, name: str) -> Any:
        if self.log_dir is None:
            yield None
            return
        with (self.log_dir / f"{name}.log").open("ab") as log:
            yield log

    def _buried(self, child: Child) -> Death | None:
        """Take note of a death: when to start again. None while the child lives or is dead already."""
        if child.process is None or (code := child.process.poll()) is None:
            return None
        _pipe_of(child.process).close()
        lived = time.monotonic() - child.started
        child.deaths = 0 if lived > HEALTHY_SECONDS else child.deaths + 1
        child.process = None
        pause = (
            min(FIRST_BACKOFF_SECONDS * 2 ** (child.deaths - 1), LONGEST_BACKOFF_SECONDS)
            if child.deaths
            else 0
        )
        child.restart_at = time.monotonic() + pause
        return Death(child.plan.name, code)

    def _restart_due(self) -> None:
        now = time.monotonic()
        due = [c for c in self._children.values() if c.restart_at is not None and c.restart_at <= now]
        if due and not self.signalled:
            for child in due:
                self._spawn(child)
            self.on_change(self.processes())

    def _await_end(self, group: Sequence[Child]) -> None:
        until = time.monotonic() + GRACE_SECONDS
        signals_before = self.signalled
        while any(child.process is not None and child.process.poll() is None for child in group):
            if time.monotonic() > until or self.signalled > max(1, signals_before):
                break
            self._sleep(LOOK_SECONDS)
        for child in group:
            if child.process is None:
                continue
            if child.process.poll() is None:
                say(f"{child.plan.name} did not end in time and is killed")
                _signal(child, signal.SIGKILL)
            child.process.wait()
            _pipe_of(child.process).close()
            child.process = None

    def _told_to_stop(self, *_: object) -> None:
        self.signalled += 1

    def _sleep(self, seconds: float) -> None:
        """Until a signal (a child's death is one) comes, or the time is over."""
        assert self._wake is not None
        select.select([self._wake[0]], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake[0], 512)


def _signal(child: Child, number: signal.Signals) -> None:
    """To the child's whole process group when it is killed, so that nothing it started stays."""
    assert child.process is not None
    with contextlib.suppress(ProcessLookupError):
        if number == signal.SIGKILL:
            os.killpg(child.process.pid, number)
        else:
            child.process.send_signal(number)


def _pipe_of(process: "subprocess.Popen[bytes]") -> IO[bytes]:
    assert process.stdin is not None
    return process.stdin
