"""The owner's side on Redis: leases, reading what has come in, loading what a batch needs, committing it."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from stepwell_store.batches import START, Commit, CommitResult, Entry, Inbound, Loaded, Wanted
from stepwell_store.commit_packing import ledger_entries, ledger_stream_position
from stepwell_store.errors import CorruptValue
from stepwell_store.positions import parse_position
from stepwell_store.protocol import Alarm, Ownership
from stepwell_store.redis_lane import Awaited, RedisLane
from stepwell_store.redis_link import Call, Linked

Answer = TypeVar("Answer")

POSITION = re.compile(r"\d+-\d+")
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
        if answer[0] == b"corrupt":
            raise CorruptValue(answer[1].decode(), answer[2].decode(errors="replace"))
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

    def lane(self) -> RedisLane:
        return RedisLane(self._link, self._keys)

    def read(self, door: str | None, inboxes: Mapping[int, str], count: int, block_ms: int | None) -> Inbound:
        return self._at_once(lambda lane: lane.read(door, inboxes, count, block_ms))

    def load(self, wanted: Sequence[Wanted], now_ms: int) -> list[Loaded]:
        return self._at_once(lambda lane: lane.load(wanted, now_ms))

    def commit(self, commits: Sequence[Commit]) -> list[CommitResult]:
        return self._at_once(lambda lane: lane.commit(commits))

    def due_timers(self, partition: int, now_ms: int, limit: int) -> list[Alarm]:
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
        # One that is no position is left out, so that nothing is trimmed that its partition may not have applied.
        found = {number: _position(door) for number, door in enumerate(answers)}
        return {number: door for number, door in found.items() if POSITION.fullmatch(door)}

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

    def _at_once(self, ask: Callable[[RedisLane], Awaited[Answer]]) -> Answer:
        lane = self.lane()
        try:
            return ask(lane).wait()
        finally:
            lane.release()

    def _after(self, key: str, after: str, count: int) -> list[Entry]:
        return read_entries(self._link.command("XRANGE", key, f"({after}", "+", "COUNT", count))


def read_entries(found: Any) -> list[Entry]:
    """Entries of a stream as redis-py gives them."""
    return [Entry(position.decode(), fields) for position, fields in found or ()]


def read_timer(member: bytes, due_ms: float) -> Alarm:
    """A timer of the timers set."""
    instance, _, slot = member.decode().partition("\0")
    return Alarm(instance, slot, int(due_ms))


def _position(value: bytes | None) -> str:
    return START if value is None else value.decode()
