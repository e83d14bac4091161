"""Where a key lives: the partition function, and instance ids that carry their partition.

A generated instance id ends in `~<partition>`. A caller may choose an id (without `~`); it is then found by
`Store.locate_all`.
"""

import re
import zlib

_CHOSEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}\Z")


def partition_of(key: str, partitions: int) -> int:
    """crc32 of the UTF-8 key, modulo the number of partitions."""
    return zlib.crc32(key.encode()) % partitions


def instance_id(definition: str, unique: str, partition: int) -> str:
    """`<definition>-<unique>~<partition>`."""
    return f"{definition}-{unique}~{partition}"


def partition_in_id(instance: str) -> int | None:
    """The partition a generated id carries, None for a chosen id."""
    _, mark, suffix = instance.rpartition("~")
    return int(suffix) if mark and suffix.isascii() and suffix.isdigit() else None


def is_valid_chosen_id(instance: str) -> bool:
    """Letters, digits, `.`, `_`, `:` and `-`; at most 128; no `~`."""
    return _CHOSEN.match(instance) is not None
