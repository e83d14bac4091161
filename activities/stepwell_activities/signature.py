"""From a function's type hints to how it is called: what its input must be, and JSON Schemas of input and output.

A single parameter that holds an object (a pydantic model, dataclass, TypedDict or dict), or that says nothing of
its type, takes the whole input; any other parameters are the keys of an input object. Input is validated strictly
(a text is not a number), exactly as the published schema says. A parameter annotated ActivityContext gets the context.
"""

import dataclasses
import inspect
import math
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, NotRequired, Required

import orjson
from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError
from pydantic_core import PydanticSerializationError, to_json
from stepwell_schemas.json_writer import json_bytes
from typing_extensions import TypedDict, is_typeddict

from stepwell_activities.context import ActivityContext
from stepwell_activities.errors import InvalidActivity

_EMPTY = inspect.Parameter.empty
_ANY = (_EMPTY, Any, object)


@dataclasses.dataclass(frozen=True, slots=True)
class Signature:
    """How an activity is called. `whole` names the parameter that takes the whole input, if one does."""

    context: str | None
    whole: str | None
    takes_input: bool
    required: bool
    input_adapter: TypeAdapter[Any] | None
    output_adapter: TypeAdapter[Any] | None
    input_schema: dict[str, Any] | None
    output_schema: dict[str, Any] | None

    def arguments(self, value: Any) -> dict[str, Any]:
        """Keyword arguments for the function. Raises pydantic.ValidationError where the input does not fit."""
        if not self.takes_input:
            return {}
        if self.input_adapter is not None:
            if value is None and not self.required:
                value = {}
            value = self.input_adapter.validate_json(orjson.dumps(value), strict=True)
        if self.whole is not None:
            return {self.whole: value}
        return dict(value)

    def output_json(self, value: Any) -> bytes:
        """The output as JSON. Raises ValueError (ValidationError is one) where it does not fit or is not JSON."""
        if self.output_adapter is None:
            raw = _any_json(value)
            plain = value
        else:
            checked = self.output_adapter.validate_python(value)
            try:
                raw = self.output_adapter.dump_json(checked, by_alias=True, warnings="error")
            except PydanticSerializationError as error:
                raise ValueError(str(error)) from error
            plain = self.output_adapter.dump_python(checked, mode="json") if b"null" in raw else None
        if b"null" in raw:
            _refuse_non_finite(plain, "")
        return raw


