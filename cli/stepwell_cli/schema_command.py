"""`schema`: the JSON Schema of definitions that knows the activities, for editors."""

from typing import Annotated

import typer
from pydantic import ValidationError
from stepwell_activities.builtin import builtin_registry
from stepwell_activities.errors import RegistryError
from stepwell_activities.registry import discover
from stepwell_schemas.bodies import ActivityList
from stepwell_schemas.catalog import ActivityDescription
from stepwell_schemas.publish import rendered
from stepwell_schemas.registry_schema import registry_schema

from stepwell_cli.command import KeyOption, StepwellCommand
from stepwell_cli.failures import CommandFailed, UsageError
from stepwell_cli.graph import Out, write_text
from stepwell_cli.server import Server


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("schema", cls=StepwellCommand)(schema)


def schema(
    modules: Annotated[
        list[str] | None,
        typer.Option(
            "--activities", help="A module or file with activities; may be repeated.", show_default=False
        ),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option("--url", help="Take the activities that a server's workers offer.", show_default=False),
    ] = None,
    key: KeyOption = None,
    output: Out = None,
) -> None:
    """Write the JSON Schema of definitions for your activities.

    With it an editor completes activities' names and checks their inputs. The built-in activities and those of
    installed packages are always known; without --activities and --url only these.
    """
    if url is not None and modules:
        raise UsageError("take the activities either from --activities or from --url")
    activities = _of_server(url, key) if url is not None else _of_modules(modules or [])
    write_text(rendered(registry_schema(activities)), output)


def _of_modules(modules: list[str]) -> list[ActivityDescription]:
    try:
        return [activity.description() for activity in builtin_registry().include(discover(modules))]
    except RegistryError as error:
        raise CommandFailed(f"The activities are not right: {error}") from None


def _of_server(url: str, key: str | None) -> list[ActivityDescription]:
    with Server(url, key) as server:
        answer = server.get("/activities")
    try:
        offered = ActivityList.model_validate(answer).items
    except ValidationError:
        raise CommandFailed(f"{server.url} does not answer as a Stepwell server does") from None
    return [ActivityDescription(**activity.model_dump(by_alias=False)) for activity in offered]
