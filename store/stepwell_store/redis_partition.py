"""The owner's side on Redis: leases, reading what has come in, loading what a batch needs, committing it."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from stepwell_store.commit_packing import (
    ledger_entries,
    ledger_stream_position,
    pack_commit,
    read_answer,
)
from stepwell_store.keys import Keys
from stepwell_store.positions import parse_position
from stepwell_store.protocol import (
    START,
    Commit,
    CommitResult,
    DueTimer,
    Entry,
    Inbound,
    Loaded,
    Ownership,
    Wanted,
)
from stepwell_store.redis_link import Call, Command, Linked, Request
from stepwell_store.retention import SEEN_BUCKETS, seen_bucket

LONGEST_BLOCK_MS = 20_000
"""Below the socket's time limit, so that a quiet log is no lost connection."""

LEDGER_PAGE = 20
"""Commits, each with up to hundreds of entries."""


class RedisPartition(Linked):
    """The part of `RedisStore` that engines call."""

    # -- ownership -----------------------------------------------------------------------------------------

    def acquire(self, partition: int, owner: str, lease_ms: int) -> Ownership | None:
        keys = [self._keys.of(partition, name) for name in ("lease", "meta", "timers")]
        answer = self._link.script("acquire", keys, owner, lease_ms)
        if answer is None:
            return None
        epoch, revision, inbox, door, dispatched, due = answer
        return Ownership(
            partition,
            int(epoch),
            int(revision or 0),
            _position(inbox),
            _position(door),
            _position(dispatched),
            None if due is None else int(float(due)),
        )

    def renew(self, owner: str, partitions: Sequence[int], lease_ms: int) -> list[int]:
        answers = self._link.run(
            [Call("renew", self._lease_keys(number), (owner, lease_ms)) for number in partitions]
        )
        return [number for number, ours in zip(partitions, answers, strict=True) if ours]

    def release(self, owner: str, partition: int) -> None:
        self._link.script("release", self._lease_keys(partition), owner)

    def heartbeat_engine(self, owner: str, ttl_ms: int) -> list[str]:
        engines = self._link.script("engine_heartbeat", [self._keys.engines], owner, ttl_ms)
        return sorted(engine.decode() for engine in engines)

    # -- the loop ------------------------------------------------------------------------------------------

    def read(self, door: str | None, inboxes: Mapping[int, str], count: int, block_ms: int | None) -> Inbound:
        logs = [(self._keys.of(number, "inbox"), at) for number, at in inboxes.items()]
        if door is not None:
            logs.append((self._keys.events, door))
        commands: list[Command] = [("GET", self._keys.catalog)]
        if logs:
            block = ("BLOCK", min(block_ms, LONGEST_BLOCK_MS)) if block_ms else ()
            keys, positions = zip(*logs, strict=True)
            commands.insert(0, ("XREAD", "COUNT", count, *block, "STREAMS", *keys, *positions))
        answers = self._link.run(commands)
        found = dict(answers[0] or []) if logs else {}
        arrived = {
            number: read_entries(found[key])
            for number in inboxes
            if (key := self._keys.of(number, "inbox").encode()) in found
        }
        events = read_entries(found.get(self._keys.events.encode(), []))
        return Inbound(events, arrived, int(answers[-1] or 0))

    def load(self, wanted: Sequence[Wanted], now_ms: int) -> list[Loaded]:
        answers = iter(self._link.run([item for want in wanted for item in self._lookups(want, now_ms)]))
        return [_read_lookups(want, answers) for want in wanted]

    def commit(self, commits: Sequence[Commit]) -> list[CommitResult]:
        calls = [
            Call("commit", (self._keys.of(commit.partition, "meta"),), pack_commit(commit, self._keys))
            for commit in commits
        ]
        return [read_answer(answer) for answer in self._link.run(calls, together=True)]

    def due_timers(self, partition: int, now_ms: int, limit: int) -> list[DueTimer]:
        timers = self._keys.of(partition, "timers")
        found = self._link.command(
            "ZRANGEBYSCORE", timers, "-inf", now_ms, "LIMIT", 0, limit, "WITHSCORES", withscores=True
        )
        return [read_timer(member, due_ms) for member, due_ms in found]

    def outbox(self, partition: int, after: str, count: int) -> list[Entry]:
        return self._after(self._keys.of(partition, "outbox"), after, count)

    def ledger(self, partition: int, after: str, count: int) -> list[Entry]:
        return list(islice(self._ledger_after(self._keys.of(partition, "ledger"), after), max(count, 0)))

    def trim_door(self, before: str) -> None:
        self._link.command("XTRIM", self._keys.events, "MINID", before)

    def door_positions(self) -> dict[int, str]:
        answers = self._link.run(
            [("HGET", self._keys.of(number, "meta"), "door") for number in range(self.partitions)]
        )
        return {number: _position(door) for number, door in enumerate(answers)}

    def _ledger_after(self, key: str, after: str) -> Iterator[Entry]:
        last = parse_position(after)
        since = ledger_stream_position(after)
        while found := self._link.command("XRANGE", key, since, "+", "COUNT", LEDGER_PAGE):
            for position, fields in found:
                for entry in ledger_entries(position.decode(), fields[b"e"]):
                    if parse_position(entry.id) > last:
                        yield entry
            since = f"({found[-1][0].decode()}"

    def _lease_keys(self, partition: int) -> list[str]:
        return [self._keys.of(partition, "lease"), self._keys.of(partition, "meta")]

    def _available_call(self, partition: int, device: str) -> Call:
        keys = (self._keys.available(partition, device), self._keys.accumulated(partition, device))
        return Call("load_available", keys)

    def _lookups(self, want: Wanted, now_ms: int) -> list[Request]:
        commands: list[Request] = []
        if want.instances:
            commands.append(("HMGET", self._keys.of(want.partition, "instances"), *want.instances))
        if want.devices:
            commands.append(("HMGET", self._keys.of(want.partition, "devices"), *want.devices))
        if want.seen:
            commands.append(seen_call(self._keys, want.partition, want.seen, now_ms))
        commands.extend(self._available_call(want.partition, device) for device in want.available)
        return commands

    def _after(self, key: str, after: str, count: int) -> list[Entry]:
        return read_entries(self._link.command("XRANGE", key, f"({after}", "+", "COUNT", count))


