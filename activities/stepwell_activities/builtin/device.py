"""`device.*`: the events that a device has gathered (its accumulator), read through the store.

Reading changes nothing. Clearing goes through the device's partition like everything else: it is applied before
the result of this activity, since both take the same inbox.
"""

from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from stepwell_schemas import device_record
from stepwell_schemas.durations import format_ms
from stepwell_store.partition import partition_of

from stepwell_activities.context import ActivityContext
from stepwell_activities.decorator import activity
from stepwell_activities.errors import NonRetryable

PAGE = 1_000


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True)


class EventQuery(_Wire):
    """What `device.events` takes: events with a place after `since`, by default all. The device is the instance's."""

    device: str | None = None
    since: int = Field(default=0, ge=0)
    limit: int | None = Field(default=None, ge=1)


class GatheredEvents(_Wire):
    """`events` in the device's own order; `up_to` is the place of the last in order of arrival."""

    device: str
    count: int
    events: list[dict[str, Any]]
    up_to: int
    more: bool
    dropped: int


class ClearQuery(_Wire):
    """What `device.clear` takes: everything up to the place `up_to` goes."""

    up_to: int = Field(ge=0)
    device: str | None = None


class Clearing(_Wire):
    """What is being cleared."""

    device: str
    up_to: int


class DeviceQuery(_Wire):
    """Which device; by default the instance's own."""

    device: str | None = None


class DeviceState(_Wire):
    """Figures of the accumulator. `known` is false for a device that never sent anything."""

    device: str
    known: bool
    count: int
    bytes: int
    first: str | None
    last: str | None
    up_to: int
    dropped: int
    rejected: int


@activity("device.events", timeout=30)
def events(query: EventQuery, context: ActivityContext) -> GatheredEvents:
    """The device's gathered events: by their CloudEvents sequence where all carry one, else as they arrived."""
    device = _device(query.device, context)
    partition = partition_of(device, context.store.partitions)
    found: list[tuple[int, bytes]] = []
    wanted = None if query.limit is None else query.limit + 1
    while wanted is None or len(found) < wanted:
        after = found[-1][0] if found else query.since
        page = context.store.device_events(partition, device, after, _page(wanted, len(found)))
        found += page
        if len(page) < PAGE:
            break
    more = query.limit is not None and len(found) > query.limit
    found = found[: query.limit]
    documents = [{**orjson.loads(body), "n": place} for place, body in found]
    record = _record(device, context)
    return GatheredEvents(
        device=device,
        count=len(documents),
        events=_in_order(documents),
        up_to=found[-1][0] if found else query.since,
        more=more,
        dropped=record.get("dropped", 0),
    )


@activity("device.clear", timeout=30)
def clear(query: ClearQuery, context: ActivityContext) -> Clearing:
    """Empty the device's accumulator up to a place, such as `upTo` of `device.events`. Later events stay."""
    device = _device(query.device, context)
    operation = {"op": "clear", "device": device, "upTo": query.up_to}
    partition = partition_of(device, context.store.partitions)
    context.store.append_records(partition, [orjson.dumps(operation)])
    return Clearing(device=device, up_to=query.up_to)


@activity("device.state", timeout=30)
def state(query: DeviceQuery, context: ActivityContext) -> DeviceState:
    """How many events the device has gathered, how large, since when, and what was dropped."""
    device = _device(query.device, context)
    record = _record(device, context)
    return DeviceState(
        device=device,
        known=bool(record),
        count=record["next"] - record["first"] if record else 0,
        bytes=record.get("bytes", 0),
        first=_moment(record.get("firstMs")),
        last=_moment(record.get("lastMs")),
        up_to=record["next"] - 1 if record else 0,
        dropped=record.get("dropped", 0),
        rejected=record.get("rejected", 0),
    )


def _device(given: str | None, context: ActivityContext) -> str:
    device = given if given is not None else context.device
    if not device:
        raise NonRetryable(
            "NoDevice", "this instance belongs to no device; name one with `device` in the input"
        )
    return device


def _record(device: str, context: ActivityContext) -> dict[str, Any]:
    raw = context.store.device(partition_of(device, context.store.partitions), device)
    return {} if raw is None else device_record.shown(orjson.loads(raw))


def _page(wanted: int | None, have: int) -> int:
    return PAGE if wanted is None else min(PAGE, wanted - have)


def _in_order(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if all(document.get("sequence") is not None for document in documents):
        return sorted(documents, key=lambda document: (document["sequence"], document["n"]))
    return documents


def _moment(epoch_ms: int | None) -> str | None:
    return None if epoch_ms is None else format_ms(epoch_ms)
