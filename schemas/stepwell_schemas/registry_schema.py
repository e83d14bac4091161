"""The schema of a definition for one registry of activities: their names complete, their inputs are checked.

It is the published schema with more rules. Whatever a template may stand for is allowed: a path, a function, or a
value of the right kind. Where a rule of an activity's schema cannot be told for templates it is left to the upload.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from stepwell_schemas.catalog import ActivityDescription
from stepwell_schemas.workflow_schema import workflow_schema

SCHEMA_ID = "urn:stepwell:schema:workflow:registry"
PATH = "TemplatePath"
FUNCTION = "TemplateFunction"
MAX_DEPTH = 48
CALLERS = {"TaskState": True, "UndoCall": False, "UndoStep": True}
"""Who names an activity, and whether its input is an empty object where none is given."""

_TEMPLATES: dict[str, Any] = {
    PATH: {
        "title": "path",
        "description": "A path such as $.input.deviceId or $.state.record; a literal text with a $ begins with $$.",
        "type": "string",
        "pattern": r"^\$[.\[$]",
    },
    FUNCTION: {
        "title": "function",
        "description": 'A function, such as {$format: ["Device {} ready", $.input.deviceId]}.',
        "type": "object",
        "minProperties": 1,
        "patternProperties": {r"^\$": True},
        "additionalProperties": False,
    },
}
_ALTERNATIVES = [{"$ref": f"#/$defs/{PATH}"}, {"$ref": f"#/$defs/{FUNCTION}"}]
_TOLD = ("description", "markdownDescription", "default", "examples", "deprecated")
"""Hover text. Titles are left out: those that models generate only repeat the key."""


def registry_schema(activities: Iterable[ActivityDescription]) -> dict[str, Any]:
    """The published schema, knowing these activities: other names are refused, inputs follow their schemas.

    A new object at each call; the same for the same activities in any order.
    """
    known = sorted(activities, key=lambda activity: activity.name)
    schema = workflow_schema()
    definitions: dict[str, Any] = {**schema["$defs"], **_TEMPLATES}
    inputs = {
        activity.name: _add_input(definitions, number, activity) for number, activity in enumerate(known)
    }
    for title, own_input in CALLERS.items() if known else ():
        definitions[title] = _caller(definitions[title], known, inputs, own_input=own_input)
    return {**schema, "$id": SCHEMA_ID, "$defs": dict(sorted(definitions.items()))}


def activity_text(activity: ActivityDescription) -> str:
    """What hovering over an activity's name shows, as Markdown."""
    facts = [f"queue `{activity.queue}`"]
    if activity.timeout_seconds is not None:
        facts.append(f"timeout {activity.timeout_seconds:g} s")
    if activity.compensates:
        facts.append(f"undoes `{activity.compensates}`")
    parts = [f"**{activity.name}**", activity.description, _inputs_text(activity), " · ".join(facts)]
    return "\n\n".join(part for part in parts if part)


def _in_a_line(activity: ActivityDescription) -> str:
    """What it does and takes; editors show one such line per activity."""
    schema = activity.input_schema or {}
    needed = schema.get("required") or ()
    names = [f"`{name}`" if name in needed else f"[`{name}`]" for name in _mapping(schema.get("properties"))]
    told = activity.description.strip().partition("\n")[0] or activity.name
    return f"{told} Takes {', '.join(names[:12])}{', …' if len(names) > 12 else ''}." if names else told


def _inputs_text(activity: ActivityDescription) -> str:
    """The inputs by name, as a list."""
    schema = activity.input_schema or {}
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return ""
    needed = schema.get("required") or ()
    lines = []
    for name, value in list(properties.items())[:20]:
        told = value if isinstance(value, Mapping) else {}
        kind = told.get("type")
        words = [
            f"- `{name}`",
            str(kind) if isinstance(kind, str) else "",
            "" if name in needed else "(optional)",
        ]
        text = str(told.get("description", ""))
        lines.append(" ".join(word for word in words if word) + (f": {text}" if text else ""))
    return "\n".join(lines)


def _caller(
    schema: Mapping[str, Any],
    known: list[ActivityDescription],
    inputs: Mapping[str, str | None],
    *,
    own_input: bool,
) -> dict[str, Any]:
    """A model that names an activity, with the names, and a rule for each activity that says what it takes."""
    properties = dict(schema["properties"])
    properties["activity"] = {
        "description": properties["activity"].get("description", "The activity to run."),
        "type": "string",
        "enum": [activity.name for activity in known],
        "enumDescriptions": [_in_a_line(activity) for activity in known],
        "markdownEnumDescriptions": [_in_a_line(activity) for activity in known],
    }
    rules = [_rule(activity, inputs[activity.name], own_input=own_input) for activity in known]
    return {**schema, "properties": properties, "allOf": [*schema.get("allOf", []), *rules]}


def _rule(activity: ActivityDescription, input: str | None, *, own_input: bool) -> dict[str, Any]:
    """What holds where this activity is named."""
    named = {"required": ["activity"], "properties": {"activity": {"const": activity.name}}}
    properties = {
        "activity": {
            "description": activity.description or activity.name,
            "markdownDescription": activity_text(activity),
        }
    }
    then: dict[str, Any] = {"properties": properties}
    if input is not None:
        properties["input"] = {"$ref": f"#/$defs/{input}"}
    if own_input and (activity.input_schema or {}).get("required"):
        then["required"] = ["input"]
    return {"if": named, "then": then}


