"""`demo`: the shipped onboarding workflow on a whole installation of its own, in a temporary folder.

Everything goes through the front doors, as a user's would: `up`, HTTP. It judges the result itself, and leaves no
process and no file behind.
"""

import contextlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from stepwell_schemas.settings import Settings

from stepwell_cli.argument import read_file
from stepwell_cli.command import JsonOption, StepwellCommand
from stepwell_cli.demo_show import Show
from stepwell_cli.demo_story import STORIES, Story, Told, differences, differences_outside, told
from stepwell_cli.failures import CommandFailed
from stepwell_cli.instances import history_entries
from stepwell_cli.lifeline import start_child
from stepwell_cli.output import print_document
from stepwell_cli.runfile import read_run_file
from stepwell_cli.server import Server, segment

START_SECONDS = 30.0
LONGEST_SECONDS = 60.0
LOOK_SECONDS = 0.1
END_SECONDS = 20.0
LOG_LINES = 15
RUNNING = frozenset({"pending", "running"})


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("demo", cls=StepwellCommand)(demo)


def demo(
    workers: Annotated[int, typer.Option("--workers", min=1, help="How many worker processes.")] = 2,
    as_json: JsonOption = False,
) -> None:
    """Run the device-onboarding workflow for three devices and show what happens to each.

    One completes, one waits in vain for its owner, one fails and is undone. Exit code 1 if it goes otherwise.
    """
    started = time.monotonic()
    show = Show(quiet=as_json)
    with _folder() as folder, _installation(folder, workers) as server:
        show.say(f"Stepwell runs in {folder}: embedded server, engine, API, {workers} workers")
        with show:
            results = _play(server, show)
        problems = [line for story in STORIES for line in differences(story, results[story.device])]
        problems += differences_outside(folder)
        if server.get("/dead-letters")["items"]:
            problems.append("there are dead letters")
    document = {
        "passed": not problems,
        "problems": problems,
        "seconds": round(time.monotonic() - started, 1),
        "devices": {device: _as_document(result) for device, result in results.items()},
    }
    if problems:
        show.summary(results)
        message = "The demo did not go as it should."
        raise CommandFailed(message, problems, document=document if as_json else None)
    if as_json:
        print_document(document)
    else:
        show.summary(results)
        show.say(
            f"All as it should be, in {document['seconds']} s. Nothing is left running, nothing on disk."
        )


def workflow_file() -> Path:
    """The shipped workflow: in the wheel beside this module, in the sources at the top."""
    for folder in (Path(__file__).parent / "workflows", Path(__file__).parents[2] / "workflows"):
        file = folder / "device-onboarding.yaml"
        if file.is_file():
            return file
    raise CommandFailed("This installation lacks workflows/device-onboarding.yaml; install Stepwell again.")


def _as_document(result: Told) -> dict[str, Any]:
    return {
        "status": result.status,
        "path": list(result.path),
        "error": result.error,
        "eventsAccumulated": result.accumulated,
        "undone": list(result.undone),
    }


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A temporary folder that is gone afterwards, also when we are told to stop."""
    folder = Path(tempfile.mkdtemp(prefix="stepwell-demo-"))
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _installation(folder: Path, workers: int) -> Iterator[Server]:
    """A running `up` in the folder; ended, with all its processes, afterwards."""
    logs = folder / "logs"
    logs.mkdir()
    order = {
        "role": "up",
        "name": "up",
        "settings": _settings(folder).model_dump(mode="json"),
        "options": {"workers": workers, "log_dir": str(logs)},
    }
    with (logs / "up.log").open("wb") as log:
        process = start_child(order, log)
    try:
        with Server(_await_url(process, folder)) as server:
            yield server
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)
        assert process.stdin is not None
        process.stdin.close()
        process.kill()
        process.wait()


def _settings(folder: Path) -> Settings:
    """The defaults, whatever this machine's environment and files say: the demo touches nothing of the user's."""
    defaults = {
        name: field.get_default(call_default_factory=True) for name, field in Settings.model_fields.items()
    }
    changes = {"data_dir": folder, "api_port": 0, "activity_modules": ["stepwell_cli.demo_activities"]}
    return Settings(**{**defaults, **changes})


def _await_url(process: "subprocess.Popen[bytes]", folder: Path) -> str:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        running = read_run_file(folder)
        if running is not None:
            return running.url
        time.sleep(LOOK_SECONDS / 4)
    details = [
        f"{file.name}: {line}"
        for file in sorted((folder / "logs").glob("*.log"))
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
    ]
    raise CommandFailed("The demo's installation did not start.", details)


def _play(server: Server, show: Show) -> dict[str, Told]:
    """Push the events, watch until all three have ended; what came of each."""
    file = workflow_file()
    headers = {"Content-Type": "application/yaml"}
    uploaded = server.request("POST", "/definitions", content=read_file(file), headers=headers)
    show.say(f"{file.name} is deployed as {uploaded['id']} {uploaded['version']}")
    for story in STORIES:
        show.begin(story)
        _push(server, story, story.events)
    until = time.monotonic() + LONGEST_SECONDS
    open_stories = {story.device: story for story in STORIES}
    prompted: set[str] = set()
    results: dict[str, Told] = {}
    while open_stories:
        if time.monotonic() > until:
            raise CommandFailed(
                f"After {LONGEST_SECONDS:g} s these have not ended: {', '.join(open_stories)}"
            )
        for story in list(open_stories.values()):
            seen = _look(server, story, show)
            if seen is None:
                continue
            instance, history = seen
            if story.later and instance["openWaits"] and story.device not in prompted:
                prompted.add(story.device)
                _push(server, story, story.later)
            if instance["status"] not in RUNNING:
                device = server.get(f"/devices/{segment(story.device)}")
                results[story.device] = told(instance, history, device["events"])
                del open_stories[story.device]
        time.sleep(LOOK_SECONDS)
    return results


def _push(server: Server, story: Story, events: tuple[tuple[str, dict[str, Any]], ...]) -> None:
    batch = [
        {
            "specversion": "1.0",
            "id": f"{story.device}-{kind}-{number}",
            "source": "urn:stepwell:demo",
            "type": kind,
            "subject": story.device,
            "data": data,
        }
        for number, (kind, data) in enumerate(events)
    ]
    server.post("/events", batch)


def _look(server: Server, story: Story, show: Show) -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
    """The device's instance and its history; None as long as there is none. New steps are shown."""
    found = server.get("/workflows", device=story.device)["items"]
    if not found:
        return None
    instance = server.get(f"/workflows/{segment(found[0]['instanceId'])}")
    history = history_entries(server, instance["instanceId"])
    show.update(story, instance, history)
    return instance, history
