"""`stepwell test`: which files are run, what is told, and the exit codes scripts rely on."""

from pathlib import Path
from xml.etree import ElementTree as Tree

import pytest
from cli_world import Ran, run
from scenario_world import ORDER, PAID
from stepwell_cli import scenario_pool

GOOD = f"  - name: paid{PAID}    expect: {{status: succeeded}}\n"
BAD = f"  - name: wrong{PAID}    expect: {{status: failed}}\n"
ROOT = Path(__file__).resolve().parents[2]


def folder_with(folder: Path, tests: str, *, name: str = "order.tests.yaml") -> Path:
    (folder / "order.yaml").write_text(ORDER)
    (folder / name).write_text(f"definition: order.yaml\ntests:\n{tests}")
    return folder


def run_on(folder: Path, tests: str, *options: str) -> Ran:
    return run("test", str(folder_with(folder, tests)), *options)


def test_scenarios_that_hold_end_with_zero(tmp_path: Path) -> None:
    ran = run_on(tmp_path, GOOD)
    assert ran.exit_code == 0
    assert "1 scenario in 1 file: 1 passed" in ran.stdout


def test_a_scenario_that_fails_is_shown_with_its_differences_and_ends_with_one(tmp_path: Path) -> None:
    ran = run_on(tmp_path, GOOD + BAD)
    assert ran.exit_code == 1
    assert "order.tests.yaml:8:5: wrong" in ran.stdout
    assert "expected  failed" in ran.stdout
    assert "path taken: Reserve → Payment → Large → Done" in ran.stdout
    assert "paid" not in ran.stdout


def test_a_file_that_cannot_be_used_ends_with_two(tmp_path: Path) -> None:
    ran = run_on(tmp_path, "  - {name: a, tassks: {}}\n")
    assert ran.exit_code == 2
    assert 'order.tests.yaml:3:15: error: unknown key "tassks"; did you mean "tasks"?' in ran.stdout


def test_a_scenario_that_names_nothing_of_the_definition_ends_with_two(tmp_path: Path) -> None:
    assert run_on(tmp_path, "  - {name: a, input: {id: x}, tasks: {Reserv: {output: 1}}}\n").exit_code == 2


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("definition: nowhere.yaml\ntests: [{name: a}]\n", "a.tests.yaml:1:13: error: "),
        (
            "definition: a.yaml\nactivities: [no.such.module]\ntests: [{name: a}]\n",
            "a.tests.yaml:2:13: error: ",
        ),
        ("definition: a.yaml\ntests: [{name: a}]\n", "a.yaml"),
    ],
)
def test_what_a_file_needs_and_is_not_there_is_told_at_its_place(
    tmp_path: Path, content: str, problem: str
) -> None:
    (tmp_path / "a.yaml").write_text("id: a\nversion: 1.0.0\nstartAt: X\nstates: {}\n")
    file = tmp_path / "a.tests.yaml"
    file.write_text(content)
    ran = run("test", str(file))
    assert ran.exit_code == 2
    assert problem in ran.stdout


def test_a_path_that_leads_nowhere_ends_with_two(tmp_path: Path) -> None:
    assert run("test", str(tmp_path / "nothing.yaml")).exit_code == 2


def test_tests_inside_a_definition_are_found_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "inside.yaml").write_text(f"{ORDER}tests:\n{BAD}")
    ran = run("test", str(tmp_path))
    assert ran.exit_code == 1
    assert "inside.yaml:42:5: wrong" in ran.stdout


def test_a_definition_that_is_named_is_tested_by_the_file_beside_it_too(tmp_path: Path) -> None:
    folder_with(tmp_path, GOOD)
    (tmp_path / "order.yaml").write_text(f"{ORDER}tests:\n{GOOD}")
    ran = run("test", str(tmp_path / "order.yaml"), "-v")
    assert "2 scenarios in 2 files: 2 passed" in ran.stdout


