"""What came of a scenario, as plain values that go from process to process, and as text for a person."""

from dataclasses import dataclass, field
from typing import Any, Literal

from stepwell_schemas.problems import Problem

Verdict = Literal["passed", "failed", "skipped", "unusable"]
MARKS: dict[Verdict, str] = {"passed": "ok", "failed": "FAILED", "skipped": "skipped", "unusable": "UNUSABLE"}


@dataclass(frozen=True, slots=True)
class Difference:
    """One expectation that was not met. `what` names it (`status`, `output.id`, `path`); the place is its own."""

    what: str
    expected: str
    got: str
    note: str = ""
    line: int | None = None
    column: int | None = None
    pointer: str = ""


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """The result of one scenario. `covered`: JSON pointers of the parts of the definition that it used."""

    name: str
    verdict: Verdict
    differences: tuple[Difference, ...] = ()
    problems: tuple[Problem, ...] = ()
    file: str | None = None
    line: int | None = None
    column: int | None = None
    status: str | None = None
    output: Any = None
    error: str | None = None
    cause: str | None = None
    path: str = ""
    """The path taken, as one line."""
    elapsed_ms: int = 0
    """Of virtual time."""
    records: int = 0
    visits: int = 0
    """How many states were entered."""
    seconds: float = 0.0
    """Of real time, where whoever ran it measured that."""
    covered: frozenset[str] = field(default=frozenset(), repr=False)
    notes: tuple[str, ...] = ()
    index: int = 0

    @property
    def failed(self) -> bool:
        """Whether it counts against the tests."""
        return self.verdict in ("failed", "unusable")

    def place(self) -> str:
        """`file:line:column`, as far as it is known."""
        return _place(self.file, self.line, self.column)

    def explanation(self) -> str:
        """Why it failed, for a person: each difference with its place, then how it ended and the path taken."""
        lines = [str(problem) for problem in self.problems]
        for each in self.differences:
            lines += _difference_lines(each, self.file)
        if self.path:
            lines.append(f"path taken: {self.path}")
        if self.status is not None:
            ended = self.status + (f" by {self.error}" if self.error else "")
            lines.append(f"it ended:   {ended}" + (f": {self.cause}" if self.cause else ""))
        return "\n".join([*lines, *self.notes])

    def as_document(self) -> dict[str, Any]:
        """The result as a JSON object."""
        return {
            "name": self.name,
            "verdict": self.verdict,
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "status": self.status,
            "error": self.error,
            "cause": self.cause,
            "output": self.output,
            "path": self.path,
            "elapsedMs": self.elapsed_ms,
            "records": self.records,
            "seconds": round(self.seconds, 6),
            "differences": [
                {
                    "what": each.what,
                    "expected": each.expected,
                    "got": each.got,
                    "note": each.note,
                    "line": each.line,
                    "column": each.column,
                    "pointer": each.pointer,
                }
                for each in self.differences
            ],
            "problems": [str(problem) for problem in self.problems],
            "notes": list(self.notes),
        }


def _place(file: str | None, line: int | None, column: int | None) -> str:
    return ":".join(str(part) for part in (file, line, column) if part is not None)


def _difference_lines(each: Difference, file: str | None) -> list[str]:
    place = _place(file, each.line, each.column)
    note = f" ({each.note})" if each.note else ""
    return [
        f"{place}: {each.what} is not as expected{note}"
        if place
        else f"{each.what} is not as expected{note}",
        f"    expected  {each.expected}",
        f"    got       {each.got}",
    ]
