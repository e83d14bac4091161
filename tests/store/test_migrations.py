"""A store of an older release is brought up to date when it is opened; the dumps in data/ were written by versions 1
to 4 from the same events."""

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from redis import Redis
from stepwell_engine.device import decode, encode
from stepwell_engine.dispatch import Job
from stepwell_engine.loop import Engine
from stepwell_interpreter.decide import timer_in
from stepwell_schemas.instance import from_wire
from stepwell_store import migrations
from stepwell_store.compression import MARK, compressed, restored
from stepwell_store.errors import LayoutMismatch
from stepwell_store.keys import LAYOUT_VERSION, Keys
from stepwell_store.migrations import Step, migrate
from stepwell_store.open import open_redis
from stepwell_store.partition import partition_of
from stepwell_store.protocol import InstanceFilter
from stepwell_store.redis_link import RedisLink
from stepwell_store.redis_store import RedisStore

DUMPS = Path(__file__).with_name("data")
PARTITIONS = 2
DUMPED_MS = 1_795_317_189_392
"""The time of the last dump: event ids are remembered for some days only."""


@pytest.fixture
def client(server_url: str) -> Iterator[Redis]:
    with open_redis(server_url) as opened:
        yield opened


@pytest.fixture
def keys(client: Redis, namespace: str) -> Keys:
    """The dump of version 1."""
    return loaded(client, namespace, 1)


@pytest.fixture(params=[1, 2, 3, 4])
def any_keys(request: pytest.FixtureRequest, client: Redis, namespace: str) -> Keys:
    """The dump of each version."""
    return loaded(client, namespace, request.param)


@pytest.fixture(params=[1, 2, 3])
def timer_keys(request: pytest.FixtureRequest, client: Redis, namespace: str) -> Keys:
    """The dump of each version in which timers lay under their visits."""
    return loaded(client, namespace, request.param)


def loaded(client: Redis, namespace: str, version: int) -> Keys:
    """A dump, loaded under a namespace of its own."""
    for name, stored in json.loads((DUMPS / f"layout-{version}.json").read_text("utf-8")).items():
        load(client, name.replace("dump:", f"{namespace}:", 1), stored["type"], stored["value"])
    return Keys(namespace, PARTITIONS)


def load(client: Redis, key: str, kind: str, value: Any) -> None:
    def raw(text: str) -> bytes:
        return text.encode("latin-1")

    match kind:
        case "string":
            client.set(key, raw(value))
        case "hash":
            client.hset(key, mapping={raw(name): raw(item) for name, item in value.items()})
        case "list":
            client.rpush(key, *map(raw, value))
        case "set":
            client.sadd(key, *map(raw, value))
        case "zset":
            client.zadd(key, {raw(member): score for member, score in value})
        case "stream":
            for position, fields in value:
                client.xadd(key, {raw(name): raw(item) for name, item in fields.items()}, id=position)


class NoQueue:
    def enqueue(self, jobs: Sequence[Job]) -> None:
        raise AssertionError("the dump's definition has no activity")

    def queued(self, jobs: Sequence[Job]) -> set[str]:
        return set()


def is_compact(raw: bytes) -> bool:
    """Whether a device record holds nothing that has its usual value, what version 2 wrote always apart."""
    wire, now = orjson.loads(raw), orjson.loads(encode(decode("", raw)))
    return all(name in now for name in wire if name not in ("device", "lastMs"))


def layout(client: Redis, keys: Keys) -> dict[str, str]:
    found: dict[bytes, bytes] = client.hgetall(keys.layout)  # type: ignore[assignment]  # not an async client
    return {name.decode(): value.decode() for name, value in found.items()}


def devices(client: Redis, keys: Keys) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for number in range(PARTITIONS):
        found |= client.hgetall(keys.of(number, "devices"))  # type: ignore[arg-type]  # not an async client
    return found


