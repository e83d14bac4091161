"""Requests that come at the same time share their trips to the store, and have nothing else in common."""

import threading
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from api_world import api, world
from stepwell_api import inboxes, instances, starts
from stepwell_ingress import shared_trips
from stepwell_store.errors import StoreError, StoreFull, StoreUnavailable
from stepwell_store.memory_store import MemoryStore
from stepwell_store.protocol import RequestedStart, StartReceipt


class CountingStore(MemoryStore):
    """Notes how many each trip took. Starts that say so are refused, and an instance can be made unreadable."""

    def __init__(self) -> None:
        super().__init__("test", 4)
        kinds = ("starts", "records", "instances", "reservations", "catalogue")
        self.trips: dict[str, list[int]] = {kind: [] for kind in kinds}
        self.bad = ""
        self.trip_seconds = 0.0
        self.hanging = ""
        self._is_hanging = False
        self._overtaken = threading.Event()

    def _note(self, what: str, count: int) -> None:
        self.trips[what].append(count)
        threading.Event().wait(self.trip_seconds)
        if what == self.hanging and not self._is_hanging:
            self._is_hanging = True
            assert self._overtaken.wait(10), "nobody could overtake it"
        elif what == self.hanging:
            self._overtaken.set()

    def catalog_revision(self) -> int:
        if threading.current_thread().name.startswith("stepwell-starts"):  # the engine looks, too
            self._note("catalogue", 1)
        return super().catalog_revision()

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
            StoreUnavailable("it cannot be read") if id == self.bad else value
            for (_, id), value in zip(wanted, super().read_instances(wanted), strict=True)
        ]

    def instance(self, partition: int, instance: str) -> bytes | None:
        self._note("instances", 1)
        return super().instance(partition, instance)

    def read_reservations(self, wanted: Sequence[tuple[int, str]]) -> Sequence[str | None]:
        self._note("reservations", len(wanted))
        return super().read_reservations(wanted)

    def place_all(self, wanted: Sequence[tuple[str, int]]) -> Sequence[int]:
        if any(id == "unplaceable" for id, _ in wanted):
            raise StoreFull("no memory")
        return super().place_all(wanted)


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
        assert len(store.trips["starts"]) == len(store.trips["catalogue"]) < 20
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


def test_what_cannot_be_placed_is_told_to_those_that_chose_an_id() -> None:
    store = CountingStore()
    with world(store) as client:
        store.trip_seconds = 0.05
        requests = [
            asked(),
            asked(instanceId="unplaceable"),
            asked(type="nothing"),
            asked(input={"orderId": 5}),
        ]
        answers = client.together([asked(), *requests])
        assert [answer.status_code for answer in answers] == [202, 202, 429, 404, 422]
        assert len(store._placed) == 0


def test_a_broken_definition_is_told_to_those_that_start_it() -> None:
    store = CountingStore()
    with world(store) as client:
        stored = store.versions("waiting")[0]
        broken = stored.model_copy(update={"version": "2.0.0", "document": {"id": "waiting", "states": 5}})
        store._definitions["waiting"]["2.0.0"] = broken
        answers = client.together(
            [asked(), asked(version="2.0.0"), asked(version="1"), asked(version="1.0.0")]
        )
        assert [answer.status_code for answer in answers] == [202, 500, 202, 202]


@pytest.mark.parametrize(("name", "limit", "trips"), [("TRIP_STARTS", 3, 4), ("TRIP_BYTES", 3_000, 11)])
def test_a_trip_takes_starts_until_it_is_full(
    name: str, limit: int, trips: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starts, name, limit)
    monkeypatch.setattr(shared_trips, "PATIENCE_SECONDS", 30)
    store = CountingStore()
    with world(store) as client:
        store.trips["starts"].clear()
        store.trip_seconds = 0.05
        many = [asked(instanceId=f"i{n}", input={"orderId": "x" * 2_000}) for n in range(11)]
        assert {answer.status_code for answer in client.together(many)} == {202}
        assert len(store.trips["starts"]) >= trips
        assert max(store.trips["starts"]) <= 3


def test_a_write_that_fails_is_told_to_those_whose_it_was() -> None:
    store = CountingStore()
    with world(store) as client:
        store.trips["starts"].clear()
        requests = [asked(instanceId="away"), asked(type="nothing"), asked(input={"orderId": 5})]
        answers = client.together(requests * 3)
        assert [answer.status_code for answer in answers] == [503, 404, 422] * 3
        assert len(store.trips["starts"]) < 3
        assert client.post("/workflows", {"type": "waiting"}).status_code == 202


@pytest.mark.parametrize("what", ["catalogue", "starts", "instances", "records"])
def test_a_trip_that_hangs_is_overtaken(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((starts, "STARTS"), (instances, "INSTANCES"), (inboxes, "RECORDS")):
        monkeypatch.setattr(module, f"TRIP_{name}", 3)
    store = CountingStore()
    with world(store) as client:
        ids = [client.post("/workflows", {"type": "waiting"}).json()["instanceId"] for _ in range(10)]
        store.hanging = what
        requests = [asked() for _ in ids] if what in ("starts", "catalogue") else [raised(id) for id in ids]
        assert {answer.status_code for answer in client.together(requests)} == {202}


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


def raised(id: str, data: Any = None) -> tuple[str, str, dict[str, Any]]:
    content = orjson.dumps({"amount": 1} if data is None else data)
    return "POST", f"/workflows/{id}/events/Paid", {"content": content}


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
        assert [answer.status_code for answer in answers] == [202, 404, 422, 503, 404, 202]


@pytest.mark.parametrize(("sizes", "counts"), [([10] * 3, [3]), ([40, 40, 40, 90, 200, 10], [2, 1, 1, 1, 1])])
def test_a_trip_takes_records_until_it_is_full(
    sizes: list[int], counts: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inboxes, "TRIP_BYTES", 100)
    monkeypatch.setattr(inboxes, "TRIP_RECORDS", 3)
    waiting = [(0, b"x" * size) for size in sizes]
    found = []
    while waiting:
        found.append(inboxes._fit(waiting))
        waiting = waiting[found[-1] :]
    assert found == counts
    assert inboxes._fit([(0, b"")] * 4) == 3


def test_instances_that_are_not_applied_yet_are_asked_for_together() -> None:
    store = CountingStore()
    with world(store):
        pass
    with api(store) as alone:
        ids = [alone.post("/workflows", {"type": "waiting"}).json()["instanceId"] for _ in range(20)]
        for trips in store.trips.values():
            trips.clear()
        store.trip_seconds = 0.05
        answers = alone.together([raised(id) for id in (*ids, *(f"no~{n % 4}" for n in range(20)))])
        assert [answer.status_code for answer in answers] == [202] * 20 + [404] * 20
        assert sum(store.trips["reservations"]) == 40
        assert len(store.trips["reservations"]) < 10


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
        assert client.post("/workflows/gone~0/events/Seen?id=8", {}).status_code == 404
    with api(store) as alone:
        store.trips["records"].clear()
        assert alone.post(see + "8", {}).json()["disposition"] == "kept"
        assert store.trips["records"] == []
        assert alone.post(see + "9", {}).json()["disposition"] == "accepted"
