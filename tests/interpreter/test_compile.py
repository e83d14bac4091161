"""The one way from a source to a program: both dialects, with every finding's place in the source."""

import json
from pathlib import Path
from typing import Any

import pytest
from stepwell_interpreter.asl.resources import ANY
from stepwell_interpreter.compile import compile_document, compile_source, content_hash, path_of
from stepwell_schemas.catalog import ActivityDescription

QUEUE = "arn:aws:states:::sqs:sendMessage"
SEND: dict[str, Any] = {"Type": "Task", "Resource": QUEUE, "End": True}
MACHINE: dict[str, Any] = {"StartAt": "Send", "States": {"Send": SEND}}
NATIVE: dict[str, Any] = {"id": "n", "version": "1.0.0", "startAt": "A", "states": {"A": {"type": "succeed"}}}
KNOWN = {"send": ActivityDescription(name="send")}


@pytest.mark.parametrize("document", [MACHINE, NATIVE])
def test_a_document_a_text_and_a_file_are_the_same_program(document: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "definition.json"
    file.write_text(json.dumps(document))
    sources: list[Any] = [document, json.dumps(document), json.dumps(document).encode(), file]
    programs = [compile_source(source).program for source in sources]
    assert len({program.hash for program in programs if program is not None}) == 1
    assert None not in programs


def test_where_no_activities_are_given_every_resource_leads_somewhere() -> None:
    assert compile_source(MACHINE).accepted
    assert compile_source(MACHINE, activities=KNOWN, resources=ANY, anonymous=True).problems != ()
    refused = compile_source(MACHINE, activities=KNOWN, id="a", version="1.0.0")
    assert [problem.code for problem in refused.problems] == ["unknown-resource"]


def test_a_table_is_binding_where_there_is_one() -> None:
    assert compile_source(MACHINE, resources={QUEUE: "send"}).accepted
    assert not compile_source(MACHINE, resources={"other": "send"}).accepted


def test_a_table_leads_to_activities_that_must_be_there() -> None:
    given: dict[str, Any] = {"activities": KNOWN, "id": "a", "version": "1.0.0"}
    assert compile_source(MACHINE, resources={QUEUE: "send"}, **given).accepted
    refused = compile_source(MACHINE, resources={QUEUE: "sned"}, **given)
    assert [(problem.code, problem.pointer) for problem in refused.problems] == [
        ("unknown-activity", "/States/Send/Resource")
    ]


@pytest.mark.parametrize(
    ("source", "pointer", "line"),
    [
        (json.dumps({**MACHINE, "StartAt": "X"}, indent=1), "/StartAt", 2),
        (json.dumps({"id": "a", "version": "1.0.0", "definition": {**MACHINE, "StartAt": "X"}}, indent=1),
         "/definition/StartAt", 5),
        (json.dumps({"id": "a", "version": "1.0.0", "definition": json.dumps({**MACHINE, "StartAt": "X"})}, indent=1),
         "/definition/StartAt", 4),
    ],
)  # fmt: skip
def test_a_finding_has_its_place_whatever_the_definition_is_wrapped_in(
    source: str, pointer: str, line: int
) -> None:
    problem = compile_source(source, file="a.json").problems[0]
    assert (problem.file, problem.pointer, problem.line) == ("a.json", pointer, line)


def test_a_place_in_a_list_is_found() -> None:
    retry = [{"ErrorEquals": ["States.ALL", "X"]}]
    text = json.dumps({"StartAt": "Send", "States": {"Send": {**SEND, "Retry": retry}}}, indent=1)
    (problem,) = compile_source(text).problems
    assert problem.pointer == "/States/Send/Retry/0/ErrorEquals/0"
    assert text.splitlines()[(problem.line or 0) - 1].strip() == '"States.ALL",'


def test_warnings_do_not_stop_a_definition() -> None:
    state = {"Type": "Pass", "Result": "$.x", "End": True}
    compiled = compile_source({"StartAt": "A", "States": {"A": state}})
    assert compiled.accepted
    assert [(problem.code, problem.severity) for problem in compiled.problems] == [
        ("PASS_RESULT_IS_STATIC", "warning")
    ]


def test_what_was_compiled_once_is_compiled_again_from_its_document() -> None:
    for source, dialect in ((NATIVE, "native"), (MACHINE, "asl")):
        compiled = compile_source(
            source, activities=KNOWN, id="a", version="1.0.0", resources={QUEUE: "send"}
        )
        assert compiled.program is not None
        document = compiled.loaded.document
        assert document is not None
        again = compile_document(document, KNOWN, content_hash(document), dialect)  # type: ignore[arg-type]
        assert (again.id, again.hash) == (compiled.program.id, compiled.program.hash)


def test_the_hash_covers_the_content_and_not_its_layout() -> None:
    assert content_hash({"a": 1, "b": 2}) == content_hash({"b": 2, "a": 1})
    assert content_hash({"a": 1}) != content_hash({"a": 1.5})


def test_a_pointer_is_read_along_the_document() -> None:
    assert path_of("/a/0/~1x~0", {"a": [{"/x~": 1}]}) == ("a", 0, "/x~")
    assert path_of("/a/9/b", {"a": [1]}) == ("a", 9, "b")
    assert path_of("", {}) == ()
