"""Records of many requests on their way to the inboxes of partitions: one trip takes what has come in meanwhile."""

from collections.abc import Sequence

from stepwell_ingress.shared_trips import SharedTrips, fitting
from stepwell_store.protocol import Store

TRIP_RECORDS = 500
TRIP_BYTES = 4 * 1024 * 1024
"""One trip takes records until it holds this much."""


class Inboxes:
    """Belongs to one event loop. `close` when the loop ends; what still waits is appended before."""

    def __init__(self, store: Store) -> None:
        self._trips = SharedTrips("inboxes", store.append_each, _fit, abreast=4)

    async def append(self, partition: int, record: bytes) -> None:
        """Append a record to a partition's inbox; durable on return. Raises StoreError."""
        await self._trips.ask((partition, record))

    async def close(self) -> None:
        """Append what waits, then end the threads."""
        await self._trips.close()


def _fit(records: Sequence[tuple[int, bytes]]) -> int:
    return fitting((len(record) for _, record in records), TRIP_RECORDS, TRIP_BYTES)
