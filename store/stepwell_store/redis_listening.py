"""Reply channels on Redis: a thread per open context that hands messages on and outlives a server's restart."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from stepwell_store.errors import StoreUnavailable
from stepwell_store.redis_errors import translated

POLL_SECONDS = 0.1
RECONNECT_SECONDS = 0.2
SUBSCRIBE_SECONDS = 10.0


@contextmanager
def listening(client: Redis, channel: str, deliver: Callable[[bytes], None]) -> Iterator[None]:
    """Deliver the channel's messages while the context is open; it opens when the server has subscribed us."""
    open_channel: Callable[[], Any] = client.pubsub
    pubsub = open_channel()
    stop = threading.Event()
    try:
        with translated():
            pubsub.subscribe(channel)
            confirmed = pubsub.get_message(timeout=SUBSCRIBE_SECONDS)
        if confirmed is None:
            raise StoreUnavailable(
                f"the store did not confirm our subscription within {SUBSCRIBE_SECONDS:g} s"
            )
        thread = threading.Thread(
            target=_receive, args=(pubsub, stop, deliver), name=f"listen-{channel}", daemon=True
        )
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
    finally:
        pubsub.close()


def _receive(pubsub: Any, stop: threading.Event, deliver: Callable[[bytes], None]) -> None:
    while not stop.is_set():
        try:
            message = pubsub.get_message(ignore_subscribe_messages=True, timeout=POLL_SECONDS)
        except (RedisConnectionError, RedisTimeoutError):
            # Messages of this while are lost, as a reply may be; the next read connects and subscribes again.
            stop.wait(RECONNECT_SECONDS)
            continue
        if message is not None and message["type"] == "message":
            deliver(message["data"])
