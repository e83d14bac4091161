"""`stepwell generate tests`: writes scenarios that reach every transition and error route of a definition."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from stepwell.definition_files import DEFINITION_SUFFIXES
from stepwell.scenario_files import Resources, compiled_with, known_activities
from stepwell_activities.errors import RegistryError
from stepwell_interpreter.compile import Compiled
from stepwell_interpreter.scenarios.account import MOST_WORK
from stepwell_interpreter.scenarios.coverage import coverage_of
from stepwell_interpreter.scenarios.generating import Generated, generate
from stepwell_interpreter.scenarios.reading import ScenarioSet, load_scenarios, scenarios_of
from stepwell_interpreter.scenarios.rewriting import kept_indexes, new_file, rewritten
from stepwell_interpreter.scenarios.running import Runner
from stepwell_interpreter.scenarios.walked import walked

from stepwell_cli.argument import read_file
from stepwell_cli.command import JsonOption, StepwellCommand
from stepwell_cli.failures import CommandFailed, UsageError
from stepwell_cli.output import console, counted, print_document, say
from stepwell_cli.resources import ResourcesOption, resource_table


def add_to(app: typer.Typer) -> None:
    """Register the group and its command."""
    group = typer.Typer(help="Write what can be derived from a definition.", no_args_is_help=True)
    group.command("tests", cls=StepwellCommand)(generate_scenarios)
    app.add_typer(group, name="generate")


def generate_scenarios(
    file: Annotated[Path, typer.Argument(help="A definition's file.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The scenario file; NAME.tests.yaml beside the definition."),
    ] = None,
    modules: Annotated[
        list[str] | None,
        typer.Option("--activities", help="A module with activities, whose schemas outcomes are made from."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit code 1 where the file would change.")
    ] = False,
    max_work: Annotated[
        int,
        typer.Option(
            "--max-work", min=1, help="How far to search: comparisons, steps and what else counts as much."
        ),
    ] = MOST_WORK,
    resources: ResourcesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write scenarios that reach every transition and every error route, with what the workflow does now as expected.

    Scenarios that are not generated, or that you have changed since, are kept as they are, whether they hold or not;
    what they walk is not written again.
    """
    target = output or file.with_name(file.stem + ".tests.yaml")
    before = read_file(target) if target.is_file() else None
    existing = None if before is None else load_scenarios(before, file=str(target))
    if existing is not None and not existing.usable:
        raise UsageError(f"{target} cannot be used as it is", [str(each) for each in existing.problems])
    given = _modules(target, existing, modules or [])
    compiled, activities = _compiled(file, given, tuple((resource_table(resources) or {}).items()))
    covered, names = _kept(compiled, existing)
    made = generate(compiled, activities, covered=covered, taken_names=names, max_work=max_work)
    text = _text(file, target, existing, made, modules or [])
    changed = text is not None and (before is None or text.encode() != before)
    if changed and text is not None and not check:
        _write(target, text)
    _report(compiled, target, made, covered, as_json=as_json, changed=changed, max_work=max_work)
    if check and changed:
        raise typer.Exit(CommandFailed.exit_code)


def _modules(target: Path, existing: ScenarioSet | None, modules: Sequence[str]) -> tuple[str, ...]:
    own = () if existing is None else existing.activities
    found = [*modules, *(str(target.parent / name) if name.endswith(".py") else name for name in own)]
    return tuple(dict.fromkeys(found))


def _compiled(file: Path, modules: tuple[str, ...], resources: Resources) -> tuple[Compiled, Any]:
    if file.suffix not in DEFINITION_SUFFIXES:
        raise UsageError(f"{file} is no definition: its name ends in none of {' '.join(DEFINITION_SUFFIXES)}")
    try:
        activities = known_activities(modules)
    except RegistryError as error:
        raise UsageError(f"The activities are not right: {error}") from None
    compiled = compiled_with(read_file(file), modules, str(file), resources)
    if compiled.program is None:
        problems = [str(problem) for problem in compiled.problems if problem.severity == "error"]
        raise CommandFailed(f"{file} cannot be run", problems)
    return compiled, activities


def _kept(compiled: Compiled, existing: ScenarioSet | None) -> tuple[frozenset[str], list[str]]:
    """What the scenarios that people wrote walk, whether they hold or not, and their names."""
    assert compiled.program is not None
    runner = Runner(compiled.program, compiled.loaded.document or {})
    inside = scenarios_of(compiled)
    covered = walked(runner, inside, range(len(inside.scenarios)))
    if existing is None:
        return covered, []
    kept = kept_indexes(existing)
    return covered | walked(runner, existing, kept), [existing.scenarios[index].name for index in kept]


def _text(
    file: Path, target: Path, existing: ScenarioSet | None, made: Generated, modules: Sequence[str]
) -> str | None:
    """The scenario file's new text; None where there is nothing to write."""
    if existing is None:
        if not made.scenarios:
            return None
        named = [_beside(target, Path(name)) if name.endswith(".py") else name for name in modules]
        return new_file(_beside(target, file), made.scenarios, named)
    text = rewritten(existing, made.scenarios)
    if text is None:
        raise UsageError(
            f"{target}: generated scenarios can only be put into a YAML list in block style (lines that begin with -)"
        )
    if text.rstrip().endswith("tests:"):
        raise UsageError(f"{target}: no scenario is left to write; delete the file")
    return text


def _beside(target: Path, file: Path) -> str:
    return Path(os.path.relpath(file, target.parent)).as_posix()


def _write(target: Path, text: str) -> None:
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{target}: {error.strerror or error}") from None


def _report(
    compiled: Compiled,
    target: Path,
    made: Generated,
    covered: frozenset[str],
    *,
    as_json: bool,
    changed: bool,
    max_work: int,
) -> None:
    total = len(coverage_of(compiled, []).parts)
    reached = total - len(made.unreached)
    if as_json:
        print_document(
            {
                "file": str(target),
                "changed": changed,
                "generated": [each["name"] for each in made.scenarios],
                "parts": total,
                "reached": reached,
                "unreached": [{"pointer": part.pointer, "label": part.label} for part in made.unreached],
                "plays": made.plays,
                "cutShort": made.cut_short,
            }
        )
        return
    state = "written" if changed else "as it was"
    console().print(
        f"{escape(str(target))}: {state}; {counted(len(made.scenarios), 'generated scenario')}; "
        f"{reached} of {total} states, transitions and error routes are reached"
    )
    if made.cut_short:
        say(
            f"the search ended at its bound (--max-work {max_work}): some of what is not reached may be reachable"
        )
    for part in made.unreached:
        say(f"not reached: {part.label} ({part.pointer})")
