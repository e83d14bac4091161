"""Files as users name them: unusable ones are told about, and of a folder only the definitions are taken."""

import errno
import io
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_world import run
from stepwell.definition_files import holds_definition, holds_tests
from stepwell.file_reading import read_bounded
from stepwell_cli.argument import read_file
from stepwell_cli.failures import UsageError
from stepwell_schemas.source_text import MAX_SOURCE_BYTES

GOOD = "id: good\nversion: 2.1.0\nstartAt: A\nstates:\n  A: {type: succeed}\n"
TESTS = "tests:\n  - {name: first, expect: {status: succeeded}}\n  - {name: second}\n"
UNUSABLE: dict[str, bytes] = {
    "empty": b"",
    "random bytes": bytes(range(256)) * 8,
    "too large": b"a" * (MAX_SOURCE_BYTES + 1),
    "NULs": b"\0" * 64,
    "UTF-16": "startAt: A\ntests: []\n".encode("utf-16"),
    "no definition": b"{}",
}


@pytest.mark.parametrize("content", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_a_file_that_is_named_for_testing_and_cannot_be_used_ends_with_two(
    tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(content)
    ran = run("test", str(file))
    assert ran.exit_code == 2
    assert "x.yaml" in ran.stdout
    assert "error" in ran.stdout


def test_a_definition_without_scenarios_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    ran = run("test", str(tmp_path / "good.yaml"))
    assert ran.exit_code == 0
    assert "There is no scenario here" in ran.stderr


def test_a_pattern_that_chooses_nothing_ends_with_five_and_names_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD + TESTS)
    ran = run("test", str(tmp_path), "-k", "zzz")
    assert ran.exit_code == 5
    assert "zzz" in ran.stderr
    assert "first" in ran.stderr
    assert "second" in ran.stderr
    document = run("test", str(tmp_path), "-k", "zzz", "--json").document
    assert document["passed"] is False


def test_a_file_that_cannot_be_used_weighs_more_than_a_pattern_that_chooses_nothing(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD + TESTS)
    (tmp_path / "x.tests.yaml").write_text("")
    assert run("test", str(tmp_path), "-k", "zzz").exit_code == 2


NO_DEFINITIONS = {
    "stepwell.schema.json": '{"$schema": "x", "properties": {"startAt": {}, "states": {}, "tests": {}}, "$defs": {}}',
    "resources.json": '{"arn:aws:states:::lambda:invoke": "a.b"}',
    "tasks.yaml": "startAt:states: {output: 1}\n",
    "countries.json": '[{"states": ["startAt", "tests"]}]',
    "notes.yaml": "- states and startAt and tests\n",
    "events.yaml": "events: [{type: states}]\n",
}


@pytest.mark.parametrize("command", ["check", "validate"])
def test_schemas_and_tables_in_a_folder_are_no_definitions(tmp_path: Path, command: str) -> None:
    for name, content in NO_DEFINITIONS.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "good.yaml").write_text(GOOD)
    ran = run(command, str(tmp_path))
    assert ran.exit_code == 0, ran.stderr
    assert ran.stdout.count("good 2.1.0") == len(ran.stdout.splitlines())


def test_a_schema_in_a_folder_has_no_scenarios(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("schema", "-o", "stepwell.schema.json").exit_code == 0
    (tmp_path / "good.yaml").write_text(GOOD + TESTS)
    ran = run("test")
    assert ran.exit_code == 0, ran.stdout
    assert "2 scenarios in 1 file" in ran.stdout


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("native.yaml", '$schema: x\n"startAt": A\n'),
        ("asl.json", '\ufeff{"StartAt": "A"}'),
        ("envelope.yaml", "id: a\ndefinition: {StartAt: A, States: {}}\n"),
        ("text.json", '{"id": "a", "definition": "{\\"StartAt\\": \\"A\\"}"}'),
        ("then-a-scalar.yaml", GOOD + "---\njust text\n"),
        ("then-a-list.yaml", GOOD + "---\n- states\n"),
        ("then-a-definition.yaml", GOOD + "---\n" + GOOD),
        ("broken.yaml", "note: [\nstates: {\n"),
        ("broken.json", '{"startAt": "A",}'),
        ("deep.json", '{"states":' + "[" * 5000 + "]" * 5000 + "}"),
        ("deep.yaml", "states: " + "[" * 1_000_000),
        ("large.yaml", "startAt: A\n" + "# more\n" * 200_000),
    ],
)
def test_what_is_meant_as_a_definition_is_found_however_broken(
    tmp_path: Path, name: str, content: str
) -> None:
    file = tmp_path / name
    file.write_text(content, encoding="utf-8")
    assert holds_definition(file)


