"""The gate before every request, as plain ASGI: host, key, rate and size, then the last net for errors.

Without keys only pages of this machine may talk to us: the Host and Origin headers are checked, so that a
foreign page in a local browser (DNS rebinding, cross-site posts) gets nothing.
"""

import asyncio
import math
import time
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from stepwell_schemas.hosts import is_loopback
from stepwell_schemas.settings import Settings

from stepwell_api.access import SCOPE_KEY, Caller, KeyRing
from stepwell_api.problems import ProblemRaised, problem_response, unexpected
from stepwell_api.rate import TokenBuckets

ANSWER_SECONDS = 20.0
TOO_LATE = (
    f"no answer within {ANSWER_SECONDS:g} s: the store is slow or away, and others wait for it too; "
    "whether this was done is not known, so repeat it with the same ids"
)
LATER = {"retry-after": "5"}
UNLIMITED = ("/health/live", "/health/ready")


class Gate:
    """Wraps the application."""

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        monotonic_seconds: Callable[[], float] = time.monotonic,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        """A request that has come in whole is answered within `answer_seconds`, whatever it waits for."""
        self._answer_seconds = answer_seconds
        self._late: set[asyncio.Task[None]] = set()
        self._app = app
        self._keys = KeyRing(settings.api_keys)
        self._max_body_bytes = settings.max_body_bytes
        self._monotonic_seconds = monotonic_seconds
        limit = settings.rate_limit_per_second
        self._buckets = TokenBuckets(limit) if limit else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = given_up = False
        clock: asyncio.TimerHandle | None = None
        loop = asyncio.get_running_loop()

        async def noting_send(message: Message) -> None:
            nonlocal begun
            if not given_up:
                begun = True
                await send(message)

        def give_up() -> None:
            nonlocal given_up
            if not begun:
                given_up = True
                answer = problem_response(ProblemRaised(503, TOO_LATE, headers=LATER), scope["path"])
                task = loop.create_task(answer(scope, receive, send))
                self._late.add(task)
                task.add_done_callback(self._late.discard)

        def received() -> None:
            nonlocal clock
            clock = clock or loop.call_later(self._answer_seconds, give_up)

        try:
            self._admit(scope)
            if not _has_body(scope):
                received()
            await self._app(scope, _limited(receive, self._max_body_bytes, received), noting_send)
        except Exception as error:  # noqa: BLE001 - the last net: an error of ours is logged and answered
            problem = error if isinstance(error, ProblemRaised) else unexpected(error)
            if not begun and not given_up:
                await problem_response(problem, scope["path"])(scope, receive, send)
        finally:
            if clock is not None:
                clock.cancel()

    def _admit(self, scope: Scope) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if not self._keys:
            _check_local(headers)
        client = scope["client"][0] if scope.get("client") else "local"
        try:
            caller = self._keys.identify(scope)
        except ProblemRaised:
            self._take(scope, f"ip:{client}")
            raise
        scope[SCOPE_KEY] = caller
        self._take(scope, _bucket_of(caller, client))
        _check_framing(headers, self._max_body_bytes)

    def _take(self, scope: Scope, bucket: str) -> None:
        if self._buckets is None or scope["path"] in UNLIMITED:
            return
        wait = self._buckets.wait_seconds(bucket, self._monotonic_seconds())
        if wait:
            raise ProblemRaised(
                429, "too many requests; slow down", headers={"retry-after": str(math.ceil(wait))}
            )


def _bucket_of(caller: Caller, client: str) -> str:
    return f"ip:{client}" if caller.name in ("local", "anonymous") else caller.name


def _check_local(headers: dict[bytes, bytes]) -> None:
    host = headers.get(b"host", b"").decode("latin-1")
    if not _names_this_machine(host):
        raise ProblemRaised(
            421,
            f"this API has no keys and answers only to this machine's own names (localhost, 127.0.0.1); "
            f"the request is for {host[:100]!r}",
        )
    origin = headers.get(b"origin", b"").decode("latin-1")
    if origin and not _names_this_machine(origin.partition("://")[2]):
        raise ProblemRaised(403, f"pages of {origin[:100]!r} may not use this API; configure API keys")
    if headers.get(b"sec-fetch-site") == b"cross-site":
        raise ProblemRaised(403, "pages of other sites may not use this API; configure API keys")


@lru_cache(maxsize=64)
def _names_this_machine(authority: str) -> bool:
    try:
        return is_loopback(urlsplit(f"//{authority}").hostname or "")
    except ValueError:
        return False


def _check_framing(headers: dict[bytes, bytes], max_body_bytes: int) -> None:
    encoding = headers.get(b"content-encoding", b"identity").lower()
    if encoding not in (b"", b"identity"):
        raise ProblemRaised(
            415, f"content-encoding {encoding[:40].decode('latin-1')!r} is not taken; send it plain"
        )
    length = headers.get(b"content-length")
    if length is None:
        return
    if not length.isdigit() or len(length) > 18:
        raise ProblemRaised(400, "Content-Length is not a number of bytes", headers={"connection": "close"})
    if b"transfer-encoding" in headers:
        raise ProblemRaised(
            400, "Content-Length and Transfer-Encoding exclude each other", headers={"connection": "close"}
        )
    if int(length) > max_body_bytes:
        raise _too_large(max_body_bytes, f"the body has {int(length)} bytes")


def _has_body(scope: Scope) -> bool:
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])


def _limited(receive: Receive, max_body_bytes: int, received: Callable[[], None]) -> Receive:
    taken = 0

    async def limited() -> Message:
        nonlocal taken
        message = await receive()
        if message["type"] == "http.request":
            taken += len(message.get("body", b""))
            if taken > max_body_bytes:
                raise _too_large(max_body_bytes, "the body goes on")
            if not message.get("more_body", False):
                received()
        return message

    return limited


def _too_large(max_body_bytes: int, found: str) -> ProblemRaised:
    return ProblemRaised(
        413,
        f"{found}; at most {max_body_bytes} bytes are taken",
        headers={"connection": "close"},
        maxBodyBytes=max_body_bytes,
    )
