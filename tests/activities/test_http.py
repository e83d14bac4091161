"""The built-in `http.request`, `notify` and `workflow.validate`: what goes out, and what must not."""

import http.server
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from activity_world import offer, reported
from stepwell_activities.builtin import builtin_registry
from stepwell_activities.builtin import http as http_activity
from stepwell_activities.job import perform
from stepwell_activities.runtime import new_runtime
from stepwell_schemas.settings import Settings
from stepwell_store.memory_store import MemoryStore

Call = Callable[..., dict[str, Any]]


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by path; remembers what it was asked."""

    def answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length).decode()
        self.server.seen.append((self.command, self.path, dict(self.headers.items()), body))  # type: ignore[attr-defined]
        status, headers, content = (
            200,
            {"content-type": "application/json"},
            json.dumps({"got": body}).encode(),
        )
        path = self.path.partition("?")[0]
        if path.startswith("/status/"):
            status = int(path.rpartition("/")[2])
        elif path == "/away":
            status, headers = 302, {"location": "http://elsewhere.invalid/secret"}
        elif path == "/moved":
            status, headers = 301, {"location": "/there"}
        elif path == "/round":
            status, headers = 302, {"location": "/round"}
        elif path == "/large":
            content = b"x" * (http_activity.MAX_RESPONSE_BYTES + 1)
        elif path == "/wrong":
            content = b"not json"
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


for method in ("GET", "POST", "PUT", "DELETE", "HEAD"):
    setattr(Handler, f"do_{method}", Handler.answer)


@pytest.fixture
def server() -> Iterator[http.server.ThreadingHTTPServer]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.seen = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def place(server: http.server.ThreadingHTTPServer) -> str:
    return f"127.0.0.1:{server.server_port}"


@pytest.fixture(autouse=True)
def _no_connection_is_left() -> Iterator[None]:
    yield
    http_activity._client.cache_clear()


def run(
    allow: list[str], input: dict[str, Any], activity: str = "http.request", **changes: Any
) -> dict[str, Any]:
    store = MemoryStore("test", 4)
    runtime = new_runtime(Settings(http_allow=allow), store, builtin_registry())
    [token] = offer(store, activity, input, **changes)
    perform(runtime, 0, token)
    runtime.close()
    record: dict[str, Any] = reported(store)[-1]["record"]
    return record


def test_an_allowed_host_is_called_with_body_query_and_key(server: Any, place: str) -> None:
    call = {"url": f"http://{place}/a", "method": "POST", "body": {"n": 1}, "query": {"q": "x y"}}
    record = run([place], call, idempotencyKey="k1")
    assert record["output"]["status"] == 200
    assert record["output"]["body"] == {"got": '{"n":1}'}
    [(method, path, headers, _)] = server.seen
    assert (method, path.replace("%20", "+")) == ("POST", "/a?q=x+y")
    assert headers["idempotency-key"] == "k1"
    assert headers["host"] == place


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_trouble_over_there_is_worth_a_retry(place: str, status: int) -> None:
    record = run([place], {"url": f"http://{place}/status/{status}"})
    assert (record["error"], record["retryable"]) == ("HttpError", True)
    assert f"answered {status}" in record["cause"]


@pytest.mark.parametrize("status", [400, 404, 409])
def test_a_refusal_is_named_by_its_status_and_not_retried(place: str, status: int) -> None:
    record = run([place], {"url": f"http://{place}/status/{status}"})
    assert (record["error"], record["retryable"]) == (f"HttpError.{status}", False)


def test_a_host_that_is_not_listed_is_refused_with_what_is_allowed() -> None:
    record = run(["api.example.com"], {"url": "http://other.example.com/"})
    assert (record["error"], record["retryable"]) == ("HttpNotAllowed", False)
    assert "other.example.com:80" in record["cause"]
    assert "api.example.com" in record["cause"]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/", "no url", "http:///x"])
def test_other_schemes_are_refused(url: str) -> None:
    assert run(["*"], {"url": url})["error"] == "HttpNotAllowed"


def test_a_listed_port_is_not_any_port(server: Any, place: str) -> None:
    assert run(["127.0.0.1:1"], {"url": f"http://{place}/"})["error"] == "HttpNotAllowed"
    assert run(["127.0.0.1"], {"url": f"http://{place}/"})["error"] == "HttpNotAllowed"
    assert server.seen == []


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fe80::1", "::ffff:127.0.0.1", "64:ff9b::a00:1"],
)
def test_a_name_that_leads_inside_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *_, **__: [(family, socket.SOCK_STREAM, 6, "", (address, 80))]
    )
    record = run(["api.example.com"], {"url": "http://api.example.com/"})
    assert record["error"] == "HttpNotAllowed"
    assert "not a public address" in record["cause"]


def test_a_wildcard_takes_names_below_and_not_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("10.0.0.1", 443))])
    below = run(["*.example.com"], {"url": "https://api.example.com/"})
    beside = run(["*.example.com"], {"url": "https://evil-example.com/"})
    assert "not a public address" in below["cause"]
    assert "is not in STEPWELL_HTTP_ALLOW" in beside["cause"]


def test_a_redirect_to_an_unlisted_host_is_refused(place: str) -> None:
    record = run([place], {"url": f"http://{place}/away"})
    assert record["error"] == "HttpNotAllowed"
    assert "elsewhere.invalid" in record["cause"]


def test_a_redirect_within_the_list_is_followed(place: str) -> None:
    record = run([place], {"url": f"http://{place}/moved"})
    assert record["output"]["url"].endswith("/there")


def test_a_redirect_of_a_post_is_the_answer(server: Any, place: str) -> None:
    record = run([place], {"url": f"http://{place}/moved", "method": "POST"})
    assert record["output"]["status"] == 301
    assert len(server.seen) == 1


def test_redirects_end(place: str) -> None:
    assert run([place], {"url": f"http://{place}/round"})["error"] == "HttpError.TooManyRedirects"


def test_a_large_answer_is_refused(place: str) -> None:
    record = run([place], {"url": f"http://{place}/large"})
    assert (record["error"], record["retryable"]) == ("HttpResponseTooLarge", False)


def test_what_only_claims_to_be_json_is_text(place: str) -> None:
    assert run([place], {"url": f"http://{place}/wrong"})["output"]["body"] == "not json"


def test_nobody_there_is_worth_a_retry() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{free.getsockname()[1]}"
        record = run([place], {"url": f"http://{place}/"})
    assert (record["error"], record["retryable"]) == ("HttpError", True)


def test_an_answer_that_does_not_come_is_a_timeout() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        record = run([place], {"url": f"http://{place}/", "timeoutSeconds": 0.05})
    assert (record["error"], record["retryable"]) == ("HttpTimeout", True)


def test_a_notification_goes_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    record = run([], {"message": "no owner", "level": "warning"}, "notify")
    assert record["output"] == {"channel": "log", "status": None}
    assert "no owner" in caplog.text


def test_a_notification_goes_to_an_allowed_webhook(server: Any, place: str) -> None:
    record = run([place], {"message": "hi", "webhook": f"http://{place}/hook"}, "notify", device="lamp")
    assert record["output"] == {"channel": "webhook", "status": 200}
    sent = json.loads(server.seen[0][3])
    assert (sent["message"], sent["device"]) == ("hi", "lamp")
    assert run([], {"message": "hi", "webhook": f"http://{place}/"}, "notify")["error"] == "HttpNotAllowed"


def test_a_definition_is_validated() -> None:
    good = run(
        [],
        {"source": "id: a\nversion: 1.0.0\nstartAt: A\nstates:\n  A: {type: succeed}\n"},
        "workflow.validate",
    )
    assert good["output"]["valid"] is True
    assert (good["output"]["id"], good["output"]["version"]) == ("a", "1.0.0")
    bad = run(
        [], {"source": {"id": "a", "startAt": "B", "states": {"A": {"type": "succeed"}}}}, "workflow.validate"
    )
    assert bad["output"]["valid"] is False
    assert bad["output"]["problems"]
