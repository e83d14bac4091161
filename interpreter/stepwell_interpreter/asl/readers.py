"""What a Map's ItemReader has read, as items: JSON, JSON Lines, CSV, a manifest of keys, or a listing of objects.

The activity that reads gives the object's text, or `{"Body": text}`, or a listing `{"Contents": [...]}`, or the
value itself. The shapes are those of https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html.
"""

import csv
import io
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from stepwell_interpreter.asl.scope import AslFailure, AslScope
from stepwell_interpreter.failures import ITEM_READER_FAILED

Read = Callable[[AslScope, Any], list[Any]]

_DELIMITERS: Final = {"COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "SPACE": " ", "TAB": "\t"}
_NOT_ITERABLE: Final = "Attempting to map over non-iterable node."


def compile_reader(
    resource: str, configuration: Mapping[str, Any], max_items: Callable[[AslScope], int] | None
) -> Read:
    """How the answer of an ItemReader's activity becomes items; run, it raises AslFailure (States.ItemReaderFailed)."""
    kind = configuration.get("InputType")
    form = _listing if kind is None and "list" in resource else _FORMS[str(kind or "JSON").upper()]

    def read(scope: AslScope, answer: Any) -> list[Any]:
        items = form(answer, configuration)
        limit = 0 if max_items is None else max_items(scope)
        return items[:limit] if limit > 0 else items

    return read


def _listing(answer: Any, configuration: Mapping[str, Any]) -> list[Any]:
    if isinstance(answer, Mapping):
        answer = answer.get("Contents", [])
    if not isinstance(answer, list):
        raise _failed(_NOT_ITERABLE)
    return answer


def _json(answer: Any, configuration: Mapping[str, Any]) -> list[Any]:
    value = _value(answer)
    for part in [part for part in str(configuration.get("ItemsPointer") or "").split("/") if part]:
        name = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(value, Mapping) or name not in value:
            raise _failed(f"The ItemsPointer '{configuration['ItemsPointer']}' could not be found.")
        value = value[name]
    if not isinstance(value, list):
        raise _failed(_NOT_ITERABLE)
    return value


def _json_lines(answer: Any, configuration: Mapping[str, Any]) -> list[Any]:
    body = _body(answer)
    if isinstance(body, list):
        return body
    return [_parsed(line) for line in str(body).splitlines() if line.strip()]


def _csv(answer: Any, configuration: Mapping[str, Any]) -> list[Any]:
    body = _body(answer)
    if isinstance(body, list):
        return body
    delimiter = _DELIMITERS.get(str(configuration.get("CSVDelimiter", "COMMA")).upper(), ",")
    try:
        rows = [row for row in csv.reader(io.StringIO(str(body)), delimiter=delimiter) if row]
    except csv.Error as error:
        raise _failed(f"The CSV file cannot be read: {error}") from error
    if str(configuration.get("CSVHeaderLocation", "FIRST_ROW")).upper() == "GIVEN":
        headers = [str(header) for header in configuration.get("CSVHeaders", [])]
    else:
        headers, rows = (rows[0], rows[1:]) if rows else ([], [])
    if len(set(headers)) != len(headers):
        raise _failed("CSV headers cannot contain duplicates.")
    return [_row(headers, row) for row in rows]


def _row(headers: list[str], row: list[str]) -> dict[str, str]:
    """Columns without a header are left out; headers without a column are empty texts."""
    padded = [*row, *[""] * (len(headers) - len(row))]
    return dict(zip(headers, padded, strict=False))


def _body(answer: Any) -> Any:
    return answer["Body"] if isinstance(answer, Mapping) and "Body" in answer else answer


def _value(answer: Any) -> Any:
    body = _body(answer)
    return _parsed(body) if isinstance(body, str) else body


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _failed(f"The object is not JSON: {error}") from error


def _failed(cause: str) -> AslFailure:
    return AslFailure(ITEM_READER_FAILED, cause)


_FORMS: Final[dict[str, Callable[[Any, Mapping[str, Any]], list[Any]]]] = {
    "JSON": _json,
    "JSONL": _json_lines,
    "CSV": _csv,
    "MANIFEST": _csv,
    "PARQUET": _json,
}
