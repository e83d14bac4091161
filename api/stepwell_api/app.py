"""The application: endpoints, errors, the gate around them, and the OpenAPI document."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import Depends, FastAPI
from starlette.middleware import Middleware
from stepwell_ingress.door import Door
from stepwell_ingress.group_commit import GroupCommit
from stepwell_schemas.settings import Settings
from stepwell_store.protocol import Store

from stepwell_api import problems
from stepwell_api.access import authorize
from stepwell_api.definitions import Definitions
from stepwell_api.documentation import describe
from stepwell_api.gate import Gate
from stepwell_api.inboxes import Inboxes
from stepwell_api.instances import Instances
from stepwell_api.readiness import Readiness, product_version
from stepwell_api.replies import Replies
from stepwell_api.routes import (
    dead_letters,
    definitions,
    devices,
    events,
    executions,
    graphs,
    health,
    workflows,
)
from stepwell_api.services import Services, now_ms
from stepwell_api.starts import Starts

REPLY_TIMEOUT_SECONDS = 5.0


def create_app(
    settings: Settings, store: Store, *, reply_timeout_seconds: float = REPLY_TIMEOUT_SECONDS
) -> FastAPI:
    """The API over a store. The caller keeps the store and closes it after the application's shutdown."""
    known = Definitions(store)
    services = Services(
        settings=settings,
        store=store,
        definitions=known,
        replies=Replies(store, reply_timeout_seconds),
        starts=Starts(store, known),
        instances=Instances(store, now_ms),
        inboxes=Inboxes(store),
        door=GroupCommit(Door(store, settings.door_limit)),
        readiness=Readiness(store),
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as ends:
            for part in (
                services.replies,
                services.inboxes,
                services.instances,
                services.starts,
                services.door,
            ):
                ends.push_async_callback(part.close)
            yield

    app = FastAPI(
        title="Stepwell",
        version=product_version(),
        description="Durable workflows per device: definitions, instances, events.",
        lifespan=lifespan,
        dependencies=[Depends(authorize)],
        middleware=[Middleware(Gate, settings=settings)],
        redirect_slashes=False,
        redoc_url=None,
    )
    app.state.services = services
    problems.install(app)
    for module in (events, workflows, executions, definitions, graphs, devices, dead_letters, health):
        app.include_router(module.router)
    describe(app)
    return app
