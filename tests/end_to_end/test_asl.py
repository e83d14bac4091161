"""Amazon States Language on real parts: uploaded over HTTP, run by the engine and RQ workers, told in AWS's shapes."""

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from end_to_end.harness import System
from end_to_end.process import stepwell_command, wait_until

ACTIVITIES = Path(__file__).with_name("asl_activities.py")
FUNCTION = "arn:aws:lambda:us-east-1:111111111111:function:double"
INVOKE = "arn:aws:states:::lambda:invoke"
QUEUE = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"
READER = "arn:aws:states:::s3:getObject"

MAIN: dict[str, Any] = {
    "StartAt": "Double",
    "States": {
        "Double": {
            "Type": "Task",
            "Resource": FUNCTION,
            "Parameters": {"n.$": "$.n"},
            "ResultPath": "$.double",
            "Next": "Invoke",
        },
        "Invoke": {
            "Type": "Task",
            "Resource": INVOKE,
            "Parameters": {"FunctionName": "flaky", "Payload": {"good_at.$": "$.good_at"}},
            "OutputPath": "$.Payload",
            "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "MaxAttempts": 1}],
            "Catch": [{"ErrorEquals": ["States.TaskFailed"], "Next": "Caught"}],
            "End": True,
        },
        "Caught": {"Type": "Pass", "Parameters": {"caught.$": "$.Error", "why.$": "$.Cause"}, "End": True},
    },
}
MAPS: dict[str, Any] = {
    "QueryLanguage": "JSONata",
    "StartAt": "Inline",
    "States": {
        "Inline": {
            "Type": "Map",
            "Items": "{% [1..5] %}",
            "ItemSelector": {"n": "{% $states.context.Map.Item.Value %}"},
            "MaxConcurrency": 2,
            "ItemProcessor": {
                "StartAt": "DoubleItem",
                "States": {
                    "DoubleItem": {
                        "Type": "Task",
                        "Resource": FUNCTION,
                        "Output": "{% $states.result.n %}",
                        "End": True,
                    }
                },
            },
            "Assign": {"doubled": "{% $states.result %}"},
            "Next": "Distributed",
        },
        "Distributed": {
            "Type": "Map",
            "ItemReader": {
                "Resource": READER,
                "Arguments": {"Bucket": "b", "Key": "k.csv"},
                "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW", "MaxItems": 2},
            },
            "ItemSelector": {"n": "{% $number($states.context.Map.Item.Value.n) %}"},
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                "StartAt": "DoubleRow",
                "States": {"DoubleRow": {"Type": "Task", "Resource": FUNCTION, "End": True}},
            },
            "Output": {"inline": "{% $doubled %}", "rows": "{% $states.result.n %}"},
            "End": True,
        },
    },
}


def waiting(heartbeat_seconds: int) -> dict[str, Any]:
    """A machine that waits for a task token."""
    state = {
        "Type": "Task",
        "Resource": QUEUE,
        "Parameters": {"QueueUrl": "q", "MessageBody": {"name.$": "$.name", "token.$": "$$.Task.Token"}},
        "HeartbeatSeconds": heartbeat_seconds,
        "TimeoutSeconds": 600,
        "End": True,
    }
    return {"StartAt": "Ask", "States": {"Ask": state}}


PARENT: dict[str, Any] = {
    "StartAt": "Child",
    "States": {
        "Child": {
            "Type": "Task",
            "Resource": "arn:aws:states:::states:startExecution.sync:2",
            "Parameters": {
                "StateMachineArn": "arn:aws:states:us-east-1:111111111111:stateMachine:main",
                "Input": {"n.$": "$.n", "good_at": 1},
            },
            "ResultSelector": {"output.$": "$.Output", "status.$": "$.Status"},
            "End": True,
        }
    },
}
TABLE = {QUEUE: "tokens.keep", READER: "items.read"}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    tokens = tmp_path_factory.mktemp("asl") / "tokens.sqlite"
    with System(activities=[ACTIVITIES], environment={"TOKENS_DB": str(tokens)}) as running:
        for id, definition in {
            "main": MAIN,
            "maps": MAPS,
            "patient": waiting(599),
            "hasty": waiting(2),
        }.items():
            envelope = {"id": id, "version": "1.0.0", "resources": TABLE, "definition": definition}
            answer = upload(running, envelope)
            assert answer.status_code == 201, answer.text
        raw = upload(running, PARENT, id="parent", version="1.0.0")
        assert raw.status_code == 201, raw.text
        yield running


def upload(system: System, document: dict[str, Any], **params: str) -> httpx.Response:
    return system.http.post("/definitions", json=document, params=params)


def run(system: System, type: str, value: Any) -> dict[str, Any]:
    return system.ended(system.start(type, input=value))


def events(system: System, instance: str, limit: int = 100) -> list[dict[str, Any]]:
    """GetExecutionHistory over all pages."""
    found: list[dict[str, Any]] = []
    cursor: int | None = 0
    while cursor is not None:
        page = system.get(f"/workflows/{instance}/execution-history", limit=limit, cursor=cursor)
        found += page["events"]
        cursor = page["next"]
    return found


def token(system: System, name: str) -> str:
    """The task token that an activity has kept, once it is there."""

    def look() -> str | None:
        if not Path(system.environment["TOKENS_DB"]).exists():
            return None
        with closing(sqlite3.connect(system.environment["TOKENS_DB"], timeout=20)) as db:
            known = db.execute("SELECT name FROM sqlite_master").fetchall()
            row = db.execute("SELECT token FROM tokens WHERE name = ?", (name,)).fetchone() if known else None
        return None if row is None else str(row[0])

    found = wait_until(look, 20, f"the token of {name}")
    assert found is not None
    return found


