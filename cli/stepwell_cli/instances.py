"""`start`, `status`, `history`, `cancel`, `raise`, `release`: what one does with instances."""

import time
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any

import typer

from stepwell_cli.argument import json_argument
from stepwell_cli.command import JsonOption, KeyOption, StepwellCommand, UrlOption
from stepwell_cli.failures import CommandFailed, UsageError
from stepwell_cli.history_lines import event_lines, history_lines
from stepwell_cli.output import compact, console, print_document, print_fields, print_table, say
from stepwell_cli.server import Server, segment

PAGE = 200
FIRST_LOOK_SECONDS = 0.05
LONGEST_LOOK_SECONDS = 1.0


class HistoryForm(StrEnum):
    """What `--format` of `history` takes."""

    STEPWELL = "stepwell"
    AWS = "aws"


InstanceArgument = Annotated[str, typer.Argument(metavar="ID", help="The instance.", show_default=False)]
StatusFilter = Annotated[
    list[str] | None,
    typer.Option(
        "--status",
        help="pending, running, succeeded, failed, timedOut, cancelled or quarantined; may be repeated.",
    ),
]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("start", cls=StepwellCommand)(start)
    app.command("status", cls=StepwellCommand)(status)
    app.command("history", cls=StepwellCommand)(history)
    app.command("cancel", cls=StepwellCommand)(cancel)
    app.command("raise", cls=StepwellCommand)(raise_event)
    app.command("release", cls=StepwellCommand)(release)


