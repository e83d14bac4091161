"""Real worker processes, and what tests wait for, without sleeping."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import activity_samples
import orjson
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer
from stepwell_activities.job import JOB_FUNCTION
from stepwell_store.batches import START
from stepwell_store.protocol import Store

SERVE = (
    "import sys; from stepwell_activities.serving import serve; from stepwell_schemas.settings import Settings; "
    "serve(Settings(), concurrency=int(sys.argv[1]), isolate=sys.argv[2] == 'isolate', batch=int(sys.argv[3]))"
)
PATIENCE_SECONDS = 60


class WorkerProcess:
    """A worker in a process of its own. Ends with the `with` block."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], log: Path) -> None:
        self._output = log.open("wb")
        self.log = log
        self.process = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdout=self._output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            cwd=log.parent,
        )

    def __enter__(self) -> "WorkerProcess":
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._output.close()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)


def environment(url: str, namespace: str, **more: str) -> dict[str, str]:
    """Settings of a worker process."""
    return {
        "STEPWELL_STORE_URL": url,
        "STEPWELL_NAMESPACE": namespace,
        "STEPWELL_PARTITIONS": "4",
        "STEPWELL_ACTIVITY_MODULES": str(Path(activity_samples.__file__)),
        **more,
    }


def our_worker(
    folder: Path, settings: dict[str, str], *, concurrency: int = 1, isolate: bool = False, batch: int = 32
) -> WorkerProcess:
    """What `stepwell worker` runs."""
    arguments = [str(concurrency), "isolate" if isolate else "together", str(batch)]
    log = folder / f"worker-{time.monotonic_ns()}.log"
    return WorkerProcess([sys.executable, "-c", SERVE, *arguments], settings, log)


def stock_worker(folder: Path, settings: dict[str, str], url: str, *arguments: str) -> WorkerProcess:
    """`rq worker` as anyone would start it."""
    rq = str(Path(sys.executable).with_name("rq"))
    command = [rq, "worker", "--url", url, "--serializer", "rq.serializers.JSONSerializer", *arguments]
    return WorkerProcess(command, settings, folder / f"stock-{time.monotonic_ns()}.log")


def enqueue(
    connection: Redis, namespace: str, tokens: Sequence[str], partition: int = 0, queue: str = "default"
) -> None:
    """RQ jobs for attempts, made by RQ itself."""
    there = Queue(f"{namespace}-{queue}", connection=connection, serializer=JSONSerializer)
    there.enqueue_many(
        [
            Queue.prepare_data(JOB_FUNCTION, args=(namespace, partition, token), job_id=token, result_ttl=0)
            for token in tokens
        ]
    )


def await_reports(store: Store, count: int, partition: int = 0) -> list[dict[str, Any]]:
    """The first `count` records of the inbox."""
    found: list[dict[str, Any]] = []
    position, deadline = START, time.monotonic() + PATIENCE_SECONDS
    while len(found) < count:
        assert time.monotonic() < deadline, f"{len(found)} of {count} reports: {found[-3:]}"
        entries = store.read(None, {partition: position}, 10_000, 200).inboxes.get(partition, [])
        for entry in entries:
            position = entry.id
            found.append(orjson.loads(entry.fields[b"r"])["record"])
    return found
