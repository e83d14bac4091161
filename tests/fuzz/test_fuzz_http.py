"""The API under requests made from its own OpenAPI document, good and bad, and under hand-made hostile ones.

No request is answered with a server's fault; every answer has the shape and the content type that the document says.
"""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from api_world import Api, cloud_event, world
from fuzz.amount import examples
from hypothesis import given
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)

Requests = dict[GenerationMode, st.SearchStrategy[Any]]
CHECKS = [not_a_server_error, response_schema_conformance, content_type_conformance, status_code_conformance]
BODIES = (
    b"",
    b"null",
    b"[]",
    b"{}",
    b"1",
    b'"x"',
    b"{",
    b"\xff\xfe",
    b"[" * 20_000,
    b'{"a":' * 20_000,
    b'{"\\u0000":1}',
    b'{"input":1e999}',
    b'{"type":"waiting","input":{"n":' + b"9" * 5_000 + b"}}",
    b'{"type":"waiting","input":{"n":"\\ud800"}}',
    b'{"type":"waiting","device":"\\ud800"}',
    b'{"type":"waiting","device":"\\u0000"}',
    b'{"type":"waiting","instanceId":"a/b"}',
    b'{"type":"waiting","instanceId":"' + b"x" * 50_000 + b'"}',
    b'{"type":"waiting","input":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    b'{"type":"waiting","version":"' + b"1." * 20_000 + b'"}',
    b" " * 2_000_000,
)
KINDS = (
    "application/json",
    "text/plain",
    "application/cloudevents-batch+json",
    "application/x-ndjson",
    "application/yaml",
    'application/json; charset="\x80',
    "multipart/form-data; boundary=",
    "",
    "application/json;" + "a" * 3_000,
)
POSTS = (
    "/events",
    "/workflows",
    "/workflows/{instance}/events/Go",
    "/workflows/{instance}/cancel",
    "/callbacks/abc",
    "/callbacks/0.abc.def",
    "/definitions",
    "/definitions/validate",
    "/dead-letters/0-1/replay",
    "/dead-letters/1-1/discard",
)
PATHS = (
    "//events",
    "/events/",
    "/events/%2e%2e",
    "/workflows/%00",
    "/workflows/a%0d%0ab",
    "/devices/" + "x" * 5_000,
    "/devices/%ed%a0%80",
    "/devices/%ff",
    "/workflows/é😀",
    "/workflows/{instance}/history?limit=1&limit=2",
    "/workflows/{instance}/history?cursor=99999999999999999999",
    "/workflows?limit=99999999999999999999",
    "/workflows?cursor=%00",
    "/workflows?cursor=" + "a" * 3_000,
    "/workflows?createdFrom=0000",
    "/workflows?device=%00",
    "/workflows?status=running&status=failed",
    "/events/1?source=%00",
    "/dead-letters/18446744073709551616-0",
    "/dead-letters/-",
    "/dead-letters/%2B",
    "/dead-letters/0:1-1",
    "/dead-letters?cursor=0-0",
    "/devices?cursor=99999",
    "/devices/sensor-7/events?cursor=-1",
    "/definitions/waiting/graph?format=svg&theme=x",
)
HEADERS = (
    {"content-length": "-1"},
    {"authorization": "\x80"},
    {"authorization": "Bearer " + "x" * 50_000},
    {"accept": "*/*;q=x"},
    {"x-forwarded-for": "a" * 5_000},
    {"content-encoding": "gzip"},
    {"ce-id": "\x01", "ce-type": "y", "ce-source": "z"},
    {"idempotency-key": "\x80"},
    {"if-none-match": "\x80"},
    {"host": "\x80"},
    {"transfer-encoding": "gzip"},
)


@pytest.fixture(scope="module")
def client() -> Iterator[Api]:
    with world() as found:
        yield found


@pytest.fixture(scope="module")
def instance(client: Api) -> str:
    """An instance that is there, so that not every id is unknown."""
    client.post("/events", cloud_event())
    client.post("/workflows", {"type": "waiting", "instanceId": "hostile-1", "input": {}})
    return "hostile-1"


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["good", "bad"])
@examples(40)
@given(data=st.data())
def test_every_answer_to_a_made_request_is_as_the_document_says(
    client: Api, instance: str, made_requests: Requests, mode: GenerationMode, data: st.DataObject
) -> None:
    made = data.draw(made_requests[mode])
    if data.draw(st.booleans()) and "instance" in (made.path_parameters or {}):
        made.path_parameters["instance"] = instance
    answer = sent(client, made)
    if answer is not None:
        check_kind(answer)
        made.validate_response(answer, checks=CHECKS)


@pytest.mark.parametrize("path", POSTS)
def test_no_body_of_any_kind_is_too_much(client: Api, instance: str, path: str) -> None:
    for body in BODIES:
        for kind in KINDS if len(body) < 100 else KINDS[:1]:
            headers = {b"content-type": kind.encode("latin-1")}
            check_kind(client.request("POST", path.format(instance=instance), content=body, headers=headers))


def test_no_path_query_header_or_method_is_too_much(client: Api, instance: str) -> None:
    for path in PATHS:
        check_kind(client.get(path.format(instance=instance)))
    for headers in HEADERS:
        raw = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
        check_kind(client.request("POST", "/events", content=b'{"a":1}', headers=raw))
        check_kind(client.request("GET", "/workflows", headers=raw))
    for method in ("PUT", "PATCH", "DELETE", "TRACE", "OPTIONS", "CONNECT", "FOO"):
        for path in ("/events", "/workflows", "/definitions/x", "/nowhere", "/"):
            check_kind(client.request(method, path))


def check_kind(answer: httpx.Response) -> None:
    """Not a server's fault; that an error is a problem document, the client checks itself."""
    assert answer.status_code < 500, answer.text


@pytest.fixture(scope="module")
def made_requests(client: Api) -> Requests:
    """Requests to any operation, by what they are to be."""
    return {
        mode: st.one_of(*strategies(client, mode))
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    }


def strategies(client: Api, mode: GenerationMode) -> list[st.SearchStrategy[Any]]:
    """How requests to each operation are made; operations of which nothing bad can be made are left out of those."""
    schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    found = []
    for each in schema.get_all_operations():
        operation = each.ok()  # type: ignore[union-attr]  # our document has no operation that cannot be read
        takes = operation.body or operation.query or "instance" in operation.path
        if mode is GenerationMode.POSITIVE or takes:
            found.append(operation.as_strategy(generation_mode=mode))
    return found


def sent(client: Api, made: Any) -> httpx.Response | None:
    """The answer; None where no HTTP client would send such a request."""
    request = made.as_transport_kwargs(base_url="http://127.0.0.1:8080")
    options = {name: request[name] for name in ("headers", "params", "json", "cookies") if request.get(name)}
    content = request.get("data")
    if content is not None:
        options["content"] = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    try:
        return client.request(request["method"], request["url"], **options)
    except (httpx.InvalidURL, UnicodeEncodeError):
        return None
