"""Finds what `stepwell test` runs: scenario files, and definitions with `tests:`, below the paths that were named."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from stepwell.definition_files import DEFINITION_SUFFIXES, SCENARIO_SUFFIXES, is_scenario_file
from stepwell.scenario_files import may_hold_scenarios

from stepwell_cli.failures import UsageError


def collect(paths: Sequence[Path]) -> list[Path]:
    """The files with scenarios below the paths, in the order of their names, each once.

    Of a folder: every scenario file, and every definition that holds `tests:`; what is hidden is left out. Of a
    definition's file: its own scenarios and those of the file beside it. Raises UsageError where a path leads nowhere.
    """
    return list(dict.fromkeys(file for path in paths or [Path()] for file in _files(path)))


def beside(definition: Path) -> list[Path]:
    """The scenario files that belong to a definition by their name."""
    found = [definition.with_name(definition.stem + suffix) for suffix in SCENARIO_SUFFIXES]
    return [path for path in found if path.is_file()]


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from _in_folder(path)
    elif not path.exists():
        raise UsageError(f"{path}: there is no such file or folder")
    elif is_scenario_file(path):
        yield path
    elif path.suffix in DEFINITION_SUFFIXES:
        others = beside(path)
        # Without a file beside it, it is opened whatever it holds: what is wrong with a file that is named is told.
        if not others or may_hold_scenarios(path):
            yield path
        yield from others
    else:
        raise UsageError(
            f"{path} is neither a definition ({' '.join(DEFINITION_SUFFIXES)}) nor a scenario file (NAME.tests.yaml)"
        )


def _in_folder(folder: Path) -> Iterable[Path]:
    files = sorted(file for file in folder.rglob("*") if file.is_file() and not _hidden(file, folder))
    return (file for file in files if is_scenario_file(file) or may_hold_scenarios(file))


def _hidden(file: Path, folder: Path) -> bool:
    """The data of `stepwell up`, a virtual environment, what other tools keep."""
    parts = file.relative_to(folder).parts
    return any(part.startswith(".") or part in ("node_modules", "__pycache__") for part in parts)
