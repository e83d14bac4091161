"""What the endpoints work with: one set per application, handed to each by dependency."""

import time
from dataclasses import dataclass

from starlette.requests import Request
from stepwell_ingress.group_commit import GroupCommit
from stepwell_schemas.settings import Settings
from stepwell_store.protocol import Store

from stepwell_api.definitions import Definitions
from stepwell_api.inboxes import Inboxes
from stepwell_api.instances import Instances
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
    instances: Instances
    inboxes: Inboxes
    door: GroupCommit
    readiness: Readiness


async def services_of(request: Request) -> Services:
    """The dependency; a coroutine, since a plain function would cost a trip to another thread."""
    services: Services = request.app.state.services
    return services


def now_ms() -> int:
    """The API's clock: epoch milliseconds."""
    return time.time_ns() // 1_000_000
