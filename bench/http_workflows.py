"""Workflows by HTTP: started and ended, and events raised for single instances, each a POST that the engine answers.

    python bench/http_workflows.py [--starts 2000] [--raised 5000] [--devices 1000] [--connections 64] [--rounds 3]

One API process, one engine, one worker, an embedded server with `appendfsync always` and the process that sends. A
start is asked for and its three no-op activities run; the ratio is to the same workflows recorded at the store in one
go (`bench/workflows.py`), in the same run. A raised event steps its instance before it is answered; the ratio of its
rate is to single `POST /events` in the same run, which are answered when they are durable and applied afterwards.
"""

import argparse
import time
from collections.abc import Iterator

import uvloop
from events import WORKFLOW
from http_door import request, send_all
from http_events import api_process, start, ticks
from redis import Redis
from served import processor_seconds, served, wait_until
from stepwell_engine.catalog import publish
from stepwell_store.protocol import Store

from workflows import begin, processes, succeeded, throughput


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--starts", type=int, default=2_000)
    parser.add_argument("--raised", type=int, default=5_000)
    parser.add_argument("--devices", type=int, default=1_000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with served() as (url, store, redis), processes(url) as pids, api_process(url) as (port, api):
        begin(store)
        pids |= {"server": int(redis.info("server")["process_id"]), "API": api}
        for number in range(options.rounds):
            starts(store, port, pids, options, number)
        instances = waiting(store, redis, options.devices)
        numbers = iter(range(10**9))
        for _ in range(options.rounds):
            raised(port, pids, options, instances, numbers)


def starts(store: Store, port: int, pids: dict[str, int], options: argparse.Namespace, number: int) -> None:
    """Start them by HTTP, wait for the last end, print the rates."""
    beside = throughput(store, options.starts, f"beside{number}")
    requests = [request(b'{"type":"three","input":{}}', "POST /workflows")] * options.starts
    before, cpu, started = succeeded(store), seconds(pids), time.perf_counter()
    answered = uvloop.run(send_all(port, requests, options.connections))
    wait_until(lambda: succeeded(store) - before >= options.starts, 300)
    rate = options.starts / (time.perf_counter() - started)
    print(
        f"started by HTTP  {options.starts / answered:7,.0f} /s answered   {rate:7,.0f} /s ended, "
        f"{rate / beside:.2f} of those recorded at the store; {shares(pids, cpu, options.starts)}"
    )


def waiting(store: Store, redis: Redis, devices: int) -> list[str]:
    """Instances that wait for an event again and again."""
    publish(store, WORKFLOW, now_ms=0)
    start(store, redis, devices)
    found = (id for partition in range(store.partitions) for id, _ in store.scan(partition))
    return [id for id in found if id.startswith("listener-")]


def raised(
    port: int, pids: dict[str, int], options: argparse.Namespace, instances: list[str], numbers: Iterator[int]
) -> None:
    """Raise events for them in turn, print the rate."""
    singles = [request(ticks(options.devices, next(numbers))) for _ in range(options.raised)]
    beside = options.raised / uvloop.run(send_all(port, singles, options.connections))
    requests = [
        request(b'{"kind":"tick"}', f"POST /workflows/{instances[n % len(instances)]}/events/Tick")
        for n in range(options.raised)
    ]
    cpu = seconds(pids)
    rate = options.raised / uvloop.run(send_all(port, requests, options.connections))
    print(
        f"raised by HTTP   {rate:7,.0f} /s answered by the engine, {rate / beside:.2f} of single POST /events; "
        f"{shares(pids, cpu, options.raised)}"
    )


def seconds(pids: dict[str, int]) -> dict[str, float]:
    return {name: processor_seconds(pid) for name, pid in pids.items()}


def shares(pids: dict[str, int], before: dict[str, float], count: int) -> str:
    """What each process took for one of so many."""
    taken = {name: (used - before[name]) / count * 1e3 for name, used in seconds(pids).items()}
    return "processor ms each: " + ", ".join(f"{name} {used:.2f}" for name, used in taken.items())


if __name__ == "__main__":
    main()
