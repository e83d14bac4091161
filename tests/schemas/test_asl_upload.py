"""Amazon States Language documents as they are loaded: with an envelope, or with what is said beside them."""

import json
from typing import Any

import pytest
from stepwell_schemas.loader import LoadResult, load_definition
from stepwell_schemas.publish import published
from stepwell_schemas.upload_settings import UploadSettings

MACHINE = {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}
ENVELOPE = {"id": "a", "version": "1.0.0", "definition": MACHINE}
BESIDE = UploadSettings(id="a", version="1.0.0")


def load(document: Any, upload: UploadSettings = UploadSettings()) -> LoadResult:  # noqa: B008  # frozen
    return load_definition(json.dumps(document, indent=1), file="a.json", upload=upload)


def codes(result: LoadResult) -> list[str]:
    return [problem.code for problem in result.problems]


def test_the_dialect_is_told() -> None:
    assert load(ENVELOPE).dialect == load(MACHINE, BESIDE).dialect == "asl"
    assert load({"id": "a", "version": "1.0.0", "startAt": "A", "states": {}}).dialect == "native"


def test_an_envelope_says_all_of_it() -> None:
    result = load({**ENVELOPE, "type": "express", "resources": {"f": "g"}})
    assert result.problems == ()
    assert result.asl is not None
    assert (result.asl.id, result.asl.type, result.asl.resources) == ("a", "EXPRESS", {"f": "g"})
    assert (result.asl.definition, result.asl.base) == (MACHINE, ("definition",))
    assert not result.completed


def test_a_definition_may_be_a_text() -> None:
    result = load({**ENVELOPE, "definition": json.dumps(MACHINE)})
    assert result.problems == ()
    assert result.document == {**ENVELOPE, "type": "STANDARD", "resources": {}}


def test_a_text_that_is_no_json_is_told_where_it_stands() -> None:
    (problem,) = load({**ENVELOPE, "definition": "{"}).problems
    assert (problem.code, problem.pointer, problem.line) == ("INVALID_JSON_DESCRIPTION", "/definition", 4)


def test_what_is_said_beside_a_definition_makes_its_envelope() -> None:
    result = load(MACHINE, BESIDE)
    assert result.document == {**ENVELOPE, "type": "STANDARD", "resources": {}}
    assert result.asl is not None
    assert result.asl.base == ()
    assert result.completed


def test_what_is_said_beside_an_envelope_goes_before_it() -> None:
    upload = UploadSettings(version="2.0.0", type="EXPRESS", resources={"f": "other"})
    result = load({**ENVELOPE, "resources": {"f": "g", "h": "i"}}, upload)
    assert result.asl is not None
    assert (result.asl.version, result.asl.type) == ("2.0.0", "EXPRESS")
    assert result.asl.resources == {"f": "other", "h": "i"}


def test_a_definition_without_id_and_version_says_how_to_give_them() -> None:
    (problem,) = load(MACHINE).problems
    assert problem.code == "missing-key"
    assert "id" in problem.message
    assert "envelope" in (problem.help or "")


def test_where_nothing_is_stored_a_definition_needs_no_id() -> None:
    assert load(MACHINE, UploadSettings(anonymous=True)).problems == ()


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"id": "No Id"}, "/id"),
        ({"version": "1"}, "/version"),
        ({"type": "FAST"}, "/type"),
        ({"resources": {"f": 5}}, "/resources/f"),
        ({"resources": {"f": "not an activity"}}, "/resources/f"),
        ({"resources": []}, "/resources"),
        ({"definition": 5}, "/definition"),
        ({"other": 5}, "/other"),
    ],
)
def test_an_envelope_is_checked_by_its_schema(change: dict[str, Any], pointer: str) -> None:
    result = load({**ENVELOPE, **change})
    assert [problem.pointer for problem in result.problems] == [pointer]
    assert result.asl is None
    assert result.problems[0].line is not None


def test_a_wrong_id_beside_a_definition_is_told_without_a_place() -> None:
    (problem,) = load(MACHINE, UploadSettings(id="No Id", version="1.0.0")).problems
    assert problem.pointer == ""


def test_an_envelope_may_hold_tests_as_a_native_definition_does() -> None:
    result = load({**ENVELOPE, "tests": [{"name": "it ends", "expect": {"status": "succeeded"}}]})
    assert result.problems == ()
    assert result.asl is not None
    assert [scenario.name for scenario in result.asl.tests] == ["it ends"]


@pytest.mark.parametrize(
    ("tests", "pointer"),
    [
        ({}, "/tests"),
        ([{}], "/tests/0"),
        ([{"name": "a", "tassks": {}}], "/tests/0/tassks"),
        ([{"name": "a", "expect": {"status": "good"}}], "/tests/0/expect/status"),
        ([{"name": "a", "now": "2026-02-30T00:00:00Z"}], "/tests/0/now"),
        ([{"name": "a", "input": 1, "start": {"type": "Seen"}}], "/tests/0"),
    ],
)
def test_tests_of_an_envelope_are_checked_with_their_place(tests: Any, pointer: str) -> None:
    result = load({**ENVELOPE, "tests": tests})
    assert [problem.pointer for problem in result.problems] == [pointer]
    assert result.problems[0].line is not None
    assert result.asl is None


def test_scenarios_have_one_schema_wherever_they_stand() -> None:
    envelope, native = (published(f"{name}.schema.json")["$defs"] for name in ("asl-upload", "workflow"))
    assert envelope["Scenario"] == native["Scenario"]
    assert {name: native[name] for name in envelope} == envelope


def test_yaml_is_as_good() -> None:
    text = "id: a\nversion: 1.0.0\ndefinition:\n  StartAt: A\n  States:\n    A: {Type: Succeed}\n"
    assert load_definition(text).document == load(ENVELOPE).document


def test_settings_beside_a_native_definition_are_told_to_be_of_no_use() -> None:
    native = {"id": "a", "version": "1.0.0", "startAt": "A", "states": {"A": {"type": "succeed"}}}
    assert codes(load(native, BESIDE)) == ["unused-setting"]
    assert load(native, BESIDE).definition is not None
