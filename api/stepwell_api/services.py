"""What the endpoints work with: one set per application, handed to each by dependency."""

import time
from dataclasses import dataclass

from starlette.requests import Request
from stepwell_ingress.group_commit import GroupCommit
from stepwell_schemas.settings import Settings
from stepwell_store.protocol import Store

from stepwell_api.definitions import Definitions
from stepwell_api.problems import ProblemRaised
from stepwell_api.readiness import Readiness
from stepwell_api.replies import Replies
from stepwell_api.starts import Starts


@dataclass(frozen=True, slots=True)
class Services:
    """See the module's header."""

    settings: Settings
    store: Store
    definitions: Definitions
    replies: Replies
    starts: Starts
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
