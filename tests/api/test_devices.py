"""Devices and dead letters over HTTP."""

from typing import Any

import pytest
from api_world import Api, api, cloud_event, eventually, world


def applied(client: Api, count: int, device: str = "sensor-7") -> dict[str, Any]:
    """The device once this many of its events are applied."""

    def look() -> dict[str, Any] | None:
        answer = client.get(f"/devices/{device}")
        shown: dict[str, Any] = answer.json()
        return shown if answer.status_code == 200 and shown["events"] == count else None

    found: dict[str, Any] = eventually(look)
    return found


def test_a_device_shows_its_accumulator_and_what_runs() -> None:
    with world() as client:
        client.post("/events", [cloud_event(str(number)) for number in range(3)])
        shown = applied(client, 3)
        assert (shown["firstSequence"], shown["nextSequence"]) == (1, 4)
        assert list(shown["running"].values()) == ["waiting"]
        assert shown["lastActivity"] >= shown["firstActivity"]


def test_the_events_of_a_device_are_paged_in_order() -> None:
    with world() as client:
        client.post("/events", [cloud_event(str(number)) for number in range(5)])
        applied(client, 5)
        first = client.get("/devices/sensor-7/events?limit=3").json()
        rest = client.get(f"/devices/sensor-7/events?cursor={first['next']}").json()
        assert [event["id"] for event in first["items"] + rest["items"]] == ["0", "1", "2", "3", "4"]
        assert rest["next"] is None


def test_a_device_id_may_have_slashes_and_spaces() -> None:
    with world() as client:
        client.post("/events", cloud_event("1", subject="hall/3 b"))
        assert applied(client, 1, "hall%2F3%20b")["device"] == "hall/3 b"
        assert client.get("/devices/hall/3%20b/events").json()["items"][0]["id"] == "1"


def test_all_devices_are_listed_once_over_the_pages() -> None:
    with world() as client:
        names = {f"d{number}" for number in range(11)}
        client.post("/events", [cloud_event(name, subject=name) for name in sorted(names)])
        for name in names:
            applied(client, 1, name)
        listed: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = client.get(
                "/devices", params={"limit": 3, **({"cursor": cursor} if cursor else {})}
            ).json()
            listed += page["items"]
            cursor = page["cursor"]
        assert sorted(listed) == sorted(names)


@pytest.mark.parametrize("path", ["/devices/none", "/devices/none/events", "/devices/%00"])
def test_an_unknown_device_is_404(path: str) -> None:
    with api() as client:
        assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    "path", ["/devices?cursor=9:9:9x", "/devices?cursor=x", "/devices?cursor=99999:", "/devices?limit=-1"]
)
def test_a_wrong_page_is_422_or_the_end(path: str) -> None:
    with api() as client:
        assert client.get(path).status_code == 422


def dead_letter(client: Api) -> dict[str, Any]:
    """The one dead letter: an event of a type that nobody knows."""
    client.post("/events", cloud_event("dead", type="Unheard"))
    page: dict[str, Any] = eventually(lambda: client.get("/dead-letters").json()["items"])[0]
    return page


def test_a_dead_letter_is_listed_and_shown_with_its_reason_and_event() -> None:
    with world() as client:
        letter = dead_letter(client)
        assert (letter["reason"], letter["eventId"], letter["device"]) == (
            "unknownEventType",
            "dead",
            "sensor-7",
        )
        assert client.get(f"/dead-letters/{letter['id']}").json()["event"]["type"] == "Unheard"
        assert client.get("/events/dead").json()["disposition"] == "deadLettered"


def test_an_edited_replay_is_applied_and_the_letter_is_gone() -> None:
    with world() as client:
        letter = dead_letter(client)
        answer = client.post(f"/dead-letters/{letter['id']}/replay", {"event": cloud_event("dead")})
        assert (answer.status_code, answer.json()["disposition"]) == (202, "accepted")
        eventually(lambda: client.get("/events/dead").json()["disposition"] == "started")
        assert client.get(f"/dead-letters/{letter['id']}").status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ({"event": {"id": "x"}}, 422, "/event/specversion"),
        ({"event": 7}, 422, "/event"),
        ({"evnt": {}}, 422, "/evnt"),
        (b"{", 400, None),
    ],
)
def test_a_wrong_replay_is_told_and_the_letter_stays(body: Any, status: int, pointer: str | None) -> None:
    with world() as client:
        letter = dead_letter(client)
        answer = client.post(f"/dead-letters/{letter['id']}/replay", body)
        assert answer.status_code == status
        if pointer is not None:
            assert answer.json()["errors"][0]["pointer"] == pointer
        assert client.get(f"/dead-letters/{letter['id']}").status_code == 200


def test_a_discard_needs_a_name_and_a_reason() -> None:
    with world() as client:
        path = f"/dead-letters/{dead_letter(client)['id']}"
        assert client.post(f"{path}/discard", {"reason": "test"}).status_code == 400
        assert client.post(f"{path}/discard", {}, headers={"x-actor": "anna"}).status_code == 422
        assert client.get(path).status_code == 200
        assert client.post(f"{path}/discard", {"reason": "t"}, headers={"x-actor": "anna"}).status_code == 200
        assert client.get(path).status_code == 404


@pytest.mark.parametrize("id", ["x", "0-1-1", "99-1-1", "0-1"])
@pytest.mark.parametrize(
    ("method", "suffix", "body"),
    [("GET", "", None), ("POST", "/replay", b""), ("POST", "/discard", b'{"reason":"x"}')],
)
def test_an_unknown_letter_is_404(id: str, method: str, suffix: str, body: bytes | None) -> None:
    with api() as client:
        answer = client.request(
            method, f"/dead-letters/{id}{suffix}", content=body, headers={"x-actor": "anna"}
        )
        assert answer.status_code == 404


def test_a_wrong_cursor_of_letters_is_422() -> None:
    with api() as client:
        assert client.get("/dead-letters?cursor=x").status_code == 422
