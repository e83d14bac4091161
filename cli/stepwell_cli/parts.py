"""Which module each command stands in: it is imported when the command is asked for.

All of them together take the interpreter, the checks and the test tools, and a second that `stepwell status` need not
wait for. How click's documentation does it: "Lazily Loading Subcommands".
"""

from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_group

PARTS: Final = {
    "processes": ("up", "engine", "worker", "api"),
    "definitions": ("validate", "deploy", "definitions", "activities"),
    "instances": ("start", "status", "history", "cancel", "raise", "release"),
    "events": ("push", "trace"),
    "dead_letters": ("dead-letters",),
    "devices": ("devices",),
    "doctor": ("doctor",),
    "demo": ("demo",),
    "check_command": ("check",),
    "simulate": ("simulate",),
    "explore": ("explore",),
    "generate_tests": ("generate",),
    "test_command": ("test",),
    "graph": ("graph",),
    "schema_command": ("schema",),
    "import_asl": ("import",),
}
"""Module of this package -> the commands that its `add_to` adds, in the order of the help."""

_PART_OF: Final = {command: part for part, commands in PARTS.items() for command in commands}


class StepwellGroup(TyperGroup):
    """The `stepwell` command: `commands` holds those whose part was imported, and what it was made with."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All names, those of the parts first."""
        return [*_PART_OF, *(name for name in self.commands if name not in _PART_OF)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command; None where there is none of that name."""
        if cmd_name in _PART_OF:
            self._import(_PART_OF[cmd_name])
        elif cmd_name not in self.commands:
            for part in PARTS:  # what it may have been meant for is told by the names of `commands`
                self._import(part)
        return super().get_command(ctx, cmd_name)

    def _import(self, part: str) -> None:
        if PARTS[part][0] in self.commands:
            return
        app = typer.Typer(rich_markup_mode=None, pretty_exceptions_show_locals=False)
        import_module(f"stepwell_cli.{part}").add_to(app)
        self.commands.update(get_group(app).commands)
