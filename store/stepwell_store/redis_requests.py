"""What the owner's loop asks a Redis server, and how the server's raw replies are read: reading, loading, committing.

Replies are read as they come over the wire, without redis-py's conversions: this is the hot path.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from redis.exceptions import RedisError

from stepwell_store.batches import AHEAD, OLDEST, Commit, CommitResult, Entry, Inbound, Loaded, Wanted
from stepwell_store.commit_packing import pack_commit, read_answer
from stepwell_store.compression import restored
from stepwell_store.errors import CorruptValue
from stepwell_store.keys import Keys
from stepwell_store.redis_errors import translate
from stepwell_store.redis_link import Call, Command, Request
from stepwell_store.retention import SEEN_BUCKETS, seen_bucket

LONGEST_BLOCK_MS = 20_000
"""Below the socket's time limit, so that a quiet log is no lost connection."""


def read_commands(
    keys: Keys, door: str | None, inboxes: Mapping[int, str], count: int, block_ms: int | None
) -> list[Command]:
    """The logs after these positions, then the catalogue's revision."""
    logs = [(keys.of(number, "inbox"), at) for number, at in inboxes.items()]
    if door is not None:
        logs.append((keys.events, door))
    commands: list[Command] = [("GET", keys.catalog)]
    if logs:
        block = ("BLOCK", min(block_ms, LONGEST_BLOCK_MS)) if block_ms else ()
        names, positions = zip(*logs, strict=True)
        commands.insert(0, ("XREAD", "COUNT", count, *block, "STREAMS", *names, *positions))
    return commands


def read_inbound(keys: Keys, inboxes: Mapping[int, str], replies: list[Any]) -> Inbound:
    """The reply of `read_commands`."""
    checked(replies)
    found = dict(replies[0] or ()) if len(replies) > 1 else {}
    arrived = {
        number: _entries(found[key])
        for number in inboxes
        if (key := keys.of(number, "inbox").encode()) in found
    }
    return Inbound(_entries(found.get(keys.events.encode(), ())), arrived, int(replies[-1] or 0))


def load_requests(keys: Keys, wanted: Sequence[Wanted], now_ms: int) -> list[Request]:
    """What each partition needs, only what is asked for."""
    requests: list[Request] = []
    for want in wanted:
        if want.instances:
            requests.append(("HMGET", keys.of(want.partition, "instances"), *want.instances))
        if want.devices:
            requests.append(_devices_call(keys, want))
        if want.behind:
            requests.append(_behind_call(keys, want))
        if want.seen:
            requests.append(seen_call(keys, want.partition, want.seen, now_ms))
        requests.extend(_available_call(keys, want.partition, device) for device in want.available)
    return requests


def read_loaded(wanted: Sequence[Wanted], replies: list[Any]) -> list[Loaded]:
    """The reply of `load_requests`."""
    checked(replies)
    left = iter(replies)
    return [_read_lookups(want, left) for want in wanted]


def commit_requests(keys: Keys, commits: Sequence[Commit]) -> list[Request]:
    """The script of each commit, and right behind it the handing out of its jobs where that runs on this server."""
    requests: list[Request] = []
    for commit in commits:
        meta = keys.of(commit.partition, "meta")
        requests.append(Call("commit", (meta,), pack_commit(commit, keys)))
        if commit.handing is not None:
            handing = commit.handing
            requests.append(("EVAL", handing.script, 1, meta, commit.token, *handing.arguments))
    return requests


def read_commits(commits: Sequence[Commit], replies: list[Any]) -> list[CommitResult]:
    """The reply of `commit_requests`. A handing out that failed is only not done; the outbox still has it."""
    if len(replies) != sum(1 if commit.handing is None else 2 for commit in commits):
        checked(replies)  # the transaction as a whole was refused
    left = iter(replies)
    results: list[CommitResult] = []
    for commit in commits:
        answer = next(left)
        handed = None if commit.handing is None else next(left)
        checked([answer])
        results.append(read_answer(answer, is_handed=isinstance(handed, int) and handed >= 0))
    return results


def checked(replies: list[Any]) -> None:
    """Raises the store's error for the first one among the replies."""
    for reply in replies:
        if isinstance(reply, RedisError):
            raise translate(reply) from reply


def seen_call(keys: Keys, partition: int, wanted: Sequence[bytes], now_ms: int) -> Call:
    """Looks event keys up in the kept buckets."""
    arguments = (keys.prefixes[partition], seen_bucket(now_ms), SEEN_BUCKETS, *wanted)
    return Call("load_seen", (keys.of(partition, "meta"),), arguments)


def read_event(element: bytes) -> tuple[int, bytes]:
    """(sequence, event JSON) of an accumulator's element."""
    sequence, _, event = element.partition(b" ")
    return int(sequence), restored(event)


def read_value(stored: bytes | None) -> bytes | None:
    """The value of a stored form. One that cannot be restored is given as it lies: who decodes it can name it."""
    if stored is None:
        return None
    try:
        return restored(stored)
    except CorruptValue:
        return stored


def _devices_call(keys: Keys, want: Wanted) -> Call:
    devices, instances = keys.of(want.partition, "devices"), keys.of(want.partition, "instances")
    return Call("load_devices", (devices, instances), (OLDEST, *want.devices))


def _behind_call(keys: Keys, want: Wanted) -> Call:
    pairs = [part for pair in want.behind.items() for part in pair]
    prefix = keys.prefixes[want.partition]
    return Call("load_behind", (keys.of(want.partition, "devices"),), (prefix, AHEAD, *pairs))


def _available_call(keys: Keys, partition: int, device: str) -> Call:
    return Call("load_available", (keys.available(partition, device), keys.accumulated(partition, device)))


def _entries(found: Any) -> list[Entry]:
    return [Entry(id.decode(), dict(zip(flat[::2], flat[1::2], strict=True))) for id, flat in found]


def _read_lookups(want: Wanted, replies: Iterator[Any]) -> Loaded:
    loaded = Loaded()
    if want.instances:
        loaded.instances = _restored(want.instances, next(replies))
    if want.devices:
        devices, running, instances, dropping, oldest = next(replies)
        loaded.devices = _present(want.devices, devices)
        # A name that is no text is no instance's: decoding the device's record tells of it.
        loaded.instances |= _restored([id.decode(errors="replace") for id in running], instances)
        loaded.oldest = dict(_readable([id.decode(errors="replace") for id in dropping], oldest))
    if want.behind:
        loaded.oldest.update(_readable(want.behind, next(replies)))
    if want.seen:
        loaded.seen = _present(want.seen, next(replies))
    for device in want.available:
        events = [read_event(element) for element in next(replies)]
        if events:
            loaded.available[device] = events
    return loaded


def _restored(names: Sequence[str], values: Sequence[bytes | None]) -> dict[str, bytes]:
    found = zip(names, map(read_value, values), strict=True)
    return {name: value for name, value in found if value is not None}


def _readable(
    devices: Iterable[str], oldest: Sequence[Sequence[bytes]]
) -> Iterator[tuple[str, list[tuple[int, bytes]]]]:
    """Who finds nothing here asks again for itself, and is told what is wrong."""
    for device, elements in zip(devices, oldest, strict=True):
        with suppress(ValueError, CorruptValue):
            yield device, [read_event(element) for element in elements]


def _present(names: Sequence[Any], values: Sequence[bytes | None]) -> dict[Any, bytes]:
    return {name: value for name, value in zip(names, values, strict=True) if value is not None}
