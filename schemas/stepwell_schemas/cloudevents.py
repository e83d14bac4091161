"""Device events as they come in: CloudEvents 1.0 JSON, checked by hand because every event passes here.

Format: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md, structured mode,
plus an optional `sequence` (integer or its digits). `data_base64` is checked and kept undecoded, as
`{"base64": text}`. `dataschema`, and a `datacontenttype` that is not JSON, are kept among the extensions.
An attribute that is null counts as absent.
"""

import base64
import binascii
import re
from hashlib import blake2b
from typing import Any, Literal

import orjson

from stepwell_schemas.durations import TIMESTAMP_PATTERN, timestamp_ms
from stepwell_schemas.event import DeviceEvent

MAX_EVENT_BYTES = 256 * 1024
MAX_DEPTH = 64
MAX_EXTENSIONS = 32
MAX_EXTENSION_LENGTH = 4096
MAX_ID_LENGTH = 256
MAX_SOURCE_LENGTH = 1024
MAX_TYPE_LENGTH = 256
MAX_SUBJECT_LENGTH = 256
MAX_SEQUENCE = 2**53 - 1
"""The largest integer that every JSON reader takes exactly."""

Reason = Literal["tooLarge", "notJson", "tooDeep", "invalidAttribute", "missingAttribute", "invalidData"]

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_TIME = re.compile(TIMESTAMP_PATTERN.removesuffix("$") + r"\Z", re.ASCII)
_NAME = re.compile(r"[a-z0-9]{1,20}\Z")
_JSON_TYPE = re.compile(r"\s*[\w.+-]+/([\w.-]+\+)?json\s*(;.*)?\Z", re.IGNORECASE | re.ASCII)


class EventRejected(ValueError):
    """The event cannot be taken. `reason` is for machines, `pointer` is a JSON pointer to what is wrong."""

    def __init__(self, reason: Reason, message: str, pointer: str = "") -> None:
        super().__init__(message)
        self.reason: Reason = reason
        self.message = message
        self.pointer = pointer


def parse_event(raw: bytes | dict[str, Any], received_ms: int) -> DeviceEvent:
    """The event of a CloudEvents JSON text (or of an object read from one). Raises EventRejected."""
    if isinstance(raw, dict):
        raw = _text_of(raw)
    document = _read(raw)
    if document.pop("specversion", None) != "1.0":
        raise EventRejected("invalidAttribute", 'specversion must be "1.0"', "/specversion")
    id = _required(document, "id", MAX_ID_LENGTH)
    source = _required(document, "source", MAX_SOURCE_LENGTH)
    type = _required(document, "type", MAX_TYPE_LENGTH)
    device = document.pop("subject", None)
    if device is not None:
        _check_text(device, "subject", MAX_SUBJECT_LENGTH)
    time = document.pop("time", None)
    if time is not None:
        _check_time(time)
    sequence = document.pop("sequence", None)
    if sequence is not None:
        sequence = _sequence(sequence)
    data = document.pop("data", None)
    if document:
        data = _rest(document, data)
    return DeviceEvent(id, source, type, device, data, received_ms, time, sequence, document)


def check_device(value: object) -> str:
    """A device's id, by the rules of `subject`. Raises EventRejected, a ValueError."""
    return _check_text(value, "device", MAX_SUBJECT_LENGTH)


def event_key(source: str, id: str) -> bytes:
    """What an event is recognised by when it comes twice: 16 bytes over source and id."""
    return blake2b(f"{source}\0{id}".encode(), digest_size=16).digest()


