"""`check`: what is wrong with a definition, as upload, editor and command line say it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from stepwell_schemas.catalog import ActivityDescription
from stepwell_schemas.problems import Problem

from stepwell_interpreter.compile import Compiled
from stepwell_interpreter.scenarios.gate import gate
from stepwell_interpreter.simulation.source import Definition, MachineType, compiled_of


@dataclass(frozen=True, slots=True)
class Report:
    """What `check` found. `accepted`: the definition can be uploaded and run; warnings do not keep it from that."""

    accepted: bool
    problems: tuple[Problem, ...]
    id: str | None = None
    version: str | None = None

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that keep it from running."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    def as_document(self) -> dict[str, Any]:
        """The report as a JSON object."""
        return {
            "accepted": self.accepted,
            "id": self.id,
            "version": self.version,
            "problems": [asdict(problem) for problem in self.problems],
        }


def check(
    definition: Definition,
    activities: Mapping[str, ActivityDescription] | Iterable[str | ActivityDescription] | None = None,
    *,
    type: MachineType | None = None,
    resources: Mapping[str, str] | None = None,
    file: str | None = None,
) -> Report:
    """Check a definition of either dialect. Without `activities` every activity is taken to exist.

    Its own `tests:` are run, as at an upload. `type` and `resources` are for Amazon States Language; they go before
    what its envelope says.
    """
    known = None if activities is None else described(activities)
    compiled = compiled_of(definition, known, file=file, type=type, resources=resources)
    return report_of(compiled, gate(compiled, known, file=file))


def report_of(compiled: Compiled, failed: Sequence[Problem] = ()) -> Report:
    """The report on what was compiled, and on those of its `tests:` that do not hold."""
    document = compiled.loaded.document or {}
    id, version = document.get("id"), document.get("version")
    return Report(
        accepted=compiled.accepted and not failed,
        problems=(*compiled.problems, *failed),
        id=id if isinstance(id, str) else None,
        version=version if isinstance(version, str) else None,
    )


def described(
    activities: Mapping[str, ActivityDescription] | Iterable[str | ActivityDescription],
) -> dict[str, ActivityDescription]:
    """Activities by name; of a mere name nothing else is known, so it takes everything."""
    if isinstance(activities, Mapping):
        return dict(activities)
    found = [ActivityDescription(name=each) if isinstance(each, str) else each for each in activities]
    return {each.name: each for each in found}
