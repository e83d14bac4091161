"""Three durable steps beside Restate, in turn on the same machine: one at a time, and many at once.

    python bench/beside_restate.py [--blocks 10] [--each 40] [--count 1000] [--home FOLDER]

Restate is the strongest peer for this work. Its server comes from npm and its SDK from PyPI, into the folder
(some 300 MB; a temporary one unless given, so that a second run need not fetch them again). Both servers sync every
write. Its handler runs three no-op `ctx.run` in the process of the service, over hypercorn as its documentation has
it; ours hands three no-op activities to a worker process. Both are asked by HTTP on a connection that stays open; ours
once more at its store, as `bench/workflows.py` measures it. Blocks are taken in turn, because the machine is not
equally fast from minute to minute: what counts are the ratios.
"""

import argparse
import contextlib
import http.client
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import uvloop
from http_door import request, send_all
from http_events import api_process
from redis import Redis
from served import served, wait_until
from stepwell_store.protocol import Store

from workflows import begin, ended, ends, processes, start, succeeded

SERVER = "@restatedev/restate-server@1.7.12"
LIBRARIES = ("restate-sdk==1.3.0", "hypercorn==0.18.0")
SERVICE = '''
import restate

three = restate.Service("three")


async def nothing() -> None:
    """What is left is Restate itself."""


@three.handler()
async def run(ctx: restate.Context, number: int) -> int:
    for step in ("A", "B", "C"):
        await ctx.run_typed(step, nothing)
    return number


app = restate.app([three])
'''
CONNECTIONS = 64

Ask = Callable[[int], None]
"""Runs the workflow of this number, until its end is known."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--blocks", type=int, default=10)
    parser.add_argument("--each", type=int, default=40, help="workflows in a block, one at a time")
    parser.add_argument("--count", type=int, default=1_000, help="workflows at once")
    parser.add_argument("--home", type=Path, help="where Restate is, or is put")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        home = options.home or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="restate-")))
        install(home.resolve())
        restate = stack.enter_context(restate_process(home.resolve()))
        url, store, redis = stack.enter_context(served())
        stack.enter_context(processes(url))
        port, _ = stack.enter_context(api_process(url))
        begin(store)
        one_at_a_time(restate, port, store, redis, options)
        at_once(restate, port, store, options)


def install(home: Path) -> None:
    """Fetch what is not there yet. Raises SystemExit without npm, CalledProcessError when it is not to be had."""
    home.mkdir(parents=True, exist_ok=True)
    if not executable(home).exists():
        npm = shutil.which("npm")
        if npm is None:
            raise SystemExit("npm is not installed: Restate's server comes from there")
        subprocess.run(
            [npm, "install", "--silent", "--ignore-scripts", "--prefix", str(home), SERVER], check=True
        )
    if not (home / "venv" / "bin" / "hypercorn").exists():
        subprocess.run([sys.executable, "-m", "venv", str(home / "venv")], check=True)
        pip = [str(home / "venv" / "bin" / "python"), "-m", "pip", "install", "-qq"]
        subprocess.run([*pip, *LIBRARIES], check=True)
    (home / "three.py").write_text(SERVICE)


def executable(home: Path) -> Path:
    """The server's; npm has a package for each system."""
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    package = f"restate-server-{sys.platform}-{machine}"
    return home / "node_modules" / "@restatedev" / package / "bin" / "restate-server"


@contextlib.contextmanager
def restate_process(home: Path) -> Iterator[int]:
    """Restate's server in a fresh folder, and the service: the port that is asked."""
    ingress, admin, node, service = free_ports(4)
    with tempfile.TemporaryDirectory(prefix="stepwell-bench-") as folder, (home / "log").open("w") as log:
        environment = {
            **os.environ,
            "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{ingress}",
            "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{admin}",
            "RESTATE_BIND_ADDRESS": f"127.0.0.1:{node}",
            "RESTATE_LISTEN_MODE": "tcp",
            "RESTATE_DISABLE_TELEMETRY": "true",
        }
        commands = (
            [str(executable(home)), "--no-logo", "--base-dir", folder, "--node-name", "bench"],
            [str(home / "venv" / "bin" / "hypercorn"), "--bind", f"127.0.0.1:{service}", "three:app"],
        )
        running = [
            subprocess.Popen(command, env=environment, cwd=home, stdout=log, stderr=log)
            for command in commands
        ]
        try:
            wait_until(lambda: registered(admin, service), 60, pause=0.2)
            yield ingress
        finally:
            for process in reversed(running):
                process.terminate()
                process.wait(20)


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports: list[int] = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def registered(admin: int, service: int) -> bool:
    """Whether Restate knows the service now."""
    with contextlib.suppress(OSError), contextlib.closing(connected(admin)) as connection:
        return posted(connection, "/deployments", {"uri": f"http://127.0.0.1:{service}"}) < 300
    return False


