"""Checking a definition on this machine, without a server: all that an upload is checked for.

Activities are known when modules with them are named (the built-in ones are then known too); otherwise an activity
that nobody knows is no finding, since only a server can tell.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stepwell_activities.builtin import builtin_registry
from stepwell_activities.errors import RegistryError
from stepwell_activities.registry import discover
from stepwell_interpreter.compile import compile_source
from stepwell_interpreter.scenarios.gate import gate
from stepwell_schemas.catalog import ActivityDescription
from stepwell_schemas.upload_settings import UploadSettings

from stepwell_cli.failures import CommandFailed


def check_locally(
    file: Path, content: bytes, modules: Sequence[str], upload: UploadSettings
) -> dict[str, Any]:
    """The findings about one file, in the form the API answers. Raises CommandFailed for a wrong module."""
    activities = _known(modules) if modules else None
    compiled = compile_source(
        content,
        activities=activities,
        file=str(file),
        id=upload.id,
        version=upload.version,
        type=upload.type,
        resources=upload.resources,
    )
    failed = gate(compiled, activities, file=str(file))
    known = compiled.loaded.document or {}
    return {
        "file": str(file),
        "id": known.get("id"),
        "version": known.get("version"),
        "hash": None if compiled.program is None else compiled.program.hash,
        "valid": compiled.accepted and not failed,
        "problems": [asdict(problem) for problem in (*compiled.problems, *failed)],
    }


def _known(modules: Sequence[str]) -> dict[str, ActivityDescription]:
    try:
        registry = builtin_registry().include(discover(modules))
    except RegistryError as error:
        raise CommandFailed(f"The activities are not right: {error}") from None
    return {each.name: each.description() for each in registry}
