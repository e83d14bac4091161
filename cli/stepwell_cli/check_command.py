"""`stepwell check`: what is wrong with definitions, on this machine, as text, JSON or SARIF."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from stepwell.testing import descriptions
from stepwell_activities.errors import RegistryError
from stepwell_activities.registry import discover
from stepwell_interpreter.simulation.report import Report, check
from stepwell_schemas.catalog import ActivityDescription
from stepwell_schemas.problems import printable

from stepwell_cli.argument import read_definition
from stepwell_cli.command import StepwellCommand
from stepwell_cli.definitions import COLOURS, files_in
from stepwell_cli.failures import CommandFailed
from stepwell_cli.output import console, harmless, print_document
from stepwell_cli.resources import ResourcesOption, resource_table
from stepwell_cli.sarif import sarif_log


class ReportFormat(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


class MachineType(StrEnum):
    """Which kind of state machine an Amazon States Language definition is for."""

    STANDARD = "STANDARD"
    EXPRESS = "EXPRESS"


TypeOption = Annotated[
    MachineType | None, typer.Option("--type", help="For Amazon States Language definitions.")
]
ModulesOption = Annotated[
    list[str] | None,
    typer.Option("--activities", help="A module (or file.py) with activities that the definitions may use."),
]


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("check", cls=StepwellCommand)(check_files)


def check_files(
    files: Annotated[
        list[Path], typer.Argument(help="Definitions of either dialect (- is stdin), or folders of them.")
    ],
    format: Annotated[
        ReportFormat, typer.Option("--format", help="How findings are printed.")
    ] = ReportFormat.TEXT,
    modules: ModulesOption = None,
    type: TypeOption = None,
    resources: ResourcesOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail the check, too.")] = False,
) -> None:
    """Check definitions without a server: all that an upload is checked for, with file, line and column.

    With --activities the names and inputs of activities are checked against those modules and the built-in ones.
    Exit code 1 when there is an error (with --strict: or a warning).
    """
    known = known_activities(modules)
    table = resource_table(resources)
    reports = [(file, _checked(file, known, type, table)) for file in dict.fromkeys(files_in(files))]
    match format:
        case ReportFormat.TEXT:
            for file, report in reports:
                _show(file, report)
        case ReportFormat.JSON:
            print_document(_document(reports))
        case ReportFormat.SARIF:
            print_document(sarif_log((file, report.problems) for file, report in reports))
    refused = [file for file, report in reports if not report.accepted or (strict and _warns(report))]
    if refused:
        if format is ReportFormat.TEXT:
            names = ", ".join(str(file) for file in refused)
            raise CommandFailed(f"{len(refused)} of {len(reports)} not in order: {names}")
        raise typer.Exit(CommandFailed.exit_code)


def known_activities(modules: Sequence[str] | None) -> dict[str, ActivityDescription] | None:
    """The activities of the named modules and the built-in ones; None where none are named."""
    if not modules:
        return None
    try:
        return descriptions(discover(modules))
    except RegistryError as error:
        raise CommandFailed(f"The activities are not right: {error}") from None


def _checked(
    file: Path,
    known: dict[str, ActivityDescription] | None,
    type: MachineType | None,
    resources: dict[str, str] | None,
) -> Report:
    return check(
        read_definition(file),
        known,
        type=None if type is None else type.value,
        resources=resources,
        file=str(file),
    )


def _document(reports: Sequence[tuple[Path, Report]]) -> dict[str, Any]:
    return {
        "accepted": all(report.accepted for _, report in reports),
        "files": [{"file": str(file), **report.as_document()} for file, report in reports],
    }


def _warns(report: Report) -> bool:
    return any(problem.severity == "warning" for problem in report.problems)


def _show(file: Path, report: Report) -> None:
    for problem in report.problems:
        place = ":".join(str(part) for part in (file, problem.line, problem.column) if part is not None)
        at = f" at {printable(problem.pointer)}" if problem.pointer else ""
        colour = COLOURS[problem.severity]
        text = harmless(problem.told(f"{at} [{problem.code}]"))
        console().print(f"{escape(place)}: [{colour}]{problem.severity}[/]: {text}")
        if problem.help:
            console().print(f"    {harmless(problem.help)}")
    if report.accepted:
        name = " ".join(part for part in (report.id, report.version) if part) or "the definition"
        console().print(f"{escape(str(file))}: [green]{escape(name)} is in order[/]")
