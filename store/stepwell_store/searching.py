"""What both stores share for lists: opaque cursors, the order (newest first), filters on instances."""

import base64
import binascii
from typing import Any, get_args

import orjson
from stepwell_schemas.instance import Status

from stepwell_store.errors import CorruptValue
from stepwell_store.positions import Position, format_position, parse_position
from stepwell_store.protocol import InstanceFilter

STATUSES: tuple[str, ...] = get_args(Status)

Place = tuple[int, str]
"""Where an instance stands in the list: (created_ms, id); the list runs from the greatest to the smallest."""


def write_cursor(place: Place) -> str:
    """The cursor of the page that begins after this place."""
    return base64.urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def read_cursor(cursor: str) -> Place:
    """The inverse. Raises ValueError for what `write_cursor` did not write."""
    try:
        value = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, orjson.JSONDecodeError, ValueError) as error:
        raise ValueError(f"{cursor!r} is not a cursor of this list; pass one that a page returned") from error
    match value:
        case [int() as created_ms, str() as instance]:
            return created_ms, instance
        case _:
            raise ValueError(f"{cursor!r} is not a cursor of this list; pass one that a page returned")


def created_of(instance: str, document: bytes) -> int:
    """When an instance was created, read from its JSON. Raises CorruptValue."""
    created_ms = read_document(instance, document).get("created_ms")
    if not isinstance(created_ms, int):
        raise CorruptValue(instance, f"its created_ms is {created_ms!r}, not a number of milliseconds")
    return created_ms


def within(filter: InstanceFilter, created_ms: int) -> bool:
    """Whether an instance of this moment passes the filter's times, both ends included."""
    earliest, latest = filter.created_from_ms, filter.created_to_ms
    return (earliest is None or created_ms >= earliest) and (latest is None or created_ms <= latest)


def running_of(device: bytes) -> list[str]:
    """The instances a device's record says it runs; none of a record that cannot be read: its reader tells."""
    running = _field(device, "running")
    return list(running) if isinstance(running, dict) else []


def has_dropped(device: bytes) -> bool:
    """Whether a device's record says that its accumulator has dropped events."""
    dropped = _field(device, "dropped")
    return isinstance(dropped, int | float) and dropped > 0


def _field(device: bytes, name: str) -> Any:
    try:
        value = orjson.loads(device)
    except orjson.JSONDecodeError:
        return None
    return value.get(name) if isinstance(value, dict) else None


def read_document(key: str, document: bytes) -> dict[str, Any]:
    """The JSON object of a stored value. Raises CorruptValue for anything else."""
    try:
        value = orjson.loads(document)
    except orjson.JSONDecodeError as error:
        raise CorruptValue(key, f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise CorruptValue(key, f"expected a JSON object, found {type(value).__name__}")
    return value


def accepts(filter: InstanceFilter, instance: str, document: bytes) -> bool:
    """Whether an instance's JSON passes the filter's statuses and definition."""
    value = read_document(instance, document)
    if filter.statuses and value.get("status") not in filter.statuses:
        return False
    return filter.definition is None or value.get("definition") == filter.definition


def letter_place(id: str) -> tuple[Position, int]:
    """The place of a dead letter in the list: (position, partition). Raises ValueError for another form."""
    partition, _, position = id.partition("-")
    if not (partition.isascii() and partition.isdigit()):
        raise ValueError(
            f"{id!r} is not the id of a dead letter; expected <partition>-<milliseconds>-<number>"
        )
    return parse_position(position), int(partition)


def find_letter(id: str, partitions: int) -> tuple[int, str] | None:
    """(partition, position) of a dead letter's id; None for what cannot be one."""
    try:
        position, partition = letter_place(id)
    except ValueError:
        return None
    return (partition, format_position(position)) if partition < partitions else None