def seen_call(keys: Keys, partition: int, wanted: Sequence[bytes], now_ms: int) -> Call:
    """Looks event keys up in the kept buckets."""
    arguments = (keys.prefixes[partition], seen_bucket(now_ms), SEEN_BUCKETS, *wanted)
    return Call("load_seen", (keys.of(partition, "meta"),), arguments)


def read_entries(found: Any) -> list[Entry]:
    """Entries of a stream as redis-py gives them."""
    return [Entry(position.decode(), fields) for position, fields in found or ()]


def read_event(element: bytes) -> tuple[int, bytes]:
    """(sequence, event JSON) of an accumulator's element."""
    sequence, _, event = element.partition(b" ")
    return int(sequence), event


def read_timer(member: bytes, due_ms: float) -> DueTimer:
    """A timer of the timers set."""
    instance, _, timer = member.decode().partition("\0")
    return DueTimer(instance, timer, int(due_ms))


def _read_lookups(want: Wanted, answers: Any) -> Loaded:
    loaded = Loaded()
    if want.instances:
        loaded.instances = _present(want.instances, next(answers))
    if want.devices:
        loaded.devices = _present(want.devices, next(answers))
    if want.seen:
        loaded.seen = _present(want.seen, next(answers))
    for device in want.available:
        events = [read_event(element) for element in next(answers)]
        if events:
            loaded.available[device] = events
    return loaded


def _present(names: Sequence[Any], values: Sequence[bytes | None]) -> dict[Any, bytes]:
    return {name: value for name, value in zip(names, values, strict=True) if value is not None}


def _position(value: bytes | None) -> str:
    return START if value is None else value.decode()
