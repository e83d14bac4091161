"""The doors on Redis: where events and records come in, and where ids chosen by callers are looked up."""

import time
from collections.abc import Sequence

from redis.exceptions import ResponseError

from stepwell_store.errors import CorruptValue, StoreError
from stepwell_store.protocol import RequestedStart, StartReceipt
from stepwell_store.redis_errors import translated_outages
from stepwell_store.redis_link import Call, Linked

SOURCES_KEPT = 1000


class RedisDoors(Linked):
    """The part of `RedisStore` that senders call."""

    def append_events(self, events: Sequence[bytes], replay: bool = False) -> list[str]:
        return self._append(self._keys.events, "event", "1" if replay else "", events)

    def door_length(self) -> int:
        return int(self._link.command("XLEN", self._keys.events))

    def memory_used(self) -> float:
        try:
            with translated_outages():
                found = self._link.client.info("memory")
        except ResponseError:
            return 0.0  # a server that does not let us look; it will say itself when it is full
        limit = int(found.get("maxmemory", 0))
        counted = int(found.get("used_memory", 0)) - int(found.get("mem_not_counted_for_evict", 0))
        return counted / limit if limit else 0.0

    def append_records(self, partition: int, records: Sequence[bytes]) -> list[str]:
        return self._append(self._keys.of(partition, "inbox"), "r", "", records)

    def append_each(self, records: Sequence[tuple[int, bytes]]) -> Sequence[str | StoreError]:
        mine: dict[int, list[int]] = {}
        for index, (partition, _) in enumerate(records):
            mine.setdefault(partition, []).append(index)
        answers = self._link.run_each(
            [
                Call(
                    "append_entries",
                    [self._keys.of(partition, "inbox")],
                    ("r", "", *(records[index][1] for index in indices)),
                )
                for partition, indices in mine.items()
            ],
            together=True,
        )
        positions: dict[int, str | StoreError] = {}
        for indices, answer in zip(mine.values(), answers, strict=True):
            if isinstance(answer, StoreError):
                positions |= dict.fromkeys(indices, answer)
            else:
                positions |= zip(indices, map(bytes.decode, answer), strict=True)
        return [positions[index] for index in range(len(records))]

    def request_starts(self, starts: Sequence[RequestedStart]) -> Sequence[StartReceipt | StoreError]:
        answers = self._link.run_each(
            [
                Call(
                    "request_start",
                    [self._keys.of(start.partition, name) for name in ("starts", "instances", "inbox")],
                    (start.instance, start.fingerprint, start.record),
                )
                for start in starts
            ],
            together=True,
        )
        return [
            answer if isinstance(answer, StoreError) else StartReceipt(answer.decode(), start.partition)
            for start, answer in zip(starts, answers, strict=True)
        ]

    def locate_all(self, instances: Sequence[str]) -> Sequence[int | StoreError | None]:
        if not instances:
            return []
        found = self._link.command("HMGET", self._keys.placed, *instances)
        return [None if partition is None else self._home(partition) for partition in found]

    def place_all(self, wanted: Sequence[tuple[str, int]]) -> Sequence[int | StoreError]:
        if not wanted:
            return []
        placed = self._keys.placed
        set_first = [("HSETNX", placed, instance, partition) for instance, partition in wanted]
        *_, found = self._link.run([*set_first, ("HMGET", placed, *(instance for instance, _ in wanted))])
        return [self._home(partition) for partition in found]

    def _home(self, value: bytes) -> int | StoreError:
        if value.isdigit() and int(value) < self.partitions:
            return int(value)
        return CorruptValue(self._keys.placed, f"{value[:40]!r} is no partition")

    def add_sources(self, sources: Sequence[str]) -> None:
        if not sources:
            return
        now_ms = time.time_ns() // 1_000_000
        # Later ones of one call count as newer, as in memory.
        scored = [part for n, source in enumerate(sources) for part in (now_ms + n / 1000, source)]
        self._link.run(
            [
                ("ZADD", self._keys.sources, *scored),
                ("ZREMRANGEBYRANK", self._keys.sources, 0, -SOURCES_KEPT - 1),
            ],
            together=True,
        )

    def sources(self) -> list[str]:
        return sorted(source.decode() for source in self._link.command("ZRANGE", self._keys.sources, 0, -1))

    def _append(self, log: str, field: str, replay: str, values: Sequence[bytes]) -> list[str]:
        if not values:
            return []
        positions = self._link.script("append_entries", [log], field, replay, *values)
        return [position.decode() for position in positions]
