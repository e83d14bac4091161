"""`--resources FILE`: what the resources of an Amazon States Language definition mean here, alike in every command."""

from pathlib import Path
from typing import Annotated

import typer
from stepwell_schemas.problems import kind_of

from stepwell_cli.argument import json_object_argument
from stepwell_cli.failures import UsageError

OPTION = "--resources"
ResourcesOption = Annotated[
    Path | None,
    typer.Option(OPTION, help="A JSON file: a Resource or function name -> the activity it means."),
]


def resource_table(file: Path | None) -> dict[str, str] | None:
    """The table in the file; None where none is named. Raises UsageError for what is no table."""
    if file is None:
        return None
    table = json_object_argument(f"@{file}", OPTION)
    for resource, target in table.items():
        if not isinstance(target, str):
            wanted = "an activity's name, or workflow:ID"
            raise UsageError(
                f"{OPTION}: {file}: {resource!r} must lead to {wanted}, not to {kind_of(target)}"
            )
    return table
