"""Requests that come at the same time share their trips to the store, and have nothing else in common."""

import threading
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from api_world import api, world
from stepwell_api import inboxes, starts
from stepwell_store.errors import StoreError, StoreFull, StoreUnavailable
from stepwell_store.memory_store import MemoryStore
from stepwell_store.protocol import RequestedStart, StartReceipt


class CountingStore(MemoryStore):
    """Notes how many each trip took. Starts that say so are refused, and an instance can be made unreadable."""

    def __init__(self) -> None:
        super().__init__("test", 4)
        self.trips: dict[str, list[int]] = {"starts": [], "records": [], "instances": []}
        self.bad = ""
        self.trip_seconds = 0.0

    def _note(self, what: str, count: int) -> None:
        self.trips[what].append(count)
        threading.Event().wait(self.trip_seconds)

    def request_starts(self, starts: Sequence[RequestedStart]) -> Sequence[StartReceipt | StoreError]:  # type: ignore[override]
        self._note("starts", len(starts))
        for start in starts:
            if b"away" in start.record:
                raise StoreUnavailable("the store is away")
        return [
            StoreFull("no memory")
            if b"full" in start.record
            else super(CountingStore, self).request_starts([start])[0]
            for start in starts
        ]

    def append_each(self, records: Sequence[tuple[int, bytes]]) -> Sequence[str]:
        self._note("records", len(records))
        return super().append_each(records)

    def read_instances(self, wanted: Sequence[tuple[int, str]]) -> Sequence[bytes | StoreError | None]:  # type: ignore[override]
        self._note("instances", len(wanted))
        return [
            StoreError("it cannot be read") if id == self.bad else value
            for (_, id), value in zip(wanted, super().read_instances(wanted), strict=True)
        ]


def asked(**changes: Any) -> tuple[str, str, dict[str, Any]]:
    return "POST", "/workflows", {"content": orjson.dumps({"type": "waiting", **changes})}


def test_starts_that_come_together_are_recorded_together() -> None:
    store = CountingStore()
    with world(store) as client:
        for trips in store.trips.values():
            trips.clear()
        store.trip_seconds = 0.05
        answers = client.together([asked(instanceId=f"i{n}") for n in range(100)])
        assert {(answer.status_code, answer.json()["status"]) for answer in answers} == {(202, "running")}
        assert sum(store.trips["starts"]) == 100
        assert len(store.trips["starts"]) < 20
        assert store.trips["instances"] == []
        assert len(client.get("/workflows?limit=200").json()["items"]) == 100


def test_what_is_wrong_with_one_start_is_not_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    store = CountingStore()
    with world(store) as client:
        client.post("/workflows", {"type": "waiting", "instanceId": "taken", "device": "d1"})
        monkeypatch.setattr(starts, "_fingerprint", failing_for("sick", starts._fingerprint))
        requests = [
            asked(instanceId="one"),
            asked(type="nothing"),
            asked(input={"orderId": 5}),
            asked(instanceId="taken", device="d1", input={"orderId": "other"}),
            asked(instanceId="taken", device="d2-elsewhere"),
            asked(instanceId="full"),
            asked(version="9.9.9"),
            asked(instanceId="sick"),
            asked(instanceId="two"),
        ]
        answers = client.together([*requests, *requests])
        assert [answer.status_code for answer in answers] == [202, 404, 422, 409, 409, 429, 404, 500, 202] * 2


def failing_for(id: str, function: Any) -> Any:
    def checked(request: Any) -> Any:
        if request.instance_id == id:
            raise RuntimeError("nobody thought of this")
        return function(request)

    return checked


def test_large_starts_go_in_several_writes_and_only_those_of_the_one_that_fails_are_told_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(starts, "TRIP_BYTES", 3_000)
    store = CountingStore()
    with world(store) as client:
        store.trips["starts"].clear()
        ids = ["a", "b", "away", "c", "d"]
        answers = client.together([asked(instanceId=id, input={"orderId": "x" * 2_000}) for id in ids])
        assert [answer.status_code for answer in answers] == [202, 202, 503, 202, 202]
        assert set(store.trips["starts"]) == {1}


def test_raised_events_that_come_together_share_their_trips() -> None:
    store = CountingStore()
    with world(store) as client:
        ids = [client.post("/workflows", {"type": "waiting"}).json()["instanceId"] for _ in range(50)]
        for trips in store.trips.values():
            trips.clear()
        store.trip_seconds = 0.05
        answers = client.together([raised(id) for id in ids])
        assert {(answer.status_code, answer.json()["disposition"]) for answer in answers} == {
            (202, "consumed")
        }
        for what in ("instances", "records"):
            assert sum(store.trips[what]) == 50
            assert len(store.trips[what]) < 15


def raised(id: str, data: Any = None, query: str = "") -> tuple[str, str, dict[str, Any]]:
    content = orjson.dumps({"amount": 1} if data is None else data)
    return "POST", f"/workflows/{id}/events/Paid{query}", {"content": content}


def test_what_is_wrong_with_one_raised_event_is_not_the_others() -> None:
    store = CountingStore()
    with world(store) as client:
        ids = [client.post("/workflows", {"type": "waiting"}).json()["instanceId"] for _ in range(3)]
        chosen = client.post("/workflows", {"type": "waiting", "instanceId": "mine"}).json()["instanceId"]
        store.bad = ids[1]
        requests = [
            raised(ids[0]),
            raised("none"),
            raised(ids[2], []),
            raised(ids[1]),
            raised("x~99"),
            raised(chosen),
        ]
        answers = client.together(requests)
        assert [answer.status_code for answer in answers] == [202, 404, 422, 500, 404, 202]


@pytest.mark.parametrize(("sizes", "counts"), [([10] * 3, [3]), ([40, 40, 40, 90, 200, 10], [2, 1, 1, 1, 1])])
def test_a_trip_takes_records_until_it_is_full(
    sizes: list[int], counts: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inboxes, "TRIP_BYTES", 100)
    waiting = [(0, b"x" * size) for size in sizes]
    found = []
    while waiting:
        found.append(inboxes._fit(waiting))
        waiting = waiting[found[-1] :]
    assert found == counts


def test_an_event_raised_again_is_answered_like_the_first_time_after_the_end_and_without_an_engine() -> None:
    store = CountingStore()
    with world(store) as client:
        ended, open_one = [
            client.post("/workflows", {"type": "waiting"}).json()["instanceId"] for _ in range(2)
        ]
        pay, see = f"/workflows/{ended}/events/Paid?id=", f"/workflows/{open_one}/events/Seen?id="
        assert client.post(pay + "7", {"amount": 1}).json()["disposition"] == "consumed"
        assert client.get(f"/workflows/{ended}").json()["status"] == "succeeded"
        assert client.post(pay + "7", {"amount": 1}).json()["disposition"] == "consumed"
        assert client.post(pay + "8", {"amount": 1}).status_code == 409
        assert client.post(see + "8", {}).json()["disposition"] == "kept"
    with api(store) as alone:
        assert alone.post(see + "8", {}).json()["disposition"] == "kept"
        assert alone.post(see + "9", {}).json()["disposition"] == "accepted"
