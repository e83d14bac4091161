"""`stepwell explore`: what it prints, its exit codes, and counter-examples that `stepwell test` can run."""

from pathlib import Path

import pytest
import yaml
from cli_world import run

SOUND = """
id: order
version: 1.0.0
startAt: Charge
states:
  Charge:
    type: task
    activity: charge
    compensateWith: {activity: refund}
    resultPath: null
    onError: Undo
    next: Ship
  Ship: {type: task, activity: ship, resultPath: null, catch: {next: Undo}, end: true}
  Undo: {type: compensation, resultPath: null, next: Failed}
  Failed: {type: fail, error: OrderFailed}
"""
FAULTY = SOUND.replace("catch: {next: Undo}, end: true", "catch: {next: Failed}, end: true")
WAITING = """
id: waiting
version: 1.0.0
startAt: Wait
states:
  Wait: {type: wait, event: Go, resultPath: null, next: Done}
  Done: {type: succeed}
"""


def written(folder: Path, text: str) -> str:
    file = folder / "order.yaml"
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_a_sound_definition_is_exit_code_0(tmp_path: Path) -> None:
    ran = run("explore", written(tmp_path, SOUND))
    assert ran.exit_code == 0, ran.stderr
    assert "nothing is wrong" in ran.stdout


def test_a_violation_is_exit_code_1_with_the_shortest_run(tmp_path: Path) -> None:
    ran = run("explore", written(tmp_path, FAULTY))
    assert ran.exit_code == 1
    assert "[lost-compensation]" in ran.stdout
    assert "Ship: ship fails with Unforeseen" in ran.stdout


def test_counter_examples_are_scenario_files_that_pass_while_the_fault_is_there(tmp_path: Path) -> None:
    file = written(tmp_path, FAULTY)
    assert run("explore", file, "-o", str(tmp_path / "found")).exit_code == 1
    (found,) = (tmp_path / "found").iterdir()
    document = yaml.safe_load(found.read_text(encoding="utf-8"))
    assert document["definition"] == "../order.yaml"
    assert document["tests"][0]["expect"]["status"] == "failed"
    assert run("test", str(tmp_path / "found")).exit_code == 0
    written(tmp_path, SOUND)
    assert run("test", str(tmp_path / "found")).exit_code == 1


def test_json_has_everything_once(tmp_path: Path) -> None:
    ran = run("explore", written(tmp_path, FAULTY), "--json", "-o", str(tmp_path / "found"))
    assert ran.exit_code == 1
    (violation,) = ran.document["violations"]
    assert violation["code"] == "lost-compensation"
    assert violation["trace"][-1]["leadsTo"] == ["failed"]
    assert violation["scenario"]["expect"]["status"] == "failed"
    assert Path(violation["file"]).is_file()
    assert ran.document["complete"] is True


def test_a_bound_that_was_hit_is_exit_code_3(tmp_path: Path) -> None:
    ran = run("explore", written(tmp_path, SOUND), "--states", "3")
    assert ran.exit_code == 3
    assert "--states was hit" in ran.stdout


def test_warnings_count_with_strict(tmp_path: Path) -> None:
    file = written(tmp_path, WAITING)
    assert run("explore", file).exit_code == 0
    strict = run("explore", file, "--strict")
    assert strict.exit_code == 1
    assert "[waits-for-ever]" in strict.stdout


def test_cancelling_is_explored_when_asked_for(tmp_path: Path) -> None:
    ran = run("explore", written(tmp_path, SOUND), "--cancel")
    assert ran.exit_code == 0
    assert "cancelled" in ran.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [("id: x\n", "cannot run"), (SOUND.replace("next: Ship", "next: Shop"), "Shop")],
)
def test_a_definition_that_cannot_run_is_refused_with_its_problems(
    tmp_path: Path, text: str, said: str
) -> None:
    ran = run("explore", written(tmp_path, text))
    assert ran.exit_code == 1
    assert said in ran.stderr


def test_a_file_that_is_not_there_is_exit_code_2(tmp_path: Path) -> None:
    assert run("explore", str(tmp_path / "none.yaml")).exit_code == 2


@pytest.mark.parametrize(
    "file",
    [
        "workflows/device-onboarding.yaml",
        "examples/order-fulfilment/workflow.yaml",
        "examples/onboarding/workflow.yaml",
    ],
)
def test_what_ships_gives_no_false_alarm(file: str) -> None:
    root = Path(__file__).resolve().parents[2]
    ran = run("explore", str(root / file), "--strict")
    assert ran.exit_code == 0, ran.stdout


def test_inputs_to_begin_with_are_given_several_times_and_from_files(tmp_path: Path) -> None:
    choice = "{type: choice, choices: [{variable: $.input.kind, equals: KIND, next: Done}], default: Done}"
    states = f"  A: {choice.replace('KIND', 'a')}\n  Done: {{type: succeed, output: $.input.kind}}\n"
    file = written(tmp_path, f"id: kinds\nversion: 1.0.0\nstartAt: A\nstates:\n{states}")
    (tmp_path / "b.json").write_text('{"kind": "b"}', encoding="utf-8")
    ran = run("explore", file, "--input", '{"kind": "a"}', "--input", f"@{tmp_path}/b.json", "--json")
    assert ran.exit_code == 0, ran.stderr
    assert ran.document["coverage"]["ends"] == {"succeeded": 2}


@pytest.mark.parametrize(
    ("given", "told"), [("{", "not JSON"), ("order.yaml", "write @order.yaml"), ('{"name": 5}', "/name")]
)
def test_an_input_that_cannot_be_one_is_a_wrong_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    schema = "input: {type: object, properties: {name: {type: string}}}\nstartAt"
    written(tmp_path, SOUND.replace("startAt", schema, 1))
    ran = run("explore", "order.yaml", "--input", given)
    assert ran.exit_code == 2
    assert told in ran.stderr
