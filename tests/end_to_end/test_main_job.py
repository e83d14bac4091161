"""The main job on real parts: YAML definition in, events through both doors, activities on workers, result out."""

from collections.abc import Iterator

import pytest
from end_to_end.harness import System, cloud_event
from end_to_end.ledger import ACTIVITIES
from end_to_end.process import wait_until

WORKFLOW = """
id: meter
version: 1.0.0
events:
  Seen: {type: object, required: [order]}
  Reading: {type: object, required: [number]}
  Confirmed: {type: object, required: [order]}
start: {on: [Seen], input: {order: $.event.data.order}, afterCompletion: ignore}
configuration: {timeout: PT1H, taskTimeout: PT30S, onError: Undo}
startAt: Record
states:
  Record:
    type: task
    activity: records.create
    input: {recordType: meter, data: {order: $.input.order}}
    resultPath: $.state.record
    compensateWith: {activity: records.delete, input: {recordId: $.result.recordId}}
    next: AwaitConfirmation
  AwaitConfirmation:
    type: wait
    event: Confirmed
    match: {order: $.input.order}
    timeout: PT10M
    timeoutNext: Undo
    resultPath: $.state.confirmation
    next: Gather
  Gather: {type: task, activity: device.events, input: {}, resultPath: $.state.gathered, next: Digest}
  Digest:
    type: task
    activity: ledger.digest
    input: {events: $.state.gathered.events}
    resultPath: $.state.digest
    next: Done
  Undo: {type: compensation, steps: auto, resultPath: $.state.undone, next: Failed}
  Done: {type: succeed, output: {readings: $.state.digest.count, order: $.state.confirmation.data.order}}
  Failed: {type: fail, error: MeterFailed, cause: see the history}
"""


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with System(activities=[ACTIVITIES]) as running:
        assert running.deploy(WORKFLOW)["created"] is True
        yield running


def test_a_device_is_taken_from_its_first_event_to_the_right_result(system: System) -> None:
    system.push([cloud_event("Seen", "meter-1", "a1", {"order": 17})])
    started = system.event("a1")
    assert (started["disposition"], started["device"], started["sequence"]) == ("started", "meter-1", 1)
    instance = started["by"]
    system.push(cloud_event("Reading", "meter-1", f"a-r{n}", {"number": n}) for n in range(3))
    system.push_raw([cloud_event("Reading", "meter-1", "a-r3", {"number": 3})])
    near_miss = cloud_event("Confirmed", "meter-1", "a2", {"order": "17"})
    system.push_raw([near_miss, cloud_event("Confirmed", "meter-1", "a3", {"order": 17})])

    ended = system.ended(instance)
    assert (ended["status"], ended["output"]) == ("succeeded", {"readings": 4, "order": 17})
    assert system.path(instance) == ["Record", "AwaitConfirmation", "Gather", "Digest", "Done"]
    consumed = system.event("a3")
    assert (consumed["disposition"], consumed["by"]) == ("consumed", instance)
    assert system.event("a2")["disposition"] == "buffered"
    assert [system.event(f"a-r{n}")["sequence"] for n in range(4)] == [2, 3, 4, 5]


def test_the_history_is_a_chain_that_says_what_caused_each_step(system: System) -> None:
    system.push([cloud_event("Seen", "meter-2", "b1", {"order": 1})])
    instance = system.event("b1")["by"]
    system.push([cloud_event("Confirmed", "meter-2", "b2", {"order": 1})])
    system.ended(instance)
    entries = system.history(instance)
    numbers = [entry["n"] for entry in entries]
    assert numbers == list(range(numbers[0], numbers[0] + len(entries)))
    assert len({entry["prev"] for entry in entries}) == len(entries)
    kinds = [entry["record"]["kind"] for entry in entries]
    assert kinds[0] == "InstanceStarted"
    assert kinds.count("ActivityCompleted") == 3
    types = [step["type"] for step in system.trace(instance)]
    assert types[0] == "ExecutionStarted"
    assert types[-1] == "ExecutionSucceeded"
    assert types.count("TaskScheduled") == types.count("TaskSucceeded") == 3


def test_a_confirmation_that_comes_first_is_kept_for_the_wait(system: System) -> None:
    system.push(
        [
            cloud_event("Confirmed", "meter-3", "c1", {"order": 5}),
            cloud_event("Seen", "meter-3", "c2", {"order": 5}),
        ]
    )
    instance = system.event("c2")["by"]
    assert system.ended(instance)["status"] == "succeeded"
    assert system.event("c1")["by"] == instance


def test_an_operator_sees_what_an_instance_waits_for_and_cancels_it_with_its_undo(system: System) -> None:
    system.push([cloud_event("Seen", "meter-4", "d1", {"order": 9})])
    instance = system.event("d1")["by"]

    def wait_opened() -> list[dict[str, object]]:
        waits: list[dict[str, object]] = system.get(f"/workflows/{instance}")["openWaits"]
        return waits

    [wait] = wait_until(wait_opened, 20, "the wait is open")
    assert (wait["state"], wait["event"], wait["match"]) == ("AwaitConfirmation", "Confirmed", {"order": 9})
    response = system.http.post(f"/workflows/{instance}/cancel", json={"reason": "test", "compensate": True})
    assert response.status_code == 202
    assert system.ended(instance)["status"] == "cancelled"
    types = [step["type"] for step in system.trace(instance)]
    assert types.count("CompensationStepSucceeded") == 1


def test_an_instance_started_by_request_takes_an_event_raised_for_it_alone(system: System) -> None:
    instance = system.start("meter", input={"order": 3}, instanceId="by-hand", device="meter-5")
    assert system.start("meter", input={"order": 3}, instanceId="by-hand", device="meter-5") == instance
    response = system.http.post("/workflows/by-hand/events/Confirmed", json={"order": 3})
    assert response.status_code == 202, response.text
    assert system.ended(instance)["output"] == {"readings": 0, "order": 3}