def test_hidden_folders_are_left_out(tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    folder_with(tmp_path / ".venv", BAD)
    ran = run("test", str(tmp_path))
    assert (ran.exit_code, ran.stdout) == (0, "")
    assert "no scenario here" in ran.stderr


def test_scenarios_are_chosen_by_a_part_of_their_name(tmp_path: Path) -> None:
    ran = run_on(tmp_path, GOOD + BAD, "-k", "PAI", "--json")
    assert ran.exit_code == 0
    assert ran.document["counts"] == {"passed": 1, "failed": 0, "skipped": 0, "unusable": 0}


def test_a_pattern_that_is_no_pattern_is_a_text(tmp_path: Path) -> None:
    odd = GOOD.replace("name: paid", "name: paid (late)")
    assert run_on(tmp_path, odd + BAD, "-k", "(").exit_code == 0


def test_json_has_every_scenario_with_its_differences(tmp_path: Path) -> None:
    ran = run_on(tmp_path, BAD, "--json", "--coverage", "json")
    document = ran.document
    assert document["passed"] is False
    [scenario] = document["files"][0]["scenarios"]
    assert scenario["differences"][0] | {"line": 0, "column": 0} == {
        "what": "status", "expected": "failed", "got": "succeeded", "note": "", "line": 0, "column": 0,
        "pointer": "/tests/0/expect/status",
    }  # fmt: skip
    assert document["coverage"][0]["states"]["covered"] == 4


def test_coverage_is_told_as_text(tmp_path: Path) -> None:
    ran = run_on(tmp_path, GOOD, "--coverage", "text")
    assert "order 1.0.0: 33 % covered" in ran.stdout
    assert "missed transition: Payment → Undo (timeout)" in ran.stdout


def test_too_little_coverage_ends_with_one(tmp_path: Path) -> None:
    assert run_on(tmp_path, GOOD, "--min-coverage", "30").exit_code == 0
    ran = run_on(tmp_path, GOOD, "--min-coverage", "34")
    assert ran.exit_code == 1
    assert "order 1.0.0 is covered by 33.3 %, less than 34 %" in ran.stderr


def test_pictures_show_what_was_covered(tmp_path: Path) -> None:
    assert run_on(tmp_path, GOOD, "--coverage-svg", str(tmp_path / "pictures")).exit_code == 0
    picture = (tmp_path / "pictures" / "order-1.0.0.svg").read_text()
    assert "<svg" in picture


def test_junit_has_failures_errors_places_and_coverage(tmp_path: Path) -> None:
    unusable = "  - {name: unusable, input: {id: x}, tasks: {Reserv: {output: 1}}}\n"
    odd = '  - {name: "odd \\x01", skip: later, input: {id: x}}\n'
    run_on(tmp_path, GOOD + BAD + unusable + odd, "--junit", str(tmp_path / "out" / "junit.xml"))
    root = Tree.parse(tmp_path / "out" / "junit.xml").getroot()
    assert {name: root.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "4", "failures": "1", "errors": "1", "skipped": "1",
    }  # fmt: skip
    [failure] = root.iter("failure")
    assert failure.get("message") == "status"
    assert "got       succeeded" in (failure.text or "")
    case = next(case for case in root.iter("testcase") if case.get("name") == "wrong")
    assert case.get("line") == "8"
    assert root.find("properties") is None, "the format has properties in suites only"
    values = {each.get("name"): each.get("value") for each in root.iterfind("testsuite/properties/property")}
    assert values["coverage.order.transition"] == "3/9"


def test_a_file_that_cannot_be_used_is_an_error_in_junit(tmp_path: Path) -> None:
    run_on(tmp_path, "  - {nam: a}\n", "--junit", str(tmp_path / "junit.xml"))
    root = Tree.parse(tmp_path / "junit.xml").getroot()
    assert (root.get("tests"), root.get("errors")) == ("1", "1")


def test_several_processes_give_the_same_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenario_pool, "WORTH_A_PROCESS", 1)
    folder_with(tmp_path, GOOD + BAD)
    folder_with(tmp_path, BAD + GOOD, name="more.tests.yaml")

    def results(jobs: str) -> list[list[tuple[str, str]]]:
        document = run("test", str(tmp_path), "--jobs", jobs, "--json").document
        return [[(each["name"], each["verdict"]) for each in file["scenarios"]] for file in document["files"]]

    alone = results("1")
    assert alone == [[("wrong", "failed"), ("paid", "passed")], [("paid", "passed"), ("wrong", "failed")]]
    assert results("2") == alone


