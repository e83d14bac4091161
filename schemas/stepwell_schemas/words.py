"""The small types the language is built from: words without case, durations, timestamps, result paths.

Each type carries its own JSON Schema, so that the published schema and the models cannot disagree.
"""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema

from stepwell_schemas.durations import DURATION_PATTERN, TIMESTAMP_PATTERN, duration_ms, timestamp_ms

PATH_PATTERN = r"^\$[.\[]"
MAX_COUNT = 2**53 - 1
NAME_PATTERN = r"^[^\u0000-\u001f\u007f]+$"
RESULT_PATH_PATTERN = r"^\$\.state[.\[]."


class LanguageModel(BaseModel):
    """Base of all parts of a definition: exact camelCase keys, nothing unknown, never changed."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )


class Word:
    """Annotation of a `Literal`: matches its words without regard to case and keeps the listed spelling."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], CoreSchema]) -> CoreSchema:
        from pydantic_core import core_schema

        spelling = {word.casefold(): word for word in self.words}

        def canonical(value: Any) -> Any:
            return spelling.get(value.casefold(), value) if isinstance(value, str) else value

        return core_schema.no_info_before_validator_function(canonical, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return word_schema(self.words)


def word_schema(words: tuple[str, ...]) -> dict[str, Any]:
    """The listed spellings first, which editors complete; any other case by a pattern without flags."""
    pattern = "|".join("".join(_either_case(letter) for letter in word) for word in words)
    return {"type": "string", "anyOf": [{"enum": list(words)}, {"pattern": f"^({pattern})$"}]}


def is_template(value: object) -> bool:
    """True for a path (`$.x`; not `$$.x`, a literal text) and for an object with a `$`-function."""
    if isinstance(value, str):
        return value.startswith(("$.", "$["))
    return isinstance(value, dict) and any(isinstance(key, str) and key.startswith("$") for key in value)


def as_list(value: Any) -> Any:
    """One thing where a list of them is allowed."""
    return value if isinstance(value, list) or value is None else [value]


def explained(allowed: str) -> dict[str, Any]:
    """For editors and for our own messages: what a pattern wants, in words."""
    return {"patternErrorMessage": f"allowed: {allowed}"}


def _integral(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _either_case(letter: str) -> str:
    return f"[{letter.upper()}{letter.lower()}]" if letter.isalpha() else letter


def _checked_duration(value: Any) -> Any:
    if not is_template(value):
        duration_ms(value)
    return value


def _checked_timestamp(value: Any) -> Any:
    if not is_template(value):
        timestamp_ms(value)
    return value


_FUNCTION_SCHEMA: dict[str, Any] = {
    "type": "object",
    "minProperties": 1,
    "patternProperties": {r"^\$": True},
    "additionalProperties": False,
}

Template = Any
"""Any JSON; texts that start with `$.` are paths, objects with one `$`-key are functions."""

Duration = Annotated[
    Any,
    AfterValidator(_checked_duration),
    WithJsonSchema(
        {
            "title": "Duration",
            "description": "ISO 8601 (PT30S, PT48H, P7D), a number of seconds, or a path to one of them.",
            "anyOf": [
                {"type": "string", "pattern": DURATION_PATTERN},
                {"type": "string", "pattern": PATH_PATTERN},
                {"type": "number", "minimum": 0},
                _FUNCTION_SCHEMA,
            ],
        }
    ),
]
Timestamp = Annotated[
    Any,
    AfterValidator(_checked_timestamp),
    WithJsonSchema(
        {
            "title": "Timestamp",
            "description": "RFC 3339 (2026-01-31T12:00:00Z), or a path to one.",
            "anyOf": [
                {"type": "string", "pattern": TIMESTAMP_PATTERN},
                {"type": "string", "pattern": PATH_PATTERN},
                _FUNCTION_SCHEMA,
            ],
        }
    ),
]
Path = Annotated[
    str,
    Field(
        pattern=PATH_PATTERN, json_schema_extra=explained("a path, which starts with $. such as $.state.x")
    ),
]
ResultPath = Annotated[
    str,
    Field(
        pattern=RESULT_PATH_PATTERN,
        json_schema_extra=explained(
            "a path below $.state such as $.state.record; nothing else can be written"
        ),
    ),
]
StateName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=128,
        pattern=NAME_PATTERN,
        json_schema_extra=explained("a text without control characters"),
    ),
]
EventType = Annotated[
    str,
    Field(
        min_length=1,
        max_length=256,
        pattern=NAME_PATTERN,
        json_schema_extra=explained("a text without control characters"),
    ),
]
ActivityName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=256,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$",
        json_schema_extra=explained("letters, digits and . _ : / -, such as records.create"),
    ),
]
Names = Annotated[list[str], BeforeValidator(as_list, json_schema_input_type=str | list[str])]
Count = Annotated[int, Field(ge=0, le=MAX_COUNT, strict=True), BeforeValidator(_integral)]
"""An integer from zero; 1e3 is one too, as JSON Schema has it, but no text and no boolean."""
PositiveCount = Annotated[int, Field(ge=1, le=MAX_COUNT, strict=True), BeforeValidator(_integral)]
Priority = Annotated[int, Field(ge=-100, le=100, strict=True), BeforeValidator(_integral)]
