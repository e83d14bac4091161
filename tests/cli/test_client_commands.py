"""The client commands against a real installation: what they print, and their exit codes."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from cli_world import eventually, run
from stepwell_cli import instances
from stepwell_cli.server import Server

BROKEN = "id: broken\nversion: 1.0.0\nstartAt: A\nstates:\n  A: {type: pass, nxt: B}\n"


def new_id() -> str:
    return f"t-{uuid.uuid4().hex[:12]}"


def started(url: str, **options: str) -> str:
    """The id of a new instance of `greeting` that stands in its wait."""
    extra = [text for name, value in options.items() for text in (f"--{name}", value)]
    answer = run("start", "greeting", "--input", '{"name": "Ada"}', "--json", *extra, url=url).document
    instance = str(answer["instanceId"])
    eventually(lambda: status(url, instance)["openWaits"], "the wait is open")
    return instance


def status(url: str, instance: str) -> Any:
    return run("status", instance, "--json", url=url).document


def test_start_prints_the_id_alone_on_stdout(url: str) -> None:
    ran = run("start", "greeting", "--input", '{"name": "Ada"}', url=url)
    assert ran.exit_code == 0
    assert run("status", ran.stdout.strip(), url=url).exit_code == 0


def test_start_with_wait_ends_with_the_instance(url: str) -> None:
    instance = started(url)
    assert run("raise", instance, "Nod", "--data", '{"yes": true}', url=url).exit_code == 0
    done = eventually(lambda: status(url, instance)["status"] == "succeeded", "it succeeds")
    assert done
    assert status(url, instance)["output"] == {"hello": "Ada"}


def test_start_with_wait_says_that_it_still_runs(url: str) -> None:
    ran = run("start", "greeting", "--wait", "0", "--json", url=url)
    assert ran.exit_code == 1
    assert "still runs" in ran.stderr
    assert ran.document["status"] in {"pending", "running"}


def test_start_takes_its_input_from_a_file(url: str, tmp_path: Path) -> None:
    (tmp_path / "input.json").write_text('{"name": "Grace"}', encoding="utf-8")
    ran = run("start", "greeting", "--input", f"@{tmp_path}/input.json", "--json", url=url)
    assert status(url, ran.document["instanceId"])["input"] == {"name": "Grace"}


def test_start_takes_its_input_from_stdin(url: str) -> None:
    ran = run("start", "greeting", "--input", "-", "--json", url=url, stdin='{"name": "Lin"}')
    assert status(url, ran.document["instanceId"])["input"] == {"name": "Lin"}


def test_an_input_that_the_definition_refuses_is_told_with_its_place(url: str) -> None:
    ran = run("start", "greeting", "--input", '{"name": 7}', url=url)
    assert ran.exit_code == 1
    assert "/input/name" in ran.stderr


def test_a_definition_that_does_not_exist_is_not_found(url: str) -> None:
    ran = run("start", "greting", url=url)
    assert ran.exit_code == 3
    assert "greeting" in ran.stderr


def test_status_lists_what_the_filters_admit(url: str) -> None:
    device = new_id()
    instance = started(url, device=device)
    ran = run("status", "--list", "--device", device, "--status", "running", "--json", url=url)
    assert [item["instanceId"] for item in ran.document["items"]] == [instance]


def test_status_shows_what_an_instance_waits_for(url: str) -> None:
    ran = run("status", started(url), url=url)
    assert "waits for" in ran.stdout
    assert "Nod" in ran.stdout


def test_an_unknown_instance_is_not_found(url: str) -> None:
    ran = run("status", "no-such-instance", "--json", url=url)
    assert ran.exit_code == 3
    assert ran.document["error"]["status"] == 404
    assert ran.document["error"]["exitCode"] == 3


def test_history_tells_the_steps_in_order(url: str) -> None:
    instance = started(url)
    items = run("history", instance, "--json", url=url).document["items"]
    types = [step["type"] for item in items for step in item["trace"]]
    assert types.index("ExecutionStarted") < types.index("WaitStateEntered")
    assert "WaitStateEntered" in run("history", instance, url=url).stdout


MACHINE = """
id: asl-echo
version: 1.0.0
definition:
  StartAt: First
  States:
    First: {Type: Pass, Next: Last}
    Last: {Type: Succeed}
