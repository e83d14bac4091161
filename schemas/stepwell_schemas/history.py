"""History entries as they are stored: what an entry's record already holds is not written a second time.

An event that a wait writes into the documents stands in the record; the patch says `"from": "event"` there.
`shown` gives the entry whole again. The hash of an entry is that of its stored bytes.
"""

from typing import Any

import orjson

from stepwell_schemas import records
from stepwell_schemas.json_writer import json_bytes
from stepwell_schemas.records import EventOffered, Record

_MARK = b'"from":"event"'


def written(
    revision: int,
    record: Record,
    trace: list[dict[str, Any]],
    patch: list[dict[str, Any]],
    program: str,
    previous: str,
) -> bytes:
    """The stored form of an entry. `previous` is the hash of the entry before, "" of the first."""
    if isinstance(record, EventOffered):
        event = record.event
        wire: dict[str, Any] = {
            "kind": record.kind,
            "time_ms": record.time_ms,
            "event": orjson.Fragment(event.encoded()),
        }
        if record.sequence is not None:
            wire["sequence"] = record.sequence
        if record.raised:
            wire["raised"] = True
        if patch:
            document = event.document()
            patch = [_referring(change) if change.get("value") is document else change for change in patch]
    else:
        wire = records.to_wire(record)
    return json_bytes(
        {
            "n": revision,
            "t": record.time_ms,
            "record": wire,
            "trace": trace,
            "patch": patch,
            "program": program,
            "prev": previous,
        }
    )


def shown(entry: bytes) -> bytes:
    """A stored entry with all values in it."""
    if _MARK not in entry:
        return entry
    document = orjson.loads(entry)
    for change in document["patch"]:
        if change.get("from") == "event" and "value" not in change:
            del change["from"]
            change["value"] = document["record"]["event"]
    return orjson.dumps(document)


def _referring(change: dict[str, Any]) -> dict[str, Any]:
    reference = {name: value for name, value in change.items() if name != "value"}
    reference["from"] = "event"
    return reference
