"""`stepwell simulate`: runs a definition in virtual time with given outcomes and events, and shows what happens."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.markup import escape
from stepwell_interpreter.simulation.errors import (
    DefinitionRefused,
    InputRefused,
    MockRefused,
    SimulationError,
    UnmockedTask,
)
from stepwell_interpreter.simulation.simulate import Simulation, simulate
from stepwell_schemas.durations import format_ms
from stepwell_schemas.source_text import SyntaxFault
from stepwell_schemas.yaml_reader import read_yaml

from stepwell_cli.argument import json_argument, read_definition, read_file, refuse_stdin_twice
from stepwell_cli.check_command import ModulesOption, TypeOption, known_activities
from stepwell_cli.command import JsonOption, StepwellCommand
from stepwell_cli.failures import CommandFailed, UsageError
from stepwell_cli.history_lines import event_lines, history_lines
from stepwell_cli.output import compact, console, counted, print_document, print_fields, say
from stepwell_cli.resources import ResourcesOption, resource_table

GOOD = ("succeeded", "SUCCEEDED")
STANDING = ("running", "RUNNING")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("simulate", cls=StepwellCommand)(simulate_file)


def simulate_file(
    file: Annotated[
        Path, typer.Argument(help="A definition of either dialect; - is stdin.", show_default=False)
    ],
    input: Annotated[
        str | None, typer.Option("--input", help="The input: JSON, @file, or - for stdin.")
    ] = None,
    tasks: Annotated[
        Path | None, typer.Option("--tasks", help="Outcomes of the tasks: YAML or JSON, by state.")
    ] = None,
    events: Annotated[
        Path | None, typer.Option("--events", help="Events with their times: a YAML or JSON list, or NDJSON.")
    ] = None,
    now: Annotated[str | None, typer.Option("--now", help="When it begins: 2026-01-31T12:00:00Z.")] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="When to stop: a moment, or PT48H from the beginning.")
    ] = None,
    workflows: Annotated[
        list[Path] | None, typer.Option("--workflow", help="A definition of a child workflow, by its id.")
    ] = None,
    device: Annotated[str | None, typer.Option("--device", help="The instance's device.")] = None,
    type: TypeOption = None,
    resources: ResourcesOption = None,
    modules: ModulesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a definition without a server, in virtual time: given outcomes instead of workers, given events.

    Exit code 0 when the workflow succeeds, or still stands at --until; 1 when it fails or cannot be run, 2 when a file,
    the input, an outcome or a moment is wrong.
    """
    refuse_stdin_twice(file, input, tasks, events, *(workflows or []))
    try:
        result = simulate(
            read_definition(file),
            **({} if input is None else {"input": json_argument(input, "--input")}),
            tasks=None if tasks is None else _read(tasks),
            events=None if events is None else _read_events(events),
            now=now,
            until=until,
            workflows=_children(workflows or []),
            activities=known_activities(modules),
            device=device,
            type=None if type is None else type.value,
            resources=resource_table(resources),
            file=str(file),
        )
    except SimulationError as error:
        raise _failure(file, error) from None
    if as_json:
        print_document(_document(result))
    else:
        _show(result)
    if result.status not in GOOD and not (until is not None and result.status in STANDING):
        raise typer.Exit(CommandFailed.exit_code)


def _failure(file: Path, error: SimulationError) -> CommandFailed:
    match error:
        case DefinitionRefused():
            wrong = [str(problem) for problem in error.problems if problem.severity == "error"]
            return CommandFailed(f"{file} cannot run", wrong)
        case InputRefused() | MockRefused():
            return UsageError(str(error))
        case UnmockedTask():
            return CommandFailed(error.found, _outcome_wanted(error.state))
        case _:
            return CommandFailed(str(error))


def _outcome_wanted(state: str) -> list[str]:
    example = yaml.safe_dump({state: [{"output": {}}]}, allow_unicode=True, width=1000).rstrip()
    return [
        "Give it with --tasks FILE, a YAML file such as",
        *(f"    {line}" for line in example.splitlines()),
        "Instead of output also error and cause, or timed_out: true; for a child also --workflow FILE.",
    ]


def _document(result: Simulation) -> dict[str, Any]:
    return {
        "status": result.status,
        "output": result.output,
        "error": result.error,
        "cause": result.cause,
        "state": result.state,
        "now": format_ms(result.now_ms),
        "waits": result.waits,
        "events": result.events,
        "unused": result.unused,
        "history": result.history,
    }


def _show(result: Simulation) -> None:
    for line in _timeline(result):
        console().print(line)
    console().print()
    print_fields(
        [
            ("status", result.status),
            ("at", format_ms(result.now_ms)),
            ("output", None if result.error else result.output),
            ("error", result.error),
            ("cause", result.cause),
            ("state", result.state or None),
        ]
    )
    for wait in result.waits:
        rest = {key: value for key, value in wait.items() if key in ("match", "dueMs") and value}
        console().print(
            f"waits for {escape(wait['kind'])} {escape(str(wait['name']))} {escape(compact(rest))}"
        )
    for event in result.events:
        if event["disposition"] not in ("consumed", "started"):
            say(f"event {event['id']} ({event['type']}): {event['disposition']}")
    for state, left in result.unused.items():
        say(f"{counted(left, 'outcome')} of {state} not used")


def _timeline(result: Simulation) -> Iterator[str]:
    entries = result.history
    if entries and "record" in entries[0]:
        yield from history_lines(entries)
        return
    yield from event_lines(entries)


def _children(paths: Sequence[Path]) -> dict[str, bytes]:
    """Definitions of child workflows by their ids. Raises UsageError for a file that has none."""
    found: dict[str, bytes] = {}
    for path in paths:
        content = read_definition(path)
        document = _parsed(content, path)
        id = document.get("id") if isinstance(document, Mapping) else None
        if not isinstance(id, str):
            raise UsageError(
                f"{path}: a child's definition has an id, by which a task names it; here is none"
            )
        found[id] = content
    return found


def _read(path: Path) -> Any:
    """A file's YAML or JSON. Raises UsageError, saying where it is wrong."""
    return _parsed(read_file(path), path)


def _parsed(content: bytes, path: Path) -> Any:
    try:
        value, _, _ = read_yaml(content.decode())
    except SyntaxFault as fault:
        place = ":".join(str(part) for part in (path, fault.line, fault.column) if part is not None)
        raise UsageError(f"{place}: {fault.message}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: not a text in UTF-8") from None
    return value


def _read_events(path: Path) -> list[Any]:
    if path.suffix in (".ndjson", ".jsonl"):
        lines = read_file(path).decode("utf-8", "replace").splitlines()
        return [
            json_argument(line, f"{path}:{number}") for number, line in enumerate(lines, 1) if line.strip()
        ]
    found = _read(path)
    if isinstance(found, Mapping) and isinstance(found.get("events"), list):
        found = found["events"]
    if not isinstance(found, list):
        raise UsageError(f"{path}: a list of events is needed")
    return found
