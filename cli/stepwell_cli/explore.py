"""`stepwell explore`: walks every order of outcomes, timeouts and events of a definition and tells what goes wrong.

Exit codes: 0 nothing is wrong, 1 something is, 3 nothing was found but a bound was hit before all was walked.
"""

import gc
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.markup import escape
from stepwell.testing import descriptions
from stepwell_activities.builtin import builtin_registry
from stepwell_interpreter.compile import Compiled, compile_source
from stepwell_interpreter.exploration.explore import explore
from stepwell_interpreter.exploration.report import Bounds, Exploration, Finding, Stimulus
from stepwell_interpreter.simulation.errors import InputRefused
from stepwell_schemas.catalog import ActivityDescription

from stepwell_cli.argument import json_argument, read_definition, refuse_stdin_twice
from stepwell_cli.check_command import ModulesOption, known_activities
from stepwell_cli.command import JsonOption, StepwellCommand
from stepwell_cli.failures import CommandFailed, UsageError
from stepwell_cli.output import compact, console, print_document, say
from stepwell_cli.resources import ResourcesOption, resource_table

NOT_COMPLETE = 3
QUIET_SECONDS = 2.0
MOST_SHOWN = 20
"""Findings and places shown to a person; --json has all."""


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("explore", cls=StepwellCommand)(explore_file)


def explore_file(
    file: Annotated[Path, typer.Argument(help="A definition; - is stdin.", show_default=False)],
    modules: ModulesOption = None,
    states: Annotated[int, typer.Option("--states", min=1, help="Stop after so many states.")] = 100_000,
    depth: Annotated[int, typer.Option("--depth", min=1, help="Stop after so many steps.")] = 1_000,
    retries: Annotated[
        int, typer.Option("--retries", min=0, max=10, help="Retries after which a policy counts as used up.")
    ] = 1,
    values: Annotated[
        int,
        typer.Option("--values", min=1, max=100, help="So many different outputs and event data are tried."),
    ] = 6,
    cancel: Annotated[bool, typer.Option("--cancel", help="The instance may be cancelled, too.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as violations.")] = False,
    folder: Annotated[
        Path | None, typer.Option("-o", "--output", help="A folder for counter-examples as scenario files.")
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", help="An input to begin with: JSON, @file, or - for stdin; may be repeated."),
    ] = None,
    resources: ResourcesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Walk everything that can happen to an instance and look for a run that breaks something.

    Looks for states that cannot be left, loops without end, lost compensations, and runs that break what the
    definition itself asserts (`assert:`). Exit code 1 when there is one; 3 when a bound was hit before all was walked.
    """
    refuse_stdin_twice(file, *(inputs or []))
    given = None if not inputs else [json_argument(each, "--input") for each in inputs]
    compiled = _compiled(file, known_activities(modules), resource_table(resources))
    bounds = Bounds(states=states, depth=depth, retries=retries, values=values, cancel=cancel)
    known = known_activities(modules) or descriptions(builtin_registry())
    # A walk makes no cycles but very many small objects: looking through them for garbage would take half the time.
    gc.disable()
    try:
        result = explore(compiled, activities=known, inputs=given, bounds=bounds, progress=_progress())
    except InputRefused as refused:
        raise UsageError(f"--input: {refused}") from None
    finally:
        gc.enable()
    written = _write(folder, file, result, strict=strict) if folder is not None else {}
    if as_json:
        print_document(_document(file, compiled, result, written))
    else:
        _show(file, result, written)
    if result.violations or (strict and result.warnings):
        raise typer.Exit(CommandFailed.exit_code)
    if not result.complete:
        raise typer.Exit(NOT_COMPLETE)


def _compiled(
    file: Path, known: Mapping[str, ActivityDescription] | None, resources: dict[str, str] | None
) -> Compiled:
    compiled = compile_source(
        read_definition(file), activities=known, file=str(file), resources=resources, anonymous=True
    )
    if not compiled.accepted:
        wrong = [str(problem) for problem in compiled.problems if problem.severity == "error"]
        raise CommandFailed(f"{file} cannot run", wrong)
    return compiled


def _progress() -> Callable[[int, int], None]:
    """Tells how far it is, at most every few seconds."""
    last = time.monotonic()

    def progress(states: int, waiting: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= QUIET_SECONDS:
            last = now
            say(f"{states:,} states, {waiting:,} of them still to be gone on from")

    return progress


def _write(folder: Path, file: Path, result: Exploration, *, strict: bool) -> dict[int, str]:
    """Write the counter-examples; number of the finding (violations first) -> file."""
    written: dict[int, str] = {}
    shown = [*result.violations, *(result.warnings if strict else ())]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number, finding in enumerate(shown):
            if finding.scenario is None:
                continue
            target = folder / f"{file.stem}-{number + 1}-{finding.code}.tests.yaml"
            content = {"definition": os.path.relpath(file, folder), "tests": [dict(finding.scenario)]}
            target.write_text(
                yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
            )
            written[number] = str(target)
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror or error}") from None
    return written


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks, equal parts written out."""

    def ignore_aliases(self, data: Any) -> bool:
        """No anchors: people read this."""
        return True


def _block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _block)


