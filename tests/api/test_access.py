"""Keys, roles, hosts, rates and sizes: who gets through the gate, and what the others are told."""

from typing import Any

import pytest
from api_world import Api, api, at_door, cloud_event
from stepwell_api.access import GRANTS, RIGHTS
from stepwell_api.rate import TokenBuckets

KEYS = {"a-key": "admin", "o-key": "operator", "p-key": "publisher", "r-key": "reader"}


def status(client: Api, method: str, path: str, key: str | None) -> int:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    filled = path.replace("{id:path}", "1").replace("{device:path}", "d").replace("{", "").replace("}", "")
    return client.request(method, filled, headers=headers).status_code


def test_each_role_may_do_exactly_what_the_table_says() -> None:
    with api(api_keys=KEYS) as client:
        wrong = [
            (method, path, role)
            for (method, path), wanted in RIGHTS.items()
            for key, role in KEYS.items()
            if (status(client, method, path, key) == 403) == bool(GRANTS[role].intersection(wanted))  # type: ignore[index]
        ]
        assert wrong == []


def test_without_a_key_only_open_routes_answer() -> None:
    with api(api_keys=KEYS) as client:
        refused = {route for route in RIGHTS if status(client, *route, None) == 401}
        assert refused == {route for route, rights in RIGHTS.items() if "open" not in rights}


def test_every_route_of_the_application_is_in_the_table() -> None:
    with api() as client:
        paths = client.app.openapi()["paths"]
        served = {(method.upper(), path) for path, operations in paths.items() for method in operations}
    assert served == {(method, path.replace(":path", "")) for method, path in RIGHTS}


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer p-key"},
        {"authorization": "bearer  p-key "},
        {"x-api-key": "p-key"},
        {"x-api-key": "p-key", "authorization": "Bearer p-key"},
    ],
)
def test_a_key_may_come_in_either_header(headers: dict[str, str]) -> None:
    with api(api_keys=KEYS) as client:
        assert client.post("/events", cloud_event(), headers=headers).status_code == 202


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer wrong"},
        {"authorization": "Bearer "},
        {"authorization": "Bearer"},
        {"authorization": "Basic cC1rZXk="},
        {"x-api-key": ""},
        {"x-api-key": "P-KEY"},
        {"x-api-key": "p-key", "authorization": "Bearer a-key"},
        {"x-api-key": "x" * 50_000},
        {"x-api-key": "\xff\xfe".encode("latin-1")},
    ],
)
def test_a_wrong_key_is_401_and_does_nothing(headers: dict[str, Any]) -> None:
    with api(api_keys=KEYS) as client:
        answer = client.post("/events", cloud_event(), headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert "p-key" not in answer.text
        assert at_door(client.store) == []


def test_a_key_of_too_little_right_is_told_who_may() -> None:
    with api(api_keys=KEYS) as client:
        answer = client.post("/events", cloud_event(), headers={"x-api-key": "r-key"})
        assert answer.status_code == 403
        assert answer.json()["detail"].endswith("allowed: publisher, operator, admin")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8080", "localhost:1", "[::1]:8080", "LOCALHOST", "127.9.9.9"]
)
def test_without_keys_this_machines_names_are_answered(host: str) -> None:
    with api() as client:
        assert client.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8080",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "[::1",
        "",
        "10.0.0.1",
        "0.0.0.0",
        "user@evil.example",
    ],
)
def test_without_keys_a_foreign_host_is_refused(host: str) -> None:
    with api() as client:
        answer = client.post("/events", cloud_event(), headers={"host": host})
        assert answer.status_code == 421
        assert at_door(client.store) == []


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}]
)
def test_without_keys_a_page_of_another_site_is_refused(headers: dict[str, str]) -> None:
    with api() as client:
        assert client.post("/events", cloud_event(), headers=headers).status_code == 403
        assert at_door(client.store) == []


def test_with_keys_any_host_is_answered() -> None:
    with api(api_keys=KEYS) as client:
        headers = {"host": "stepwell.example", "x-api-key": "p-key"}
        assert client.post("/events", cloud_event(), headers=headers).status_code == 202


@pytest.mark.parametrize("name", ["a\tb", "x" * 200])
def test_an_actor_with_an_unusable_name_is_refused(name: str) -> None:
    with api() as client:
        answer = client.post("/definitions", b"id: x", headers={"x-actor": name})
        assert answer.status_code == 400


@pytest.mark.parametrize(
    "path", ["/events", "/workflows", "/definitions", "/definitions/validate", "/callbacks/x.y"]
)
def test_a_body_over_the_limit_is_413_at_every_door(path: str) -> None:
    with api(max_body_bytes=2_000) as client:
        answer = client.post(path, b" " * 2_001)
        assert answer.status_code == 413
        assert answer.json()["maxBodyBytes"] == 2_000
        assert client.post("/events", cloud_event()).status_code == 202


def test_a_body_without_a_length_is_cut_off_at_the_limit() -> None:
    taken = 0

    async def endless() -> Any:
        nonlocal taken
        while True:
            taken += 1_000
            yield b" " * 1_000

    with api(max_body_bytes=10_000) as client:
        assert client.request("POST", "/events", content=endless()).status_code == 413
    assert taken < 20_000


@pytest.mark.parametrize("length", ["x", "-1", "1e3", "+5", "9" * 30, "0x10"])
def test_a_length_that_is_no_number_is_400(length: str) -> None:
    with api() as client:
        answer = client.request("POST", "/events", content=b"", headers={"content-length": length})
        assert answer.status_code == 400


def test_a_caller_over_its_rate_is_429_and_others_are_not() -> None:
    with api(api_keys=KEYS, rate_limit_per_second=5) as client:
        posts = [
            ("POST", "/events", {"json": cloud_event(str(n)), "headers": {"x-api-key": "p-key"}})
            for n in range(30)
        ]
        answers = client.together(posts)
        taken = [answer for answer in answers if answer.status_code == 202]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert len(taken) >= 5
        assert len(refused) >= 20
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
        assert len(at_door(client.store)) == len(taken)
        assert client.get("/workflows", headers={"x-api-key": "r-key"}).status_code == 200


def test_guessing_keys_is_limited_too() -> None:
    with api(api_keys=KEYS, rate_limit_per_second=2) as client:
        guesses = [("GET", "/workflows", {"headers": {"x-api-key": f"guess-{n}"}}) for n in range(20)]
        assert 429 in {answer.status_code for answer in client.together(guesses)}


def test_a_bucket_refills_with_time_and_holds_no_more_than_a_second() -> None:
    buckets = TokenBuckets(2)
    assert [buckets.wait_seconds("a", 0.0) for _ in range(2)] == [0.0, 0.0]
    assert buckets.wait_seconds("a", 0.0) == pytest.approx(0.5)
    assert buckets.wait_seconds("a", 0.5) == 0.0
    assert [buckets.wait_seconds("a", 1_000.0) > 0 for _ in range(3)] == [False, False, True]


def test_buckets_are_bounded_and_time_that_goes_back_gives_nothing() -> None:
    buckets = TokenBuckets(1, callers=2)
    assert buckets.wait_seconds("a", 10.0) == 0.0
    assert buckets.wait_seconds("a", 5.0) > 0
    for caller in "bcd":
        buckets.wait_seconds(caller, 10.0)
    assert len(buckets._buckets) == 2
