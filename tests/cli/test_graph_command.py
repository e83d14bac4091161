"""`stepwell graph`: forms, files, unfinished definitions, and the pictures in the documentation."""

from pathlib import Path

import pytest
from cli_world import run

ROOT = Path(__file__).resolve().parent.parent.parent
PICTURES = {
    "device-onboarding": ROOT / "examples" / "onboarding" / "workflow.yaml",
    "firmware-update": ROOT / "examples" / "firmware-update" / "workflow.yaml",
}
UNFINISHED = "startAt: A\nstates:\n  A: {type: task, next: B}\n"


@pytest.mark.parametrize("name", list(PICTURES))
def test_the_pictures_in_the_documentation_are_what_the_command_draws(name: str) -> None:
    drawn = run("graph", str(PICTURES[name])).stdout
    kept = (ROOT / "docs" / "pictures" / f"{name}.svg").read_text(encoding="utf-8")
    assert kept == drawn, f"run stepwell graph {PICTURES[name].relative_to(ROOT)} -o docs/pictures/{name}.svg"


def test_every_kept_picture_is_checked() -> None:
    assert {file.stem for file in (ROOT / "docs" / "pictures").iterdir()} == set(PICTURES)


@pytest.mark.parametrize(
    ("suffix", "start"), [("svg", "<svg "), ("mmd", "---\ntitle"), ("dot", "digraph {"), ("GV", "digraph {")]
)
def test_the_form_follows_the_suffix_of_the_output(tmp_path: Path, suffix: str, start: str) -> None:
    output = tmp_path / f"picture.{suffix}"
    ran = run("graph", str(PICTURES["device-onboarding"]), "-o", str(output))
    assert (ran.exit_code, ran.stdout) == (0, "")
    assert output.read_text(encoding="utf-8").startswith(start)


@pytest.mark.parametrize(
    "arguments", [("picture.png",), ("picture.txt", "--format", "dot"), ("picture.svg", "--format", "dot")]
)
def test_a_suffix_that_means_another_form_or_none_is_refused(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    name, *options = arguments
    ran = run("graph", str(PICTURES["device-onboarding"]), "-o", str(tmp_path / name), *options)
    assert ran.exit_code == 2
    assert ".mmd or .mermaid for mermaid" in ran.stderr
    assert not (tmp_path / name).exists()


def test_an_output_without_a_suffix_takes_the_form_that_is_named(tmp_path: Path) -> None:
    output = tmp_path / "picture"
    run("graph", str(PICTURES["device-onboarding"]), "--format", "dot", "-o", str(output))
    assert output.read_text(encoding="utf-8").startswith("digraph {")


def test_an_unfinished_definition_is_drawn_with_what_it_lacks() -> None:
    ran = run("graph", "-", "--format", "mermaid", stdin=UNFINISHED)
    assert ran.exit_code == 0
    assert "no such state" in ran.stdout


def test_the_other_dialect_is_drawn_too() -> None:
    ran = run("graph", "-", "-f", "dot", stdin='{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}')
    assert ran.exit_code == 0
    assert 'label="A"' in ran.stdout


def test_a_theme_and_a_title_can_be_given() -> None:
    ran = run("graph", "-", "--theme", "dark", "--title", "Mine", stdin=UNFINISHED)
    assert "prefers-color-scheme" not in ran.stdout
    assert "<title>Mine</title>" in ran.stdout


def test_what_cannot_be_read_is_exit_code_1_and_says_where(tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text("states: {A: [")
    ran = run("graph", str(file))
    assert ran.exit_code == 1
    assert "broken.yaml:2:1" in ran.stderr


def test_too_many_states_are_exit_code_1_and_the_limit_is_told(tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    file.write_text("states:\n" + "".join(f"  S{number}: {{type: succeed}}\n" for number in range(2001)))
    ran = run("graph", str(file))
    assert ran.exit_code == 1
    assert "2000" in ran.stderr


def test_an_output_that_cannot_be_written_is_exit_code_2(tmp_path: Path) -> None:
    ran = run("graph", str(PICTURES["device-onboarding"]), "-o", str(tmp_path / "none" / "x.svg"))
    assert ran.exit_code == 2
    assert "No such file" in ran.stderr
