"""What a device at a hundred times the rate of the others does to the others, and a storm of first events.

    python bench/fairness.py [--seconds 10] [--rate 5] [--storm 100000]

200 devices at `rate` events a second each; beside them one at 100 times that, whose events its wait takes (`taken`) or
nobody takes, so that its full accumulator drops the oldest for each (`dropped`); `spread` is as many more events from
100 further devices, which nobody calls unfair: what the rate itself does. Latencies are the server's: from the
position at the door to the position of the commit's ledger entry. Then `storm` devices send their first event at once
through the HTTP door's code (limit and all), and start an instance each.
"""

import argparse
import time

import orjson
from latency import _last, _milliseconds
from redis import Redis
from served import applied, engine_process, percentiles, resident_bytes, rewrite_log, served, wait_until
from stepwell_engine.catalog import publish
from stepwell_ingress.door import Door
from stepwell_ingress.errors import DoorBusy
from stepwell_store.compression import restored
from stepwell_store.protocol import Store

WORKFLOW = """
id: listener
version: 1.0.0
events: {Seen: {}, Tick: {}, Noise: {}}
start: {on: [Seen], input: {}}
configuration: {timeout: P30D, accumulator: {maxEvents: 1000, overflow: dropOldest}}
startAt: Listen
states:
  Listen: {type: wait, event: Tick, match: {kind: tick}, resultPath: $.state.last, next: Listen}
"""
DEVICES = 200
LOUDER = 100
BESIDE = (("alone", None, 1), ("spread", "Tick", LOUDER), ("taken", "Tick", 1), ("dropped", "Noise", 1))
"""What comes beside the quiet devices, and from how many."""
DOOR_LIMIT = 50_000
BATCH = 100


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rate", type=float, default=5, help="events per second of each quiet device")
    parser.add_argument("--storm", type=int, default=100_000)
    options = parser.parse_args()
    with served() as (url, store, redis), engine_process(url) as process:
        publish(store, WORKFLOW, now_ms=0)
        store.append_events([event("Seen", device, 0) for device in range(DEVICES + LOUDER)])
        wait_until(lambda: applied(store, redis) >= DEVICES + LOUDER, 60)
        for name, kind, sources in BESIDE * 2:
            taken = latencies(store, redis, options.rate, options.seconds, kind, sources)
            print(f"the others, {name:<12} {percentiles(taken)}")
        storm(store, redis, options.storm, process.pid)


def event(kind: str, device: int, number: int) -> bytes:
    """A CloudEvent of about 300 bytes."""
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": f"{kind}-{device}-{number}-{time.monotonic_ns()}",
            "source": "/bench",
            "type": kind,
            "subject": f"device-{device}",
            "data": {"kind": "tick", "number": number, "padding": "x" * 120},
        }
    )


def latencies(
    store: Store, redis: Redis, rate: float, seconds: float, loud: str | None, sources: int
) -> list[float]:
    """Milliseconds of each event of the quiet devices."""
    rewrite_log(redis)
    before, marks = applied(store, redis), {n: _last(redis, n) for n in range(store.partitions)}
    accepted: dict[str, int] = {}
    started, round_seconds, sent, owed = time.monotonic(), 1 / 50, 0, 0.0
    rounds = int(seconds / round_seconds)
    for round in range(rounds):
        owed += DEVICES * rate * round_seconds
        bodies = [event("Tick", (sent + n) % DEVICES, sent + n) for n in range(int(owed))]
        owed -= len(bodies)
        sent += len(bodies)
        noise = int(LOUDER * rate * round_seconds) if loud else 0
        bodies[len(bodies) // 2 : 0] = [event(loud or "", DEVICES + n % sources, round) for n in range(noise)]
        pipeline = redis.pipeline(transaction=False)
        for body in bodies:
            pipeline.xadd("stepwell:events", {"event": body})
        for body, position in zip(bodies, pipeline.execute(), strict=True):
            accepted[orjson.loads(body)["id"]] = _milliseconds(position)
        time.sleep(max(0.0, started + (round + 1) * round_seconds - time.monotonic()))
    return _taken(store, redis, accepted, marks, before)


def _taken(
    store: Store, redis: Redis, accepted: dict[str, int], marks: dict[int, str], before: int
) -> list[float]:
    wait_until(lambda: applied(store, redis) - before >= len(accepted), 120)
    quiet = {f"device-{n}" for n in range(DEVICES)}
    taken: dict[str, float] = {}
    for number, mark in marks.items():
        for position, fields in redis.xrange(f"{{stepwell:{number}}}:ledger", f"({mark}", "+"):
            for part in restored(fields[b"e"]).split(b"\x1e"):
                for line in orjson.loads(part):
                    if line[0] in accepted and line[4] in quiet:
                        taken.setdefault(line[0], _milliseconds(position) - accepted[line[0]])
    return list(taken.values())


def storm(store: Store, redis: Redis, devices: int, engine: int) -> None:
    """First events of so many devices as fast as the door takes them; who is told to wait comes again."""
    door, before, refused, most = Door(store, DOOR_LIMIT), applied(store, redis), 0, 0
    started = time.perf_counter()
    for first in range(0, devices, BATCH):
        bodies = [event("Seen", 1_000_000 + first + n, 0) for n in range(min(BATCH, devices - first))]
        while True:
            try:
                door.append(bodies)
                break
            except DoorBusy:
                refused += 1
                time.sleep(0.1)
        if first % 10_000 == 0:
            most = max(most, resident_bytes(engine))
    admitted = time.perf_counter() - started
    wait_until(lambda: applied(store, redis) - before >= devices, 600)
    took = time.perf_counter() - started
    most = max(most, resident_bytes(engine))
    print(
        f"storm of {devices:,} devices: admitted in {admitted:.1f} s, {refused} batches told to come again (429)"
    )
    print(
        f"  all started after {took:.1f} s ({devices / took:,.0f} /s); the engine held {most / 1e6:.0f} MB at most"
    )


if __name__ == "__main__":
    main()
