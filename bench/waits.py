"""Many open waits of one definition on distinct match values, and as many armed timers: what they cost, and what not.

    python bench/waits.py [--waits 20000] [--full] [--keep 1]

Prints bytes per wait (server and engine), matching and signalling at 1,000 waits (a system of their own) and at all,
processor time when idle, the time to take over after `kill -9` of the engine, and the lateness of timers that fall due
at once.
"""

import argparse
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

import orjson
from events import padding
from latency import latencies
from redis import Redis
from served import (
    applied,
    engine_process,
    percentiles,
    processor_seconds,
    resident_bytes,
    rewrite_log,
    served,
    wait_until,
)
from stepwell_engine.catalog import publish
from stepwell_store.protocol import Store

AT_ONCE = 30_000
FEW = 1_000

WORKFLOW = """
id: listener
version: 1.0.0
events: {Seen: {}, Tick: {}}
start: {on: [Seen], input: {number: $.event.data.number}}
configuration: {accumulator: {maxEvents: 100000, maxBytes: 100000000}}
startAt: Listen
states:
  Listen:
    type: wait
    event: Tick
    match: {kind: tick, device: $.input.number}
    timeout: P30D
    timeoutNext: Listen
    resultPath: null
    next: Listen
"""

SHORT = """
id: sleeper
version: 1.0.0
events: {Sleep: {}, Never: {}}
start: {on: [Sleep], input: {}}
startAt: Nap
states:
  Nap: {type: wait, event: Never, timeout: PT10S, timeoutNext: Done, resultPath: null, next: Done}
  Done: {type: succeed}
"""


def event(device: int, number: int, kind: str) -> bytes:
    """A CloudEvent whose data names its device, so that each wait has a match value of its own."""
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": f"{kind}-{device}-{number}",
            "source": "/bench",
            "type": kind,
            "subject": f"device-{device}",
            "data": {
                "kind": "tick",
                "device": device,
                "number": device,
                "padding": padding(f"{device}/{number}"),
            },
        }
    )


def sleep(number: int) -> bytes:
    """A CloudEvent that starts a sleeper."""
    id, device = f"s{number}", f"sleeper-{number}"
    return orjson.dumps(
        {"specversion": "1.0", "id": id, "source": "/bench", "type": "Sleep", "subject": device}
    )


@dataclass(frozen=True, slots=True)
class System:
    """A server of its own and the one engine on it."""

    url: str
    store: Store
    redis: Redis
    engine: "subprocess.Popen[bytes]"

    @property
    def pids(self) -> dict[str, int]:
        """Its processes by what they are."""
        return {"engine": self.engine.pid, "server": int(self.redis.info("server")["process_id"])}


@contextmanager
def running(workflow: str) -> Iterator[System]:
    """A system with this definition and the sleeper."""
    with served() as (url, store, redis), engine_process(url) as engine:
        publish(store, workflow, now_ms=0)
        publish(store, SHORT, now_ms=0)
        yield System(url, store, redis, engine)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--waits", type=int, default=20_000)
    parser.add_argument("--full", action="store_true", help="a million")
    parser.add_argument("--keep", type=int, help="events per device, the oldest dropped for each new one")
    parser.add_argument("--rounds", type=int, default=5, help="of signals to few, some and all waits")
    parser.add_argument("--quick", action="store_true", help="the default")
    options = parser.parse_args()
    waits = 1_000_000 if options.full else options.waits
    if waits <= FEW or options.rounds < 1:
        parser.error(f"it takes more than {FEW:,} waits and at least one round")
    workflow = WORKFLOW if options.keep is None else keeping(options.keep)
    with running(workflow) as few, running(workflow) as system:
        store, redis, engine = system.store, system.redis, system.engine
        open_waits(few.store, few.redis, 0, FEW)
        open_waits(store, redis, 0, FEW)
        matching(few, FEW)
        before = memory(redis, engine)
        open_waits(store, redis, FEW, waits)
        used, *resident = (
            (now - then) / (waits - FEW) for now, then in zip(memory(redis, engine), before, strict=True)
        )
        print(
            f"a wait with its timer      {used:,.0f} bytes in the server, which holds {resident[0]:,.0f} for it; "
            f"{resident[1]:,.0f} in the engine"
        )
        if options.keep is not None:  # what a device drops first is asked for by itself
            an_event_each(store, redis, 0, waits, "Tick", 10**6)
        matching(system, waits)
        signals(few, system, waits, options.rounds)
        idle(system)
        timers(store, redis, min(5_000, waits))
        takeover(system)
        plain(redis, waits)


