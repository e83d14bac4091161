"""The errors of JSONata in the words of its reference implementation, which are AWS's too.

The library's texts come by way of Java: they say "Object" for "function" and leave the inserts unquoted.
"""

import re
from typing import Any, Final

import orjson
from jsonata.jexception import JException

_INSERT: Final = re.compile(r"\{\{\{\w+\}\}\}|\{\{\w+\}\}")
_ITEM_KINDS: Final = {
    "a": "arrays",
    "b": "booleans",
    "f": "functions",
    "n": "numbers",
    "o": "objects",
    "s": "strings",
}
_LONGEST_INSERT: Final = 1_000
_CODE: Final = re.compile(r"[A-Z]\d{4}")


def coded_text(error: JException) -> str:
    """The message with its code before it: `T0410: Argument 1 of function "sum" does not ...`."""
    return f"{error.error}: {error_text(error)}" if _CODE.fullmatch(error.error) else error_text(error)


def error_text(error: JException) -> str:
    """The message of an error, inserts written as JSON."""
    template = JException.error_codes.get(_code(error))
    if template is None:
        return str(error.error)
    inserts = iter(_inserts(error))

    def insert(found: re.Match[str]) -> str:
        value = next(inserts, None)
        return str(value) if found.group().startswith("{{{") else _json(value)

    return _INSERT.sub(insert, template.replace("Object", "function"))


def _code(error: JException) -> str:
    # the library tells an unknown escape sequence as an empty regular expression, with the letter
    return "S0103" if error.error == "S0301" and error.current is not None else str(error.error)


def _inserts(error: JException) -> list[Any]:
    if error.error == "T0412":
        return [error.current, error.expected, _ITEM_KINDS.get(str(error.extra), error.extra)]
    if error.error == "T0411":
        # the library gives the value before the number of the argument
        return [error.expected, error.extra]
    if error.error == "D1002":
        return [error.expected]
    return [error.current, error.expected, error.extra]


def _json(value: Any) -> str:
    try:
        text = orjson.dumps(value, default=_unknown).decode()
    except orjson.JSONEncodeError:
        text = str(value)
    return text if len(text) <= _LONGEST_INSERT else text[:_LONGEST_INSERT] + "..."


def _unknown(value: Any) -> Any:
    if isinstance(value, list):
        return list(value)
    return None
