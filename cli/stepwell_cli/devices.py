"""`devices list|show|events`: what has gathered at a device."""

from typing import Annotated, Any

import typer

from stepwell_cli.command import JsonOption, KeyOption, StepwellCommand, UrlOption
from stepwell_cli.history_lines import clock
from stepwell_cli.output import compact, print_document, print_fields, print_table
from stepwell_cli.server import Server, segment

PAGE = 200
DeviceArgument = Annotated[str, typer.Argument(metavar="DEVICE", help="The device.", show_default=False)]
Limit = Annotated[int, typer.Option("--limit", min=1, help="At most so many.")]


def add_to(app: typer.Typer) -> None:
    """Register the group."""
    group = typer.Typer(help="Devices and their accumulated events.", no_args_is_help=True)
    group.command("list", cls=StepwellCommand)(list_all)
    group.command("show", cls=StepwellCommand)(show)
    group.command("events", cls=StepwellCommand)(events)
    app.add_typer(group, name="devices")


def list_all(
    limit: Limit = 100, url: UrlOption = None, key: KeyOption = None, as_json: JsonOption = False
) -> None:
    """List the devices that are known, in no order."""
    items: list[str] = []
    with Server(url, key) as server:
        for page in server.pages("/devices", limit=min(limit, PAGE)):
            items += page["items"]
            if len(items) >= limit:
                break
    if as_json:
        print_document({"items": items[:limit]})
        return
    print_table(("DEVICE",), [(item,) for item in items[:limit]], "No device has sent anything yet.")


def show(
    device: DeviceArgument, url: UrlOption = None, key: KeyOption = None, as_json: JsonOption = False
) -> None:
    """Show one device: its accumulator and what runs for it."""
    with Server(url, key) as server:
        answer = server.get(f"/devices/{segment(device)}")
    if as_json:
        print_document(answer)
        return
    names = ("device", "events", "bytes", "dropped", "rejected", "firstActivity", "lastActivity")
    print_fields((name, answer.get(name)) for name in names)
    print_fields(("running", f"{instance} ({name})") for instance, name in answer.get("running", {}).items())


def events(
    device: DeviceArgument,
    after: Annotated[int, typer.Option("--after", min=0, help="Only those after this number.")] = 0,
    limit: Limit = 100,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """List a device's accumulated events, oldest first."""
    items: list[dict[str, Any]] = []
    following: int | None = after
    with Server(url, key) as server:
        while following is not None and len(items) < limit:
            page = server.get(
                f"/devices/{segment(device)}/events", cursor=following, limit=min(limit - len(items), PAGE)
            )
            items += page["items"]
            following = page.get("next")
    if as_json:
        print_document({"device": device, "items": items, "next": following})
        return
    rows = [
        (
            item.get("n"),
            clock(item.get("received")),
            item["type"],
            item["source"],
            item["id"],
            compact(item["data"]),
        )
        for item in items
    ]
    print_table(("N", "RECEIVED", "TYPE", "SOURCE", "ID", "DATA"), rows, f"{device} has no events.")
