"""POST /events and GET /events/{id}: taken when durable, refused whole, and never lost from sight."""

from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from api_world import Api, api, at_door, check_problem, cloud_event, eventually, world
from stepwell_store.errors import StoreFull, StoreUnavailable
from stepwell_store.memory_store import MemoryStore


def test_one_event_is_accepted_with_its_position() -> None:
    with api() as client:
        answer = client.post("/events", cloud_event("1"))
        assert answer.status_code == 202
        (item,) = answer.json()["items"]
        (entry,) = client.store.read("0-0", {}, 10, None).door
        assert (item["id"], item["disposition"], item["device"]) == ("1", "accepted", "sensor-7")
        assert item["position"] == entry.id


def test_an_array_and_lines_are_accepted_in_order() -> None:
    with api() as client:
        client.post("/events", [cloud_event("1"), cloud_event("2")])
        lines = b"\n".join(orjson.dumps(cloud_event(id)) for id in ("3", "4"))
        answer = client.post("/events", lines, headers={"content-type": "application/x-ndjson"})
        assert answer.json()["accepted"] == 2
        assert [event["id"] for event in at_door(client.store)] == ["1", "2", "3", "4"]


def test_an_event_in_binary_mode_is_accepted() -> None:
    headers = {f"ce-{name}": value for name, value in cloud_event("9").items()}
    with api() as client:
        answer = client.post("/events", {"a": 1}, headers={**headers, "content-type": "application/json"})
        assert answer.status_code == 202
        assert at_door(client.store)[0]["data"] == {"a": 1}


def test_concurrent_posts_are_all_taken_and_each_gets_its_own_answer() -> None:
    with api() as client:
        posts = [
            ("POST", "/events", {"content": orjson.dumps(cloud_event(str(number)))}) for number in range(300)
        ]
        answers = client.together(posts)
        assert [answer.json()["items"][0]["id"] for answer in answers] == [str(n) for n in range(300)]
        stored = {
            entry.id: entry.fields[b"event"] for entry in client.store.read("0-0", {}, 1_000, None).door
        }
        for answer in answers:
            item = answer.json()["items"][0]
            assert orjson.loads(stored[item["position"]])["id"] == item["id"]


BAD: list[tuple[str, Any, int, str | None]] = [
    ("empty", b"", 422, None),
    ("not JSON", b"{nope", 422, None),
    ("not an object", b"7", 422, ""),
    ("a text", b'"event"', 422, ""),
    ("an empty array", b"[]", 422, None),
    ("invalid UTF-8", b'{"id": "\xff"}', 422, None),
    ("an unpaired surrogate", b'{"specversion":"1.0","id":"\\ud800","source":"s","type":"t"}', 422, None),
    ("NaN", b'{"specversion":"1.0","id":"1","source":"s","type":"t","subject":"d","data":NaN}', 422, None),
    ("too deep", b"[" * 100_000, 422, None),
    ("too deep within", orjson.dumps(cloud_event(data=0))[:-2] + b"[" * 200 + b"]" * 200 + b"}", 422, ""),
    ("no id", {"specversion": "1.0", "source": "/test", "type": "Seen", "subject": "sensor-7"}, 422, "/id"),
    ("a huge id", cloud_event("x" * 100_000), 422, "/id"),
    ("a number as id", {**cloud_event(), "id": 7}, 422, "/id"),
    ("no type", cloud_event(type=None), 422, "/type"),
    ("no subject", cloud_event(subject=None), 422, "/subject"),
    ("a control character", cloud_event(subject="a\nb"), 422, "/subject"),
    ("another version", cloud_event(specversion="0.3"), 422, "/specversion"),
    ("a wrong time", cloud_event(time="yesterday"), 422, "/time"),
    ("a huge sequence", cloud_event(sequence=2**60), 422, "/sequence"),
    ("an object as extension", cloud_event(extra={}), 422, "/extra"),
    ("one wrong in three", [cloud_event("1"), cloud_event("2", type=None), cloud_event("3")], 422, "/1/type"),
]


