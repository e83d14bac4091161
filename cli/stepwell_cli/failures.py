"""What can go wrong with a command, each with its exit code. Reported once, in `command.StepwellCommand`.

CommandFailed       1  the thing was tried and failed, or is not in order
├── UsageError      2  the command line is wrong, as for what Typer itself refuses
├── NotFound        3  what was named does not exist
├── Unreachable     4  no server answers, or it cannot reach its store
└── NothingChosen   5  nothing that is there was chosen, so nothing was done
0 is success.
"""

from typing import Any


class CommandFailed(Exception):
    """The command failed. `details` are further lines, `document` what `--json` prints."""

    exit_code = 1

    def __init__(self, message: str, details: list[str] | None = None, document: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details or []
        self.document = document

    def as_document(self) -> Any:
        """One JSON document: the command's own, or an error object."""
        if self.document is not None:
            return self.document
        return {"error": {"message": self.message, "details": self.details, "exitCode": self.exit_code}}


class UsageError(CommandFailed):
    """The command line is wrong: a value cannot be read, or options do not go together."""

    exit_code = 2


class NotFound(CommandFailed):
    """What was named does not exist."""

    exit_code = 3


class Unreachable(CommandFailed):
    """No server answers, or it cannot reach its store."""

    exit_code = 4


class NothingChosen(CommandFailed):
    """A pattern chooses none of what is there."""

    exit_code = 5
