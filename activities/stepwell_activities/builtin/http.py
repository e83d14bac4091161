"""`http.request`: calls other systems, only those that the setting `http_allow` names.

An entry is `host`, `*.domain` (ports 80 and 443) or `host:port`. The name is resolved once per hop, every address
is checked, and the call goes to that address: a name that changes its mind reaches nothing. Private, loopback and
link-local addresses need an entry `host:port`. Retries are the workflow's business.
"""

import ipaddress
import os
import socket
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Literal

import httpx
import orjson
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from stepwell_schemas.settings import Settings

from stepwell_activities.context import ActivityContext
from stepwell_activities.decorator import activity
from stepwell_activities.errors import ActivityError, NonRetryable

MAX_REQUEST_BYTES = 1024 * 1024
MAX_RESPONSE_BYTES = 900 * 1024
MAX_REDIRECTS = 5
SHOWN_BYTES = 2_000
DEFAULT_PORTS = {"http": 80, "https": 443}

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class HttpRequest(BaseModel):
    """What `http.request` takes. `body` is sent as JSON, `text` as it is."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True)

    url: str = Field(min_length=1, max_length=8_192)
    method: Method = "GET"
    headers: dict[str, str] = Field(default_factory=dict)
    query: dict[str, str | int | float | bool] = Field(default_factory=dict)
    body: Any = None
    text: str | None = None
    timeout_seconds: Annotated[float, Field(gt=0, le=3_600)] = 120


class HttpResponse(BaseModel):
    """The answer. `body` is parsed where the other side calls it JSON, else text."""

    status: int
    headers: dict[str, str]
    body: Any
    url: str


@activity("http.request", timeout="PT2M10S")
def request(call: HttpRequest, context: ActivityContext) -> HttpResponse:
    """Call another system over HTTP.

    500 and above, 408 and 429 are HttpError and worth a retry; other 4xx are HttpError.<status> and are not.
    A GET or HEAD follows redirects to allowed hosts; any other redirect is the answer.
    """
    return send(call, context.settings, context.idempotency_key)


def send(call: HttpRequest, settings: Settings, idempotency_key: str) -> HttpResponse:
    """One call with all its checks. Raises ActivityError."""
    content, headers = _content(call)
    headers = {**headers, **{name.lower(): value for name, value in call.headers.items()}}
    if call.method not in ("GET", "HEAD", "OPTIONS"):
        headers.setdefault("idempotency-key", idempotency_key)
    url = _url(call.url)
    if call.query:
        url = url.copy_merge_params(call.query)
    deadline = time.monotonic() + call.timeout_seconds
    for _ in range(MAX_REDIRECTS + 1):
        address = _checked_address(url, settings)
        answer = _exchange(call.method, url, address, headers, content, deadline)
        location = answer.headers.get("location")
        if (
            answer.status not in (301, 302, 303, 307, 308)
            or call.method not in ("GET", "HEAD")
            or not location
        ):
            return _judged(call.method, answer)
        target = url.join(location)
        if (target.host, _port(target)) != (url.host, _port(url)) or target.scheme != url.scheme:
            headers = {
                name: value for name, value in headers.items() if name not in ("authorization", "cookie")
            }
        url = target
    raise NonRetryable("HttpError.TooManyRedirects", f"more than {MAX_REDIRECTS} redirects from {call.url}")


def _exchange(
    method: str, url: httpx.URL, address: str, headers: dict[str, str], content: bytes | None, deadline: float
) -> HttpResponse:
    left = max(deadline - time.monotonic(), 0.001)
    prepared = httpx.Request(
        method,
        url.copy_with(host=address, fragment=None),
        headers={**headers, "host": url.netloc.decode().rpartition("@")[2]},
        content=content,
        extensions={"timeout": httpx.Timeout(left).as_dict(), "sni_hostname": url.host},
    )
    try:
        response = _client(os.getpid()).send(prepared, stream=True)
        try:
            body = _read(response, url, deadline)
        finally:
            response.close()
    except httpx.TimeoutException as error:
        raise ActivityError("HttpTimeout", f"{method} {_shown(url)}: no answer in time ({error})") from error
    except httpx.HTTPError as error:
        raise ActivityError(
            "HttpError", f"{method} {_shown(url)}: {type(error).__name__}: {error}"
        ) from error
    return HttpResponse(
        status=response.status_code,
        headers=dict(response.headers),
        body=_parsed(response, body),
        url=_shown(url),
    )


def _read(response: httpx.Response, url: httpx.URL, deadline: float) -> bytes:
    parts, size = [], 0
    for part in response.iter_bytes():
        size += len(part)
        if size > MAX_RESPONSE_BYTES:
            raise NonRetryable(
                "HttpResponseTooLarge", f"{_shown(url)} answered more than {MAX_RESPONSE_BYTES} bytes"
            )
        if time.monotonic() > deadline:
            raise ActivityError("HttpTimeout", f"{_shown(url)}: the answer did not end in time")
        parts.append(part)
    return b"".join(parts)


def _judged(method: str, answer: HttpResponse) -> HttpResponse:
    if answer.status < 400:
        return answer
    body = answer.body if isinstance(answer.body, str) else orjson.dumps(answer.body).decode()
    cause = f"{method} {answer.url} answered {answer.status}: {body[:SHOWN_BYTES]}"
    if answer.status >= 500 or answer.status in (408, 429):
        raise ActivityError("HttpError", cause)
    raise NonRetryable(f"HttpError.{answer.status}", cause)


def _content(call: HttpRequest) -> tuple[bytes | None, dict[str, str]]:
    if call.body is not None and call.text is not None:
        raise NonRetryable("InvalidInput", "give `body` (JSON) or `text`, not both")
    if call.body is not None:
        content, kind = orjson.dumps(call.body), "application/json"
    elif call.text is not None:
        content, kind = call.text.encode(), "text/plain; charset=utf-8"
    else:
        return None, {}
    if len(content) > MAX_REQUEST_BYTES:
        raise NonRetryable(
            "HttpRequestTooLarge", f"the body has {len(content)} bytes, not {MAX_REQUEST_BYTES}"
        )
    return content, {"content-type": kind}


def _parsed(response: httpx.Response, body: bytes) -> Any:
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and (kind == "application/json" or kind.endswith("+json")):
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            pass  # the other side calls it JSON and it is not: the text is all there is
    return body.decode(response.charset_encoding or "utf-8", "replace") if body else None


def _url(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise NonRetryable("HttpNotAllowed", f"'{text[:200]}' is not a URL: {error}") from error
    return url


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry of the allow-list. `port` None stands for the scheme's own."""

    host: str
    port: int | None


