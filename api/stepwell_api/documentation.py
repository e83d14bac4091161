"""What the OpenAPI document says beyond the endpoints' signatures: request bodies, problems, keys, examples."""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from stepwell_schemas.bodies import (
    CallbackRequest,
    CancelRequest,
    DiscardRequest,
    Problem,
    ReplayRequest,
    StartRequest,
)

REFERENCE = "#/components/schemas/{model}"

EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "7f3a",
    "source": "gateway-1",
    "type": "DeviceSeen",
    "subject": "sensor-7",
    "time": "2026-01-31T12:00:00Z",
    "data": {"signal": -61},
}
EVENT_SCHEMA: dict[str, Any] = {
    "title": "CloudEvent",
    "description": "CloudEvents 1.0; `subject` is the device, `sequence` its order where the device counts.",
    "type": "object",
    "required": ["specversion", "id", "source", "type", "subject"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1, "maxLength": 256},
        "source": {"type": "string", "minLength": 1, "maxLength": 1024},
        "type": {"type": "string", "minLength": 1, "maxLength": 256},
        "subject": {"type": "string", "minLength": 1, "maxLength": 256},
        "time": {"type": "string", "format": "date-time"},
        "sequence": {"oneOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]+$"}]},
        "data": {},
    },
    "additionalProperties": True,
    "examples": [EVENT],
}
DEFINITION_EXAMPLE = """id: hello
version: 1.0.0
startAt: Greet
states:
  Greet: {type: task, activity: notify, input: {message: hello}, end: true}
"""

BODIES: dict[tuple[str, str], tuple[type[BaseModel], dict[str, Any]]] = {
    ("/workflows", "post"): (StartRequest, {"type": "device-onboarding", "input": {"deviceId": "sensor-7"}}),
    ("/workflows/{instance}/cancel", "post"): (CancelRequest, {"reason": "sold", "compensate": True}),
    ("/callbacks/{token}", "post"): (CallbackRequest, {"output": {"approved": True}}),
    ("/dead-letters/{id}/replay", "post"): (ReplayRequest, {"event": EVENT}),
    ("/dead-letters/{id}/discard", "post"): (DiscardRequest, {"reason": "the device was a test"}),
}


def describe(app: FastAPI) -> None:
    """Let the app's OpenAPI document be complete; it is made once, when it is first asked for."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _complete(generate())
        return generate()

    app.openapi = openapi  # type: ignore[method-assign]  # the documented way to extend the document


def _complete(document: dict[str, Any]) -> None:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    models = [(model, "validation") for model, _ in BODIES.values()] + [(Problem, "serialization")]
    _, found = models_json_schema(models, ref_template=REFERENCE)  # type: ignore[arg-type]  # a list of literals
    schemas.update(found["$defs"])
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["CloudEvent"] = EVENT_SCHEMA
    document["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    document["security"] = [{"bearer": []}, {"apiKey": []}, {}]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete_operation(path, method, operation)


def _complete_operation(path: str, method: str, operation: dict[str, Any]) -> None:
    operation["responses"].pop("422", None)
    operation["responses"]["default"] = {
        "description": "What went wrong, and where",
        "content": {"application/problem+json": {"schema": {"$ref": REFERENCE.format(model="Problem")}}},
    }
    if (path, method) in BODIES:
        model, example = BODIES[(path, method)]
        schema = {"$ref": REFERENCE.format(model=model.__name__)}
        operation["requestBody"] = {"content": {"application/json": {"schema": schema, "example": example}}}
    elif method == "post" and path == "/events":
        operation["requestBody"] = {"required": True, "content": _event_bodies()}
    elif method == "post" and path.startswith("/definitions"):
        content = {"schema": {"type": "string"}, "example": DEFINITION_EXAMPLE}
        operation["requestBody"] = {
            "required": True,
            "content": {"application/yaml": content, "application/json": {"schema": {"type": "object"}}},
        }
    elif method == "post" and path.endswith("/events/{name}"):
        operation["requestBody"] = {
            "content": {"application/json": {"schema": {}, "example": {"orderId": "17"}}}
        }


def _event_bodies() -> dict[str, Any]:
    one = {"$ref": REFERENCE.format(model="CloudEvent")}
    many = {"type": "array", "items": one}
    return {
        "application/cloudevents+json": {"schema": one, "example": EVENT},
        "application/cloudevents-batch+json": {"schema": many, "example": [EVENT]},
        "application/json": {"schema": {"oneOf": [one, many]}},
        "application/x-ndjson": {"schema": {"type": "string", "description": "one event per line"}},
    }
