"""The published JSON Schemas: equal to the models, sound, and true to what we store."""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError
from referencing import Registry, Resource
from schemas.documents import definition
from stepwell_schemas import commands, instance, publish, records
from stepwell_schemas.event import DeviceEvent
from stepwell_schemas.workflow import WorkflowDefinition

if Path(instance.__file__).suffix != ".py":
    pytest.skip(
        "a compiled class has lost its types: schemas are published from the sources", allow_module_level=True
    )

NAMES = list(publish.schemas())
EVENT = DeviceEvent("e", "s", "T", "d", {"x": 1}, 5, None, 3, {"region": "eu"})


def registry() -> Registry[Any]:
    resources = [Resource.from_contents(publish.published(name)) for name in NAMES]
    return Registry().with_resources((str(resource.id()), resource) for resource in resources)


def problems(name: str, value: object) -> list[str]:
    validator = Draft202012Validator(publish.published(name), registry=registry())
    return [error.message for error in validator.iter_errors(json.loads(orjson.dumps(value)))]


@pytest.mark.parametrize("name", NAMES)
def test_a_published_file_is_what_the_models_say(name: str) -> None:
    generated = publish.rendered(publish.schemas()[name])
    assert (publish.FOLDER / name).read_text(encoding="utf-8") == generated, (
        "run python -m stepwell_schemas.publish"
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_published_file_is_a_sound_schema(name: str) -> None:
    Draft202012Validator.check_schema(publish.published(name))


def test_publishing_writes_every_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(publish, "FOLDER", tmp_path / "published")
    publish.main()
    assert len(capsys.readouterr().out.splitlines()) == len(NAMES)
    assert sorted(path.name for path in (tmp_path / "published").iterdir()) == sorted(NAMES)


def test_nothing_else_is_published() -> None:
    assert sorted(path.name for path in publish.FOLDER.iterdir()) == sorted(NAMES)


def test_every_key_is_explained_for_editors() -> None:
    schema = publish.published("workflow.schema.json")
    for name, part in {"": schema, **schema["$defs"]}.items():
        for key, content in part.get("properties", {}).items():
            assert content.get("description"), f"{name}.{key}"


def test_no_object_of_the_language_takes_unknown_keys() -> None:
    schema = publish.published("workflow.schema.json")
    for name, part in {"": schema, **schema["$defs"]}.items():
        if name not in ("State", "PathItem"):
            assert part["additionalProperties"] is False, name


def test_words_are_completed_in_their_listed_spelling_and_taken_in_any() -> None:
    word = publish.published("workflow.schema.json")["$defs"]["State"]["properties"]["type"]
    assert word["anyOf"][0]["enum"][:2] == ["task", "wait"]
    validator = Draft202012Validator(word)
    assert validator.is_valid("Task")
    assert validator.is_valid("COMPENSATION")
    assert not validator.is_valid("tasks")


@pytest.mark.parametrize(
    "state",
    [
        {"type": "task"},
        {"type": "task", "activity": "a", "workflow": "b"},
        {"type": "wait"},
        {"type": "wait", "duration": 5, "timeout": 5},
        {"type": "wait", "event": "X", "timeoutNext": "A"},
        {"type": "wait", "duration": "P1Y"},
        {"type": "choice", "choices": []},
        {"type": "choice", "choices": [{"variable": "$.x", "next": "A"}]},
        {"type": "choice", "choices": [{"variable": "$.x", "equals": 1, "lessThan": 2, "next": "A"}]},
        {"type": "choice", "choices": [{"and": [{"equals": 1}], "next": "A"}]},
        {"type": "map", "items": [], "startAt": "A", "states": {"A": {"type": "succeed"}}, "tolerate": {}},
        {"type": "pass", "set": {"$.input.x": 1}},
        {"type": "parallel", "branches": {}},
        {"type": "nothing"},
        {},
        5,
        None,
    ],
)
def test_schema_and_models_refuse_alike(state: Any) -> None:
    document = definition(A=state)
    assert problems("workflow.schema.json", document)
    with pytest.raises(ValidationError):
        WorkflowDefinition.model_validate(document)


@pytest.mark.parametrize("key", ["next", "timeout", "catch", "queue"])
def test_a_key_left_empty_is_refused(key: str) -> None:
    assert problems("workflow.schema.json", definition(A={"type": "task", "activity": "a", key: None}))


@pytest.mark.parametrize(
    "record",
    [
        records.InstanceStarted(1, {"a": 1}, "0" * 32, EVENT),
        records.InstanceStarted(1, None, "0" * 32),
        records.EventOffered(1, EVENT, 4, True),
        records.ActivityCompleted(1, "a", "t", [1], 0),
        records.ActivityFailed(1, "a", "t", "E", "c", 0),
        records.AttemptLost(1, "a", "t", "r"),
        records.CallbackEnded(1, "a", "t"),
        records.TimerFired(1, "t", 1),
        records.ChildEnded(1, "c", "succeeded"),
        records.CancelRequested(1),
    ],
    ids=lambda record: record.kind,
)
def test_a_record_fits_its_schema_and_reads_back(record: records.Record) -> None:
    wire = records.to_wire(record)
    assert problems("record.schema.json", wire) == []
    assert records.from_wire(json.loads(orjson.dumps(wire))) == record
    entry = {
        "n": 1,
        "t": 1,
        "record": wire,
        "trace": [{"type": "X", "state": "A"}],
        "patch": [],
        "program": "",
        "prev": "",
    }
    assert problems("history.schema.json", entry) == []


@pytest.mark.parametrize(
    "command",
    [
        commands.RunActivity("a", "t", "x", "default", {}, "k", "S", 1),
        commands.CancelActivity("a", "t"),
        commands.SetTimer("t", 5),
        commands.ClearTimer("t"),
        commands.StartChild("c", "d@1", {}),
        commands.CancelChild("c", "r"),
    ],
    ids=lambda command: command.kind,
)
def test_a_command_fits_its_schema(command: commands.Command) -> None:
    assert problems("command.schema.json", commands.to_wire(command)) == []


def test_an_instance_fits_its_schema_and_reads_back() -> None:
    run = instance.new_instance(id="i", definition="d", version="1.0.0", program="h", device=None)
    waits = [instance.Wait("T", [["orderId", "17"]], "x", 5, True)]
    run.frames["0"] = instance.Frame("0", None, "", "A", 1, 5, "wait", {}, waits, {})
    run.frames["0.1"] = instance.Frame("0.1", "0", "b", "B", 1, 5, "task", {}, [], {}, "b", 0, {"x": 1}, {})
    wire = instance.to_wire(run)
    assert problems("instance.schema.json", wire) == []
    assert instance.from_wire(json.loads(orjson.dumps(wire))) == run


def test_a_record_of_unknown_kind_fits_nothing() -> None:
    assert problems("record.schema.json", {"kind": "Nonsense", "time_ms": 1})
