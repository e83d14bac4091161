"""Instances over HTTP, with the real engine answering: start, look, raise, cancel, release, call back."""

from typing import Any

import orjson
import pytest
from api_world import Api, api, eventually, world
from stepwell_store.partition import partition_of


def start(client: Api, **asked: Any) -> dict[str, Any]:
    answer = client.post("/workflows", {"type": "waiting", **asked})
    assert answer.status_code == 202, answer.text
    started: dict[str, Any] = answer.json()
    return started


def test_a_start_answers_with_the_id_the_location_and_links_that_work() -> None:
    with world() as client:
        answer = client.post("/workflows", {"type": "waiting", "input": {"orderId": "17"}, "device": "d1"})
        started = answer.json()
        assert (answer.status_code, started["status"], started["version"]) == (202, "running", "1.0.0")
        status = client.get(answer.headers["location"]).json()
        assert status["links"] == started["links"]
        assert status["input"] == {"orderId": "17"}
        assert status["currentStates"][0]["type"] == "wait"
        assert status["openWaits"][0]["event"] == "Paid"
        assert status["openWaits"][0]["due"] > status["created"]
        assert client.get(started["links"]["history"]).json()["items"]


def test_without_an_engine_a_start_is_accepted_and_shown_as_pending() -> None:
    with world() as client:
        definitions = client.store
        with api(definitions) as alone:
            pass
    with api(definitions) as alone:
        answer = alone.post(
            "/workflows", {"type": "waiting", "instanceId": "mine", "device": "d9", "input": {}}
        )
        assert (answer.status_code, answer.json()["status"]) == (202, "accepted")
        status = alone.get("/workflows/mine").json()
        assert (status["status"], status["type"], status["device"]) == ("pending", "waiting", "d9")


def test_the_same_start_twice_is_answered_alike_and_starts_once() -> None:
    with world() as client:
        first = start(client, instanceId="order-1", input={"orderId": "1"})
        assert start(client, instanceId="order-1", input={"orderId": "1"}) == first
        assert len(client.get("/workflows").json()["items"]) == 1


def test_simultaneous_starts_with_one_id_start_one_instance() -> None:
    with world() as client:
        body = orjson.dumps({"type": "waiting", "instanceId": "order-1", "input": {}})
        answers = client.together([("POST", "/workflows", {"content": body})] * 30)
        assert {(answer.status_code, answer.json()["instanceId"]) for answer in answers} == {(202, "order-1")}
        assert len(client.get("/workflows").json()["items"]) == 1


@pytest.mark.parametrize("other", [{"input": {"orderId": "2"}}, {"device": "another"}, {"version": "1.0.0"}])
def test_the_same_id_with_another_request_is_409(other: dict[str, Any]) -> None:
    with world() as client:
        start(client, instanceId="order-1", input={"orderId": "1"})
        asked = {"type": "waiting", "instanceId": "order-1", "input": {"orderId": "1"}, **other}
        answer = client.post("/workflows", asked)
        assert answer.status_code == 409
        assert answer.json()["instanceId"] == "order-1"


@pytest.mark.parametrize("device", ["\0", "a\nb", "\u2028", "\x9f"])
def test_a_device_with_a_control_character_is_refused_like_the_subject_of_an_event(device: str) -> None:
    with api() as client:
        answer = client.post("/workflows", {"type": "waiting", "device": device})
        assert answer.status_code == 422
        [problem] = answer.json()["errors"]
        assert problem["pointer"] == "/device"
        assert "control character" in problem["message"]


@pytest.mark.parametrize("compensate", ["yes", 1, "false", None])
def test_a_cancel_coerces_nothing_into_a_boolean(compensate: object) -> None:
    with world() as client:
        id = start(client, device="d1")["instanceId"]
        answer = client.post(f"/workflows/{id}/cancel", {"compensate": compensate})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/compensate"
        assert client.get(f"/workflows/{id}").json()["status"] == "running"


def test_a_second_start_for_a_device_is_409_with_the_id_of_the_first() -> None:
    with world() as client:
        first = start(client, device="d1")
        answer = client.post("/workflows", {"type": "waiting", "device": "d1"})
        assert answer.status_code == 409
        assert answer.json()["instanceId"] == first["instanceId"]
        assert answer.json()["links"] == first["links"]


