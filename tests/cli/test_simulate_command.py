"""`stepwell simulate` and `stepwell check`: what they print, in which format, and how they end."""

import json
from pathlib import Path

import pytest
from cli_world import run

WORKFLOW = """\
id: pay
version: 1.0.0
input: {type: object, required: [order]}
startAt: Ask
states:
  Ask: {type: task, activity: shop.ask, resultPath: $.state.asked, retry: [], next: Wait}
  Wait:
    type: wait
    event: Paid
    match: {order: $.input.order}
    timeout: PT1H
    timeoutNext: Late
    resultPath: $.state.paid
    next: Done
  Done: {type: succeed, output: {asked: $.state.asked}}
  Late: {type: fail, error: Late, cause: nobody paid}
"""
BROKEN = WORKFLOW.replace("next: Wait}", "next: Wiat}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A workflow with outcomes and events."""
    (tmp_path / "pay.yaml").write_text(WORKFLOW, encoding="utf-8")
    (tmp_path / "broken.yaml").write_text(BROKEN, encoding="utf-8")
    (tmp_path / "tasks.yaml").write_text("Ask: [{output: yes please}]\n", encoding="utf-8")
    (tmp_path / "events.yaml").write_text("- {at: PT10M, type: Paid, data: {order: 7}}\n", encoding="utf-8")
    return tmp_path


def simulated(folder: Path, *more: str) -> tuple[str, ...]:
    """A command line that leads to a good end, with more options."""
    return (
        "simulate",
        str(folder / "pay.yaml"),
        "--input",
        '{"order": 7}',
        "--tasks",
        str(folder / "tasks.yaml"),
        *more,
    )


def test_simulate_shows_the_timeline_and_the_result(folder: Path) -> None:
    ran = run(*simulated(folder, "--events", str(folder / "events.yaml")))
    assert ran.exit_code == 0
    for shown in (
        "TaskScheduled Ask",
        "event Paid",
        "EventReceived Wait",
        "2026-01-01T00:10:00.000Z",
        "yes please",
    ):
        assert shown in ran.stdout


def test_simulate_prints_one_json_document(folder: Path) -> None:
    ran = run(*simulated(folder, "--events", str(folder / "events.yaml"), "--json"))
    assert (ran.document["status"], ran.document["output"]) == ("succeeded", {"asked": "yes please"})
    assert ran.document["events"][0]["disposition"] == "consumed"


def test_simulate_reads_events_line_by_line(folder: Path) -> None:
    event = {
        "specversion": "1.0",
        "id": "1",
        "source": "s",
        "type": "Paid",
        "subject": "d",
        "data": {"order": 7},
    }
    (folder / "events.ndjson").write_text(json.dumps(event) + "\n\n", encoding="utf-8")
    assert run(*simulated(folder, "--events", str(folder / "events.ndjson"))).exit_code == 0


def test_failed_workflow_is_exit_code_1(folder: Path) -> None:
    ran = run(*simulated(folder, "--json"))
    assert (ran.exit_code, ran.document["error"]) == (1, "Late")


def test_simulate_until_shows_what_is_waited_for(folder: Path) -> None:
    ran = run(*simulated(folder, "--until", "PT5M", "--now", "2030-01-01T00:00:00Z"))
    assert ran.exit_code == 0
    assert 'waits for event Paid {"match":{"order":7}}' in ran.stdout
    assert "2030-01-01T00:05:00.000Z" in ran.stdout


def test_unmocked_task_says_what_to_give(folder: Path) -> None:
    ran = run("simulate", str(folder / "pay.yaml"), "--input", '{"order": 7}')
    assert ran.exit_code == 1
    assert "--tasks FILE" in ran.stderr
    assert "Ask:\n" in ran.stderr
    assert "- output:" in ran.stderr
    assert "tasks=" not in ran.stderr


def test_simulate_refuses_a_definition_with_its_problems(folder: Path) -> None:
    ran = run("simulate", str(folder / "broken.yaml"), "--input", "{}")
    assert ran.exit_code == 1
    assert 'did you mean "Wait"' in ran.stderr


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (("--events", "{folder}/nothing.yaml"), 2, "No such file"),
        (("--until", "soon"), 2, "until: 'soon' is not"),
        (("--input", "{"), 2, "--input"),
        (("--activities", "no_such_module"), 1, "no_such_module"),
    ],
)
def test_simulate_tells_a_wrong_command_line(
    folder: Path, more: tuple[str, ...], code: int, said: str
) -> None:
    ran = run(
        *simulated(folder, *(part.format(folder=folder) if "{folder}" in part else part for part in more))
    )
    assert ran.exit_code == code
    assert said in ran.stderr


