"""The same (source, id) twice is one event: at once, through another door, with other content, after restarts."""

from collections.abc import Iterator

import orjson
import pytest
from end_to_end.harness import System, cloud_event
from end_to_end.process import wait_until

WORKFLOW = """
id: counter
version: 1.0.0
events: {Seen: {}, Tick: {}, Finish: {}}
start: {on: [Seen], input: {}, afterCompletion: ignore}
configuration: {timeout: PT1H, taskTimeout: PT30S}
startAt: AwaitFinish
states:
  AwaitFinish: {type: wait, event: Finish, timeout: PT10M, timeoutNext: Done, resultPath: null, next: Gather}
  Gather: {type: task, activity: device.events, input: {}, resultPath: $.state.gathered, next: Done}
  Done: {type: succeed, output: {$path: $.state.gathered.count, $default: -1}}
"""


@pytest.fixture
def system() -> Iterator[System]:
    with System() as running:
        running.deploy(WORKFLOW)
        yield running


def accumulated(system: System, device: str) -> int:
    response = system.http.get(f"/devices/{device}")
    return int(response.json()["events"]) if response.status_code == 200 else 0


def duplicates(system: System, id: str, source: str = "/test") -> int:
    """How often the ledger says `duplicate` of an event."""
    return system.dispositions().get((source, id), []).count("duplicate")


def test_an_event_counts_once_however_often_and_wherever_it_comes(system: System) -> None:
    seen, tick = cloud_event("Seen", "d", "1"), cloud_event("Tick", "d", "2", {"value": 1})
    system.push([seen, tick])
    system.event("2")
    before = system.get("/events/2", source="/test")
    system.push([tick, tick])
    system.push_raw([tick, cloud_event("Tick", "d", "2", {"value": 999}), seen])
    wait_until(lambda: duplicates(system, "2") == 4, 20, "four duplicates are in the ledger")
    wait_until(lambda: duplicates(system, "1") == 1, 20, "the first event is a duplicate too")
    assert system.get("/events/2", source="/test") == before
    assert accumulated(system, "d") == 2
    assert len(system.workflows(device="d")) == 1

    system.push([cloud_event("Finish", "d", "3")])
    instance = system.event("1")["by"]
    assert system.ended(instance)["output"] == 3


def test_the_same_id_from_another_source_is_another_event(system: System) -> None:
    system.push([cloud_event("Seen", "e", "1"), cloud_event("Tick", "e", "1", source="/other")])
    assert system.event("1")["disposition"] == "started"
    assert system.event("1", "/other")["disposition"] == "buffered"
    assert system.http.get("/events/1").status_code == 409
    assert accumulated(system, "e") == 2


@pytest.mark.parametrize("killed", ["engine-0", "server"])
def test_an_event_is_recognised_after_a_crash(system: System, killed: str) -> None:
    events = [cloud_event("Seen", "f", "1"), *(cloud_event("Tick", "f", f"t{n}") for n in range(50))]
    system.push(events)
    system.event("t49")
    system.kill(killed)
    system.restart(killed)
    wait_until(lambda: repeated(system, events), 30, "the events are pushed again")
    wait_until(lambda: duplicates(system, "t49") == 1, 30, "the last one is a duplicate")
    assert all(duplicates(system, event["id"]) == 1 for event in events)
    assert accumulated(system, "f") == 51
    assert len(system.workflows(device="f")) == 1


def repeated(system: System, events: list[dict[str, object]]) -> bool:
    return system.push_lines([orjson.dumps(event) for event in events]).status_code == 202