def test_a_device_may_run_again_after_the_end() -> None:
    with world() as client:
        first = start(client, device="d1")
        client.post(f"/workflows/{first['instanceId']}/cancel", {"reason": "again"})
        assert start(client, device="d1")["instanceId"] != first["instanceId"]


BAD: list[tuple[str, Any, int, str | None]] = [
    ("empty", b"", 400, None),
    ("not JSON", b"{", 400, None),
    ("deep", b'{"type":"waiting","input":' + b"[" * 500 + b"]" * 500 + b"}", 422, None),
    ("very deep", b"[" * 100_000, 400, None),
    ("NaN", b'{"type":"waiting","input":{"x":NaN}}', 400, None),
    ("an array", b"[]", 422, ""),
    ("no type", {"input": {}}, 422, "/type"),
    ("a number as type", {"type": 7}, 422, "/type"),
    ("a misspelt key", {"type": "waiting", "devise": "d"}, 422, "/devise"),
    ("wrong input", {"type": "waiting", "input": {"orderId": 17}}, 422, "/input/orderId"),
    ("input of another kind", {"type": "waiting", "input": []}, 422, "/input"),
    ("an empty device", {"type": "waiting", "device": ""}, 422, "/device"),
    ("a huge device", {"type": "waiting", "device": "d" * 1_000}, 422, "/device"),
    ("a foreign instance id", {"type": "waiting", "instanceId": "x~3"}, 422, "/instanceId"),
    ("a huge instance id", {"type": "waiting", "instanceId": "x" * 500}, 422, "/instanceId"),
    ("a path as instance id", {"type": "waiting", "instanceId": "../x"}, 422, "/instanceId"),
    ("an unknown version", {"type": "waiting", "version": "9"}, 404, None),
    ("a silly version", {"type": "waiting", "version": "x" * 1_000}, 404, None),
]


@pytest.mark.parametrize(("body", "status", "pointer"), [bad[1:] for bad in BAD], ids=[bad[0] for bad in BAD])
def test_a_wrong_start_is_told_and_starts_nothing(body: Any, status: int, pointer: str | None) -> None:
    with world() as client:
        answer = client.post("/workflows", body)
        assert answer.status_code == status, answer.text
        if pointer is not None:
            assert answer.json()["errors"][0]["pointer"] == pointer
        assert client.get("/workflows").json()["items"] == []


def test_an_unknown_type_is_404_with_the_nearest_name() -> None:
    with world() as client:
        answer = client.post("/workflows", {"type": "wating"})
        assert answer.status_code == 404
        assert 'did you mean "waiting"?' in answer.json()["detail"]


def test_a_misspelt_key_names_the_nearest_one() -> None:
    with world() as client:
        answer = client.post("/workflows", {"type": "waiting", "instanceid": "x"})
        assert 'did you mean "instanceId"?' in answer.json()["detail"]


def test_a_body_that_says_it_is_no_json_is_415() -> None:
    with world() as client:
        answer = client.post("/workflows", {"type": "waiting"}, headers={"content-type": "text/plain"})
        assert answer.status_code == 415


UNKNOWN_IDS = ["nope", "waiting-1~0", "x~99999", "x~" + "9" * 250, "x~c1", "a~b~c", "%00", "%E2%82%AC"]


@pytest.mark.parametrize("id", UNKNOWN_IDS)
@pytest.mark.parametrize(
    ("method", "suffix"),
    [("GET", ""), ("GET", "/history"), ("POST", "/cancel"), ("POST", "/release"), ("POST", "/events/Paid")],
)
def test_an_unknown_instance_is_404(id: str, method: str, suffix: str) -> None:
    with api() as client:
        assert client.request(method, f"/workflows/{id}{suffix}").status_code == 404


def test_a_raised_event_that_a_wait_takes_is_consumed() -> None:
    with world() as client:
        id = start(client)["instanceId"]
        answer = client.post(f"/workflows/{id}/events/Paid", {"amount": 5})
        assert (answer.status_code, answer.json()["disposition"]) == (202, "consumed")
        status = client.get(f"/workflows/{id}").json()
        assert status["status"] == "succeeded"
        assert status["state"]["paid"]["data"] == {"amount": 5}