def signature_of(function: Callable[..., Any], where: str) -> Signature:
    """The signature of an activity function. Raises InvalidActivity, saying `where`, the parameter and its type."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise InvalidActivity(f"{where}: an activity returns its result, it cannot yield")
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError, AttributeError, SyntaxError) as error:
        raise InvalidActivity(f"{where}: its type hints cannot be resolved: {error}") from error
    parameters = inspect.signature(function).parameters
    contexts = [name for name in parameters if _is_context(hints.get(name))]
    if len(contexts) > 1:
        raise InvalidActivity(
            f"{where}: more than one parameter is an ActivityContext: {', '.join(contexts)}"
        )
    context = contexts[0] if contexts else None
    taken = {name: parameter for name, parameter in parameters.items() if name != context}
    _refuse_unnamed({**taken, **({context: parameters[context]} if context else {})}, where)
    whole, annotation = _shape(taken, hints, where)
    input_adapter, input_schema = _adapter(annotation, "validation", f"{where}: input")
    output_adapter, output_schema = _adapter(hints.get("return", _EMPTY), "serialization", f"{where}: result")
    required = whole is not None or bool(input_schema and input_schema.get("required"))
    if input_schema is not None and whole is None:
        _add_defaults(input_schema, taken)
    return Signature(
        context, whole, bool(taken), required, input_adapter, output_adapter, input_schema, output_schema
    )


def _shape(
    taken: Mapping[str, inspect.Parameter], hints: Mapping[str, Any], where: str
) -> tuple[str | None, Any]:
    """The parameter that takes the whole input, and the type of the input."""
    if not taken:
        return None, _EMPTY
    if len(taken) == 1:
        [(name, parameter)] = taken.items()
        annotation = hints.get(name, _EMPTY)
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD and _holds_an_object(annotation):
            return name, annotation
    fields: dict[str, Any] = {}
    extra: typing.Literal["forbid", "allow"] = "forbid"
    for name, parameter in taken.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            extra = "allow"
            continue
        annotation = hints.get(name, Any)
        annotation = Any if annotation in _ANY else annotation
        fields[name] = Required[annotation] if parameter.default is _EMPTY else NotRequired[annotation]
    shape = TypedDict("Input", fields)  # type: ignore[misc] # the keys are known at run time only
    shape.__pydantic_config__ = ConfigDict(extra=extra)  # type: ignore[attr-defined] # read by pydantic
    return None, shape


def _adapter(
    annotation: Any, mode: typing.Literal["validation", "serialization"], where: str
) -> tuple[TypeAdapter[Any] | None, dict[str, Any] | None]:
    if annotation in _ANY:
        return None, None
    annotation = types.NoneType if annotation is None else annotation
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(annotation)
        return adapter, adapter.json_schema(mode=mode)
    except (PydanticUserError, PydanticUndefinedAnnotation, TypeError) as error:
        shown = getattr(annotation, "__name__", None) or repr(annotation)
        shown = f"({_listed(annotation)})" if is_typeddict(annotation) and shown == "Input" else shown
        first = str(error).splitlines()[0]
        if getattr(error, "code", None) == "typed-dict-version":
            raise InvalidActivity(
                f"{where}: {shown} has a TypedDict of typing, which can be read from Python 3.12 on only; before that "
                "write `from typing_extensions import TypedDict`"
            ) from error
        raise InvalidActivity(
            f"{where}: {shown} cannot be written as JSON: {first} Use JSON types, pydantic models, dataclasses "
            "or TypedDicts."
        ) from error


def _listed(shape: Any) -> str:
    return ", ".join(f"{name}: {hint!r}" for name, hint in shape.__annotations__.items())


def _is_context(annotation: Any) -> bool:
    if annotation is ActivityContext:
        return True
    return ActivityContext in typing.get_args(annotation)


def _holds_an_object(annotation: Any) -> bool:
    if annotation in _ANY:
        return True
    bare = annotation
    while typing.get_origin(bare) is typing.Annotated:
        bare = typing.get_args(bare)[0]
    origin = typing.get_origin(bare) or bare
    if origin in (typing.Union, types.UnionType):
        members = [part for part in typing.get_args(bare) if part is not types.NoneType]
        return bool(members) and all(_holds_an_object(part) for part in members)
    if is_typeddict(origin):
        return True
    return isinstance(origin, type) and (
        issubclass(origin, BaseModel | Mapping) or dataclasses.is_dataclass(origin)
    )


def _refuse_unnamed(parameters: Mapping[str, inspect.Parameter], where: str) -> None:
    for name, parameter in parameters.items():
        if parameter.kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL):
            star = "*" if parameter.kind is inspect.Parameter.VAR_POSITIONAL else ""
            raise InvalidActivity(
                f"{where}: parameter `{star}{name}` cannot be given by name; use ordinary parameters"
            )


def _add_defaults(schema: dict[str, Any], taken: Mapping[str, inspect.Parameter]) -> None:
    """Editors complete with them. A default that is no JSON is left out: it never travels."""
    for name, parameter in taken.items():
        default = parameter.default
        if name in schema.get("properties", {}) and isinstance(
            default, str | int | float | bool | types.NoneType
        ):
            schema["properties"][name]["default"] = default


def _any_json(value: Any) -> bytes:
    try:
        return json_bytes(value)
    except TypeError:
        pass  # orjson knows fewer types than pydantic: models, sets, bytes, integers over 64 bits
    try:
        return to_json(value)
    except (PydanticSerializationError, RecursionError) as error:
        raise ValueError(f"{type(value).__name__} is not JSON: {error}") from error


def _refuse_non_finite(value: Any, pointer: str) -> None:
    """JSON writers turn NaN into null, which would change the data in silence."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} at {pointer or '/'} is not JSON")
    elif isinstance(value, Mapping):
        for key, part in value.items():
            _refuse_non_finite(part, f"{pointer}/{key}")
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            _refuse_non_finite(part, f"{pointer}/{index}")
