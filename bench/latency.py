"""From an accepted event to the committed next step, at 100, 1,000 and 5,000 events a second.

    python bench/latency.py [--full] [--seconds 5]

Both ends are the server's own clock: the event's position in the door, and the position of the commit's ledger entry.
An engine process of its own; 1,000 devices that each stand in an event wait which steps on every event.
"""

import argparse
import time
from collections.abc import Callable

import orjson
from events import WORKFLOW, event
from redis import Redis
from served import applied, engine_process, percentiles, served, wait_until
from stepwell_engine.catalog import publish
from stepwell_store.batches import START
from stepwell_store.compression import restored
from stepwell_store.protocol import Store

DEVICES = 1_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="a minute per rate")
    parser.add_argument("--quick", action="store_true", help="the default")
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    seconds = 60 if options.full else options.seconds
    with served() as (url, store, redis), engine_process(url):
        publish(store, WORKFLOW, now_ms=0)
        store.append_events([event(device, 0, "Seen") for device in range(DEVICES)])
        wait_until(lambda: applied(store, redis) >= DEVICES, 60)
        for rate in (100, 1_000, 5_000):
            print(f"event to step at {rate:>5,} /s    {percentiles(latencies(store, redis, rate, seconds))}")


def latencies(
    store: Store,
    redis: Redis,
    rate: int,
    seconds: float,
    devices: int = DEVICES,
    make: Callable[[int, int, str], bytes] = event,
) -> list[float]:
    """Milliseconds of each event, on the server's clock."""
    before, marks = applied(store, redis), {n: _last(redis, n) for n in range(store.partitions)}
    accepted = push_at(redis, rate, seconds, devices, make)
    wait_until(lambda: applied(store, redis) - before >= len(accepted), 120)
    taken: list[float] = []
    for number, mark in marks.items():
        for position, fields in redis.xrange(f"{{stepwell:{number}}}:ledger", f"({mark}", "+"):
            done = _milliseconds(position)
            lines = [line for part in restored(fields[b"e"]).split(b"\x1e") for line in orjson.loads(part)]
            taken += [done - accepted[line[0]] for line in lines if line[0] in accepted]
    assert len(taken) == len(accepted), (len(taken), len(accepted))
    return taken


def push_at(
    redis: Redis, rate: int, seconds: float, devices: int, make: Callable[[int, int, str], bytes]
) -> dict[str, int]:
    """Events at an even pace, a hundred bursts a second at most: id -> when the door took it."""
    accepted: dict[str, int] = {}
    burst = max(1, rate // 100)
    started, sent = time.monotonic(), 0
    while sent < rate * seconds:
        pipeline = redis.pipeline(transaction=False)
        numbers = [int(f"{devices}{rate}{sent + n:07d}") for n in range(burst)]
        ids = [f"Tick-{number % devices}-{number}" for number in numbers]
        for number in numbers:
            pipeline.xadd("stepwell:events", {"event": make(number % devices, number, "Tick")})
        accepted.update(zip(ids, map(_milliseconds, pipeline.execute()), strict=True))
        sent += burst
        time.sleep(max(0.0, started + sent / rate - time.monotonic()))
    return accepted


def _last(redis: Redis, number: int) -> str:
    found = redis.xrevrange(f"{{stepwell:{number}}}:ledger", count=1)
    return found[0][0].decode() if found else START


def _milliseconds(position: bytes) -> int:
    return int(position.partition(b"-")[0])


if __name__ == "__main__":
    main()
