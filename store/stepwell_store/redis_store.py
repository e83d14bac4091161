"""The store on Redis or Valkey: all its parts over one client, opened only where the layout is ours."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from redis import Redis

from stepwell_store.errors import LayoutMismatch
from stepwell_store.keys import LAYOUT_VERSION, Keys
from stepwell_store.migrations import migrate
from stepwell_store.redis_catalog import RedisCatalog
from stepwell_store.redis_doors import RedisDoors
from stepwell_store.redis_link import RedisLink
from stepwell_store.redis_listening import listening
from stepwell_store.redis_partition import RedisPartition
from stepwell_store.redis_reading import RedisReading
from stepwell_store.redis_workers import RedisWorkers


class RedisStore(RedisDoors, RedisCatalog, RedisPartition, RedisWorkers, RedisReading):
    """See `protocol.Store`. Safe to use from several threads; each call takes a connection of the pool."""

    def __init__(self, client: Redis, namespace: str = "stepwell", partitions: int = 16) -> None:
        """Opens the store, creating its layout where there is none. The client must not repeat commands by itself.

        An older layout is migrated first. Raises LayoutMismatch for a newer one or another number of partitions,
        StoreUnavailable.
        """
        if partitions < 1:
            raise ValueError(f"partitions is {partitions}; it must be at least 1")
        self.namespace = namespace
        self.partitions = partitions
        self._keys = Keys(namespace, partitions)
        self._link = RedisLink(client, self._keys)
        self._check_layout()

    def listen(self, channel: str, deliver: Callable[[bytes], None]) -> AbstractContextManager[None]:
        return listening(self._link.client, self._keys.reply(channel), deliver)

    def ping(self) -> None:
        self._link.command("HSET", self._keys.layout, "probed", "1")

    def close(self) -> None:
        self._link.client.close()
        self._link.client.connection_pool.disconnect()

    def _check_layout(self) -> None:
        version, partitions, migrating = self._link.script(
            "open_layout", [self._keys.layout], LAYOUT_VERSION, self.partitions
        )
        if int(version) > LAYOUT_VERSION:
            raise LayoutMismatch(
                f"the store's namespace {self.namespace!r} has layout version {int(version)}, and this Stepwell "
                f"reads up to {LAYOUT_VERSION}: it was written by a newer release; upgrade this one"
            )
        if int(partitions) != self.partitions:
            raise LayoutMismatch(
                f"the store's namespace {self.namespace!r} was created with {int(partitions)} partitions, and the "
                f"settings say {self.partitions}: set partitions to {int(partitions)}, "
                "or use another namespace"
            )
        if int(version) < LAYOUT_VERSION or migrating is not None:
            migrate(self._link, self.partitions)
