"""The rules of a Map's parts: ProcessorConfig, ItemReader, ItemBatcher, ResultWriter, what needs DISTRIBUTED."""

from collections.abc import Mapping
from typing import Any

from stepwell_interpreter.asl.resource_names import READERS, WRITERS
from stepwell_interpreter.asl.syntax import JSONATA, JSONPATH
from stepwell_interpreter.asl.validate_errors import check_language, check_required
from stepwell_interpreter.asl.validate_fields import (
    MAX_SECONDS,
    Place,
    Rule,
    anything,
    number,
    one_of,
    reference_path,
    structure,
    template,
    text,
)
from stepwell_interpreter.asl.validate_states import Field, check_exclusive

_MAX_ITEMS = 100_000_000
_DISTRIBUTED = (
    "ItemReader",
    "ItemBatcher",
    "ResultWriter",
    "Label",
)
_INPUT_TYPES = ("CSV", "JSON", "JSONL", "MANIFEST", "PARQUET")

_READER: dict[str, Field] = {
    "Resource": Field(text),
    "Parameters": Field(template, JSONPATH),
    "Arguments": Field(template, JSONATA),
    "ReaderConfig": Field(anything),
}
_READER_CONFIG: dict[str, Field] = {
    "InputType": Field(one_of("InputType", _INPUT_TYPES)),
    "ManifestType": Field(text),
    "Transformation": Field(text),
    "CSVHeaderLocation": Field(one_of("CSVHeaderLocation", ("FIRST_ROW", "GIVEN"))),
    "CSVHeaders": Field(anything),
    "CSVDelimiter": Field(text),
    "ItemsPointer": Field(text),
    "MaxItems": Field(number(0, _MAX_ITEMS)),
    "MaxItemsPath": Field(reference_path, JSONPATH),
}
_BATCHER: dict[str, Field] = {
    "MaxItemsPerBatch": Field(number(0, MAX_SECONDS)),
    "MaxItemsPerBatchPath": Field(reference_path, JSONPATH),
    "MaxInputBytesPerBatch": Field(number(0, 262_144)),
    "MaxInputBytesPerBatchPath": Field(reference_path, JSONPATH),
    "BatchInput": Field(template),
}
_WRITER: dict[str, Field] = {
    "Resource": Field(text),
    "Parameters": Field(template, JSONPATH),
    "Arguments": Field(template, JSONATA),
    "WriterConfig": Field(anything),
}
_PROCESSOR_CONFIG: dict[str, Rule] = {
    "Mode": one_of("Mode", ("INLINE", "DISTRIBUTED")),
    "ExecutionType": one_of("ExecutionType", ("STANDARD", "EXPRESS")),
}


def check_map(state: Mapping[str, Any], place: Place) -> None:
    """What a Map has beside its fields and the machine inside it."""
    distributed = is_distributed(state)
    for field in _DISTRIBUTED:
        if field in state and not distributed:
            place.error(f"Field '{field}' is only supported for the 'DISTRIBUTED' Mode of ProcessorConfig")
    if "ItemReader" in state:
        _check_reader(state["ItemReader"], place.at("ItemReader"))
    if "ItemBatcher" in state:
        _check_batcher(state["ItemBatcher"], place.at("ItemBatcher"))
    if "ResultWriter" in state:
        _check_writer(state["ResultWriter"], place.at("ResultWriter"))


def check_processor_config(config: Any, place: Place, *, express: bool) -> None:
    """ProcessorConfig: Mode and, for DISTRIBUTED alone, ExecutionType."""
    if not structure(config, place):
        return
    for field, value in config.items():
        rule = _PROCESSOR_CONFIG.get(field)
        if rule is None:
            place.error(f"Field '{field}' is not supported")
        else:
            rule(value, place.at(field))
    if config.get("Mode") == "DISTRIBUTED":
        check_required(config, ("ExecutionType",), place)
        if express:
            place.at("Mode").error("Express state machine does not support 'DISTRIBUTED' mode of Map state")
    elif "ExecutionType" in config:
        place.error("Field 'ExecutionType' is not supported")


def is_distributed(state: Mapping[str, Any]) -> bool:
    """Whether a Map's items run as executions of their own."""
    config = processor_config(state)
    return config.get("Mode") == "DISTRIBUTED"


def processor_config(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """The ProcessorConfig of a Map; empty where it has none."""
    processor = state.get("ItemProcessor", state.get("Iterator"))
    config = processor.get("ProcessorConfig") if isinstance(processor, Mapping) else None
    return config if isinstance(config, Mapping) else {}


def _check_reader(reader: Any, place: Place) -> None:
    if not structure(reader, place):
        return
    _check_fields(reader, _READER, place)
    check_required(reader, ("Resource",), place)
    _check_service(reader.get("Resource"), READERS, place.at("Resource"))
    config = reader.get("ReaderConfig")
    if config is not None and structure(config, here := place.at("ReaderConfig")):
        _check_fields(config, _READER_CONFIG, here)
        check_exclusive(config, ("MaxItems", "MaxItemsPath"), here)
        if config.get("InputType") == "CSV":
            check_required(config, ("CSVHeaderLocation",), here)


def _check_batcher(batcher: Any, place: Place) -> None:
    if not structure(batcher, place):
        return
    _check_fields(batcher, _BATCHER, place)
    check_exclusive(batcher, ("MaxItemsPerBatch", "MaxItemsPerBatchPath"), place)
    check_exclusive(batcher, ("MaxInputBytesPerBatch", "MaxInputBytesPerBatchPath"), place)
    limits = [field for field in _BATCHER if field != "BatchInput"]
    if not any(field in batcher for field in limits):
        place.error(f"There should be one of the following fields: [{', '.join(limits)}]")


def _check_writer(writer: Any, place: Place) -> None:
    if structure(writer, place):
        _check_fields(writer, _WRITER, place)
        _check_service(writer.get("Resource"), WRITERS, place.at("Resource"))


def _check_service(resource: Any, known: frozenset[str], place: Place) -> None:
    if isinstance(resource, str) and ":".join(resource.split(":")[5:]) not in known:
        place.error(
            f"The resource provided {resource} is not recognized. The value is not a valid resource ARN, or the "
            f"resource is not available in this region."
        )


def _check_fields(value: Mapping[str, Any], fields: dict[str, Field], place: Place) -> None:
    for name, inner in value.items():
        field = fields.get(name)
        if field is None:
            place.error(f"Field '{name}' is not supported")
        elif check_language(name, field.only, place):
            field.rule(inner, place.at(name))
