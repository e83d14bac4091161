"""What is wrong with an ASL document, in AWS's words: code, message and location as Step Functions answers them.

Codes in capitals are AWS's own; codes in small letters are about what only Stepwell needs (its activities).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from stepwell_schemas.problems import PathInDocument, pointer_of

Severity = Literal["ERROR", "WARNING"]

SCHEMA = "SCHEMA_VALIDATION_FAILED"
INVALID_JSON = "INVALID_JSON_DESCRIPTION"
MISSING_DESCRIPTION = "MISSING_DESCRIPTION"
MISSING_TARGET = "MISSING_TRANSITION_TARGET"
MISSING_END = "MISSING_END_STATE"
DUPLICATE_NAME = "DUPLICATE_STATE_NAME"
INVALID_NAME = "INVALID_STATE_NAME"
TOO_DEEP = "TOO_DEEPLY_NESTED"
INVALID_JSONATA = "INVALID_JSONATA_EXPRESSION"
UNKNOWN_RESOURCE = "unknown-resource"

MAX_DIAGNOSTICS = 300


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. `path` leads to it in the document; None where AWS gives no location."""

    severity: Severity
    code: str
    message: str
    path: PathInDocument | None
    help: str = ""

    @property
    def location(self) -> str | None:
        """As AWS writes it: `/States/X/Retry[0]/ErrorEquals[0]`, and `/` for the document."""
        return None if self.path is None else location_of(self.path)

    @property
    def pointer(self) -> str:
        """The JSON pointer (RFC 6901) of the place; "" where there is none."""
        return pointer_of(self.path or ())

    def document(self) -> dict[str, Any]:
        """As ValidateStateMachineDefinition lists it."""
        shown = {"severity": self.severity, "code": self.code, "message": self.message}
        return shown if self.path is None else {**shown, "location": location_of(self.path)}


class Diagnostics:
    """Gathers findings in the order of the document, so many at most."""

    def __init__(self) -> None:
        self.found: list[Diagnostic] = []
        self._seen: set[Diagnostic] = set()

    def error(self, path: PathInDocument | None, message: str, code: str = SCHEMA, help: str = "") -> None:
        """Note what forbids the document; the same thing at the same place counts once."""
        self._add(Diagnostic("ERROR", code, message, path, help))

    def warning(self, path: PathInDocument, message: str, code: str) -> None:
        """Note what AWS only warns of."""
        self._add(Diagnostic("WARNING", code, message, path))

    @property
    def refused(self) -> bool:
        """Whether anything found is an error."""
        return any(each.severity == "ERROR" for each in self.found)

    def _add(self, diagnostic: Diagnostic) -> None:
        if diagnostic not in self._seen and len(self.found) < MAX_DIAGNOSTICS:
            self._seen.add(diagnostic)
            self.found.append(diagnostic)


def location_of(path: PathInDocument) -> str:
    """A path in AWS's notation: members after a slash, indexes in brackets."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f"/{part}" for part in path)
    return text or "/"


def errors_of(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Those that forbid the document."""
    return [each for each in diagnostics if each.severity == "ERROR"]


def creation_error(diagnostics: Sequence[Diagnostic]) -> tuple[str, str] | None:
    """The error name and message with which CreateStateMachine refuses; None where it accepts."""
    errors = errors_of(diagnostics)
    if not errors:
        return None
    told = ", ".join(f"{each.code}: {each.message} at {each.location or 'null'}" for each in errors)
    return "InvalidDefinition", f"Invalid State Machine Definition: '{told}'"
