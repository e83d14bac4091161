"""What the demo shows: a line for each step as it happens, where each device stands, and a table in the end.

On a terminal the standings stay below the lines; elsewhere there are the lines only.
"""

import time
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from stepwell_cli.demo_story import STORIES, Story, Told
from stepwell_cli.output import STATUS_COLOURS, console

COLOURS = ("cyan", "yellow", "magenta")
PLAIN_WIDTH = 120


class Show:
    """Follows the devices' histories. `quiet` shows nothing."""

    def __init__(self, quiet: bool) -> None:
        terminal = console()
        width = None if terminal.is_terminal else PLAIN_WIDTH
        self._console = Console(file=terminal.file, highlight=False, quiet=quiet, width=width)
        self._live: Live | None = None
        self._started = time.monotonic()
        self._shown: dict[str, int] = {}
        self._standing: dict[str, str] = {}

    def __enter__(self) -> "Show":
        if self._console.is_terminal and not self._console.quiet:
            self._live = Live(self._standings(), console=self._console, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def say(self, text: str) -> None:
        """A line about the demo itself."""
        self._console.print(f"[dim]{self._clock()}[/]  {escape(text)}")

    def begin(self, story: Story) -> None:
        """The device's first events are pushed now."""
        kinds = ", ".join(kind for kind, _ in story.events)
        self._line(story, f"({story.title}) sends {kinds}")

    def update(self, story: Story, instance: dict[str, Any], history: list[dict[str, Any]]) -> None:
        """Show the steps that are new."""
        self._standing[story.device] = _standing(instance)
        if self._live is not None:
            self._live.update(self._standings())
        steps = [step for entry in history for step in entry.get("trace", [])]
        for step in steps[self._shown.get(story.device, 0) :]:
            text = sentence(step)
            if text is not None:
                self._line(story, text)
        self._shown[story.device] = len(steps)

    def summary(self, results: dict[str, Told]) -> None:
        """The table in the end."""
        table = Table(title="What became of the devices", title_justify="left", show_lines=True)
        for column in ("device", "path", "outcome", "events", "undone"):
            table.add_column(column, overflow="fold")
        for story in STORIES:
            result = results[story.device]
            colour = STATUS_COLOURS.get(result.status, "white")
            error = f"\n{result.error}" if result.error else ""
            table.add_row(
                f"{story.device}\n[dim]{escape(story.title)}[/]",
                escape(" → ".join(result.path)),
                f"[{colour}]{result.status}[/]{escape(error)}",
                str(result.accumulated),
                escape("\n".join(result.undone) or "nothing"),
            )
        self._console.print(table)

    def _line(self, story: Story, text: str) -> None:
        colour = COLOURS[STORIES.index(story) % len(COLOURS)]
        self._console.print(f"[dim]{self._clock()}[/]  [{colour}]{story.device}[/]  {escape(text)}")

    def _clock(self) -> str:
        return f"{time.monotonic() - self._started:6.2f} s"

    def _standings(self) -> Table:
        table = Table(box=None, show_header=False)
        for number, story in enumerate(STORIES):
            standing = self._standing.get(story.device, "has sent its first events")
            table.add_row(f"[{COLOURS[number % len(COLOURS)]}]{story.device}[/]", escape(standing))
        return table


def sentence(step: dict[str, Any]) -> str | None:
    """A step of the trace in words; None for those that say nothing new."""
    state = step.get("state", "")
    match step["type"]:
        case "ExecutionStarted":
            return "workflow started"
        case "TaskScheduled":
            return f"{state}: runs {step.get('activity')}"
        case "TaskSucceeded":
            return f"{state}: done"
        case "TaskFailed":
            return f"{state}: failed: {step.get('error')}: {_first_line(step.get('cause'))}"
        case "TaskRetried":
            return f"{state}: will be tried again"
        case "WaitStateEntered":
            return f"{state}: waits for an event"
        case "EventReceived":
            return f"{state}: takes {step.get('eventType')}"
        case "WaitTimedOut":
            return f"{state}: nobody came in time"
        case "CompensationStateEntered":
            return f"{state}: undoes what was done, newest first"
        case "CompensationStepSucceeded":
            return f"{state}: {step['undo']['activity']} done (it undoes {step['undo']['state']})"
        case "CompensationStepFailed":
            return f"{state}: {step['undo']['activity']} failed: {step.get('error')}"
        case "ExecutionSucceeded" | "ExecutionFailed" | "ExecutionTimedOut" | "ExecutionAborted" as kind:
            error = f": {step['error']}" if step.get("error") else ""
            return f"workflow {kind.removeprefix('Execution').lower()}{error}"
        case _:
            return None


def _first_line(text: Any) -> str:
    return str(text or "").partition("\n")[0]


def _standing(instance: dict[str, Any]) -> str:
    if instance["status"] not in {"pending", "running"}:
        return str(instance["status"])
    waits = [f"waits for {wait['event']}" for wait in instance.get("openWaits", [])]
    states = [state["name"] for state in instance.get("currentStates", [])]
    return f"in {', '.join(states)}; {', '.join(waits)}" if waits else f"in {', '.join(states)}"
