"""What a worker process has: its store, activities, lease keeper and runner; opened once per process."""

import os
import socket
import uuid
from dataclasses import dataclass
from functools import lru_cache

from stepwell_schemas.settings import Settings
from stepwell_store.open import open_store
from stepwell_store.protocol import Store

from stepwell_activities.builtin import builtin_registry
from stepwell_activities.lease import LeaseKeeper
from stepwell_activities.registry import Registry, discover
from stepwell_activities.running import Runner


@dataclass(frozen=True, slots=True)
class Runtime:
    """One worker process's parts. `worker` names this process in claims: no two processes share it."""

    settings: Settings
    store: Store
    registry: Registry
    keeper: LeaseKeeper
    runner: Runner
    worker: str

    def close(self) -> None:
        """Stop the keeper and free the connections."""
        self.keeper.close()
        self.runner.close()
        self.store.close()


def new_runtime(settings: Settings, store: Store, registry: Registry) -> Runtime:
    """The runtime of parts that are there already."""
    worker = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    keeper = LeaseKeeper(store, worker, settings.worker_lease_seconds)
    return Runtime(settings, store, registry, keeper, Runner(registry, store, settings, keeper), worker)


def open_runtime(settings: Settings) -> Runtime:
    """The runtime that the settings describe. Raises StoreError, RegistryError."""
    registry = builtin_registry().include(discover(settings.activity_modules))
    return new_runtime(settings, open_store(settings), registry)


def process_runtime(namespace: str) -> Runtime:
    """This process's runtime for a namespace, opened at the first call; a forked child opens its own."""
    return _opened(os.getpid(), namespace)


@lru_cache(maxsize=4)
def _opened(pid: int, namespace: str) -> Runtime:
    return open_runtime(Settings(namespace=namespace))
