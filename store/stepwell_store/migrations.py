"""Brings the layout of an older release up to date before a store is used, in numbered steps, one process at a time.

The layout carries the new version from the first moment on, so that an older release refuses it, and the field
`migrating` until the last: whoever opens the store then goes on where the one before was stopped. Every step may be
repeated. A value that is not what the older release wrote is left as it is and named in the log.
"""

import logging
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import orjson

from stepwell_store.compression import compressed, restored
from stepwell_store.errors import CorruptValue, LayoutMismatch, StoreUnavailable
from stepwell_store.keys import LAYOUT_VERSION
from stepwell_store.redis_link import RedisLink

log = logging.getLogger("stepwell.store")

LOCK_MS = 15_000
WAIT_SECONDS = 120.0
POLL_SECONDS = 0.2
PAGE = 500


@dataclass(frozen=True, slots=True)
class Step:
    """How one version becomes the next: the values of one hash, or the members of one sorted set, of each partition are
    written anew. Without a key all stays as it is: the version keeps an older release from what it could not read."""

    to: int
    what: str
    key: str | None = None
    rewrite: Callable[[bytes], bytes] = bytes
    """Raises ValueError, KeyError or TypeError for a value that the older release did not write."""
    is_hash: bool = True


@dataclass(slots=True)
class Migrated:
    """What a step did, or in a dry run would do."""

    to: int
    what: str
    seen: int = 0
    changed: int = 0
    unreadable: int = 0


def migrate(link: RedisLink, partitions: int, *, dry_run: bool = False) -> list[Migrated]:
    """Bring the layout to LAYOUT_VERSION; what each step did. Nothing happens where it is there already.

    Raises LayoutMismatch while engines of the older release run, StoreUnavailable where another process migrates and
    comes to no end.
    """
    layout = link.keys.layout
    if dry_run:
        return [_run_step(link, partitions, step, None) for step in _steps_after(_origin(link, layout))]
    until = time.monotonic() + WAIT_SECONDS
    while _is_needed(link, layout):
        lock = _Lock(link)
        if lock.take():
            try:
                return _migrate(link, partitions, lock)
            finally:
                lock.release()
        if time.monotonic() > until:
            raise StoreUnavailable("another process migrates the store's layout and has come to no end yet")
        time.sleep(POLL_SECONDS)
    return []


def compact_device(raw: bytes) -> bytes:
    """A device record of version 1 without what has its usual value."""
    wire = orjson.loads(raw)
    usual = {
        "first": 1,
        "oldestMs": wire["firstMs"],
        "running": {},
        "ended": {},
        "kept": {},
        "lastSequence": None,
    }
    for name, value in usual.items():
        if name in wire and wire[name] == value and type(wire[name]) is type(value):
            del wire[name]
    if wire.get("dropped", 0) == 0 and wire.get("rejected", 0) == 0:
        wire.pop("dropped", None)
        wire.pop("rejected", None)
    return orjson.dumps(wire)


def compact_instance(raw: bytes) -> bytes:
    """An instance of version 2 as it lies from version 3 on."""
    if raw == restored(raw):
        if not isinstance(orjson.loads(raw), dict):
            raise TypeError("it is no JSON object")
        return compressed(raw)
    return raw


def alarm_of_timer(member: bytes) -> bytes:
    """A timer's member of version 3, "<instance>\\0<frame>/<visit>/<what>", without the visit."""
    instance, mark, timer = member.partition(b"\0")
    if not (instance and mark and timer):
        raise ValueError("it is no timer")
    match timer.split(b"/"):
        case [frame, _, what]:
            return b"%b\0%b/%b" % (instance, frame, what)
        case _:
            return member


STEPS = (
    Step(2, "device records leave out what has its usual value", "devices", compact_device),
    Step(3, "instances are compressed", "instances", compact_instance),
    Step(4, "timers are kept by their slot, at whichever visit", "timers", alarm_of_timer, is_hash=False),
    Step(5, "what is written from now on is compressed with tables"),
)


