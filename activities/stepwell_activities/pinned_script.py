"""A script that is called again and again, on a connection of its own.

redis-py's own `Script` takes a connection from its pool, watches for retries and tells of events with each call: that
was a third of the instructions that a worker needs for a job whose body does nothing.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from hiredis import pack_command
from redis import Redis
from redis.exceptions import NoScriptError, RedisError, ResponseError
from stepwell_store.redis_errors import translated

HOLD_SECONDS = 1.0
"""Then the connection goes through the pool once more, which sees whether the server has closed it meanwhile, is not
the master any more, or wants other credentials."""


class PinnedScript:
    """Safe to call from any thread; one call at a time. Nothing is repeated by itself.

    From its first call on it holds one of the client's connections, until it is closed.
    """

    def __init__(
        self, client: Redis, text: str, monotonic_seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._text = text
        self._sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        self._monotonic_seconds = monotonic_seconds
        self._connection: Any = None
        self._hold_until = 0.0
        self._lock = threading.Lock()

    def __call__(self, keys: Sequence[str], arguments: Sequence[bytes | str | int]) -> Any:
        """Run it; texts are answered as bytes. Raises StoreError: after StoreUnavailable it may have run."""
        with self._lock, translated():
            if self._connection is None or self._monotonic_seconds() >= self._hold_until:
                self._take()
            try:
                return self._ask("EVALSHA", self._sha, len(keys), *keys, *arguments)
            except NoScriptError:  # the server is another, or was started anew
                return self._ask("EVAL", self._text, len(keys), *keys, *arguments)

    def close(self) -> None:
        """Give the connection back; the next call takes another. Raises nothing."""
        with self._lock, suppress(RedisError):
            self._give_back()

    def _take(self) -> None:
        self._give_back()
        self._connection = self._client.connection_pool.get_connection()
        self._hold_until = self._monotonic_seconds() + HOLD_SECONDS

    def _give_back(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._client.connection_pool.release(connection)

    def _ask(self, *command: Any) -> Any:
        try:
            self._connection.send_packed_command([pack_command(command)])
            return self._connection.read_response(disable_decoding=True)
        except ResponseError:
            raise
        except BaseException:
            # A signal, too, may break it off: nobody could tell then which answer comes next.
            self._connection.disconnect()
            self._give_back()
            raise