"""


def test_history_has_the_events_of_step_functions(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "echo.yaml"
    file.write_text(MACHINE, encoding="utf-8")
    assert run("deploy", str(file), url=url).exit_code == 0
    instance = run("start", "asl-echo", "--wait", "30", "--json", url=url).document["instanceId"]
    monkeypatch.setattr(instances, "PAGE", 2)
    told = run("history", instance, "--format", "aws", "--json", url=url).document
    assert [event["id"] for event in told["events"]] == list(range(1, 7))
    assert [event["type"] for event in told["events"]][:3] == [
        "ExecutionStarted", "PassStateEntered", "PassStateExited",
    ]  # fmt: skip
    assert (told["instanceId"], told["truncated"]) == (instance, False)
    shown = run("history", instance, "--format", "aws", url=url)
    assert len(shown.stdout.splitlines()) == 6
    assert "SucceedStateEntered Last" in shown.stdout


def test_history_of_a_native_instance_has_no_events_of_step_functions(url: str) -> None:
    ran = run("history", started(url), "--format", "aws", url=url)
    assert ran.exit_code == 1
    assert "/history" in ran.stderr


def test_a_history_that_is_cut_off_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    event = {"id": 1, "previousEventId": 0, "timestamp": 0.5, "type": "ExecutionStarted"}
    page = {"events": [event], "next": None, "truncated": True}
    monkeypatch.setattr(Server, "get", lambda *_, **__: page)
    ran = run("history", "long", "--format", "aws", url="http://127.0.0.1:1")
    assert "1970-01-01 00:00:00.500" in ran.stdout
    assert "There is more" in ran.stderr


def test_cancel_ends_an_instance(url: str) -> None:
    instance = started(url)
    assert run("cancel", instance, "--reason", "not wanted", url=url).exit_code == 0
    eventually(lambda: status(url, instance)["status"] == "cancelled", "it is cancelled")


def test_release_of_an_instance_that_is_not_quarantined_fails(url: str) -> None:
    ran = run("release", started(url), url=url)
    assert ran.exit_code == 1
    assert "quarantine" in ran.stderr


def test_a_pushed_event_can_be_traced_to_what_it_did(url: str) -> None:
    device, event = new_id(), new_id()
    instance = started(url, device=device)
    pushed = run("push", "--type", "Nod", "--device", device, "--id", event, "--data", "{}", url=url)
    assert pushed.exit_code == 0

    def traced() -> Any:
        answer = run("trace", event, "--json", url=url).document
        return answer if answer["disposition"] != "accepted" else None

    answer = eventually(traced, "the event is applied")
    assert answer["disposition"] == "consumed"
    assert instance in answer["by"]


def test_an_event_nobody_knows_is_not_found(url: str) -> None:
    assert run("trace", new_id(), url=url).exit_code == 3


def test_a_file_with_a_wrong_event_is_refused_whole(url: str, tmp_path: Path) -> None:
    good = {"specversion": "1.0", "id": new_id(), "source": "/t", "type": "Ping", "subject": "d"}
    file = tmp_path / "events.ndjson"
    file.write_text(json.dumps(good) + '\n{"specversion": "1.0"}\nnot json\n', encoding="utf-8")
    ran = run("push", str(file), "--json", url=url)
    assert ran.exit_code == 1
    assert (ran.document["accepted"], ran.document["rejected"]) == (0, 2)
    assert "event 2" in ran.stderr
    assert "event 3" in ran.stderr
    assert run("trace", str(good["id"]), url=url).exit_code == 3


def test_with_keep_going_the_good_events_are_pushed(url: str, tmp_path: Path) -> None:
    good = {"specversion": "1.0", "id": new_id(), "source": "/t", "type": "Ping", "subject": new_id()}
    file = tmp_path / "events.ndjson"
    file.write_text(json.dumps(good) + "\nnot json\n", encoding="utf-8")
    ran = run("push", str(file), "--keep-going", "--json", url=url)
    assert ran.exit_code == 1
    assert [item["id"] for item in ran.document["items"]] == [good["id"]]


def test_many_events_arrive_in_their_order(url: str) -> None:
    device = new_id()
    lines = [
        json.dumps(
            {
                "specversion": "1.0",
                "id": f"{device}-{number}",
                "source": "/t",
                "type": "Ping",
                "subject": device,
                "data": {"n": number},
            }
        )
        for number in range(900)
    ]
    ran = run("push", "-", "--json", url=url, stdin="\n".join(lines))
    assert ran.document["accepted"] == 900
    items = eventually(
        lambda: (
            (
                found
                if len(
                    found := run("devices", "events", device, "--limit", "900", "--json", url=url).document[
                        "items"
                    ]
                )
                == 900
                else None
            )
            if run("devices", "show", device, url=url).exit_code == 0
            else None
        ),
        "all are accumulated",
    )
    assert [item["data"]["n"] for item in items] == list(range(900))


def test_devices_are_listed_and_shown(url: str) -> None:
    device = new_id()
    started(url, device=device)
    assert run("push", "--type", "Ping", "--device", device, url=url).exit_code == 0
    eventually(lambda: run("devices", "show", device, "--json", url=url).document["events"] == 1, "it came")
    assert device in run("devices", "list", "--limit", "10000", "--json", url=url).document["items"]
    assert run("devices", "show", new_id(), url=url).exit_code == 3


def test_a_dead_letter_can_be_shown_mended_and_discarded(url: str) -> None:
    device = new_id()
    for _ in range(2):
        pushed = run("push", "--type", f"Unheard-{device}", "--device", device, url=url)
        assert pushed.exit_code == 0

    def letters() -> list[str]:
        items = run("dead-letters", "list", "--json", url=url).document["items"]
        return [item["id"] for item in items if item.get("device") == device]

    first, second = eventually(
        lambda: found if len(found := letters()) == 2 else None, "they are dead letters"
    )
    shown = run("dead-letters", "show", first, "--json", url=url).document
    assert shown["event"]["subject"] == device
    mended = json.dumps({**shown["event"], "id": new_id(), "type": "Ping"})
    assert run("dead-letters", "replay", first, "--event", mended, url=url).exit_code == 0
    assert run("dead-letters", "discard", second, "--reason", "a test", url=url).exit_code == 0
    assert run("dead-letters", "show", second, url=url).exit_code == 3
    eventually(lambda: letters() == [], "both are gone")


def test_deploying_the_same_again_changes_nothing(url: str, tmp_path: Path) -> None:
    name = f"again-{uuid.uuid4().hex[:8]}"
    source = f"id: {name}\nversion: 1.0.0\nstartAt: A\nstates:\n  A: {{type: succeed}}\n"
    (tmp_path / "a.yaml").write_text(source, encoding="utf-8")
    assert run("deploy", str(tmp_path), "--json", url=url).document["files"][0]["created"] is True
    assert run("deploy", str(tmp_path), "--json", url=url).document["files"][0]["created"] is False
    (tmp_path / "a.yaml").write_text(source.replace("succeed", "fail, error: E"), encoding="utf-8")
    other = run("deploy", str(tmp_path), url=url)
    assert other.exit_code == 1
    assert "versions never change" in other.stdout
    versions = run("definitions", name, "--json", url=url).document["items"]
    assert [item["version"] for item in versions] == ["1.0.0"]


@pytest.mark.parametrize("command", [("deploy",), ("validate", "--remote"), ("validate",)])
def test_a_broken_definition_is_told_with_its_place(
    url: str, tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "broken.yaml").write_text(BROKEN, encoding="utf-8")
    ran = run(*command, str(tmp_path / "broken.yaml"), url=url)
    assert ran.exit_code == 1
    assert "broken.yaml:5:" in ran.stdout
    assert "next" in ran.stdout


def test_activities_lists_the_built_in_ones(url: str) -> None:
    names = {item["name"] for item in run("activities", "--json", url=url).document["items"]}
    assert {"records.create", "device.events", "notify"} <= names
