"""`<data-dir>/up.json`: where a running `stepwell up` can be reached. Written by `up`, read by client commands.

Client commands look into their own data folder; an `up` with another one leaves the same file there as a note.
A file whose supervisor is dead is no answer; it is not removed by readers.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from stepwell_cli.output import say

NAME = "up.json"


@dataclass(frozen=True, slots=True)
class RunFile:
    """The address of a running process tree, and the process ids of its members by name."""

    url: str
    store_url: str
    supervisor: int
    children: dict[str, int]


def write_run_file(data_dir: Path, running: RunFile) -> None:
    """Write whole or not at all, so that a reader never sees half."""
    path = data_dir / NAME
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    draft.write_bytes(orjson.dumps(asdict(running), option=orjson.OPT_INDENT_2))
    draft.replace(path)


def read_run_file(data_dir: Path) -> RunFile | None:
    """What runs in this folder; None when nothing does."""
    try:
        running = RunFile(**orjson.loads((data_dir / NAME).read_bytes()))
    except (OSError, orjson.JSONDecodeError, TypeError):
        return None
    return running if _alive(running.supervisor) else None


def remove_run_file(data_dir: Path) -> None:
    """The process tree has ended."""
    (data_dir / NAME).unlink(missing_ok=True)


@contextlib.contextmanager
def noted(folder: Path, running: RunFile) -> Iterator[None]:
    """Leave a note in another folder, where clients look; a live tree's own file there stays as it is.

    The note goes at the end, and so does the folder where it was made for it.
    """
    if read_run_file(folder) is not None:
        yield
        return
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_run_file(folder, running)
    except OSError as error:
        say(
            f"commands in this folder need --url {running.url}: {folder} cannot be written ({error.strerror})"
        )
    try:
        yield
    finally:
        there = read_run_file(folder)
        if there is not None and there.supervisor == running.supervisor:
            remove_run_file(folder)
        if made:
            with contextlib.suppress(OSError):  # somebody else has put something into it
                folder.rmdir()


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
