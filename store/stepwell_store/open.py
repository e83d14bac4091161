"""Opening a store, or a connection for RQ, from an address. The only place that knows the forms of addresses.

Connections never repeat a command by themselves: a repeat whose first reply was lost would write twice.
"""

import socket
import time
from collections.abc import Callable
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.connection import UnixDomainSocketConnection
from redis.exceptions import BusyLoadingError, RedisError
from redis.retry import Retry
from redis.sentinel import Sentinel
from stepwell_schemas.settings import Settings

from stepwell_store.embedded import EmbeddedServer
from stepwell_store.errors import StoreUnavailable
from stepwell_store.protocol import Store
from stepwell_store.redis_store import RedisStore

FORMS = (
    "redis://[user:password@]host[:port][/db]",
    "rediss://[user:password@]host[:port][/db]",
    "unix:///path/to/socket[?db=0]",
    "redis+sentinel://[user:password@]host[:port][,host[:port]...]/service[/db][?sentinel_password=...]",
    "rediss+sentinel://... (the same over TLS)",
)
SOCKET_SECONDS = 30.0
CONNECT_SECONDS = 5.0
SENTINEL_PORT = 26379
LOADING_SECONDS = 600.0
POLL_SECONDS = 0.1
SEND_BUFFER_BYTES = 4 * 1_048_576


def open_store(settings: Settings, socket_seconds: float = SOCKET_SECONDS) -> Store:
    """The store of these settings: `store_url`, or the embedded server of `data_dir`, started if need be.

    `socket_seconds` bounds the wait for a reply. Raises StoreUnavailable, LayoutMismatch, and ValueError for an
    address that is none.
    """
    if settings.store_url is not None and urlsplit(settings.store_url).scheme == "memory":
        # For tests: no process of an installation loads it.
        from stepwell_store.memory_store import MemoryStore

        return MemoryStore(settings.namespace, settings.partitions)
    url = store_url(settings)
    client = open_redis(url, socket_seconds)
    _wait_while_loading(client)
    try:
        return RedisStore(client, settings.namespace, settings.partitions)
    except StoreUnavailable as error:
        raise StoreUnavailable(f"{without_password(url)}: {error}") from error


def _wait_while_loading(client: Redis) -> None:
    """A server that has been started again reads its files first: it is on its way, not away."""
    until = time.monotonic() + LOADING_SECONDS
    while time.monotonic() < until:
        try:
            client.ping()
        except BusyLoadingError:
            time.sleep(POLL_SECONDS)
        except RedisError:
            return  # said in the store's own words by whoever opens it
        else:
            return


def store_url(settings: Settings) -> str:
    """The store's address; starts the embedded server where the settings name none."""
    return settings.store_url or EmbeddedServer(settings.data_dir, settings.durability).start()


def queue_url(settings: Settings) -> str:
    """The address of RQ's Redis: `queue_url`, or the store's. Raises ValueError for a store in memory without one."""
    url = settings.queue_url or store_url(settings)
    if urlsplit(url).scheme == "memory":
        raise ValueError("a store in memory has no queue for RQ; set queue_url, or another store_url")
    return url


def open_redis(url: str, socket_seconds: float = SOCKET_SECONDS) -> Redis:
    """A client of a Redis address, with replies as bytes. Raises ValueError for an address that is none."""
    parts = urlsplit(url)
    match parts.scheme:
        case "redis" | "rediss" | "unix":
            client = _open_direct(url, socket_seconds)
        case "redis+sentinel" | "rediss+sentinel":
            client = _open_sentinel(parts, socket_seconds)
        case _:
            raise _wrong(url, f"{parts.scheme or 'nothing'!r} is no scheme of ours")
    if client.connection_pool.connection_kwargs.get("decode_responses"):
        raise _wrong(url, "decode_responses must not be set: stored values are bytes")
    return client


def without_password(url: str) -> str:
    """The address as it may be shown."""
    parts = urlsplit(url)
    credentials, mark, hosts = parts.netloc.rpartition("@")
    user = credentials.partition(":")[0]
    return parts._replace(netloc=f"{user}:***@{hosts}" if mark else hosts, query="").geturl()


class WideUnixConnection(UnixDomainSocketConnection):
    """A unix socket that takes a whole batch at once, so that the engine decides while the server reads it.

    TCP sockets grow by themselves; these keep the system's default, some 200 KB.
    """

    def _connect(self) -> socket.socket:
        sock: socket.socket = super()._connect()  # type: ignore[no-untyped-call]
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        return sock


def _open_direct(url: str, socket_seconds: float) -> Redis:
    try:
        client: Redis = Redis.from_url(
            url,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            socket_timeout=socket_seconds,
            socket_connect_timeout=min(CONNECT_SECONDS, socket_seconds),
        )
    except (ValueError, TypeError) as error:
        raise _wrong(url, str(error)) from error
    if client.connection_pool.connection_class is UnixDomainSocketConnection:
        client.connection_pool.connection_class = WideUnixConnection
    return client


def _open_sentinel(parts: SplitResult, socket_seconds: float) -> Redis:
    credentials, _, hosts = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    service, _, database = parts.path.strip("/").partition("/")
    options = dict(parse_qsl(parts.query))
    unknown = sorted(options.keys() - {"sentinel_user", "sentinel_password"})
    if not hosts or not service or unknown or not (database or "0").isdigit():
        found = f"unknown option {unknown[0]!r}" if unknown else "needs hosts, a service and a numeric db"
        raise _wrong(parts.geturl(), found)
    secure = {"ssl": True} if parts.scheme.startswith("rediss") else {}
    timeouts = {
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": socket_seconds,
        "socket_connect_timeout": min(CONNECT_SECONDS, socket_seconds),
        **secure,
    }
    connect: Callable[..., Sentinel] = Sentinel
    sentinel = connect(
        [_host(host, parts) for host in hosts.split(",")],
        sentinel_kwargs={
            **timeouts,
            "username": options.get("sentinel_user"),
            "password": options.get("sentinel_password"),
        },
        protocol=2,
        db=int(database or 0),
        username=unquote(user) or None,
        password=unquote(password) or None,
        **timeouts,
    )
    find_master: Callable[[str], Redis] = sentinel.master_for
    return find_master(unquote(service))


def _host(text: str, parts: SplitResult) -> tuple[str, int]:
    try:
        host = urlsplit(f"//{text}")
        name, port = host.hostname, host.port
    except ValueError as error:
        raise _wrong(parts.geturl(), f"{text!r}: {error}") from error
    if name is None:
        raise _wrong(parts.geturl(), f"{text!r} is no host")
    return name, port or SENTINEL_PORT


def _wrong(url: str, found: str) -> ValueError:
    return ValueError(
        f"store address {without_password(url)!r}: {found}; allowed: {'; '.join(FORMS)}; memory://"
    )
