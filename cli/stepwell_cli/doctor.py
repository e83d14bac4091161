"""`doctor`: examines the store and says what is not in order. It works beside running engines, and without any."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from stepwell_schemas.settings import Settings
from stepwell_store.protocol import Store

from stepwell_cli.command import DataDirOption, JsonOption, StepwellCommand, StoreOption, settings_with
from stepwell_cli.failures import CommandFailed, NotFound, UsageError
from stepwell_cli.output import compact, console, messages, print_document, print_fields

COLOURS = {"error": "red", "warning": "yellow"}


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("doctor", cls=StepwellCommand)(doctor)


def doctor(store: StoreOption = None, data_dir: DataDirOption = None, as_json: JsonOption = False) -> None:
    """Check that every instance that has not ended owns a wait, timer, job or child that really exists.

    Also tells partitions without an engine, lag, dead letters, quarantined instances and corrupt values.
    Exit code 1 when a promise is broken; warnings alone are 0.
    """
    from stepwell_cli.examination import Examination

    settings = settings_with(store_url=store, data_dir=data_dir)
    result = Examination()
    with opened_store(settings) as opened:
        result = _examined(opened)
    document = _document(result)
    if as_json and result.healthy:
        print_document(document)
    if not as_json:
        _show(document)
    if not result.healthy:
        errors = sum(finding.severity == "error" for finding in result.findings)
        raise CommandFailed(f"{errors} findings are errors", document=document if as_json else None)


@contextmanager
def opened_store(settings: Settings) -> Iterator[Store]:
    """The store; an embedded server that did not run is started for the examination only."""
    from stepwell_store.embedded import EmbeddedServer
    from stepwell_store.open import open_store

    server = None
    if settings.store_url is None:
        server = EmbeddedServer(settings.data_dir, settings.durability)
        if not server.folder.is_dir():
            raise NotFound(
                f"There is no store in {settings.data_dir}.", ["Name one with --data-dir or --store."]
            )
        if server.pid is not None:
            server = None
    try:
        store = open_store(settings)
    except ValueError as error:
        raise UsageError(str(error)) from None
    try:
        yield store
    finally:
        store.close()
        if server is not None:
            server.stop()


def _examined(store: Store) -> Any:
    from stepwell_cli.examination import Examination, examine

    result = Examination()
    columns = (TextColumn("examining partitions"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, console=messages(), transient=True, disable=not messages().is_terminal
    ) as progress:
        task = progress.add_task("examine", total=store.partitions)
        for result in examine(store, time.time_ns() // 1_000_000):
            progress.update(task, completed=len(result.partitions))
    return result


def _document(result: Any) -> dict[str, Any]:
    return {
        "healthy": result.healthy,
        "findings": [finding.document() for finding in result.findings],
        "instances": dict(result.statuses),
        "deadLetters": result.dead_letters,
        "partitions": [
            {
                "partition": info.partition,
                "owner": info.owner,
                "epoch": info.epoch,
                "inbox": info.inbox_lag,
                "outbox": info.outbox_length,
                "timers": info.timers,
                "attempts": info.attempts,
            }
            for info in result.partitions
        ],
    }


def _show(document: dict[str, Any]) -> None:
    partitions = document["partitions"]
    owned = sum(info["owner"] is not None for info in partitions)
    print_fields(
        [
            ("instances", compact(document["instances"])),
            ("partitions", f"{owned} of {len(partitions)} owned"),
            ("waiting records", sum(info["inbox"] for info in partitions)),
            ("timers", sum(info["timers"] for info in partitions)),
            ("pending activities", sum(info["attempts"] for info in partitions)),
            ("dead letters", document["deadLetters"]),
        ]
    )
    for finding in document["findings"]:
        where = finding["instance"] or (
            f"partition {finding['partition']}" if finding["partition"] is not None else "store"
        )
        colour = COLOURS[finding["severity"]]
        console().print(f"[{colour}]{finding['severity']}[/] {escape(where)}: {escape(finding['message'])}")
    if document["healthy"]:
        console().print("[green]Everything that has not ended owns what will carry it on.[/]")
