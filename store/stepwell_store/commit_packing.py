"""A commit as the arguments of `commit.lua`, and the script's answer as a result. This is the hot path of the store.

Everything is grouped by command here, so that the script writes many values with one call.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from msgpack import packb

from stepwell_store.batches import START, Commit, CommitResult, Entry
from stepwell_store.compression import compressed, compressed_small, restored
from stepwell_store.errors import CorruptValue
from stepwell_store.keys import Keys
from stepwell_store.positions import format_position, next_position, parse_position
from stepwell_store.retention import ledger_cutoff, seen_bucket

Argument = bytes | str | int

LEDGER_SEPARATOR = b"\x1e"
"""Between the ledger entries of one commit, which are one entry of the stream: no JSON text holds this byte."""

LEDGER_SHIFT = 32
"""A ledger position's number is the stream's number shifted by this, plus the place within the commit."""


PACKED = frozenset({bytes, str, int})
"""Types of a commit's values; lengths alone are numbers."""

LARGEST_PIECE = 64 * 1_048_576
"""Bytes from which values go in more than one argument; Redis takes 512 MiB."""


def pack_commit(commit: Commit, keys: Keys) -> list[Argument]:
    """ARGV of the script, in the order that its header names. Raises TypeError for a value of another type."""
    arguments: list[Argument] = []
    _pack_instances(arguments, commit)
    _pack_index(arguments, commit)
    _pack_devices(arguments, commit)
    _pack_timers(arguments, commit)
    _pack_attempts(arguments, commit)
    _pack_list(arguments, [part for pair in commit.seen.items() for part in pair])
    arguments.append(compressed_small(LEDGER_SEPARATOR.join(commit.ledger)))
    _pack_list(arguments, commit.outbox)
    _pack_list(arguments, commit.dead)
    _pack_list(arguments, commit.unreserved)
    _pack_numbers(arguments, commit.counters)
    _pack_tuples(arguments, [(keys.reply(channel), message) for channel, message in commit.replies])
    if foreign := set(map(type, arguments)) - PACKED:
        # The script would stop there, with half of the commit written.
        raise TypeError(f"a commit holds values of types that are not stored: {foreign}")
    return [*_head(commit, keys), *_pieces(arguments)]


def read_answer(answer: list[Any], is_handed: bool = False) -> CommitResult:
    """The result in the script's answer."""
    if answer[0] == b"corrupt":
        raise CorruptValue(
            answer[1].decode(), f"is a {answer[2].decode()}: nothing of the partition was written"
        )
    if answer[0] != b"committed":
        return CommitResult("stale")
    due, first, count = answer[1], answer[2], int(answer[3])
    set_aside = [name.decode(errors="replace") for name in answer[4:]]
    next_due_ms = int(float(due)) if due else None
    if not count:
        return CommitResult("committed", next_due_ms, is_handed=is_handed, set_aside=set_aside)
    milliseconds, number = parse_position(first.decode())
    positions = [format_position((milliseconds, number + step)) for step in range(count)]
    return CommitResult("committed", next_due_ms, positions, is_handed, set_aside)


def _head(commit: Commit, keys: Keys) -> list[Argument]:
    applied = commit.inbox != START
    dispatched = commit.dispatched
    return [
        keys.prefixes[commit.partition],
        commit.epoch,
        commit.revision,
        commit.revision + 1,
        commit.token,
        commit.inbox,
        next_position(commit.inbox) if applied else "",
        commit.door,
        dispatched or "",
        next_position(dispatched) if dispatched else "",
        seen_bucket(commit.time_ms),
        ledger_cutoff(commit.time_ms),
        *(commit.unwritten or ("", "")),
    ]


def _pack_instances(arguments: list[Argument], commit: Commit) -> None:
    _pack_tuples(arguments, [(instance, device or "") for instance, device in commit.removed.items()])
    new = {instance for instance, _, old, _, _ in commit.index if old is None}
    written: list[Argument] = []
    for instance, document in commit.instances.items():
        written += (instance, compressed_small(document) if instance in new else compressed(document))
    _pack_list(arguments, written)
    arguments.append(len(commit.history))
    for instance, entries in commit.history.items():
        arguments += (instance, len(entries))
        arguments += map(compressed_small, entries)


