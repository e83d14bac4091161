"""The `stepwell` command itself; the others stand in the modules that `parts` names.

Exit codes: 0 done; 1 it was tried and failed, or something is not in order; 2 wrong command line;
3 what was named does not exist (`explore`: a bound was hit before all was walked); 4 no server (or its store) can be
reached; 5 nothing was chosen (`test -k`).
"""

import io
import platform
import sys
from importlib.metadata import version as installed_version
from importlib.util import find_spec
from typing import Annotated

import typer

from stepwell_cli.command import JsonOption, StepwellCommand
from stepwell_cli.output import console, print_document
from stepwell_cli.parts import StepwellGroup

HELP = """Workflows for devices: definitions as YAML, events in, activities on RQ workers, nothing lost.

`stepwell up` starts everything on this machine; `stepwell demo` shows it at work.

Exit codes: 0 done, 1 failed or not in order, 2 wrong command line or unusable file, 3 not found, 4 server not
reachable, 5 no scenario chosen (`test -k`). Of `explore`, 3: nothing was found before it was stopped by a bound.
"""


def create_app() -> typer.Typer:
    """The command with all its parts."""
    app = typer.Typer(
        cls=StepwellGroup,
        help=HELP,
        no_args_is_help=True,
        pretty_exceptions_show_locals=False,
        rich_markup_mode=None,
    )
    app.command("version", cls=StepwellCommand)(version)
    app.callback(help=HELP)(before)
    return app


def _told_version(asked: bool) -> None:
    if asked:
        version()
        raise typer.Exit


def version(as_json: JsonOption = False) -> None:
    """Show the version."""
    number = installed_version("stepwell")
    engine = find_spec("stepwell_engine.partition")
    is_compiled = engine is not None and not str(engine.origin).endswith(".py")
    if as_json:
        python = platform.python_version()
        print_document({"version": number, "python": python, "compiled": is_compiled})
    else:
        kind = ", compiled" if is_compiled else ""
        console().print(f"stepwell {number} (Python {platform.python_version()}{kind})", markup=False)


def before(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=_told_version, is_eager=True),
    ] = False,
) -> None:
    """What stands before a command."""


def main() -> None:
    """The entry point of the `stepwell` command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            write_any_text(stream)
    create_app()()


def write_any_text(stream: io.TextIOWrapper) -> None:
    """Let a stream take every text: a file or pipe as UTF-8, a terminal with escapes for what it does not know."""
    stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="backslashreplace")
