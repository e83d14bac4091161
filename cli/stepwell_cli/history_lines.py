"""A history as lines that a person reads: our entries (their form is given in docs/decisions/0001), or AWS's events."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from rich.markup import escape

from stepwell_cli.output import compact

LONGEST = 160
GOOD = ("Succeeded",)
BAD = ("Failed", "TimedOut", "Aborted", "Lost")


def history_lines(entries: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Rich markup: a line for each record with its cause, and one for each step it led to."""
    for entry in entries:
        record = entry.get("record") or {}
        head = f"[bold]{entry.get('n', '?'):>4}[/]  {clock(entry.get('t'))}  {escape(_cause(record))}"
        yield head
        for step in entry.get("trace", []):
            yield f"        {_step(step)}"


def event_lines(events: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Rich markup: a line for each event of GetExecutionHistory; its moment in seconds, where it is told."""
    for event in events:
        details: dict[str, Any] = next(
            (value for key, value in event.items() if key.endswith("EventDetails")), {}
        )
        name = f" {details['name']}" if "name" in details else ""
        rest = {key: value for key, value in details.items() if key != "name"}
        shown = f" [dim]{escape(_shortened(compact(rest)))}[/]" if rest else ""
        when = f"{clock(round(event['timestamp'] * 1_000))}  " if "timestamp" in event else ""
        yield f"[bold]{event['id']:>4}[/]  {when}[cyan]{escape(event['type'])}[/]{escape(name)}{shown}"


def clock(time_ms: int | None) -> str:
    """Epoch milliseconds as date and time in UTC."""
    if time_ms is None:
        return "-"
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{time_ms % 1000:03d}"


def _cause(record: dict[str, Any]) -> str:
    match record.get("kind"):
        case "EventOffered":
            event = record.get("event") or {}
            return f"event {event.get('type')} ({event.get('source')}, {event.get('id')})"
        case "ActivityCompleted":
            return f"activity completed, attempt {record.get('attempt')}"
        case "ActivityFailed":
            return f"activity failed, attempt {record.get('attempt')}: {record.get('error')}"
        case "AttemptLost":
            return f"attempt {record.get('attempt')} lost: {record.get('reason')}"
        case "TimerFired":
            return f"timer {record.get('timer')} fired"
        case "ChildEnded":
            return f"child {record.get('child')} ended: {record.get('status')}"
        case "CancelRequested":
            return f"cancelled by {record.get('actor') or 'someone'}: {record.get('reason') or 'no reason given'}"
        case "InstanceStarted":
            return "started by an event" if record.get("event") else "started"
        case kind:
            return str(kind or "?")


def _step(step: dict[str, Any]) -> str:
    kind = str(step.get("type", "?"))
    colour = "red" if kind.endswith(BAD) else "green" if kind.endswith(GOOD) else "cyan"
    rest = {name: value for name, value in step.items() if name not in {"type", "state", "frame"}}
    shown = _shortened(compact(rest)) if rest else ""
    state = f" {step['state']}" if step.get("state") else ""
    return f"[{colour}]{escape(kind)}[/]{escape(state)} [dim]{escape(shown)}[/]"


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