class _Lock:
    """One process at a time; the lock of one that died is free after a while."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._key = link.keys.migration
        self._token = secrets.token_hex(8)

    def take(self) -> bool:
        return self._link.command("SET", self._key, self._token, "NX", "PX", LOCK_MS) is not None

    def keep(self) -> None:
        """Raises StoreUnavailable where the lock ran out; the one who has it now goes on."""
        if self._link.command("GET", self._key) != self._token.encode():
            raise StoreUnavailable("the lock of the migration was lost; it goes on elsewhere")
        self._link.command("PEXPIRE", self._key, LOCK_MS)

    def release(self) -> None:
        if self._link.command("GET", self._key) == self._token.encode():
            self._link.command("DEL", self._key)


def _migrate(link: RedisLink, partitions: int, lock: _Lock) -> list[Migrated]:
    layout = link.keys.layout
    if not _is_needed(link, layout):
        return []  # another one has done it while we waited for the lock
    origin = _origin(link, layout)
    _refuse_beside_engines(link)
    link.command("HSET", layout, "version", LAYOUT_VERSION, "migrating", origin)
    done: list[Migrated] = []
    for step in _steps_after(origin):
        found = _run_step(link, partitions, step, lock)
        link.run([("HSET", layout, "migrating", step.to), ("HDEL", layout, "migrated")], together=True)
        changed = f"{found.changed} of {found.seen} changed, {found.unreadable} unreadable"
        log.warning("the store's layout has version %d: %s (%s)", step.to, step.what, changed)
        done.append(found)
    link.command("HDEL", layout, "migrating")
    return done


def _run_step(link: RedisLink, partitions: int, step: Step, lock: _Lock | None) -> Migrated:
    """Without a lock nothing is written."""
    result = Migrated(step.to, step.what)
    if step.key is None:
        return result
    layout = link.keys.layout
    first = int(link.command("HGET", layout, "migrated") or 0) if lock is not None else 0
    for number in range(first, partitions):
        key = link.keys.of(number, step.key)
        for page in _pages(link, key, step.is_hash):
            fresh = _rewritten(step, key, page, result)
            if lock is not None:
                lock.keep()
                _write(link, key, fresh, step.is_hash)
        if lock is not None:
            link.command("HSET", layout, "migrated", number + 1)
    return result


def _write(link: RedisLink, key: str, fresh: list[tuple[bytes, bytes, bytes]], is_hash: bool) -> None:
    if is_hash and fresh:
        link.script("replace_fields", [key], *(part for field in fresh for part in field))
    elif fresh:
        link.script("rename_members", [key], *(part for member in fresh for part in member[1:]))


def _rewritten(
    step: Step, key: str, page: dict[bytes, bytes], result: Migrated
) -> list[tuple[bytes, bytes, bytes]]:
    """Name, value and new value of each that changes."""
    fresh: list[tuple[bytes, bytes, bytes]] = []
    for name, value in page.items():
        result.seen += 1
        try:
            rewritten = step.rewrite(value)
        except (CorruptValue, ValueError, KeyError, TypeError, AttributeError) as error:
            result.unreadable += 1
            log.error("%s, %r: left as it is, since it is not what was written there: %r", key, name, error)
            continue
        if rewritten != value:
            result.changed += 1
            fresh.append((name, value, rewritten))
    return fresh


def _pages(link: RedisLink, key: str, is_hash: bool) -> Iterator[dict[bytes, bytes]]:
    """Names and values; a member of a sorted set is both."""
    cursor = 0
    while True:
        cursor, page = link.command("HSCAN" if is_hash else "ZSCAN", key, cursor, "COUNT", PAGE)
        yield page if is_hash else {member: member for member, _ in page}
        if cursor == 0:
            return


def _is_needed(link: RedisLink, layout: str) -> bool:
    version, migrating = link.command("HMGET", layout, "version", "migrating")
    return int(version) < LAYOUT_VERSION or migrating is not None


def _origin(link: RedisLink, layout: str) -> int:
    """The version that the values have by now."""
    version, migrating = link.command("HMGET", layout, "version", "migrating")
    return int(version if migrating is None else migrating)


def _steps_after(version: int) -> list[Step]:
    return [step for step in STEPS if step.to > version]


def _refuse_beside_engines(link: RedisLink) -> None:
    seconds, microseconds = link.command("TIME")
    now_ms = int(seconds) * 1_000 + int(microseconds) // 1_000
    if int(link.command("ZCOUNT", link.keys.engines, now_ms, "+inf")):
        raise LayoutMismatch(
            "engines of an older release are running on this store; stop them, so that its layout can be migrated"
        )
