"""What the examples' READMEs tell a stranger to type works as written, under a real `stepwell up`."""

import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from end_to_end.process import Process, stepwell_command, wait_until

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/README.md"))


def commands(readme: str) -> list[str]:
    """The lines that begin with `$ stepwell` (a line indented below continues it), without their comments."""
    blocks = re.findall(r"```console\n(.*?)```", readme, re.DOTALL)
    lines = re.sub(r"\n +", " ", "\n".join(blocks)).splitlines()
    return [line[2:] for line in lines if line.startswith("$ stepwell")]


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="sw-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


def run(command: str, folder: Path, environment: Mapping[str, str]) -> str:
    words = shlex.split(command, comments=True)
    done = subprocess.run(
        stepwell_command(*words[1:]),
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_there_are_four_examples() -> None:
    assert NAMES == ["firmware-update", "onboarding", "order-fulfilment", "step-functions"]


@pytest.mark.parametrize("name", NAMES)
def test_the_commands_of_the_readme_work_as_written(name: str, folder: Path) -> None:
    shutil.copytree(EXAMPLES / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.sqlite"))
    here = folder / name
    told = commands((here / "README.md").read_text("utf-8"))
    assert (
        told[0]
        == "stepwell up --activities activities.py          # leave it running; Ctrl-C ends everything"
    )
    up = Process("up", stepwell_command(*shlex.split(told[0], comments=True)[1:], "--port", "0"), {}, here)
    up.start()
    try:
        wait_until((here / ".stepwell" / "up.json").exists, 40, "stepwell is up")
        for command in told[1:]:
            run(command.replace("<instance id>", first_instance(here)), here, {})
        assert first_instance(here)
    except BaseException:
        print(up.tail())  # noqa: T201 - shown with the failed test
        raise
    finally:
        assert up.stop() == 0
    assert list(here.glob("*.sqlite"))


def first_instance(folder: Path) -> str:
    """The id of an instance, "" while there is none."""
    listed = json.loads(run("stepwell status --list --json", folder, {}))
    items = listed["items"] if isinstance(listed, dict) else listed
    return str(items[0]["instanceId"]) if items else ""