def test_a_lambda_task_and_an_invoked_function_run_with_their_retry(system: System) -> None:
    ended = run(system, "main", {"n": 4, "good_at": 2})
    assert (ended["status"], ended["output"]) == ("succeeded", "good at try 2")
    kinds = [event["type"] for event in events(system, ended["instanceId"])]
    assert kinds == [
        "ExecutionStarted",
        "TaskStateEntered",
        "LambdaFunctionScheduled",
        "LambdaFunctionStarted",
        "LambdaFunctionSucceeded",
        "TaskStateExited",
        "TaskStateEntered",
        "TaskScheduled",
        "TaskStarted",
        "TaskFailed",
        "TaskScheduled",
        "TaskStarted",
        "TaskSucceeded",
        "TaskStateExited",
        "ExecutionSucceeded",
    ]


def test_an_error_that_is_tried_in_vain_is_caught(system: System) -> None:
    ended = run(system, "main", {"n": 4, "good_at": 9})
    assert ended["output"] == {"caught": "Busy", "why": "try 2"}


def test_maps_run_inline_and_over_what_a_reader_has_read(system: System) -> None:
    ended = run(system, "maps", {})
    assert ended["output"] == {"inline": [2, 4, 6, 8, 10], "rows": [2, 4]}, ended
    at_work = most = 0
    for event in events(system, ended["instanceId"]):
        at_work += {"MapIterationStarted": 1, "MapIterationSucceeded": -1}.get(event["type"], 0)
        most = max(most, at_work)
    assert most == 2


def test_a_task_token_is_answered_over_http(system: System) -> None:
    instance = system.start("patient", input={"name": "answered"})
    answer = system.http.post(f"/callbacks/{token(system, 'answered')}", json={"output": {"parcel": 7}})
    assert answer.status_code == 202, answer.text
    assert system.ended(instance)["output"] == {"parcel": 7}
    kinds = [event["type"] for event in events(system, instance)]
    assert kinds[2:6] == ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"]


def test_a_task_token_can_be_failed_over_http(system: System) -> None:
    instance = system.start("patient", input={"name": "failed"})
    body = {"error": "Lost", "cause": "the parcel is gone"}
    assert system.http.post(f"/callbacks/{token(system, 'failed')}", json=body).status_code == 202
    ended = system.ended(instance)
    assert (ended["status"], ended["error"], ended["cause"]) == ("failed", "Lost", "the parcel is gone")


def test_heartbeats_keep_a_task_alive_and_their_absence_ends_it(system: System) -> None:
    alive, silent = (system.start("hasty", input={"name": name}) for name in ("alive", "silent"))
    beat = f"/callbacks/{token(system, 'alive')}/heartbeat"

    def silent_has_ended() -> bool:
        assert system.http.post(beat).status_code == 202
        return bool(system.get(f"/workflows/{silent}")["status"] == "failed")

    token(system, "silent")
    wait_until(silent_has_ended, 30, "the silent one has ended")
    ended = system.ended(silent)
    assert (ended["error"], ended["cause"] or "") == ("States.Timeout", "")
    assert events(system, silent)[-2]["type"] == "TaskTimedOut"
    assert system.get(f"/workflows/{alive}")["status"] == "running"
    system.http.post(beat.removesuffix("/heartbeat"), json={"output": 1})
    assert system.ended(alive)["output"] == 1


def test_another_state_machine_runs_as_a_child(system: System) -> None:
    ended = run(system, "parent", {"n": 3})
    assert ended["output"] == {"output": "good at try 1", "status": "SUCCEEDED"}


def test_a_failed_child_fails_its_task_with_what_became_of_it(system: System) -> None:
    broken = {"StartAt": "No", "States": {"No": {"Type": "Fail", "Error": "Nope", "Cause": "never"}}}
    assert upload(system, broken, id="broken", version="1.0.0").status_code == 201
    parent = orjson.loads(orjson.dumps(PARENT).replace(b"stateMachine:main", b"stateMachine:broken"))
    assert upload(system, parent, id="parent-of-broken", version="1.0.0").status_code == 201
    ended = run(system, "parent-of-broken", {"n": 3})
    told = orjson.loads(ended["cause"])
    assert (ended["error"], told["Status"], told["Error"]) == ("States.TaskFailed", "FAILED", "Nope")


def test_the_execution_history_comes_in_pages_that_add_up(system: System) -> None:
    instance = run(system, "main", {"n": 4, "good_at": 1})["instanceId"]
    whole, paged = events(system, instance), events(system, instance, limit=3)
    assert paged == whole
    assert [event["id"] for event in whole] == list(range(1, len(whole) + 1))
    entered = whole[1]["stateEnteredEventDetails"]
    assert (entered["name"], orjson.loads(entered["input"])) == ("Double", {"n": 4, "good_at": 1})


def test_an_upload_that_cannot_run_here_names_the_state(system: System) -> None:
    answer = upload(system, waiting(5), id="nowhere", version="1.0.0")
    assert answer.status_code == 422
    assert "'Ask'" in answer.text
    assert "resources table" in answer.text


def test_a_translated_state_machine_does_the_same_as_the_original(system: System, tmp_path: Path) -> None:
    source = tmp_path / "main.asl.json"
    source.write_bytes(orjson.dumps(MAIN))
    made = tmp_path / "main.yaml"
    command = stepwell_command(
        "import", "asl", str(source), "--id", "native-main", "--version", "1.0.0", "-o", str(made)
    )
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    system.deploy(made)
    ended = run(system, "native-main", {"n": 4, "good_at": 2})
    assert (ended["status"], ended["output"]) == ("succeeded", "good at try 2")
