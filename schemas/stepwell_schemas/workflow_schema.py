"""The JSON Schema of a definition, derived from the models and shaped for editors and clear messages.

What pydantic generates is right but coarse: here null goes where it has no meaning, the union of states becomes
if/then by `type` (one precise error instead of nine), and rules between keys are added in JSON Schema's own terms.
"""

from typing import Any

from stepwell_schemas.states import STATE_MODELS, WAIT_FORMS
from stepwell_schemas.words import NAME_PATTERN, word_schema
from stepwell_schemas.workflow import WorkflowDefinition

SCHEMA_ID = "urn:stepwell:schema:workflow"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def workflow_schema() -> dict[str, Any]:
    """The published schema of the native dialect. A new object at each call."""
    generated = WorkflowDefinition.model_json_schema(by_alias=True, mode="validation")
    definitions = {name: tidy(schema) for name, schema in generated.pop("$defs").items()}
    for name, rules in _rules_between_keys().items():
        definitions[name].update(rules)
    for kind, model in STATE_MODELS.items():
        definitions[model.__name__]["properties"]["type"] = _type_schema((kind,))
    definitions["State"] = _state_schema()
    root = tidy(generated)
    root["title"] = "Stepwell workflow"
    return {"$schema": DIALECT, "$id": SCHEMA_ID, **root, "$defs": dict(sorted(definitions.items()))}


def _state_schema() -> dict[str, Any]:
    kinds = tuple(STATE_MODELS)
    return {
        "description": "A state of the workflow.",
        "type": "object",
        "required": ["type"],
        "properties": {"type": _type_schema(kinds)},
        "allOf": [
            {
                "if": {"type": "object", "required": ["type"], "properties": {"type": _pattern_of(kind)}},
                "then": {"$ref": f"#/$defs/{model.__name__}"},
            }
            for kind, model in STATE_MODELS.items()
        ],
    }


def _type_schema(kinds: tuple[str, ...]) -> dict[str, Any]:
    listed, any_case = word_schema(kinds)["anyOf"]
    told = [(STATE_MODELS[kind].__doc__ or kind).strip().partition("\n")[0] for kind in kinds]
    return {
        "type": "string",
        "anyOf": [{**listed, "enumDescriptions": told, "markdownEnumDescriptions": told}, any_case],
        "description": "What the state does (in any case).",
    }


def _pattern_of(kind: str) -> dict[str, Any]:
    return {"type": "string", **word_schema((kind,))["anyOf"][1]}


def _rules_between_keys() -> dict[str, dict[str, Any]]:
    timed = [
        {"not": {"required": [form, key]}}
        for form in ("duration", "timestamp")
        for key in ("timeout", "timeoutNext", "from")
    ]
    return {
        "TaskState": {"oneOf": _one_of("activity", "workflow")},
        "WaitState": {
            "oneOf": _one_of(*WAIT_FORMS),
            "dependentRequired": {key: ["event"] for key in ("match", "where", "count")}
            | {"timeoutNext": ["timeout"]},
            "allOf": timed,
        },
        "Tolerance": {"oneOf": _one_of("count", "percent")},
    }


def _one_of(*keys: str) -> list[dict[str, Any]]:
    return [{"required": [key]} for key in keys]


def tidy(schema: Any) -> Any:
    """The same schema without noise: generated titles, null defaults and the null they stand for."""
    if isinstance(schema, list):
        return [tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("oneOf") and all("State" in str(branch.get("$ref", "")) for branch in schema["oneOf"]):
        return {"$ref": "#/$defs/State"}
    tidied = {
        key: {name: _property(name, value) for name, value in content.items()}
        if key == "properties"
        else content
        if key in ("default", "enum", "required", "dependentRequired")
        else tidy(content)
        for key, content in schema.items()
    }
    return _named_keys(tidied)


def _property(name: str, schema: dict[str, Any]) -> Any:
    shaped = dict(schema)
    if shaped.get("title") not in ("Duration", "Timestamp"):
        shaped.pop("title", None)
    if shaped.get("default", "") is None:
        del shaped["default"]
        if name != "resultPath" and "anyOf" in shaped:
            shaped = _without_null(shaped)
    return tidy(shaped)


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    branches = [branch for branch in schema["anyOf"] if branch != {"type": "null"}]
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    # What the property itself says goes before what its type says.
    return {**branches[0], **rest} if len(branches) == 1 else {**rest, "anyOf": branches}


def _named_keys(schema: dict[str, Any]) -> dict[str, Any]:
    """Pydantic puts a pattern on keys as patternProperties, which lets every other key pass."""
    patterns = schema.pop("patternProperties", None)
    if patterns is None or r"^\$" in patterns:
        return schema if patterns is None else {**schema, "patternProperties": patterns}
    ((pattern, value),) = patterns.items()
    names = {**schema.get("propertyNames", {}), "pattern": pattern}
    if pattern == NAME_PATTERN:
        names.setdefault("minLength", 1)
    return {**schema, "propertyNames": names, "additionalProperties": value}
