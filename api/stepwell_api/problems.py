"""Errors as RFC 9457 problem details: the one place where what went wrong becomes a status code.

Whatever an endpoint or a layer below raises ends here; no error leaves the API in another form.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import uuid4

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from stepwell_ingress.errors import DoorBusy, EventsRefused, NotReplayable, UnknownLetter, UnreadableBody
from stepwell_schemas.bodies import FieldProblem
from stepwell_schemas.problems import did_you_mean
from stepwell_store.errors import CorruptValue, StoreFull, StoreUnavailable

log = logging.getLogger("stepwell.api")

METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
TITLES = {
    400: "Bad request",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Body too large",
    415: "Media type not taken",
    421: "Misdirected request",
    422: "Invalid request",
    429: "Too many requests",
    500: "Internal error",
    503: "Unavailable",
}
MEDIA_TYPE = "application/problem+json"
STORE_RETRY_SECONDS = "2"


class ProblemRaised(Exception):
    """An error on its way to the caller. `members` are extension members of the problem."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}
        self.members = members


def field_problem(pointer: str, message: str, code: str | None = None) -> ProblemRaised:
    """422 for one thing wrong with a body or parameter."""
    where = f"{pointer}: {message}" if pointer else message
    return ProblemRaised(422, where, errors=[FieldProblem(pointer=pointer, message=message, code=code)])


def problem_response(problem: ProblemRaised, path: str | None = None) -> Response:
    """The answer that says so."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": TITLES.get(problem.status, "Error"),
        "status": problem.status,
        "detail": problem.detail,
    }
    if path is not None:
        body["instance"] = path
    if problem.errors:
        body["errors"] = [error.model_dump(exclude_none=True) for error in problem.errors]
    return Response(
        orjson.dumps(body | problem.members),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=dict(problem.headers),
    )


def invalid(error: ValidationError | RequestValidationError, known: Iterable[str] = ()) -> ProblemRaised:
    """422 with a pointer to each thing that pydantic found; `known` are the keys an unknown one may have meant."""
    errors = [_field_of(found, list(known)) for found in error.errors()]
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return ProblemRaised(422, f"{first.pointer or 'the body'}: {first.message}{more}", errors=errors[:100])


def unexpected(error: Exception) -> ProblemRaised:
    """500; the log has the error under the reference that the caller gets."""
    reference = uuid4().hex
    log.error("request failed, reference %s", reference, exc_info=error)
    return ProblemRaised(500, f"an error of ours; the log has it under {reference}", reference=reference)


def install(app: FastAPI) -> None:
    """Make the app answer every error that it raises as a problem."""
    for kind in (
        ProblemRaised,
        HTTPException,
        RequestValidationError,
        UnreadableBody,
        EventsRefused,
        DoorBusy,
        UnknownLetter,
        NotReplayable,
        StoreUnavailable,
        CorruptValue,
    ):
        app.add_exception_handler(kind, _answer)


async def _answer(request: Request, error: Exception) -> Response:
    return problem_response(as_problem(error, request), request.url.path)


def as_problem(error: Exception, request: Request) -> ProblemRaised:
    """What an exception means to the caller."""
    match error:
        case ProblemRaised():
            return error
        case HTTPException():
            return _of_routing(error, request)
        case RequestValidationError():
            return invalid(error)
        case UnreadableBody():
            return ProblemRaised(415 if error.media else 422, error.message)
        case EventsRefused():
            return _of_events(error)
        case DoorBusy():
            return ProblemRaised(429, error.message, headers={"retry-after": str(error.retry_after_seconds)})
        case UnknownLetter():
            return ProblemRaised(404, str(error))
        case NotReplayable():
            return field_problem(f"/event{error.pointer}", error.message)
        case StoreFull():
            return ProblemRaised(429, f"the store is out of memory: {error}", headers={"retry-after": "10"})
        case StoreUnavailable():
            detail = f"the store cannot be reached or refuses writes: {error}"
            return ProblemRaised(503, detail, headers={"retry-after": STORE_RETRY_SECONDS})
        case _:
            return unexpected(error)


def _of_events(refused: EventsRefused) -> ProblemRaised:
    single = refused.total == 1
    errors = [
        FieldProblem(
            pointer=problem.pointer if single else f"/{problem.index}{problem.pointer}",
            message=problem.message,
            code=problem.reason,
        )
        for problem in refused.problems
    ]
    detail = f"{refused.refused} of {refused.total} events are wrong, none was taken; {refused}"
    return ProblemRaised(422, detail, errors=errors, accepted=0, rejected=refused.refused)


def _of_routing(error: HTTPException, request: Request) -> ProblemRaised:
    headers = dict(error.headers or {})
    path = request.url.path[:200]
    match error.status_code:
        case 404:
            return ProblemRaised(404, f"there is no {path}; GET / lists what there is", headers=headers)
        case 405:
            allowed = ", ".join(_methods_of(request))
            headers = {"allow": allowed}
            detail = f"{request.method} is not possible on {path}; allowed: {allowed}"
            return ProblemRaised(405, detail, headers=headers)
        case status:
            return ProblemRaised(status, str(error.detail), headers=headers)


def _methods_of(request: Request) -> list[str]:
    """What the path can be asked, by all its routes: the router's own answer names those of the first alone."""
    routes = request.app.routes
    return [
        method
        for method in METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    ]


def _field_of(found: Mapping[str, Any], known: list[str]) -> FieldProblem:
    place = list(found["loc"])
    pointer = "".join(f"/{_escaped(part)}" for part in place)
    message = str(found["msg"]).removeprefix("Value error, ")
    if found["type"] == "extra_forbidden":
        message = f"is not known here{did_you_mean(str(place[-1]), known)}"
    return FieldProblem(pointer=pointer[:500], message=message[:1000], code=str(found["type"]))


def _escaped(part: object) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")