def keeping(count: int) -> str:
    """The workflow with accumulators of so many events."""
    unlimited = "maxEvents: 100000, maxBytes: 100000000"
    assert unlimited in WORKFLOW
    return WORKFLOW.replace(unlimited, f"maxEvents: {count}, overflow: dropOldest")


def memory(redis: Redis, engine: "subprocess.Popen[bytes]") -> tuple[int, int, int]:
    """Bytes that the server counts, that it holds, and that the engine holds."""
    found = redis.info("memory")
    return found["used_memory"], found["used_memory_rss"], resident_bytes(engine.pid)


def open_waits(store: Store, redis: Redis, first: int, last: int) -> None:
    """One instance per device, each in its wait. The accumulator's mark and the history's start come with it."""
    an_event_each(store, redis, first, last, "Seen", 0)


def an_event_each(store: Store, redis: Redis, first: int, last: int, kind: str, number: int) -> None:
    """An event of each of these devices, all applied when it returns."""
    before = applied(store, redis)
    for start in range(first, last, 1_000):
        end = min(start + 1_000, last)
        store.append_events([event(device, number, kind) for device in range(start, end)])
        wait_until(lambda end=end: applied(store, redis) - before >= end - first - 20_000, 600)  # type: ignore[misc]
    wait_until(lambda: applied(store, redis) - before >= last - first, 600)


def matching(system: System, waits: int) -> None:
    """Events at 1,000 a second over all devices."""
    rewrite_log(system.redis)
    for when in ("right after the log was rewritten", "then", "then"):
        taken = latencies(system.store, system.redis, 1_000, 3, devices=waits, make=event)
        print(f"matching at {waits:>9,} waits   {percentiles(taken)}   (1,000 events/s, {when})")


def signals(few: System, many: System, waits: int, rounds: int) -> None:
    """Many events at once to a thousand waits, to a thousand of many, and to any of those.

    In turn, since the speed of a shared host changes by the minute, and several times, as a few seconds tell little.
    """
    cases = {
        f"{FEW:,} waits": (few, FEW),
        f"{waits:,} waits, {FEW:,} of them": (many, FEW),
        f"{waits:,} waits, any": (many, waits),
    }
    figures: dict[str, list[tuple[float, float, float]]] = {case: [] for case in cases}
    for number in range(rounds):
        # Every other time backwards, so that none always comes after the same other.
        for case in list(cases)[:: -1 if number % 2 else 1]:
            figures[case].append(signalled(*cases[case], number))
    base = median(rate for rate, _, _ in figures[f"{FEW:,} waits"])
    for case, taken in figures.items():
        rates, engine, server = zip(*taken, strict=True)
        spread = f"{min(rates):,.0f} to {max(rates):,.0f} in {rounds} rounds"
        print(
            f"signals to {case:<30} {median(rates):,.0f} /s ({spread}; {median(rates) / base:.2f} of the first), "
            f"engine {median(engine):.0f} us, server {median(server):.0f} us"
        )


