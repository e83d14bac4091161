"""Dead letters: seen, sent again (as they came or edited), or discarded by a named person.

A letter stays until what it holds is durable at the door again; a repeat of a replay is a duplicate there.
"""

import logging
from dataclasses import dataclass
from typing import Any

import orjson
from stepwell_schemas.event import DeviceEvent
from stepwell_store.protocol import DeadLetter, Store

from stepwell_ingress.door import check_events
from stepwell_ingress.errors import EventsRefused, NotReplayable, UnknownLetter

audit = logging.getLogger("stepwell.audit")


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter. It holds an `event`, a `raw` text that is no event, or an instance's `record`."""

    id: str
    reason: str
    message: str
    at_ms: int
    attempts: int
    event: dict[str, Any] | None
    raw: str | None
    instance: str | None
    record: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Replayed:
    """What was sent again: an event at the door, or a record (`event` None) in an inbox."""

    position: str
    event: DeviceEvent | None


def list_letters(store: Store, limit: int, cursor: str | None) -> tuple[list[Letter], str | None]:
    """Newest first, with the next page's cursor. Raises ValueError for a cursor that is not one."""
    letters, following = store.dead_letters(limit, cursor)
    return [_read(letter) for letter in letters], following


def find(store: Store, id: str) -> Letter:
    """One letter. Raises UnknownLetter."""
    try:
        letter = store.dead_letter(id)
    except ValueError:
        letter = None
    if letter is None:
        raise UnknownLetter(id)
    return _read(letter)


def replay(store: Store, id: str, edited: dict[str, Any] | None, now_ms: int) -> Replayed:
    """Send a letter again, or `edited` in its place, and take it out. Raises UnknownLetter or NotReplayable."""
    letter = find(store, id)
    if letter.record is not None and edited is None:
        replayed = _replay_record(store, letter)
    else:
        replayed = _replay_event(store, _event_text(letter, edited), now_ms)
    store.remove_dead_letter(id)
    return replayed


def discard(store: Store, id: str, *, by: str, reason: str) -> Letter:
    """Take a letter out for good. Who and why goes to the audit log, with the letter. Raises UnknownLetter."""
    if not by.strip() or not reason.strip():
        raise ValueError("a dead letter is discarded by a named person, for a reason")
    letter = find(store, id)
    if not store.remove_dead_letter(id):
        raise UnknownLetter(id)
    entry = {"act": "discard", "letter": id, "by": by, "why": reason, "message": letter.message}
    audit.info("%s", orjson.dumps(entry | {"event": letter.event, "raw": letter.raw}).decode())
    return letter


def _read(letter: DeadLetter) -> Letter:
    body = orjson.loads(letter.body)
    return Letter(
        id=letter.id,
        reason=str(body.get("reason", "unknown")),
        message=str(body.get("message", "")),
        at_ms=int(body.get("time_ms", 0)),
        attempts=int(body.get("attempts", 0)),
        event=body.get("event"),
        raw=body.get("raw"),
        instance=body.get("instance"),
        record=body.get("record"),
    )


def _event_text(letter: Letter, edited: dict[str, Any] | None) -> bytes:
    if edited is not None:
        return orjson.dumps(edited)
    if letter.event is not None:
        return orjson.dumps(letter.event)
    return (letter.raw or "").encode()


def _replay_event(store: Store, raw: bytes, now_ms: int) -> Replayed:
    try:
        (checked,) = check_events([raw], now_ms)
    except EventsRefused as refused:
        problem = refused.problems[0]
        raise NotReplayable(f"{problem.message}; send an edited event", problem.pointer) from None
    (position,) = store.append_events([checked.raw], replay=True)
    return Replayed(position, checked.event)


def _replay_record(store: Store, letter: Letter) -> Replayed:
    partition = int(letter.id.partition("-")[0])
    operation = {"op": "deliver", "instance": letter.instance, "record": letter.record}
    (position,) = store.append_records(partition, [orjson.dumps(operation)])
    return Replayed(position, None)