def _show(file: Path, result: Exploration, written: Mapping[int, str]) -> None:
    out = console()
    for kind, colour, findings, first in (
        ("violation", "red", result.violations, 0),
        ("warning", "yellow", result.warnings, len(result.violations)),
    ):
        for place, finding in enumerate(findings[:MOST_SHOWN], first):
            out.print(f"[{colour}]{kind}[/]: {escape(finding.message)} {escape(f'[{finding.code}]')}")
            for number, stimulus in enumerate(finding.trace, 1):
                out.print(escape(f"  {number:3}. {_line(stimulus)}"))
            if finding.help:
                out.print(f"    {escape(finding.help)}")
            if place in written:
                out.print(f"    counter-example: {escape(written[place])}")
        if len(findings) > MOST_SHOWN:
            out.print(f"  and {len(findings) - MOST_SHOWN} more; --json has all")
    unreached = result.coverage.unreached
    if unreached and result.complete:
        shown = ", ".join(unreached[:MOST_SHOWN])
        out.print(f"[yellow]not reached[/]: {escape(shown)}")
    ends = ", ".join(f"{count:,} {status}" for status, count in sorted(result.coverage.statuses.items()))
    size = f"{result.states:,} states, {result.transitions:,} transitions, {result.depth} deep"
    out.print(f"{escape(str(file))}: {size}; ends: {ends or 'none'}")
    if not result.complete:
        why = f"the bound --{result.stopped_by} was hit"
        if result.stopped_by == "work":
            why = "loops without a wait make too many steps"
        out.print(f"[yellow]not all was walked[/]: {why}")
    elif result.sound:
        out.print("[green]nothing is wrong[/] in all that can happen within the bounds")


def _line(stimulus: Stimulus) -> str:
    value = "" if stimulus.value is None else f" {compact(stimulus.value)}"
    short = value if len(value) <= 100 else value[:97] + "..."
    return f"{stimulus.text}{short} -> {', '.join(stimulus.leads_to)}"


def _document(
    file: Path, compiled: Compiled, result: Exploration, written: Mapping[int, str]
) -> dict[str, Any]:
    assert compiled.program is not None
    return {
        "file": str(file),
        "id": compiled.program.id,
        "version": compiled.program.version,
        "states": result.states,
        "transitions": result.transitions,
        "depth": result.depth,
        "complete": result.complete,
        "stoppedBy": result.stopped_by,
        "violations": _findings(result.violations, written, 0),
        "warnings": _findings(result.warnings, written, len(result.violations)),
        "coverage": {
            "states": dict(result.coverage.states),
            "unreached": list(result.coverage.unreached),
            "transitions": sorted(result.coverage.transitions),
            "ends": dict(result.coverage.statuses),
        },
    }


def _findings(findings: Sequence[Finding], written: Mapping[int, str], first: int) -> list[dict[str, Any]]:
    return [
        {
            "code": finding.code,
            "message": finding.message,
            "assertion": finding.assertion,
            "status": finding.status,
            "states": list(finding.states),
            "help": finding.help,
            "trace": [_stimulus(stimulus) for stimulus in finding.trace],
            "scenario": finding.scenario,
            "file": written.get(place),
        }
        for place, finding in enumerate(findings, first)
    ]


def _stimulus(stimulus: Stimulus) -> dict[str, Any]:
    return {
        "kind": stimulus.kind,
        "text": stimulus.text,
        "atMs": stimulus.at_ms,
        "state": stimulus.state,
        "iteration": list(stimulus.iteration),
        "name": stimulus.name,
        "value": stimulus.value,
        "error": stimulus.error,
        "leadsTo": list(stimulus.leads_to),
    }
