"""A history entry as lines that a person reads. The entry's form is given in docs/decisions/0001."""

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
    text = compact(rest) if rest else ""
    shown = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    state = f" {step['state']}" if step.get("state") else ""
    return f"[{colour}]{escape(kind)}[/]{escape(state)} [dim]{escape(shown)}[/]"
