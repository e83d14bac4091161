"""The process tree of `stepwell up`: embedded server, API, engine and workers, started and ended in order."""

import contextlib
import fcntl
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
from redis import Redis
from stepwell_schemas.hosts import local_url
from stepwell_schemas.settings import Settings
from stepwell_store.embedded import EmbeddedServer
from stepwell_store.open import open_redis, queue_url

from stepwell_cli.failures import CommandFailed
from stepwell_cli.output import say
from stepwell_cli.runfile import RunFile, noted, read_run_file, remove_run_file, write_run_file
from stepwell_cli.supervisor import ChildPlan, Supervisor

START_SECONDS = 30.0
LOOK_SECONDS = 0.05
ANSWER_SECONDS = 2.0
"""How long the API may be silent."""
LONGEST_ANSWER = 65_536
SHOWN_OF_ANSWER = 200
WORKERS_KEY = "rq:workers"
"""RQ's set of workers; the names of ours hold their process id."""
FIRST, THEN, LAST = 0, 1, 2


def run_tree(
    settings: Settings,
    workers: int,
    log_dir: str | None = None,
    ready: Callable[[str], None] = lambda _: None,
    note_in: Path | None = None,
) -> None:
    """Run until told to stop. `ready` gets the API's address once everything works.

    `note_in` is another data folder in which client commands look for the address.
    Raises CommandFailed when the folder is in use, the port is taken, or a child does not start.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    settings = settings.model_copy(update={"data_dir": settings.data_dir.resolve()})
    with _only_one(settings.data_dir), contextlib.ExitStack() as cleanup:
        settings = settings.model_copy(update={"api_port": _free_port(settings)})
        url = local_url(settings.api_host, settings.api_port)
        with Supervisor(log_dir=Path(log_dir) if log_dir else None) as supervisor:
            if settings.store_url is None:
                server = EmbeddedServer(settings.data_dir, settings.durability)
                # Its keeper ends it; this is for a keeper that was killed.
                cleanup.callback(server.stop)
                settings = settings.model_copy(update={"store_url": server.start()})
                supervisor.start(_plan("server", "server", settings, LAST))
            _start_children(supervisor, settings, workers)

            def write(pids: dict[str, int]) -> RunFile:
                running = RunFile(url, settings.store_url or "", os.getpid(), pids)
                write_run_file(settings.data_dir, running)
                return running

            cleanup.callback(remove_run_file, settings.data_dir)
            if _await_ready(supervisor, settings, url):
                running = write(supervisor.processes())
                supervisor.on_change = write
                if note_in is not None:
                    cleanup.enter_context(noted(note_in, running))
                ready(url)
                supervisor.run()


def _start_children(supervisor: Supervisor, settings: Settings, workers: int) -> None:
    supervisor.start(_plan("api", "api", settings, FIRST))
    supervisor.start(_plan("engine", "engine", settings, THEN))
    for number in range(1, workers + 1):
        supervisor.start(_plan(f"worker-{number}", "worker", settings, FIRST))


def _plan(name: str, role: str, settings: Settings, stop_order: int) -> ChildPlan:
    order: dict[str, Any] = {"role": role, "settings": settings.model_dump(mode="json")}
    return ChildPlan(name, order, stop_order)


@contextlib.contextmanager
def _only_one(data_dir: Path) -> Iterator[None]:
    """Hold the folder's lock. Raises CommandFailed when another tree has it."""
    folder = os.open(data_dir, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = read_run_file(data_dir)
            where = f" at {other.url} (process {other.supervisor})" if other else ""
            raise CommandFailed(
                f"A `stepwell up` runs already in {data_dir}{where}.",
                ["Stop it, or give this one a folder of its own with --data-dir (and another --port)."],
            ) from None
        yield
    finally:
        os.close(folder)


def _free_port(settings: Settings) -> int:
    """The port to use, checked to be free before anything is started; 0 takes any."""
    host = settings.api_host.strip("[]")
    try:
        family = socket.getaddrinfo(host, settings.api_port, type=socket.SOCK_STREAM)[0][0]
        with socket.create_server((host, settings.api_port), family=family) as probe:
            port: int = probe.getsockname()[1]
            return port
    except OSError as error:
        raise CommandFailed(
            f"The API cannot listen on {host} port {settings.api_port}: {error.strerror or error}.",
            ["Choose another with --port; --port 0 takes a free one."],
        ) from None


def _await_ready(supervisor: Supervisor, settings: Settings, url: str) -> bool:
    """Whether everything works; False when we were told to stop meanwhile. A child that dies now is a failure."""
    until = time.monotonic() + START_SECONDS
    with open_redis(queue_url(settings)) as queue:
        while not supervisor.signalled:
            deaths = supervisor.watch(LOOK_SECONDS)
            if deaths:
                died = ", ".join(str(death) for death in deaths)
                raise CommandFailed(f"Start failed: {died}.", _where(supervisor))
            missing = _missing(url) or _missing_workers(queue, supervisor.processes())
            if not missing:
                return True
            if time.monotonic() > until:
                raise CommandFailed(
                    f"Start failed: after {START_SECONDS:g} s, {missing}.", _where(supervisor)
                )
    say("stopped before the start was complete")
    return False


def _missing(url: str) -> str:
    """What the API says is not there yet; empty when all is.

    Asked without httpx, which takes a while to load, and without the proxies of the environment: the API is on this
    machine.
    """
    address = urlsplit(url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/health/ready")
        ready = connection.getresponse()
        if ready.status == HTTPStatus.OK:
            return ""
        document = ready.read(LONGEST_ANSWER)
    except (OSError, HTTPException, ValueError) as error:  # ValueError: for a chunk of a negative size
        return f"the API does not answer ({type(error).__name__})"
    finally:
        connection.close()
    try:
        missing = [
            f"{name}: {text}" for name, text in orjson.loads(document)["checks"].items() if text != "ok"
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        missing = []
    return "; ".join(missing) or (
        f"{url} answers with status {ready.status}: {document[:SHOWN_OF_ANSWER].decode(errors='replace')}"
    )


def _missing_workers(queue: Redis, processes: Mapping[str, int]) -> str:
    """Workers that RQ does not know yet; they have published their activities before it does."""
    known = str(queue.smembers(WORKERS_KEY))
    missing = [
        name for name, pid in processes.items() if name.startswith("worker") and f"-{pid}-" not in known
    ]
    return f"{', '.join(missing)} not registered" if missing else ""


def _where(supervisor: Supervisor) -> list[str]:
    return (
        [f"Its messages are in {supervisor.log_dir}."] if supervisor.log_dir else ["Its messages are above."]
    )
