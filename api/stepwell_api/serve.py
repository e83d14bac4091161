"""Serving the API with uvicorn: where it may listen, and what a client gets whose HTTP is not HTTP.

Without keys only a loopback address is served; nothing else stands between a network and the engine.
"""

import logging
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack
from types import FrameType

import orjson
import uvicorn
from stepwell_schemas.hosts import is_loopback
from stepwell_schemas.settings import Settings
from stepwell_store.open import open_store
from stepwell_store.protocol import Store
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from stepwell_api.app import create_app
from stepwell_api.problems import MEDIA_TYPE

log = logging.getLogger("stepwell.api")

BACKLOG = 2048
KEEP_ALIVE_SECONDS = 30
SHUTDOWN_SECONDS = 10
STORE_SECONDS = 5.0
"""A request waits this long for a reply of the store; then it is answered 503."""


class AddressRefused(ValueError):
    """The API may not be served at the configured address, or it cannot be had."""


class ProblemHttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP, but what it refuses itself is a problem document like every other error."""

    def send_400_response(self, msg: str) -> None:
        """Answer a request that is not HTTP (or two framings at once), and close."""
        problem = {"type": "about:blank", "title": "Bad request", "status": 400, "detail": msg}
        body = orjson.dumps(problem)
        head = (
            f"HTTP/1.1 400 Bad Request\r\ncontent-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


def serve(
    settings: Settings, *, store: Store | None = None, started: Callable[[str], None] | None = None
) -> None:
    """Serve until the process is told to stop (SIGINT, SIGTERM).

    `started` gets the address once requests are taken. Raises AddressRefused; without `store` opens its own.
    """
    check_address(settings)
    with ExitStack() as closing:
        if store is None:
            store = open_store(settings, STORE_SECONDS)
            closing.callback(store.close)
        listener = closing.enter_context(listen(settings))
        server = make_server(settings, store, started=started, address=address_of(listener))
        server.run(sockets=[listener])


def check_address(settings: Settings) -> None:
    """Raises AddressRefused for an address others can reach while there are no keys."""
    if settings.api_keys or is_loopback(settings.api_host):
        return
    raise AddressRefused(
        f"the API has no keys, so it is served on this machine only, not on {settings.api_host!r}; "
        f"set STEPWELL_API_KEYS=<key>=admin (roles: admin, operator, publisher, reader), "
        f"or STEPWELL_API_HOST=127.0.0.1"
    )


def listen(settings: Settings) -> socket.socket:
    """The listening socket; a port of 0 takes a free one. Raises AddressRefused."""
    host, port = settings.api_host.strip("[]"), settings.api_port
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise AddressRefused(f"cannot listen on {host} port {port}: {error}") from error


def address_of(listener: socket.socket) -> str:
    """`http://127.0.0.1:8080` of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def make_server(
    settings: Settings, store: Store, *, started: Callable[[str], None] | None = None, address: str = ""
) -> uvicorn.Server:
    """A uvicorn server over the store, not yet running."""
    config = uvicorn.Config(
        create_app(settings, store),
        http=ProblemHttpProtocol,
        loop="uvloop",
        lifespan="on",
        log_level=settings.log_level,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the rate limit goes by the peer, not by what a header claims
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    return _AnnouncingServer(config, started, address)


class _AnnouncingServer(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, started: Callable[[str], None] | None, address: str) -> None:
        super().__init__(config)
        self._announce = started
        self._address = address

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal is a wish to stop: `serve` then returns, so that the store is closed; a second SIGINT hurries."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Announce the address once requests are taken."""
        await super().startup(sockets)
        if self.started:
            log.info("the API takes requests at %s", self._address)
            if self._announce is not None:
                self._announce(self._address)