def test_a_raised_event_that_no_wait_takes_yet_is_kept() -> None:
    with world() as client:
        id = start(client)["instanceId"]
        assert client.post(f"/workflows/{id}/events/Seen", {}).json()["disposition"] == "kept"


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("Payd", b"{}", 422),
        ("Paid", b"{}", 422),
        ("Paid", b"[]", 422),
        ("Paid", b"", 422),
        ("Paid", b"{", 400),
        ("Paid", b'{"amount": 1, "x": "' + b"x" * 300_000 + b'"}', 413),
        ("x" * 300, b"{}", 422),
    ],
)
def test_a_wrong_raised_event_is_told_and_changes_nothing(name: str, body: bytes, status: int) -> None:
    with world() as client:
        id = start(client)["instanceId"]
        before = client.get(f"/workflows/{id}").json()
        assert client.post(f"/workflows/{id}/events/{name}", body).status_code == status
        assert client.get(f"/workflows/{id}").json() == before


def test_a_misspelt_event_names_the_nearest_one() -> None:
    with world() as client:
        id = start(client)["instanceId"]
        detail = client.post(f"/workflows/{id}/events/Payd", {}).json()["detail"]
        assert 'did you mean "Paid"?' in detail
        assert "known: " in detail


def test_cancelling_ends_an_instance_once_and_names_who_did_it() -> None:
    with world() as client:
        id = start(client)["instanceId"]
        answer = client.post(f"/workflows/{id}/cancel", {"reason": "sold"}, headers={"x-actor": "anna"})
        assert (answer.status_code, answer.json()["status"]) == (202, "cancelled")
        assert client.get(f"/workflows/{id}").json()["status"] == "cancelled"
        assert client.post(f"/workflows/{id}/cancel").status_code == 409
        assert client.post(f"/workflows/{id}/events/Paid", {"amount": 1}).status_code == 409
        assert "anna" in client.get(f"/workflows/{id}/history").text


def test_only_a_quarantined_instance_can_be_released() -> None:
    with world() as client:
        id = start(client)["instanceId"]
        answer = client.post(f"/workflows/{id}/release")
        assert answer.status_code == 409
        assert "running" in answer.json()["detail"]


def waiting_for_call(client: Api) -> tuple[str, str]:
    """(instance, callback token) of an instance whose task waits for its callback."""
    id = client.post("/workflows", {"type": "calling"}).json()["instanceId"]
    partition = int(id.rpartition("~")[2])
    token, job = eventually(lambda: client.workers.jobs.copy().popitem() if client.workers.jobs else None)
    payload = orjson.loads(client.store.claim(job.partition, token, "w", 0, 60_000) or b"")
    done = {
        "kind": "ActivityCompleted",
        "time_ms": 0,
        "attempt": payload["attempt"],
        "token": token,
        "output": None,
        "started_ms": 0,
        "worker": "w",
    }
    client.store.report(
        partition, token, orjson.dumps({"op": "deliver", "instance": id, "record": done}), 0, 60_000
    )
    eventually(lambda: client.get(f"/workflows/{id}").json()["currentStates"][0]["phase"] == "callback")
    return id, payload["callbackToken"]


def test_a_callback_completes_its_task_once() -> None:
    with world() as client:
        id, token = waiting_for_call(client)
        answer = client.post(f"/callbacks/{token}", {"output": {"yes": True}})
        assert (answer.status_code, answer.json()["instanceId"]) == (202, id)
        assert client.get(f"/workflows/{id}").json()["output"] == {"yes": True}
        assert client.post(f"/callbacks/{token}", {"output": 1}).status_code == 409


def test_a_callback_may_fail_its_task() -> None:
    with world() as client:
        id, token = waiting_for_call(client)
        assert client.post(f"/callbacks/{token}", {"error": "Refused", "cause": "no"}).status_code == 202
        status = client.get(f"/workflows/{id}").json()
        assert (status["status"], status["error"]) == ("failed", "Refused")


@pytest.mark.parametrize(
    ("change", "body", "status"),
    [
        (lambda token: token[:-1] + ("0" if token[-1] != "0" else "1"), {}, 409),
        (lambda token: token.rpartition(".")[0], {}, 404),
        (lambda token: "waiting-1~0." + token.rpartition(".")[2], {}, 404),
        (lambda token: "x" * 1_000, {}, 404),
        (lambda token: token, {"output": 1, "error": "E"}, 422),
        (lambda token: token, {"outptu": 1}, 422),
        (lambda token: token, b"{", 400),
    ],
)
def test_a_wrong_callback_is_told_and_the_task_waits_on(change: Any, body: Any, status: int) -> None:
    with world() as client:
        id, token = waiting_for_call(client)
        assert client.post(f"/callbacks/{change(token)}", body).status_code == status
        assert client.get(f"/workflows/{id}").json()["status"] == "running"