def _text_of(document: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(document)
    except TypeError as error:
        raise EventRejected("notJson", f"the event is not JSON: {error}") from None


def _read(raw: bytes) -> dict[str, Any]:
    if len(raw) > MAX_EVENT_BYTES:
        raise EventRejected(
            "tooLarge", f"the event has {len(raw)} bytes; at most {MAX_EVENT_BYTES} are taken"
        )
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise EventRejected("notJson", f"the event is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise EventRejected("notJson", "an event is a JSON object")
    # Counting brackets is far cheaper than walking; only a text that could be too deep is walked.
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and _too_deep(document):
        raise EventRejected("tooDeep", f"the event is nested deeper than {MAX_DEPTH} levels")
    return document


def _required(document: dict[str, Any], name: str, limit: int) -> str:
    value = document.pop(name, None)
    # The usual case in one test; every other case is sorted out by _check_text.
    if value.__class__ is str and 0 < len(value) <= limit and value.isprintable():
        return value
    if value is None:
        raise EventRejected("missingAttribute", f"{name} is missing", f"/{name}")
    return _check_text(value, name, limit)


def _check_text(value: Any, name: str, limit: int) -> str:
    if not isinstance(value, str):
        raise EventRejected("invalidAttribute", f"{name} must be a text", f"/{name}")
    if not value:
        raise EventRejected("invalidAttribute", f"{name} must not be empty", f"/{name}")
    if len(value) > limit:
        raise EventRejected(
            "invalidAttribute", f"{name} has {len(value)} characters; at most {limit} are taken", f"/{name}"
        )
    if not value.isprintable() and (found := _CONTROL.search(value)):
        raise EventRejected(
            "invalidAttribute",
            f"{name} has a control character (U+{ord(found[0]):04X}) at {found.start()}",
            f"/{name}",
        )
    return value


def _check_time(value: Any) -> None:
    if not isinstance(value, str) or _TIME.match(value) is None:
        raise EventRejected(
            "invalidAttribute", "time must be an RFC 3339 timestamp such as 2026-01-31T12:00:00Z", "/time"
        )
    if value[8:10] > "28" or value.startswith("0000"):
        try:
            timestamp_ms(value)
        except ValueError as error:
            raise EventRejected("invalidAttribute", f"time: {error}", "/time") from None


def _sequence(value: Any) -> int:
    if value.__class__ is str and len(value) <= 20 and value.isascii() and value.isdigit():
        value = int(value)
    if value.__class__ is not int or not 0 <= value <= MAX_SEQUENCE:
        raise EventRejected(
            "invalidAttribute",
            f"sequence must be an integer from 0 to {MAX_SEQUENCE}, or its digits as a text",
            "/sequence",
        )
    return int(value)


def _rest(document: dict[str, Any], data: Any) -> Any:
    """Takes the less usual attributes out of what is left; the extensions stay in `document`. The data."""
    encoded = document.pop("data_base64", None)
    content_type = document.pop("datacontenttype", None)
    schema = document.pop("dataschema", None)
    if document:
        _keep_extensions(document)
    if content_type is not None:
        _check_text(content_type, "datacontenttype", 256)
    is_json = content_type is None or _JSON_TYPE.match(content_type) is not None
    if encoded is not None:
        if data is not None:
            raise EventRejected("invalidData", "an event has data or data_base64, not both", "/data_base64")
        data = {"base64": _checked_base64(encoded)}
    elif not is_json and data is not None and not isinstance(data, str):
        raise EventRejected(
            "invalidData", f"data of type {content_type} must be a text (or use data_base64)", "/data"
        )
    if not is_json:
        document["datacontenttype"] = content_type
    if schema is not None:
        _check_text(schema, "dataschema", MAX_EXTENSION_LENGTH)
        document["dataschema"] = schema
    return data


def _checked_base64(value: Any) -> str:
    try:
        base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise EventRejected("invalidData", f"data_base64 is not base64: {error}", "/data_base64") from None
    return value  # type: ignore[no-any-return]  # b64decode takes nothing else that JSON has


def _keep_extensions(document: dict[str, Any]) -> None:
    if len(document) > MAX_EXTENSIONS:
        raise EventRejected("invalidAttribute", f"more than {MAX_EXTENSIONS} extension attributes")
    for name, value in tuple(document.items()):
        if _NAME.match(name) is None:
            raise EventRejected(
                "invalidAttribute",
                f"{name[:80]!r} is no attribute name: names have 1 to 20 lower-case letters and digits",
                f"/{name[:80].replace('~', '~0').replace('/', '~1')}",
            )
        if value is None:
            del document[name]
        elif isinstance(value, str):
            if len(value) > MAX_EXTENSION_LENGTH or _CONTROL.search(value):
                _check_text(value, name, MAX_EXTENSION_LENGTH)
        elif not isinstance(value, bool | int | float):
            raise EventRejected(
                "invalidAttribute",
                f"{name} must be a text, a number or a boolean; put more into data",
                f"/{name}",
            )


def _too_deep(document: Any) -> bool:
    level: list[Any] = [document]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True
