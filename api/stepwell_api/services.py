"""What the endpoints work with: one set per application, handed to each by dependency."""

import threading
import time
from dataclasses import dataclass

from starlette.requests import Request
from stepwell_engine.catalog import Catalog
from stepwell_ingress.group_commit import GroupCommit
from stepwell_interpreter.program import Program
from stepwell_schemas.problems import did_you_mean
from stepwell_schemas.settings import Settings
from stepwell_store.protocol import Store

from stepwell_api.problems import ProblemRaised
from stepwell_api.readiness import Readiness
from stepwell_api.replies import Replies


class Definitions:
    """The catalogue for many threads at once."""

    def __init__(self, store: Store) -> None:
        self._catalog = Catalog(store)
        self._one_at_a_time = threading.Lock()

    def names(self) -> list[str]:
        """Ids of all definitions."""
        with self._one_at_a_time:
            self._catalog.refresh()
            return self._catalog.names()

    def find(self, id: str, version: str | None) -> Program:
        """A program by id and `1.2.0`, `1`, `latest` or None. Raises ProblemRaised 404 with the nearest id."""
        with self._one_at_a_time:
            self._catalog.refresh()
            if version in (None, "latest"):
                found = self._catalog.latest(id)
            else:
                found = self._catalog.program(id, str(version)) or self._catalog.resolve(f"{id}@{version}")
            names = self._catalog.names()
        if found is None and id in names:
            raise ProblemRaised(404, f"definition {id!r} has no version {version!r}")
        if found is None:
            raise ProblemRaised(404, f"there is no definition {id[:80]!r}{did_you_mean(id, names)}")
        return found

    def program(self, id: str, version: str) -> Program | None:
        """The program of an exact version, None where it is not stored."""
        with self._one_at_a_time:
            return self._catalog.program(id, version)


@dataclass(frozen=True, slots=True)
class Services:
    """See the module's header."""

    settings: Settings
    store: Store
    definitions: Definitions
    replies: Replies
    door: GroupCommit
    readiness: Readiness


async def services_of(request: Request) -> Services:
    """The dependency; a coroutine, since a plain function would cost a trip to another thread."""
    services: Services = request.app.state.services
    return services


def locate(store: Store, instance: str) -> int | None:
    """The partition an instance lives in; None for an id that was never given out.

    A generated id ends in `~<partition>`; a chosen one is looked up, and its children (`<id>~c<n>`) live beside it.
    """
    _, mark, suffix = instance.rpartition("~")
    if mark and suffix.isascii() and suffix.isdigit():
        return int(suffix) if len(suffix) <= 4 and int(suffix) < store.partitions else None
    return store.locate(instance.partition("~")[0])


def now_ms() -> int:
    """The API's clock: epoch milliseconds."""
    return time.time_ns() // 1_000_000


def no_instance(instance: str) -> ProblemRaised:
    """404 for an instance."""
    return ProblemRaised(404, f"there is no workflow instance {instance[:160]!r}")
