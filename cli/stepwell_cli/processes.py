"""`up`, `engine`, `worker`, `api`: the commands that run until they are told to stop."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from stepwell_schemas.settings import Settings

from stepwell_cli.command import DataDirOption, StepwellCommand, StoreOption, settings_with
from stepwell_cli.failures import CommandFailed, UsageError
from stepwell_cli.logs import configure_logging
from stepwell_cli.output import console, print_document, say
from stepwell_cli.roles import run_api, run_engine, run_worker

LOOPBACK = "127.0.0.1"
ModulesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--activities", help="A module (or file.py) with activities; may be repeated.", show_default=False
    ),
]
LogLevelOption = Annotated[str | None, typer.Option("--log-level", help="debug, info, warning or error.")]
HostOption = Annotated[
    str | None, typer.Option("--host", help="Address of the API; a public one needs keys.")
]
PortOption = Annotated[int | None, typer.Option("--port", help="Port of the API (8080); 0 takes a free one.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (up, engine, worker, api):
        app.command(command.__name__, cls=StepwellCommand)(command)


def up(
    store: StoreOption = None,
    workers: Annotated[int, typer.Option("--workers", min=0, help="How many worker processes.")] = 2,
    host: HostOption = None,
    port: PortOption = None,
    data_dir: DataDirOption = None,
    modules: ModulesOption = None,
    durability: Annotated[
        str | None, typer.Option("--durability", help="fsync, everysec or memory (embedded server).")
    ] = None,
    log_dir: Annotated[
        Path | None, typer.Option("--log-dir", help="Write the processes' messages to files there.")
    ] = None,
    log_level: LogLevelOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document on stdout once everything works.")
    ] = False,
) -> None:
    """Run everything on this machine: embedded server, engine, workers, API. Ctrl-C ends all of it.

    With --store the server is yours and stays as it is.
    """
    from stepwell_cli.tree import run_tree

    settings = settings_with(
        store_url=store,
        api_host=host,
        api_port=port,
        data_dir=data_dir,
        activity_modules=modules,
        durability=durability,
        log_level=log_level or ("info" if log_dir else "warning"),
    )
    if settings.api_host != LOOPBACK:
        _check_address(settings)
    if log_dir is not None:
        log_dir.mkdir(parents=True, exist_ok=True)

    def ready(url: str) -> None:
        if as_json:
            print_document({"url": url, "dataDir": str(settings.data_dir.resolve()), "workers": workers})
            return
        console().print(f"[green]Stepwell is up[/] at {url}  (interactive API documentation: {url}/docs)")
        say(f"data in {settings.data_dir}; {workers} workers; Ctrl-C ends everything")

    looked_in = settings_with().data_dir.resolve()
    note_in = None if looked_in == settings.data_dir.resolve() else looked_in
    run_tree(settings, workers, str(log_dir) if log_dir else None, ready, note_in)
    say("Stepwell has stopped")


def engine(
    store: StoreOption = None,
    data_dir: DataDirOption = None,
    log_level: LogLevelOption = None,
) -> None:
    """Run an engine. Any number may run; they share the partitions out among themselves."""
    settings = settings_with(store_url=store, data_dir=data_dir, log_level=log_level)
    configure_logging(settings.log_level, "engine")
    _run(run_engine, settings, {})


def worker(
    store: StoreOption = None,
    data_dir: DataDirOption = None,
    modules: ModulesOption = None,
    queues: Annotated[
        list[str] | None, typer.Option("--queue", help="An activity queue to serve; may be repeated.")
    ] = None,
    concurrency: Annotated[
        int, typer.Option("--concurrency", min=1, help="Activities at the same time, in threads.")
    ] = 1,
    burst: Annotated[bool, typer.Option("--burst", help="End when the queues are empty.")] = False,
    log_level: LogLevelOption = None,
) -> None:
    """Run an RQ worker for activities. Any number may run, on any machines."""
    settings = settings_with(
        store_url=store,
        data_dir=data_dir,
        activity_modules=modules,
        queues=queues,
        log_level=log_level,
    )
    configure_logging(settings.log_level, "worker")
    _run(run_worker, settings, {"concurrency": concurrency, "burst": burst})


def api(
    store: StoreOption = None,
    data_dir: DataDirOption = None,
    host: HostOption = None,
    port: PortOption = None,
    log_level: LogLevelOption = None,
) -> None:
    """Run the HTTP API. Any number may run behind a balancer."""
    settings = settings_with(
        store_url=store, data_dir=data_dir, api_host=host, api_port=port, log_level=log_level
    )
    configure_logging(settings.log_level, "api")
    _run(run_api, settings, {})


def _check_address(settings: Settings) -> None:
    """What the API would refuse is refused before anything is started. Loads the API, so it is asked in need only."""
    from stepwell_api.serve import AddressRefused, check_address

    try:
        check_address(settings)
    except AddressRefused as error:
        raise CommandFailed(str(error)) from None


def _run(
    role: Callable[[Settings, dict[str, Any]], None], settings: Settings, options: dict[str, Any]
) -> None:
    try:
        role(settings, options)
    except ValueError as error:  # an address or option that the room refuses, with what is allowed
        raise UsageError(str(error)) from None
