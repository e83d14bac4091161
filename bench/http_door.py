"""POST /events over real HTTP: single events and batches, answered when durable, beside raw pipelined XADD.

    python bench/http_door.py [--singles 20000] [--events 100000] [--batch 100] [--connections 64] [--profile]

One API process, an embedded server, one process that sends. No engine runs: this is the door alone. Not named
`http.py`: a script's folder is searched first, and that name would hide the standard library's module.
"""

import argparse
import asyncio
import cProfile
import multiprocessing
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

import orjson
import uvloop
from redis import Redis
from served import peak_bytes, print_server, processor_seconds
from stepwell_api.serve import serve
from stepwell_schemas.settings import Settings
from stepwell_store.embedded import EmbeddedServer
from stepwell_store.open import open_redis


def event(number: int) -> bytes:
    """A CloudEvent of about 300 bytes."""
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": f"event-{number}",
            "source": "/bench",
            "type": "Tick",
            "subject": f"device-{number % 10_000}",
            "time": "2026-01-01T00:00:00Z",
            "data": {"number": number, "padding": "x" * 130},
        }
    )


def request(body: bytes, target: str = "POST /events") -> bytes:
    """An HTTP request with this body."""
    head = (
        f"{target} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Sender(asyncio.Protocol):
    """One connection: sends its requests one after another, each after the answer to the one before. One that is
    answered 429 is sent again when that answer says, and noted in `refused`; without that it is an error."""

    def __init__(
        self, requests: list[bytes], done: asyncio.Future[None], refused: list[asyncio.TimerHandle] | None
    ) -> None:
        self._requests = iter(requests)
        self._sent = b""
        self._done = done
        self._refused = refused
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, mark, body = self._received.partition(b"\r\n\r\n")
        if not mark or len(body) < int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]):
            return
        if self._refused is not None and head.startswith(b"HTTP/1.1 429"):
            wait = float(head.lower().partition(b"retry-after: ")[2].split(b"\r\n")[0] or 1)
            self._received = b""
            again = asyncio.get_running_loop().call_later(wait, self._transport.write, self._sent)
            self._refused.append(again)
            return
        if not head.startswith((b"HTTP/1.1 202", b"HTTP/1.1 200")):
            self._done.set_exception(RuntimeError(self._received.decode()))
            return
        self._received = b""
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(error or RuntimeError("the API closed the connection"))

    def _send(self) -> None:
        following = next(self._requests, None)
        if following is not None:
            self._sent = following
            self._transport.write(following)
        else:
            self._done.set_result(None)
            self._transport.close()


async def send_all(
    port: int, requests: list[bytes], connections: int, refused: list[asyncio.TimerHandle] | None = None
) -> float:
    """Seconds until all requests are answered."""
    loop = asyncio.get_running_loop()
    done: list[asyncio.Future[None]] = [loop.create_future() for _ in range(connections)]
    started = time.perf_counter()
    for index, future in enumerate(done):
        mine = requests[index::connections]
        await loop.create_connection(
            lambda mine=mine, future=future: Sender(mine, future, refused), "127.0.0.1", port
        )  # type: ignore[misc]
    await asyncio.gather(*done)
    return time.perf_counter() - started


def raw_rate(redis: Redis, bodies: list[bytes], at_once: int) -> float:
    """Pipelined XADD of the same bytes, per second."""
    started = time.perf_counter()
    for index in range(0, len(bodies), at_once):
        pipeline = redis.pipeline(transaction=False)
        for body in bodies[index : index + at_once]:
            pipeline.xadd("raw", {"event": body})
        pipeline.execute()
    elapsed = time.perf_counter() - started
    redis.delete("raw")
    return len(bodies) / elapsed


def run_api(settings: Settings, address: Connection, profile: str | None) -> None:
    """The API process."""
    profiler = cProfile.Profile() if profile else None
    if profiler is not None:
        profiler.enable()
    serve(settings, started=address.send)
    if profiler is not None:
        profiler.dump_stats(str(profile))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--singles", type=int, default=20_000)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--durability", choices=("fsync", "everysec", "memory"), default="fsync")
    parser.add_argument("--profile", metavar="FILE", help="write the API process's profile here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stepwell-bench-") as folder:
        server = EmbeddedServer(Path(folder), arguments.durability)
        settings = Settings(store_url=server.start(), api_port=0, door_limit=10_000_000)
        ours, theirs = multiprocessing.Pipe()
        api = multiprocessing.get_context("spawn").Process(
            target=run_api, args=(settings, theirs, arguments.profile)
        )
        api.start()
        theirs.close()  # so that an API that ends before it has begun is noticed
        try:
            redis = open_redis(server.url)
            print_server(redis)
            measure(arguments, redis, int(ours.recv().rpartition(":")[2]), api.pid or 0)
        finally:
            api.terminate()
            api.join(15)
            server.stop()


def measure(arguments: argparse.Namespace, redis: Redis, port: int, api_pid: int) -> None:
    """Print the rates."""
    singles = [event(number) for number in range(arguments.singles)]
    many = [event(number) for number in range(arguments.events)]
    batches = [
        b"[" + b",".join(many[index : index + arguments.batch]) + b"]"
        for index in range(0, len(many), arguments.batch)
    ]
    run = uvloop.run
    run(send_all(port, [request(body) for body in singles[:500]], arguments.connections))
    memory = [peak_bytes(api_pid)]
    cpu = processor_seconds(api_pid)
    single = len(singles) / run(send_all(port, [request(body) for body in singles], arguments.connections))
    single_cpu, cpu = len(singles) / (processor_seconds(api_pid) - cpu), processor_seconds(api_pid)
    memory.append(peak_bytes(api_pid))
    batch = len(many) / run(send_all(port, [request(body) for body in batches], 8))
    batch_cpu = len(many) / (processor_seconds(api_pid) - cpu)
    memory.append(peak_bytes(api_pid))
    raw = raw_rate(redis, many, arguments.batch)
    batches_of = f"batch of {arguments.batch}"
    print(f"{'single POST':<14}{single:>9,.0f} events/s{single_cpu:>10,.0f} per CPU second of the API")
    print(f"{batches_of:<14}{batch:>9,.0f} events/s{batch_cpu:>10,.0f} per CPU second of the API")
    print(
        f"{'raw XADD':<14}{raw:>9,.0f} events/s, pipelined by {arguments.batch}; batch/raw {batch / raw:.2f}"
    )
    before, singly, batched = (each // 1_048_576 for each in memory)
    print(
        f"memory of the API, at most: {before} MB before, {singly} after single POSTs, {batched} after batches"
    )


if __name__ == "__main__":
    main()
