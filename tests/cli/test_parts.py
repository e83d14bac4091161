"""The commands are imported when they are asked for: the table tells the truth, and what is small starts small."""

import subprocess
import sys
from importlib import import_module
from pkgutil import iter_modules

import pytest
import stepwell_cli
import typer
from cli_world import run
from stepwell_cli.parts import PARTS
from typer.main import get_group


def test_every_module_with_commands_is_a_part() -> None:
    found = {module.name for module in iter_modules(stepwell_cli.__path__)} - {"__main__"}
    modules = [f"stepwell_cli.{name}" for name in found]
    with_commands = [name for name in modules if hasattr(import_module(name), "add_to")]
    assert sorted(with_commands) == sorted(f"stepwell_cli.{part}" for part in PARTS)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_adds_the_commands_that_are_told_of_it(part: str) -> None:
    app = typer.Typer()
    import_module(f"stepwell_cli.{part}").add_to(app)
    assert list(get_group(app).commands) == list(PARTS[part])


def test_help_lists_all_commands_with_what_they_do() -> None:
    listed = run("--help").stdout.partition("Commands:\n")[2].splitlines()
    words = [line.split(maxsplit=1) for line in listed]
    assert [pair[0] for pair in words] == [*(name for names in PARTS.values() for name in names), "version"]
    assert all(len(pair) == 2 and pair[1].endswith(".") for pair in words)
    assert not [line for line in listed if line.endswith("...") or len(line) > 79]


@pytest.mark.parametrize(
    ("typed", "meant"), [("statsu", "status"), ("dead-leters", "dead-letters"), ("versoin", "version")]
)
def test_what_a_wrong_name_may_have_been_meant_for_is_told(typed: str, meant: str) -> None:
    ran = run(typed)
    assert ran.exit_code == 2
    assert f"No such command '{typed}'" in ran.stderr
    assert f"'{meant}'" in ran.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("--help",),
        ("version",),
        ("status", "--help"),
        ("push", "--help"),
        ("deploy", "--help"),
        ("up", "--help"),
    ],
    ids=lambda command: command[0],
)
def test_what_needs_no_interpreter_loads_none(command: tuple[str, ...]) -> None:
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "stepwell_cli", *command],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines()}
    assert "stepwell_cli.parts" in loaded
    assert not {
        name
        for name in loaded
        if name.startswith(("stepwell_interpreter", "stepwell_api", "jsonschema", "stepwell_store.memory"))
    }