def _add_input(definitions: dict[str, Any], number: int, activity: ActivityDescription) -> str | None:
    """Add what an activity takes, and the definitions it refers to; the name of the former."""
    schema = activity.input_schema
    if schema is None:
        return None
    name = f"Input{number}_{re.sub(r'[^A-Za-z0-9]+', '_', activity.name)}"
    inner = {**_mapping(schema.get("definitions")), **_mapping(schema.get("$defs"))}
    names = {key: f"{name}_{place}" for place, key in enumerate(inner)}

    def reference(target: str) -> str | None:
        """Where a reference of the activity's schema leads here; None for one that leads elsewhere."""
        if target == "#":
            return name
        prefix, _, key = target.rpartition("/")
        return names.get(key) if prefix in ("#/$defs", "#/definitions") else None

    shaper = _Shaper(reference)
    definitions[name] = {"description": f"What {activity.name} takes.", **shaper.value(schema, 0)}
    for key, content in inner.items():
        definitions[names[key]] = shaper.shape(content, 0)
    return name


class _Shaper:
    """Rewrites an activity's schema so that every value in it may be a template."""

    def __init__(self, reference: Callable[[str], str | None]) -> None:
        self._reference = reference

    def value(self, schema: Any, depth: int) -> dict[str, Any]:
        """The schema of a value that may also be a path or a function."""
        if schema is False:
            return {"not": {}}
        shape = self.shape(schema, depth)
        told = {key: schema[key] for key in _TOLD if key in schema} if isinstance(schema, Mapping) else {}
        if shape is True:
            return told
        bare = {key: content for key, content in shape.items() if key not in _TOLD}
        return {**told, "anyOf": [bare, *_ALTERNATIVES]} if bare else told

    def shape(self, schema: Any, depth: int) -> Any:
        """The schema itself, with templates allowed for the values inside."""
        if schema is False:
            return False
        if not isinstance(schema, Mapping) or depth > MAX_DEPTH:
            return True
        shaped: dict[str, Any] = {}
        for key, content in schema.items():
            rewrite = _KEYWORDS.get(key)
            if rewrite is not None:
                rewrite(self, shaped, content, depth + 1)
        return shaped or True

    def refer(self, shaped: dict[str, Any], content: Any, depth: int) -> None:
        """`$ref`."""
        target = self._reference(content) if isinstance(content, str) else None
        if target is not None:
            shaped["$ref"] = f"#/$defs/{target}"


_Rewrite = Callable[[_Shaper, dict[str, Any], Any, int], None]


def _as_it_is(keyword: str) -> _Rewrite:
    def rewrite(shaper: _Shaper, shaped: dict[str, Any], content: Any, depth: int) -> None:
        shaped[keyword] = content

    return rewrite


def _values_by_name(keyword: str) -> _Rewrite:
    def rewrite(shaper: _Shaper, shaped: dict[str, Any], content: Any, depth: int) -> None:
        shaped[keyword] = {name: shaper.value(each, depth) for name, each in _mapping(content).items()}

    return rewrite


def _one_value(keyword: str) -> _Rewrite:
    def rewrite(shaper: _Shaper, shaped: dict[str, Any], content: Any, depth: int) -> None:
        shaped[keyword] = content if isinstance(content, bool) else shaper.value(content, depth)

    return rewrite


def _values_in_a_row(keyword: str) -> _Rewrite:
    def rewrite(shaper: _Shaper, shaped: dict[str, Any], content: Any, depth: int) -> None:
        if isinstance(content, list):
            shaped[keyword] = [shaper.value(each, depth) for each in content]

    return rewrite


def _shapes_in_a_row(keyword: str) -> _Rewrite:
    def rewrite(shaper: _Shaper, shaped: dict[str, Any], content: Any, depth: int) -> None:
        if isinstance(content, list):
            shapes = [shaper.shape(each, depth) for each in content]
            shaped.setdefault("allOf", []).extend([{keyword: shapes}] if keyword == "anyOf" else shapes)

    return rewrite


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


_KEYWORDS: dict[str, _Rewrite] = {
    **{
        keyword: _as_it_is(keyword)
        for keyword in (
            *_TOLD,
            *("type", "enum", "const", "required", "dependentRequired", "minProperties", "maxProperties"),
            *("minLength", "maxLength", "pattern", "format", "minimum", "maximum", "exclusiveMinimum"),
            *("exclusiveMaximum", "multipleOf", "minItems", "maxItems", "uniqueItems", "propertyNames"),
        )
    },
    "properties": _values_by_name("properties"),
    "patternProperties": _values_by_name("patternProperties"),
    "additionalProperties": _one_value("additionalProperties"),
    "items": _one_value("items"),
    "prefixItems": _values_in_a_row("prefixItems"),
    # With templates inside, more than one alternative may fit.
    "oneOf": _shapes_in_a_row("anyOf"),
    "anyOf": _shapes_in_a_row("anyOf"),
    "allOf": _shapes_in_a_row("allOf"),
    "$ref": _Shaper.refer,
}
"""What is kept of an activity's schema. `not`, `if` and the like mean something else once a value may be a path."""
