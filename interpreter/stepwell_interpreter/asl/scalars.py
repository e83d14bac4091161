"""Fields of one value that in JSONata may be an expression and must have a type: `Seconds`, `Items`, `Error` ..."""

from collections.abc import Callable, Collection
from typing import Any, Final

from stepwell_interpreter.asl.jsonata import compile_jsonata, is_jsonata, unexpected_result
from stepwell_interpreter.asl.payload import compile_payload
from stepwell_interpreter.asl.scope import AslScope
from stepwell_interpreter.asl.syntax import JSONATA, Evaluate, Language
from stepwell_interpreter.asl.timestamps import parse_timestamp
from stepwell_interpreter.asl.values import is_number, is_whole, kind_of, shown, without_fraction
from stepwell_interpreter.failures import QUERY_EVALUATION_ERROR

_FITS: Final[dict[str, Callable[[Any], bool]]] = {
    "array": lambda value: isinstance(value, list),
    "object": lambda value: kind_of(value) == "object",
    "string": lambda value: isinstance(value, str),
    "number": is_number,
    "integer": is_number,
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "timestamp": lambda value: isinstance(value, str),
}
_WORDS: Final = {"integer": "number", "timestamp": "string"}


def compile_value(value: Any, field: str, language: Language, kinds: Collection[str]) -> Evaluate:
    """The closure of a field. In JSONata a text `{% %}` is evaluated, a list or object is a template; every
    other value, and all in JSONPath, is a literal that is given back as it is (the validator checks literals).

    `kinds` are the types a result may have, of "array object string number integer boolean null timestamp".
    Another result raises States.QueryEvaluationError at `field`. Raises AslSyntax.
    """
    if language != JSONATA:
        return lambda scope: value
    if not is_jsonata(value):
        return compile_payload(value, field, language)
    evaluate = compile_jsonata(value, field)
    fits = [_FITS[kind] for kind in kinds]
    expected = "', '".join(dict.fromkeys(_WORDS.get(kind, kind) for kind in kinds))
    whole, moment = "integer" in kinds, "timestamp" in kinds

    def checked(scope: AslScope) -> Any:
        result = evaluate(scope)
        if not any(fit(result) for fit in fits):
            raise unexpected_result(scope, value, field, expected, result)
        if whole and is_number(result):
            if not is_whole(result):
                raise _unfit(scope, field, f"The {field} field cannot be parsed as an integer: {result}")
            return without_fraction(result)
        if moment and isinstance(result, str) and parse_timestamp(result) is None:
            text = f"The {field} field does not reference a valid ISO-8601 extended offset date-time format string"
            raise _unfit(scope, field, f"{text}: {shown(result)}")
        return result

    return checked


def _unfit(scope: AslScope, field: str, text: str) -> Exception:
    return scope.failure(QUERY_EVALUATION_ERROR, text, location=field, evaluation=True)
