"""Whether the store takes writes and engines own its partitions; looked up at most once a second."""

import threading
import time
from importlib.metadata import PackageNotFoundError, version

from stepwell_store.errors import StoreError
from stepwell_store.protocol import Store

REMEMBERED_SECONDS = 1.0
"""A probe within this time gets the last answer: many partitions are many look-ups."""


class Readiness:
    """The last readiness answer, shared by all probes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._checks: dict[str, str] = {}
        self._until = float("-inf")

    def checks(self) -> dict[str, str]:
        """What is amiss by name, `ok` for what is not."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._checks = _look(self._store)
                self._until = time.monotonic() + REMEMBERED_SECONDS
            return self._checks


def product_version() -> str:
    """The installed version."""
    try:
        return version("stepwell")
    except PackageNotFoundError:
        return "0+unknown"


def _look(store: Store) -> dict[str, str]:
    try:
        store.ping()
        owners = [store.partition_info(number).owner for number in range(store.partitions)]
    except StoreError as error:
        return {"store": str(error)}
    owned = sum(owner is not None for owner in owners)
    return {
        "store": "ok",
        "engine": "ok" if owned else "no engine is alive; start one with `stepwell engine`",
        "partitions": "ok" if owned == store.partitions else f"{owned} of {store.partitions} are owned",
    }
