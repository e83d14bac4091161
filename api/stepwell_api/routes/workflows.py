"""Instances of workflows: start, list, look, raise events, cancel, release, callbacks."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Header, Path, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from stepwell_schemas.bodies import (
    CallbackAnswer,
    CallbackRequest,
    CancelAnswer,
    CancelRequest,
    HistoryPage,
    RaisedEventAnswer,
    ReleaseAnswer,
    ReleaseRequest,
    StartAnswer,
    StartRequest,
    WorkflowPage,
    WorkflowStatus,
)
from stepwell_schemas.history import shown
from stepwell_schemas.problems import did_you_mean
from stepwell_store.protocol import InstanceFilter
from stepwell_store.searching import STATUSES

from stepwell_api import instance_requests, reading, starting, views
from stepwell_api.access import actor_of
from stepwell_api.problems import field_problem
from stepwell_api.services import Services, services_of

router = APIRouter(tags=["workflows"])

Use = Annotated[Services, Depends(services_of)]
InstancePath = Annotated[str, Path(max_length=300)]
EventName = Annotated[str, Path(max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")]
Token = Annotated[str, Path(max_length=1024)]


PRINTABLE = r"^[^\x00-\x1f\x7f]+$"


class RaiseQuery(reading.Query):
    """The sender's id of a raised event."""

    id: Annotated[str, Field(min_length=1, max_length=256, pattern=PRINTABLE)] | None = None


class WorkflowQuery(reading.PageQuery):
    """Filters of the list; `status` may be given several times or with commas."""

    status: Annotated[list[str], Field(default_factory=list)]
    type: str | None = None
    device: str | None = None
    created_from: str | None = None
    created_to: str | None = None


@router.post("/workflows", status_code=202, response_model=StartAnswer)
async def start(
    request: Request,
    services: Use,
    asked: Annotated[StartRequest, Depends(reading.json_body(StartRequest))],
) -> Response:
    """Start an instance. 202 once the start is durable; `status` is `accepted` when no engine has applied it yet."""
    answer = await starting.start(services, asked, len(await request.body()), actor_of(request))
    return Response(answer.model_dump_json(), 202, {"location": answer.links.status}, "application/json")


@router.get("/workflows")
def list_workflows(query: Annotated[WorkflowQuery, Query()], services: Use) -> WorkflowPage:
    """Instances, newest first."""
    names = services.definitions.names()
    if query.type is not None and query.type not in names:
        message = f"there is no definition {query.type[:80]!r}{did_you_mean(query.type, names)}"
        raise field_problem("/query/type", message)
    filter = InstanceFilter(
        statuses=_statuses(query.status),
        definition=query.type,
        device=query.device,
        created_from_ms=reading.time_parameter("createdFrom", query.created_from),
        created_to_ms=reading.time_parameter("createdTo", query.created_to),
    )
    try:
        found, cursor = services.store.instances(filter, names, query.limit, query.cursor)
    except ValueError as error:
        raise field_problem("/query/cursor", str(error)) from None
    return WorkflowPage(items=[views.workflow_summary(orjson.loads(raw)) for raw in found], cursor=cursor)


@router.get("/workflows/{instance}")
def show(instance: InstancePath, services: Use) -> WorkflowStatus:
    """All that is known of an instance; `pending` until the engine has applied its start."""
    found = services.instances.find(instance)
    if found.wire is None:
        return views.pending_status(instance, *instance_requests.requested_start(services.store, found))
    program = services.definitions.program(found.wire["definition"], found.wire["version"])
    return views.workflow_status(found.wire, program)


@router.get("/workflows/{instance}/history", response_model=HistoryPage)
def history(
    instance: InstancePath, query: Annotated[reading.NumberedPageQuery, Query()], services: Use
) -> Response:
    """The history from its beginning; each entry holds the hash of the one before, as it is stored."""
    found = services.instances.find(instance)
    entries = services.store.history(found.partition, instance, query.cursor, query.limit + 1)
    following = str(query.cursor + query.limit) if len(entries) > query.limit else "null"
    head = orjson.dumps({"instanceId": instance})[:-1]
    body = (
        head
        + b',"items":['
        + b",".join(map(shown, entries[: query.limit]))
        + b'],"next":'
        + following.encode()
        + b"}"
    )
    return Response(body, media_type="application/json")


@router.post("/workflows/{instance}/events/{name}", status_code=202)
async def raise_event(
    instance: InstancePath,
    name: EventName,
    request: Request,
    services: Use,
    data: Annotated[Any, Depends(reading.json_value)],
    query: Annotated[RaiseQuery, Query()],
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=256, pattern=PRINTABLE)] = None,
) -> RaisedEventAnswer:
    """Give an event to this instance alone; the body is its data. It is kept when no wait takes it yet. With `id`, or
    the header Idempotency-Key, a repeat is answered like the first time and changes nothing."""
    id = query.id or idempotency_key
    return await instance_requests.raise_event(services, instance, name, data, actor_of(request), id)


@router.post("/workflows/{instance}/cancel", status_code=202)
async def cancel(
    instance: InstancePath,
    request: Request,
    services: Use,
    asked: Annotated[CancelRequest, Depends(reading.json_body(CancelRequest, optional=True))],
) -> CancelAnswer:
    """End an instance, with `compensate` after undoing what it did."""
    return await instance_requests.cancel(services, instance, asked, actor_of(request))


@router.post("/workflows/{instance}/release", status_code=202)
async def release(
    instance: InstancePath,
    request: Request,
    services: Use,
    asked: Annotated[ReleaseRequest, Depends(reading.json_body(ReleaseRequest, optional=True))],
) -> ReleaseAnswer:
    """Take an instance out of quarantine; what came for it meanwhile is applied then. With `discardHeld` the record
    that broke the engine is dropped."""
    return await instance_requests.release(services, instance, asked, actor_of(request))


@router.post("/callbacks/{token}", status_code=202, tags=["callbacks"])
async def call_back(
    token: Token,
    request: Request,
    services: Use,
    asked: Annotated[CallbackRequest, Depends(reading.json_body(CallbackRequest, optional=True))],
) -> CallbackAnswer:
    """Complete a task with `callback: true`, or fail it with `error`."""
    return await instance_requests.call_back(services, token, asked, actor_of(request))


@router.post("/callbacks/{token}/heartbeat", status_code=202, tags=["callbacks"])
async def signal_life(token: Token, request: Request, services: Use) -> CallbackAnswer:
    """Say that the work behind a callback token goes on; its heartbeat limit counts from now."""
    return await instance_requests.signal_life(services, token, actor_of(request))


def _statuses(given: list[str]) -> list[str]:
    words = [word.strip() for text in given for word in text.split(",") if word.strip()]
    for word in words:
        if word not in STATUSES:
            message = (
                f"{word[:40]!r} is no status{did_you_mean(word, STATUSES)} (allowed: {', '.join(STATUSES)})"
            )
            raise field_problem("/query/status", message)
    return words
