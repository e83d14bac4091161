"""A map of 10,000 items, each a durable no-op activity; and 1,000 devices with 200 events each.

    python bench/maps.py [--items 2000] [--full]

The engine runs here, workers are played (claimed and reported in batches), so that what is measured is the engine.
"""

import argparse
import time

import orjson
from events import WORKFLOW, drain, event, push, server_seconds
from redis import Redis
from served import served
from stepwell_engine.catalog import publish
from stepwell_engine.collecting import calm_collector
from stepwell_engine.dispatch import Job
from stepwell_engine.loop import Engine
from stepwell_schemas.catalog import ActivityDescription
from stepwell_store.partition import instance_id
from stepwell_store.protocol import RequestedStart, Store

MAP = """
id: many
version: 1.0.0
startAt: Each
states:
  Each:
    type: map
    items: $.input.items
    startAt: One
    states: {One: {type: task, activity: bench.nothing, input: {}, resultPath: null, end: true}}
    resultPath: null
    end: true
"""


class Played:
    """A dispatcher whose jobs are played by `work`."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    def enqueue(self, jobs: list[Job]) -> None:
        self.jobs += jobs

    def queued(self, jobs: list[Job]) -> set[str]:
        return {job.token for job in jobs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=2_000)
    parser.add_argument("--full", action="store_true", help="10,000 items, 1,000 devices x 200 events")
    parser.add_argument("--quick", action="store_true", help="the default")
    options = parser.parse_args()
    calm_collector()
    items = [options.items // 10, options.items, *([10_000] if options.full else [])]
    for count in sorted(set(items)):
        with served() as (_, store, redis):
            run_map(store, redis, count)
    with served() as (_, store, redis):
        run_devices(store, 1_000 if options.full else 100, 200)


def run_map(store: Store, redis: Redis, items: int) -> None:
    store.publish_activities([ActivityDescription(name="bench.nothing")])
    assert publish(store, MAP, now_ms=0).result == "created"
    played = Played()
    engine = Engine(store, played, "bench", lease_ms=60_000)
    id = instance_id("many", "00000001", 0)
    operation = {
        "op": "start",
        "instance": id,
        "definition": "many",
        "version": None,
        "input": {"items": [0] * items},
    }
    before, cpu, started = redis.info(), time.process_time(), time.perf_counter()
    store.request_starts([RequestedStart(0, id, "bench", orjson.dumps(operation))])
    while drain(engine) or played.jobs:
        jobs, played.jobs = played.jobs[:500], played.jobs[500:]
        work(store, jobs)
    elapsed, cpu, after = time.perf_counter() - started, time.process_time() - cpu, redis.info()
    stored = orjson.loads(store.instance(0, id) or b"{}")
    assert stored["status"] == "succeeded", (stored["status"], stored["error"], stored["cause"])
    server = server_seconds(after) - server_seconds(before)
    sent = after["total_net_input_bytes"] - before["total_net_input_bytes"]
    print(
        f"map of {items:>6,} items       {elapsed:7.2f} s   {items / elapsed:8,.0f} items/s   per item: "
        f"{cpu / items * 1e6:,.0f} us engine, {server / items * 1e6:,.0f} us server, {sent / items:,.0f} bytes"
    )


def work(store: Store, jobs: list[Job]) -> None:
    """What a worker does with no-op activities, in two round trips."""
    now = time.time_ns() // 1_000_000
    claims = [(job.partition, job.token) for job in jobs]
    reports: list[tuple[int, str, bytes]] = []
    for (partition, token), raw in zip(claims, store.claim_many(claims, "w", now, 60_000), strict=True):
        if raw is None:
            continue
        payload = orjson.loads(raw)
        record = {
            "kind": "ActivityCompleted", "time_ms": 0, "attempt": payload["attempt"], "token": token,
            "output": None, "started_ms": now, "worker": "w",
        }  # fmt: skip
        operation = {"op": "deliver", "instance": payload["instance"], "record": record}
        reports.append((partition, token, orjson.dumps(operation)))
    store.report_many(reports, now, 60_000)


def run_devices(store: Store, devices: int, each: int) -> None:
    assert publish(store, WORKFLOW, now_ms=0).result == "created"
    engine = Engine(store, Played(), "bench", lease_ms=60_000)
    push(store, [event(device, 0, "Seen") for device in range(devices)])
    drain(engine)
    bodies = [event(n % devices, n, "Tick") for n in range(devices * each)]
    push(store, bodies)
    cpu, started = time.process_time(), time.perf_counter()
    count = drain(engine)
    elapsed, cpu = time.perf_counter() - started, time.process_time() - cpu
    assert count == len(bodies)
    cost = f"{cpu / count * 1e6:.0f} us engine"
    print(f"{devices:,} devices x {each} events  {elapsed:7.2f} s   {count / elapsed:8,.0f} /s   {cost}")


if __name__ == "__main__":
    main()
