"""The modules that a build with STEPWELL_COMPILE=1 turns into machine code (docs/decisions/0011-compiled.md)."""

import os
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MODULES = SETTINGS["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]["modules"]
"""Paths of sources: folder, package, file."""


def origin(module: str) -> str:
    """The file that a module is imported from."""
    _, package, file = module.split("/")
    found = find_spec(f"{package}.{Path(file).stem}")
    assert found is not None
    assert found.origin is not None
    return found.origin


@pytest.mark.parametrize("module", MODULES)
def test_each_named_module_is_there_once(module: str) -> None:
    assert (ROOT / module).is_file()
    assert MODULES.count(module) == 1


@pytest.mark.parametrize("module", MODULES)
def test_compiled_modules_run_just_where_the_build_was_asked_for_them(module: str) -> None:
    is_compiled = Path(origin(module)).suffix != ".py"
    assert is_compiled is (os.environ.get("STEPWELL_COMPILE") == "1")
