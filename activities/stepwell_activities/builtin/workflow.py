"""`workflow.validate`: checks a workflow definition from inside of a workflow, as the upload does."""

from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict
from stepwell_schemas.loader import load_definition

from stepwell_activities.decorator import activity


class Candidate(BaseModel):
    """What `workflow.validate` takes: the definition's text, or the definition itself."""

    model_config = ConfigDict(extra="forbid")

    source: str | dict[str, Any]
    format: Literal["yaml", "json"] | None = None


class FoundProblem(BaseModel):
    """One finding."""

    code: str
    severity: str
    message: str
    pointer: str
    line: int | None
    column: int | None


class Verdict(BaseModel):
    """`valid` where no finding is an error."""

    valid: bool
    id: str | None
    version: str | None
    problems: list[FoundProblem]


@activity("workflow.validate", timeout=60)
def validate(candidate: Candidate) -> Verdict:
    """Check a workflow definition; what is wrong with it is the result, not an error."""
    if isinstance(candidate.source, str):
        loaded = load_definition(candidate.source, format=candidate.format)
    else:
        loaded = load_definition(orjson.dumps(candidate.source), format="json")
    definition = loaded.definition
    return Verdict(
        valid=not loaded.errors and definition is not None,
        id=None if definition is None else definition.id,
        version=None if definition is None else definition.version,
        problems=[
            FoundProblem(
                code=problem.code,
                severity=problem.severity,
                message=problem.message,
                pointer=problem.pointer,
                line=problem.line,
                column=problem.column,
            )
            for problem in loaded.problems
        ],
    )
