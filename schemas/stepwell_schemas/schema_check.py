"""Checks a document against the published JSON Schema and says what is wrong in an author's words.

The schema is the judge; here its errors are boiled down: of alternatives the one that was meant, of a misspelt
key one finding instead of two.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator

from stepwell_schemas.durations import duration_ms, timestamp_ms
from stepwell_schemas.problems import Finding, PathInDocument, did_you_mean, kind_of, nearest, quoted
from stepwell_schemas.publish import published
from stepwell_schemas.states import STATE_MODELS

MAX_FINDINGS = 100
_Error = Any
"""A jsonschema ValidationError: its type hints call every attribute possibly unset, so they are of no use."""


def check_against_schema(document: Any, schema: str = "workflow.schema.json") -> list[Finding]:
    """What a published schema has against the document, in its order; at most MAX_FINDINGS."""
    errors = _validator(schema).iter_errors(document)
    findings = (finding for error in errors for finding in _findings(error))
    return _without_echoes(list(islice(findings, MAX_FINDINGS)))


@cache
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(published(schema))


def _findings(error: _Error) -> Iterator[Finding]:
    path = tuple(error.absolute_path)
    if error.validator in ("oneOf", "not") and not isinstance(error.instance, dict):
        return  # a rule between keys; that this is no object is told already
    if error.validator == "pattern" and error.instance == "" and "minLength" in error.schema:
        return  # that it is empty is told already
    match error.validator:
        case "additionalProperties":
            yield from _unknown_keys(error, path)
        case "required":
            yield from _missing_keys(error, path)
        case "anyOf":
            yield from _alternatives(error, path)
        case "oneOf":
            yield _exactly_one(error, path)
        case "dependentRequired":
            yield from _needed_beside(error, path)
        case "not":
            first, second = error.validator_value["required"]
            yield Finding(
                "misplaced-key", f"{second} cannot stand beside {first}", (*path, second), at_key=True
            )
        case "propertyNames" | "minLength" | "maxLength" | "pattern":
            yield _bad_text(error, path)
        case _:
            yield Finding("schema", _plain_message(error), path, help=_description(error))


def _unknown_keys(error: _Error, path: PathInDocument) -> Iterator[Finding]:
    allowed = list(error.schema.get("properties", {}))
    patterns = error.schema.get("patternProperties", {})
    for key in error.instance:
        if key in allowed or (patterns and key.startswith("$")):
            continue
        if patterns:
            message = f"{quoted(key)} is no function: functions begin with $"
        elif owners := _owners(key, error.schema.get("title", "")):
            message = f"{quoted(key)} is not a key of this state; it belongs to {owners}"
        else:
            message = f"unknown key {quoted(key)}{did_you_mean(key, allowed)}"
        help = f"allowed here: {', '.join(allowed)}" if allowed else None
        yield Finding("unknown-key", message, (*path, key), help=help, at_key=True)


def _owners(key: str, title: str) -> str:
    """The state types that have the key which this one has not; "" where none or where it is no state."""
    if title not in {model.__name__ for model in STATE_MODELS.values()}:
        return ""
    definitions = published("workflow.schema.json")["$defs"]
    owners = [
        kind for kind, model in STATE_MODELS.items() if key in definitions[model.__name__]["properties"]
    ]
    return " and ".join(filter(None, [", ".join(owners[:-1]), owners[-1]])) if owners else ""


def _missing_keys(error: _Error, path: PathInDocument) -> Iterator[Finding]:
    # jsonschema gives one error for each missing key; which one, only its message says.
    key = next(key for key in error.validator_value if error.message.startswith(repr(key)))
    description = error.schema.get("properties", {}).get(key, {}).get("description")
    yield Finding("missing-key", f"{key} is missing", path, help=description)


def _needed_beside(error: _Error, path: PathInDocument) -> Iterator[Finding]:
    for key, needed in error.validator_value.items():
        if key in error.instance:
            for other in needed:
                if other not in error.instance:
                    message = f"{key} needs {other} beside it"
                    yield Finding("missing-key", message, (*path, key), at_key=True)


def _exactly_one(error: _Error, path: PathInDocument) -> Finding:
    keys = [branch["required"][0] for branch in error.validator_value]
    found = [key for key in keys if key in error.instance]
    text = f"exactly one of {', '.join(keys)} must be here; found {', '.join(found) or 'none'}"
    if found:
        return Finding("too-many-keys", text, (*path, found[1]), at_key=True)
    return Finding("missing-one-of", text, path)


def _bad_text(error: _Error, path: PathInDocument) -> Finding:
    schema = error.schema
    if error.parent is not None and error.parent.validator == "propertyNames":
        schema = error.parent.schema.get("propertyNames", schema)
    about_key = isinstance(error.instance, str) and "propertyNames" in error.absolute_schema_path
    what = "the key " if about_key else ""
    if error.validator == "minLength":
        message = f"{what or 'the text '}must not be empty"
    elif error.validator == "maxLength":
        message = f"{what or 'the text '}has more than {error.validator_value} characters"
    else:
        allowed = schema.get("patternErrorMessage", f"allowed: what matches {error.validator_value}")
        message = f"{what}{quoted(error.instance)} is not allowed; {allowed}"
    where = (*path, error.instance) if about_key else path
    return Finding("bad-value", message, where, at_key=about_key, help=_description(error))


def _alternatives(error: _Error, path: PathInDocument) -> Iterator[Finding]:
    checker = {"Duration": duration_ms, "Timestamp": timestamp_ms}.get(error.schema.get("title", ""))
    if checker is not None:
        yield _bad_time(error, path, checker)
        return
    words = [word for branch in error.validator_value for word in branch.get("enum", ())]
    if words:
        yield _bad_word(error, path, words)
        return
    by_branch: dict[int, list[_Error]] = {}
    for part in error.context or ():
        by_branch.setdefault(int(part.schema_path[0]), []).append(part)
    meant = [parts for parts in by_branch.values() if not any(_is_wrong_kind(part) for part in parts)]
    if len(meant) == 1:
        for part in meant[0]:
            yield from _findings(part)
        return
    kinds = sorted({kind for branch in error.validator_value for kind in _kinds_of(branch)})
    message = f"must be {' or '.join(kinds)}, not {kind_of(error.instance)}"
    yield Finding("wrong-type", message, path, help=_description(error))


def _bad_time(error: _Error, path: PathInDocument, checker: Any) -> Finding:
    try:
        checker(error.instance)
        message = f"{quoted(error.instance)} is not allowed here"
    except ValueError as problem:
        message = str(problem)
    return Finding("bad-value", message, path, help=_description(error))


def _bad_word(error: _Error, path: PathInDocument, words: list[str]) -> Finding:
    guess = did_you_mean(error.instance, words)
    message = f"{quoted(error.instance)} is not one of {', '.join(words)}{guess}"
    return Finding("bad-value", message, path, help=_description(error))


def _is_wrong_kind(error: _Error) -> bool:
    """Whether a branch was not even meant: the value itself, not a part of it, is of another type."""
    if error.validator == "anyOf" and not error.relative_path:
        return all(_is_wrong_kind(part) for part in error.context or ())
    return error.validator == "type" and not error.relative_path


def _kinds_of(branch: dict[str, Any]) -> Iterable[str]:
    if "anyOf" in branch and "type" not in branch:
        return [kind for part in branch["anyOf"] for kind in _kinds_of(part)]
    kinds = branch.get("type", "object")
    return [_KINDS[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds)]


def _plain_message(error: _Error) -> str:
    match error.validator:
        case "type":
            kinds = error.validator_value
            names = [_KINDS[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds)]
            return f"must be {' or '.join(names)}, not {_shown(error.instance)}"
        case "minimum" | "exclusiveMinimum":
            return f"{quoted(error.instance)} is less than {error.validator_value}"
        case "maximum" | "exclusiveMaximum":
            return f"{quoted(error.instance)} is more than {error.validator_value}"
        case "minItems" | "minProperties":
            return "must not be empty"
        case _:
            return str(error.message)[:200]


def _shown(value: Any) -> str:
    if value is None or isinstance(value, dict | list):
        return kind_of(value)
    return f"{kind_of(value)} ({quoted(value)})"


def _description(error: _Error) -> str | None:
    description = error.schema.get("description") if isinstance(error.schema, dict) else None
    return str(description) if description else None


def _without_echoes(findings: list[Finding]) -> list[Finding]:
    """One mistake can break several rules. A misspelt key is told as that, not as another one missing too; where
    two forms are mixed, the keys of one are not told as misplaced too.
    """
    seen: set[tuple[str, PathInDocument, str]] = set()
    kept = []
    misspelt = {
        finding.path[:-1]: str(finding.path[-1]) for finding in findings if finding.code == "unknown-key"
    }
    mixed = {finding.path[:-1] for finding in findings if finding.code == "too-many-keys"}
    for finding in findings:
        if finding.code == "misplaced-key" and finding.path[:-1] in mixed:
            continue
        key = misspelt.get(finding.path)
        if finding.code in ("missing-key", "missing-one-of") and key is not None:
            words = finding.message.replace(",", " ").replace(";", " ").split()
            if nearest(key, words) is not None:
                continue
        identity = (finding.code, finding.path, finding.message)
        if identity not in seen:
            seen.add(identity)
            kept.append(finding)
    return kept


_KINDS = {
    "string": "a text",
    "object": "an object",
    "array": "a list",
    "number": "a number",
    "integer": "an integer",
    "boolean": "a boolean",
    "null": "null",
}
