"""The API behind a real server: what HTTP itself allows, hostile framing, where it may listen, how it stops."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import orjson
import pytest
from api_world import at_door, check_problem, cloud_event, settings
from stepwell_api.serve import AddressRefused, address_of, check_address, listen, make_server, serve
from stepwell_store.memory_store import MemoryStore


@contextmanager
def served(store: MemoryStore, **changes: Any) -> Iterator[str]:
    """A server on a free port, in a thread; its address."""
    chosen = settings(api_port=0, **changes)
    listener = listen(chosen)
    ready = threading.Event()
    server = make_server(chosen, store, started=lambda _: ready.set(), address=address_of(listener))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        assert ready.wait(30)
        yield address_of(listener)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def raw(address: str, request: bytes, *, half_close: bool = False) -> bytes:
    """What the server sends for these bytes, until it closes or has sent one answer."""
    host, _, port = address.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(request)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := connection.recv(65_536):
            received += chunk
            if is_whole(received):
                break
        return received


def is_whole(received: bytes) -> bool:
    head, mark, body = received.partition(b"\r\n\r\n")
    length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
    return bool(mark) and length.isdigit() and len(body) >= int(length)


def problem_of(answer: bytes) -> dict[str, Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head.lower(), answer
    problem: dict[str, Any] = orjson.loads(body)
    assert head.startswith(f"HTTP/1.1 {problem['status']} ".encode())
    return problem


EVENT = orjson.dumps(cloud_event("1"))


def post(*headers: str, body: bytes = EVENT) -> bytes:
    return (
        "\r\n".join(["POST /events HTTP/1.1", "host: 127.0.0.1", *headers, "", ""]).encode("latin-1") + body
    )


def test_events_are_taken_over_a_real_connection() -> None:
    store = MemoryStore("test", 2)
    with served(store) as address, httpx.Client(base_url=address) as client:
        answers = [client.post("/events", json=cloud_event(str(number))) for number in range(20)]
        assert {answer.status_code for answer in answers} == {202}
        assert [event["id"] for event in at_door(store)] == [str(number) for number in range(20)]
        assert client.get("/health/live").json()["status"] == "ok"


def test_pipelined_requests_are_answered_in_order() -> None:
    store = MemoryStore("test", 2)
    request = post(f"content-length: {len(EVENT)}")
    with served(store) as address:
        answers = raw(
            address, request * 3 + b"GET /nope HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n"
        )
        assert answers.startswith(b"HTTP/1.1 202")


HOSTILE: list[tuple[str, bytes]] = [
    ("no HTTP", b"\x16\x03\x01\x02\x00hello\r\n\r\n"),
    ("a bad method", b"P\x00ST /events HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"),
    ("two lengths", post("content-length: 3", f"content-length: {len(EVENT)}")),
    (
        "length and chunks",
        post(f"content-length: {len(EVENT)}", "transfer-encoding: chunked", body=b"0\r\n\r\n"),
    ),
    ("hidden chunks", post("transfer-encoding: xchunked", f"content-length: {len(EVENT)}")),
    ("a space before the colon", post(f"content-length : {len(EVENT)}")),
    ("a bare line feed in a header", b"POST /events HTTP/1.1\r\nhost: 127.0.0.1\r\nx: a\x00b\r\n\r\n"),
    ("a negative length", post("content-length: -1")),
    ("a length with a sign", post("content-length: +5")),
    ("a bad chunk", post("transfer-encoding: chunked", body=b"zz\r\n{}\r\n0\r\n\r\n")),
    ("a huge chunk", post("transfer-encoding: chunked", body=b"fffffffffffffffff\r\n")),
    ("no host", b"POST /events HTTP/1.1\r\ncontent-length: 0\r\n\r\n"),
]


@pytest.mark.parametrize("request_bytes", [case[1] for case in HOSTILE], ids=[case[0] for case in HOSTILE])
def test_hostile_framing_is_refused_with_a_problem_and_nothing_is_taken(request_bytes: bytes) -> None:
    store = MemoryStore("test", 2)
    with served(store) as address:
        problem = problem_of(raw(address, request_bytes))
        assert 400 <= problem["status"] < 500
        assert at_door(store) == []
        assert httpx.post(f"{address}/events", json=cloud_event()).status_code == 202


def test_a_body_cut_off_takes_nothing() -> None:
    store = MemoryStore("test", 2)
    with served(store) as address:
        raw(address, post(f"content-length: {len(EVENT) + 10}"), half_close=True)
        assert httpx.get(f"{address}/health/live").status_code == 200
        assert at_door(store) == []


def test_a_body_announced_too_large_is_refused_before_it_is_sent() -> None:
    with served(MemoryStore("test", 2), max_body_bytes=2_000) as address:
        problem = problem_of(raw(address, post("content-length: 999999999", body=b"")))
        assert problem["status"] == 413


def test_an_endless_chunked_body_is_refused_at_the_limit() -> None:
    store = MemoryStore("test", 2)
    chunk = b"400\r\n" + b" " * 1024 + b"\r\n"
    with served(store, max_body_bytes=4_096) as address:
        problem = problem_of(raw(address, post("transfer-encoding: chunked", body=chunk * 8)))
        assert problem["status"] == 413


def test_a_forwarded_header_does_not_make_another_caller() -> None:
    with served(MemoryStore("test", 2), rate_limit_per_second=3) as address, httpx.Client() as client:
        answers = [
            client.get(f"{address}/workflows", headers={"x-forwarded-for": f"10.0.0.{number}"})
            for number in range(20)
        ]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused
        check_problem(refused[0])


def test_the_server_does_not_say_what_it_is_made_of() -> None:
    with served(MemoryStore("test", 2)) as address:
        assert "server" not in httpx.get(f"{address}/").headers


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org", "192.168.1.5"])
def test_without_keys_a_public_address_is_refused_before_anything_is_opened(host: str) -> None:
    with pytest.raises(AddressRefused, match="STEPWELL_API_KEYS"):
        serve(settings(api_host=host), store=MemoryStore("test", 2))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]"])
def test_without_keys_a_loopback_address_is_allowed(host: str) -> None:
    check_address(settings(api_host=host))


def test_with_keys_a_public_address_is_allowed() -> None:
    check_address(settings(api_host="0.0.0.0", api_keys={"k": "admin"}))


def test_a_port_in_use_is_told() -> None:
    with listen(settings(api_port=0)) as taken, pytest.raises(AddressRefused, match="cannot listen"):
        listen(settings(api_port=taken.getsockname()[1]))


def test_a_host_that_cannot_be_found_is_told() -> None:
    with pytest.raises(AddressRefused, match="cannot listen"):
        listen(settings(api_host="no such host", api_port=0))
