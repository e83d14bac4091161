"""Bad input at every door of a running system: a clear answer, nothing lost, nothing crashed, the rest goes on."""

from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest
from end_to_end.harness import System, cloud_event
from end_to_end.process import wait_until
from stepwell_store.open import open_redis

WORKFLOW = """
id: strict
version: 1.0.0
input: {type: object, required: [order], properties: {order: {type: integer}}}
events:
  Seen: {type: object, required: [order], properties: {order: {type: integer}}}
  Tick: {type: object, required: [value]}
start: {on: [Seen], input: {order: $.event.data.order}, afterCompletion: deadLetter}
configuration: {timeout: PT1H, taskTimeout: PT30S}
startAt: AwaitTick
states:
  AwaitTick: {type: wait, event: Tick, timeout: PT10M, timeoutNext: Done, resultPath: $.state.tick, next: Done}
  Done: {type: succeed, output: $.input.order}
"""


@pytest.fixture(scope="module")
def shared() -> Iterator[System]:
    with System() as running:
        running.deploy(WORKFLOW)
        yield running


@pytest.fixture
def system(shared: System) -> Iterator[System]:
    """After each test every process still lives, and a good event of a new device still works."""
    yield shared
    number = len(shared.workflows(type="strict"))
    shared.push([cloud_event("Seen", f"good-{number}", f"good-{number}", {"order": 1})])
    assert shared.event(f"good-{number}")["disposition"] == "started"
    assert all(process.alive for process in shared.processes.values())


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"].startswith("application/problem+json")
    found: dict[str, Any] = response.json()
    assert found["status"] == status
    return found


def upload(system: System, text: str) -> httpx.Response:
    return system.http.post(
        "/definitions?file=strict.yaml", content=text.encode(), headers={"content-type": "application/yaml"}
    )


def dead_letters(system: System) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = system.get("/dead-letters", limit=200)["items"]
    return items


def letter_of(system: System, text: str) -> dict[str, Any]:
    """The dead letter whose message or content has this text, once it is there."""

    def look() -> dict[str, Any] | None:
        for item in dead_letters(system):
            detail: dict[str, Any] = system.get(f"/dead-letters/{item['id']}")
            if text in orjson.dumps(detail).decode():
                return detail
        return None

    found = wait_until(look, 20, f"a dead letter with {text}")
    assert found is not None
    return found


# -- definitions ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("id: strict\nversion: [1.0.0\n", "strict.yaml"),
        (WORKFLOW.replace("startAt: AwaitTick", "startAt: AwaitTik"), "AwaitTick"),
        (WORKFLOW.replace("timeoutNext", "timeoutnext"), "timeoutNext"),
        (WORKFLOW.replace("type: wait", "type: weight"), "wait"),
        (WORKFLOW + "id: again\n", "id"),
        ("a: &a [1]\nb: &b [*a,*a]\nc: [*b,*b]\n", "strict.yaml"),
        ("", "empty"),
    ],
    ids=[
        "malformed YAML",
        "unknown state",
        "unknown key",
        "unknown type",
        "duplicate key",
        "aliases",
        "empty",
    ],
)
def test_a_bad_definition_is_refused_with_its_place(system: System, text: str, says: str) -> None:
    found = problem(upload(system, text), 422)
    assert says in orjson.dumps(found).decode()


def test_an_unknown_activity_is_refused_with_the_nearest_one(system: System) -> None:
    text = WORKFLOW.replace("version: 1.0.0", "version: 2.0.0").replace(
        "{type: wait, event: Tick, timeout: PT10M, timeoutNext: Done, resultPath: $.state.tick, next: Done}",
        "{type: task, activity: device.event, input: {}, resultPath: null, next: Done}",
    )
    found = orjson.dumps(problem(upload(system, text), 422)).decode()
    assert "device.event" in found
    assert "device.events" in found


def test_a_version_cannot_change(system: System) -> None:
    assert "strict 1.0.0" in problem(upload(system, WORKFLOW.replace("PT10M", "PT11M")), 409)["detail"]
    assert upload(system, WORKFLOW).status_code == 200


def test_a_definition_that_is_too_large_is_refused(system: System) -> None:
    problem(upload(system, WORKFLOW + "#" * (9 * 1024 * 1024)), 413)


# -- starts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"{not json", 400, "JSON"),
        (b'{"type": "strict", "input": {"order": "17"}}', 422, "/input/order"),
        (b'{"type": "strict", "input": {}}', 422, "order"),
        (b'{"type": "strikt", "input": {"order": 1}}', 404, "strict"),
        (b'{"type": "strict", "inptu": {"order": 1}}', 422, "inptu"),
    ],
    ids=["wrong JSON", "wrong type", "missing field", "unknown workflow", "unknown key"],
)
def test_a_bad_start_is_refused_with_what_is_wrong(
    system: System, body: bytes, status: int, says: str
) -> None:
    before = len(system.workflows())
    response = system.http.post("/workflows", content=body, headers={"content-type": "application/json"})
    assert says in orjson.dumps(problem(response, status)).decode()
    assert len(system.workflows()) == before


# -- events by HTTP ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"{not json", 422, "not JSON"),
        (b'{"specversion":"1.0","id":"x","type":"Seen","subject":"d"}', 422, "/source"),
        (b'{"specversion":"1.0","id":"x","source":"/s","type":"Seen"}', 422, "/subject"),
        (orjson.dumps(cloud_event("Seen", "d", "big", "x" * 300_000)), 422, "262144"),
        (b"[" + b" " * 9_000_000 + b"]", 413, "8388608"),
    ],
    ids=["wrong JSON", "no source", "no device", "oversized event", "oversized body"],
)
def test_a_bad_event_is_refused_at_once(system: System, body: bytes, status: int, says: str) -> None:
    response = system.http.post("/events", content=body, headers={"content-type": "application/json"})
    found = problem(response, status)
    assert says in orjson.dumps(found).decode()


