"""From typing `stepwell up` in an empty folder to the first event that is accepted.

    python bench/cold_start.py [--rounds 5]

Prints each round's seconds, and beside them what the embedded server alone takes until it answers, and what a Python
process takes that only loads the web framework.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import orjson
from served import wait_until
from stepwell_store.embedded import EmbeddedServer
from stepwell_store.open import open_redis

EVENT = {"specversion": "1.0", "id": "1", "source": "/bench", "type": "Seen", "subject": "device-1"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    seconds = [until_accepted() for _ in range(options.rounds)]
    print(f"`stepwell up` to the first accepted event   {' '.join(f'{each:.2f}' for each in seconds)} s")
    least = min(seconds)
    for what, alone in (("the server alone", server_alone()), ("a process that loads FastAPI", framework())):
        print(f"  beside it, {what:30}  {alone:.2f} s: 1/{least / alone:.0f} of the fastest")


def until_accepted() -> float:
    """Seconds from the command's start to the first answer 202. The folder is new, the port a free one."""
    with tempfile.TemporaryDirectory(prefix="stepwell-bench-") as folder:
        note = Path(folder, ".stepwell", "up.json")
        environment = {name: text for name, text in os.environ.items() if not name.startswith("STEPWELL_")}
        command = [str(Path(sys.executable).with_name("stepwell")), "up", "--port", "0"]
        started = time.perf_counter()
        tree = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            wait_until(note.exists, 60, 0.005)
            url = orjson.loads(note.read_bytes())["url"]
            httpx.post(f"{url}/events", json=EVENT, timeout=30).raise_for_status()
            return time.perf_counter() - started
        finally:
            tree.send_signal(signal.SIGTERM)
            tree.wait(30)


def server_alone() -> float:
    """Seconds until the embedded server answers."""
    with tempfile.TemporaryDirectory(prefix="stepwell-bench-") as folder:
        server = EmbeddedServer(Path(folder), "fsync")
        started = time.perf_counter()
        url = server.start()
        try:
            with open_redis(url) as redis:
                redis.ping()
            return time.perf_counter() - started
        finally:
            server.stop()


def framework() -> float:
    """Seconds of a Python process that loads FastAPI and uvicorn and ends."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import fastapi, uvicorn"], check=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
