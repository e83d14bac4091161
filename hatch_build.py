"""Builds the wheel's hot modules to machine code where STEPWELL_COMPILE=1 asks for it; else the wheel is plain Python.

The modules stand in pyproject.toml. They are compiled by mypyc from the very sources that run without it, and lie in
the wheel beside them. It takes a C compiler and a minute or two. See docs/decisions/0011-compiled.md.
"""

import os
import tempfile
from contextlib import chdir
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MYPY = "mypy[mypyc]==2.4.1"
"""The version that checks the types too, as constraints.txt has it: another may compile them otherwise."""


class CompiledModules(BuildHookInterface):  # type: ignore[type-arg] # hatchling leaves its parameter open
    """The build hook that pyproject.toml names."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What compiling needs beside hatchling."""
        return [MYPY, "setuptools>=75"] if self.is_wanted else []

    @property
    def is_wanted(self) -> bool:
        """Whether this build is asked for compiled modules."""
        asked = os.environ.get("STEPWELL_COMPILE", "")
        if asked not in ("", "0", "1"):
            raise SystemExit(f"STEPWELL_COMPILE is {asked!r}; it must be 1, or 0 or empty for plain Python")
        return asked == "1"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile into a temporary folder, and have the wheel take it from there."""
        if not self.is_wanted:
            return
        if version == "editable":
            self.app.display_warning("STEPWELL_COMPILE: an editable installation stays plain Python")
            return
        self._folder = tempfile.TemporaryDirectory(prefix="stepwell-build-")
        built = Path(self._folder.name)
        for library in compiled(Path(self.root), self.config["modules"], built):
            build_data["force_include"][str(library)] = str(library.relative_to(built / "lib"))
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Nothing stays behind."""
        if hasattr(self, "_folder"):
            self._folder.cleanup()


def compiled(root: Path, modules: list[str], into: Path) -> list[Path]:
    """The shared libraries of these modules (paths below `root`), under `into`/lib as they lie in a wheel.

    Raises SystemExit, saying why, where they cannot be compiled.
    """
    from mypyc.build import mypycify
    from setuptools import Distribution
    from setuptools.errors import BaseError, CompileError, LinkError

    os.environ["MYPYPATH"] = os.pathsep.join(sorted({Path(module).parts[0] for module in modules}))
    options = [
        "--config-file=", f"--cache-dir={into / 'cache'}", "--explicit-package-bases", "--ignore-missing-imports",
        "--follow-imports=silent",
    ]  # fmt: skip
    with chdir(root):  # a traceback names the sources as they are named from here
        extensions = mypycify(
            [*options, *modules], opt_level="2", group_name="stepwell", target_dir=str(into / "sources")
        )
        command = Distribution({"name": "stepwell", "ext_modules": extensions}).get_command_obj("build_ext")
        command.build_lib, command.build_temp = str(into / "lib"), str(into / "temp")
        command.ensure_finalized()
        try:
            command.run()
        except (BaseError, CompileError, LinkError) as error:
            raise SystemExit(
                f"STEPWELL_COMPILE needs a working C compiler and Python's headers ({error}); "
                "without that variable the same wheel is built as plain Python"
            ) from None
    return sorted(path for path in (into / "lib").rglob("*") if path.suffix in (".so", ".pyd"))
