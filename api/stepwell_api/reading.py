"""Reading requests: strict JSON bodies into models, page parameters, times, ids; each refusal says where and what.

JSON is read by orjson: no NaN, no number that would not survive being stored, no unpaired surrogate.
"""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from starlette.requests import ClientDisconnect, Request
from stepwell_schemas.cloudevents import MAX_DEPTH
from stepwell_schemas.durations import timestamp_ms

from stepwell_api.problems import ProblemRaised, field_problem, invalid

Body = TypeVar("Body", bound=BaseModel)


class Query(BaseModel):
    """Query parameters: an unknown one is an error, not ignored."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True)


class PageQuery(Query):
    """`cursor` is what the page before gave."""

    limit: Annotated[int, Field(ge=1, le=500)] = 50
    cursor: Annotated[str, Field(min_length=1, max_length=1024)] | None = None


class NumberedPageQuery(Query):
    """A page of a numbered list; `cursor` is the `next` of the page before."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: Annotated[int, Field(ge=0, le=2**53)] = 0


class NoQuery(Query):
    """A route without parameters."""


def json_body(model: type[Body], *, optional: bool = False) -> Callable[[Request], Coroutine[Any, Any, Body]]:
    """A dependency that reads the body as this model. With `optional` an empty body is `{}`."""

    async def read(request: Request) -> Body:
        raw = await read_bytes(request)
        if not raw and optional:
            raw = b"{}"
        check_json_media(request)
        value = parse_json(raw)
        try:
            return model.model_validate(value)
        except ValidationError as error:
            raise invalid(
                error, [field.alias or name for name, field in model.model_fields.items()]
            ) from None

    return read


async def json_value(request: Request) -> Any:
    """A dependency that reads any JSON; None for an empty body."""
    raw = await read_bytes(request)
    if not raw:
        return None
    check_json_media(request)
    return parse_json(raw)


async def read_bytes(request: Request) -> bytes:
    """The whole body; the gate has bounded it."""
    try:
        return await request.body()
    except ClientDisconnect:
        raise ProblemRaised(400, "the body ended before it was complete") from None


def check_json_media(request: Request) -> None:
    """Raises ProblemRaised 415 for a body that says it is not JSON."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in ("", "application/json") and not media.endswith("+json"):
        raise ProblemRaised(415, f"content-type {media[:80]!r} is not taken here; send application/json")


def parse_json(raw: bytes) -> Any:
    """The value of a JSON text. Raises ProblemRaised 400 for what is not JSON, 422 for what is too deep."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise ProblemRaised(400, f"the body is not JSON: {error}") from None
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and _depth_exceeds(value, MAX_DEPTH):
        raise ProblemRaised(422, f"the body is nested deeper than {MAX_DEPTH} levels")
    return value


def time_parameter(name: str, text: str | None) -> int | None:
    """Epoch milliseconds of a query parameter. Raises ProblemRaised 422."""
    if text is None:
        return None
    try:
        return timestamp_ms(text)
    except ValueError as error:
        raise field_problem(f"/query/{name}", str(error)) from None


def _depth_exceeds(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit + 1):
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
        ]
        if not level:
            return False
    return True
