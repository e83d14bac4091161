"""What the CLI's tests share: running a command in this process, real process trees, waiting for what happens."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stepwell_cli.main import create_app
from stepwell_cli.runfile import RunFile, read_run_file
from typer.testing import CliRunner

PATIENCE_SECONDS = 45.0
LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that has ended."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """What `--json` printed; fails where it is not exactly one JSON document."""
        return json.loads(self.stdout)


def run(*arguments: str, url: str | None = None, stdin: str | None = None, **env: str) -> Ran:
    """Run `stepwell` with these arguments in this process."""
    environment = {"STEPWELL_URL": url, "STEPWELL_KEY": None, **env}
    result = CliRunner().invoke(create_app(), list(arguments), env=environment, input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)


def eventually(happened: Callable[[], Any], what: str) -> Any:
    """The first truthy answer; fails when it takes too long."""
    until = time.monotonic() + PATIENCE_SECONDS
    pause = threading.Event()
    while time.monotonic() < until:
        found = happened()
        if found:
            return found
        pause.wait(LOOK_SECONDS)
    raise AssertionError(f"waited in vain: {what}")


def is_alive(process: int) -> bool:
    """Whether a process exists and is not a zombie."""
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return False
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return False
        return True
    return state != "Z"


@dataclass(slots=True)
class Up:
    """A real `stepwell up` in a folder of its own."""

    folder: Path
    process: "subprocess.Popen[str]"

    @property
    def running(self) -> RunFile:
        """Its run file, once it is ready."""

        def ready() -> RunFile | None:
            assert self.process.poll() is None, f"it ended: {self.log()}"
            return read_run_file(self.folder)

        found: RunFile = eventually(ready, f"ready: {self.log()}")
        return found

    def log(self) -> str:
        """What it and its children said."""
        return (self.folder / "up.log").read_text(encoding="utf-8", errors="replace")

    def server_process(self) -> int:
        """The embedded server's process id."""
        from stepwell_store.embedded import EmbeddedServer

        pid = EmbeddedServer(self.folder).pid
        assert pid is not None
        return pid

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Signal it and wait for its end; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)


def start_up(folder: Path, *options: str) -> Up:
    """Start `stepwell up` on a free port; `running` waits until it works."""
    folder.mkdir(exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STEPWELL_")}
    with (folder / "up.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "stepwell_cli", "up", "--port", "0"),
                *("--data-dir", str(folder), "--durability", "memory", *options),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder.parent,
            env=environment,
            text=True,
            start_new_session=True,
        )
    return Up(folder, process)
