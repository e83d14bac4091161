"""Findings as SARIF 2.1.0 (https://docs.oasis-open.org/sarif/sarif/v2.1.0/), for editors and code scanning.

A fingerprint covers the code, the file and the place in the document, not the line: it survives edits elsewhere.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from stepwell_schemas.problems import Problem

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
FINGERPRINT: Final = "stepwellProblem/v1"
_LEVELS: Final = {"error": "error", "warning": "warning", "info": "note"}


def sarif_log(checked: Iterable[tuple[Path, Sequence[Problem]]]) -> dict[str, Any]:
    """The log of one run over files, each with its problems."""
    files = [(_uri(file), problems) for file, problems in checked]
    codes = list(dict.fromkeys(problem.code for _, problems in files for problem in problems))
    levels = {problem.code: _LEVELS[problem.severity] for _, problems in files for problem in problems}
    results = []
    for uri, problems in files:
        seen: Counter[str] = Counter()
        results += [_result(problem, uri, codes.index(problem.code), seen) for problem in problems]
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "Stepwell",
                        "version": version("stepwell"),
                        "rules": [_rule(code, levels[code]) for code in codes],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "artifacts": [{"location": {"uri": uri}} for uri in dict.fromkeys(uri for uri, _ in files)],
                "results": results,
            }
        ],
    }


def _rule(code: str, level: str) -> dict[str, Any]:
    return {
        "id": code,
        "name": "".join(word.capitalize() for word in code.replace("_", "-").split("-")),
        "shortDescription": {"text": code.replace("-", " ").replace("_", " ").capitalize() + "."},
        "defaultConfiguration": {"level": level},
    }


def _result(problem: Problem, uri: str, rule: int, seen: Counter[str]) -> dict[str, Any]:
    location: dict[str, Any] = {"physicalLocation": {"artifactLocation": {"uri": uri}}}
    if problem.line is not None:
        region = {"startLine": problem.line}
        if problem.column is not None:
            region["startColumn"] = problem.column
        location["physicalLocation"]["region"] = region
    if problem.pointer:
        location["logicalLocations"] = [{"fullyQualifiedName": problem.pointer, "kind": "member"}]
    result: dict[str, Any] = {
        "ruleId": problem.code,
        "ruleIndex": rule,
        "level": _LEVELS[problem.severity],
        "message": {"text": f"{problem.message}\n{problem.help}" if problem.help else problem.message},
        "locations": [location],
    }
    mark = f"{problem.code}\0{uri}\0{problem.pointer}"
    seen[mark] += 1
    result["partialFingerprints"] = {
        FINGERPRINT: sha256(f"{mark}\0{seen[mark]}".encode()).hexdigest()[:32],
    }
    return result


def _uri(file: Path) -> str:
    """Relative to the working folder where the file lies in it, so that a log fits on every machine."""
    try:
        return quote(file.resolve().relative_to(Path.cwd().resolve()).as_posix())
    except ValueError:
        return file.resolve().as_uri()
