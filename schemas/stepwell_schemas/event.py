"""Device events as the engine handles them: CloudEvents 1.0 attributes reduced to one frozen value.

`subject` is the device. The wire form stays CloudEvents JSON (https://github.com/cloudevents/spec, v1.0.2).
"""

from dataclasses import field
from typing import Any

import orjson

from stepwell_schemas.value import value


class _Written:
    """Room for what is written out once, beside the fields."""

    __slots__ = ("_document", "_encoded")
    _document: dict[str, Any]
    _encoded: bytes


@value
class DeviceEvent(_Written):
    """One event, already checked. `time` is the producer's clock (RFC 3339), `received_ms` the engine's."""

    id: str
    source: str
    type: str
    device: str | None
    data: Any
    received_ms: int
    time: str | None = None
    sequence: int | None = None
    extensions: dict[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """What `$.event` shows to a workflow: always the same object, which is not to be changed."""
        try:
            return self._document
        except AttributeError:
            document = self._write()
            self._document = document
            return document

    def encoded(self) -> bytes:
        """The document as JSON: it is stored more than once."""
        try:
            return self._encoded
        except AttributeError:
            encoded = orjson.dumps(self.document())
            self._encoded = encoded
            return encoded

    def _write(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "device": self.device,
            "time": self.time,
            "data": self.data,
            "received": self.received_ms,
        }
        if self.sequence is not None:
            document["sequence"] = self.sequence
        if self.extensions:
            document["extensions"] = self.extensions
        return document

    @staticmethod
    def from_document(document: dict[str, Any]) -> "DeviceEvent":
        """The inverse of `document`, for what was written by us."""
        return DeviceEvent(
            id=document["id"],
            source=document["source"],
            type=document["type"],
            device=document["device"],
            data=document["data"],
            received_ms=document["received"],
            time=document["time"],
            sequence=document.get("sequence"),
            extensions=document.get("extensions", {}),
        )