def signalled(system: System, among: int, number: int) -> tuple[float, float, float]:
    """`AT_ONCE` events, for so many of the waits in turn: per second, and the engine's and the server's us for each."""
    bodies = [event((n * 7_919 + number * 104_729) % among, time.time_ns(), "Tick") for n in range(AT_ONCE)]
    spent = {name: processor_seconds(pid) for name, pid in system.pids.items()}
    before, started = applied(system.store, system.redis), time.perf_counter()
    for start in range(0, len(bodies), 500):
        system.store.append_events(bodies[start : start + 500])
    wait_until(lambda: applied(system.store, system.redis) - before >= AT_ONCE, 300)
    rate = AT_ONCE / (time.perf_counter() - started)
    each = {name: (processor_seconds(pid) - spent[name]) / AT_ONCE * 1e6 for name, pid in system.pids.items()}
    return rate, each["engine"], each["server"]


def plain(redis: Redis, waits: int) -> None:
    """What the server alone takes to read and write one of few values and one of as many as there are waits."""
    pid, texts = int(redis.info("server")["process_id"]), [padding(str(n)) for n in range(1_000)]
    pipeline = redis.pipeline(transaction=False)
    for start in range(0, waits, 1_000):
        for n in range(start, min(start + 1_000, waits)):
            pipeline.set(f"plain:{n}", texts[n % 1_000] * 2)
        pipeline.execute()
    for among in sorted({min(waits, 1_000), waits}):
        spent = processor_seconds(pid)
        for number in range(30):
            for n in range(1_000):
                key = f"plain:{(n * 7_919 + number * 104_729) % among}"
                pipeline.get(key)
                pipeline.set(key, texts[n] * 2)
            pipeline.execute()
        each = (processor_seconds(pid) - spent) / 30_000 * 1e6
        print(f"plain GET and SET          {each:.1f} us of the server, among {among:,} values of 240 bytes")


def idle(system: System, seconds: float = 5) -> None:
    pids = system.pids
    before = {name: processor_seconds(pid) for name, pid in pids.items()}
    time.sleep(seconds)
    shares = {name: (processor_seconds(pid) - before[name]) / seconds for name, pid in pids.items()}
    print(
        "idle                       "
        + ", ".join(f"{name} {share:.1%} of a core" for name, share in shares.items())
    )


def timers(store: Store, redis: Redis, count: int) -> None:
    """`count` instances started within a second, whose timers fall due within a second."""
    before = applied(store, redis)
    for start in range(0, count, 500):
        bodies = [sleep(number) for number in range(start, min(start + 500, count))]
        store.append_events(bodies)
    wait_until(lambda: applied(store, redis) - before >= count, 60)
    wait_until(lambda: _ended(redis, store) >= count, 120)
    late: list[float] = []
    for number in range(store.partitions):
        for id in redis.zrange(f"{{stepwell:{number}}}:index:sleeper:succeeded", 0, -1):
            entry = orjson.loads(store.history(number, id.decode(), 1, 1)[0])
            late.append(entry["t"] - entry["record"]["due_ms"])
    print(f"timers, {count:,} due together  late by {percentiles(late)}")


def _ended(redis: Redis, store: Store) -> int:
    keys = [f"{{stepwell:{number}}}:index:sleeper:succeeded" for number in range(store.partitions)]
    return sum(int(redis.zcard(key)) for key in keys)


def takeover(system: System) -> None:
    """From `kill -9` of the only engine to the next one's first commit; the other engine is there already."""
    store = system.store
    with engine_process(system.url):
        time.sleep(2)
        before = {number: store.partition_info(number).revision for number in range(store.partitions)}
        store.append_events([event(device, 10**7, "Tick") for device in range(200)])
        os.kill(system.engine.pid, signal.SIGKILL)
        started = time.perf_counter()
        bodies = [event(device, 10**7 + 1, "Tick") for device in range(1_000)]
        store.append_events(bodies)
        wait_until(
            lambda: all(store.partition_info(n).revision > revision for n, revision in before.items()),
            60,
            0.01,
        )
        print(
            f"takeover after kill -9     {time.perf_counter() - started:.2f} s until every partition commits again"
        )


if __name__ == "__main__":
    main()