def test_a_batch_with_one_bad_event_is_taken_not_at_all(system: System) -> None:
    good = orjson.dumps(cloud_event("Seen", "batch-1", "batch-good", {"order": 1}))
    found = problem(system.push_lines([good, b"{}"]), 422)
    assert any("/1" in error["pointer"] for error in found["errors"])
    assert system.http.get("/events/batch-good", params={"source": "/test"}).status_code == 404


def test_an_event_of_unknown_type_becomes_a_dead_letter_that_says_so(system: System) -> None:
    system.push([cloud_event("Sene", "d-1", "unknown-type", {"order": 1})])
    assert system.event("unknown-type")["disposition"] == "deadLettered"
    assert letter_of(system, "unknown-type")["reason"] == "unknownEventType"


def test_data_that_breaks_its_schema_becomes_a_dead_letter(system: System) -> None:
    system.push([cloud_event("Seen", "d-2", "wrong-type", {"order": "seventeen"})])
    assert system.event("wrong-type")["disposition"] == "deadLettered"
    letter = letter_of(system, "wrong-type")
    assert letter["reason"] == "schema"
    assert "seventeen" in letter["message"]
    assert system.workflows(device="d-2") == []


def test_an_event_after_the_end_becomes_a_dead_letter_where_the_workflow_says_so(system: System) -> None:
    system.push(
        [cloud_event("Seen", "d-3", "e1", {"order": 1}), cloud_event("Tick", "d-3", "e2", {"value": 1})]
    )
    system.ended(system.event("e1")["by"])
    system.push([cloud_event("Seen", "d-3", "e3", {"order": 2})])
    assert system.event("e3")["disposition"] == "deadLettered"
    assert letter_of(system, '"e3"')["reason"] == "afterCompletion"


# -- the open stream, dead letters ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("garbage", "reason"),
    [
        (b"garbage-1 {", "notJson"),
        (b"\xff\xfe garbage-2", "notJson"),
        (b'{"specversion":"1.0","id":"garbage-3","type":"Seen","subject":"d"}', "missingAttribute"),
        (b'{"specversion":"0.3","id":"garbage-4","source":"/s","type":"Seen"}', "invalidAttribute"),
        (orjson.dumps(cloud_event("Seen", None, "garbage-5", {"order": 1})), "noDevice"),
        (orjson.dumps(cloud_event("Seen", "d", "garbage-6", "x" * 300_000)), "tooLarge"),
    ],
    ids=["not JSON", "not text", "no source", "wrong version", "no device", "oversized"],
)
def test_garbage_on_the_stream_becomes_a_dead_letter_with_its_reason(
    system: System, garbage: bytes, reason: str
) -> None:
    system.push_raw([garbage])
    mark = garbage[garbage.index(b"garbage") :][:9].decode()
    assert letter_of(system, mark)["reason"] == reason


def test_an_entry_without_the_field_becomes_a_dead_letter(system: System) -> None:
    before = len(dead_letters(system))
    with open_redis(system.server.url) as redis:
        redis.xadd("e2e:events", {"evnt": b"{}"})
    wait_until(lambda: len(dead_letters(system)) == before + 1, 20, "it is a dead letter")


def test_a_dead_letter_is_mended_and_replayed(system: System) -> None:
    bad = cloud_event("Seen", "d-4", "mend", {"order": "four"})
    system.push_raw([bad])
    letter = letter_of(system, "mend")
    again = system.http.post(
        f"/dead-letters/{letter['id']}/replay", json={"event": {**bad, "data": {"order": 4}}}
    )
    assert again.status_code == 202, again.text
    wait_until(
        lambda: system.event("mend")["disposition"] == "started", 20, "the mended event has started one"
    )
    assert system.instance_of("d-4")["input"] == {"order": 4}
    assert letter["id"] not in [item["id"] for item in dead_letters(system)]
    problem(system.http.post(f"/dead-letters/{letter['id']}/replay", json={}), 404)


def test_a_dead_letter_stays_when_its_replay_is_no_better(system: System) -> None:
    system.push_raw([cloud_event("Seen", "d-5", "no-better", {"order": "five"})])
    letter = letter_of(system, "no-better")
    answer = system.http.post(f"/dead-letters/{letter['id']}/replay", json={"event": {"specversion": "1.0"}})
    problem(answer, 422)
    assert system.get(f"/dead-letters/{letter['id']}")["message"] == letter["message"]


def test_a_dead_letter_is_discarded_by_a_named_person(system: System) -> None:
    system.push_raw([b"garbage-to-discard"])
    letter = letter_of(system, "garbage-to-discard")
    path = f"/dead-letters/{letter['id']}/discard"
    problem(system.http.post(path, json={"reason": "noise"}), 400)
    assert system.http.post(path, json={"reason": "noise"}, headers={"x-actor": "ada"}).status_code == 200
    assert letter["id"] not in [item["id"] for item in dead_letters(system)]


# -- what is not there ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/devices/nobody",
        "/devices/nobody/events",
        "/workflows/strict-00~1",
        "/events/never",
        "/dead-letters/0-1-1",
    ],
)
def test_what_is_not_there_is_a_clear_404(system: System, path: str) -> None:
    assert problem(system.http.get(path), 404)["detail"]
