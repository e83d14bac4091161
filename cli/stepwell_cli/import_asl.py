"""`stepwell import asl`: a Step Functions definition as a native one, where nothing is lost by it."""

from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from stepwell.definition_files import NATIVE
from stepwell_interpreter.asl.translate import Translation, translate_asl
from stepwell_interpreter.compile import compile_source
from stepwell_schemas.problems import Problem
from stepwell_schemas.scalars import ScalarRefused, note_on, plain_value

from stepwell_cli.argument import read_definition
from stepwell_cli.command import JsonOption, StepwellCommand
from stepwell_cli.definitions import IdOption, VersionOption
from stepwell_cli.failures import CommandFailed, UsageError
from stepwell_cli.output import print_document, say
from stepwell_cli.resources import ResourcesOption, resource_table


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    group = typer.Typer(help="Bring definitions of other systems here.", no_args_is_help=True)
    group.command("asl", cls=StepwellCommand)(import_asl)
    app.add_typer(group, name="import")


def import_asl(
    file: Annotated[
        Path, typer.Argument(help="An Amazon States Language definition, or its envelope; - is stdin.")
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Where the native definition goes; else stdout.")
    ] = None,
    id: IdOption = None,
    version: VersionOption = None,
    resources: ResourcesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Translate a Step Functions definition to a native one that does the same.

    Exit code 1 when that cannot be done without loss; then nothing is written, and each state that stands in the
    way is told. Such a definition can be deployed as it is.
    """
    table = resource_table(resources)
    compiled = compile_source(read_definition(file), file=str(file), id=id, version=version, resources=table)
    asl = compiled.loaded.asl
    if NATIVE & (compiled.loaded.document or {}).keys():
        raise CommandFailed(f"{file} is native already: there is nothing to translate")
    if asl is None or not compiled.accepted:
        raise _refused(file, compiled.problems)
    translation = translate_asl(asl.definition, asl.id, asl.version, asl.resources)
    if translation.document is None:
        raise _lost(file, translation, as_json)
    text = native_text(translation.document)
    made = compile_source(text, format="yaml")
    if not made.accepted:
        # Only verification can have something against it, and then it is right about the original, too.
        raise _refused(file, made.problems)
    if asl.tests:
        say("its tests stay behind: they name states and paths of the original")
    if as_json:
        print_document({"file": str(file), "document": translation.document, "lost": []})
    elif output is None:
        typer.echo(text, nl=False)
    if output is not None:
        _write(output, text)
        say(f"{output} is written")


def native_text(document: dict[str, Any]) -> str:
    """A definition as YAML that every reader takes alike: what YAML might take for something else is quoted."""
    return yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110, default_flow_style=False
    )


class _Dumper(yaml.SafeDumper):
    """Without anchors, and with quotes where the rules of YAML 1.1 and 1.2 differ."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _quoted(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if _is_plain(text) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _is_plain(text: str) -> bool:
    if not text:
        return False
    try:
        return plain_value(text) == text and note_on(text, text) is None
    except ScalarRefused:
        return False


_Dumper.add_representer(str, _quoted)


def _write(output: Path, text: str) -> None:
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{output}: {error.strerror or error}") from None


def _refused(file: Path, problems: tuple[Problem, ...]) -> CommandFailed:
    told = [str(problem) for problem in problems]
    return CommandFailed(f"{file} is no Amazon States Language definition that can be translated", told)


def _lost(file: Path, translation: Translation, as_json: bool) -> CommandFailed:
    lost = [{"pointer": each.pointer, "message": each.message} for each in translation.lost]
    told = [f"{each.pointer or '/'}: {each.message}" for each in translation.lost]
    document = {"file": str(file), "document": None, "lost": lost} if as_json else None
    return CommandFailed(
        f"{file} cannot be translated without loss; it can be deployed as it is", told, document
    )
