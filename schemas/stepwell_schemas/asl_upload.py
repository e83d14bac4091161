"""The envelope in which an Amazon States Language document is uploaded: it has neither id nor version of its own.

`{id, version, type, resources, definition, tests}`; the definition is an object, or its JSON text as the AWS tools
write it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from stepwell_schemas.json_reader import read_json
from stepwell_schemas.problems import Finding, PathInDocument, kind_of
from stepwell_schemas.scenario import Scenario, Scenarios
from stepwell_schemas.source_text import SyntaxFault
from stepwell_schemas.upload_settings import UploadSettings
from stepwell_schemas.words import LanguageModel, Word, explained
from stepwell_schemas.workflow import ID_PATTERN, VERSION_PATTERN
from stepwell_schemas.workflow_schema import DIALECT, tidy

ASL_SCHEMA_ID = "urn:stepwell:schema:asl-upload"
MachineType = Literal["STANDARD", "EXPRESS"]

TARGET_PATTERN = r"^(workflow:[a-z][a-z0-9-]{0,62}(@[0-9.]+)?|[A-Za-z0-9][A-Za-z0-9._:/-]{0,255})$"


class AslUpload(LanguageModel):
    """An Amazon States Language document with what it does not say itself."""

    schema_address: str | None = Field(default=None, alias="$schema")
    """The schema, for editors."""
    id: str = Field(
        pattern=ID_PATTERN,
        json_schema_extra=explained("lower-case letters, digits and hyphens, a letter first, at most 63"),
    )
    """The workflow's name for machines."""
    version: str = Field(
        pattern=VERSION_PATTERN,
        max_length=128,
        json_schema_extra=explained(
            "a semantic version such as 1.0.0; quote it where YAML takes it for a number"
        ),
    )
    """Semantic version; a version never changes once it is uploaded."""
    type: Annotated[MachineType, Word("STANDARD", "EXPRESS")] = "STANDARD"
    """The kind of state machine; EXPRESS allows neither callbacks nor `.sync`."""
    resources: dict[
        str,
        Annotated[
            str,
            Field(
                pattern=TARGET_PATTERN,
                json_schema_extra=explained("an activity's name, or workflow:ID for a child workflow"),
            ),
        ],
    ] = Field(default_factory=dict)
    """A `Resource`, a function's name or its ARN -> the activity it means here, or `workflow:ID`."""
    name: str | None = None
    """The workflow's name for people."""
    description: str | None = None
    """What it does."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    """Anything; not read by the machine."""
    definition: dict[str, Any] | str
    """The Amazon States Language document, or its JSON text."""
    tests: Scenarios = Field(default_factory=list)
    """Scenarios that the definition must pass; an upload is refused when one fails."""


def asl_upload_schema() -> dict[str, Any]:
    """The published schema of the envelope. A new object at each call."""
    generated = AslUpload.model_json_schema(by_alias=True, mode="validation")
    definitions = {name: tidy(schema) for name, schema in generated.pop("$defs").items()}
    root = tidy(generated)
    root["title"] = "Stepwell ASL upload"
    return {"$schema": DIALECT, "$id": ASL_SCHEMA_ID, **root, "$defs": dict(sorted(definitions.items()))}


@dataclass(frozen=True, slots=True)
class AslDocument:
    """An upload ready to be checked. `base` leads from the source to the definition: () where it is the source."""

    id: str
    version: str
    type: MachineType
    resources: Mapping[str, str]
    definition: dict[str, Any]
    base: PathInDocument
    tests: tuple[Scenario, ...] = ()

    @classmethod
    def of_envelope(cls, envelope: Mapping[str, Any], tests: tuple[Scenario, ...] = ()) -> "AslDocument":
        """Of an envelope that was stored, as `enveloped` makes it. Its tests were for the upload."""
        return cls(
            envelope["id"],
            envelope["version"],
            envelope["type"],
            envelope["resources"],
            envelope["definition"],
            ("definition",),
            tests,
        )


def is_asl(document: Mapping[str, Any]) -> bool:
    """Whether a document is an ASL definition or an envelope of one."""
    return is_bare(document) or ("definition" in document and not _is_native(document))


def is_bare(document: Mapping[str, Any]) -> bool:
    """Whether a document is an ASL definition itself."""
    return ("StartAt" in document or "States" in document) and not _is_native(document)


def enveloped(document: dict[str, Any], settings: UploadSettings) -> tuple[dict[str, Any], list[Finding]]:
    """The envelope of a definition or an envelope, with the settings in it and the definition as an object.

    The findings say what stands in the way; whether the envelope is right is for its schema to say.
    """
    envelope: dict[str, Any] = {"definition": document} if is_bare(document) else dict(document)
    findings: list[Finding] = []
    for field in ("id", "version", "type"):
        given = getattr(settings, field)
        if given is not None:
            envelope[field] = given
    named = envelope.get("resources", {})
    if settings.resources and isinstance(named, Mapping):
        envelope["resources"] = {**named, **settings.resources}
    if is_bare(document):
        if settings.anonymous:
            envelope = {"id": "definition", "version": "0.0.0", **envelope}
        missing = [field for field in ("id", "version") if field not in envelope]
        if missing:
            findings.append(
                Finding(
                    "missing-key",
                    f"an Amazon States Language document has no {' and no '.join(missing)} of its own",
                    help=f"give {' and '.join(missing)} beside the upload, or in an envelope "
                    f"{{id, version, definition}}",
                )
            )
    if isinstance(envelope.get("definition"), str):
        findings += _parse(envelope)
    kind = envelope.setdefault("type", "STANDARD")
    if isinstance(kind, str):
        envelope["type"] = kind.upper()
    envelope.setdefault("resources", {})
    return envelope, findings


def _parse(envelope: dict[str, Any]) -> list[Finding]:
    try:
        definition, _ = read_json(envelope["definition"])
    except SyntaxFault as fault:
        where = "" if fault.line is None else f" (line {fault.line}, column {fault.column} of that text)"
        return [Finding("INVALID_JSON_DESCRIPTION", f"{fault.message}{where}", ("definition",))]
    if not isinstance(definition, dict):
        message = f"the definition is {kind_of(definition)}, not an object"
        return [Finding("wrong-type", message, ("definition",))]
    envelope["definition"] = definition
    return []


def _is_native(document: Mapping[str, Any]) -> bool:
    return "startAt" in document or "states" in document
