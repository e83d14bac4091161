"""`validate`, `deploy`, `definitions` and `activities`: definitions on their way to the server, what it offers."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.markup import escape
from stepwell.definition_files import holds_definition, is_scenario_file
from stepwell_schemas.problems import printable
from stepwell_schemas.upload_settings import UploadSettings

from stepwell_cli.argument import read_definition, refuse_stdin_twice
from stepwell_cli.command import JsonOption, KeyOption, StepwellCommand, UrlOption
from stepwell_cli.failures import CommandFailed, UsageError
from stepwell_cli.output import console, harmless, print_document, print_table
from stepwell_cli.resources import ResourcesOption, resource_table
from stepwell_cli.server import Server, segment

SUFFIXES = {".yaml": "application/yaml", ".yml": "application/yaml", ".json": "application/json"}
COLOURS = {"error": "red", "warning": "yellow", "info": "blue"}

Paths = Annotated[
    list[Path], typer.Argument(help="Definition files (- is stdin), or folders of them.", show_default=False)
]


class MachineType(StrEnum):
    """The kinds of state machine of Amazon States Language."""

    STANDARD = "STANDARD"
    EXPRESS = "EXPRESS"


IdOption = Annotated[str | None, typer.Option("--id", help="The id of an Amazon States Language definition.")]
VersionOption = Annotated[
    str | None, typer.Option("--version", help="The version of an Amazon States Language definition.")
]
TypeOption = Annotated[
    MachineType | None, typer.Option("--type", help="Its kind of state machine.", case_sensitive=False)
]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("validate", cls=StepwellCommand)(validate)
    app.command("deploy", cls=StepwellCommand)(deploy)
    app.command("definitions", cls=StepwellCommand)(definitions)
    app.command("activities", cls=StepwellCommand)(activities)


def validate(
    paths: Paths,
    remote: Annotated[
        bool, typer.Option("--remote", help="Ask the server, which knows its workers.")
    ] = False,
    modules: Annotated[
        list[str] | None,
        typer.Option("--activities", help="A module with activities that the definition may use."),
    ] = None,
    id: IdOption = None,
    version: VersionOption = None,
    type: TypeOption = None,
    resources: ResourcesOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check definitions without storing them: on this machine, or with --remote by the server.

    Activities are checked against the server's with --remote; on this machine against the built-in ones and
    those of --activities, once such a module is named. Exit code 1 when there is an error.
    """
    files = files_in(paths)
    upload = _settings(files, id, version, type, resources)
    if remote:
        with Server(url, key) as server:
            results = [_upload(server, "/definitions/validate", file, upload) for file in files]
    else:
        from stepwell_cli.check import check_locally  # the interpreter: as long again as all the rest

        results = [check_locally(file, read_definition(file), modules or [], upload) for file in files]
    _report(results, as_json, done="is valid")


def deploy(
    paths: Paths,
    id: IdOption = None,
    version: VersionOption = None,
    type: TypeOption = None,
    resources: ResourcesOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish definitions. A version never changes: other content under the same version is refused.

    An Amazon States Language definition needs --id and --version, or an envelope {id, version, definition}.
    """
    files = files_in(paths)
    upload = _settings(files, id, version, type, resources)
    with Server(url, key) as server:
        results = [_upload(server, "/definitions", file, upload) for file in files]
    _report(results, as_json, done="deployed")


def definitions(
    definition: Annotated[str | None, typer.Argument(help="A definition, for its versions.")] = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what is published, or the versions of one definition."""
    path = f"/definitions/{segment(definition)}/versions" if definition else "/definitions"
    with Server(url, key) as server:
        answer = server.get(path)
    if as_json:
        print_document(answer)
        return
    rows = [
        (item["id"], item["version"], item["dialect"], item.get("name"), item["created"], item["hash"])
        for item in answer["items"]
    ]
    print_table(
        ("DEFINITION", "VERSION", "DIALECT", "NAME", "CREATED", "HASH"), rows, "Nothing is published yet."
    )


def activities(url: UrlOption = None, key: KeyOption = None, as_json: JsonOption = False) -> None:
    """List the activities that workers offer."""
    with Server(url, key) as server:
        answer = server.get("/activities")
    if as_json:
        print_document(answer)
        return
    rows = [
        (item["name"], item["queue"], item.get("compensates"), item.get("description"))
        for item in answer["items"]
    ]
    print_table(("ACTIVITY", "QUEUE", "COMPENSATES", "DESCRIPTION"), rows, "No worker has published any.")


def files_in(paths: Sequence[Path]) -> list[Path]:
    """The files named, and the definitions in the folders named. Raises UsageError for a folder without any.

    A folder may also hold outcomes, events, JSON Schemas, tables of resources: what has no states is none there.
    """
    found: list[Path] = []
    refuse_stdin_twice(*paths)
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if _is_definition(file, path))
            if not inside:
                raise UsageError(f"{path} has no definition (.yaml, .yml or .json, with states)")
            found += inside
        else:
            found.append(path)
    return found


