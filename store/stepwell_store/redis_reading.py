"""Reading on Redis: instances, devices, dead letters, and the figures of a partition."""

from collections.abc import Iterator, Sequence
from typing import Any

from stepwell_store.compression import restored
from stepwell_store.errors import StoreError
from stepwell_store.keys import expected_type
from stepwell_store.partition import partition_of
from stepwell_store.positions import parse_position
from stepwell_store.protocol import Alarm, DeadLetter, InstanceFilter, PartitionInfo
from stepwell_store.redis_link import Call, Command, Linked
from stepwell_store.redis_partition import read_timer
from stepwell_store.redis_requests import read_event, read_value, seen_call
from stepwell_store.searching import (
    STATUSES,
    Place,
    accepts,
    created_of,
    find_letter,
    letter_place,
    read_cursor,
    running_of,
    within,
    write_cursor,
)

SCAN_COUNT = 500


class RedisReading(Linked):
    """The part of `RedisStore` that shows what is there."""

    # -- instances -----------------------------------------------------------------------------------------

    def instance(self, partition: int, instance: str) -> bytes | None:
        return read_value(self._link.command("HGET", self._keys.of(partition, "instances"), instance))

    def read_instances(self, wanted: Sequence[tuple[int, str]]) -> Sequence[bytes | StoreError | None]:
        found = self._link.run_each(
            [("HGET", self._keys.of(partition, "instances"), instance) for partition, instance in wanted]
        )
        return [value if isinstance(value, StoreError) else read_value(value) for value in found]

    def read_reservations(self, wanted: Sequence[tuple[int, str]]) -> Sequence[str | StoreError | None]:
        found = self._link.run_each(
            [("HGET", self._keys.of(partition, "starts"), instance) for partition, instance in wanted]
        )
        return [value.decode() if isinstance(value, bytes) else value for value in found]

    def history(self, partition: int, instance: str, start: int, count: int) -> list[bytes]:
        if count < 1:
            return []
        key = self._keys.history(partition, instance)
        return [restored(entry) for entry in self._link.command("LRANGE", key, start, start + count - 1)]

    def instances(
        self, filter: InstanceFilter, definitions: Sequence[str], limit: int, cursor: str | None
    ) -> tuple[list[bytes], str | None]:
        after = None if cursor is None else read_cursor(cursor)
        taken: list[tuple[Place, bytes]] = []
        # A page may lose members to the filter, so pages are read until this one is full (and one more).
        while len(taken) <= limit:
            places = self._places(filter, definitions, limit + 1, after)
            if not places:
                break
            taken += self._documents(filter, places)
            after = places[-1][0]
        page = taken[:limit]
        more = len(taken) > limit > 0
        return [document for _, document in page], write_cursor(page[-1][0]) if more else None

    def _places(
        self, filter: InstanceFilter, definitions: Sequence[str], limit: int, after: Place | None
    ) -> list[tuple[Place, int]]:
        """(place, partition) of the next members of the index, newest first."""
        earliest, latest = filter.created_from_ms, filter.created_to_ms
        is_cursor = after is not None and (latest is None or after[0] <= latest)
        if after is not None and is_cursor:
            latest = after[0]
        if earliest is not None and latest is not None and latest < earliest:
            return []
        highest = "+inf" if latest is None else latest
        lowest = "-inf" if earliest is None else earliest
        arguments = (highest, lowest, limit, "1" if is_cursor else "0")
        running = set() if filter.device is None else self._running(filter, filter.device)
        sets = [(number, keys) for number, keys in self._index_sets(filter, definitions) if keys]
        answers = self._link.run([Call("list_instances", keys, arguments) for _, keys in sets])
        found = running | {
            ((int(float(created_ms)), instance.decode()), number)
            for (number, _), flat in zip(sets, answers, strict=True)
            for instance, created_ms in zip(flat[::2], flat[1::2], strict=True)
        }
        return sorted((item for item in found if after is None or item[0] < after), reverse=True)[:limit]

    def _running(self, filter: InstanceFilter, device: str) -> set[tuple[Place, int]]:
        """Those that run stand in the device's record. It is read before the set of those that have ended, so that
        one which ends meanwhile is not missed."""
        number = partition_of(device, self.partitions)
        names = running_of(self.device(number, device) or b"")
        key = self._keys.of(number, "instances")
        stored = self._link.command("HMGET", key, *names) if names else []
        found = [(name, read_value(value)) for name, value in zip(names, stored, strict=True)]
        places = {(created_of(name, document), name) for name, document in found if document is not None}
        return {(place, number) for place in places if within(filter, place[0])}

    def _index_sets(self, filter: InstanceFilter, definitions: Sequence[str]) -> list[tuple[int, list[str]]]:
        if filter.device is not None:
            number = partition_of(filter.device, self.partitions)
            return [(number, [self._keys.runs(number, filter.device)])]
        wanted = definitions if filter.definition is None else [filter.definition]
        names = [f"index:{name}:{status}" for name in wanted for status in filter.statuses or STATUSES]
        return [
            (number, [self._keys.of(number, name) for name in names]) for number in range(self.partitions)
        ]

    def _documents(
        self, filter: InstanceFilter, places: list[tuple[Place, int]]
    ) -> list[tuple[Place, bytes]]:
        commands: list[Command] = [
            ("HGET", self._keys.of(number, "instances"), place[1]) for place, number in places
        ]
        return [
            (place, document)
            for (place, _), stored in zip(places, self._link.run(commands), strict=True)
            if (document := read_value(stored)) is not None
            and (filter.device is None or accepts(filter, place[1], document))
        ]

    def scan(self, partition: int) -> Iterator[tuple[str, bytes]]:
        for page in self._scan("HSCAN", self._keys.of(partition, "instances")):
            for instance, document in page.items():
                yield instance.decode(), read_value(document) or b""

    def timers(self, partition: int, instance: str) -> list[Alarm]:
        found = {
            timer.slot: timer
            for page in self._scan("ZSCAN", self._keys.of(partition, "timers"))
            for timer in (read_timer(member, due_ms) for member, due_ms in page)
            if timer.instance == instance
        }
        return list(found.values())

    def _scan(self, command: str, key: str) -> Iterator[Any]:
        cursor = 0
        while True:
            cursor, page = self._link.command(command, key, cursor, "COUNT", SCAN_COUNT)
            yield page
            if cursor == 0:
                return

    def misfits(self) -> Iterator[tuple[str, str]]:
        cursor = 0
        while True:
            cursor, page = self._link.command(
                "SCAN", cursor, "MATCH", f"*{self.namespace}*", "COUNT", SCAN_COUNT
            )
            ours = [(key, kind) for key in page if (kind := expected_type(key.decode(), self.namespace))]
            for (key, kind), found in zip(
                ours, self._link.run([("TYPE", key) for key, _ in ours]), strict=True
            ):
                name = found.decode()
                if kind == "any":
                    yield key.decode("utf-8", "replace"), "was set aside, being of another type than we write"
                elif name not in (kind, "none"):
                    yield key.decode("utf-8", "replace"), f"is a {name}, not a {kind}"
            if cursor == 0:
                return

    # -- devices -------------------------------------------------------------------------------------------

    def device(self, partition: int, device: str) -> bytes | None:
        found: bytes | None = self._link.command("HGET", self._keys.of(partition, "devices"), device)
        return found

    def device_ids(self, partition: int, limit: int, cursor: str | None) -> tuple[list[str], str | None]:
        """The cursor is the server's scan position and how much of what lies there was already given."""
        position, skip = _read_scan_cursor(cursor)
        page: list[str] = []
        while len(page) < limit:
            following, found = self._link.command(
                "HSCAN", self._keys.of(partition, "devices"), position, "COUNT", max(limit, 10)
            )
            names = [name.decode() for name in found]
            taken = names[skip : skip + limit - len(page)]
            page += taken
            if skip + len(taken) < len(names):
                return page, f"{position}:{skip + len(taken)}"
            position, skip = following, 0
            if position == 0:
                return page, None
        return page, f"{position}:{skip}"

    def device_events(self, partition: int, device: str, after: int, limit: int) -> list[tuple[int, bytes]]:
        key = self._keys.accumulated(partition, device)
        head = self._link.command("LINDEX", key, 0)
        if head is None or limit < 1:
            return []
        before = max(0, after - read_event(head)[0])
        found = [read_event(item) for item in self._link.command("LRANGE", key, before, before + limit)]
        if before and (not found or found[0][0] != after):
            # Some are missing, so that the others do not stand where they would.
            found = [read_event(item) for item in self._link.command("LRANGE", key, 0, -1)]
        return [item for item in found if item[0] > after][:limit]

    # -- events --------------------------------------------------------------------------------------------

    def seen(self, key: bytes, now_ms: int) -> list[tuple[int, bytes]]:
        calls = [seen_call(self._keys, number, [key], now_ms) for number in range(self.partitions)]
        answers = self._link.run(calls)
        return [(number, values[0]) for number, values in enumerate(answers) if values[0] is not None]

    def dead_letters(self, limit: int, cursor: str | None) -> tuple[list[DeadLetter], str | None]:
        before = None if cursor is None else letter_place(cursor)
        newest = "+" if before is None else f"{before[0][0]}-{before[0][1]}"
        answers = self._link.run(
            [
                ("XREVRANGE", self._keys.of(number, "dead"), newest, "-", "COUNT", limit + 2)
                for number in range(self.partitions)
            ]
        )
        found = [
            (parse_position(position.decode()), number, fields[b"b"])
            for number, entries in enumerate(answers)
            for position, fields in entries
        ]
        ordered = sorted((item for item in found if before is None or item[:2] < before), reverse=True)
        page = [DeadLetter(f"{number}-{ms}-{n}", body) for (ms, n), number, body in ordered[:limit]]
        return page, page[-1].id if page and len(ordered) > limit else None

    def dead_letter(self, id: str) -> DeadLetter | None:
        place = find_letter(id, self.partitions)
        if place is None:
            return None
        number, position = place
        found = self._link.command("XRANGE", self._keys.of(number, "dead"), position, position)
        return DeadLetter(id, found[0][1][b"b"]) if found else None

    def remove_dead_letter(self, id: str) -> bool:
        place = find_letter(id, self.partitions)
        return place is not None and bool(
            self._link.command("XDEL", self._keys.of(place[0], "dead"), place[1])
        )

    # -- figures -------------------------------------------------------------------------------------------

    def partition_info(self, partition: int) -> PartitionInfo:
        owner, meta, inbox, outbox, timers, attempts, counters = self._link.run(
            [
                ("GET", self._keys.of(partition, "lease")),
                ("HMGET", self._keys.of(partition, "meta"), "epoch", "revision"),
                ("XLEN", self._keys.of(partition, "inbox")),
                ("XLEN", self._keys.of(partition, "outbox")),
                ("ZCARD", self._keys.of(partition, "timers")),
                ("HLEN", self._keys.of(partition, "attempts")),
                ("HGETALL", self._keys.of(partition, "counters")),
            ]
        )
        return PartitionInfo(
            partition=partition,
            owner=None if owner is None else owner.decode(),
            epoch=int(meta[0] or 0),
            revision=int(meta[1] or 0),
            inbox_length=inbox,
            inbox_lag=inbox,  # a commit trims what it has applied
            outbox_length=outbox,
            timers=timers,
            attempts=attempts,
            counters={name.decode(): int(number) for name, number in counters.items()},
        )


def _read_scan_cursor(cursor: str | None) -> tuple[int, int]:
    if cursor is None:
        return 0, 0
    position, mark, skip = cursor.partition(":")
    if not (mark and position.isascii() and position.isdigit() and skip.isascii() and skip.isdigit()):
        raise ValueError(f"{cursor!r} is not a cursor of this list; pass one that a page returned")
    return int(position), int(skip)
