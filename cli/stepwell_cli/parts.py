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
    "processes": {
        "up": "Run everything on this machine.",
        "engine": "Run an engine; any number may run.",
        "worker": "Run an RQ worker for activities; any number may run.",
        "api": "Run the HTTP API.",
    },
    "definitions": {
        "validate": "Check definitions without storing them.",
        "deploy": "Publish definitions.",
        "definitions": "List what is published, or the versions of a definition.",
        "activities": "List the activities that workers offer.",
    },
    "instances": {
        "start": "Start an instance.",
        "status": "Show where an instance stands, or list instances.",
        "history": "Show what happened to an instance, step by step.",
        "cancel": "End an instance before its time.",
        "raise": "Send an event to one instance alone.",
        "release": "Let a quarantined instance go on.",
    },
    "events": {
        "push": "Push events, made of options or read from a file or stdin.",
        "trace": "Show what became of an event, and what it did.",
    },
    "dead_letters": {"dead-letters": "Events that could not be used: list, replay, discard."},
    "devices": {"devices": "Devices and their accumulated events."},
    "doctor": {"doctor": "Check what is stored: nothing lost, nothing stuck."},
    "demo": {"demo": "Onboard three devices, and show what happens to each."},
    "check_command": {"check": "Check definitions without a server."},
    "simulate": {"simulate": "Run a definition without a server, in virtual time."},
    "explore": {"explore": "Walk everything that can happen, look for what breaks."},
    "generate_tests": {"generate": "Write scenarios that a definition gives rise to."},
    "test_command": {"test": "Run scenarios without a server, in virtual time."},
    "graph": {"graph": "Draw a definition."},
    "schema_command": {"schema": "Write the JSON Schema of definitions, for editors."},
    "import_asl": {"import": "Bring definitions of other systems here."},
}
"""Module of this package -> the commands that its `add_to` adds and what each does, in the order of the help."""

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

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List all commands with what they do, as the table says, without importing them."""
        rows = [row for commands in PARTS.values() for row in commands.items()]
        rows += [
            (name, command.get_short_help_str())
            for name, command in self.commands.items()
            if name not in _PART_OF
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _import(self, part: str) -> None:
        if self.commands.keys() & PARTS[part].keys():
            return
        app = typer.Typer(rich_markup_mode=None, pretty_exceptions_show_locals=False)
        import_module(f"stepwell_cli.{part}").add_to(app)
        self.commands.update(get_group(app).commands)
