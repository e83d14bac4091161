"""The schema for a registry: known activities and right inputs pass, others are refused where they stand."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from stepwell_schemas.catalog import ActivityDescription
from stepwell_schemas.registry_schema import activity_text, registry_schema
from stepwell_schemas.workflow_schema import workflow_schema

CREATE = ActivityDescription(
    name="records.create",
    description="Create a record.\n\nIt must not exist yet.",
    input_schema={
        "type": "object",
        "title": "Input",
        "required": ["recordType"],
        "additionalProperties": False,
        "properties": {
            "recordType": {
                "type": "string",
                "title": "Recordtype",
                "enum": ["device", "hub"],
                "description": "Which.",
            },
            "count": {"type": "integer", "minimum": 1},
            "place": {"$ref": "#/$defs/Place"},
            "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
            "owner": {"oneOf": [{"type": "string"}, {"type": "null"}]},
        },
        "$defs": {
            "Place": {
                "type": "object",
                "required": ["site"],
                "properties": {"site": {"type": "string"}, "inside": {"$ref": "#/$defs/Place"}},
            }
        },
    },
    timeout_seconds=30,
)
DELETE = ActivityDescription(
    name="records.delete",
    compensates="records.create",
    input_schema={"type": "object", "required": ["recordId"], "properties": {"recordId": {"type": "string"}}},
)
ANY = ActivityDescription(name="anything")
SCHEMA = registry_schema([DELETE, CREATE, ANY])
TASK = {"type": "task", "activity": "records.create", "input": {"recordType": "device"}, "end": True}


def document(**changes: Any) -> dict[str, Any]:
    state = {key: value for key, value in {**TASK, **changes}.items() if value is not None}
    return {"id": "x", "version": "1.0.0", "startAt": "A", "states": {"A": state}}


def places(value: dict[str, Any], schema: dict[str, Any] = SCHEMA) -> set[str]:
    """Where the schema has something against the document: the innermost places."""
    found: set[str] = set()
    waiting = list(Draft202012Validator(schema).iter_errors(value))
    for error in waiting:
        found.add("/".join(map(str, error.absolute_path)))
        waiting += error.context or []
    return found


def test_the_schema_is_a_sound_one_and_the_same_in_any_order() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert json.dumps(SCHEMA) == json.dumps(registry_schema([ANY, CREATE, DELETE]))


@pytest.mark.parametrize(
    "input",
    [
        {"recordType": "device"},
        {"recordType": "$.input.kind", "count": "$.state.count"},
        {"recordType": "hub", "count": {"$add": [1, "$.state.count"]}},
        {"recordType": "hub", "place": {"site": "$.input.site", "inside": {"site": "x"}}},
        {"recordType": "hub", "place": "$.state.place"},
        {"recordType": "hub", "tags": ["a", "$.input.tag"]},
        {"recordType": "hub", "owner": "$.input.owner"},
        {"recordType": "$$.literal"},
        "$.state.record",
        {"$merge": ["$.state.record", {"count": 1}]},
    ],
)
def test_a_good_input_with_templates_anywhere_passes(input: Any) -> None:
    assert places(document(input=input)) == set()


@pytest.mark.parametrize(
    ("input", "place"),
    [
        ({"recordType": "lamp"}, "states/A/input/recordType"),
        ({"recordType": "hub", "count": 0}, "states/A/input/count"),
        ({"recordType": "hub", "count": "many"}, "states/A/input/count"),
        (
            {"recordType": "hub", "place": {"inside": {"site": 5}, "site": "x"}},
            "states/A/input/place/inside/site",
        ),
        ({"recordType": "hub", "tags": ["a", 5]}, "states/A/input/tags/1"),
        ({"recordType": "hub", "tags": ["a", "b", "c"]}, "states/A/input/tags"),
        ({"recordType": "hub", "owner": 5}, "states/A/input/owner"),
        ({"recordType": "hub", "kind": 1}, "states/A/input"),
        ({}, "states/A/input"),
        (5, "states/A/input"),
    ],
)
def test_a_wrong_input_is_refused_where_it_is_wrong(input: Any, place: str) -> None:
    assert place in places(document(input=input))
    assert places(document(input=input), workflow_schema()) == set()


def test_a_misspelt_activity_is_refused_where_it_stands() -> None:
    assert "states/A/activity" in places(document(activity="records.crate"))


def test_a_needed_input_that_is_missing_is_refused() -> None:
    assert "states/A" in places(document(input=None))
    assert places(document(activity="anything", input=None)) == set()


def test_an_undo_without_input_takes_the_result_and_passes() -> None:
    assert places(document(compensateWith={"activity": "records.delete"})) == set()
    assert "states/A/compensateWith/input" in places(
        document(compensateWith={"activity": "records.delete", "input": {"id": 1}})
    )


def test_the_steps_of_a_compensation_are_checked_too() -> None:
    undo = {"type": "compensation", "steps": [{"activity": "records.delte"}], "end": True}
    value = {"id": "x", "version": "1.0.0", "startAt": "A", "states": {"A": undo}}
    assert "states/A/steps/0/activity" in places(value)


def test_a_child_workflow_needs_no_activity() -> None:
    assert places(document(activity=None, input={"a": 1}, workflow="child")) == set()


def test_each_name_comes_with_what_the_activity_does_and_takes() -> None:
    activity = SCHEMA["$defs"]["TaskState"]["properties"]["activity"]
    assert activity["enum"] == ["anything", "records.create", "records.delete"]
    told = "Create a record. Takes `recordType`, [`count`], [`place`], [`tags`], [`owner`]."
    assert activity["enumDescriptions"][1] == activity["markdownEnumDescriptions"][1] == told


def test_an_input_keeps_the_descriptions_of_its_keys_but_no_generated_titles() -> None:
    (name,) = [name for name in SCHEMA["$defs"] if name.endswith("records_create")]
    shape = SCHEMA["$defs"][name]["anyOf"][0]
    assert shape["properties"]["recordType"]["description"] == "Which."
    assert "title" not in json.dumps(shape)


def test_the_text_of_an_activity_is_markdown_with_its_inputs() -> None:
    assert activity_text(CREATE).startswith("**records.create**\n\nCreate a record.")
    assert "- `recordType` string: Which." in activity_text(CREATE)
    assert "undoes `records.create`" in activity_text(DELETE)


def test_every_kind_of_state_comes_with_what_it_does() -> None:
    listed = SCHEMA["$defs"]["State"]["properties"]["type"]["anyOf"][0]
    assert len(listed["enum"]) == len(listed["enumDescriptions"])
    assert listed["enumDescriptions"][listed["enum"].index("map")].startswith("Runs its states once per item")


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"$ref": "#"},
        {"$ref": "https://elsewhere.example/schema"},
        {"not": {"type": "string"}, "if": {}, "then": False},
        {"properties": {"a": False, "b": True}},
        {"properties": 5, "items": None, "anyOf": "x", "$defs": []},
        {"$defs": {"a/b": {"$ref": "#/$defs/a~1b"}}, "$ref": "#/$defs/none"},
    ],
)
def test_an_odd_input_schema_gives_a_sound_schema(schema: dict[str, Any]) -> None:
    made = registry_schema([ActivityDescription(name="odd", input_schema=schema)])
    Draft202012Validator.check_schema(made)


def test_no_activities_at_all_leave_the_published_rules() -> None:
    assert places(document(), registry_schema([])) == set()
