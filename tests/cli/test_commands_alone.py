"""What the commands do without a server: wrong command lines, local checks, unreachable servers."""

import io
import json
import os
from pathlib import Path

import pytest
from cli_world import run
from stepwell_cli.events import BATCH_BYTES, BATCH_EVENTS, batches, event_lines
from stepwell_cli.explore import NOT_COMPLETE
from stepwell_cli.failures import CommandFailed, NotFound, NothingChosen, Unreachable, UsageError
from stepwell_cli.main import write_any_text
from stepwell_cli.runfile import RunFile, noted, read_run_file, write_run_file

NOWHERE = "http://127.0.0.1:9"
GOOD = "id: good\nversion: 2.1.0\nstartAt: A\nstates:\n  A: {type: succeed}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("status", "x"),
        ("start", "x"),
        ("activities",),
        ("push", "--type", "T"),
        ("dead-letters", "list"),
        ("devices", "list"),
    ],
)
def test_a_server_that_does_not_answer_is_exit_code_4(arguments: tuple[str, ...]) -> None:
    ran = run(*arguments, "--json", url=NOWHERE)
    assert ran.exit_code == 4
    assert "stepwell up" in ran.stderr
    assert ran.document["error"]["exitCode"] == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("start", "x", "--input", "{nonsense"), "not JSON"),
        (("start", "x", "--input", "@/no/such/file"), "No such file"),
        (("push",), "--type"),
        (("push", "-", "--type", "T"), "not both"),
        (("push", "--type", "T", "--data", "{"), "--data"),
        (("status", "x", "--type", "y"), "not both"),
        (("dead-letters", "replay", "1", "2", "--event", "{}"), "exactly one"),
        (("dead-letters", "replay", "1", "--event", "[]"), "an object is needed"),
        (("deploy", "/no/such/file.yaml"), "No such file"),
        (("status", "x", "--url", "ftp://somewhere"), "not the address"),
    ],
)
def test_a_wrong_command_line_is_exit_code_2_and_says_why(arguments: tuple[str, ...], said: str) -> None:
    ran = run(*arguments, url=NOWHERE, stdin="")
    assert ran.exit_code == 2
    assert said in ran.stderr


@pytest.mark.parametrize("command", [("doctor",), ("status", "--list")], ids=["doctor", "a client"])
def test_settings_that_are_wrong_are_named(command: tuple[str, ...]) -> None:
    ran = run(*command, STEPWELL_PARTITIONS="many")
    assert ran.exit_code == 2
    assert "partitions: " in ran.stderr


def test_validate_works_without_a_server(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD, encoding="utf-8")
    ran = run("validate", str(tmp_path), "--json", url=NOWHERE)
    assert ran.exit_code == 0
    [file] = ran.document["files"]
    assert (file["id"], file["version"], file["valid"]) == ("good", "2.1.0", True)


def test_validate_knows_activities_of_modules_that_are_named(tmp_path: Path) -> None:
    file = tmp_path / "w.yaml"
    state = "A: {type: task, activity: hub.registr, resultPath: null, end: true}"
    file.write_text(f"id: w\nversion: 1.0.0\nstartAt: A\nstates:\n  {state}\n", encoding="utf-8")
    assert run("validate", str(file)).exit_code == 0
    ran = run("validate", str(file), "--activities", "stepwell_cli.demo_activities")
    assert ran.exit_code == 1
    assert "hub.register" in ran.stdout


def test_validate_says_which_module_cannot_be_imported(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD, encoding="utf-8")
    ran = run("validate", str(tmp_path / "good.yaml"), "--activities", "no_such_module_anywhere")
    assert ran.exit_code == 1
    assert "no_such_module_anywhere" in ran.stderr


def test_a_folder_without_definitions_is_a_wrong_command_line(tmp_path: Path) -> None:
    assert run("validate", str(tmp_path)).exit_code == 2


def test_a_folder_means_its_visible_files_and_not_the_data_of_a_server(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD, encoding="utf-8")
    for hidden in (tmp_path / ".stepwell" / "up.json", tmp_path / ".draft.yaml"):
        hidden.parent.mkdir(exist_ok=True)
        hidden.write_text("{}", encoding="utf-8")
    ran = run("validate", str(tmp_path), "--json", url=NOWHERE)
    assert [Path(file["file"]).name for file in ran.document["files"]] == ["good.yaml"]