@pytest.mark.parametrize("folder", ["workflows", "examples"])
def test_what_ships_passes_its_own_scenarios_and_is_covered_in_full(folder: str) -> None:
    ran = run("test", str(ROOT / folder), "--min-coverage", "100", "--json")
    failed = [
        each for file in ran.document["files"] for each in file["scenarios"] if each["verdict"] != "passed"
    ]
    assert failed == []
    assert ran.exit_code == 0


def test_outcomes_are_checked_against_activities_that_are_named(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        'from stepwell import activity\n\n@activity(name="stock.reserve")\n'
        "def reserve(order: str) -> dict[str, int]:\n    return {}\n"
    )
    ran = run_on(tmp_path, GOOD, "--activities", str(tmp_path / "mine.py"))
    assert ran.exit_code == 2
    assert "the activity stock.reserve gives no such output" in ran.stdout
    file = tmp_path / "order.tests.yaml"
    file.write_text(file.read_text().replace("tests:", "activities: [mine.py]\ntests:", 1))
    assert run("test", str(file)).exit_code == 2


# -- stepwell generate tests ---------------------------------------------------------------------------------


def test_scenarios_are_generated_beside_the_definition_and_hold(tmp_path: Path) -> None:
    (tmp_path / "order.yaml").write_text(ORDER)
    ran = run("generate", "tests", str(tmp_path / "order.yaml"), "--json")
    assert ran.exit_code == 0
    assert (ran.document["changed"], ran.document["unreached"]) == (True, [])
    assert run("test", str(tmp_path), "--min-coverage", "100").exit_code == 0


def test_generating_again_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "order.yaml").write_text(ORDER)
    assert run("generate", "tests", str(tmp_path / "order.yaml"), "--check").exit_code == 1
    assert not (tmp_path / "order.tests.yaml").exists()
    run("generate", "tests", str(tmp_path / "order.yaml"))
    before = (tmp_path / "order.tests.yaml").read_text()
    again = run("generate", "tests", str(tmp_path / "order.yaml"), "--check")
    assert (again.exit_code, "as it was" in again.stdout) == (0, True)
    assert (tmp_path / "order.tests.yaml").read_text() == before


def test_only_what_own_scenarios_leave_out_is_generated(tmp_path: Path) -> None:
    folder_with(tmp_path, f"  # mine\n{GOOD}")
    before = (tmp_path / "order.tests.yaml").read_text()
    assert run("generate", "tests", str(tmp_path / "order.yaml")).exit_code == 0
    after = (tmp_path / "order.tests.yaml").read_text()
    assert after.startswith(before)
    assert "Large → Done" not in after


def test_a_definition_that_cannot_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("id: a\nversion: 1.0.0\nstartAt: X\nstates: {}\n")
    ran = run("generate", "tests", str(tmp_path / "a.yaml"))
    assert ran.exit_code == 1
    assert "cannot be run" in ran.stderr


def test_a_broken_scenario_file_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "order.yaml").write_text(ORDER)
    (tmp_path / "order.tests.yaml").write_text("tests: [\n")
    assert run("generate", "tests", str(tmp_path / "order.yaml")).exit_code == 2
    assert (tmp_path / "order.tests.yaml").read_text() == "tests: [\n"
