"""An engine process: the loop with its connections, until it is told to stop.

While the store is away the engine keeps trying; it holds nothing that is not in the store.
"""

import logging
import os
import socket
import threading

from redis import Redis
from stepwell_schemas.settings import Settings
from stepwell_store.errors import StoreError, StoreUnavailable
from stepwell_store.open import open_redis, open_store, queue_url

from stepwell_engine.collecting import calm_collector
from stepwell_engine.dispatch import RqDispatcher
from stepwell_engine.loop import Engine

log = logging.getLogger("stepwell.engine")

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 2.0
IDLE_SECONDS = 0.2
"""Between looks for a free partition, while others have them all."""
QUEUE_SECONDS = 1.0
"""The loop waits for RQ's Redis this long, well below a lease. Handing a job out twice is harmless."""


def run_engine(settings: Settings, stop: threading.Event) -> None:
    """Run until `stop` is set; leases are given up on the way out. Raises LayoutMismatch for a foreign store."""
    store = open_store(settings)
    redis: Redis = open_redis(queue_url(settings), QUEUE_SECONDS)
    owner = f"{socket.gethostname()}-{os.getpid()}-{os.urandom(3).hex()}"
    dispatcher = RqDispatcher(redis, settings.namespace)
    engine = Engine(
        store,
        dispatcher,
        owner,
        handing=None if settings.queue_url else dispatcher.handing,
        lease_ms=int(settings.engine_lease_seconds * 1_000),
        retention_days=settings.event_retention_days,
        cache_bytes=settings.engine_cache_mib * 1_048_576,
    )
    calm_collector()
    log.info("engine %s runs", owner)
    try:
        _repeat(engine, stop)
        engine.drain()
    except StoreUnavailable as error:
        log.warning("the store is away while stopping; leases run out by themselves: %s", error)
    finally:
        store.close()
        redis.close()


def _repeat(engine: Engine, stop: threading.Event) -> None:
    pause = FIRST_PAUSE_SECONDS
    while not stop.is_set():
        try:
            engine.step()
            pause = FIRST_PAUSE_SECONDS
            if not engine.owned:
                stop.wait(IDLE_SECONDS)
        except StoreError as error:
            what = "is away" if isinstance(error, StoreUnavailable) else "holds what is not ours"
            log.warning("the store %s, trying again in %.2f s: %s", what, pause, error)
            stop.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