def test_up_refuses_a_public_address_without_keys_before_anything_is_started(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    ran = run("up", "--host", "0.0.0.0", "--port", "0", "--data-dir", str(folder), STEPWELL_API_KEYS="")
    assert ran.exit_code != 0
    assert "STEPWELL_API_KEYS" in ran.stderr
    assert not folder.exists()


def test_version_is_one_json_document() -> None:
    assert set(run("version", "--json").document) == {"version", "python", "compiled"}


def test_the_version_is_told_by_an_option_too() -> None:
    ran = run("--version")
    assert ran.exit_code == 0
    assert ran.stdout == run("version").stdout


def test_the_help_names_every_exit_code() -> None:
    told = " ".join(run("--help").stdout.split())
    for kind in (CommandFailed, UsageError, NotFound, Unreachable, NothingChosen):
        assert f" {kind.exit_code} " in told
    assert f"Of `explore`, {NOT_COMPLETE}:" in told


@pytest.mark.parametrize("code", ["sys.exit(0)", "raise SystemExit", "exit(3)"])
@pytest.mark.parametrize("command", ["check", "validate", "test", "simulate"])
def test_a_module_that_ends_the_process_does_not_pass_a_gate(tmp_path: Path, command: str, code: str) -> None:
    (tmp_path / "ends.py").write_text(f"import sys\n\n{code}\n", encoding="utf-8")
    file = tmp_path / "broken.yaml"
    file.write_text(GOOD.replace("startAt: A", "startAt: B"), encoding="utf-8")
    ran = run(command, str(file), "--activities", str(tmp_path / "ends.py"))
    assert ran.exit_code in (1, 2)
    assert "ends the process" in ran.stdout + ran.stderr


def test_doctor_finds_no_store_where_none_is(tmp_path: Path) -> None:
    ran = run("doctor", "--data-dir", str(tmp_path / "none"))
    assert ran.exit_code == 3
    assert not (tmp_path / "none").exists()


def test_the_three_forms_of_event_files_give_the_same_events() -> None:
    events = [{"id": "1"}, {"id": "2"}]
    lines = "\n".join(json.dumps(event) for event in events).encode()
    assert [json.loads(line) for line in event_lines(json.dumps(events).encode(), "f")] == events
    assert [json.loads(line) for line in event_lines(lines, "f")] == events
    assert [json.loads(line) for line in event_lines(b'{\n "id": "1"\n}', "f")] == events[:1]


def test_an_empty_event_file_is_refused() -> None:
    with pytest.raises(UsageError):
        event_lines(b" \n", "f")


def test_batches_are_bounded_in_count_and_size_and_lose_nothing() -> None:
    lines = [b"x" * 200] * (BATCH_EVENTS + 1) + [b"y" * BATCH_BYTES, b"z"]
    parts = list(batches(lines))
    assert [line for part in parts for line in part] == lines
    assert all(len(part) <= BATCH_EVENTS for part in parts)
    assert all(len(part) == 1 or sum(map(len, part)) <= BATCH_BYTES for part in parts)


def test_client_commands_find_the_server_that_up_started_in_the_folder(tmp_path: Path) -> None:
    write_run_file(tmp_path, RunFile(NOWHERE, "unix://x", os.getpid(), {}))
    ran = run("activities", STEPWELL_DATA_DIR=str(tmp_path))
    assert ran.exit_code == 4
    assert NOWHERE in ran.stderr


def test_a_note_leads_to_a_tree_with_another_folder_and_goes_with_it(tmp_path: Path) -> None:
    folder = tmp_path / ".stepwell"
    with noted(folder, RunFile(NOWHERE, "unix://x", os.getpid(), {})):
        assert NOWHERE in run("activities", STEPWELL_DATA_DIR=str(folder)).stderr
    assert not folder.exists()


def test_a_note_takes_nothing_from_a_tree_that_runs_in_the_folder(tmp_path: Path) -> None:
    own = RunFile("http://127.0.0.1:10", "unix://own", os.getpid(), {})
    write_run_file(tmp_path, own)
    with noted(tmp_path, RunFile(NOWHERE, "unix://x", os.getppid(), {})):
        assert read_run_file(tmp_path) == own
    assert read_run_file(tmp_path) == own


def test_a_note_is_not_needed_to_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with noted(tmp_path / "file" / "folder", RunFile(NOWHERE, "unix://x", os.getpid(), {})):
        assert f"--url {NOWHERE}" in capsys.readouterr().err


def test_the_run_file_of_a_dead_supervisor_counts_for_nothing(tmp_path: Path) -> None:
    write_run_file(tmp_path, RunFile(NOWHERE, "unix://x", 2**22 + 1, {}))
    assert read_run_file(tmp_path) is None


UNTRUE = """\
tests:
  - name: wrong
    expect: {status: failed}
"""


@pytest.mark.parametrize("command", ["validate", "check"])
def test_the_scenarios_inside_a_definition_are_run_as_at_an_upload(tmp_path: Path, command: str) -> None:
    (tmp_path / "untrue.yaml").write_text(GOOD + UNTRUE, encoding="utf-8")
    ran = run(command, str(tmp_path / "untrue.yaml"))
    assert ran.exit_code == 1
    first, *details = ran.stdout.splitlines()
    assert first.endswith("the scenario 'wrong' does not hold: at /tests/0/name [test-failed]")
    assert any("status is not as expected" in line for line in details)


def test_what_speaks_of_no_states_is_no_definition_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "table.json").write_text('{"charge-card": "cards.charge"}', encoding="utf-8")
    (tmp_path / "tasks.yaml").write_text("Charge: {output: 1}\n", encoding="utf-8")
    ran = run("validate", str(tmp_path), "--json")
    assert [Path(file["file"]).name for file in ran.document["files"]] == ["good.yaml"]


@pytest.mark.parametrize(
    "arguments", [("simulate",), ("simulate", "x.yaml", "--bogus"), ("up", "--workers", "x")]
)
def test_a_wrong_command_line_is_a_json_document_too(arguments: tuple[str, ...]) -> None:
    ran = run(*arguments, "--json")
    assert ran.exit_code == 2
    assert ran.document["error"]["exitCode"] == 2


def test_help_is_no_failure_whatever_stands_beside_it() -> None:
    ran = run("simulate", "--json", "--help")
    assert ran.exit_code == 0
    assert '"error"' not in ran.stdout


def test_a_pointer_with_control_characters_stays_on_its_line(tmp_path: Path) -> None:
    file = tmp_path / "odd.json"
    file.write_text('{"id": "odd", "version": "1.0.0", "startAt": "A", "states": {"A\\u001b[2J\\n": 1}}')
    for command in ("check", "validate"):
        ran = run(command, str(file))
        assert "\x1b" not in ran.stdout
        assert "at /states/A [2J  [" in ran.stdout


def test_a_pipe_takes_every_text_whatever_the_locale() -> None:
    held = io.BytesIO()
    stream = io.TextIOWrapper(held, encoding="ascii")
    write_any_text(stream)
    stream.write("→ ünï \udcff")
    stream.flush()
    assert held.getvalue() == "→ ünï \\udcff".encode()
