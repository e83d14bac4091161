"""The pytest plug-in in a pytest of its own: each scenario an item, failures readable, nothing loaded where unused."""

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

from scenario_world import ORDER, PAID

GOOD = f"  - name: paid{PAID}    expect: {{status: succeeded}}\n"
BAD = f"  - name: wrong{PAID}    expect: {{status: failed}}\n"

INSTALLED = any(point.value == "stepwell.pytest_plugin" for point in entry_points(group="pytest11"))
LOADED = () if INSTALLED else ("-p", "stepwell.pytest_plugin")


def pytest_run(folder: Path, *options: str, as_installed: bool = False) -> "subprocess.CompletedProcess[str]":
    """A pytest with the plug-in alone; or `as_installed`, with all that are installed, which takes seconds longer."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    if as_installed:
        plugins = ("-p", "no:randomly", *LOADED)
    else:
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        plugins = ("-p", "stepwell.pytest_plugin")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *plugins, *options],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def written(folder: Path, tests: str) -> Path:
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "order.yaml").write_text(ORDER)
    (folder / "order.tests.yaml").write_text(f"definition: order.yaml\ntests:\n{tests}")
    return folder


def test_each_scenario_is_an_item_with_its_name(tmp_path: Path) -> None:
    skipped = f"  - name: not now{PAID}    skip: later\n"
    ran = pytest_run(written(tmp_path, GOOD + BAD + skipped), "-v", as_installed=True)
    assert "order.tests.yaml::paid PASSED" in ran.stdout
    assert "order.tests.yaml::wrong FAILED" in ran.stdout
    assert "order.tests.yaml::not now SKIPPED (later)" in ran.stdout
    assert ran.returncode == 1


def test_a_failure_shows_the_differences_without_a_traceback(tmp_path: Path) -> None:
    ran = pytest_run(written(tmp_path, BAD))
    assert "order.tests.yaml:7:22: status is not as expected" in ran.stdout
    assert "path taken: Reserve → Payment → Large → Done" in ran.stdout
    assert "Traceback" not in ran.stdout
    assert "pytest_plugin.py" not in ran.stdout


def test_items_are_chosen_as_in_any_pytest(tmp_path: Path) -> None:
    ran = pytest_run(written(tmp_path, GOOD + BAD), "-k", "paid")
    assert "1 passed, 1 deselected" in ran.stdout


def test_a_file_that_cannot_be_used_is_an_error_of_the_collection(tmp_path: Path) -> None:
    ran = pytest_run(written(tmp_path, "  - {name: a, tassks: {}}\n"))
    assert 'order.tests.yaml:3:15: error: unknown key "tassks"' in ran.stdout
    assert ran.returncode == 2


def test_definitions_are_collected_where_that_is_asked_for_or_they_are_named(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "inside.yaml").write_text(f"{ORDER}tests:\n{GOOD}")
    assert "no tests ran" in pytest_run(tmp_path).stdout
    assert "1 passed" in pytest_run(tmp_path, "--stepwell-definitions").stdout
    assert "1 passed" in pytest_run(tmp_path, "inside.yaml").stdout


def test_other_files_are_left_alone_and_nothing_of_the_product_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "data.yaml").write_text("tests: [1]\n")
    (tmp_path / "another-tool.tests.yaml").write_text("cases: [1]\n")
    (tmp_path / "test_it.py").write_text(
        "import sys\n\ndef test_it():\n    loaded = [name for name in sys.modules if name.startswith('stepwell_')]\n"
        "    assert loaded == []\n"
    )
    ran = pytest_run(tmp_path)
    assert "1 passed" in ran.stdout, ran.stdout


ENVELOPE = """
id: orders
version: 1.0.0
definition:
  StartAt: A
  States:
    A: {Type: Succeed}
tests:
  - {name: it ends, expect: {status: succeeded}}
  - {name: wrong, expect: {status: failed}}
"""


def test_the_scenarios_in_an_envelope_are_collected_where_definitions_are(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "orders.yaml").write_text(ENVELOPE)
    ran = pytest_run(tmp_path, "-v", "orders.yaml")
    assert "orders.yaml::it ends PASSED" in ran.stdout
    assert "orders.yaml::wrong FAILED" in ran.stdout
    assert "no tests ran" in pytest_run(tmp_path).stdout
    assert "1 failed, 1 passed" in pytest_run(tmp_path, "--stepwell-definitions").stdout