def _checked_address(url: httpx.URL, settings: Settings) -> str:
    """The address to connect to. Raises NonRetryable where the host or its address is not allowed."""
    if url.scheme not in DEFAULT_PORTS or not url.host:
        raise NonRetryable("HttpNotAllowed", f"'{_shown(url)}' is not an http or https URL with a host")
    port = _port(url)
    entry = next((entry for entry in map(_entry, settings.http_allow) if _matches(entry, url, port)), None)
    if entry is None:
        allowed = ", ".join(settings.http_allow) or "none"
        raise NonRetryable(
            "HttpNotAllowed",
            f"{url.host}:{port} is not in STEPWELL_HTTP_ALLOW (allowed: {allowed}); "
            "name it as host, *.domain or host:port",
        )
    try:
        found = socket.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ActivityError("HttpError", f"{url.host} cannot be resolved: {error}") from error
    addresses = [str(item[4][0]) for item in found]
    if entry.port is None:
        for address in addresses:
            if not _is_public(address):
                raise NonRetryable(
                    "HttpNotAllowed",
                    f"{url.host} is {address}, which is not a public address; if that is meant, "
                    f"put {url.host}:{port} into STEPWELL_HTTP_ALLOW",
                )
    return addresses[0]


def _entry(text: str) -> _Entry:
    host, colon, port = text.rpartition(":")
    if colon and port.isdigit() and not host.endswith(":"):
        return _Entry(host.strip("[]").lower(), int(port))
    return _Entry(text.strip("[]").lower(), None)


def _matches(entry: _Entry, url: httpx.URL, port: int) -> bool:
    host = url.host.lower().rstrip(".")
    named = host.endswith(entry.host[1:]) if entry.host.startswith("*.") else host == entry.host
    return named and port == (DEFAULT_PORTS[url.scheme] if entry.port is None else entry.port)


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is not None and not inner.is_global:
            return False
        if address in ipaddress.ip_network("64:ff9b::/96"):  # IPv4 behind NAT64
            return _is_public(str(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)))
    return address.is_global and not address.is_multicast


def _port(url: httpx.URL) -> int:
    return url.port or DEFAULT_PORTS.get(url.scheme, 0)


def _shown(url: httpx.URL) -> str:
    """Without password and query, which may hold secrets."""
    return str(url.copy_with(username="", password="", query=None, fragment=None))


@lru_cache(maxsize=2)
def _client(pid: int) -> httpx.Client:
    """One client per process. No proxies of the environment: they would go around the checks."""
    return httpx.Client(
        trust_env=False, follow_redirects=False, limits=httpx.Limits(max_keepalive_connections=20)
    )