def test_check_says_file_line_and_column(folder: Path) -> None:
    ran = run("check", str(folder / "broken.yaml"))
    assert ran.exit_code == 1
    assert "broken.yaml:6:" in ran.stdout
    assert "error" in ran.stdout


def test_check_accepts_what_is_in_order(folder: Path) -> None:
    ran = run("check", str(folder / "pay.yaml"))
    assert ran.exit_code == 0
    assert "pay 1.0.0 is in order" in ran.stdout


def test_check_prints_json(folder: Path) -> None:
    ran = run("check", str(folder / "pay.yaml"), str(folder / "broken.yaml"), "--format", "json")
    assert ran.exit_code == 1
    good, bad = ran.document["files"]
    assert (ran.document["accepted"], good["accepted"], bad["accepted"]) == (False, True, False)
    assert {"code", "severity", "message", "file", "line", "column", "pointer", "help"} == set(
        bad["problems"][0]
    )


def test_check_knows_the_activities_of_modules(folder: Path) -> None:
    assert (
        run("check", str(folder / "pay.yaml"), "--activities", "stepwell_cli.demo_activities").exit_code == 1
    )


def test_check_prints_sarif_with_rules_regions_and_fingerprints(folder: Path) -> None:
    ran = run("check", str(folder / "broken.yaml"), "--format", "sarif")
    assert ran.exit_code == 1
    [log] = ran.document["runs"]
    assert ran.document["version"] == "2.1.0"
    rules = log["tool"]["driver"]["rules"]
    for result in log["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note")
        [location] = result["locations"]
        assert location["physicalLocation"]["region"]["startLine"] >= 1
        assert location["physicalLocation"]["artifactLocation"]["uri"].endswith("broken.yaml")
    marks = [result["partialFingerprints"]["stepwellProblem/v1"] for result in log["results"]]
    assert len(set(marks)) == len(marks) > 0


def test_fingerprints_survive_edits_elsewhere(folder: Path) -> None:
    def marks() -> set[str]:
        [log] = run("check", str(folder / "broken.yaml"), "--format", "sarif").document["runs"]
        return {result["partialFingerprints"]["stepwellProblem/v1"] for result in log["results"]}

    before = marks()
    (folder / "broken.yaml").write_text(f"# a comment\n\n{BROKEN}", encoding="utf-8")
    assert marks() == before


@pytest.mark.parametrize("content", ["[]", "5", "states: {}"])
def test_a_child_without_an_id_is_refused(folder: Path, content: str) -> None:
    (folder / "child.yaml").write_text(content, encoding="utf-8")
    ran = run(*simulated(folder, "--workflow", str(folder / "child.yaml")))
    assert ran.exit_code == 2
    assert "a child's definition has an id" in ran.stderr


def test_simulate_names_the_file_of_a_problem(folder: Path) -> None:
    ran = run("simulate", str(folder / "broken.yaml"))
    assert f"{folder / 'broken.yaml'}:6:" in ran.stderr


def test_check_reads_a_table_of_resources(folder: Path) -> None:
    state = {"Type": "Task", "Resource": "arn:aws:lambda:eu-west-1:123456789012:function:charge", "End": True}
    (folder / "pay.asl.json").write_text(
        json.dumps({"StartAt": "A", "States": {"A": state}}), encoding="utf-8"
    )
    (folder / "table.json").write_text('{"charge": "hub.register"}', encoding="utf-8")
    line = ("check", str(folder / "pay.asl.json"), "--activities", "stepwell_cli.demo_activities")
    assert run(*line).exit_code == 1
    assert run(*line, "--resources", str(folder / "table.json")).exit_code == 0


def test_check_in_json_tells_a_wrong_command_line_in_json(folder: Path) -> None:
    (folder / "empty").mkdir()
    ran = run("check", str(folder / "empty"), "--format", "json")
    assert (ran.exit_code, ran.document["error"]["exitCode"]) == (2, 2)
