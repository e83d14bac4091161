"""What each process of a Stepwell installation does. The same functions serve `stepwell engine` and `stepwell up`.

Each imports its room when it is asked to run: a process loads what it needs, and starts in a fraction of a second.
"""

import logging
import threading
from typing import Any

from stepwell_schemas.settings import Settings

from stepwell_cli.failures import CommandFailed
from stepwell_cli.lifeline import stop_on_signals

log = logging.getLogger("stepwell.cli")

SERVER_LOOK_SECONDS = 0.5


def run_engine(settings: Settings, options: dict[str, Any]) -> None:
    """An engine: owns partitions, decides, dispatches."""
    from stepwell_engine.run import run_engine as run

    run(settings, stop_on_signals())


def run_worker(settings: Settings, options: dict[str, Any]) -> None:
    """An RQ worker with the built-in activities and those of the settings, which it publishes first."""
    from stepwell_activities.errors import RegistryError
    from stepwell_activities.serving import serve

    try:
        serve(
            settings,
            concurrency=options.get("concurrency", 1),
            burst=options.get("burst", False),
        )
    except RegistryError as error:
        raise CommandFailed(f"The activities are not right: {error}") from None


def run_api(settings: Settings, options: dict[str, Any]) -> None:
    """The HTTP API."""
    from stepwell_api.serve import AddressRefused, serve

    try:
        serve(settings)
    except AddressRefused as error:
        raise CommandFailed(str(error)) from None


def run_server(settings: Settings, options: dict[str, Any]) -> None:
    """The keeper of the embedded server: starts it again when it dies, and ends it at the end."""
    from stepwell_store.embedded import EmbeddedServer

    stop: threading.Event = stop_on_signals()
    server = EmbeddedServer(settings.data_dir, settings.durability)
    server.start()
    known = server.pid
    try:
        while not stop.wait(SERVER_LOOK_SECONDS):
            server.start()
            if server.pid != known:
                known = server.pid
                log.warning("the embedded server had died; it runs again as process %s", known)
    finally:
        server.stop()


def run_up(settings: Settings, options: dict[str, Any]) -> None:
    """A whole process tree, as a child of another process (the demo's, a test's)."""
    from stepwell_cli.tree import run_tree

    run_tree(settings, workers=options["workers"], log_dir=options.get("log_dir"))


ROLES = {
    "engine": run_engine,
    "worker": run_worker,
    "api": run_api,
    "server": run_server,
    "up": run_up,
}
