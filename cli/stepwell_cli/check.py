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
from stepwell_activities.registry import discover, publish
from stepwell_engine.catalog import check
from stepwell_schemas.loader import load_definition
from stepwell_store.memory_store import MemoryStore

from stepwell_cli.failures import CommandFailed

UNKNOWABLE = frozenset({"unknown-activity", "unknown-workflow"})


def check_locally(file: Path, content: bytes, modules: Sequence[str]) -> dict[str, Any]:
    """The findings about one file, in the form the API answers. Raises CommandFailed for a wrong module."""
    store = MemoryStore("check", 1)
    try:
        publish(builtin_registry().include(discover(modules)), store)
    except RegistryError as error:
        raise CommandFailed(f"The activities are not right: {error}") from None
    stored, problems = check(store, content, file=str(file))
    ignored = UNKNOWABLE if not modules else frozenset({"unknown-workflow"})
    shown = [problem for problem in problems if problem.code not in ignored]
    known = load_definition(content, file=str(file)).document or {}
    return {
        "file": str(file),
        "id": known.get("id"),
        "version": known.get("version"),
        "hash": stored.hash if stored is not None else None,
        "valid": all(problem.severity != "error" for problem in shown),
        "problems": [asdict(problem) for problem in shown],
    }
