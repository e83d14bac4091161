"""The HTTP side of the client commands: which server, its answers, and its problems as our failures."""

import getpass
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from stepwell_schemas.hosts import is_loopback

from stepwell_cli.command import settings_with
from stepwell_cli.failures import CommandFailed, NotFound, Unreachable, UsageError
from stepwell_cli.runfile import read_run_file

DEFAULT_URL = "http://127.0.0.1:8080"
TIMEOUT_SECONDS = 30.0
MAX_WAITS = 20
MAX_WAIT_SECONDS = 30.0


class Server:
    """A connection to one Stepwell API."""

    def __init__(self, url: str | None = None, key: str | None = None, data_dir: Path | None = None) -> None:
        """Without a URL, the server that runs on the data folder, else the usual address. Raises UsageError.

        No proxy of the environment comes between this machine and itself.
        """
        running = None if url else _local_url(data_dir)
        self.url = (url or running or DEFAULT_URL).rstrip("/")
        headers = {"X-Actor": _user_name()} | ({"Authorization": f"Bearer {key}"} if key else {})
        try:
            host = httpx.URL(self.url).host
        except (httpx.InvalidURL, ValueError) as error:
            raise UsageError(f"{self.url!r} is not the address of a server: {error}") from None
        try:
            self._client = httpx.Client(
                base_url=self.url,
                headers=headers,
                timeout=TIMEOUT_SECONDS,
                verify=httpx.create_ssl_context(),  # with the environment's certificates, whatever its proxies
                trust_env=not (running or is_loopback(host)),
            )
        except (httpx.InvalidURL, ValueError, ImportError) as error:
            raise UsageError(
                f"a proxy that the environment names cannot be used: {error}",
                ["Correct HTTP_PROXY, HTTPS_PROXY or ALL_PROXY, or name the server's host in NO_PROXY."],
            ) from None
        except OSError as error:
            raise UsageError(
                f"the certificates that the environment names cannot be used: {error}",
                ["Correct SSL_CERT_FILE or SSL_CERT_DIR."],
            ) from None

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, **params: Any) -> Any:
        """The JSON answer of a GET; parameters that are None are left out."""
        return self.request("GET", path, params={k: v for k, v in params.items() if v is not None})

    def post(self, path: str, body: Any = None) -> Any:
        """The JSON answer of a POST of a JSON body."""
        return self.request("POST", path, json=body if body is not None else {})

    def request(self, method: str, path: str, **options: Any) -> Any:
        """The JSON answer. Waits as told where the server asks for patience (429 with Retry-After)."""
        for _ in range(MAX_WAITS):
            response = self._send(method, path, options)
            if response.status_code != httpx.codes.TOO_MANY_REQUESTS:
                break
            time.sleep(_wait_seconds(response))
        if response.is_success:
            return _document(response)
        raise problem_of(response)

    def pages(self, path: str, **params: Any) -> Iterator[Any]:
        """Every page of a list, following the `cursor` in its answers."""
        cursor: str | None = None
        while True:
            page = self.get(path, **params, cursor=cursor)
            yield page
            cursor = page.get("cursor")
            if cursor is None:
                return

    def _send(self, method: str, path: str, options: dict[str, Any]) -> httpx.Response:
        try:
            return self._client.request(method, path, **options)
        except httpx.UnsupportedProtocol as error:
            raise UsageError(f"{self.url!r} is not the address of a server: {error}") from None
        except httpx.TransportError as error:
            raise Unreachable(
                f"No server answers at {self.url} ({error or type(error).__name__}).",
                ["Start one with `stepwell up`, or say where it is with --url or STEPWELL_URL."],
            ) from None


def segment(text: str) -> str:
    """A value as one segment of a path."""
    return quote(text, safe="~")


def problem_of(response: httpx.Response) -> CommandFailed:
    """The failure that a problem+json answer (or any other bad answer) stands for."""
    problem = _document(response)
    if not isinstance(problem, dict):
        problem = {"title": response.reason_phrase or "no title", "detail": str(problem)[:500] or None}
    problem.setdefault("status", response.status_code)
    message = str(problem.get("detail") or problem.get("title") or f"HTTP {response.status_code}")
    details = [_field_problem(item) for item in problem.get("errors") or [] if isinstance(item, dict)]
    kind: type[CommandFailed] = CommandFailed
    match response.status_code:
        case 404:
            kind = NotFound
        case 502 | 503 | 504:
            kind = Unreachable
        case 401:
            details.append("Give an API key with --key or STEPWELL_KEY.")
        case 403:
            details.append("The key's role does not allow this.")
    failure = kind(message, details)
    failure.document = {"error": {**problem, "message": message, "exitCode": failure.exit_code}}
    return failure


def _field_problem(item: dict[str, Any]) -> str:
    place = item.get("pointer") or ""
    return f"{place or '(the body)'}: {item.get('message', '')}"


def _document(response: httpx.Response) -> Any:
    if not response.content:
        return None
    try:
        return response.json()
    except json.JSONDecodeError:
        if response.is_success:
            raise CommandFailed(
                f"{response.url} answered something that is not JSON; is a Stepwell server there?"
            ) from None
        return response.text


def _wait_seconds(response: httpx.Response) -> float:
    asked = response.headers.get("Retry-After", "1")
    return min(float(asked), MAX_WAIT_SECONDS) if asked.isdigit() else 1.0


def _user_name() -> str:
    """Who sits here, for the audit; a header takes ASCII only."""
    try:
        return getpass.getuser().encode("ascii", "replace").decode()
    except (OSError, KeyError):  # a user id without a name, as in some containers
        return "unknown"


def _local_url(data_dir: Path | None) -> str | None:
    found = read_run_file(data_dir or settings_with().data_dir)
    return found.url if found else None
