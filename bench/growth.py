"""Whether the cost of an event stays the same while things grow: instances, histories, partitions, engines.

    python bench/growth.py [--full]

Processor time of the engine per event in its calmest rounds (the tenth percentile), and of the server; Redis commands
and bytes per event. Flat lines are what is wanted.
"""

import argparse
import time
from contextlib import ExitStack

from events import WORKFLOW, drain, event, push, server_seconds
from redis import Redis
from served import applied, engine_process, served, wait_until
from stepwell_engine.catalog import publish
from stepwell_engine.collecting import calm_collector
from stepwell_engine.dispatch import RqDispatcher
from stepwell_engine.loop import Engine
from stepwell_store.protocol import Store

EVENTS = 6_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="up to a million instances, 10,000 entries")
    parser.add_argument("--quick", action="store_true", help="the default")
    options = parser.parse_args()
    calm_collector()
    with served() as (_, store, redis):
        engine = prepared(store, redis)
        known = 0
        for instances in (1_000, 10_000, 30_000, *((100_000, 1_000_000) if options.full else ())):
            start(engine, store, known, instances)
            known = instances
            report(f"{instances:,} instances", engine, store, redis, instances)
    with served() as (_, store, redis):
        engine = prepared(store, redis)
        start(engine, store, 0, 20)
        entries = 0
        for goal in (10, 100, 1_000, *((10_000,) if options.full else ())):
            push(
                store, [event(n % 20, 10**9 + entries * 20 + n, "Tick") for n in range((goal - entries) * 20)]
            )
            drain(engine)
            entries = goal
            report(f"{goal:,} history entries", engine, store, redis, 20)
            entries += EVENTS // 20
    for partitions in (1, 4, 16, 64):
        with served(partitions=partitions) as (_, store, redis):
            engine = prepared(store, redis)
            start(engine, store, 0, 1_000)
            report(f"{partitions} partitions", engine, store, redis, 1_000)
    for engines in (1, 2):
        run_engines(engines)


def prepared(store: Store, redis: Redis) -> Engine:
    assert publish(store, WORKFLOW, now_ms=0).result == "created"
    return Engine(store, RqDispatcher(redis, "stepwell"), "bench", lease_ms=60_000)


def start(engine: Engine, store: Store, first: int, last: int) -> None:
    """An instance in its wait for each device from `first` to `last`."""
    for begin in range(first, last, 10_000):
        push(store, [event(device, 0, "Seen") for device in range(begin, min(begin + 10_000, last))])
        drain(engine)


def report(what: str, engine: Engine, store: Store, redis: Redis, devices: int) -> None:
    numbers = [time.time_ns() + n for n in range(EVENTS)]
    push(store, [event(number * 7_919 % devices, number, "Tick") for number in numbers])
    costs: list[float] = []
    before = redis.info()
    assert drain(engine, costs) == EVENTS
    after = redis.info()
    calm = sorted(costs)[len(costs) // 10] * 1e6
    server = (server_seconds(after) - server_seconds(before)) / EVENTS * 1e6
    commands = (after["total_commands_processed"] - before["total_commands_processed"]) / EVENTS
    sent = (after["total_net_input_bytes"] - before["total_net_input_bytes"]) / EVENTS
    print(
        f"{what:<24} {calm:6.1f} us engine  {server:6.1f} us server  {commands:5.2f} commands  {sent:6,.0f} bytes"
    )


def run_engines(engines: int) -> None:
    """The same events with one engine process, and with two that share the partitions."""
    with served() as (url, store, redis):
        publish(store, WORKFLOW, now_ms=0)
        push(store, [event(device, 0, "Seen") for device in range(1_000)])
        with ExitStack() as running:
            for _ in range(engines):
                running.enter_context(engine_process(url))
            wait_until(lambda: applied(store, redis) >= 1_000, 60)
            time.sleep(4)  # the second one takes its share with the next leases
            push(store, [event(n % 1_000, 10**9 + n, "Tick") for n in range(20_000)])
            started = time.perf_counter()
            wait_until(lambda: applied(store, redis) >= 21_000, 120)
            print(
                f"{engines} engine process(es)      {20_000 / (time.perf_counter() - started):8,.0f} events/s"
            )


if __name__ == "__main__":
    main()