@pytest.mark.parametrize(("body", "status", "pointer"), [bad[1:] for bad in BAD], ids=[bad[0] for bad in BAD])
def test_a_wrong_body_is_told_and_nothing_of_it_taken(body: Any, status: int, pointer: str | None) -> None:
    with api() as client:
        problem = client.post("/events", body)
        assert problem.status_code == status
        if pointer is not None:
            assert [error["pointer"] for error in problem.json()["errors"]] == [pointer]
        assert at_door(client.store) == []
        assert client.post("/events", cloud_event("after")).status_code == 202


@pytest.mark.parametrize(
    "media", ["text/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_another_media_type_is_415_and_says_which_are_taken(media: str) -> None:
    with api() as client:
        answer = client.post("/events", cloud_event(), headers={"content-type": media})
        assert answer.status_code == 415
        assert "application/cloudevents+json" in answer.json()["detail"]


def test_an_event_waiting_at_the_door_is_shown_as_accepted() -> None:
    with api() as client:
        client.post("/events", cloud_event("a/b c"))
        answer = client.get("/events/a%2Fb%20c")
        assert (answer.json()["disposition"], answer.json()["device"]) == ("accepted", "sensor-7")


def test_an_applied_event_is_shown_with_its_disposition_and_by_whom() -> None:
    with world() as client:
        client.post("/events", cloud_event("1"))
        shown = eventually(lambda: _applied(client, "/events/1?source=/test"))
        assert shown["disposition"] == "started"
        assert client.get(f"/workflows/{shown['by']}").json()["device"] == "sensor-7"
        assert client.get("/events/1").json() == shown


def test_an_event_sent_twice_is_applied_once() -> None:
    with world() as client:
        client.post("/events", [cloud_event("1"), cloud_event("1")])
        eventually(lambda: _applied(client, "/events/1"))
        eventually(lambda: client.get("/devices/sensor-7").json()["events"] == 1)
        assert len(client.get("/workflows").json()["items"]) == 1


def test_an_id_of_two_sources_asks_for_the_source() -> None:
    with world() as client:
        client.post("/events", [cloud_event("1"), cloud_event("1", source="/other", subject="sensor-8")])
        answer = eventually(lambda: _status_of(client, "/events/1", 409))
        assert {error["message"] for error in answer["errors"]} == {"/test", "/other"}


@pytest.mark.parametrize("path", ["/events/none", "/events/none?source=/x", "/events/" + "x" * 200])
def test_an_unknown_event_is_404(path: str) -> None:
    with api() as client:
        assert client.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/events/1?sorce=x", "/events/1?source=", "/events/" + "x" * 300])
def test_a_wrong_parameter_is_422(path: str) -> None:
    with api() as client:
        assert client.get(path).status_code == 422


def test_a_door_at_its_limit_asks_to_wait_and_loses_nothing() -> None:
    with api(door_limit=3) as client:
        client.post("/events", [cloud_event(str(number)) for number in range(3)])
        answer = client.post("/events", cloud_event("4"))
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) >= 1
        assert len(at_door(client.store)) == 3


class FailingStore(MemoryStore):
    """Refuses events with the error it was given."""

    def __init__(self, error: Exception) -> None:
        super().__init__("test", 2)
        self.error: Exception | None = error

    def append_events(self, events: Sequence[bytes], replay: bool = False) -> list[str]:
        if self.error is not None:
            raise self.error
        return super().append_events(events, replay)


@pytest.mark.parametrize(
    ("error", "status"),
    [(StoreUnavailable("gone"), 503), (StoreFull("full"), 429), (RuntimeError("a fault of ours"), 500)],
)
def test_a_store_that_fails_is_told_and_the_door_works_again_after(error: Exception, status: int) -> None:
    store = FailingStore(error)
    with api(store) as client:
        answer = client.post("/events", cloud_event())
        assert answer.status_code == status
        assert ("retry-after" in answer.headers) == (status != 500)
        assert "a fault of ours" not in answer.text
        store.error = None
        assert client.post("/events", cloud_event()).status_code == 202


def _applied(client: Api, path: str) -> dict[str, Any] | None:
    answer = client.get(path)
    shown: dict[str, Any] = answer.json()
    return shown if answer.status_code == 200 and shown["disposition"] != "accepted" else None


def _status_of(client: Api, path: str, status: int) -> dict[str, Any] | None:
    answer = client.get(path)
    return check_problem(answer) if answer.status_code == status else None