def connected(port: int) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def posted(connection: http.client.HTTPConnection, path: str, body: object) -> int:
    """The answer's status."""
    connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def expect(status: int, connection: http.client.HTTPConnection, path: str, body: object) -> None:
    if (found := posted(connection, path, body)) != status:
        raise RuntimeError(f"{path} was answered {found}, not {status}")


def one_at_a_time(restate: int, port: int, store: Store, redis: Redis, options: argparse.Namespace) -> None:
    """Print the latencies, in milliseconds, and ratios of the blocks' medians."""
    theirs, ours = connected(restate), connected(port)
    with ends(redis) as told:

        def by_http(number: int) -> None:
            expect(202, ours, "/workflows", {"type": "three", "input": {}})
            ended(told)

        def at_the_store(number: int) -> None:
            start(store, number, "s")
            ended(told)

        def by_restate(number: int) -> None:
            expect(200, theirs, "/three/run", number)

        ways: dict[str, Ask] = {
            "Restate": by_restate,
            "Stepwell by HTTP": by_http,
            "Stepwell at its store": at_the_store,
        }
        blocks: dict[str, list[list[float]]] = {name: [] for name in ways}
        for block in range(options.blocks + 1):  # the first one only warms all up
            for name in list(ways) if block % 2 else reversed(ways):
                numbers = range(block * options.each, (block + 1) * options.each)
                blocks[name].append([milliseconds(ways[name], number) for number in numbers])
    print(f"one at a time, {options.blocks} blocks of {options.each}")
    base = [statistics.median(block) for block in blocks["Restate"][1:]]
    for name, found in blocks.items():
        every = sorted(each for block in found[1:] for each in block)
        ratios = [statistics.median(block) / beside for block, beside in zip(found[1:], base, strict=True)]
        print(
            f"  {name:<22} p50 {statistics.median(every):5.1f} ms   p99 {every[int(len(every) * 0.99) - 1]:5.1f} ms   "
            f"least {every[0]:4.1f} ms   of Restate's p50 {statistics.median(ratios):.2f} ({spread(ratios)})"
        )


def milliseconds(ask: Ask, number: int) -> float:
    started = time.perf_counter()
    ask(number)
    return (time.perf_counter() - started) * 1_000


def spread(values: Sequence[float]) -> str:
    return f"{min(values):.2f} to {max(values):.2f}"


def at_once(restate: int, port: int, store: Store, options: argparse.Namespace) -> None:
    """Print workflows per second: as many asked for at once by HTTP, until all have ended."""
    to_restate = [request(b"%d" % number, "POST /three/run") for number in range(options.count)]
    to_stepwell = [request(b'{"type":"three","input":{}}', "POST /workflows")] * options.count
    theirs, ours = [], []
    for _ in range(4):  # the first one only warms all up
        started = time.perf_counter()
        uvloop.run(send_all(restate, to_restate, CONNECTIONS))
        theirs.append(options.count / (time.perf_counter() - started))
        before, started = succeeded(store), time.perf_counter()
        uvloop.run(send_all(port, to_stepwell, CONNECTIONS))
        wait_until(lambda: succeeded(store) - before >= options.count, 300, pause=0.02)  # noqa: B023  # called here
        ours.append(options.count / (time.perf_counter() - started))
    ratios = [mine / their for mine, their in zip(ours[1:], theirs[1:], strict=True)]
    for name, rates in (("Restate", theirs[1:]), ("Stepwell by HTTP", ours[1:])):
        shown = ", ".join(f"{rate:,.0f}" for rate in rates)
        print(f"{options.count:,} at once, {name:<18} {shown} workflows/s")
    print(f"  of Restate's: {statistics.median(ratios):.1f} times ({spread(ratios)})")


if __name__ == "__main__":
    main()
