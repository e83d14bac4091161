"""Recorded behaviour of Amazon States Language, where it is there: finds the cases, runs them, judges the results.

The folder is named by STEPWELL_ASL_CASES, or lies beside the repository as `shared/asl-cases`.
"""

import copy
import importlib.util
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson
from stepwell.testing import DefinitionRefused, SimulationError, StateRefused, simulate, test_state
from stepwell_interpreter.asl.diagnostics import creation_error
from stepwell_interpreter.asl.references import referenced_variables
from stepwell_interpreter.asl.validate import validate_asl
from stepwell_interpreter.simulation.world import START_MS

Case = dict[str, Any]


def cases_folder() -> Path | None:
    """The folder of the recorded cases; None where there is none."""
    named = os.environ.get("STEPWELL_ASL_CASES")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "asl-cases"
    return folder if (folder / "compare.py").is_file() else None


def load_cases(folder: Path) -> list[Case]:
    """All cases, sorted by id."""
    read = (orjson.loads(path.read_bytes()) for path in folder.rglob("*.json"))
    return sorted(
        (case for case in read if isinstance(case, dict) and "expected" in case), key=lambda case: case["id"]
    )


def comparer(folder: Path) -> ModuleType:
    """The judge that comes with the cases."""
    spec = importlib.util.spec_from_file_location("asl_cases_compare", folder / "compare.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_case(case: Case) -> dict[str, Any] | None:
    """What Stepwell makes of a case, in the form the judge takes; None where there is nothing like it here."""
    return _RUNNERS[case["kind"]](case)


def _execution(case: Case) -> dict[str, Any]:
    case = _at_present(case)
    try:
        result = simulate(
            case["definition"],
            case["input"],
            tasks=_tasks(case),
            now=START_MS,
            type=case.get("type", "STANDARD"),
        )
    except (DefinitionRefused, SimulationError) as error:
        return {"status": "REFUSED", "error": type(error).__name__, "cause": str(error)}
    return {
        "status": result.status,
        "output": result.output,
        "error": result.error,
        "cause": result.cause,
        "history": result.history,
    }


def _validation(case: Case) -> dict[str, Any] | None:
    if case.get("definition") is None and "definition_text" not in case:
        return None
    diagnostics = validate_asl(
        case.get("definition"), type=case["request"].get("type", "STANDARD"), text=case.get("definition_text")
    )
    error = creation_error(diagnostics)
    return {
        "accepted": error is None,
        "error": None if error is None else error[0],
        "message": None if error is None else error[1],
        "diagnostics": [each.document() for each in diagnostics],
    }


def _test_state(case: Case) -> dict[str, Any]:
    request = case["request"]
    mock = request.get("mock") or {}
    outcome: dict[str, Any] | None = None
    if "result" in mock:
        outcome = {"output": orjson.loads(mock["result"])}
    elif "errorOutput" in mock:
        outcome = dict(mock["errorOutput"])
    try:
        result = test_state(
            case["definition"],
            orjson.loads(request.get("input", "{}")),
            state=request.get("stateName"),
            outcome=outcome,
            variables=orjson.loads(request["variables"]) if "variables" in request else None,
            context=orjson.loads(request["context"]) if "context" in request else None,
            configuration=request.get("stateConfiguration"),
            inspection=request.get("inspectionLevel", "INFO"),
            field_validation=mock.get("fieldValidationMode", "STRICT"),
        )
    except StateRefused as refused:
        return {"refused": True, "error": refused.error, "message": refused.message}
    except (DefinitionRefused, SimulationError) as error:
        return {"refused": True, "error": type(error).__name__, "message": str(error)}
    return result.as_aws()


def _variable_references(case: Case) -> dict[str, Any]:
    document = case["definition"]
    language = document.get("QueryLanguage", "JSONPath")
    found: dict[str, list[str]] = {}
    machines = [document]
    while machines:
        machine = machines.pop()
        for name, state in machine["States"].items():
            names = referenced_variables(state, state.get("QueryLanguage", language))
            if names:
                found[name] = sorted(names)
            machines += [
                *state.get("Branches", ()),
                *(state[key] for key in ("ItemProcessor", "Iterator") if key in state),
            ]
    return {"variableReferences": found}


def _tasks(case: Case) -> dict[str, Any]:
    tasks: dict[str, Any] = dict(case["tasks"])
    fixtures = case.get("fixtures") or {}
    for state in case.get("tasks_not_recorded", ()):
        tasks[state] = _identity
    if "s3_objects" in fixtures:
        for state in _reading_states(case["definition"]):
            tasks.setdefault(state, _reader(fixtures["s3_objects"]))
    return tasks


def _identity(given: Any) -> Any:
    if isinstance(given, Mapping) and "Payload" in given:
        return {"Payload": given["Payload"], "StatusCode": 200}
    return given


def _reader(objects: list[dict[str, Any]]) -> Callable[[Any], Any]:
    """Reads and lists the objects of a case as the storage service would."""

    class NoSuchKeyException(Exception):
        """There is no such object."""

    def read(given: Any) -> Any:
        inside = [each for each in objects if each["bucket"] == given.get("Bucket")]
        if "Key" not in given:
            prefix = given.get("Prefix", "")
            return {"Contents": [_listed(each) for each in inside if each["key"].startswith(prefix)]}
        for each in inside:
            if each["key"] == given["Key"]:
                return {"Body": each["body"]}
        raise NoSuchKeyException("The specified key does not exist.")

    return read


def _listed(each: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Etag": '"etag"',
        "Key": each["key"],
        "LastModified": START_MS // 1000,
        "Size": len(each["body"].encode()),
        "StorageClass": "STANDARD",
    }


def _reading_states(document: Any) -> list[str]:
    found: list[str] = []
    if isinstance(document, dict):
        for name, value in document.items():
            if isinstance(value, dict) and "ItemReader" in value:
                found.append(name)
            found += _reading_states(value)
    elif isinstance(document, list):
        for value in document:
            found += _reading_states(value)
    return found


def _at_present(case: Case) -> Case:
    """The case with its relative times set from the moment the simulation begins."""
    relative = case.get("time_relative")
    if not relative:
        return case
    case = copy.deepcopy(case)
    for part, places in relative.items():
        for place in places:
            moment = datetime.fromtimestamp(START_MS / 1000, UTC) + timedelta(seconds=place["offset_seconds"])
            *path, last = place["path"]
            holder = case[part]
            for member in path:
                holder = holder[member]
            holder[last] = f"{moment:%Y-%m-%dT%H:%M:%S}{place['suffix']}"
    return case


_RUNNERS: dict[str, Callable[[Case], dict[str, Any] | None]] = {
    "execution": _execution,
    "validation": _validation,
    "api_error": _validation,
    "test_state": _test_state,
    "variable_references": _variable_references,
}
