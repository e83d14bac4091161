"""Moments and events as authors write them: durations from the start, timestamps, CloudEvents or just type and data."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from stepwell_schemas.cloudevents import EventRejected, parse_event
from stepwell_schemas.durations import duration_ms, format_ms, timestamp_ms
from stepwell_schemas.event import DeviceEvent

from stepwell_interpreter.simulation.errors import MockRefused

Moment = datetime | timedelta | str | int | float
SOURCE: Final = "/simulation"


@dataclass(frozen=True, slots=True)
class GivenEvent:
    """An event and when it comes. `raised`: for the instance alone, not for its device."""

    at_ms: int
    event: DeviceEvent
    raised: bool


def start_ms(now: Moment | None, default: int) -> int:
    """When a simulation begins: a datetime, an RFC 3339 text or epoch milliseconds. Raises MockRefused."""
    match now:
        case None:
            return default
        case bool() | timedelta():
            raise MockRefused(f"now: {now!r} is no moment")
        case int() | float():
            try:
                format_ms(int(now))
            except (ValueError, OverflowError):
                raise MockRefused(f"now: {now!r} ms is outside of the years 1 to 9999") from None
            return int(now)
        case _:
            return _moment(now, "now", 0)


def moment_ms(value: Moment, where: str, begin_ms: int) -> int:
    """A moment: a datetime or RFC 3339 text; or, from the beginning, a timedelta, `PT5M` or seconds."""
    if isinstance(value, bool):
        raise MockRefused(f"{where}: {value!r} is no moment")
    if isinstance(value, int | float):
        try:
            return begin_ms + duration_ms(value)
        except ValueError as error:
            raise MockRefused(f"{where}: {error}") from None
    return _moment(value, where, begin_ms)


def given_events(
    events: Iterable[Mapping[str, Any]] | None, *, begin_ms: int, device: str | None
) -> list[GivenEvent]:
    """The events in the order in which they come. Those without a subject are the device's. Raises MockRefused."""
    if events is None:
        return []
    if isinstance(events, Mapping | str | bytes) or not isinstance(events, Iterable):
        raise MockRefused(f"events is a list of events, not {type(events).__name__}")
    found = [_given(event, number, begin_ms, device) for number, event in enumerate(events)]
    return sorted(found, key=lambda given: given.at_ms)


def first_subject(events: Iterable[Mapping[str, Any]] | None) -> str | None:
    """The first device that an event names."""
    for event in events if isinstance(events, list | tuple) else ():
        subject = event.get("subject") if isinstance(event, Mapping) else None
        if isinstance(subject, str):
            return subject
    return None


def _given(event: Any, number: int, begin_ms: int, device: str | None) -> GivenEvent:
    where = f"events[{number}]"
    if not isinstance(event, Mapping):
        raise MockRefused(f"{where}: an event is an object with a type, not {type(event).__name__}")
    document = dict(event)
    at = document.pop("at", None)
    raised = document.pop("raised", False)
    if not isinstance(raised, bool):
        raise MockRefused(f"{where}: raised must be true or false")
    at = document.get("time") if at is None else at
    at_ms = begin_ms if at is None else max(begin_ms, moment_ms(at, f"{where}: at", begin_ms))
    document.setdefault("specversion", "1.0")
    document.setdefault("id", f"event-{number + 1}")
    document.setdefault("source", SOURCE)
    if device is not None:
        document.setdefault("subject", device)
    try:
        return GivenEvent(at_ms, parse_event(document, at_ms), raised)
    except EventRejected as error:
        raise MockRefused(f"{where}: {error} (at {error.pointer or '/'})") from None


def _moment(value: Any, where: str, begin_ms: int) -> int:
    match value:
        case datetime():
            if value.tzinfo is None:
                raise MockRefused(f"{where}: {value} has no time zone; write datetime(..., tzinfo=UTC)")
            return (value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
        case timedelta():
            return begin_ms + value // timedelta(milliseconds=1)
        case str():
            try:
                return begin_ms + duration_ms(value) if value[:1] == "P" else timestamp_ms(value)
            except ValueError as error:
                other = "" if where == "now" or value[:1] == "P" else ", or PT5M from the beginning"
                raise MockRefused(f"{where}: {error}{other}") from None
        case _:
            raise MockRefused(f"{where}: {value!r} is no moment: write PT5M or 2026-01-31T12:00:00Z")
