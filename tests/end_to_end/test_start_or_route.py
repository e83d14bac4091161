"""A thousand simultaneous first events of one device: one instance, none lost, order kept, every one accounted for."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from end_to_end.harness import System, cloud_event, scale
from end_to_end.process import wait_until

EVENTS = scale(1_000, 100)
THREADS = 25
DEVICE = "the-one"
WORKFLOW = """
id: once
version: 1.0.0
events: {First: {type: object, required: [thread, number]}}
start: {on: [First], input: {by: $.event.data}}
configuration: {timeout: PT1H, accumulator: {maxEvents: 5000, overflow: reject}}
startAt: AwaitTen
states:
  AwaitTen:
    {type: wait, event: First, count: 10, timeout: PT10M, timeoutNext: Done, resultPath: $.state.ten, next: AwaitNever}
  AwaitNever: {type: wait, event: First, match: {number: -1}, timeout: PT10M, timeoutNext: Done, resultPath: null,
    next: Done}
  Done: {type: succeed}
"""


def push_own(address: str, thread: int) -> list[tuple[str, int, str]]:
    """(position, thread's number, id) of each event that one thread pushed, one request each."""
    done = []
    with httpx.Client(base_url=address, timeout=60) as http:
        for number in range(EVENTS // THREADS):
            id = f"{thread}-{number}"
            event = cloud_event("First", DEVICE, id, {"thread": thread, "number": number})
            answer = http.post("/events", json=event)
            assert answer.status_code == 202, answer.text
            done.append((answer.json()["items"][0]["position"], thread, id))
    return done


def order_of(position: str) -> tuple[int, int]:
    milliseconds, _, number = position.partition("-")
    return int(milliseconds), int(number)


def test_a_thousand_first_events_at_once_give_one_instance_and_lose_none() -> None:
    with System(workers=0) as system:
        system.deploy(WORKFLOW)
        with ThreadPoolExecutor(THREADS) as threads:
            address = str(system.http.base_url)
            pushed = [
                one for done in threads.map(push_own, [address] * THREADS, range(THREADS)) for one in done
            ]
        ids = [id for _, _, id in sorted(pushed, key=lambda one: order_of(one[0]))]
        assert len(ids) == EVENTS // THREADS * THREADS
        wait_until(lambda: system.get(f"/devices/{DEVICE}")["events"] == len(ids), 30, "all have arrived")
        check_accumulator(system, ids)
        check_instance(system, ids)


def check_accumulator(system: System, ids: list[str]) -> None:
    """In the order of the door, gapless, and each thread's own order within it."""
    kept: list[dict[str, Any]] = []
    cursor: int | None = 0
    while cursor is not None:
        page = system.get(f"/devices/{DEVICE}/events", limit=200, **({"cursor": cursor} if cursor else {}))
        kept += page["items"]
        cursor = page["next"]
    assert [event["id"] for event in kept] == ids
    for thread in range(THREADS):
        own = [event["data"]["number"] for event in kept if event["data"]["thread"] == thread]
        assert own == sorted(own) == list(range(EVENTS // THREADS))


def check_instance(system: System, ids: list[str]) -> None:
    """One instance, started by the first event, that has taken the next ten; the rest is kept."""
    [summary] = system.workflows()
    instance = system.get(f"/workflows/{summary['instanceId']}")
    taken = Counter(tuple(found[-1:]) for found in system.dispositions().values())
    assert taken == {("started",): 1, ("consumed",): 10, ("buffered",): len(ids) - 11}
    assert system.event(ids[0])["by"] == summary["instanceId"]
    assert system.event(ids[0])["disposition"] == "started"
    assert [system.event(id)["disposition"] for id in ids[1:12]] == ["consumed"] * 10 + ["buffered"]
    assert [state["name"] for state in instance["currentStates"]] == ["AwaitNever"]
