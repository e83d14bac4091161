"""Amazon States Language instances as Step Functions tells of them."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Path, Query
from stepwell_interpreter.asl.history import aws_history
from stepwell_schemas.bodies import ExecutionHistory

from stepwell_api import reading
from stepwell_api.problems import ProblemRaised
from stepwell_api.services import Services, services_of

router = APIRouter(tags=["workflows"])

PAGE = 500
LONGEST = 25_000
"""Entries of a history that are told of; as many events as Step Functions allows an execution."""

Use = Annotated[Services, Depends(services_of)]
InstancePath = Annotated[str, Path(max_length=300)]


@router.get("/workflows/{instance}/execution-history")
def execution_history(
    instance: InstancePath, query: Annotated[reading.NumberedPageQuery, Query()], services: Use
) -> ExecutionHistory:
    """The events of GetExecutionHistory, for an instance of an Amazon States Language definition."""
    found = services.instances.find(instance)
    definition = None if found.wire is None else found.wire["definition"]
    if found.wire is not None and definition is not None:
        program = services.definitions.program(definition, found.wire["version"])
        if program is not None and program.dialect != "asl":
            message = f"{definition} is no Amazon States Language definition; its history is at /history"
            raise ProblemRaised(409, message)
    entries, truncated = _entries(services, found.partition, instance)
    events = aws_history(entries, definition or "machine")
    page = events[query.cursor : query.cursor + query.limit]
    following = query.cursor + query.limit
    more = following if following < len(events) else None
    return ExecutionHistory(events=page, next=more, truncated=truncated)


def _entries(
    services: Services, partition: int, instance: str
) -> tuple[list[tuple[int, dict[str, Any]]], bool]:
    """The trace of the history, each entry with its time; and whether there is more of it."""
    told: list[tuple[int, dict[str, Any]]] = []
    for start in range(0, LONGEST, PAGE):
        page = services.store.history(partition, instance, start, PAGE)
        for raw in page:
            entry = orjson.loads(raw)
            told += [(entry["t"], step) for step in entry["trace"]]
        if len(page) < PAGE:
            return told, False
    return told, bool(services.store.history(partition, instance, LONGEST, 1))
