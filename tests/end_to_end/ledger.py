"""The three-step ledger: its workflow, its events, and an independent check of what became of every device."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from end_to_end.harness import System, cloud_event
from end_to_end.ledger_activities import bodies
from end_to_end.process import wait_until
from stepwell_store.partition import partition_of

ACTIVITIES = Path(__file__).with_name("ledger_activities.py")
STEPS = ("First", "Second", "Third")
WORKFLOW = """
id: ledger
version: 1.0.0
events:
  Begin: {type: object, required: [first, second, third]}
start: {on: [Begin], afterCompletion: ignore}
input: {type: object, required: [first, second, third]}
configuration:
  timeout: PT10M
  taskTimeout: PT90S
  retry: {maxAttempts: 10, initialInterval: PT0.1S, backoffCoefficient: 1.5, maxInterval: PT1S}
startAt: First
states:
  First: {type: task, activity: ledger.add, input: {amount: $.input.first}, resultPath: $.state.first, next: Second}
  Second:
    {type: task, activity: ledger.add, input: {amount: $.input.second}, resultPath: $.state.second, next: Third}
  Third: {type: task, activity: ledger.add, input: {amount: $.input.third}, resultPath: $.state.third, next: Sum}
  Sum: {type: succeed, output: {$add: [$.state.first, $.state.second, $.state.third]}}
"""


def ledger_system(folder: Path, **options: Any) -> System:
    """A system with the ledger's activities; their side table is in `folder`."""
    environment = {"LEDGER_DB": str(folder / "ledger.sqlite"), "LEDGER_GATE": str(folder / "gate")}
    return System(activities=[ACTIVITIES], environment=environment, **options)


def begin(number: int) -> dict[str, Any]:
    """The first event of a device; its three amounts are its own."""
    first, second, third = amounts(number)
    data = {"first": first, "second": second, "third": third}
    return cloud_event("Begin", device_name(number), f"begin-{number}", data)


def amounts(number: int) -> tuple[int, int, int]:
    """What a device books in its three steps."""
    return number, 1_000 * number, 1_000_000 * number


def device_name(number: int) -> str:
    return f"device-{number}"


def bodies_run(system: System) -> int:
    """How many activity bodies have run so far."""
    return len(bodies(Path(system.environment["LEDGER_DB"])))


def wait_for_bodies(system: System, count: int) -> None:
    """Until so many bodies have run: the run is in its middle."""
    wait_until(lambda: bodies_run(system) >= count, 60, f"{count} bodies have run")


def wait_until_all_ended(system: System, devices: int, timeout_seconds: float = 90) -> None:
    """Until no instance runs; what has ended by itself is started again, as a supervisor does."""

    def ended() -> bool:
        system.revive()
        statuses = Counter(document["status"] for document in instances(system))
        return sum(statuses.values()) == devices and statuses["running"] == 0

    wait_until(ended, timeout_seconds, f"all {devices} instances have ended")


def check_ledger(system: System, devices: int) -> None:
    """Every device has one instance, it succeeded, its sum is right, and each result was applied once."""
    found = {document["device"]: document for document in instances(system)}
    assert len(found) == devices == sum(1 for _ in instances(system))
    run = bodies(Path(system.environment["LEDGER_DB"]))
    by_device: dict[str, Counter[tuple[str, int]]] = {}
    for key, device, _, amount in run:
        by_device.setdefault(device, Counter())[key, amount] += 1
    for number in range(devices):
        device = device_name(number)
        document = found[device]
        assert (document["status"], document["output"]) == ("succeeded", sum(amounts(number))), device
        booked = by_device[device]
        # At least once each; a body that ran twice did so under the same idempotency key.
        assert len(booked) == len(STEPS), (device, booked)
        assert sum(amount for _, amount in booked) == sum(amounts(number)), device
        check_applied_once(system, document["id"], device)


def check_applied_once(system: System, instance: str, device: str) -> None:
    """In the history of an instance: one success per step, in order, under a gapless hash-chained numbering."""
    partition = partition_of(device, system.store.partitions)
    entries = [orjson.loads(raw) for raw in system.store.history(partition, instance, 0, 1_000)]
    trace = [step for entry in entries for step in entry["trace"]]
    assert [step["state"] for step in trace if step["type"] == "TaskSucceeded"] == list(STEPS), device
    assert [step["type"] for step in trace].count("ExecutionSucceeded") == 1, device
    numbers = [entry["n"] for entry in entries]
    assert numbers == list(range(numbers[0], numbers[0] + len(entries))), device


def instances(system: System) -> Iterator[dict[str, Any]]:
    """Every stored instance, read past the API."""
    for partition in range(system.store.partitions):
        for _, raw in system.store.scan(partition):
            yield orjson.loads(raw)
