"""The door for device events: bodies become checked CloudEvents, checked events become durable.

A request is taken whole or not at all, and only what is durable is answered. Every event needs a subject here:
a sender can be told at once what on the open stream would only become a dead letter.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

import orjson
from stepwell_schemas.cloudevents import EventRejected, parse_event
from stepwell_schemas.event import DeviceEvent
from stepwell_schemas.json_writer import json_bytes
from stepwell_store.errors import StoreFull
from stepwell_store.protocol import Store

from stepwell_ingress.errors import MAX_PROBLEMS, DoorBusy, EventProblem, EventsRefused, UnreadableBody

MAX_EVENTS = 10_000
"""Events one request may carry."""

RETRY_AFTER_SECONDS = 2
FULL_RETRY_AFTER_SECONDS = 10
LENGTH_CHECK_SECONDS = 0.2
FULL_FROM = 0.9
"""Of the store's memory. Engines and workers need some to work off what has been accepted."""

ONE = frozenset({"application/cloudevents+json"})
MANY = frozenset({"application/cloudevents-batch+json"})
LINES = frozenset(
    {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"}
)
EITHER = frozenset({"application/json", ""})
"""One object or an array, by what is there; without a media type lines are recognised too."""


@dataclass(frozen=True, slots=True)
class CheckedEvent:
    """An event as it goes to the log, and what it says."""

    raw: bytes
    event: DeviceEvent


def read_events(body: bytes, content_type: str | None, received_ms: int) -> list[CheckedEvent]:
    """The events of a body, each checked. Raises UnreadableBody or EventsRefused; then nothing is to be taken."""
    raws = _split(body, _media_type(content_type))
    return check_events(raws, received_ms)


def check_events(raws: Iterable[bytes], received_ms: int) -> list[CheckedEvent]:
    """Each event checked. Raises EventsRefused naming every one that is wrong (up to a limit), by its place."""
    checked: list[CheckedEvent] = []
    problems: list[EventProblem] = []
    refused = total = 0
    for raw in raws:
        try:
            event = parse_event(raw, received_ms)
            if event.device is None:
                raise EventRejected(
                    "missingAttribute",
                    "subject is missing; it names the device the event belongs to",
                    "/subject",
                )
            checked.append(CheckedEvent(raw, event))
        except EventRejected as rejected:
            refused += 1
            if len(problems) < MAX_PROBLEMS:
                problems.append(EventProblem(total, rejected.reason, rejected.message, rejected.pointer))
        total += 1
    if problems:
        raise EventsRefused(problems, refused, total)
    if not checked:
        raise UnreadableBody("the body holds no event")
    return checked


def read_binary_event(body: bytes, headers: Mapping[str, str], received_ms: int) -> list[CheckedEvent]:
    """A CloudEvent in HTTP binary mode: attributes in `ce-` headers, the body is the data.

    Format: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md, 3.1.
    """
    event: dict[str, object] = {
        name.removeprefix("ce-"): unquote(value) for name, value in headers.items() if name.startswith("ce-")
    }
    for name in ("data", "data_base64", "datacontenttype"):
        if name in event:
            raise UnreadableBody(f"in binary mode `ce-{name}` is no header: the body is the data")
    content_type = headers.get("content-type", "application/json")
    media = _media_type(content_type)
    if body:
        try:
            is_json = media == "application/json" or media.endswith("+json")
            event["data"] = orjson.loads(body) if is_json else body.decode()
        except ValueError as error:
            raise UnreadableBody(f"the body is not {media or 'JSON'}: {error}") from None
    if media:
        event["datacontenttype"] = content_type
    return check_events([json_bytes(event)], received_ms)


class Door:
    """Appends checked events to the log, unless the engines are too far behind. For one thread at a time."""

    def __init__(
        self, store: Store, limit: int, monotonic_seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._limit = limit
        self._monotonic_seconds = monotonic_seconds
        self._length = 0
        self._memory_used = 0.0
        self._check_at = float("-inf")

    def append(self, events: Sequence[bytes], replay: bool = False) -> list[str]:
        """Their positions, once they are durable. Raises DoorBusy (nothing taken) or StoreUnavailable (unknown)."""
        now = self._monotonic_seconds()
        if now >= self._check_at or self._memory_used >= FULL_FROM:
            self._length = self._store.door_length()
            self._memory_used = self._store.memory_used()
            self._check_at = now + LENGTH_CHECK_SECONDS
        if self._length >= self._limit:
            raise DoorBusy(
                f"{self._length} events wait at the door; at most {self._limit} may", RETRY_AFTER_SECONDS
            )
        if self._memory_used >= FULL_FROM:
            raise DoorBusy(
                f"the store is nearly out of memory ({min(self._memory_used, 1.0):.0%} is taken); "
                "what is left is for the work that has begun",
                FULL_RETRY_AFTER_SECONDS,
            )
        try:
            positions = self._store.append_events(events, replay)
        except StoreFull as full:
            raise DoorBusy(f"the store is out of memory: {full}", FULL_RETRY_AFTER_SECONDS) from full
        self._length += len(positions)
        return positions


def _media_type(content_type: str | None) -> str:
    media, _, parameters = (content_type or "").partition(";")
    charset = parameters.partition("charset=")[2].split(";")[0].strip().strip('"').lower()
    if charset not in ("", "utf-8", "utf8", "us-ascii"):
        raise UnreadableBody(f"charset {charset[:40]!r} is not taken; send UTF-8", media=True)
    return media.strip().lower()


def _split(body: bytes, media: str) -> list[bytes]:
    if media not in ONE | MANY | LINES | EITHER:
        allowed = ", ".join(sorted(ONE | MANY | LINES | (EITHER - {""})))
        raise UnreadableBody(f"content-type {media[:80]!r} is not taken; send one of {allowed}", media=True)
    if media in LINES:
        return _lines(body)
    if media in ONE:
        return [body]
    first = body.lstrip()[:1]
    if media in MANY or first == b"[":
        return _array(body)
    if media == "" and first == b"{" and b"\n" in body.strip() and not _is_json(body):
        return _lines(body)
    return [body] if first else []


def _array(body: bytes) -> list[bytes]:
    try:
        items = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UnreadableBody(f"the body is not JSON: {error}") from None
    if not isinstance(items, list):
        raise UnreadableBody("a batch is a JSON array of events")
    _check_count(len(items))
    return [json_bytes(item) for item in items]


def _lines(body: bytes) -> list[bytes]:
    lines = [line for line in body.split(b"\n") if line and not line.isspace()]
    _check_count(len(lines))
    return lines


def _check_count(count: int) -> None:
    if count > MAX_EVENTS:
        raise UnreadableBody(f"the body holds {count} events; at most {MAX_EVENTS} are taken at once")


def _is_json(body: bytes) -> bool:
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return True
