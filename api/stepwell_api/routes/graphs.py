"""Pictures of stored definitions: SVG, Mermaid or DOT."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response
from stepwell_interpreter.drawing import DrawingTooLarge, dot, mermaid, svg
from stepwell_schemas.catalog import StoredDefinition

from stepwell_api import reading
from stepwell_api.problems import ProblemRaised
from stepwell_api.readiness import product_version
from stepwell_api.routes.definitions import stored_version
from stepwell_api.services import Services, services_of

router = APIRouter(tags=["definitions"])

Format = Literal["svg", "mermaid", "dot"]
Theme = Literal["auto", "light", "dark"]
Drawn = Callable[[Mapping[str, Any], Theme], str]

WRITERS: dict[Format, tuple[str, Drawn]] = {
    "svg": ("image/svg+xml", lambda document, theme: svg(document, theme=theme)),
    "mermaid": ("text/vnd.mermaid; charset=utf-8", lambda document, _: mermaid(document)),
    "dot": ("text/vnd.graphviz; charset=utf-8", lambda document, _: dot(document)),
}
POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""The picture has its style inside and needs nothing else, whatever a definition's texts may say."""


class GraphQuery(reading.Query):
    """`theme` is for SVG: auto follows the reader's system."""

    format: Format = "svg"
    theme: Theme = "auto"


Asked = Annotated[GraphQuery, Query()]
Use = Annotated[Services, Depends(services_of)]


@router.get("/definitions/{id}/graph", response_class=Response)
def show_graph(id: str, query: Asked, request: Request, services: Use) -> Response:
    """The picture of the latest version."""
    return _picture(request, query, stored_version(services, id, "latest"))


@router.get("/definitions/{id}/versions/{version}/graph", response_class=Response)
def show_graph_of_version(id: str, version: str, query: Asked, request: Request, services: Use) -> Response:
    """The picture of one version."""
    return _picture(request, query, stored_version(services, id, version))


def _picture(request: Request, query: GraphQuery, stored: StoredDefinition) -> Response:
    tag = f'"{stored.hash}-{query.format}-{query.theme}-{product_version()}"'
    headers = {
        "etag": tag,
        "cache-control": "no-cache",
        "content-security-policy": POLICY,
        "x-content-type-options": "nosniff",
    }
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    media, drawn = WRITERS[query.format]
    try:
        picture = drawn(stored.document, query.theme)
    except DrawingTooLarge as error:
        raise ProblemRaised(422, str(error)) from None
    return Response(picture.encode(), media_type=media, headers=headers)
