"""A value in Redis that is not what we write: it is named, its instance or device is out alone, the others go on."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import orjson
import pytest
from redis import Redis
from stepwell_cli.examination import Examination, examine
from stepwell_engine.catalog import publish
from stepwell_engine.dispatch import Job
from stepwell_engine.loop import Engine
from stepwell_schemas.catalog import ActivityDescription
from stepwell_store.compression import restored
from stepwell_store.errors import StoreUnavailable
from stepwell_store.open import open_redis
from stepwell_store.partition import partition_of
from stepwell_store.redis_store import RedisStore

WORKFLOW = """
id: follow
version: 1.0.0
events: {Begin: {}, Tick: {type: object}, Work: {}, End: {}}
start: {on: [Begin], input: {}, afterCompletion: ignore}
configuration: {timeout: P30D, taskTimeout: PT60S}
startAt: Listen
states:
  Listen:
    type: wait
    anyOf:
      tick: {event: Tick, next: Note}
      work: {event: Work, next: Do}
      end: {event: End, next: Done}
    timeout: P20D
    timeoutNext: Done
    resultPath: $.state.last
  Note: {type: pass, set: {$.state.n: $.state.last}, next: Listen}
  Do: {type: task, activity: do, resultPath: null, next: Listen}
  Done: {type: succeed}
"""
VICTIM, OTHERS = "victim", ("other-1", "other-2", "other-3")


class NoQueue:
    def enqueue(self, jobs: Sequence[Job]) -> None:
        pass

    def queued(self, jobs: Sequence[Job]) -> set[str]:
        return {job.token for job in jobs}


@dataclass(slots=True)
class World:
    """One partition with a victim and others, all of them waiting; nothing of it is cached by an engine."""

    store: RedisStore
    redis: Redis
    number: int = 0
    """Of the events so far."""

    def key(self, name: str) -> str:
        return f"{{{self.store.namespace}:0}}:{name}"

    def push(self, device: str, type: str) -> None:
        self.number += 1
        event = {"specversion": "1.0", "id": f"e{self.number}", "source": "/t", "type": type, "subject": device,
                 "data": {"n": self.number}}  # fmt: skip
        self.store.append_events([orjson.dumps(event)])

    def run(self) -> None:
        """A new engine, until nothing is left. Only the store's absence may come out of it; that is retried."""
        engine = Engine(self.store, NoQueue(), f"engine-{self.number}")
        quiet = 0
        for _ in range(40):
            try:
                quiet = 0 if engine.step(block_ms=0) else quiet + 1
            except StoreUnavailable:
                quiet += 1
            if quiet == 3:
                break
        engine.drain()

    def instance_of(self, device: str) -> str:
        (instance,) = orjson.loads(self.store.device(0, device) or b"{}")["running"]
        return str(instance)

    def last_seen(self, instance: str) -> object:
        return orjson.loads(self.store.instance(0, instance) or b"{}")["state"].get("n")

    def findings(self) -> str:
        result: Examination = list(examine(self.store, 0))[-1]
        return "\n".join(
            f"{finding.kind} {finding.instance} {finding.message}" for finding in result.findings
        )


@pytest.fixture
def world(server_url: str, namespace: str) -> Iterator[World]:
    redis = open_redis(server_url)
    store = RedisStore(open_redis(server_url), namespace, partitions=1)
    store.publish_activities([ActivityDescription(name="do")])
    assert publish(store, WORKFLOW, now_ms=1).result == "created"
    world = World(store, redis)
    for device in (VICTIM, *OTHERS):
        world.push(device, "Begin")
    world.run()
    yield world
    store.close()
    redis.close()


def others_go_on(world: World, instances: list[str]) -> None:
    """Events of all devices in one batch: those of the others are taken."""
    for device in (OTHERS[0], VICTIM, *OTHERS[1:]):
        world.push(device, "Tick")
    world.run()
    for instance in instances:
        assert world.last_seen(instance) is not None, instance
    for device in (VICTIM, *OTHERS):
        world.push(device, "Tick")
    before = [world.last_seen(instance) for instance in instances]
    world.run()
    assert all(world.last_seen(instance) != seen for instance, seen in zip(instances, before, strict=True))


