"""The shape every command shares: shared options, and the one place where failures become exit codes."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from stepwell_schemas.settings import Settings
from stepwell_store.errors import StoreError, StoreUnavailable
from typer.core import TyperCommand

from stepwell_cli.failures import CommandFailed, Unreachable, UsageError
from stepwell_cli.output import print_document, print_error

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="STEPWELL_URL",
        help="The server's address; without it the one that `stepwell up` started from this folder, "
        "or http://127.0.0.1:8080.",
        show_default=False,
    ),
]
KeyOption = Annotated[
    str | None,
    typer.Option("--key", envvar="STEPWELL_KEY", help="The API key, where the server asks for one."),
]
StoreOption = Annotated[
    str | None,
    typer.Option("--store", help="redis://, rediss:// or unix:// address (STEPWELL_STORE_URL)."),
]
DataDirOption = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Folder of the embedded server (STEPWELL_DATA_DIR, .stepwell)."),
]


class StepwellCommand(TyperCommand):
    """A command whose failures are printed readably and end in the documented exit code."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Parse the command line; with --json what is wrong with it is a document, too."""
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except typer.TyperException as error:
            # Its kinds of wrong command lines have no public name; they are those that can tell about themselves.
            told = getattr(error, "format_message", None)
            if "--json" in given and told is not None:
                print_document(UsageError(told()).as_document())
            raise

    def invoke(self, ctx: Any) -> Any:
        """Run the command; translate what it raises."""
        try:
            return super().invoke(ctx)
        except CommandFailed as failure:
            reported = failure
        except StoreUnavailable as error:
            reported = Unreachable(f"The store cannot be used: {error}")
        except StoreError as error:
            reported = CommandFailed(f"The store is not in order: {error}")
        except BrokenPipeError:
            # The reader (`| head`) has had enough. Nothing may be flushed to the closed pipe at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            raise typer.Exit(0) from None
        print_error(reported.message, reported.details)
        if ctx.params.get("as_json") or ctx.params.get("format") == "json":
            print_document(reported.as_document())
        raise typer.Exit(reported.exit_code)


def settings_with(**changes: Any) -> Settings:
    """The settings of environment and file, changed by the options that were given (None: not given)."""
    given = {name: value for name, value in changes.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        wrong = [
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']} (found {problem['input']!r})"
            for problem in error.errors()
        ]
        raise UsageError("These settings are not right:\n  " + "\n  ".join(wrong)) from None
    except ValueError as error:
        raise UsageError(f"The settings cannot be read: {error}") from None