def test_version_1_is_migrated_when_it_is_opened(client: Redis, keys: Keys) -> None:
    before = devices(client, keys)
    RedisStore(client, keys.namespace, PARTITIONS)
    after = devices(client, keys)
    assert layout(client, keys) == {"version": str(LAYOUT_VERSION), "partitions": str(PARTITIONS)}
    assert before.keys() == after.keys() == {b"lamp", b"valve", b"meter"}
    for name in before:
        assert is_compact(after[name])
        assert not is_compact(before[name])
        assert decode("", after[name]) == decode("", before[name])


def test_instances_are_compressed_and_read_as_before(client: Redis, any_keys: Keys) -> None:
    before: dict[int, dict[bytes, bytes]] = {
        number: client.hgetall(any_keys.of(number, "instances"))  # type: ignore[misc]  # not an async client
        for number in range(PARTITIONS)
    }
    store = RedisStore(client, any_keys.namespace, PARTITIONS)
    for number, instances in before.items():
        assert instances
        for name, value in instances.items():
            stored = client.hget(any_keys.of(number, "instances"), name)
            assert stored in (value, compressed(value))
            assert stored != restored(value)
        found = {name.encode(): value for name, value in store.scan(number)}
        assert found == {name: restored(value) for name, value in instances.items()}


def test_timers_are_found_by_their_slots(client: Redis, timer_keys: Keys) -> None:
    for number in range(PARTITIONS):
        client.zadd(
            timer_keys.of(number, "timers"),
            {f"i{number}\0000.1:2/31/backoff": 5, f"i{number}\0000.1:2/backoff": 7},
        )
    store = RedisStore(client, timer_keys.namespace, PARTITIONS)
    for number in range(PARTITIONS):
        timers = store.due_timers(number, 1 << 60, 10)
        slots = sorted(timer.slot for timer in timers)
        assert slots == ["0.1:2/backoff", "0/timeout", "timeout"]
        assert min(timer.due_ms for timer in timers) == 5
        for raw in [raw for _, raw in store.scan(number) if orjson.loads(raw)["status"] == "running"]:
            instance = from_wire(orjson.loads(raw))
            for timer in store.timers(number, instance.id):
                found = timer_in(instance, timer.slot)
                assert found is not None
                assert found[1] == timer.due_ms


def test_a_timer_without_a_name_is_named_and_left(
    client: Redis, timer_keys: Keys, caplog: pytest.LogCaptureFixture
) -> None:
    key = timer_keys.of(1, "timers")
    client.zadd(key, {"nobody": 9})
    RedisStore(client, timer_keys.namespace, PARTITIONS)
    assert f"{key}, b'nobody'" in caplog.text
    assert client.zscore(key, "nobody") == 9


def test_the_runs_of_a_device_are_listed_once(client: Redis, any_keys: Keys) -> None:
    """An older release noted those that run as well."""
    store = RedisStore(client, any_keys.namespace, PARTITIONS)
    for device, status in (("lamp", "running"), ("meter", "succeeded"), ("valve", "running")):
        page, cursor = store.instances(InstanceFilter(device=device), ["collect"], 10, None)
        assert [orjson.loads(raw)["status"] for raw in page] == [status]
        assert cursor is None


def test_an_engine_goes_on_where_the_older_release_stopped(client: Redis, any_keys: Keys) -> None:
    store = RedisStore(client, any_keys.namespace, PARTITIONS)
    store.append_events(
        [
            orjson.dumps(
                {"specversion": "1.0", "id": f"{device}-{number}", "source": "/dump", "type": "Tick", "subject": device,
                 "data": {"n": number}}
            )
            for device, number in (("lamp", 1), ("lamp", 9), ("valve", 9))
        ]
    )  # fmt: skip
    engine = Engine(store, NoQueue(), "newer", now_ms=lambda: DUMPED_MS + 60_000)
    while engine.step(block_ms=0):
        pass
    found = {}
    for device in ("lamp", "valve", "meter"):
        number = partition_of(device, PARTITIONS)
        (instance,) = [one for _, raw in store.scan(number) if (one := orjson.loads(raw))["device"] == device]
        found[device] = (instance["status"], instance.get("output"))
    # lamp-1 had been applied before: it is a duplicate still.
    assert found == {
        "lamp": ("succeeded", {"n": 9}), "valve": ("succeeded", {"n": 9}), "meter": ("succeeded", {"n": 2})
    }  # fmt: skip
    engine.drain()


