"""What verification finds, and the table of its checks: each code with its severity and its one-line help.

`Sink` gathers findings, each once. Analyses that run before the final pass are given one that is not `active`.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from stepwell_schemas.problems import Severity

from stepwell_interpreter.failures import nearest
from stepwell_interpreter.verification.work import Work


@dataclass(frozen=True, slots=True)
class VerificationProblem:
    """One finding. `code` is stable and in `CHECKS`; `pointer` is a JSON pointer into the definition."""

    code: str
    severity: Severity
    pointer: str
    message: str
    help: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """How grave a finding of this check is, what mends it, and whether `checks.ignore` may silence it.

    Everything that is no error may be silenced.
    """

    severity: Severity
    help: str
    silenceable: bool = True


def _error(help: str, silenceable: bool = False) -> Check:
    return Check("error", help, silenceable)


def _warning(help: str) -> Check:
    return Check("warning", help)


CHECKS: Final[dict[str, Check]] = {
    # -- paths
    "path-never-written": _error("Write it before, with resultPath or set, or correct the path."),
    "path-maybe-missing": _warning(
        "Give a default ({$path: .., $default: ..}), guard it with isPresent, or write it on every route."
    ),
    "path-unknown-key": _error("Correct the path, or declare the key in the schema."),
    "path-undeclared-key": _error("Correct the path, or declare the key in the schema.", silenceable=True),
    "path-not-promised": _warning("Declare the key in the schema, or give a default."),
    "path-optional": _warning("Make it required in the schema, give a default, or guard it with isPresent."),
    "path-out-of-scope": _error("Use a name that is in scope there."),
    "path-into-scalar": _error("Only an object has members, only a list has indices."),
    # -- types
    "activity-input-type": _error("Hand over what the activity's input schema asks for."),
    "start-input": _error("Let start.input make what the input schema asks for."),
    "function-argument": _error("Give the function what it takes; see the table of functions."),
    "items-not-a-list": _error("items must be a list, or a path to one."),
    "not-a-duration": _error("A duration is ISO 8601 (PT48H) or a number of seconds."),
    "not-a-timestamp": _error("A timestamp is RFC 3339 (2026-01-31T12:00:00Z)."),
    "never-true": _error("Compare with a value of the type the variable has.", silenceable=True),
    "always-true": _warning("Types are never coerced: compare with a value of the variable's type."),
    "result-path-collision": _error("Write to a place whose parents are objects."),
    # -- events
    "event-undeclared": _error("Declare the event under events, or correct its name.", silenceable=True),
    "event-unused": Check("info", "Wait for it, start on it, or remove it from events."),
    "wait-without-match": _warning("Add match, so that an event that means something else is not taken."),
    "schema-keyword": _warning("Correct the keyword; as it is, nothing is checked by it."),
    "match-unknown-key": _error("Correct the path into the event's data, or declare it in events."),
    "match-type": _error("Match with a value of the type the event's schema has there."),
    # -- results
    "unused-result": _warning("Keep it with resultPath, or say resultPath: null."),
    "result-selector-unused": _warning("Add a resultPath for what the selector makes, or remove it."),
    # -- choices
    "choice-without-default": _warning("Add a default, or rules for what is left over."),
    "rule-unreachable": _warning("Remove the rule, or put it before the one that takes everything first."),
    "default-unreachable": Check("info", "The rules before leave nothing over; the default is not needed."),
    "same-target": Check("info", "Every rule leads to the same state; the choice decides nothing."),
    # -- loops and ends
    "endless-loop": _error(
        "Put a wait into the loop, or a condition that some state in it changes.", silenceable=True
    ),
    "busy-loop": _warning("Put a wait into the loop, or count its rounds and leave it after some."),
    "no-way-to-end": _warning("Lead on to a state that ends, or wait in the loop."),
    "error-route-loop": _error("Lead errors to a state that does not send them back."),
    # -- errors
    "catch-shadowed": _warning("Put the more special rule first; States.ALL comes last."),
    "retry-shadowed": _warning("Put the more special policy first; States.ALL comes last."),
    "never-caught": _warning("Nothing takes States.Runtime; remove the name."),
    "unknown-error-name": _error(
        "Names that begin with States. are the machine's own; correct it.", silenceable=True
    ),
    "error-cannot-occur": _warning("Remove the name, or correct it."),
    "retry-never": _warning("Only what was tried is tried again: activities, children, branches and items."),
    # -- time
    "heartbeat-beyond-timeout": _warning("Make heartbeat shorter than timeout, or drop it."),
    "timeout-beyond-instance": _warning("Make it shorter than configuration.timeout."),
    "retry-beyond-instance": _warning("Try less often or with shorter pauses, or give the instance longer."),
    "timeout-zero": _warning("It passes at once; give it a time."),
    # -- undo
    "undo-missing": _warning("Add compensateWith, so that the compensation undoes this too."),
    "undo-mismatch": _warning("Use the activity that is declared to undo this one."),
    "undo-never-run": _warning(
        "Add a compensation state and lead errors to it; else only cancelling undoes."
    ),
    "fail-without-undo": _warning("Lead to the compensation before the workflow fails."),
    "nothing-to-undo": _warning("Add compensateWith to what comes before, or remove the compensation."),
    # -- branches, secrets
    "parallel-write-conflict": _error(
        "Give each branch a place of its own, or write the result of the parallel state.", silenceable=True
    ),
    "secret-exposed": _error("Leave the secret out, or hand over a hash of it.", silenceable=True),
    "too-complex": Check("info", "Divide it into child workflows, or nest less."),
    "too-many-findings": Check("info", "Mend those that are shown, and check again."),
    # -- silencing
    "ignore-without-reason": _error("Say why: reason: .."),
    "ignore-unknown-code": _error("The codes are in the table of checks."),
    "ignore-unused": _warning("Remove it."),
    "ignore-refused": _error("Only warnings, and errors that may be meant, can be silenced."),
}
"""Every check of verification, by its stable code."""

SILENCEABLE_ELSEWHERE: Final = frozenset(
    {"unreachable-state", "wait-without-timeout", "no-terminal-state", "unpublished-workflow"}
)
"""Warnings of the loader and of the catalogue, which `checks.ignore` may name as well."""


def told(code: str, pointer: str, message: str) -> VerificationProblem:
    """A finding with the severity and the help of its check."""
    return VerificationProblem(code, CHECKS[code].severity, pointer, message, CHECKS[code].help)


MOST_OF_A_CODE: Final = 300
_MOST_NAMES_COMPARED: Final = 100_000
"""Names that are looked through for the one that was meant, in one verification."""


@dataclass(slots=True)
class Sink:
    """Gathers findings, each once and of each code only the first 300; nothing while it is not `active`."""

    active: bool = True
    state_names: tuple[str, ...] = ()
    """What is written to `$.state` anywhere, to name the nearest."""
    found: dict[tuple[str, str, str], VerificationProblem] = field(default_factory=dict)
    work: Work = field(default_factory=Work)
    capped: set[str] = field(default_factory=set)
    """Codes of which more was found than is kept."""
    muted: frozenset[str] = frozenset()
    """Codes that are not told for now."""
    _counts: dict[str, int] = field(default_factory=dict)
    _names_left: int = _MOST_NAMES_COMPARED

    def add(
        self, code: str, pointer: str, message: str, *, severity: Severity | None = None, help: str = ""
    ) -> None:
        """Note a finding; severity and help come from the check unless they are given."""
        key = (code, pointer, message)
        if not self.active or code in self.muted or key in self.found:
            return
        count = self._counts.get(code, 0)
        if count >= MOST_OF_A_CODE:
            self.capped.add(code)
            return
        self._counts[code] = count + 1
        check = CHECKS[code]
        self.found[key] = VerificationProblem(
            code, severity or check.severity, pointer, message, help or check.help
        )

    def nearest(self, word: str, names: Collection[str]) -> str | None:
        """The name that was probably meant; None, too, where too many have been looked through before."""
        self._names_left -= len(names)
        return nearest(word, names) if self.active and self._names_left >= 0 else None
