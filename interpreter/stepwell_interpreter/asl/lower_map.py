"""Lowering of Map states: inline and distributed, with readers, selectors, batches and limits."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import orjson

from stepwell_interpreter.asl.amounts import number_of, seconds_of
from stepwell_interpreter.asl.expressions import (
    Evaluate,
    Language,
    compile_path,
    compile_payload,
    compile_value,
)
from stepwell_interpreter.asl.flow import AslFlow
from stepwell_interpreter.asl.lower_task import call_of
from stepwell_interpreter.asl.lowering import Lowering
from stepwell_interpreter.asl.readers import compile_reader
from stepwell_interpreter.asl.scope import AslScope
from stepwell_interpreter.failures import ITEM_READER_FAILED, QUERY_EVALUATION_ERROR, RUNTIME, pointer_to
from stepwell_interpreter.iterations import MAX_ITEMS
from stepwell_interpreter.program import Call, MapLimits, MapStep

MAX_INLINE: Final = 40
MAX_APART: Final = 1_000
"""Iterations that run at a time where a Map does not say, or says more; AWS has 40 and 10,000."""

State = Mapping[str, Any]


def lower_map(
    state: State, pointer: str, language: Language, lowering: Lowering, common: dict[str, Any]
) -> MapStep:
    """The step of a Map."""
    key = "ItemProcessor" if "ItemProcessor" in state else "Iterator"
    configuration = state[key].get("ProcessorConfig", {})
    apart = str(configuration.get("Mode", "INLINE")).upper() == "DISTRIBUTED"
    flow: AslFlow = common["data"]
    reader = state.get("ItemReader")
    writer = state.get("ResultWriter")
    shaped = (writer or {}).get("WriterConfig", {}).get("Transformation", "")
    common["data"] = replace(
        flow,
        item_selector=_selector(state, language),
        batcher=_batcher(state.get("ItemBatcher"), language),
        flatten=str(shaped).upper() == "FLATTEN",
    )
    return MapStep(
        **common,
        machine=pointer_to(pointer, key),
        items=_items(state, language),
        limits=_limits(state, language, apart),
        batch_size=None,
        timeout=seconds_of(state, "TimeoutSeconds", language),
        reader=None
        if reader is None
        else _service(reader, "ItemReader", pointer, language, lowering, common["name"]),
        read=None if reader is None else _read(reader, language),
        writer=None
        if writer is None or "Resource" not in writer
        else _service(writer, "ResultWriter", pointer, language, lowering, common["name"]),
        apart=apart,
        item_word="MapRunItem" if apart else "MapIteration",
    )


def _selector(state: State, language: Language) -> Evaluate | None:
    for field in ("ItemSelector", "Parameters"):
        if field in state:
            return compile_payload(state[field], field, language)
    return None


def _items(state: State, language: Language) -> Evaluate:
    """The items themselves, or what AWS says of something else."""
    if language == "JSONata":
        if "Items" in state:
            return compile_value(state["Items"], "Items", language, ["array"])
        return _listed(lambda scope: scope.data, QUERY_EVALUATION_ERROR)
    path = state.get("ItemsPath", "$")
    return _listed(compile_path(path, "ItemsPath"), RUNTIME, path)


def _listed(evaluate: Evaluate, error: str, path: str | None = None) -> Evaluate:
    def items(scope: AslScope) -> Any:
        value = evaluate(scope)
        if isinstance(value, list):
            return value
        shown = orjson.dumps(value).decode()
        if path is None:
            text = f"Map state input must be an array but was: {shown}"
            raise scope.failure(error, text, evaluation=True)
        raise scope.failure(error, f'Reference path "{path}" must point to array.')

    return items


def _limits(state: State, language: Language, apart: bool) -> Callable[[Any], MapLimits]:
    most = MAX_APART if apart else MAX_INLINE
    concurrency = number_of(state, "MaxConcurrency", language)
    count = number_of(state, "ToleratedFailureCount", language)
    percent = number_of(state, "ToleratedFailurePercentage", language, whole=False, most=100)

    def limits(scope: AslScope) -> MapLimits:
        wanted = 0 if concurrency is None else int(concurrency(scope))
        return MapLimits(
            concurrency=min(wanted or most, most),
            tolerate_count=None if count is None else int(min(count(scope), MAX_ITEMS)),
            tolerate_percent=None if percent is None else percent(scope),
        )

    return limits


def _batcher(given: Any, language: Language) -> Callable[[AslScope, list[Any]], list[Any]] | None:
    if not isinstance(given, Mapping):
        return None
    count = number_of(given, "MaxItemsPerBatch", language)
    size = number_of(given, "MaxInputBytesPerBatch", language)
    shared = None
    if "BatchInput" in given:
        shared = compile_payload(given["BatchInput"], "BatchInput", language)

    def batches(scope: AslScope, items: list[Any]) -> list[Any]:
        most = int(count(scope)) if count is not None else 0
        bytes_most = int(size(scope)) if size is not None else 0
        with_input = {} if shared is None else {"BatchInput": shared(scope)}
        return [{**with_input, "Items": batch} for batch in _cut(items, most, bytes_most)]

    return batches


def _cut(items: list[Any], most: int, bytes_most: int) -> list[list[Any]]:
    """The items in batches of at most so many, and of at most so many bytes where one item alone is not more."""
    batches: list[list[Any]] = []
    filled = 0
    for item in items:
        size = len(orjson.dumps(item)) + 1 if bytes_most else 0
        full = batches and (
            (most and len(batches[-1]) >= most) or (bytes_most and filled + size > bytes_most)
        )
        if not batches or full:
            batches.append([])
            filled = 0
        batches[-1].append(item)
        filled += size
    return batches


def _service(
    given: State, field: str, pointer: str, language: Language, lowering: Lowering, name: str
) -> Call | None:
    """The call of the activity that reads items or keeps results."""
    key = "Arguments" if language == "JSONata" else "Parameters"
    found = lowering.service(given["Resource"], name, pointer_to(pointer, field))
    if found is None:
        return None
    call = call_of(found, lowering)
    return replace(call, input=compile_payload(given.get(key, {}), key, language))


def _read(reader: State, language: Language) -> Callable[[Any, Any], list[Any]]:
    configuration = reader.get("ReaderConfig", {})
    number = number_of(configuration, "MaxItems", language, error=ITEM_READER_FAILED)
    limit = None if number is None else (lambda scope: int(number(scope)))
    return compile_reader(reader["Resource"], configuration, limit)
