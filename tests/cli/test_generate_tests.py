"""`stepwell generate tests`: for Amazon States Language as well, and never beside a route that people wrote."""

import json
from pathlib import Path

import pytest
from cli_world import run
from scenario_world import ORDER

DEFINITION = {
    "StartAt": "Ask",
    "States": {
        "Ask": {
            "Type": "Task",
            "Resource": "arn:aws:lambda:us-east-1:123456789012:function:ask",
            "ResultPath": "$.answer",
            "Catch": [{"ErrorEquals": ["Refused"], "Next": "Bad"}],
            "Next": "Which",
        },
        "Which": {
            "Type": "Choice",
            "Choices": [
                {
                    "And": [
                        {"Variable": "$.answer.score", "NumericGreaterThan": 7},
                        {"Variable": "$.plan", "StringEquals": "gold"},
                    ],
                    "Next": "Good",
                }
            ],
            "Default": "Bad",
        },
        "Good": {"Type": "Succeed"},
        "Bad": {"Type": "Fail", "Error": "Bad"},
    },
}


def generated(folder: Path) -> str:
    """The scenario file after one more run of the command."""
    assert run("generate", "tests", str(folder / "w.asl.json")).exit_code == 0
    return (folder / "w.asl.tests.yaml").read_text()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "w.asl.json").write_text(json.dumps(DEFINITION))
    return tmp_path


def test_scenarios_for_amazon_states_language_cover_all_and_hold(folder: Path) -> None:
    generated(folder)
    assert run("test", str(folder), "--min-coverage", "100").exit_code == 0


def test_running_twice_changes_nothing(folder: Path) -> None:
    first = generated(folder)
    assert generated(folder) == first
    assert run("generate", "tests", str(folder / "w.asl.json"), "--check").exit_code == 0


def test_an_expectation_that_does_not_hold_is_left_alone_and_gets_no_twin(folder: Path) -> None:
    text = generated(folder)
    edited = text.replace("status: succeeded", "status:   failed # on purpose", 1)
    assert edited != text
    (folder / "w.asl.tests.yaml").write_text(edited)
    again = generated(folder)
    assert "status:   failed # on purpose" in again
    assert again.count("- name:") == text.count("- name:")
    assert "#2" not in again
    assert generated(folder) == again
    assert run("test", str(folder)).exit_code == 1


def test_every_scenario_may_be_edited_and_none_gets_a_twin(folder: Path) -> None:
    edited = generated(folder).replace("    expect:\n", "    expect:\n      elapsed: PT99H\n")
    (folder / "w.asl.tests.yaml").write_text(edited)
    assert generated(folder) == edited


def test_a_skipped_scenario_gets_no_twin(folder: Path) -> None:
    edited = generated(folder).replace("    expect:\n", "    skip: not now\n    expect:\n")
    (folder / "w.asl.tests.yaml").write_text(edited)
    assert generated(folder) == edited


def test_a_scenario_whose_events_were_changed_makes_room_for_the_route_it_left(folder: Path) -> None:
    text = generated(folder)
    edited = text.replace("plan: gold", "plan: tin", 1)
    assert edited != text
    (folder / "w.asl.tests.yaml").write_text(edited)
    again = generated(folder)
    assert "plan: tin" in again
    assert "plan: gold" in again
    assert generated(folder) == again


def test_a_native_expectation_that_does_not_hold_gets_no_twin(tmp_path: Path) -> None:
    (tmp_path / "order.yaml").write_text(ORDER)
    file = tmp_path / "order.tests.yaml"
    assert run("generate", "tests", str(tmp_path / "order.yaml")).exit_code == 0
    edited = file.read_text().replace("status: succeeded", "status: failed", 1)
    file.write_text(edited)
    assert run("generate", "tests", str(tmp_path / "order.yaml"), "--check").exit_code == 0
    assert (file.read_text(), "#2" in edited) == (edited, False)


def test_a_search_that_ends_at_its_bound_says_so_and_goes_on_with_a_greater_one(folder: Path) -> None:
    small = run("generate", "tests", str(folder / "w.asl.json"), "--max-work", "300", "--check")
    assert "ended at its bound (--max-work 300)" in small.stdout + small.stderr
    told = json.loads(
        run("generate", "tests", str(folder / "w.asl.json"), "--max-work", "300", "--json").stdout
    )
    assert told["cutShort"] is True
    assert told["unreached"]
    whole = json.loads(run("generate", "tests", str(folder / "w.asl.json"), "--json").stdout)
    assert (whole["cutShort"], whole["unreached"]) == (False, [])


def test_outputs_fit_what_an_integration_makes_of_its_activity_s_answer(tmp_path: Path) -> None:
    example = Path(__file__).resolve().parents[2] / "examples" / "step-functions"
    file = tmp_path / "order.tests.yaml"
    table = ["--resources", str(example / "resources.json")]
    given = [str(example / "order.asl.json"), "--activities", str(example / "activities.py"), "-o", str(file)]
    assert run("generate", "tests", *given, *table).exit_code == 0
    assert run("test", str(file), "--min-coverage", "100", *table).exit_code == 0
