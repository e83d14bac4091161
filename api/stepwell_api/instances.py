"""Instances by id. Requests that ask for them at the same time share one trip to the store."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from stepwell_ingress.shared_trips import SharedTrips
from stepwell_schemas.instance import shown
from stepwell_store.errors import StoreError
from stepwell_store.protocol import Store

from stepwell_api.problems import ProblemRaised

TRIP_INSTANCES = 100


@dataclass(frozen=True, slots=True)
class Found:
    """An instance by id. `wire` None: its start is durable but not yet applied."""

    id: str
    partition: int
    wire: dict[str, Any] | None


Check = Callable[[Found], None]
"""Raises what is wrong with a request for this instance."""


class Instances:
    """`look` belongs to one event loop, `find` may be called in any thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._trips = SharedTrips("instances", self._go, lambda waiting: min(len(waiting), TRIP_INSTANCES))

    async def look(self, instance: str, check: Check | None = None) -> Found:
        """The instance, after the check. Raises ProblemRaised 404, what the check raises, StoreError."""
        return await self._trips.ask((instance, check))

    def find(self, instance: str) -> Found:
        """The instance. Raises ProblemRaised 404 or StoreError."""
        (found,) = self._go([(instance, None)])
        if isinstance(found, Exception):
            raise found
        return found

    async def close(self) -> None:
        """Read what waits, then end the thread."""
        await self._trips.close()

    def _go(self, group: Sequence[tuple[str, Check | None]]) -> list[Found | Exception]:
        homes = self._locate([instance for instance, _ in group])
        known = [
            (home, instance) for home, (instance, _) in zip(homes, group, strict=True) if home is not None
        ]
        values = iter(self._store.read_instances(known))
        return [
            no_instance(instance) if home is None else self._checked(instance, home, next(values), check)
            for home, (instance, check) in zip(homes, group, strict=True)
        ]

    def _checked(
        self, instance: str, partition: int, value: bytes | StoreError | None, check: Check | None
    ) -> Found | Exception:
        try:
            if isinstance(value, StoreError):
                return value
            if value is None and self._store.reservation(partition, instance) is None:
                return no_instance(instance)
            found = Found(instance, partition, None if value is None else shown(orjson.loads(value)))
            if check is not None:
                check(found)
        except Exception as error:  # noqa: BLE001  # others go on the same trip
            return error
        return found

    def _locate(self, instances: Sequence[str]) -> list[int | None]:
        """The partition each lives in; None for an id that was never given out.

        A generated id ends in `~<partition>`; a chosen one is looked up, and its children (`<id>~c<n>`) beside it.
        """
        told = [_told(instance, self._store.partitions) for instance in instances]
        chosen = [
            instance.partition("~")[0] for instance, home in zip(instances, told, strict=True) if home is None
        ]
        homes = iter(self._store.locate_all(chosen))
        return [next(homes) if home is None else home if home >= 0 else None for home in told]


NOWHERE = -1


def _told(instance: str, partitions: int) -> int | None:
    """The partition that an id tells, NOWHERE for one that there is not; None where the id was chosen."""
    _, mark, suffix = instance.rpartition("~")
    if not (mark and suffix.isascii() and suffix.isdigit()):
        return None
    return int(suffix) if len(suffix) <= 4 and int(suffix) < partitions else NOWHERE


def no_instance(instance: str) -> ProblemRaised:
    """404 for an instance."""
    return ProblemRaised(404, f"there is no workflow instance {instance[:160]!r}")