def test_a_task_in_work_is_shown_as_a_pending_activity() -> None:
    with world() as client:
        id = client.post("/workflows", {"type": "calling"}).json()["instanceId"]
        (pending,) = client.get(f"/workflows/{id}").json()["pendingActivities"]
        assert (pending["activity"], pending["state"], pending["number"]) == ("ask", "Ask", 1)
        assert pending["due"]


def test_the_list_is_filtered_and_paged_newest_first() -> None:
    with world() as client:
        ids = [start(client, device=f"d{number}")["instanceId"] for number in range(5)]
        client.post(f"/workflows/{ids[0]}/cancel")
        listed: list[str] = []
        cursor = ""
        while True:
            page = client.get(f"/workflows?limit=2{cursor}").json()
            listed += [item["instanceId"] for item in page["items"]]
            if page["cursor"] is None:
                break
            cursor = f"&cursor={page['cursor']}"
        assert sorted(listed) == sorted(ids)
        assert [i["instanceId"] for i in client.get("/workflows?status=cancelled").json()["items"]] == ids[:1]
        assert len(client.get("/workflows?status=running,cancelled").json()["items"]) == 5
        assert [i["instanceId"] for i in client.get("/workflows?device=d3").json()["items"]] == [ids[3]]
        assert client.get("/workflows?type=calling").json()["items"] == []
        assert client.get("/workflows?createdTo=2000-01-01T00:00:00Z").json()["items"] == []
        assert len(client.get("/workflows?createdFrom=2000-01-01T00:00:00Z").json()["items"]) == 5


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("status=runing", "/query/status"),
        ("type=wating", "/query/type"),
        ("createdFrom=yesterday", "/query/createdFrom"),
        ("limit=0", "/query/limit"),
        ("limit=1000000", "/query/limit"),
        ("limit=many", "/query/limit"),
        ("cursor=%7B%7D", "/query/cursor"),
        ("stauts=running", "/query/stauts"),
    ],
)
def test_a_wrong_filter_is_told_with_its_name(query: str, pointer: str) -> None:
    with world() as client:
        answer = client.get(f"/workflows?{query}")
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_the_history_is_paged_and_its_entries_are_chained() -> None:
    with world() as client:
        id = start(client)["instanceId"]
        for _ in range(4):
            client.post(f"/workflows/{id}/events/Seen", {})
        first = client.get(f"/workflows/{id}/history?limit=2").json()
        rest = client.get(f"/workflows/{id}/history?cursor={first['next']}").json()
        assert [entry["n"] for entry in first["items"] + rest["items"]] == [1, 2, 3, 4, 5]
        assert rest["next"] is None
        assert len({entry["prev"] for entry in first["items"] + rest["items"]}) == 5


@pytest.mark.parametrize("query", ["cursor=-1", "cursor=x", "limit=0", "cursor=99999999999999999999"])
def test_a_wrong_page_of_a_history_is_422(query: str) -> None:
    with world() as client:
        id = start(client)["instanceId"]
        assert client.get(f"/workflows/{id}/history?{query}").status_code == 422


def test_a_chosen_id_lives_where_its_device_lives() -> None:
    with world() as client:
        start(client, instanceId="mine", device="d1")
        assert client.store.locate_all(["mine"]) == [partition_of("d1", client.store.partitions)]
        assert client.get("/workflows/mine").json()["device"] == "d1"


def test_an_event_raised_again_under_its_key_is_answered_like_the_first_time() -> None:
    with world() as client:
        id = start(client)["instanceId"]
        path, header = f"/workflows/{id}/events/Paid", {"idempotency-key": "order-7"}
        first = client.post(path, {"amount": 1}, headers=header).json()
        again = client.post(path, {"amount": 1}, headers=header).json()
        by_query = client.post(f"{path}?id=order-7", {"amount": 1}).json()
        assert first["id"] == "order-7"
        assert first == again == by_query
        entries = client.get(f"/workflows/{id}/history").json()["items"]
        assert [entry["record"]["kind"] for entry in entries].count("EventOffered") == 1
        assert client.post(f"{path}?id=", {"amount": 1}).status_code == 422
