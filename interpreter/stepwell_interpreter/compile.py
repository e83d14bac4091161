"""From the source of a definition, of either dialect, to its program and all that is wrong with it.

The one way in for uploads, `check`, `simulate` and the scenario runner, so that all of them say the same.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from stepwell_schemas.asl_upload import AslDocument
from stepwell_schemas.catalog import ActivityDescription
from stepwell_schemas.loader import MAX_PROBLEMS, Dialect, Format, LoadResult, load_definition
from stepwell_schemas.problems import (
    Finding,
    PathInDocument,
    Positions,
    Problem,
    Severity,
    located,
)
from stepwell_schemas.upload_settings import UploadSettings
from stepwell_schemas.workflow import WorkflowDefinition

from stepwell_interpreter.asl.lower import lower_asl
from stepwell_interpreter.asl.resources import ANY, Anything, ResourceTable
from stepwell_interpreter.asl.validate import validate_asl
from stepwell_interpreter.findings import DefinitionProblems
from stepwell_interpreter.lower import lower
from stepwell_interpreter.program import Program
from stepwell_interpreter.verification.findings import VerificationProblem, told
from stepwell_interpreter.verification.silencing import silence
from stepwell_interpreter.verification.verify import verify

_GRAVITY: dict[Severity, int] = {"error": 0, "warning": 1, "info": 2}
_SEVERITIES: dict[str, Severity] = {"ERROR": "error", "WARNING": "warning"}


@dataclass(frozen=True, slots=True)
class Compiled:
    """What came of a source. `program` is there only where no problem is an error."""

    program: Program | None
    problems: tuple[Problem, ...]
    loaded: LoadResult

    @property
    def accepted(self) -> bool:
        """Whether the definition can run."""
        return self.program is not None


class AnyActivity(Mapping[str, ActivityDescription]):
    """Stands in for the activities where none are known: every name exists and takes everything."""

    def __getitem__(self, name: str) -> ActivityDescription:
        return ActivityDescription(name=name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def compile_source(
    source: str | bytes | Path | Mapping[str, Any],
    *,
    activities: Mapping[str, ActivityDescription] | None = None,
    file: str | None = None,
    format: Format | None = None,
    id: str | None = None,
    version: str | None = None,
    type: str | None = None,
    resources: ResourceTable | None = None,
    anonymous: bool | None = None,
) -> Compiled:
    """Load, check and lower a definition: a text, a file or a document. Bad input becomes problems.

    `activities` None: every activity is taken to exist, and so is every resource of Amazon States Language that no
    table names. `id`, `version`, `type` and `resources` are for that language, which does not say them itself;
    they go before what an envelope says. `anonymous`: it needs neither id nor version (None: where no activities
    are given).
    """
    if isinstance(source, Mapping):
        source, format = orjson.dumps(source), "json"
    table = None if isinstance(resources, Anything) else resources
    upload = UploadSettings(
        id, version, type, table, anonymous=activities is None if anonymous is None else anonymous
    )
    loaded = load_definition(source, file=file, format=format, upload=upload)
    if loaded.document is None or loaded.errors:
        return Compiled(None, loaded.problems, loaded)
    known = AnyActivity() if activities is None else activities
    if loaded.asl is not None:
        free = resources is ANY or (activities is None and not loaded.asl.resources)
        return _compile_asl(loaded, loaded.asl, known, file, ANY if free else loaded.asl.resources)
    assert loaded.definition is not None, "a native document without errors has its model"
    try:
        program = lower(loaded.definition, known, content_hash(loaded.document))
    except DefinitionProblems as raised:
        found = [
            place(each.code, each.pointer, each.message, each.help, loaded, file) for each in raised.problems
        ]
        return Compiled(None, (*loaded.problems, *found), loaded)
    return _verified(program, loaded, loaded.definition, known, file)


def compile_document(
    document: Mapping[str, Any],
    activities: Mapping[str, ActivityDescription],
    program_hash: str,
    dialect: Dialect,
) -> Program:
    """The program of a document that was checked before. Raises DefinitionProblems or ValidationError."""
    if dialect == "asl":
        asl = AslDocument.of_envelope(document)
        return _lower(asl, program_hash, activities, asl.resources)
    return lower(WorkflowDefinition.model_validate(document), activities, program_hash)


def _verified(
    program: Program,
    loaded: LoadResult,
    definition: WorkflowDefinition,
    known: Mapping[str, ActivityDescription],
    file: str | None,
) -> Compiled:
    """What verification has to say is added, and what the definition silences with a reason taken away."""

    def placed(found: Iterable[VerificationProblem]) -> list[Problem]:
        return [
            place(each.code, each.pointer, each.message, each.help, loaded, file, each.severity)
            for each in found
        ]

    verified = verify(definition, loaded.document or {}, known)
    left, ignores = silence(definition, [*loaded.problems, *placed(verified.problems)], verified.incomplete)
    kept = _gravest([*left, *placed(ignores)])
    if len(kept) < len(left) + len(ignores) or verified.incomplete:
        message = f"there are more findings than these; of each check at most {MAX_PROBLEMS} are looked for"
        kept += placed([told("too-many-findings", "", message)])
    problems = sorted(kept, key=lambda each: (each.line or 0, each.column or 0))
    sound = all(problem.severity != "error" for problem in problems)
    return Compiled(program if sound else None, tuple(problems), loaded)


def _gravest(problems: list[Problem]) -> list[Problem]:
    """As many as are shown, the gravest before the others."""
    return sorted(problems, key=lambda each: _GRAVITY[each.severity])[:MAX_PROBLEMS]


def _compile_asl(
    loaded: LoadResult,
    asl: AslDocument,
    activities: Mapping[str, ActivityDescription],
    file: str | None,
    table: ResourceTable,
) -> Compiled:
    positions = loaded.positions or Positions()
    problems = list(loaded.problems)
    for each in validate_asl(asl.definition, type=asl.type, resources=table, warnings=True):
        path = (*asl.base, *(each.path or ()))
        finding = Finding(each.code, each.message, path, _SEVERITIES[each.severity], each.help or None)
        problems.append(located(finding, positions, file))
    if any(problem.severity == "error" for problem in problems):
        return Compiled(None, tuple(problems), loaded)
    try:
        program = _lower(asl, content_hash(loaded.document), activities, table)
    except DefinitionProblems as raised:
        for one in raised.problems:
            path = (*asl.base, *path_of(one.pointer, asl.definition))
            finding = Finding(one.code, one.message, path, help=one.help or None)
            problems.append(located(finding, positions, file))
        return Compiled(None, tuple(problems), loaded)
    return Compiled(program, tuple(problems), loaded)


def _lower(
    asl: AslDocument,
    program_hash: str,
    activities: Mapping[str, ActivityDescription],
    table: ResourceTable,
) -> Program:
    return lower_asl(
        asl.definition,
        id=asl.id,
        version=asl.version,
        program_hash=program_hash,
        activities=activities,
        resources=table,
        type=asl.type,
    )


def content_hash(document: object) -> str:
    """blake2b-16 of the document as JSON with sorted keys; layout and comments of the source do not count."""
    return hashlib.blake2b(orjson.dumps(document, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


def place(
    code: str, pointer: str, message: str, help: str | None, loaded: LoadResult, file: str | None,
    severity: Severity = "error",
) -> Problem:  # fmt: skip
    """A finding by its JSON pointer, with its line and column in the source."""
    path = path_of(pointer, loaded.document)
    finding = Finding(code, message, path, severity=severity, help=help)
    return located(finding, loaded.positions or Positions(), file)


def path_of(pointer: str, document: Any) -> PathInDocument:
    """The path of a JSON pointer: its members, with those into lists as numbers."""
    path: list[str | int] = []
    node: Any = document
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        path.append(int(name) if isinstance(node, list) and name.isdigit() else name)
        if isinstance(node, list):
            node = node[path[-1]] if isinstance(path[-1], int) and path[-1] < len(node) else None
        else:
            node = node.get(name) if isinstance(node, Mapping) else None
    return tuple(path)
