"""The page about exploration against the command: what it shows is what comes of the definitions on it."""

import re
from pathlib import Path

import pytest
from cli_world import run

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "exploration.md").read_text(encoding="utf-8")
SHOWN = re.search(
    r"```console\n\$ stepwell explore order.yaml -o counter-examples\n(.*?)```", PAGE, re.DOTALL
)
FAULTY, MENDED, *_ = re.findall(r"```yaml\n(id: order\n.*?)```", PAGE, re.DOTALL)


def test_the_definition_at_the_top_of_the_page_has_the_violation_shown_below_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("order.yaml").write_text(FAULTY, encoding="utf-8")
    ran = run("explore", "order.yaml", "-o", "counter-examples")
    assert SHOWN is not None
    assert (ran.exit_code, ran.stdout) == (1, SHOWN[1])


def test_the_mended_definition_of_the_page_keeps_its_assertions() -> None:
    ran = run("explore", "-", stdin=MENDED)
    assert ran.exit_code == 0, ran.stdout
