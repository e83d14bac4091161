"""A PostgreSQL server of the tests' own, on a unix socket in a temp folder; None where none is installed."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


def find_server() -> Path | None:
    """The folder of PostgreSQL's programs: on the PATH, or where Debian keeps them."""
    named = shutil.which("initdb")
    if named is not None:
        return Path(named).resolve().parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


def _account() -> str | None:
    """PostgreSQL refuses to run as root: then as whom."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise LookupError("there is no account to run PostgreSQL under")


@contextmanager
def postgresql(programs: Path) -> Iterator[str]:
    """A running server's SQLAlchemy address."""
    account = _account()
    folder = Path(tempfile.mkdtemp(prefix="swpg-"))
    try:
        if account is not None:
            os.chown(folder, pwd.getpwnam(account).pw_uid, -1)
        data = folder / "data"
        _run([programs / "initdb", "-D", data, "-U", "stepwell", "-A", "trust", "-N"], folder, account)
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
        control: list[str | Path] = [programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log"]
        _run([*control, "-o", options, "start"], folder, account)
        try:
            yield f"postgresql+psycopg://stepwell@/postgres?host={folder}"
        finally:
            _run([*control, "-m", "immediate", "stop"], folder, account)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: Sequence[str | Path], folder: Path, account: str | None) -> None:
    subprocess.run(command, cwd=folder, user=account, check=True, stdout=subprocess.DEVNULL, timeout=60)
