"""`push` and `trace`: events on their way in, and what became of them."""

import socket
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from stepwell_schemas.cloudevents import EventRejected, parse_event

from stepwell_cli.argument import json_argument, read_file
from stepwell_cli.command import JsonOption, KeyOption, StepwellCommand, UrlOption
from stepwell_cli.failures import CommandFailed, UsageError
from stepwell_cli.output import messages, print_document, print_fields, say
from stepwell_cli.server import Server, segment

BATCH_EVENTS = 500
BATCH_BYTES = 512 * 1024
SHOWN_REFUSALS = 20


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("push", cls=StepwellCommand)(push)
    app.command("trace", cls=StepwellCommand)(trace)


def push(
    file: Annotated[
        Path | None,
        typer.Argument(help="CloudEvents: a JSON object or array, or one per line (NDJSON); - is stdin."),
    ] = None,
    type: Annotated[str | None, typer.Option("--type", help="One event: its type.")] = None,
    device: Annotated[str | None, typer.Option("--device", help="Its device (the subject).")] = None,
    data: Annotated[str | None, typer.Option("--data", help="Its data: JSON, @file, or -.")] = None,
    id: Annotated[str | None, typer.Option("--id", help="Its id; a new one by default.")] = None,
    source: Annotated[str | None, typer.Option("--source", help="Who sends it.")] = None,
    time: Annotated[str | None, typer.Option("--time", help="The producer's time (RFC 3339).")] = None,
    sequence: Annotated[int | None, typer.Option("--sequence", help="Its number at the device.")] = None,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Push the good events of a file that has wrong ones too.")
    ] = False,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Push events: one made of options, or all of a file or stdin. Answered when they are durable.

    Pushing the same id from the same source again is harmless. When an event is wrong nothing is pushed
    (but see --keep-going), each is told with its number, and the exit code is 1. A file has at most 256 MiB.
    """
    options: dict[str, Any] = {
        "data": data,
        "id": id,
        "source": source,
        "time": time,
        "sequence": sequence,
        "device": device,
    }
    if file is not None:
        given = [name for name, value in {**options, "type": type}.items() if value is not None]
        if given:
            raise UsageError(f"give a file or the options of one event, not both: --{given[0]}")
        lines = event_lines(read_file(file), str(file))
    else:
        if type is None:
            raise UsageError("name a file (or - for stdin), or give the --type of one event")
        lines = [orjson.dumps(_event(type, **options))]
    good, refused = checked(lines)
    items: list[dict[str, Any]] = []
    if good and (keep_going or not refused):
        with Server(url, key) as server:
            items = _push_all(server, good)
    _report(items, refused, as_json)


def trace(
    event: Annotated[str, typer.Argument(metavar="EVENT-ID", help="The event's id.", show_default=False)],
    source: Annotated[str | None, typer.Option("--source", help="Its source, where ids repeat.")] = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what became of an event, and what it did."""
    with Server(url, key) as server:
        answer = server.get(f"/events/{segment(event)}", source=source)
    if as_json:
        print_document(answer)
        return
    names = ("id", "source", "device", "disposition", "by", "reason", "sequence", "position")
    print_fields((name, answer.get(name)) for name in names)


def event_lines(content: bytes, name: str) -> list[bytes]:
    """The events of a JSON object, a JSON array, or NDJSON, one JSON text each. Raises UsageError."""
    stripped = content.strip()
    if not stripped:
        raise UsageError(f"{name} is empty")
    if stripped[:1] == b"[":
        try:
            events = orjson.loads(stripped)
        except orjson.JSONDecodeError as error:
            raise UsageError(f"{name} is not JSON: {error}") from None
        return [orjson.dumps(event) for event in events]
    try:
        return [orjson.dumps(orjson.loads(stripped))]
    except orjson.JSONDecodeError:
        return [line for line in stripped.splitlines() if line.strip()]


def checked(lines: list[bytes]) -> tuple[list[bytes], list[str]]:
    """The events that a server takes, and what is wrong with each of the others, by its number from 1."""
    good: list[bytes] = []
    refused: list[str] = []
    for number, line in enumerate(lines, 1):
        try:
            parse_event(line, 0)
        except EventRejected as error:
            place = f" at {error.pointer}" if error.pointer else ""
            refused.append(f"event {number}{place}: {error.message}")
        else:
            good.append(line)
    return good, refused


def batches(lines: list[bytes]) -> Iterator[list[bytes]]:
    """Batches of bounded count and size, in order. A line alone may be larger: the server judges it."""
    batch: list[bytes] = []
    size = 0
    for line in lines:
        if batch and (len(batch) >= BATCH_EVENTS or size + len(line) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += len(line) + 1
    if batch:
        yield batch


def _event(type: str, *, data: Any, device: Any, **rest: Any) -> dict[str, Any]:
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": rest.pop("id") or str(uuid.uuid4()),
        "source": rest.pop("source") or f"urn:stepwell:cli:{socket.gethostname()}",
        "type": type,
    }
    if device is not None:
        event["subject"] = device
    if data is not None:
        event["data"] = json_argument(data, "--data")
    return {**event, **{name: value for name, value in rest.items() if value is not None}}


def _push_all(server: Server, lines: list[bytes]) -> list[dict[str, Any]]:
    answers: list[dict[str, Any]] = []
    columns = (TextColumn("pushing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    hidden = len(lines) <= BATCH_EVENTS or not sys.stderr.isatty()
    with Progress(*columns, console=messages(), transient=True, disable=hidden) as progress:
        task = progress.add_task("push", total=len(lines))
        for batch in batches(lines):
            answers += _push_batch(server, batch, len(answers))
            progress.advance(task, len(batch))
    return answers


def _push_batch(server: Server, batch: list[bytes], before: int) -> list[dict[str, Any]]:
    try:
        answer = server.request(
            "POST", "/events", content=b"\n".join(batch), headers={"Content-Type": "application/x-ndjson"}
        )
    except CommandFailed as failure:
        if before:
            failure.details.append(f"The first {before} events were accepted; repeating them is harmless.")
        raise
    items: list[dict[str, Any]] = answer["items"]
    return items


def _report(items: list[dict[str, Any]], refused: list[str], as_json: bool) -> None:
    document = {"accepted": len(items), "rejected": len(refused), "items": items, "problems": refused}
    if refused:
        shown = refused[:SHOWN_REFUSALS]
        if len(refused) > SHOWN_REFUSALS:
            shown.append(f"and {len(refused) - SHOWN_REFUSALS} more")
        sent = f"{len(items)} others were pushed" if items else "nothing was pushed"
        raise CommandFailed(f"{len(refused)} events are wrong; {sent}", shown, document=document)
    if as_json:
        print_document(document)
        return
    if len(items) == 1:
        print_fields((name, items[0].get(name)) for name in ("id", "disposition", "device"))
        say(f"see `stepwell trace {items[0].get('id')}`")
    else:
        print_fields([("accepted", len(items))])
