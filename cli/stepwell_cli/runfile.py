"""`<data-dir>/up.json`: where a running `stepwell up` can be reached. Written by `up`, read by client commands.

A file whose supervisor is dead is no answer; it is not removed by readers.
"""

import os
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

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


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
