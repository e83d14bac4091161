"""Events by HTTP end to end: posted, answered when durable, deduplicated, accumulated, matched, stepped, committed.

    python bench/http_events.py [--events 100000] [--singles 20000] [--devices 10000] [--batch 100] [--rounds 3]

One API process, one engine process, an embedded server and one process that sends, which are four: on two cores they
share. Devices each stand in an event wait which steps on every event. A request that is answered 429 is sent again
when the answer says. The rate is that of events until the last is applied; beside it the door alone, with raw
pipelined XADD: `bench/http_door.py`.
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import time
from collections.abc import Iterator, Sequence

import uvloop
from events import WORKFLOW, event, raw_rate
from http_door import request, run_api, send_all
from redis import Redis
from served import applied, engine_process, peak_bytes, processor_seconds, served, wait_until
from stepwell_engine.catalog import publish
from stepwell_schemas.settings import Settings
from stepwell_store.protocol import Store


@contextlib.contextmanager
def api_process(url: str) -> Iterator[tuple[int, int]]:
    """The API on the server, with its usual limits: its port and its process id."""
    ours, theirs = multiprocessing.Pipe()
    settings = Settings(store_url=url, api_port=0)
    api = multiprocessing.get_context("spawn").Process(target=run_api, args=(settings, theirs, None))
    api.start()
    theirs.close()  # so that an API that ends before it has begun is noticed
    try:
        yield int(ours.recv().rpartition(":")[2]), api.pid or 0
    finally:
        api.terminate()
        api.join(15)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--singles", type=int, default=20_000)
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--durability", choices=("fsync", "everysec", "memory"), default="fsync")
    options = parser.parse_args()
    with (
        served(options.durability) as (url, store, redis),
        engine_process(url) as engine,
        api_process(url) as (port, api),
    ):
        publish(store, WORKFLOW, now_ms=0)
        pids = {"engine": engine.pid, "server": int(redis.info("server")["process_id"]), "API": api}
        start(store, redis, options.devices)
        numbers = iter(range(10**9))
        for _ in range(options.rounds):
            many = [ticks(options.devices, next(numbers)) for _ in range(options.events)]
            raw = raw_rate(redis, many)
            bodies = [
                b"[" + b",".join(many[index : index + options.batch]) + b"]"
                for index in range(0, len(many), options.batch)
            ]
            measure(f"batches of {options.batch}", store, redis, port, bodies, len(many), 8, pids, raw)
        for _ in range(options.rounds):
            singles = [ticks(options.devices, next(numbers)) for _ in range(options.singles)]
            raw = raw_rate(redis, singles)
            measure("single POSTs", store, redis, port, singles, len(singles), 64, pids, raw)
        held = ", ".join(f"{name} {peak_bytes(pid) >> 20} MB" for name, pid in pids.items())
        print(f"memory, at most: {held}")


def ticks(devices: int, number: int) -> bytes:
    """The event of this number; devices take turns."""
    return event(number % devices, number, "Tick")


def start(store: Store, redis: Redis, devices: int) -> None:
    """An instance for each device, in its wait."""
    for first in range(0, devices, 500):
        store.append_events([event(n, 0, "Seen") for n in range(first, min(first + 500, devices))])
    wait_until(lambda: applied(store, redis) >= devices, 120)


def measure(
    what: str,
    store: Store,
    redis: Redis,
    port: int,
    bodies: Sequence[bytes],
    events: int,
    connections: int,
    pids: dict[str, int],
    raw: float,
) -> None:
    """Send them all, wait until all are applied, print the rate and what each process took."""
    before, cpu = applied(store, redis), {name: processor_seconds(pid) for name, pid in pids.items()}
    requests, started = [request(body) for body in bodies], time.perf_counter()
    refused = uvloop.run(sent(port, requests, connections))
    admitted = time.perf_counter() - started
    wait_until(lambda: applied(store, redis) - before >= events, 300)
    took = time.perf_counter() - started
    each = ", ".join(
        f"{name} {(processor_seconds(pid) - cpu[name]) / events * 1e6:.0f} us" for name, pid in pids.items()
    )
    print(
        f"{what:<15}{events / took:>8,.0f} events/s applied, ratio to raw XADD + XREAD {events / took / raw:.2f}; "
        f"all admitted after {admitted:.1f} s of {took:.1f}, {refused} requests answered 429; {each}"
    )


async def sent(port: int, requests: list[bytes], connections: int) -> int:
    """Send all; how many were answered 429, and sent again."""
    refused: list[asyncio.TimerHandle] = []
    await send_all(port, requests, connections, refused)
    return len(refused)


if __name__ == "__main__":
    main()
