"""The chaos workflow under a steady load through both doors: started, finished, and checked for every device.

What a test or the chaos run does to the system meanwhile is its own affair.
"""

import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from end_to_end.chaos_check import Audit, check
from end_to_end.chaos_load import WORKFLOW, Device, HttpDoor, Sender, StreamDoor
from end_to_end.harness import NAMESPACE, System
from end_to_end.process import wait_until
from stepwell_store.errors import StoreError

ACTIVITIES = Path(__file__).with_name("chaos_activities.py")
LOOK_SECONDS = 0.2
APPLIED = ("started", "consumed")


class SteadyLoad:
    """Half of the devices send on the stream, half over HTTP. The context ends all senders, whatever happened."""

    def __init__(
        self, system: System, devices: int, rate: float, seed: int, door_url: str | None = None
    ) -> None:
        """`rate` is in events per second and may be changed; `door_url` is where the stream's senders connect."""
        self.rate = rate
        self._system = system
        self._calm = threading.Event()
        self._abandon = threading.Event()
        names = [Device(f"device-{number}") for number in range(devices)]
        doors: tuple[StreamDoor | HttpDoor, ...] = (
            StreamDoor(door_url or system.server.url, NAMESPACE),
            HttpDoor(f"http://127.0.0.1:{system.port}"),
        )
        self.senders = [
            Sender(door, names[n :: len(doors)], lambda: self.rate / len(doors), seed + n)
            for n, door in enumerate(doors)
        ]
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._system.deploy(WORKFLOW)
        for sender in self.senders:
            thread = threading.Thread(target=sender.run, args=[self._calm, self._abandon], daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._calm.set()
        self._abandon.set()
        for thread in self._threads:
            thread.join(30)

    @property
    def devices(self) -> list[Device]:
        """All devices."""
        return [device for sender in self.senders for device in sender.devices]

    def acknowledged(self) -> int:
        """Events that are durable by what the senders were told."""
        return sum(device.acknowledged for device in self.devices)

    def applied(self) -> int:
        """Events with an end of their own by the counters. Raises StoreError."""
        store = self._system.store
        counters = [store.partition_info(number).counters for number in range(store.partitions)]
        return sum(counter.get(kind, 0) for counter in counters for kind in APPLIED)

    def wait_until_applied(self, count: int, timeout_seconds: float) -> None:
        """Until so many events are applied, whether or not the server is there all the while."""

        def enough() -> bool:
            self._abandon.wait(LOOK_SECONDS)
            try:
                return self.applied() >= count
            except StoreError:
                return False

        wait_until(enough, timeout_seconds, f"{count} events are applied")

    def check_senders(self) -> None:
        """Raise what ended a sender."""
        for sender in self.senders:
            if sender.error is not None:
                raise sender.error

    def finish(self, timeout_seconds: float) -> None:
        """Let every device send its last event, and wait until every instance has ended."""
        self._calm.set()
        for thread in self._threads:
            thread.join(timeout_seconds)
        self.check_senders()
        assert all(device.finished for device in self.devices), "a sender did not come to its end"

        def all_ended() -> bool:
            self._system.revive()
            self._abandon.wait(LOOK_SECONDS)
            return self._succeeded() >= len(self.devices)

        wait_until(all_ended, timeout_seconds, "all instances have succeeded")

    def audit(self, processes: int = 1) -> Audit:
        """Count what became of every device."""
        return check(self._system.settings, self.devices, processes)

    def _succeeded(self) -> int:
        store = self._system.store
        return sum(b'"succeeded"' in raw for n in range(store.partitions) for _, raw in store.scan(n))


def loaded_system(folder: Path, **options: Any) -> System:
    """A system with the load's activity, whose bodies are noted in `folder`."""
    return System(
        activities=[ACTIVITIES],
        environment={"CHAOS_BODIES": str(folder / "bodies")},
        **options,
    )
