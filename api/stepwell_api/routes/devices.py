"""Devices: which there are, their figures, and the events their accumulators hold."""

from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Path, Query
from stepwell_schemas.bodies import DeviceAnswer, DeviceEvents, DevicePage
from stepwell_store.partition import partition_of

from stepwell_api import reading, views
from stepwell_api.problems import ProblemRaised, field_problem
from stepwell_api.services import Services, services_of

router = APIRouter(tags=["devices"])

Use = Annotated[Services, Depends(services_of)]
DevicePath = Annotated[str, Path(min_length=1, max_length=256)]


@router.get("/devices")
def list_devices(query: Annotated[reading.PageQuery, Query()], services: Use) -> DevicePage:
    """Known devices, in no order."""
    store = services.store
    partition, cursor = _read_cursor(query.cursor, store.partitions)
    found: list[str] = []
    while partition < store.partitions and len(found) < query.limit:
        try:
            page, cursor = store.device_ids(partition, query.limit - len(found), cursor)
        except ValueError as error:
            raise field_problem("/query/cursor", str(error)) from None
        found += page
        if cursor is None:
            partition += 1
    more = partition < store.partitions
    return DevicePage(items=found, cursor=f"{partition}:{cursor or ''}" if more else None)


@router.get("/devices/{device:path}/events")
def list_events(
    device: DevicePath, query: Annotated[reading.NumberedPageQuery, Query()], services: Use
) -> DeviceEvents:
    """A device's accumulated events after the sequence `cursor`, oldest first."""
    partition = partition_of(device, services.store.partitions)
    if services.store.device(partition, device) is None:
        raise _unknown(device)
    found = services.store.device_events(partition, device, query.cursor, query.limit + 1)
    page = found[: query.limit]
    return DeviceEvents(
        device=device,
        items=[orjson.loads(raw) for _, raw in page],
        next=page[-1][0] if len(found) > query.limit else None,
    )


@router.get("/devices/{device:path}")
def show(device: DevicePath, services: Use) -> DeviceAnswer:
    """A device's figures and running instances."""
    raw = services.store.device(partition_of(device, services.store.partitions), device)
    if raw is None:
        raise _unknown(device)
    return views.device_answer(device, orjson.loads(raw))


def _unknown(device: str) -> ProblemRaised:
    return ProblemRaised(404, f"device {device[:160]!r} has sent no event and runs no workflow")


def _read_cursor(cursor: str | None, partitions: int) -> tuple[int, str | None]:
    if cursor is None:
        return 0, None
    number, mark, rest = cursor.partition(":")
    if (
        not mark
        or not (number.isascii() and number.isdigit())
        or len(number) > 4
        or int(number) >= partitions
    ):
        raise field_problem("/query/cursor", "is not a cursor of this list; pass one that a page returned")
    return int(number), rest or None