Corrupt = Callable[[World, str], None]


def of_hash(name: str, field: str | None, change: Callable[[bytes], bytes]) -> Corrupt:
    def corrupt(world: World, instance: str) -> None:
        key, member = world.key(name), field or instance
        value = world.redis.hget(key, member)
        assert isinstance(value, bytes)
        world.redis.hset(key, member, change(value))

    return corrupt


def of_type(name: str, then: str | None = None) -> Corrupt:
    """`then`: an event that makes the engine write there."""

    def corrupt(world: World, instance: str) -> None:
        key = world.key(name.format(instance=instance))
        world.redis.delete(key)
        world.redis.set(key, "not what Stepwell writes")
        if then is not None:
            world.push(VICTIM, then)

    return corrupt


def without(*fields: str) -> Callable[[bytes], bytes]:
    return lambda raw: orjson.dumps({k: v for k, v in orjson.loads(restored(raw)).items() if k not in fields})


def truncated(raw: bytes) -> bytes:
    return raw[: len(raw) // 2]


CASES: dict[str, tuple[Corrupt, str]] = {
    "instance, truncated": (of_hash("instances", None, truncated), "{instance}"),
    "instance, compressed bytes torn": (of_hash("instances", None, lambda raw: raw[:-9]), "{instance}"),
    "instance, another type": (of_hash("instances", None, lambda raw: b"[1]"), "{instance}"),
    "instance, a field is missing": (of_hash("instances", None, without("frames", "status")), "{instance}"),
    "device, truncated": (of_hash("devices", VICTIM, truncated), VICTIM),
    "device, a field is missing": (of_hash("devices", VICTIM, without("next")), VICTIM),
    "history, of another Redis type": (of_type("history:{instance}"), "history:{instance}"),
    "accumulator, of another Redis type": (of_type("events:" + VICTIM), "events:" + VICTIM),
    "available, of another Redis type": (of_type("available:" + VICTIM), "available:" + VICTIM),
    "runs, of another Redis type": (of_type("runs:" + VICTIM, then="End"), "runs:" + VICTIM),
}


@pytest.mark.parametrize("case", CASES)
def test_a_corrupt_value_is_named_and_stops_nobody_else(
    world: World, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    corrupt, name = CASES[case]
    victim = world.instance_of(VICTIM)
    others = [world.instance_of(device) for device in OTHERS]
    corrupt(world, victim)
    others_go_on(world, others)
    named = name.format(instance=victim)
    assert named in caplog.text or named in world.findings()


META: dict[str, dict[str, str]] = {
    "epoch": {"epoch": "many"}, "revision": {"revision": "-"}, "door": {"door": "yesterday"}, "inbox": {"inbox": "1"}
}  # fmt: skip


@pytest.mark.parametrize("what", ["instances", "devices", "timers", "inbox", "attempts", *META])
def test_a_partition_whose_own_key_is_corrupt_stays_alone(
    server_url: str, namespace: str, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    with open_redis(server_url) as redis:
        store = RedisStore(open_redis(server_url), namespace, partitions=2)
        store.publish_activities([ActivityDescription(name="do")])
        assert publish(store, WORKFLOW, now_ms=1).result == "created"
        world = World(store, redis)
        names = [f"device-{number}" for number in range(8)]
        for name in names:
            world.push(name, "Begin")
        world.run()
        if what in META:
            redis.hset(world.key("meta"), mapping=META[what])
        else:
            redis.delete(world.key(what))
            redis.set(world.key(what), "not what Stepwell writes")
        for name in names:
            world.push(name, "Tick")
        world.run()
        key = world.key("meta" if what in META else what)
        assert key in caplog.text
        if what not in META:
            assert key in "\n".join(name for name, _ in store.misfits())
        well = [name for name in names if partition_of(name, 2) == 1]
        assert 0 < len(well) < len(names)
        taken = [orjson.loads(raw)["state"].get("n") for _, raw in store.scan(1)]
        assert len(taken) == len(well)
        assert None not in taken
        store.close()
