"""Reads scenarios with their positions: those of a file `NAME.tests.yaml`, and those inside a definition.

Bad input becomes problems with file, line and column, as for definitions; never an exception.
"""

from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from stepwell_schemas.building import built
from stepwell_schemas.json_reader import read_json
from stepwell_schemas.problems import (
    Finding,
    PathInDocument,
    Place,
    Positions,
    Problem,
    kind_of,
    located,
)
from stepwell_schemas.scenario import Scenario, ScenarioFile
from stepwell_schemas.schema_check import check_against_schema
from stepwell_schemas.source_text import SyntaxFault, read_source
from stepwell_schemas.yaml_reader import read_yaml

from stepwell_interpreter.compile import Compiled

SCHEMA = "scenarios.schema.json"
TESTS = "tests"


@dataclass(frozen=True, slots=True)
class ScenarioSet:
    """Scenarios of one definition and where they stand. With `problems` of severity error they cannot be run.

    `definition` is the path the file names, relative to it; None for scenarios inside their definition.
    """

    scenarios: tuple[Scenario, ...]
    problems: tuple[Problem, ...] = ()
    file: str | None = None
    definition: str | None = None
    activities: tuple[str, ...] = ()
    source: str = ""
    document: Any = None
    positions: Positions = field(default_factory=Positions)

    @property
    def usable(self) -> bool:
        """Whether no problem forbids to run them."""
        return all(problem.severity != "error" for problem in self.problems)

    def place(self, index: int, *path: str | int) -> Place | None:
        """Where a scenario, or a part of it, begins."""
        return self.positions.value((TESTS, index, *path))

    def problem(self, finding: Finding, index: int) -> Problem:
        """A finding about a part of a scenario, with its place; its path is relative to the scenario."""
        whole: PathInDocument = (TESTS, index, *finding.path)
        moved = Finding(finding.code, finding.message, whole, finding.severity, finding.help, finding.at_key)
        return located(moved, self.positions, self.file)


def scenarios_of(compiled: Compiled, file: str | None = None) -> ScenarioSet:
    """The scenarios inside a definition or its envelope; none where it has none or could not be loaded."""
    loaded = compiled.loaded
    holder = loaded.definition or loaded.asl
    found = () if holder is None else tuple(holder.tests)
    return ScenarioSet(
        found,
        file=file,
        source=loaded.source,
        document=loaded.document,
        positions=loaded.positions or Positions(),
    )


def load_scenarios(source: str | bytes, *, file: str | None = None) -> ScenarioSet:
    """The scenarios of a file's content. `file` is its name in problems; `.json` makes it JSON."""
    try:
        text = read_source(source, file).text
        notes: list[Finding] = []
        if file is not None and PurePath(file).suffix.lower() == ".json":
            document, positions = read_json(text)
        else:
            document, positions, notes = read_yaml(text)
        return _checked(document, positions, notes, text, file)
    except SyntaxFault as fault:
        problem = Problem(fault.code, "error", fault.message, file, fault.line, fault.column, help=fault.help)
        return ScenarioSet((), (problem,), file)
    except RecursionError:
        return ScenarioSet(
            (), (Problem("too-deep", "error", "nested too deeply to be checked here", file),), file
        )


def _checked(
    document: Any, positions: Positions, notes: list[Finding], text: str, file: str | None
) -> ScenarioSet:
    findings = list(notes)
    loaded: ScenarioFile | None = None
    if not isinstance(document, dict):
        findings.append(
            Finding("wrong-type", f"a scenario file is an object with tests, not {kind_of(document)}")
        )
    else:
        shape = check_against_schema(document, SCHEMA)
        findings += shape
        if not shape:
            loaded, refused = built(ScenarioFile, document)
            findings += refused
    problems = sorted(
        (located(finding, positions, file) for finding in findings),
        key=lambda problem: (problem.line or 0, problem.column or 0),
    )
    return ScenarioSet(
        () if loaded is None else tuple(loaded.tests),
        tuple(problems),
        file,
        None if loaded is None else loaded.definition,
        () if loaded is None else tuple(loaded.activities),
        text,
        document,
        positions,
    )
