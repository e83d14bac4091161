"""Definitions and activities: upload, check, list, fetch. A version never changes once it is stored."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query
from pydantic import TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from stepwell_engine.catalog import PublishOutcome, check, publish
from stepwell_schemas.asl_upload import MachineType
from stepwell_schemas.bodies import (
    ActivityList,
    ActivitySummary,
    DefinitionDetail,
    DefinitionList,
    DefinitionProblem,
    DefinitionSummary,
    DefinitionUpload,
    FieldProblem,
)
from stepwell_schemas.catalog import StoredDefinition
from stepwell_schemas.durations import format_ms
from stepwell_schemas.loader import Format
from stepwell_schemas.problems import Problem, did_you_mean
from stepwell_schemas.upload_settings import UploadSettings
from stepwell_schemas.workflow import ID_PATTERN, VERSION_PATTERN

from stepwell_api import reading
from stepwell_api.access import actor_of
from stepwell_api.problems import ProblemRaised, field_problem
from stepwell_api.services import Services, now_ms, services_of

router = APIRouter(tags=["definitions"])

YAML_TYPES = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml", "text/vnd.yaml")
SNIFFED_TYPES = ("", "text/plain", "application/octet-stream")


class UploadQuery(reading.Query):
    """`file` is the name that problems show; the others are for Amazon States Language, which lacks them."""

    file: Annotated[str, Query(max_length=255, pattern=r"^[^\x00-\x1f]+$")] | None = None
    id: Annotated[str, Query(pattern=ID_PATTERN)] | None = None
    version: Annotated[str, Query(pattern=VERSION_PATTERN, max_length=128)] | None = None
    type: MachineType | None = None
    resources: Annotated[str, Query(max_length=65536)] | None = None

    def settings(self) -> UploadSettings:
        """What is said beside the upload. Raises ProblemRaised for resources that are no JSON object of texts."""
        return UploadSettings(self.id, self.version, self.type, self._table())

    def _table(self) -> dict[str, str] | None:
        if self.resources is None:
            return None
        try:
            return TypeAdapter(dict[str, str]).validate_json(self.resources, strict=True)
        except ValidationError as error:
            found = error.errors(include_url=False)[0]["msg"]
            message = f"resources is a JSON object, a Resource -> the activity it means: {found}"
            raise field_problem("/query/resources", message) from None


Upload = Annotated[UploadQuery, Query()]
Use = Annotated[Services, Depends(services_of)]


@router.post("/definitions", status_code=201, response_model=DefinitionUpload)
async def upload(request: Request, query: Upload, services: Use) -> Response:
    """Check a definition (YAML or JSON) and store it as an immutable version.

    201 created, 200 it was there already, 409 the version holds other content, 422 with every problem's place.
    """
    source, source_format = await _source(request)
    settings = query.settings()
    actor = actor_of(request)

    def store() -> PublishOutcome:
        return publish(
            services.store,
            source,
            now_ms=now_ms(),
            actor=actor,
            file=query.file,
            source_format=source_format,
            upload=settings,
        )

    outcome = await run_in_threadpool(store)
    stored = outcome.stored
    if stored is None or outcome.result is None:
        raise _refused(outcome.problems)
    if outcome.result == "conflict":
        raise ProblemRaised(
            409,
            f"{stored.id} {stored.version} is stored with other content; versions never change, "
            f"so give the new content a new version",
        )
    created = outcome.result == "created"
    answer = DefinitionUpload(
        valid=True,
        created=created,
        id=stored.id,
        version=stored.version,
        hash=stored.hash,
        problems=[_shown(problem) for problem in outcome.problems],
    )
    location = f"/definitions/{stored.id}/versions/{stored.version}"
    return _json(answer.model_dump_json(), 201 if created else 200, location)


@router.post("/definitions/validate", response_model=DefinitionUpload)
async def validate(request: Request, query: Upload, services: Use) -> DefinitionUpload:
    """Check a definition without storing it. The answer is 200 also when it is not valid."""
    source, source_format = await _source(request)
    stored, problems = await run_in_threadpool(
        check,
        services.store,
        source,
        file=query.file,
        source_format=source_format,
        upload=query.settings(),
    )
    return DefinitionUpload(
        valid=stored is not None,
        id=None if stored is None else stored.id,
        version=None if stored is None else stored.version,
        hash=None if stored is None else stored.hash,
        problems=[_shown(problem) for problem in problems],
    )


@router.get("/definitions")
def list_definitions(services: Use) -> DefinitionList:
    """The latest version of each definition."""
    latest = services.store.definitions()
    found = (_version(services, id, version) for id, version in sorted(latest.items()))
    return DefinitionList(items=[_summary(stored, latest=True) for stored in found])


@router.get("/definitions/{id}")
def show_latest(id: str, request: Request, services: Use) -> Response:
    """The latest version with its document and source."""
    version = services.store.definitions().get(id)
    if version is None:
        raise _unknown(services, id)
    return _detail(request, _version(services, id, version), latest=True)


@router.get("/definitions/{id}/versions")
def list_versions(id: str, services: Use) -> DefinitionList:
    """All versions, oldest first."""
    versions = services.store.versions(id)
    if not versions:
        raise _unknown(services, id)
    latest = services.store.definitions().get(id)
    return DefinitionList(items=[_summary(stored, latest=stored.version == latest) for stored in versions])


@router.get("/definitions/{id}/versions/{version}", response_model=DefinitionDetail)
def show_version(id: str, version: str, request: Request, services: Use) -> Response:
    """One version: with `Accept: application/yaml` or `text/plain` its source as it was uploaded."""
    latest = services.store.definitions().get(id)
    if version == "latest" and latest is not None:
        version = latest
    return _detail(request, _version(services, id, version), latest=version == latest)


@router.get("/activities", tags=["activities"])
def list_activities(services: Use) -> ActivityList:
    """What workers offer."""
    known = services.store.activities()
    shown = ActivitySummary.model_fields
    return ActivityList(
        items=[
            ActivitySummary(**{name: value for name, value in known[activity] if name in shown})
            for activity in sorted(known)
        ]
    )


async def _source(request: Request) -> tuple[bytes, Format | None]:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    source = await reading.read_bytes(request)
    if not source.strip():
        raise ProblemRaised(422, "the body is empty; send a definition as YAML or JSON")
    if media in YAML_TYPES:
        return source, "yaml"
    if media == "application/json" or media.endswith("+json"):
        return source, "json"
    if media in SNIFFED_TYPES:
        return source, None
    raise ProblemRaised(
        415, f"content-type {media[:80]!r} is not taken here; send application/yaml or application/json"
    )


def _refused(problems: Any) -> ProblemRaised:
    shown = [_shown(problem) for problem in problems]
    errors = [problem for problem in problems if problem.severity == "error"]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return ProblemRaised(
        422,
        f"{errors[0]}{more}" if errors else "the definition is not valid",
        errors=[FieldProblem(pointer=one.pointer, message=str(one), code=one.code) for one in errors],
        problems=[problem.model_dump() for problem in shown],
    )


def _shown(problem: Problem) -> DefinitionProblem:
    return DefinitionProblem(
        code=problem.code,
        severity=problem.severity,
        message=problem.message,
        file=problem.file,
        line=problem.line,
        column=problem.column,
        pointer=problem.pointer,
        help=problem.help,
    )


def stored_version(services: Services, id: str, version: str) -> StoredDefinition:
    """One version, or the `latest`. Raises ProblemRaised (404) saying what there is instead."""
    latest = services.store.definitions().get(id)
    return _version(services, id, latest if version == "latest" and latest is not None else version)


def _version(services: Services, id: str, version: str) -> StoredDefinition:
    versions = services.store.versions(id)
    for stored in versions:
        if stored.version == version:
            return stored
    if not versions:
        raise _unknown(services, id)
    known = [stored.version for stored in versions]
    raise ProblemRaised(
        404, f"definition {id!r} has no version {version[:40]!r}; it has {', '.join(known[-10:])}"
    )


def _unknown(services: Services, id: str) -> ProblemRaised:
    names = services.store.definitions()
    return ProblemRaised(404, f"there is no definition {id[:80]!r}{did_you_mean(id, names)}")


def _detail(request: Request, stored: StoredDefinition, *, latest: bool) -> Response:
    tag = f'"{stored.hash}"'
    headers = {"etag": tag, "vary": "accept"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    accepted = request.headers.get("accept", "").lower()
    wants_source = any(media in accepted for media in (*YAML_TYPES, "text/plain"))
    if wants_source and "application/json" not in accepted:
        media = f"application/{stored.source_format}"
        return Response(stored.source.encode(), media_type=media, headers=headers)
    detail = DefinitionDetail(
        **_summary(stored, latest=latest).model_dump(by_alias=False),
        document=stored.document,
        source=stored.source,
        source_format=stored.source_format,
    )
    return Response(orjson.dumps(detail.model_dump()), media_type="application/json", headers=headers)


def _summary(stored: StoredDefinition, *, latest: bool) -> DefinitionSummary:
    document = stored.document
    return DefinitionSummary(
        id=stored.id,
        version=stored.version,
        dialect=stored.dialect,
        name=document.get("name"),
        description=document.get("description"),
        hash=stored.hash,
        created=format_ms(stored.created_ms),
        created_by=stored.created_by,
        latest=latest,
    )


def _json(body: str, status: int, location: str) -> Response:
    return Response(body, status, {"location": location}, "application/json")
