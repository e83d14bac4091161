"""A whole Stepwell on real parts: embedded server, engine, workers and API as processes of their own.

`with System(...) as system:` gives one in its own folder; every process ends with the block, by its pid. When the block
fails, the ends of all logs are printed.
"""

import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx
import orjson
from end_to_end.process import Process, free_port, stepwell_command, wait_until
from stepwell_schemas.settings import Settings
from stepwell_store.embedded import EmbeddedServer
from stepwell_store.open import open_redis, open_store
from stepwell_store.protocol import Store

READY_SECONDS = 40.0
BATCH = 500
NAMESPACE = "e2e"


def scale(full: int, least: int = 1) -> int:
    """A number of devices, times STEPWELL_TEST_SCALE (1 by default)."""
    return max(least, round(full * float(os.environ.get("STEPWELL_TEST_SCALE", "1"))))


def cloud_event(
    type: str, device: str | None, id: str, data: Any = None, source: str = "/test", **more: Any
) -> dict[str, Any]:
    """A CloudEvent as a device would send it."""
    event = {"specversion": "1.0", "id": id, "source": source, "type": type, "data": data, **more}
    return event if device is None else {**event, "subject": device}


class System:
    """The processes, and what a test asks of them. `settings` are STEPWELL_* names without the prefix."""

    def __init__(
        self,
        *,
        activities: Sequence[Path] = (),
        workers: int = 1,
        engines: int = 1,
        worker_command: list[str] | None = None,
        environment: Mapping[str, str] | None = None,
        **settings: str,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="sw-"))
        self.server = EmbeddedServer(self.folder)
        self.port = free_port()
        self.environment = {
            "STEPWELL_NAMESPACE": NAMESPACE,
            "STEPWELL_PARTITIONS": "4",
            "STEPWELL_STORE_URL": self.server.url,
            "STEPWELL_DATA_DIR": str(self.folder),
            "STEPWELL_API_PORT": str(self.port),
            "STEPWELL_ACTIVITY_MODULES": ",".join(str(path) for path in activities),
            "STEPWELL_ENGINE_LEASE_SECONDS": "2",
            "STEPWELL_WORKER_LEASE_SECONDS": "3",
            **{f"STEPWELL_{name.upper()}": value for name, value in settings.items()},
            **(environment or {}),
        }
        names = [f"engine-{n}" for n in range(engines)] + [f"worker-{n}" for n in range(workers)] + ["api"]
        self.processes = {
            name: self._process(name, worker_command if name.startswith("worker") else None) for name in names
        }
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30)
        self.settings = Settings(
            namespace=NAMESPACE,
            store_url=self.server.url,
            partitions=int(self.environment["STEPWELL_PARTITIONS"]),
        )
        self.store: Store

    def __enter__(self) -> Self:
        try:
            self.server.start()
            self.store = open_store(self.settings)
            for process in self.processes.values():
                process.start()
            self.wait_ready()
        except BaseException:
            self._show_logs()
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._show_logs()
        self._end()

    # -- processes -----------------------------------------------------------------------------------------

    def wait_ready(self) -> None:
        """Until the API says that it is ready and every worker has published its activities."""
        wait_until(self._is_ready, READY_SECONDS, "the API is ready")
        if any(name.startswith("worker") for name in self.processes):
            wait_until(self._has_activities, READY_SECONDS, "the workers have published their activities")

    def add(self, name: str, command: list[str]) -> None:
        """One more process, with the environment of the others."""
        self.processes[name] = self._process(name, command)
        self.processes[name].start()

    def kill(self, name: str) -> None:
        """SIGKILL a process, or the `server`."""
        if name == "server":
            pid = self.server.pid
            assert pid is not None, "the server does not run"
            os.kill(pid, signal.SIGKILL)
            return
        self.processes[name].kill()

    def restart(self, name: str) -> None:
        """Start again what was killed."""
        if name == "server":
            self.server.start()
            return
        self.processes[name].start()

    def revive(self) -> None:
        """Start again whatever has ended by itself, as a supervisor does."""
        for process in self.processes.values():
            if not process.alive:
                process.start()

    # -- doors ---------------------------------------------------------------------------------------------

    def deploy(self, workflow: Path | str) -> dict[str, Any]:
        """Upload a definition (a file, or YAML text); the answer of the API."""
        text = workflow.read_text("utf-8") if isinstance(workflow, Path) else workflow
        response = self.http.post(
            "/definitions", content=text.encode(), headers={"content-type": "application/yaml"}
        )
        assert response.status_code in (200, 201), response.text
        answer: dict[str, Any] = response.json()
        return answer

    def push(self, events: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Push events by HTTP, as NDJSON in batches; what the API says of each."""
        lines = [orjson.dumps(event) for event in events]
        answers: list[dict[str, Any]] = []
        for start in range(0, len(lines), BATCH):
            answers += self.push_lines(lines[start : start + BATCH]).json()["items"]
        return answers

    def push_lines(self, lines: Sequence[bytes]) -> httpx.Response:
        """One NDJSON request."""
        return self.http.post(
            "/events", content=b"\n".join(lines), headers={"content-type": "application/x-ndjson"}
        )

    def push_raw(self, events: Iterable[Mapping[str, Any] | bytes]) -> int:
        """XADD events to the door without any of our code, as any language would. How many."""
        count = 0
        with open_redis(self.server.url) as redis:
            pipe = redis.pipeline(transaction=False)
            for event in events:
                body = event if isinstance(event, bytes) else json.dumps(event).encode()
                pipe.xadd(f"{NAMESPACE}:events", {"event": body})
                count += 1
                if count % BATCH == 0:
                    pipe.execute()
            pipe.execute()
        return count

    def start(self, type: str, **body: Any) -> str:
        """Start an instance by HTTP; its id."""
        response = self.http.post("/workflows", json={"type": type, **body})
        assert response.status_code == 202, response.text
        return str(response.json()["instanceId"])

    # -- what a test looks at ------------------------------------------------------------------------------

    def get(self, path: str, **params: Any) -> Any:
        """The JSON of a GET that must succeed."""
        response = self.http.get(path, params=params)
        assert response.status_code == 200, response.text
        return response.json()

    def workflows(self, **filters: Any) -> list[dict[str, Any]]:
        """All instances that pass the filters, over all pages."""
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            page = self.get("/workflows", limit=200, **filters, **({"cursor": cursor} if cursor else {}))
            items += page["items"]
            cursor = page["cursor"]
            if cursor is None:
                return items

    def count(self, **filters: Any) -> int:
        """How many instances pass the filters."""
        return len(self.workflows(**filters))

    def instance_of(self, device: str) -> dict[str, Any]:
        """The one instance of a device."""
        found = self.workflows(device=device)
        assert len(found) == 1, f"{device} has {len(found)} instances"
        return dict(self.get(f"/workflows/{found[0]['instanceId']}"))

    def ended(self, instance: str, timeout_seconds: float = 30) -> dict[str, Any]:
        """The instance once it has ended."""

        def look() -> dict[str, Any] | None:
            # The start is durable before the engine has made the instance: 404 until then is no error.
            response = self.http.get(f"/workflows/{instance}")
            found = response.json() if response.status_code == 200 else None
            return found if found and found["status"] not in ("running", "accepted") else None

        found = wait_until(look, timeout_seconds, f"{instance} has ended")
        assert found is not None
        return found

    def history(self, instance: str) -> list[dict[str, Any]]:
        """All history entries, over all pages."""
        items: list[dict[str, Any]] = []
        start: int | None = 0
        while start is not None:
            page = self.get(f"/workflows/{instance}/history", **({"cursor": start} if start else {}))
            items += page["items"]
            start = page["next"]
        return items

    def trace(self, instance: str) -> list[dict[str, Any]]:
        """All trace entries of an instance, in order."""
        return [step for entry in self.history(instance) for step in entry["trace"]]

    def path(self, instance: str) -> list[str]:
        """The states that an instance entered, in order."""
        return [step["state"] for step in self.trace(instance) if step["type"].endswith("StateEntered")]

    def event(self, id: str, source: str = "/test") -> dict[str, Any]:
        """What became of an event, once the engine has applied it."""

        def look() -> dict[str, Any] | None:
            response = self.http.get(f"/events/{quote(id, safe='')}", params={"source": source})
            found = response.json() if response.status_code == 200 else None
            return found if found and found["disposition"] != "accepted" else None

        found = wait_until(look, 20, f"event {id} has a disposition")
        assert found is not None
        return found

    def dispositions(self) -> dict[tuple[str, str], list[str]]:
        """(source, id) -> dispositions in the ledger, over all partitions."""
        found: dict[tuple[str, str], list[str]] = {}
        for entry in self._ledger():
            found.setdefault((entry[1], entry[0]), []).append(entry[2])
        return found

    def _ledger(self) -> Iterator[list[Any]]:
        for partition in range(self.store.partitions):
            after = "0-0"
            while entries := self.store.ledger(partition, after, 1_000):
                for entry in entries:
                    yield from orjson.loads(entry.fields[b"e"])
                after = entries[-1].id

    # -- inside --------------------------------------------------------------------------------------------

    def _process(self, name: str, command: list[str] | None) -> Process:
        role = name.partition("-")[0]
        return Process(name, command or stepwell_command(role), self.environment, self.folder)

    def _is_ready(self) -> bool:
        self._check_alive()
        try:
            return self.http.get("/health/ready").status_code == 200
        except httpx.TransportError:
            return False

    def _has_activities(self) -> bool:
        self._check_alive()
        return "notify" in self.store.activities()

    def _check_alive(self) -> None:
        ended = [name for name, process in self.processes.items() if not process.alive]
        assert not ended, f"ended while starting: {', '.join(ended)}"

    def _end(self) -> None:
        self.http.close()
        for process in reversed(self.processes.values()):
            process.stop()
        if hasattr(self, "store"):
            self.store.close()
        self.server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _show_logs(self) -> None:
        for process in self.processes.values():
            state = "runs" if process.alive else "has ended"
            sys.stderr.write(f"\n===== {process.name} ({state}) =====\n{process.tail()}\n")
