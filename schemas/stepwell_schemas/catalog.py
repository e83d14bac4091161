"""What the catalogue holds: published definitions, and the activities that workers offer."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class ActivityDescription(BaseModel):
    """One activity as its worker published it. Schemas are JSON Schema 2020-12; times in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    queue: str = "default"
    description: str = ""
    input_schema: dict[str, Any] | None = None
    output_schema: dict[str, Any] | None = None
    compensates: str | None = None
    timeout_seconds: float | None = None
    heartbeat_seconds: float | None = None
    retry: dict[str, Any] | None = None
    module: str = ""


class StoredDefinition(BaseModel):
    """An immutable version of a definition. `hash` covers the document; `activities` are those it was checked with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    version: str
    hash: str
    document: dict[str, Any]
    source: str
    source_format: Literal["yaml", "json"] = "yaml"
    dialect: Literal["native", "asl"] = "native"
    """Of an `asl` definition the document is the envelope, with the definition as an object."""
    activities: dict[str, ActivityDescription] = Field(default_factory=dict)
    created_ms: int
    created_by: str | None = None
