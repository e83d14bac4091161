"""The root, health and the OpenAPI document."""

from typing import Any

import pytest
from api_world import api, world
from stepwell_store.errors import StoreUnavailable
from stepwell_store.memory_store import MemoryStore


class AbsentStore(MemoryStore):
    """Cannot be reached."""

    def ping(self) -> None:
        raise StoreUnavailable("connection refused")

    def definitions(self) -> dict[str, str]:
        raise StoreUnavailable("connection refused")


def test_the_root_links_to_what_can_be_read() -> None:
    with api() as client:
        links = client.get("/").json()["links"]
        readable = [
            links[name] for name in ("definitions", "workflows", "devices", "activities", "deadLetters")
        ]
        assert [client.get(link).status_code for link in readable] == [200] * 5


def test_ready_says_what_is_amiss_without_an_engine() -> None:
    with api() as client:
        answer = client.get("/health/ready")
        assert answer.status_code == 503
        assert answer.json()["checks"]["store"] == "ok"
        assert "no engine" in answer.json()["checks"]["engine"]


def test_ready_is_good_with_an_engine_that_owns_all_partitions() -> None:
    with world() as client:
        client.post("/workflows", {"type": "waiting"})
        answer = client.get("/health/ready")
        assert (answer.status_code, answer.json()["status"]) == (200, "ok")


def test_without_the_store_we_live_but_are_not_ready_and_say_503() -> None:
    with api(AbsentStore("test", 2)) as client:
        assert client.get("/health/live").status_code == 200
        assert "connection refused" in client.get("/health/ready").json()["checks"]["store"]
        answer = client.get("/definitions")
        assert answer.status_code == 503
        assert answer.headers["retry-after"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nope"),
        ("GET", "/workflows/"),
        ("GET", "/%2e%2e/etc/passwd"),
        ("POST", "/openapi.json/x"),
    ],
)
def test_an_unknown_path_is_a_404_problem(method: str, path: str) -> None:
    with api() as client:
        assert client.request(method, path).status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/events"), ("DELETE", "/workflows"), ("PATCH", "/definitions/x"), ("POST", "/devices")],
)
def test_an_unknown_method_is_a_405_problem_with_the_allowed_ones(method: str, path: str) -> None:
    with api() as client:
        answer = client.request(method, path)
        assert answer.status_code == 405
        assert answer.headers["allow"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/workflows", "GET, POST"),
        ("PATCH", "/definitions", "GET, POST"),
        ("PUT", "/events", "POST"),
    ],
)
def test_a_405_names_the_methods_of_all_routes_of_the_path(method: str, path: str, allowed: str) -> None:
    with api() as client:
        answer = client.request(method, path)
        assert answer.headers["allow"] == allowed
        assert answer.json()["detail"].endswith(f"allowed: {allowed}")


def references(value: Any) -> set[str]:
    """All `$ref`s within a document."""
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(references(child) for child in value.values()))
    if isinstance(value, list):
        return set[str]().union(*(references(child) for child in value))
    return set()


def test_the_openapi_document_has_no_dangling_reference() -> None:
    with api() as client:
        document = client.get("/openapi.json").json()
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert references(document) - known == set()


def test_the_openapi_document_describes_every_body_and_every_problem() -> None:
    with api() as client:
        document = client.get("/openapi.json").json()
    operations = {
        (method, path): operation
        for path, found in document["paths"].items()
        for method, operation in found.items()
    }
    without_body = {
        path for (method, path), one in operations.items() if method == "post" and "requestBody" not in one
    }
    assert without_body == {"/workflows/{instance}/release", "/callbacks/{token}/heartbeat"}
    assert all(
        "application/problem+json" in one["responses"]["default"]["content"] for one in operations.values()
    )
    example = operations[("post", "/workflows")]["requestBody"]["content"]["application/json"]["example"]
    assert example["type"] == "device-onboarding"


def test_the_events_example_of_the_document_is_taken() -> None:
    with api() as client:
        post = client.get("/openapi.json").json()["paths"]["/events"]["post"]
        event = post["requestBody"]["content"]["application/cloudevents+json"]["example"]
        assert client.post("/events", event).status_code == 202
