"""Loads a definition: text, document, schema check, models, structure. Bad input becomes problems, never an exception.

The document is plain JSON; the published schema judges it before the models are built, as any other tool would.
Of an Amazon States Language document only the envelope is judged here; the rest is for `stepwell_interpreter.asl`.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from stepwell_schemas.asl_upload import AslDocument, AslUpload, enveloped, is_asl, is_bare
from stepwell_schemas.building import built
from stepwell_schemas.embedded_schemas import check_embedded_schemas
from stepwell_schemas.json_reader import read_json
from stepwell_schemas.problems import Finding, Positions, Problem, kind_of, located
from stepwell_schemas.schema_check import check_against_schema
from stepwell_schemas.source_text import SourceText, SyntaxFault, read_source
from stepwell_schemas.structure import check_bounds, check_reachability, check_targets
from stepwell_schemas.upload_settings import UploadSettings
from stepwell_schemas.workflow import WorkflowDefinition
from stepwell_schemas.yaml_reader import read_yaml

Format = Literal["yaml", "json"]
Dialect = Literal["native", "asl"]
MAX_PROBLEMS = 300


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What came of a source. `document` is there when it could be read.

    `definition` (native) or `asl` is there when it has no errors; an ASL `document` is the envelope.
    """

    document: dict[str, Any] | None
    definition: WorkflowDefinition | None
    problems: tuple[Problem, ...]
    source: str = ""
    format: Format = "yaml"
    positions: Positions | None = None
    dialect: Dialect = "native"
    asl: AslDocument | None = None
    completed: bool = False
    """Whether something of the document was said beside the source (the id of an ASL definition, say)."""

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that forbid the definition."""
        return tuple(problem for problem in self.problems if problem.severity == "error")


def load_definition(
    source: str | bytes | Path,
    *,
    file: str | None = None,
    format: Format | None = None,
    upload: UploadSettings = UploadSettings(),  # noqa: B008  # frozen
) -> LoadResult:
    """Load a definition from its text (`str` or UTF-8 `bytes`) or from a file (`Path`).

    `file` is the name used in problems. Without `format` the file's suffix decides, then the look of the text.
    `upload` is what is said beside an Amazon States Language document; a native one says all of it itself.
    """
    label = file or (str(source) if isinstance(source, Path) else None)
    try:
        text = read_source(source, label)
        form = format or _format_of(text)
        document, positions, notes = _read(text.text, form)
        if isinstance(document, dict) and is_asl(document):
            return _checked_asl(document, positions, notes, text, form, upload)
        return _checked(document, positions, notes + _unused(upload), text, form)
    except SyntaxFault as fault:
        return LoadResult(None, None, (_problem(fault, label),), format=format or "yaml")
    except RecursionError:
        # The allowed depth fits Python's own limit, unless the caller has used most of that already.
        deep = SyntaxFault("too-deep", "nested too deeply to be checked here")
        return LoadResult(None, None, (_problem(deep, label),), format=format or "yaml")


def _format_of(text: SourceText) -> Format:
    suffix = Path(text.file).suffix.lower() if text.file and "\0" not in text.file else ""
    if suffix in (".json", ".yaml", ".yml"):
        return "json" if suffix == ".json" else "yaml"
    # YAML may begin with a brace too, but hardly with a brace and a quoted key.
    start = text.text.lstrip()
    return "json" if start.startswith("{") and start[1:].lstrip().startswith('"') else "yaml"


def _read(text: str, form: Format) -> tuple[Any, Positions, list[Finding]]:
    if form == "json":
        document, positions = read_json(text)
        return document, positions, []
    return read_yaml(text)


def _checked(
    document: Any, positions: Positions, notes: list[Finding], text: SourceText, form: Format
) -> LoadResult:
    findings = list(notes)
    definition = None
    if not isinstance(document, dict):
        findings.append(Finding("wrong-type", f"a definition is an object, not {kind_of(document)}"))
    else:
        shape = check_against_schema(document)
        findings += shape + check_targets(document) + check_embedded_schemas(document)
        if not shape:
            definition, refused = built(WorkflowDefinition, document)
            findings += refused
        # Where a name is misspelt, all that it should have led to would be told as unreachable.
        if all(finding.severity != "error" for finding in findings):
            findings += check_reachability(document) + check_bounds(document)
    problems = _placed(findings, positions, text)
    sound = definition if all(problem.severity != "error" for problem in problems) else None
    kept = document if isinstance(document, dict) else None
    return LoadResult(kept, sound, tuple(problems), text.text, form, positions)


def _checked_asl(
    document: dict[str, Any],
    positions: Positions,
    notes: list[Finding],
    text: SourceText,
    form: Format,
    upload: UploadSettings,
) -> LoadResult:
    envelope, findings = enveloped(document, upload)
    if not findings:
        findings = check_against_schema(envelope, "asl-upload.schema.json")
    model = None
    if not findings and "tests" in envelope:
        model, findings = built(AslUpload, envelope)
    bare = is_bare(document)
    if bare:
        # What the envelope's findings are about was given beside the document, which has no place for it.
        findings = [replace(finding, path=()) for finding in findings]
    problems = _placed(notes + findings, positions, text)
    refused = any(problem.severity == "error" for problem in problems)
    tests = () if model is None else tuple(model.tests)
    asl = None if refused else AslDocument.of_envelope(envelope, tests)
    if asl is not None and bare:
        asl = replace(asl, base=())
    return LoadResult(
        envelope,
        None,
        tuple(problems),
        text.text,
        form,
        positions,
        "asl",
        asl,
        completed=bare or upload.says_any,
    )


def _unused(upload: UploadSettings) -> list[Finding]:
    if not upload.says_any:
        return []
    message = "id, version, type and resources beside an upload are for Amazon States Language; this one says its own"
    return [Finding("unused-setting", message, severity="warning")]


def _placed(findings: list[Finding], positions: Positions, text: SourceText) -> list[Problem]:
    problems = [located(finding, positions, text.file) for finding in findings[:MAX_PROBLEMS]]
    return sorted(problems, key=lambda problem: (problem.line or 0, problem.column or 0))


def _problem(fault: SyntaxFault, file: str | None) -> Problem:
    return Problem(fault.code, "error", fault.message, file, fault.line, fault.column, help=fault.help)
