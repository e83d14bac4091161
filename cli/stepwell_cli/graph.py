"""`graph`: a definition as a picture, drawn on this machine without outside programs."""

import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from stepwell_interpreter.drawing import DrawingTooLarge, dot, mermaid, svg
from stepwell_schemas.loader import load_definition
from stepwell_schemas.upload_settings import UploadSettings

from stepwell_cli.argument import read_definition
from stepwell_cli.command import StepwellCommand
from stepwell_cli.failures import CommandFailed, UsageError
from stepwell_cli.output import say
from stepwell_cli.resources import ResourcesOption, resource_table


class Format(StrEnum):
    """What `--format` takes."""

    SVG = "svg"
    MERMAID = "mermaid"
    DOT = "dot"


class Theme(StrEnum):
    """What `--theme` takes."""

    AUTO = "auto"
    LIGHT = "light"
    DARK = "dark"


SUFFIXES = {
    ".svg": Format.SVG,
    ".mmd": Format.MERMAID,
    ".mermaid": Format.MERMAID,
    ".dot": Format.DOT,
    ".gv": Format.DOT,
}

File = Annotated[Path, typer.Argument(help="A definition, YAML or JSON; - is stdin.", show_default=False)]
Out = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write here instead of to stdout.", show_default=False)
]


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("graph", cls=StepwellCommand)(graph)


def graph(
    file: File,
    format: Annotated[
        Format | None,
        typer.Option(
            "--format", "-f", help="Without it: by the output's suffix, else svg.", show_default=False
        ),
    ] = None,
    output: Out = None,
    theme: Annotated[
        Theme, typer.Option("--theme", help="Colours of the SVG; auto follows the reader's system.")
    ] = Theme.AUTO,
    title: Annotated[
        str | None, typer.Option("--title", help="Instead of the definition's name.", show_default=False)
    ] = None,
    resources: ResourcesOption = None,
) -> None:
    """Draw a definition, native or Amazon States Language, also one that is not finished.

    A state that is named but missing is drawn as such.
    """
    form = _form(format, output)
    document = _document(file, resource_table(resources))
    writers: dict[Format, Callable[[], str]] = {
        Format.SVG: lambda: svg(document, theme=theme.value, title=title),
        Format.MERMAID: lambda: mermaid(document),
        Format.DOT: lambda: dot(document),
    }
    try:
        picture = writers[form]()
    except DrawingTooLarge as error:
        raise CommandFailed(f"{file}: {error}") from None
    write_text(picture, output)


def _form(format: Format | None, output: Path | None) -> Format:
    """What to write. Raises UsageError for a suffix that means none, or another than was asked for."""
    if output is None or not output.suffix:
        return format or Format.SVG
    meant = SUFFIXES.get(output.suffix.lower())
    if meant is None:
        raise UsageError(f"{output}: {output.suffix} is no picture's suffix: {_allowed()}")
    if format not in (None, meant):
        raise UsageError(f"{output}: {output.suffix} does not go with --format {format}: {_allowed()}")
    return meant


def _allowed() -> str:
    suffixes = {form: [suffix for suffix, meant in SUFFIXES.items() if meant is form] for form in Format}
    return "; ".join(f"{' or '.join(named)} for {form.value}" for form, named in suffixes.items())


def write_text(text: str, output: Path | None) -> None:
    """To the file, else to stdout. Raises UsageError where the file cannot be written."""
    if output is None:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{output}: {error.strerror or error}") from None
    say(f"{output} written")


def _document(file: Path, resources: dict[str, str] | None) -> dict[str, Any]:
    """The document as far as it can be read; whether it is a good definition does not matter here."""
    upload = UploadSettings(resources=resources)
    loaded = load_definition(read_definition(file), file=str(file), upload=upload)
    if loaded.document is None:
        raise CommandFailed(f"{file} cannot be drawn", details=[str(problem) for problem in loaded.problems])
    return loaded.document
