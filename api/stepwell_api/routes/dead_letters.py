"""Dead letters over HTTP: list, show, replay (as they came or edited), discard by a named person."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from starlette.requests import Request
from stepwell_ingress import dead_letters
from stepwell_schemas.bodies import (
    DeadLetterDetail,
    DeadLetterPage,
    DeadLetterSummary,
    DiscardRequest,
    EventAnswer,
    ReplayRequest,
)

from stepwell_api import reading, views
from stepwell_api.access import SCOPE_KEY, actor_of
from stepwell_api.problems import ProblemRaised, field_problem
from stepwell_api.services import Services, now_ms, services_of

router = APIRouter(tags=["dead letters"])

Use = Annotated[Services, Depends(services_of)]
LetterPath = Annotated[str, Path(max_length=80)]


@router.get("/dead-letters")
def list_letters(query: Annotated[reading.PageQuery, Query()], services: Use) -> DeadLetterPage:
    """Newest first."""
    try:
        letters, cursor = dead_letters.list_letters(services.store, query.limit, query.cursor)
    except ValueError as error:
        raise field_problem("/query/cursor", str(error)) from None
    return DeadLetterPage(items=[views.letter_summary(letter) for letter in letters], cursor=cursor)


@router.get("/dead-letters/{id}")
def show(id: LetterPath, services: Use) -> DeadLetterDetail:
    """One dead letter with all that was received."""
    return views.letter_detail(dead_letters.find(services.store, id))


@router.post("/dead-letters/{id}/replay", status_code=202)
def replay(
    id: LetterPath,
    services: Use,
    asked: Annotated[ReplayRequest, Depends(reading.json_body(ReplayRequest, optional=True))],
) -> EventAnswer:
    """Send it again, or `event` in its place. It stays a dead letter when what is sent is not valid."""
    replayed = dead_letters.replay(services.store, id, asked.event, now_ms())
    event = replayed.event
    return EventAnswer(
        id=None if event is None else event.id,
        source=None if event is None else event.source,
        disposition="accepted",
        device=None if event is None else event.device,
        position=replayed.position,
    )


@router.post("/dead-letters/{id}/discard")
def discard(
    id: LetterPath,
    request: Request,
    services: Use,
    asked: Annotated[DiscardRequest, Depends(reading.json_body(DiscardRequest))],
) -> DeadLetterSummary:
    """Take it out for good; who (`X-Actor`, or the API key) and why is recorded."""
    if request.scope[SCOPE_KEY].name == "local" and not request.headers.get("x-actor", "").strip():
        raise ProblemRaised(400, "a dead letter is discarded by a named person: send their name as X-Actor")
    letter = dead_letters.discard(services.store, id, by=actor_of(request), reason=asked.reason)
    return views.letter_summary(letter)
