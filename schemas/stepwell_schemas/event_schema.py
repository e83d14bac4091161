"""The JSON Schema of events as senders write them, and of events as instances see them."""

from typing import Any

from stepwell_schemas import cloudevents
from stepwell_schemas.durations import TIMESTAMP_PATTERN

DIALECT = "https://json-schema.org/draft/2020-12/schema"
SCHEMA_ID = "urn:stepwell:schema:event"

_NO_CONTROL = r"^[^\u0000-\u001f\u007f-\u009f]+$"


def event_schema() -> dict[str, Any]:
    """CloudEvents 1.0 JSON as `cloudevents.parse_event` takes it; that function stays the judge."""
    required = {
        "specversion": {"const": "1.0"},
        "id": _text(
            cloudevents.MAX_ID_LENGTH, "Unique within the source; an event that comes twice is known by it."
        ),
        "source": _text(cloudevents.MAX_SOURCE_LENGTH, "Who sent it, as a URI reference."),
        "type": _text(cloudevents.MAX_TYPE_LENGTH, "What happened; definitions wait for it."),
    }
    optional = {
        "subject": _text(cloudevents.MAX_SUBJECT_LENGTH, "The device."),
        "time": {
            "type": "string",
            "pattern": TIMESTAMP_PATTERN,
            "description": "The sender's clock, RFC 3339.",
        },
        "sequence": {
            "description": "The sender's number of this event; events of a device are ordered by it.",
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": cloudevents.MAX_SEQUENCE},
                {"type": "string", "pattern": "^[0-9]{1,20}$"},
            ],
        },
        "datacontenttype": _text(256, "The media type of the data; JSON where absent."),
        "dataschema": _text(cloudevents.MAX_EXTENSION_LENGTH, "The address of the data's schema."),
        "data": {"description": "Any JSON."},
        "data_base64": {"type": "string", "contentEncoding": "base64", "description": "Binary data."},
    }
    return {
        "$schema": DIALECT,
        "$id": SCHEMA_ID,
        "title": "Stepwell event",
        "description": "A CloudEvents 1.0 event in JSON. The subject is the device.",
        "type": "object",
        "required": list(required),
        "properties": {**required, **{name: _or_null(schema) for name, schema in optional.items()}},
        "propertyNames": {"pattern": "^([a-z0-9]{1,20}|data_base64)$"},
        "additionalProperties": {
            "description": "An extension attribute.",
            "type": ["string", "number", "boolean", "null"],
            "maxLength": cloudevents.MAX_EXTENSION_LENGTH,
        },
        "not": {
            "required": ["data", "data_base64"],
            "properties": {"data": {"not": {"type": "null"}}, "data_base64": {"type": "string"}},
        },
    }


def kept_event_schema() -> dict[str, Any]:
    """`DeviceEvent.document()`: `$.event`, and what histories and accumulators hold."""
    text = {"type": "string"}
    properties: dict[str, Any] = {
        "id": text,
        "source": text,
        "type": text,
        "device": {"type": ["string", "null"]},
        "time": {"type": ["string", "null"]},
        "data": {},
        "received": {"type": "integer", "description": "Epoch milliseconds."},
        "sequence": {"type": "integer"},
        "extensions": {"type": "object"},
        "n": {"type": "integer", "description": "Its place at the device, in an accumulator."},
    }
    return {
        "description": "An event as it is kept.",
        "type": "object",
        "required": ["id", "source", "type", "device", "time", "data", "received"],
        "properties": properties,
        "additionalProperties": False,
    }


def _text(limit: int, description: str) -> dict[str, Any]:
    return {
        "type": "string",
        "minLength": 1,
        "maxLength": limit,
        "pattern": _NO_CONTROL,
        "description": description,
    }


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """CloudEvents takes a null attribute for an absent one."""
    if set(schema) == {"description"}:
        return schema
    description = {"description": schema["description"]} if "description" in schema else {}
    return {
        **description,
        "anyOf": [{k: v for k, v in schema.items() if k != "description"}, {"type": "null"}],
    }
