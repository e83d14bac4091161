"""Instances by id. Requests that ask for them at the same time share one trip to the store."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from stepwell_ingress.shared_trips import SharedTrips, answers_or_error
from stepwell_schemas.instance import shown
from stepwell_store.batches import Wanted
from stepwell_store.protocol import Store

from stepwell_api.problems import ProblemRaised

TRIP_INSTANCES = 50
"""One trip reads at most so many: all of them are in memory at once."""

NOWHERE = -1
"""A partition that there is not."""


@dataclass(frozen=True, slots=True)
class Found:
    """An instance by id. `wire` None: its start is durable but not yet applied. `mark`: what an event came to."""

    id: str
    partition: int
    wire: dict[str, Any] | None
    mark: bytes | None = None


Check = Callable[[Found], None]
"""Raises what is wrong with a request for this instance."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is asked: the instance, what is to be checked of it, the key of an event it may have seen."""

    instance: str
    check: Check | None = None
    event: bytes | None = None


class Instances:
    """`look` belongs to one event loop, `find` may be called in any thread."""

    def __init__(self, store: Store, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._now_ms = now_ms
        self._trips = SharedTrips(
            "instances", self._go, lambda waiting: min(len(waiting), TRIP_INSTANCES), abreast=4
        )

    async def look(self, look: Look) -> Found:
        """The instance, after the check. Raises ProblemRaised 404, what the check raises, StoreError."""
        return await self._trips.ask(look)

    def find(self, instance: str) -> Found:
        """The instance. Raises ProblemRaised 404 or StoreError."""
        (found,) = self._go([Look(instance)])
        if isinstance(found, Exception):
            raise found
        return found

    async def close(self) -> None:
        """Read what waits, then end the threads."""
        await self._trips.close()

    def _go(self, group: Sequence[Look]) -> list[Found | Exception]:
        homes = self._locate([look.instance for look in group])
        places = {n: (home, group[n].instance) for n, home in enumerate(homes) if isinstance(home, int)}
        wanted = list(places.values())
        values = dict(
            zip(
                places, answers_or_error(len(wanted), lambda: self._store.read_instances(wanted)), strict=True
            )
        )
        missing = [n for n in places if values[n] is None]
        requested = answers_or_error(
            len(missing), lambda: self._store.read_reservations([places[n] for n in missing])
        )
        for n, fingerprint in zip(missing, requested, strict=True):
            if fingerprint is None:
                del places[n]
            elif isinstance(fingerprint, Exception):
                values[n] = fingerprint
        marks = self._marks(
            {n: (places[n][0], look.event) for n, look in enumerate(group) if n in places and look.event}
        )
        return [
            _checked(look, places[n][0], values[n], marks.get(n))
            if n in places
            else home
            if isinstance(home, Exception)
            else no_instance(look.instance)
            for n, (look, home) in enumerate(zip(group, homes, strict=True))
        ]

    def _locate(self, instances: Sequence[str]) -> list[int | Exception | None]:
        """The partition each lives in; None for an id that was never given out.

        A generated id ends in `~<partition>`; a chosen one is looked up, and its children (`<id>~c<n>`) beside it.
        """
        homes: list[int | Exception | None] = [_told(id, self._store.partitions) for id in instances]
        chosen = [n for n, home in enumerate(homes) if home is None]
        names = [instances[n].partition("~")[0] for n in chosen]
        for n, home in zip(
            chosen, answers_or_error(len(names), lambda: self._store.locate_all(names)), strict=True
        ):
            homes[n] = home
        return [None if home == NOWHERE else home for home in homes]

    def _marks(self, wanted: Mapping[int, tuple[int, bytes]]) -> dict[int, bytes | Exception | None]:
        """What became of events, each looked for in one partition."""
        keys: dict[int, list[bytes]] = {}
        for partition, event in wanted.values():
            keys.setdefault(partition, []).append(event)
        wants = [Wanted(partition, seen=events) for partition, events in keys.items()]
        loaded = dict(
            zip(
                keys,
                answers_or_error(len(wants), lambda: self._store.load(wants, self._now_ms())),
                strict=True,
            )
        )
        marks: dict[int, bytes | Exception | None] = {}
        for n, (partition, event) in wanted.items():
            found = loaded[partition]
            marks[n] = found if isinstance(found, Exception) else found.seen.get(event)
        return marks


def _checked(
    look: Look, partition: int, value: bytes | Exception | None, mark: bytes | Exception | None
) -> Found | Exception:
    if isinstance(value, Exception):
        return value
    if isinstance(mark, Exception):
        return mark
    try:
        found = Found(look.instance, partition, None if value is None else shown(orjson.loads(value)), mark)
        if look.check is not None:
            look.check(found)
    except Exception as error:  # noqa: BLE001  # others go on the same trip
        return error
    return found


def _told(instance: str, partitions: int) -> int | None:
    """The partition that an id tells, NOWHERE for one that there is not; None where the id was chosen."""
    _, mark, suffix = instance.rpartition("~")
    if not (mark and suffix.isascii() and suffix.isdigit()):
        return None
    return int(suffix) if len(suffix) <= 4 and int(suffix) < partitions else NOWHERE


def no_instance(instance: str) -> ProblemRaised:
    """404 for an instance."""
    return ProblemRaised(404, f"there is no workflow instance {instance[:160]!r}")