def test_the_first_document_of_a_file_decides_and_its_loader_tells_of_the_second(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(GOOD + "---\njust text\n")
    (tmp_path / "list.yaml").write_text("- states\n---\n" + GOOD)
    ran = run("check", str(tmp_path))
    assert ran.exit_code != 0
    assert "two.yaml" in ran.stdout + ran.stderr
    assert "list.yaml" not in ran.stdout + ran.stderr


def test_tests_are_those_at_the_top_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(GOOD + "metadata: {tests: []}\n")
    assert not holds_tests(file)
    file.write_text(GOOD + TESTS)
    assert holds_tests(file)
    file.write_text("StartAt: A\nStates: {}\ntests: []\n")
    assert not holds_tests(file)


def test_a_file_that_cannot_be_read_is_not_passed_over(tmp_path: Path) -> None:
    assert holds_definition(tmp_path / "gone.yaml")
    assert holds_tests(tmp_path / "gone.yaml")


def test_only_what_is_needed_of_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "large"
    file.write_bytes(b"a" * 1000)
    assert read_bounded(file, 10) == b"a" * 11
    assert len(read_bounded(file, 1000)) == 1000


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (lambda folder: Path("/dev/zero"), errno.EINVAL),
        (lambda folder: folder, errno.EISDIR),
        (lambda folder: _fifo(folder / "pipe.yaml"), errno.EINVAL),
    ],
    ids=["device", "folder", "pipe"],
)
def test_what_is_no_regular_file_is_refused_and_never_waited_for(
    tmp_path: Path, place: Callable[[Path], Path], said: int
) -> None:
    path = place(tmp_path)
    with pytest.raises(OSError, match=re.escape(str(path))) as refused:
        read_bounded(path, 10)
    assert refused.value.errno == said


def test_a_pipe_that_a_shell_has_opened_is_read() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"startAt: A")
    os.close(writing)
    try:
        assert read_bounded(Path(f"/dev/fd/{reading}"), 100) == b"startAt: A"
    finally:
        os.close(reading)


def test_a_named_pipe_does_not_hang_a_command(tmp_path: Path) -> None:
    pipe = str(_fifo(tmp_path / "pipe.yaml"))
    for command in ("check", "validate", "simulate", "explore", "graph", "test", "deploy"):
        assert run(command, pipe, url="http://127.0.0.1:9").exit_code == 2


def test_stdin_is_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a" * 100)))
    with pytest.raises(UsageError, match="larger"):
        read_file(Path("-"), limit=99)


@pytest.mark.parametrize("command", ["check", "validate", "simulate", "explore", "graph"])
def test_a_minus_is_stdin(command: str) -> None:
    assert run(command, "-", stdin=GOOD).exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [("simulate", "-", "--input", "-"), ("explore", "-", "--input", "-"), ("validate", "-", "-")],
)
def test_stdin_is_not_asked_for_twice(arguments: tuple[str, ...]) -> None:
    ran = run(*arguments, stdin=GOOD)
    assert ran.exit_code == 2
    assert "once" in ran.stderr


@pytest.mark.parametrize("command", ["check", "simulate", "explore"])
def test_a_fault_in_stdin_has_its_line(command: str) -> None:
    ran = run(command, "-", stdin=GOOD.replace("startAt: A", "startAt: B"))
    assert ran.exit_code == 1
    assert "-:3:10" in ran.stdout + ran.stderr


@pytest.mark.parametrize("command", ["check", "validate", "simulate", "explore", "graph", "test"])
def test_a_file_that_is_missing_ends_with_two_in_every_command(tmp_path: Path, command: str) -> None:
    ran = run(command, str(tmp_path / "none.yaml"))
    assert ran.exit_code == 2
    assert "none.yaml" in ran.stderr


def _fifo(path: Path) -> Path:
    os.mkfifo(path)
    return path
