"""Coverage: which states, transitions and error routes of a definition its scenarios have used, and which not."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

from stepwell_interpreter.compile import Compiled
from stepwell_interpreter.drawing import svg
from stepwell_interpreter.scenarios.parts import Part, PartKind, Parts
from stepwell_interpreter.scenarios.results import ScenarioResult

KINDS: Final[Mapping[PartKind, str]] = {
    "state": "states",
    "transition": "transitions",
    "error": "error routes",
}
COVERED: Final = "covered"
MISSED: Final = "missed"
ANONYMOUS: Final = ("definition", "0.0.0")
"""What loading calls a definition that has neither id nor version."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """The parts of one definition, and the pointers of those that were used. `file` is the definition's."""

    definition: str
    version: str
    parts: tuple[Part, ...]
    covered: frozenset[str]
    file: str | None = None

    @property
    def missed(self) -> tuple[Part, ...]:
        """The parts that no scenario has used."""
        return tuple(part for part in self.parts if part.pointer not in self.covered)

    @property
    def percent(self) -> float:
        """Of all parts of every kind; 100 where there is none."""
        return _percent(len(self.parts) - len(self.missed), len(self.parts))

    def counts(self) -> dict[PartKind, tuple[int, int]]:
        """Of each kind: how many were used, how many there are."""
        found: dict[PartKind, tuple[int, int]] = {}
        for kind in KINDS:
            parts = [part for part in self.parts if part.kind == kind]
            found[kind] = sum(part.pointer in self.covered for part in parts), len(parts)
        return found

    def text(self) -> str:
        """For a person: a line of figures, then what was missed."""
        figures = ", ".join(
            f"{KINDS[kind]} {used}/{total} ({_percent(used, total):.0f} %)"
            for kind, (used, total) in self.counts().items()
            if total
        )
        lines = [f"{self.definition} {self.version}: {self.percent:.0f} % covered; {figures}"]
        for kind, word in KINDS.items():
            lines += [f"  missed {word[:-1]}: {part.label}" for part in self.missed if part.kind == kind]
        return "\n".join(lines)

    def as_document(self) -> dict[str, Any]:
        """The same as a JSON object."""
        return {
            "definition": self.definition,
            "version": self.version,
            "file": self.file,
            "percent": round(self.percent, 2),
            **{
                word.replace("error routes", "errorRoutes"): {
                    "covered": self.counts()[kind][0],
                    "total": self.counts()[kind][1],
                    "percent": round(_percent(*self.counts()[kind]), 2),
                    "missed": [
                        {"pointer": part.pointer, "label": part.label}
                        for part in self.missed
                        if part.kind == kind
                    ],
                }
                for kind, word in KINDS.items()
            },
        }

    def marks(self) -> dict[str, str]:
        """For the picture: what is drawn -> covered or missed. Ways that are drawn as one are missed together."""
        marks: dict[str, str] = {}
        for part in self.parts:
            if part.drawn:
                missed = part.pointer not in self.covered or marks.get(part.drawn) == MISSED
                marks[part.drawn] = MISSED if missed else COVERED
        return marks


def coverage_of(
    compiled: Compiled, results: Iterable[ScenarioResult], *, file: str | None = None
) -> Coverage:
    """What the scenarios of a definition have covered together; failed ones count for the way they went."""
    assert compiled.program is not None, "only an accepted definition can be covered"
    parts = Parts(compiled.program, compiled.loaded.document or {}).all()
    covered = frozenset(pointer for result in results for pointer in result.covered)
    program = compiled.program
    # A bare document in Amazon States Language has no id of its own; its file's name tells it from others.
    bare = program.dialect == "asl" and (program.id, program.version) == ANONYMOUS
    name = PurePath(file).stem if bare and file is not None else program.id
    return Coverage(name, program.version, parts, covered, file)


def picture(compiled: Compiled, coverage: Coverage) -> str:
    """The definition as SVG, with what was covered and what was missed in their colours. Raises DrawingTooLarge."""
    title = f"{coverage.definition} {coverage.version}: {coverage.percent:.0f} % covered"
    return svg(compiled.loaded.document or {}, marks=coverage.marks(), title=title)


def _percent(used: int, total: int) -> float:
    return 100.0 * used / total if total else 100.0
