"""The catalogue of definitions as programs: what is published, which versions run, what an event starts.

Programs are cached by (id, version) for ever, since a version never changes; only what is *latest* is read again.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson
from stepwell_interpreter.compile import compile_document, compile_source
from stepwell_interpreter.program import Program
from stepwell_interpreter.scenarios.gate import gate
from stepwell_schemas.catalog import ActivityDescription, StoredDefinition
from stepwell_schemas.loader import Format, LoadResult
from stepwell_schemas.problems import Problem
from stepwell_schemas.upload_settings import UploadSettings
from stepwell_store.protocol import PublishResult, Store

log = logging.getLogger("stepwell.engine")


class BrokenDefinition(Exception):
    """A stored version that this engine cannot compile."""


class Catalog:
    """The engine's and the API's view of the published definitions."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._programs: dict[tuple[str, str], Program] = {}
        self._broken: dict[tuple[str, str], str] = {}
        self._latest: dict[str, str] = {}
        self._starts: dict[str, tuple[Program, ...]] = {}
        self._known: dict[str, Program] = {}
        self._revision = -1

    def refresh(self, revision: int | None = None) -> None:
        """Read what is latest again, when the store's catalogue (or the given revision of it) has moved."""
        revision = self._store.catalog_revision() if revision is None else revision
        if revision == self._revision:
            return
        self._latest = self._store.definitions()
        self._broken.clear()
        starts: dict[str, list[Program]] = {}
        known: dict[str, Program] = {}
        for definition in sorted(self._latest):
            try:
                program = self._require(definition, self._latest[definition])
            except BrokenDefinition as error:
                log.error("%s; nothing is started or routed by it", error)
                continue
            for event_type in program.event_types:
                known.setdefault(event_type, program)
            for event_type in program.start_types:
                starts.setdefault(event_type, []).append(program)
        self._starts = {event_type: tuple(programs) for event_type, programs in starts.items()}
        self._known = known
        self._revision = revision

    def names(self) -> list[str]:
        """Ids of all definitions."""
        return sorted(self._latest)

    def latest(self, definition: str) -> Program | None:
        """The program of the latest version; None where the id is unknown."""
        version = self._latest.get(definition)
        return None if version is None else self.program(definition, version)

    def program(self, definition: str, version: str) -> Program | None:
        """The program of a version; None where it is unknown. Raises BrokenDefinition."""
        program = self._programs.get((definition, version))
        if program is None:
            self._load(definition, version)
            program = self._programs.get((definition, version))
        return program

    def resolve(self, reference: str) -> Program | None:
        """The newest program a reference admits: `name`, `name@1`, `name@1.2` or `name@1.2.0`."""
        name, mark, prefix = reference.partition("@")
        if not mark:
            return self.latest(name)
        wanted = prefix.split(".")
        versions = [stored.version for stored in self._store.versions(name)]
        fitting = [version for version in versions if version.split(".")[: len(wanted)] == wanted]
        return self.program(name, max(fitting, key=_version_order)) if fitting else None

    def starters(self, event_type: str) -> tuple[Program, ...]:
        """The latest programs that an event of this type starts."""
        return self._starts.get(event_type, ())

    def knowing(self, event_type: str) -> Program | None:
        """A latest program that declares this event type or waits for it."""
        return self._known.get(event_type)

    def _require(self, definition: str, version: str) -> Program:
        program = self.program(definition, version)
        if program is None:
            raise LookupError(f"definition {definition} {version} is named as latest but is not stored")
        return program

    def _load(self, definition: str, version: str) -> None:
        """Only the version that is asked for: another one that is broken must not take it along."""
        key = (definition, version)
        if key in self._broken:
            raise BrokenDefinition(self._broken[key])
        for stored in self._store.versions(definition):
            if stored.version == version:
                try:
                    self._programs[key] = compile_stored(stored)
                except Exception as error:  # whatever the compiler does not take
                    self._broken[key] = f"{definition} {version} cannot be compiled: {error!r}"
                    raise BrokenDefinition(self._broken[key]) from error


@dataclass(frozen=True, slots=True)
class PublishOutcome:
    """What became of an upload. `result` is None where `problems` holds errors and nothing was stored."""

    result: PublishResult | None
    stored: StoredDefinition | None
    problems: Sequence[Problem] = field(default_factory=list)


def compile_stored(stored: StoredDefinition) -> Program:
    """The program of a stored version. It was checked when it was published, so a failure here is ours."""
    return compile_document(stored.document, stored.activities, stored.hash, stored.dialect)


def check(
    store: Store,
    source: str | bytes,
    *,
    file: str | None = None,
    source_format: Format | None = None,
    upload: UploadSettings = UploadSettings(),  # noqa: B008  # frozen
) -> tuple[StoredDefinition | None, list[Problem]]:
    """All that an upload is checked for, without storing it. A definition comes back only when there is no error."""
    activities = store.activities()
    compiled = compile_source(
        source,
        activities=activities,
        file=file,
        format=source_format,
        id=upload.id,
        version=upload.version,
        type=upload.type,
        resources=upload.resources,
    )
    program, loaded = compiled.program, compiled.loaded
    problems = list(compiled.problems)
    if program is None or loaded.document is None:
        return None, problems
    failed = gate(compiled, activities, file=file)
    if failed:
        return None, [*problems, *failed]
    problems += _check_children(store, program, program.id)
    text, text_format = _kept_source(source, loaded)
    stored = StoredDefinition(
        id=program.id,
        version=program.version,
        hash=program.hash,
        document=loaded.document,
        source=text,
        source_format=text_format,
        dialect=loaded.dialect,
        activities=_used(activities, program),
        created_ms=0,
    )
    return stored, problems


def _kept_source(source: str | bytes, loaded: LoadResult) -> tuple[str, Format]:
    """What was uploaded, or its envelope where a part of it was said beside the upload."""
    if loaded.asl is not None and loaded.completed:
        return orjson.dumps(loaded.document, option=orjson.OPT_INDENT_2).decode(), "json"
    return source.decode() if isinstance(source, bytes) else source, loaded.format


def publish(
    store: Store,
    source: str | bytes,
    *,
    now_ms: int,
    actor: str | None = None,
    file: str | None = None,
    source_format: Format | None = None,
    upload: UploadSettings = UploadSettings(),  # noqa: B008  # frozen
) -> PublishOutcome:
    """Check an upload and store it as an immutable version. Warnings do not stop it."""
    stored, problems = check(store, source, file=file, source_format=source_format, upload=upload)
    if stored is None:
        return PublishOutcome(None, None, problems)
    stored = stored.model_copy(update={"created_ms": now_ms, "created_by": actor})
    return PublishOutcome(store.publish_definition(stored), stored, problems)


def _used(activities: Mapping[str, ActivityDescription], program: Program) -> dict[str, ActivityDescription]:
    return {name: activities[name] for name in sorted(program.activity_names) if name in activities}


def _check_children(store: Store, program: Program, own: str) -> list[Problem]:
    known = store.definitions()
    return [
        Problem(
            code="unknown-workflow",
            severity="warning",
            message=f"the workflow {reference!r} is not published yet",
            help="publish it before an instance gets there",
        )
        for reference in sorted(program.children)
        if reference.partition("@")[0] not in known and reference.partition("@")[0] != own
    ]


def _version_order(version: str) -> tuple[tuple[int, ...], bool, str]:
    core, _, pre = version.partition("-")
    return tuple(int(part) for part in core.split("+")[0].split(".")), not pre, pre