def start(
    definition: Annotated[
        str, typer.Argument(metavar="TYPE", help="The definition to run.", show_default=False)
    ],
    input: Annotated[str, typer.Option("--input", help="The input: JSON, @file, or - for stdin.")] = "{}",
    device: Annotated[str | None, typer.Option("--device", help="The device it is for.")] = None,
    instance: Annotated[
        str | None, typer.Option("--instance-id", help="An id of your choice; repeating is harmless.")
    ] = None,
    version: Annotated[str | None, typer.Option("--version", help="1.2.0, 1, or latest.")] = None,
    wait_seconds: Annotated[
        float | None,
        typer.Option("--wait", metavar="SECONDS", help="Wait for the end; exit 1 unless it succeeds."),
    ] = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start an instance."""
    body = {
        "type": definition,
        "version": version,
        "input": json_argument(input, "--input"),
        "device": device,
        "instanceId": instance,
    }
    with Server(url, key) as server:
        answer = server.post("/workflows", {name: v for name, v in body.items() if v is not None})
        if wait_seconds is not None:
            answer = wait_for_end(server, answer["instanceId"], wait_seconds)
    if wait_seconds is not None and answer["status"] != "succeeded":
        raise _not_succeeded(answer, as_json)
    if as_json:
        print_document(answer)
    elif wait_seconds is not None:
        _show_instance(answer)
    else:
        console().print(answer["instanceId"], markup=False)
        say(f"{answer['status']}; see `stepwell status {answer['instanceId']}`")


def status(
    instance: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="The instance; without it, a list.")
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="List instances, newest first.")] = False,
    statuses: StatusFilter = None,
    definition: Annotated[str | None, typer.Option("--type", help="Only this definition.")] = None,
    device: Annotated[str | None, typer.Option("--device", help="Only this device.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one instance: where it stands and what it waits for. Or list instances."""
    if instance is not None and (listing or statuses or definition or device):
        raise UsageError("give an instance, or --list with its filters, not both")
    with Server(url, key) as server:
        if instance is not None:
            answer = server.get(f"/workflows/{segment(instance)}")
        else:
            filters = {"status": statuses or None, "type": definition, "device": device}
            answer = {"items": _listed(server, limit, filters)}
    if as_json:
        print_document(answer)
    elif instance is not None:
        _show_instance(answer)
    else:
        rows = [
            (i["instanceId"], i["status"], f"{i['type']} {i['version']}", i.get("device"), i["updated"])
            for i in answer["items"]
        ]
        print_table(("INSTANCE", "STATUS", "DEFINITION", "DEVICE", "UPDATED"), rows, "There are none.")


def history(
    instance: InstanceArgument,
    form: Annotated[
        HistoryForm,
        typer.Option(
            "--format", help="aws: the events of Step Functions, of Amazon States Language instances."
        ),
    ] = HistoryForm.STEPWELL,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what happened to an instance, step by step."""
    if form is HistoryForm.AWS:
        _aws_history(instance, url, key, as_json=as_json)
        return
    with Server(url, key) as server:
        entries = list(history_entries(server, instance))
    if as_json:
        print_document({"instanceId": instance, "items": entries})
        return
    for line in history_lines(entries):
        console().print(line)


def cancel(
    instance: InstanceArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the history.")] = "",
    compensate: Annotated[bool, typer.Option("--compensate", help="Undo first what was done.")] = False,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """End an instance before its time."""
    body = {"reason": reason, "compensate": compensate}
    with Server(url, key) as server:
        answer = server.post(f"/workflows/{segment(instance)}/cancel", body)
    _print_one(answer, as_json, ("instanceId", "status"))


def raise_event(
    instance: InstanceArgument,
    event: Annotated[str, typer.Argument(metavar="EVENT", help="The event's type.", show_default=False)],
    data: Annotated[str, typer.Option("--data", help="Its data: JSON, @file, or - for stdin.")] = "{}",
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send an event to this instance alone."""
    with Server(url, key) as server:
        path = f"/workflows/{segment(instance)}/events/{segment(event)}"
        answer = server.post(path, json_argument(data, "--data"))
    _print_one(answer, as_json, ("instanceId", "event", "disposition"))


def release(
    instance: InstanceArgument,
    discard_held: Annotated[
        bool,
        typer.Option(
            "--discard-held", help="Drop the record that broke the engine; it becomes a dead letter."
        ),
    ] = False,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a quarantined instance go on with what came for it meanwhile."""
    with Server(url, key) as server:
        answer = server.post(f"/workflows/{segment(instance)}/release", {"discardHeld": discard_held})
    _print_one(answer, as_json, ("instanceId", "status", "count", "held", "cause"))


def history_entries(server: Server, instance: str) -> list[dict[str, Any]]:
    """The whole history, page by page."""
    pages = _numbered_pages(server, f"/workflows/{segment(instance)}/history")
    return [entry for page in pages for entry in page["items"]]


def _aws_history(instance: str, url: str | None, key: str | None, *, as_json: bool) -> None:
    with Server(url, key) as server:
        pages = list(_numbered_pages(server, f"/workflows/{segment(instance)}/execution-history"))
    events = [event for page in pages for event in page["events"]]
    truncated = any(page["truncated"] for page in pages)
    if as_json:
        print_document({"instanceId": instance, "events": events, "truncated": truncated})
        return
    for line in event_lines(events):
        console().print(line)
    if truncated:
        say("There is more than can be told in this form; without --format aws all of it is told.")


def _numbered_pages(server: Server, path: str) -> Iterator[Any]:
    following: int | None = None
    while True:
        page = server.get(path, cursor=following, limit=PAGE)
        yield page
        following = page.get("next")
        if following is None:
            return


def wait_for_end(server: Server, instance: str, seconds: float) -> dict[str, Any]:
    """The instance once it has ended. Raises CommandFailed when that takes longer."""
    until = time.monotonic() + seconds
    pause = FIRST_LOOK_SECONDS
    while True:
        answer: dict[str, Any] = server.get(f"/workflows/{segment(instance)}")
        if answer["status"] not in {"pending", "running"}:
            return answer
        if time.monotonic() >= until:
            raise CommandFailed(f"{instance} still runs after {seconds:g} s", document=answer)
        time.sleep(min(pause, max(0.0, until - time.monotonic())))
        pause = min(pause * 1.5, LONGEST_LOOK_SECONDS)


def _listed(server: Server, limit: int, filters: dict[str, Any]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    for page in server.pages("/workflows", limit=min(limit, PAGE), **filters):
        items += page["items"]
        if len(items) >= limit:
            break
    return items[:limit]


def _not_succeeded(answer: dict[str, Any], as_json: bool) -> CommandFailed:
    why = f": {answer['error']}: {answer.get('cause') or 'no cause given'}" if answer.get("error") else ""
    message = f"{answer['instanceId']} {answer['status']}{why}"
    return CommandFailed(message, document=answer if as_json else None)


def _show_instance(answer: dict[str, Any]) -> None:
    error = answer.get("error")
    print_fields(
        [
            ("instance", answer["instanceId"]),
            ("status", answer["status"]),
            ("definition", f"{answer['type']} {answer['version']}"),
            ("device", answer.get("device")),
            ("parent", answer.get("parent")),
            ("created", answer["created"]),
            ("updated", answer["updated"]),
            ("ended", answer.get("ended")),
            ("error", f"{error}: {answer.get('cause') or 'no cause given'}" if error else None),
            ("custom status", answer.get("customStatus")),
            ("input", compact(answer.get("input"))),
            ("state", compact(answer.get("state"))),
            ("output", compact(answer["output"]) if answer.get("output") is not None else None),
        ]
    )
    for position in answer.get("currentStates", []):
        branch = f" (branch {position['branch']})" if position.get("branch") else ""
        print_fields(
            [("stands in", f"{position['name']}{branch}, {position['phase']} since {position['entered']}")]
        )
    for wait in answer.get("openWaits", []):
        match = f" with {compact(wait['match'])}" if wait.get("match") else ""
        due = f", until {wait['due']}" if wait.get("due") else ""
        print_fields([("waits for", f"{wait['event']}{match}{due} (state {wait['state']})")])


def _print_one(answer: dict[str, Any], as_json: bool, names: tuple[str, ...]) -> None:
    if as_json:
        print_document(answer)
        return
    print_fields((name, answer.get(name)) for name in names)
