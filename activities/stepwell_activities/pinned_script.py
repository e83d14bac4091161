"""A script that is called again and again, on a connection of its own.

redis-py's own `Script` takes a connection from its pool, watches for retries and tells of events with each call: that
costs more than everything else that a worker does for a short body.
"""

import hashlib
import threading
from collections.abc import Sequence
from typing import Any

from hiredis import pack_command
from redis import Redis
from redis.exceptions import NoScriptError, ResponseError
from stepwell_store.redis_errors import translated


class PinnedScript:
    """Safe to call from any thread; one call at a time. Nothing is repeated by itself."""

    def __init__(self, client: Redis, text: str) -> None:
        self._client = client
        self._text = text
        self._sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        self._connection: Any = None
        self._lock = threading.Lock()

    def __call__(self, keys: Sequence[str], arguments: Sequence[bytes | str | int]) -> Any:
        """Run it; texts are answered as bytes. Raises StoreError: after StoreUnavailable it may have run."""
        with self._lock, translated():
            try:
                return self._ask("EVALSHA", self._sha, len(keys), *keys, *arguments)
            except NoScriptError:  # the server is another, or was started anew
                return self._ask("EVAL", self._text, len(keys), *keys, *arguments)

    def close(self) -> None:
        """Give the connection up; the next call opens another."""
        with self._lock:
            if self._connection is not None:
                self._drop()

    def _ask(self, *command: Any) -> Any:
        if self._connection is None:
            self._connection = self._client.connection_pool.get_connection()
        try:
            self._connection.send_packed_command([pack_command(command)])
            return self._connection.read_response(disable_decoding=True)
        except ResponseError:
            raise
        except (
            BaseException
        ):  # a signal, too, may break it off: nobody could tell then which answer comes next
            self._drop()
            raise

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        connection.disconnect()
        self._client.connection_pool.release(connection)
