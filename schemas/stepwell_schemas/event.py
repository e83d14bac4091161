"""Device events as the engine handles them: CloudEvents 1.0 attributes reduced to one value.

`subject` is the device. The wire form stays CloudEvents JSON (https://github.com/cloudevents/spec, v1.0.2).
"""

from dataclasses import dataclass, field
from typing import Any

from stepwell_schemas.json_writer import json_bytes


@dataclass(slots=True, unsafe_hash=True, init=False)
class DeviceEvent:
    """One event, already checked. `time` is the producer's clock (RFC 3339), `received_ms` the engine's.

    A value that nobody changes, although nothing guards it; written out, as every event makes one.
    """

    id: str
    source: str
    type: str
    device: str | None
    data: Any
    received_ms: int
    time: str | None = None
    sequence: int | None = None
    extensions: dict[str, Any] = field(default_factory=dict)
    _document: dict[str, Any] | None = field(default=None, init=False, repr=False, compare=False)
    _encoded: bytes | None = field(default=None, init=False, repr=False, compare=False)

    def __init__(
        self,
        id: str,
        source: str,
        type: str,
        device: str | None,
        data: Any,
        received_ms: int,
        time: str | None = None,
        sequence: int | None = None,
        extensions: dict[str, Any] | None = None,
    ) -> None:
        self.id = id
        self.source = source
        self.type = type
        self.device = device
        self.data = data
        self.received_ms = received_ms
        self.time = time
        self.sequence = sequence
        self.extensions = {} if extensions is None else extensions
        self._document = None
        self._encoded = None

    def document(self) -> dict[str, Any]:
        """What `$.event` shows to a workflow: always the same object, which is not to be changed."""
        document = self._document
        if document is None:
            document = self._document = self._write()
        return document

    def encoded(self) -> bytes:
        """The document as JSON: it is stored more than once."""
        encoded = self._encoded
        if encoded is None:
            encoded = self._encoded = json_bytes(self.document())
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