def test_what_an_older_release_cannot_read_has_a_version_of_its_own() -> None:
    """A new mark of compressed values, or a new form of anything else, needs the next one."""
    assert (LAYOUT_VERSION, MARK) == (5, b"\x03")
    assert [step.to for step in migrations.STEPS] == list(range(2, LAYOUT_VERSION + 1))


def test_a_dry_run_tells_what_would_change_and_changes_nothing(client: Redis, keys: Keys) -> None:
    before = devices(client, keys)
    told = migrate(RedisLink(client, keys), PARTITIONS, dry_run=True)
    assert [(step.to, step.seen, step.changed, step.unreadable) for step in told] == [
        (2, 3, 3, 0),
        (3, 3, 3, 0),
        (4, 4, 2, 0),
        (5, 0, 0, 0),
    ]
    assert devices(client, keys) == before
    assert layout(client, keys)["version"] == "1"


def test_engines_of_the_older_release_must_have_stopped(client: Redis, keys: Keys) -> None:
    client.zadd(keys.engines, {"older": time.time() * 1000 + 60_000})
    with pytest.raises(LayoutMismatch, match="stop them"):
        RedisStore(client, keys.namespace, PARTITIONS)
    assert layout(client, keys)["version"] == "1"


def test_a_migration_that_was_stopped_goes_on_and_older_releases_are_out(
    client: Redis, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    done: list[bytes] = []

    def dies_at_the_second(raw: bytes) -> bytes:
        if done:
            raise Killed
        done.append(raw)
        return migrations.compact_device(raw)

    whole = migrations.STEPS
    monkeypatch.setattr(migrations, "STEPS", (Step(2, "dies", "devices", dies_at_the_second),))
    monkeypatch.setattr(migrations, "PAGE", 1)
    with pytest.raises(Killed):
        RedisStore(client, keys.namespace, PARTITIONS)
    assert layout(client, keys)["version"] == str(LAYOUT_VERSION), "an older release would read it as its own"
    assert layout(client, keys)["migrating"] == "1"
    monkeypatch.setattr(migrations, "STEPS", whole)
    RedisStore(client, keys.namespace, PARTITIONS)
    assert layout(client, keys) == {"version": str(LAYOUT_VERSION), "partitions": str(PARTITIONS)}
    assert all(map(is_compact, devices(client, keys).values()))


def test_a_process_that_was_stopped_between_reading_and_writing_overwrites_nothing(
    client: Redis, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where its lock has run out meanwhile and the new release has begun to work."""
    changed = b'{"written": "by the new release"}'

    def slow(raw: bytes) -> bytes:
        for number in range(PARTITIONS):
            key = keys.of(number, "devices")
            client.hset(key, mapping=dict.fromkeys(client.hkeys(key), changed))
        return migrations.compact_device(raw)

    whole = migrations.STEPS
    monkeypatch.setattr(migrations, "STEPS", (Step(2, "slow", "devices", slow), *whole[1:]))
    RedisStore(client, keys.namespace, PARTITIONS)
    assert set(devices(client, keys).values()) == {changed}


def test_a_value_the_older_release_did_not_write_is_named_and_left(
    client: Redis, keys: Keys, caplog: pytest.LogCaptureFixture
) -> None:
    client.hset(keys.of(0, "devices"), "torn", b'{"device": "to')
    RedisStore(client, keys.namespace, PARTITIONS)
    assert client.hget(keys.of(0, "devices"), "torn") == b'{"device": "to'
    assert f"{keys.of(0, 'devices')}, b'torn'" in caplog.text
    assert layout(client, keys)["version"] == str(LAYOUT_VERSION)