def _pack_index(arguments: list[Argument], commit: Commit) -> None:
    left: dict[str, list[Argument]] = {}
    entered: dict[str, list[Argument]] = {}
    # An instance may move more than once in a batch: its first old and its last new status count.
    moves: dict[str, tuple[str, str | None, str | None, int]] = {}
    for instance, definition, old, new, created_ms in commit.index:
        before = moves.get(instance)
        moves[instance] = (definition, old if before is None else before[1], new, created_ms)
    for instance, (definition, old, new, created_ms) in moves.items():
        if old is not None:
            left.setdefault(f"{definition}:{old}", []).append(instance)
        if new is not None:
            entered.setdefault(f"{definition}:{new}", []).extend((b"%d" % created_ms, instance))
    _pack_groups(arguments, left)
    _pack_groups(arguments, entered)
    runs: dict[str, list[Argument]] = {}
    for device, instance, created_ms in commit.runs:
        runs.setdefault(device, []).extend((b"%d" % created_ms, instance))
    _pack_groups(arguments, runs)


def _pack_devices(arguments: list[Argument], commit: Commit) -> None:
    _pack_list(arguments, [id for id, value in commit.devices.items() if value is None])
    _pack_list(arguments, [part for pair in commit.devices.items() if pair[1] is not None for part in pair])
    arguments.append(len(commit.accumulated))
    for device, events in commit.accumulated.items():
        arguments += (device, len(events))
        arguments += [b"%d %b" % (sequence, compressed_small(event)) for sequence, event in events]
    _pack_numbers(arguments, commit.dropped)
    _pack_sequences(arguments, commit.available)
    _pack_sequences(arguments, commit.consumed)


def _pack_timers(arguments: list[Argument], commit: Commit) -> None:
    armed: list[Argument] = []
    cleared: list[Argument] = []
    for (instance, slot), due_ms in commit.timers.items():
        if due_ms is None:
            cleared.append(timer_member(instance, slot))
        else:
            armed += (b"%d" % due_ms, timer_member(instance, slot))
    _pack_list(arguments, armed)
    _pack_list(arguments, cleared)


def _pack_attempts(arguments: list[Argument], commit: Commit) -> None:
    payloads: list[Argument] = []
    deadlines: list[Argument] = []
    forgotten: list[Argument] = []
    for token, attempt in commit.attempts.items():
        if attempt is None:
            forgotten.append(token)
        else:
            payloads += (token, attempt[0])
            deadlines += (b"%d" % attempt[1], token)
    _pack_list(arguments, payloads)
    _pack_list(arguments, deadlines)
    _pack_list(arguments, list(commit.attempts))
    _pack_list(arguments, forgotten)
    _pack_list(arguments, forgotten)
    _pack_numbers(arguments, commit.deadlines)


def timer_member(instance: str, slot: str) -> str:
    """The member of the timers set; neither part holds a NUL."""
    return f"{instance}\0{slot}"


def _pack_list(arguments: list[Argument], values: list[Any]) -> None:
    arguments.append(len(values))
    arguments += values


def _pack_tuples(arguments: list[Argument], tuples: Iterable[tuple[Argument, Argument]]) -> None:
    flat = [part for pair in tuples for part in pair]
    arguments.append(len(flat) // 2)
    arguments += flat


def _pack_numbers(arguments: list[Argument], numbers: Mapping[str, int]) -> None:
    _pack_tuples(arguments, [(name, b"%d" % number) for name, number in numbers.items()])


def _pack_sequences(arguments: list[Argument], sequences: Mapping[str, list[int]]) -> None:
    _pack_groups(arguments, {device: [b"%d" % n for n in numbers] for device, numbers in sequences.items()})


def _pack_groups(arguments: list[Argument], groups: Mapping[str, list[Any]]) -> None:
    arguments.append(len(groups))
    for name, values in groups.items():
        arguments += (name, len(values))
        arguments += values


def _pieces(arguments: list[Argument]) -> list[Argument]:
    """MessagePack as the server's `cmsgpack` reads it: it knows the format's strings, not its binary type."""
    packed: bytes = packb(arguments, use_bin_type=False)
    if len(packed) <= LARGEST_PIECE or len(arguments) == 1:
        return [packed]
    half = len(arguments) // 2
    return [*_pieces(arguments[:half]), *_pieces(arguments[half:])]


def ledger_entries(position: str, joined: bytes) -> list[Entry]:
    """The ledger entries of one entry of the stream, each with a position of its own."""
    milliseconds, number = parse_position(position)
    first = number << LEDGER_SHIFT
    return [
        Entry(format_position((milliseconds, first + place)), {b"e": entry})
        for place, entry in enumerate(restored(joined).split(LEDGER_SEPARATOR))
    ]


def ledger_stream_position(position: str) -> str:
    """The stream's entry that holds this ledger position."""
    milliseconds, number = parse_position(position)
    return format_position((milliseconds, number >> LEDGER_SHIFT))
