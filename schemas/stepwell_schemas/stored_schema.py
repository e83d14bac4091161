"""The JSON Schemas of what is stored: records, instances and history entries, derived from the dataclasses."""

from dataclasses import MISSING, fields
from typing import Any, get_args

from pydantic import TypeAdapter

from stepwell_schemas import commands, instance, records
from stepwell_schemas.event_schema import DIALECT, kept_event_schema

BASE = "urn:stepwell:schema:"


def record_schema() -> dict[str, Any]:
    """One record, as inboxes and histories hold it."""
    return _union("record", "A record: something that happened to an instance.", records.Record)


def command_schema() -> dict[str, Any]:
    """One command, as the outbox holds it."""
    return _union("command", "A command: something a decision wants done.", commands.Command)


def instance_schema() -> dict[str, Any]:
    """An instance as `instance.to_wire` writes it: frames as a list, waits as lists, without the usual values."""
    schema = TypeAdapter(instance.Instance).json_schema(mode="serialization")
    definitions = schema.pop("$defs")
    definitions.pop("Wait")
    frame = definitions["Frame"]
    frame["properties"]["waits"] = {
        "type": "array",
        "items": {
            "description": "[event type, [[path, value], ...], name, opened (epoch ms), from now]; what is left "
            "out: no pairs, no name, opened when the state was entered, kept events too.",
            "type": "array",
            "prefixItems": [
                {"type": "string"},
                {"type": "array"},
                {"type": ["string", "null"]},
                {"type": "integer"},
                {"type": "boolean"},
            ],
            "minItems": 1,
            "items": False,
        },
    }
    frame["required"] = ["id", "state", "visit"]
    schema["properties"]["frames"] = {"type": "array", "items": {"$ref": "#/$defs/Frame"}}
    schema["required"] = [
        name for name in (*_without_default(instance.Instance), "frames") if name not in ("state", "input")
    ]
    for part in (schema, frame):
        part["additionalProperties"] = False
    return _headed("instance", schema, definitions)


def history_schema() -> dict[str, Any]:
    """One entry of an instance's history."""
    schema = {
        "title": "History entry",
        "description": "One record applied to an instance, what it did, and the hash of the entry before.",
        "type": "object",
        "required": ["n", "t", "record", "trace", "patch", "program", "prev"],
        "properties": {
            "n": {"type": "integer", "minimum": 0, "description": "The instance's revision."},
            "t": {"type": "integer", "description": "Logical time, epoch milliseconds."},
            "record": {"$ref": BASE + "record"},
            "trace": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["type"],
                    "properties": {"type": {"type": "string"}, "state": {"type": ["string", "null"]}},
                },
            },
            "patch": {
                "type": "array",
                "description": 'What changed in the documents; `"from": "event"`: the value is the record\'s event.',
            },
            "program": {"type": "string", "description": "The hash of the program that decided."},
            "prev": {"type": "string", "description": "blake2b-16 of the entry before."},
        },
    }
    return _headed("history", schema, {})


def _without_default(cls: Any) -> list[str]:
    """What every stored value has; a field that came later has a default for the values written before it."""
    return [part.name for part in fields(cls) if part.default is MISSING and part.default_factory is MISSING]


def _union(name: str, description: str, union: Any) -> dict[str, Any]:
    """Each class as a definition with its `kind`; the event inside a record has its kept form."""
    definitions: dict[str, Any] = {}
    for cls in get_args(union):
        schema = TypeAdapter(cls).json_schema(mode="serialization")
        if schema.pop("$defs", {}).get("DeviceEvent"):
            definitions["DeviceEvent"] = kept_event_schema()
        schema["properties"] = {"kind": {"const": cls.kind}, **schema["properties"]}
        schema["required"] = ["kind", *schema.get("required", [])]
        schema["additionalProperties"] = False
        definitions[cls.kind] = schema
    choices = [{"$ref": f"#/$defs/{cls.kind}"} for cls in get_args(union)]
    schema = {"title": name.capitalize(), "description": description, "oneOf": choices}
    return _headed(name, schema, definitions)


def _headed(name: str, schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    headed = {"$schema": DIALECT, "$id": f"{BASE}{name}", **schema}
    return {**headed, "$defs": definitions} if definitions else headed
