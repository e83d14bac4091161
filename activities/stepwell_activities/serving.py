"""A worker process from its settings to its end: what `stepwell worker` runs."""

import logging
from collections.abc import Sequence

from stepwell_schemas.settings import Settings
from stepwell_store.open import open_redis, queue_url

from stepwell_activities.registry import publish
from stepwell_activities.runtime import open_runtime
from stepwell_activities.worker import ForkingWorker, make_worker, queue_name

log = logging.getLogger("stepwell.worker")


def serve(
    settings: Settings,
    *,
    queues: Sequence[str] = (),
    concurrency: int = 1,
    batch: int = 32,
    isolate: bool = False,
    burst: bool = False,
) -> None:
    """Publish this process's activities and work until a signal (`burst`: until the queues are empty).

    `queues` are activity queues, by default the settings'. `isolate` runs each attempt in a child of its own, which
    takes its settings from the environment. Raises StoreError, RegistryError, ValueError for a wrong address.
    """
    runtime = open_runtime(settings)
    connection = open_redis(queue_url(settings))
    served = list(queues or settings.queues)
    try:
        publish(runtime.registry, runtime.store)
        unserved = sorted(set(runtime.registry.queues()) - set(served))
        if unserved:
            log.warning("no queue of this worker serves the activities of: %s", ", ".join(unserved))
        if isolate:
            ForkingWorker(
                [queue_name(settings.namespace, queue) for queue in served],
                runtime.worker,
                connection=connection,
                namespace=settings.namespace,
                partitions=runtime.store.partitions,
            ).work(burst=burst)
        else:
            make_worker(runtime, connection, queues=served, concurrency=concurrency, batch=batch).work(
                burst=burst
            )
    finally:
        runtime.close()
        connection.close()
