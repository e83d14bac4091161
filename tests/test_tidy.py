"""The limits of the style guide as tests: sizes, names, headers, no printing, no sleeping, no foreign paths.

An exception stands in a table below with its number. The tables only shrink: one no longer needed fails too.
"""

import ast
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("schemas", "interpreter", "store", "engine", "activities", "ingress", "api", "cli", "stepwell")
LIBRARY_ROOMS = tuple(room for room in ROOMS if room != "cli")

FILE_LINES = 500
FUNCTION_LINES = 60
SMALLEST_FILE = 15
BANNED_STEMS = {"util", "utils", "common", "helper", "helpers", "manager", "base", "misc"}

LONG_FILES: dict[str, int] = {}
LONG_FUNCTIONS: dict[str, int] = {}
SHORT_FILES: dict[str, int] = {}
SLEEPING_TESTS: set[str] = set()

# Spelled in two parts, so that this file does not contain what it looks for.
FOREIGN_TEXT = re.compile(
    "|".join(
        re.escape(first + second)
        for first, second in (
            ("/wo", "rk/"),
            ("/ro", "ot/"),
            ("pypi", ".org"),
            ("pythonhosted", ".org"),
            ("registry.npmjs", ".org"),
            ("deb.debian", ".org"),
            ("--index", "-url"),
            ("--find", "-links"),
        )
    )
)


@cache
def project_files() -> tuple[Path, ...]:
    """What git tracks or would add; in an unpacked archive without git, all in the project's folders."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listing.returncode == 0:
        names = [name for name in listing.stdout.decode().split("\0") if name]
        return tuple(sorted(ROOT / name for name in names if (ROOT / name).is_file()))
    folders = (*ROOMS, "tests", "bench", "examples", "workflows", "docs")
    return tuple(
        sorted(
            path
            for folder in folders
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        )
    )


@cache
def python_files() -> tuple[Path, ...]:
    return tuple(path for path in project_files() if path.suffix == ".py")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def line_count(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def beyond(found: dict[str, int], allowed: dict[str, int]) -> list[str]:
    """What is over its limit and not excepted, or beyond its exception; and exceptions that are stale."""
    grown = [f"{name}: {size}" for name, size in found.items() if size > allowed.get(name, 0)]
    stale = [f"{name}: the exception is not needed any more" for name in allowed if name not in found]
    return grown + stale


def functions(path: Path) -> list[tuple[str, int]]:
    """(file:name, lines) of each function, its decorators and docstring included."""
    return [
        (f"{name_of(path)}:{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def calls_to(path: Path, *names: str) -> list[str]:
    """Places where one of the (dotted) names is called."""
    return [
        f"{name_of(path)}:{node.lineno}"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in names
    ]


def test_there_are_files_to_check() -> None:
    assert len(python_files()) > 30


def test_no_python_file_is_longer_than_the_limit() -> None:
    found = {name_of(path): line_count(path) for path in python_files() if line_count(path) > FILE_LINES}
    assert beyond(found, LONG_FILES) == []


def test_no_function_is_longer_than_the_limit() -> None:
    found = {name: size for path in python_files() for name, size in functions(path) if size > FUNCTION_LINES}
    assert beyond(found, LONG_FUNCTIONS) == []


def test_no_file_is_too_short_to_stand_alone() -> None:
    """Examples and measurements may be as small as they are."""
    rooms = {*ROOMS, "tests"}
    sources = [
        path
        for path in python_files()
        if path.relative_to(ROOT).parts[0] in rooms and path.name not in {"__init__.py", "__main__.py"}
    ]
    found = {name_of(path): line_count(path) for path in sources if line_count(path) < SMALLEST_FILE}
    assert beyond(found, SHORT_FILES) == []


def test_no_file_or_folder_has_a_name_that_says_nothing() -> None:
    names = [path.relative_to(ROOT) for path in project_files()]
    bad = [str(name) for name in names if BANNED_STEMS & {*name.parent.parts, name.stem}]
    assert bad == []


@pytest.mark.parametrize("room", [*ROOMS, "tests", "bench", "examples"])
def test_every_module_opens_with_what_it_owns(room: str) -> None:
    bare = [
        name_of(path)
        for path in python_files()
        if name_of(path).startswith(f"{room}/")
        and path.name != "__init__.py"
        and ast.get_docstring(tree_of(path)) is None
    ]
    assert bare == []


def test_library_rooms_do_not_print() -> None:
    sources = [path for path in python_files() if path.relative_to(ROOT).parts[0] in LIBRARY_ROOMS]
    assert [place for path in sources for place in calls_to(path, "print")] == []


def test_tests_do_not_sleep() -> None:
    sources = [path for path in python_files() if name_of(path).startswith("tests/")]
    sleeping = {name_of(path) for path in sources if calls_to(path, "time.sleep", "sleep")}
    assert sleeping == SLEEPING_TESTS


def test_no_file_names_a_place_of_one_machine_or_a_registry() -> None:
    found = []
    for path in project_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{name_of(path)}: {match.group()}" for match in FOREIGN_TEXT.finditer(text)]
    assert found == []


def test_the_constraints_are_names_and_versions_only() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    wrong = [
        line
        for line in lines
        if line and not line.startswith("#") and not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][\w.]*", line)
    ]
    assert wrong == []


def test_every_dependency_of_the_project_is_constrained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {normal_name(re.split(r"[\[<>=~!;]", requirement)[0]) for requirement in needed}
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pinned = {normal_name(name) for name in re.findall(r"^([\w.-]+)==", constraints, re.MULTILINE)}
    assert names - pinned == set()


def normal_name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
