"""From what a caller gives as a definition to its program; the same content is compiled once.

For Amazon States Language every resource is taken to exist unless activities or a table of resources are given.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Literal

import orjson
from stepwell_schemas.catalog import ActivityDescription

from stepwell_interpreter.compile import Compiled, compile_source
from stepwell_interpreter.program import Program
from stepwell_interpreter.simulation.errors import DefinitionRefused, MockRefused, NoDefinition

Definition = Mapping[str, Any] | str | bytes
MachineType = Literal["STANDARD", "EXPRESS"]


def program_of(
    definition: Definition,
    activities: Mapping[str, ActivityDescription] | None = None,
    *,
    file: str | None = None,
    type: MachineType | None = None,
    resources: Mapping[str, str] | None = None,
) -> Program:
    """The program of a definition. Raises DefinitionRefused with all that is wrong."""
    compiled = compiled_of(definition, activities, file=file, type=type, resources=resources)
    if compiled.program is None:
        raise DefinitionRefused(compiled.problems)
    return compiled.program


def compiled_of(
    definition: Definition,
    activities: Mapping[str, ActivityDescription] | None = None,
    *,
    file: str | None = None,
    type: MachineType | None = None,
    resources: Mapping[str, str] | None = None,
) -> Compiled:
    """What comes of a definition: a document, or its text in either format. Nothing is stored, so it needs no id."""
    is_json = isinstance(definition, Mapping)
    text = text_of(definition) if isinstance(definition, Mapping) else definition
    if not isinstance(text, str | bytes):
        raise NoDefinition(definition)
    if activities is None and resources is None:
        return _compiled(text, is_json, file, type)
    compiled = compile_source(
        text,
        activities=activities,
        file=file,
        format="json" if is_json else None,
        type=type,
        resources=resources,
        anonymous=True,
    )
    return _in_order(compiled, is_json)


def text_of(document: Mapping[str, Any]) -> str | bytes:
    """A document as JSON. Raises MockRefused where JSON has no such thing."""
    try:
        return orjson.dumps(document)
    except TypeError:
        pass  # integers of more than 64 bits, which JSON has and orjson does not write
    try:
        return json.dumps(document, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise MockRefused(f"the definition cannot be written as JSON: {error}") from None


@lru_cache(maxsize=256)
def _compiled(text: str | bytes, is_json: bool, file: str | None, type: MachineType | None) -> Compiled:
    return _in_order(compile_source(text, file=file, format="json" if is_json else None, type=type), is_json)


def _in_order(compiled: Compiled, is_document: bool) -> Compiled:
    """The problems in the order of the source. In a document nobody wrote lines and columns, so they say nothing."""
    problems = sorted(compiled.problems, key=lambda problem: (problem.line or 0, problem.column or 0))
    if is_document:
        problems = [replace(problem, line=None, column=None) for problem in problems]
    return replace(compiled, problems=tuple(problems))
