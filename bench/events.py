"""Events end to end: pushed to the door, deduplicated, accumulated, matched, stepped, committed, ledger written.

    python bench/events.py [--events 50000] [--devices 10000] [--durability fsync] [--keep 1000] [--profile]

One engine process, an embedded server, events of about 300 bytes for devices that each stand in an event wait which
steps on every event. Prints the ratio to plain pipelined XADD + XREAD of the same bytes in the same run. With `--keep`
each accumulator is filled with so many events before, so that every event drops the oldest one of its device.
"""

import argparse
import cProfile
import hashlib
import pstats
import tempfile
import time
from pathlib import Path

import orjson
from redis import Redis
from served import print_server
from stepwell_engine.catalog import publish
from stepwell_engine.collecting import calm_collector
from stepwell_engine.dispatch import RqDispatcher
from stepwell_engine.loop import Engine
from stepwell_schemas.settings import Settings
from stepwell_store.embedded import EmbeddedServer
from stepwell_store.open import open_redis, open_store
from stepwell_store.protocol import Store

WORKFLOW = """
id: listener
version: 1.0.0
events: {Seen: {}, Tick: {}}
start: {on: [Seen], input: {}}
configuration: {timeout: P30D, accumulator: {maxEvents: 100000, maxBytes: 100000000, overflow: dropOldest}}
startAt: Listen
states:
  Listen: {type: wait, event: Tick, match: {kind: tick}, resultPath: $.state.last, next: Listen}
"""


def event(device: int, number: int, kind: str) -> bytes:
    """A CloudEvent of about 300 bytes."""
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": f"{kind}-{device}-{number}",
            "source": "/bench",
            "type": kind,
            "subject": f"device-{device}",
            "time": "2026-01-01T00:00:00Z",
            "data": {"kind": "tick", "number": number, "padding": padding(f"{device}/{number}")},
        }
    )


def padding(of: str) -> str:
    """120 characters that do not compress well."""
    return hashlib.blake2b(of.encode(), digest_size=60).hexdigest()


def raw_rate(redis: Redis, bodies: list[bytes]) -> float:
    """Pipelined XADD and XREAD of the same bytes, per second."""
    started = time.perf_counter()
    for index in range(0, len(bodies), 500):
        pipeline = redis.pipeline(transaction=False)
        for body in bodies[index : index + 500]:
            pipeline.xadd("raw", {"event": body})
        pipeline.execute()
    position, seen = "0-0", 0
    while seen < len(bodies):
        ((_, entries),) = redis.xread({"raw": position}, count=500)
        position, seen = entries[-1][0], seen + len(entries)
    elapsed = time.perf_counter() - started
    redis.delete("raw")
    return len(bodies) / elapsed


def drain(engine: Engine, costs: list[float] | None = None) -> int:
    """Rounds until nothing is left; records applied. `costs` gets the processor time per event of each round."""
    total = 0
    while True:
        before = time.process_time()
        applied = engine.step(block_ms=0)
        if not applied:
            return total
        total += applied
        if costs is not None:
            costs.append((time.process_time() - before) / applied)


def push(store: Store, bodies: list[bytes]) -> None:
    for index in range(0, len(bodies), 500):
        store.append_events(bodies[index : index + 500])


def server_seconds(info: dict[str, float]) -> float:
    """Seconds of processor time the server has taken."""
    return info["used_cpu_user_main_thread"] + info["used_cpu_sys_main_thread"]


def measure(engine: Engine, bodies: list[bytes], profile: bool, costs: list[float] | None = None) -> float:
    """Events per second until all of the door is applied."""
    profiler = cProfile.Profile() if profile else None
    started = time.perf_counter()
    if profiler is not None:
        profiler.enable()
    applied = drain(engine, costs)
    if profiler is not None:
        profiler.disable()
    elapsed = time.perf_counter() - started
    if profiler is not None:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(35)
    assert applied == len(bodies), (applied, len(bodies))
    return applied / elapsed


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--durability", default="fsync")
    parser.add_argument(
        "--keep", type=int, default=0, help="events that each accumulator holds, and is filled with"
    )
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedServer(Path(folder), options.durability)
        url = server.start()
        try:
            run(url, options)
        finally:
            server.stop()


def run(url: str, options: argparse.Namespace) -> None:
    settings = Settings(store_url=url)
    store = open_store(settings)
    redis = open_redis(url)
    print_server(redis)
    calm_collector()
    publish(store, WORKFLOW.replace("maxEvents: 100000", f"maxEvents: {options.keep or 100_000}"), now_ms=0)
    engine = Engine(store, RqDispatcher(redis, "stepwell"), "bench", lease_ms=60_000)
    starts = [event(device, 0, "Seen") for device in range(options.devices)]
    push(store, starts)
    started = measure(engine, starts, False)
    for number in range(1, options.keep):
        push(store, [event(device, -number, "Tick") for device in range(options.devices)])
        drain(engine)
    ticks = [event(n % options.devices, n, "Tick") for n in range(options.events)]
    raw = raw_rate(redis, ticks)
    push(store, ticks)
    costs: list[float] = []
    before, cpu = redis.info(), time.process_time()
    rate = measure(engine, ticks, options.profile, costs)
    after, cpu = redis.info(), time.process_time() - cpu
    commands = after["total_commands_processed"] - before["total_commands_processed"]
    network = after["total_net_input_bytes"] - before["total_net_input_bytes"]
    server = server_seconds(after) - server_seconds(before)
    print(f"raw XADD+XREAD            {raw:10,.0f} /s")
    print(f"instances started         {started:10,.0f} /s")
    print(f"events applied            {rate:10,.0f} /s   ratio to raw {rate / raw:.3f}")
    engine_us, server_us = cpu / options.events * 1e6, server / options.events * 1e6
    print(f"processor time per event  {engine_us:10.1f} us engine   {server_us:.1f} us server")
    calm = sorted(costs)[len(costs) // 10] * 1e6
    print(f"  in the calmest rounds   {calm:10.1f} us engine (the tenth percentile of {len(costs)} rounds)")
    print(f"commands per event        {commands / options.events:10.3f}")
    print(f"bytes to the server       {network / options.events:10,.0f} per event")
    store.close()


if __name__ == "__main__":
    main()
