"""`stepwell test`: runs the scenarios of definitions in virtual time and tells what failed and what is covered."""

import os
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.markup import escape
from stepwell.scenario_files import Resources, compiled_with
from stepwell_interpreter.compile import Compiled
from stepwell_interpreter.drawing import DrawingTooLarge
from stepwell_interpreter.scenarios.coverage import Coverage, coverage_of, picture
from stepwell_interpreter.scenarios.results import MARKS

from stepwell_cli.argument import read_definition
from stepwell_cli.collect import collect
from stepwell_cli.command import JsonOption, StepwellCommand
from stepwell_cli.failures import CommandFailed, NothingChosen, UsageError
from stepwell_cli.junit import junit_xml
from stepwell_cli.output import console, counted, print_document, print_error, say
from stepwell_cli.resources import ResourcesOption, resource_table
from stepwell_cli.scenario_pool import FileResult, run_files

COLOURS = {"passed": "green", "failed": "red", "skipped": "yellow", "unusable": "red"}
MAX_JOBS = 64
MOST_NAMED = 20
"""Scenarios that are named where none was chosen."""


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("test", cls=StepwellCommand)(run_tests)


def run_tests(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Scenario files, definitions, or folders of them; this folder where none is named."
        ),
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Option("-k", help="Only scenarios whose name has this text or matches this pattern."),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, max=MAX_JOBS, help="Processes; one per core.")
    ] = None,
    junit: Annotated[Path | None, typer.Option("--junit", help="Write the results as JUnit XML.")] = None,
    coverage: Annotated[
        Literal["text", "json"] | None,
        typer.Option("--coverage", help="Tell which states, transitions and error routes were used."),
    ] = None,
    coverage_svg: Annotated[
        Path | None, typer.Option("--coverage-svg", help="A folder for coloured pictures of the definitions.")
    ] = None,
    min_coverage: Annotated[
        float | None,
        typer.Option(
            "--min-coverage", min=0, max=100, help="Fail where a definition is covered by less (%)."
        ),
    ] = None,
    modules: Annotated[
        list[str] | None,
        typer.Option(
            "--activities", help="A module whose activities' schemas the outcomes are checked against."
        ),
    ] = None,
    resources: ResourcesOption = None,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Name every scenario.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Run scenarios: `tests:` of definitions, and NAME.tests.yaml beside them. No server, virtual time.

    Exit code 1 when a scenario fails or too little is covered, 2 when a file cannot be used, 5 when -k chooses none.
    """
    table = tuple((resource_table(resources) or {}).items())
    files = collect(paths or [])
    found = run_files(files, modules or [], _chooser(pattern), jobs or os.cpu_count() or 1, table)
    wanted = coverage is not None or coverage_svg is not None or min_coverage is not None or junit is not None
    coverages = _coverages(found, table, pictures=coverage_svg) if wanted else []
    if junit is not None:
        problems = {each.file: each.problems for each in found if each.problems}
        _write(junit, junit_xml({each.file: each.results for each in found}, problems, coverages))
    if as_json:
        told = coverages if coverage is not None else None
        print_document(_document(found, told, chosen=pattern is not None))
    else:
        _print(found, verbose=verbose, chosen=pattern is not None)
        _print_coverage(coverages, coverage)
    _end(found, coverages, min_coverage, pattern)


def _chooser(pattern: str | None) -> re.Pattern[str] | None:
    """Texts are looked for as they are where they are no pattern."""
    if pattern is None:
        return None
    try:
        return re.compile(pattern, re.IGNORECASE)
    except re.error:
        return re.compile(re.escape(pattern), re.IGNORECASE)


def _coverages(found: Sequence[FileResult], resources: Resources, *, pictures: Path | None) -> list[Coverage]:
    """One for each definition, over all files with scenarios for it; drawn where a folder for that is named."""
    by_definition: dict[Path, list[FileResult]] = {}
    for each in found:
        if not each.problems:
            by_definition.setdefault(Path(each.definition_file).resolve(), []).append(each)
    made = []
    for path, group in by_definition.items():
        first = group[0]
        compiled = compiled_with(read_definition(path), first.modules, first.definition_file, resources)
        results = [result for each in group for result in each.results]
        made.append(coverage_of(compiled, results, file=first.definition_file))
        if pictures is not None:
            _draw(compiled, made[-1], pictures)
    return made


def _draw(compiled: Compiled, coverage: Coverage, folder: Path) -> None:
    file = folder / f"{coverage.definition}-{coverage.version}.svg"
    try:
        _write(file, picture(compiled, coverage).encode())
    except DrawingTooLarge as error:
        say(f"{coverage.file}: no picture: {error}")


def _write(file: Path, content: bytes) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror or error}") from None


def _print(found: Sequence[FileResult], *, verbose: bool, chosen: bool) -> None:
    out = console()
    for each in found:
        for problem in each.problems:
            out.print(f"[red]{escape(str(problem))}[/]")
        for result in each.results:
            mark = f"[{COLOURS[result.verdict]}]{MARKS[result.verdict]}[/]"
            if verbose or result.failed:
                out.print(f"{mark} {escape(result.place())}: {escape(result.name)}")
            if result.failed:
                out.print(escape(_indented(result.explanation())))
    told = [result for each in found for result in each.results]
    shown = ", ".join(f"{count} {verdict}" for verdict, count in _counts(found).items() if count)
    files = sum(bool(each.results) for each in found)
    if told:
        seconds = sum(result.seconds for result in told)
        out.print(
            f"{counted(len(told), 'scenario')} in {counted(files, 'file')}: {shown} ({seconds:.2f} s of work)"
        )
    elif not chosen and not any(each.problems for each in found):
        say("There is no scenario here: write NAME.tests.yaml beside a definition, or tests: inside it.")


def _counts(found: Sequence[FileResult]) -> dict[str, int]:
    told = [result.verdict for each in found for result in each.results]
    return {verdict: told.count(verdict) for verdict in MARKS}


def _print_coverage(coverages: Sequence[Coverage], form: str | None) -> None:
    if form == "json":
        print_document([each.as_document() for each in coverages])
    elif form == "text":
        for each in coverages:
            console().print(each.text(), markup=False)


def _document(
    found: Sequence[FileResult], coverages: Sequence[Coverage] | None, *, chosen: bool
) -> dict[str, Any]:
    nothing_chosen = chosen and not any(each.results for each in found)
    document: dict[str, Any] = {
        "passed": not nothing_chosen and not any(each.unusable or each.failed for each in found),
        "counts": _counts(found),
        "files": [
            {
                "file": each.file,
                "definition": each.definition_file,
                "problems": [asdict(problem) for problem in each.problems],
                "scenarios": [result.as_document() for result in each.results],
            }
            for each in found
        ],
    }
    if coverages is not None:
        document["coverage"] = [each.as_document() for each in coverages]
    return document


def _end(
    found: Sequence[FileResult], coverages: Sequence[Coverage], minimum: float | None, pattern: str | None
) -> None:
    short = [each for each in coverages if minimum is not None and each.percent < minimum]
    for each in short:
        say(f"{each.definition} {each.version} is covered by {each.percent:.1f} %, less than {minimum:g} %")
    if any(each.unusable for each in found):
        raise typer.Exit(UsageError.exit_code)
    if pattern is not None and not any(each.results for each in found):
        _tell_names(found, pattern)
        raise typer.Exit(NothingChosen.exit_code)
    if short or any(each.failed for each in found):
        raise typer.Exit(CommandFailed.exit_code)


def _tell_names(found: Sequence[FileResult], pattern: str) -> None:
    names = [name for each in found for name in each.left_out]
    more = [f"and {len(names) - MOST_NAMED} more"] if len(names) > MOST_NAMED else []
    there = f"there {'is' if len(names) == 1 else 'are'} {counted(len(names), 'scenario')}"
    print_error(f"no name matches -k {pattern!r}; {there}", [*names[:MOST_NAMED], *more])


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
