"""The demo: it passes on this machine, judges itself, and leaves nothing behind."""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from stepwell_cli.demo_show import sentence
from stepwell_cli.demo_story import STORIES, Story, Told, differences, differences_outside


def as_it_should(story: Story) -> Told:
    undone = tuple(name for group in story.undone for name in sorted(group))
    return Told(story.outcome, ("A",), None, story.accumulated, undone)


def test_the_demo_passes_and_leaves_no_file_behind() -> None:
    with tempfile.TemporaryDirectory(prefix="sw") as folder:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("STEPWELL_")},
            "TMPDIR": folder,
            # A user's own installation must stay untouched: these would lead there.
            "STEPWELL_STORE_URL": "redis://127.0.0.1:9/0",
            "STEPWELL_API_PORT": "1",
        }
        ran = subprocess.run(
            [sys.executable, "-m", "stepwell_cli", "demo", "--json"],
            capture_output=True,
            text=True,
            cwd=folder,
            env=environment,
            timeout=120,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr + ran.stdout
        document = json.loads(ran.stdout)
        assert document["passed"]
        assert {name: device["status"] for name, device in document["devices"].items()} == {
            "sensor-1": "succeeded",
            "sensor-2": "failed",
            "sensor-3": "failed",
        }
        assert "TellOperator" in document["devices"]["sensor-2"]["path"]
        assert list(Path(folder).iterdir()) == []


@pytest.mark.parametrize("story", STORIES, ids=[story.device for story in STORIES])
def test_a_result_as_it_should_be_has_no_difference(story: Story) -> None:
    assert differences(story, as_it_should(story)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"status": "timedOut"},
        {"accumulated": 0},
        {"undone": ("records.delete", "hub.remove", "routes.remove")},
        {"undone": ()},
        {"undone": ("hub.remove", "routes.remove", "records.delete", "records.delete")},
    ],
)
def test_any_other_result_is_told(change: dict[str, Any]) -> None:
    story = STORIES[2]
    assert differences(story, dataclasses.replace(as_it_should(story), **change))


def test_what_the_activities_left_is_judged_too(tmp_path: Path) -> None:
    for table in ("hub", "routes"):
        (tmp_path / table).mkdir()
        (tmp_path / table / "sensor-1.json").touch()
    assert differences_outside(tmp_path) == []
    (tmp_path / "hub" / "sensor-3.json").touch()
    assert len(differences_outside(tmp_path)) == 1


def test_steps_that_say_nothing_new_are_not_shown() -> None:
    assert sentence({"type": "TaskStateExited", "state": "A"}) is None
    assert sentence({"type": "ExecutionFailed", "error": "E"}) == "workflow failed: E"
