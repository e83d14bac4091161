"""Events: pushed in (the hot path), and what became of one.

`POST /events` works on bytes: no model is built, the answer is written from what was checked.
"""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Path, Query
from starlette.requests import Request
from starlette.responses import Response
from stepwell_ingress.door import CheckedEvent, read_binary_event, read_events
from stepwell_schemas.bodies import EventAnswer, EventsAnswer, FieldProblem
from stepwell_schemas.cloudevents import EventRejected, event_key, parse_event
from stepwell_store.batches import START
from stepwell_store.protocol import Store

from stepwell_api import reading, views
from stepwell_api.problems import ProblemRaised
from stepwell_api.services import Services, now_ms, services_of

router = APIRouter(tags=["events"])

Use = Annotated[Services, Depends(services_of)]

DOOR_PAGE = 1_000
DOOR_PAGES = 20
"""So much of the door is looked through for an event that no engine has applied yet."""


class EventQuery(reading.Query):
    """`source` tells events of the same id apart."""

    source: Annotated[str, Query(min_length=1, max_length=1024)] | None = None


@router.post("/events", status_code=202, response_model=EventsAnswer)
async def push(request: Request) -> Response:
    """Take one CloudEvent, an array or NDJSON; all or none. 202 once they are durable."""
    services: Services = request.app.state.services
    body = await reading.read_bytes(request)
    if "ce-specversion" in request.headers:
        checked = read_binary_event(body, request.headers, now_ms())
    else:
        checked = read_events(body, request.headers.get("content-type"), now_ms())
    positions = await services.door.push([event.raw for event in checked])
    items = [_accepted(one, position) for one, position in zip(checked, positions, strict=True)]
    answer = {"accepted": len(items), "rejected": 0, "items": items}
    return Response(orjson.dumps(answer), 202, media_type="application/json")


@router.get("/events/{id:path}")
def show(
    id: Annotated[str, Path(min_length=1, max_length=256)],
    query: Annotated[EventQuery, Query()],
    services: Use,
) -> EventAnswer:
    """Where an event ended: consumed, started, buffered, duplicate …; `accepted` while it waits at the door."""
    store = services.store
    sources = [query.source] if query.source is not None else store.sources()
    found = [(source, mark) for source in sources for mark in _marks(store, source, id)]
    if not found:
        waiting = _at_door(store, id, query.source)
        if waiting is not None:
            return waiting
        where = f" from source {query.source!r}" if query.source is not None else ""
        raise ProblemRaised(404, f"no event with id {id!r}{where} is known; ids are remembered for some days")
    if len({source for source, _ in found}) > 1:
        errors = [FieldProblem(pointer="/query/source", message=source) for source, _ in found]
        raise ProblemRaised(409, "several sources have an event of this id; add ?source=", errors=errors)
    source, mark = found[0]
    return views.event_answer(id, source, mark)


def _accepted(checked: CheckedEvent, position: str) -> dict[str, Any]:
    event = checked.event
    return {
        "id": event.id,
        "source": event.source,
        "disposition": "accepted",
        "device": event.device,
        "position": position,
    }


def _marks(store: Store, source: str, id: str) -> list[list[Any]]:
    return [orjson.loads(value) for _, value in store.seen(event_key(source, id), now_ms())]


def _at_door(store: Store, id: str, source: str | None) -> EventAnswer | None:
    position = min(store.door_positions().values(), key=_order, default=START)
    mark = orjson.dumps(id)
    for _ in range(DOOR_PAGES):
        entries = store.read(position, {}, DOOR_PAGE, None).door
        for entry in entries:
            raw = entry.fields.get(b"event", b"")
            # An id may be written with escapes; only then is a text without the plain id read.
            if mark in raw or b"\\" in raw:
                answer = _waiting(raw, entry.id, id, source)
                if answer is not None:
                    return answer
        if len(entries) < DOOR_PAGE:
            return None
        position = entries[-1].id
    return None


def _waiting(raw: bytes, position: str, id: str, source: str | None) -> EventAnswer | None:
    try:
        event = parse_event(raw, 0)
    except EventRejected:
        return None  # the engine makes it a dead letter; it is not the event that was asked for
    if event.id != id or source not in (None, event.source):
        return None
    return EventAnswer(
        id=id, source=event.source, disposition="accepted", device=event.device, position=position
    )


def _order(position: str) -> tuple[int, int]:
    milliseconds, _, number = position.partition("-")
    return int(milliseconds), int(number)
