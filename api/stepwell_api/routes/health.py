"""Whether we live, whether we can work, and what there is."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response
from stepwell_schemas.bodies import Health

from stepwell_api.readiness import product_version
from stepwell_api.services import Services, services_of

router = APIRouter(tags=["health"])

Use = Annotated[Services, Depends(services_of)]


@router.get("/health/live")
async def live() -> Health:
    """This process answers."""
    return Health(status="ok", version=product_version())


@router.get("/health/ready", responses={503: {"model": Health}})
def ready(services: Use) -> Response:
    """200 when the store takes writes and live engines own all partitions, else 503 with what is amiss."""
    checks = services.readiness.checks()
    good = all(value == "ok" for value in checks.values())
    health = Health(status="ok" if good else "unavailable", version=product_version(), checks=checks)
    return Response(health.model_dump_json(), 200 if good else 503, media_type="application/json")


@router.get("/")
async def root() -> dict[str, Any]:
    """Where to go from here."""
    paths = ("definitions", "workflows", "events", "devices", "activities", "callbacks")
    links = {name: f"/{name}" for name in paths} | {
        "deadLetters": "/dead-letters",
        "live": "/health/live",
        "ready": "/health/ready",
        "openapi": "/openapi.json",
        "docs": "/docs",
    }
    return {"name": "stepwell", "version": product_version(), "links": links}