def _is_definition(file: Path, folder: Path) -> bool:
    """Hidden files are none: the data of `stepwell up`, a virtual environment, an editor's copies; nor scenarios."""
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    named = not hidden and file.suffix in SUFFIXES and not is_scenario_file(file) and file.is_file()
    return named and holds_definition(file)


def _settings(
    files: Sequence[Path],
    id: str | None,
    version: str | None,
    type: MachineType | None,
    resources: Path | None,
) -> UploadSettings:
    if id is not None and len(files) > 1:
        raise UsageError(f"--id names one definition, but there are {len(files)} files")
    return UploadSettings(id, version, None if type is None else type.value, resource_table(resources))


def _query(upload: UploadSettings) -> dict[str, str]:
    said = {"id": upload.id, "version": upload.version, "type": upload.type}
    if upload.resources is not None:
        said["resources"] = orjson.dumps(upload.resources).decode()
    return {name: value for name, value in said.items() if value is not None}


def _upload(server: Server, path: str, file: Path, upload: UploadSettings) -> dict[str, Any]:
    content = read_definition(file)
    kind = SUFFIXES.get(file.suffix, "application/yaml")
    try:
        answer = server.request(
            "POST",
            path,
            content=content,
            headers={"Content-Type": kind},
            params={"file": file.name, **_query(upload)},
        )
    except CommandFailed as failure:
        if failure.exit_code != CommandFailed.exit_code or not isinstance(failure.document, dict):
            raise
        answer = {"valid": False, "problems": _problems_of(failure)}
    return {"file": str(file), **answer}


def _problems_of(failure: CommandFailed) -> list[dict[str, Any]]:
    problem = failure.document["error"]
    found = problem.get("problems") or problem.get("errors") or []
    return [{"severity": "error", "code": "refused", **item} for item in found] or [
        {"severity": "error", "code": "refused", "message": failure.message}
    ]


def _report(results: list[dict[str, Any]], as_json: bool, done: str) -> None:
    failed = [result for result in results if not result.get("valid")]
    if as_json and not failed:
        print_document({"valid": True, "files": results})
    if not as_json:
        for result in results:
            _show(result, done)
    if failed:
        names = ", ".join(result["file"] for result in failed)
        document = {"valid": False, "files": results} if as_json else None
        raise CommandFailed(f"{len(failed)} of {len(results)} not valid: {names}", document=document)


def _show(result: dict[str, Any], done: str) -> None:
    for problem in result.get("problems", []):
        severity = problem.get("severity", "error")
        place = ":".join(str(problem[key]) for key in ("line", "column") if problem.get(key) is not None)
        where = escape(f"{result['file']}:{place}" if place else result["file"])
        pointer = f" at {printable(problem['pointer'])}" if problem.get("pointer") else ""
        code = f" [{problem['code']}]" if problem.get("code") else ""
        first, line_end, details = problem.get("message", "").partition("\n")
        text = harmless(f"{first}{pointer}{code}{line_end}{details}")
        console().print(f"{where}: [{COLOURS.get(severity, 'red')}]{severity}[/]: {text}")
        if problem.get("help"):
            console().print(f"    {harmless(problem['help'])}")
    if result.get("valid"):
        name = f"{result.get('id')} {result.get('version')}"
        state = "was there already" if done == "deployed" and not result.get("created") else done
        console().print(f"{escape(result['file'])}: [green]{escape(name)} {state}[/]")
