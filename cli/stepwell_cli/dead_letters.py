"""`dead-letters list|show|replay|discard`: events that could not be used, and what an operator does with them."""

from typing import Annotated, Any

import typer

from stepwell_cli.argument import json_object_argument
from stepwell_cli.command import JsonOption, KeyOption, StepwellCommand, UrlOption
from stepwell_cli.failures import CommandFailed, UsageError
from stepwell_cli.output import compact, print_document, print_fields, print_table, say
from stepwell_cli.server import Server, segment

PAGE = 200
Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="Dead letters.", show_default=False)]


def add_to(app: typer.Typer) -> None:
    """Register the group."""
    group = typer.Typer(help="Events that could not be used.", no_args_is_help=True)
    group.command("list", cls=StepwellCommand)(list_all)
    group.command("show", cls=StepwellCommand)(show)
    group.command("replay", cls=StepwellCommand)(replay)
    group.command("discard", cls=StepwellCommand)(discard)
    app.add_typer(group, name="dead-letters")


def list_all(
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """List dead letters, newest first."""
    items: list[dict[str, Any]] = []
    with Server(url, key) as server:
        for page in server.pages("/dead-letters", limit=min(limit, PAGE)):
            items += page["items"]
            if len(items) >= limit:
                break
    items = items[:limit]
    if as_json:
        print_document({"items": items})
        return
    rows = [
        (item["id"], item["at"], item["reason"], item.get("type"), item.get("device"), item.get("message"))
        for item in items
    ]
    print_table(("ID", "AT", "REASON", "TYPE", "DEVICE", "MESSAGE"), rows, "There are no dead letters.")


def show(
    letter: Annotated[str, typer.Argument(metavar="ID", help="The dead letter.", show_default=False)],
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one dead letter with all that was received."""
    with Server(url, key) as server:
        answer = server.get(f"/dead-letters/{segment(letter)}")
    if as_json:
        print_document(answer)
        return
    names = ("id", "at", "reason", "message", "attempts", "eventId", "source", "type", "device")
    print_fields((name, answer.get(name)) for name in names)
    event = answer.get("event")
    print_fields([("event", compact(event) if event is not None else None), ("raw", answer.get("raw"))])


def replay(
    letters: Ids,
    event: Annotated[
        str | None, typer.Option("--event", help="Send this in its place: JSON, @file, or -.")
    ] = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send dead letters again, as they came or (one) with a mended event."""
    if event is not None and len(letters) != 1:
        raise UsageError("--event goes with exactly one dead letter")
    body = {"event": json_object_argument(event, "--event")} if event is not None else {}
    _act_on_each(letters, "replay", body, url, key, as_json)


def discard(
    letters: Ids,
    reason: Annotated[str, typer.Option("--reason", help="Why they may go; kept in the audit.")],
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove dead letters for good."""
    _act_on_each(letters, "discard", {"reason": reason}, url, key, as_json)


def _act_on_each(
    letters: list[str], act: str, body: dict[str, Any], url: str | None, key: str | None, as_json: bool
) -> None:
    items: list[dict[str, Any]] = []
    with Server(url, key) as server:
        for letter in letters:
            try:
                answer = server.post(f"/dead-letters/{segment(letter)}/{act}", body)
            except CommandFailed as failure:
                done = [item["deadLetter"] for item in items]
                if done:
                    failure.details.append(f"Done before it: {', '.join(done)}")
                raise
            items.append({"deadLetter": letter, **(answer if isinstance(answer, dict) else {})})
    if as_json:
        print_document({"items": items})
        return
    done_word = {"replay": "replayed", "discard": "discarded"}[act]
    for item in items:
        print_fields([(done_word, item["deadLetter"]), ("disposition", item.get("disposition"))])
    say(f"{len(items)} {done_word}")
