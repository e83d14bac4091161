"""A thousand devices, two hundred events each while their instances wait: order and count exact.

The test counts on its own: it keeps what it pushed, and compares the accumulator and the workflow's result with that.
"""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest
from end_to_end.harness import System, cloud_event, scale
from end_to_end.ledger import ACTIVITIES, instances
from end_to_end.ledger_activities import digest_of
from end_to_end.process import wait_until
from stepwell_store.partition import partition_of

DEVICES = scale(1_000, 20)
EVENTS = 200
WORKFLOW = """
id: gather
version: 1.0.0
events:
  Seen: {}
  Reading: {type: object, required: [number]}
  Finish: {}
start: {on: [Seen], input: {}, afterCompletion: ignore}
configuration: {timeout: PT1H, taskTimeout: PT60S}
startAt: AwaitFinish
states:
  AwaitFinish: {type: wait, event: Finish, timeout: PT30M, timeoutNext: Late, resultPath: null, next: Gather}
  Gather: {type: task, activity: device.events, input: {}, resultPath: $.state.gathered, next: Digest}
  Digest:
    {type: task, activity: ledger.digest, input: {events: $.state.gathered.events}, resultPath: $.state.digest,
     next: Done}
  Done: {type: succeed, output: $.state.digest}
  Late: {type: fail, error: Late, cause: nobody finished}
"""


def device_name(number: int) -> str:
    return f"device-{number}"


def shuffled_readings(devices: range, seed: int) -> Iterator[dict[str, Any]]:
    """200 readings of each device, in each device's order, the devices mixed at random."""
    chance = random.Random(seed)
    left = dict.fromkeys(devices, 0)
    turns = [number for number in devices for _ in range(EVENTS)]
    chance.shuffle(turns)
    for number in turns:
        k = left[number]
        left[number] += 1
        # Numbers of no pattern: a lost, doubled or swapped event cannot go unseen.
        value = hash((number, k)) % 1_000_000
        yield cloud_event("Reading", device_name(number), f"{number}-{k}", {"number": value})


def expected_numbers(number: int) -> list[int]:
    return [hash((number, k)) % 1_000_000 for k in range(EVENTS)]


def push_all(system: System) -> None:
    """One half by HTTP, the other straight onto the stream, at the same time."""
    half = DEVICES // 2
    with ThreadPoolExecutor(1) as beside:
        raw = beside.submit(system.push_raw, shuffled_readings(range(half, DEVICES), 2))
        answers = system.push(shuffled_readings(range(half), 1))
        assert len(answers) == half * EVENTS
        assert raw.result() == (DEVICES - half) * EVENTS


@pytest.mark.timeout(300)
def test_a_thousand_devices_gather_two_hundred_events_each_in_order() -> None:
    with System(activities=[ACTIVITIES], workers=1) as system:
        system.deploy(WORKFLOW)
        system.push(cloud_event("Seen", device_name(number), f"seen-{number}") for number in range(DEVICES))
        wait_until(lambda: sum(1 for _ in instances(system)) == DEVICES, 30, "all instances wait")
        push_all(system)
        system.push(cloud_event("Finish", device_name(number), f"end-{number}") for number in range(DEVICES))

        def all_succeeded() -> bool:
            return all(document["status"] == "succeeded" for document in instances(system))

        wait_until(all_succeeded, 120, "all instances have succeeded")
        documents = {document["device"]: document for document in instances(system)}
        assert len(documents) == DEVICES
        for number in range(DEVICES):
            device, numbers = device_name(number), expected_numbers(number)
            partition = partition_of(device, system.store.partitions)
            kept = system.store.device_events(partition, device, 0, 1_000)
            assert [n for n, _ in kept] == list(range(1, EVENTS + 3)), device
            events = [orjson.loads(raw) for _, raw in kept]
            assert [event["type"] for event in events] == ["Seen"] + ["Reading"] * EVENTS + ["Finish"], device
            assert [event["data"]["number"] for event in events[1:-1]] == numbers, device
            assert documents[device]["output"] == {"count": EVENTS, "digest": digest_of(numbers)}, device
        shown = system.get(f"/devices/{device_name(0)}")
        assert (shown["events"], shown["dropped"], shown["rejected"]) == (EVENTS + 2, 0, 0)
