"""`simulate`: events and virtual time, the device and its accumulator, and how wrong moments are told."""

import datetime
from typing import Any

import pytest
from simulation_documents import HOUR_MS, WAITING, run
from stepwell_interpreter.simulation.errors import MockRefused, SimulationLimit
from stepwell_interpreter.simulation.world import START_MS


def test_matching_event_is_taken_at_its_time() -> None:
    events = [
        {"at": "PT10M", "type": "Paid", "data": {"order": 2}},
        {"at": "PT20M", "type": "Paid", "data": {"order": 1}},
    ]
    result = run(WAITING, {"order": 1}, events=events)
    assert (result.status, result.now_ms) == ("succeeded", START_MS + 20 * 60_000)
    assert [event["disposition"] for event in result.events] == ["buffered", "consumed"]


def test_wait_times_out_in_virtual_time() -> None:
    result = run(WAITING, {"order": 1})
    assert (result.error, result.now_ms) == ("Late", START_MS + HOUR_MS)


def test_event_at_the_moment_of_the_timeout_comes_in_time() -> None:
    assert (
        run(WAITING, {"order": 1}, events=[{"at": 3600, "type": "Paid", "data": {"order": 1}}]).status
        == "succeeded"
    )


def test_event_that_came_before_its_wait_is_kept_for_it() -> None:
    states = {"P": {"type": "wait", "duration": "PT5M", "next": "Wait"}, **WAITING}
    result = run(states, {"order": 1}, events=[{"type": "Paid", "data": {"order": 1}}])
    assert (result.status, result.now_ms) == ("succeeded", START_MS + 5 * 60_000)
    assert [event["disposition"] for event in result.events] == ["consumed"]


def test_event_of_another_device_does_not_reach_the_instance() -> None:
    event = {"type": "Paid", "subject": "other", "data": {"order": 1}}
    assert run(WAITING, {"order": 1}, events=[event], device="mine").error == "Late"


def test_raised_event_reaches_the_instance_alone() -> None:
    event = {"type": "Paid", "raised": True, "data": {"order": 1}}
    assert run(WAITING, {"order": 1}, events=[event]).status == "succeeded"


def test_raised_event_against_its_schema_is_rejected() -> None:
    given = {"events": {"Paid": {"type": "object", "required": ["order"]}}}
    event = {"type": "Paid", "raised": True, "data": {}}
    result = run(WAITING, {"order": 1}, given=given, events=[event])
    assert [each["disposition"] for each in result.events] == ["rejected"]


def test_raised_event_before_there_is_an_instance_finds_none() -> None:
    given = {"events": {"Seen": {}, "Paid": {}}, "start": {"on": ["Seen"]}}
    states = {"End": {"type": "succeed"}}
    events = [{"type": "Paid", "raised": True}, {"type": "Seen", "at": 5}]
    result = run(states, given=given, events=events)
    assert [each["disposition"] for each in result.events] == ["notFound", "started"]


def test_same_event_twice_counts_once() -> None:
    event = {"id": "e", "source": "s", "type": "Paid", "data": {"order": 2}}
    result = run(WAITING, {"order": 1}, events=[event, event])
    assert [each["disposition"] for each in result.events] == ["buffered", "duplicate"]


def test_event_against_its_schema_becomes_a_dead_letter() -> None:
    given = {"events": {"Paid": {"type": "object", "required": ["order"]}}}
    result = run(WAITING, {"order": 1}, given=given, events=[{"type": "Paid", "data": {}}])
    assert [each["disposition"] for each in result.events] == ["deadLettered"]


def test_event_starts_the_instance_where_there_is_no_input() -> None:
    given = {"events": {"Seen": {}}, "start": {"on": ["Seen"], "input": {"who": "$.event.device"}}}
    states = {"End": {"type": "succeed", "output": {"who": "$.input.who", "now": "$.system.now"}}}
    result = run(
        states, given=given, events=[{"type": "Seen", "subject": "d7", "time": "2026-03-01T00:00:00Z"}]
    )
    assert result.output == {"who": "d7", "now": "2026-03-01T00:00:00.000Z"}
    assert [each["disposition"] for each in result.events] == ["started"]


def test_no_starting_event_is_told_with_what_came() -> None:
    given = {"events": {"Seen": {}, "Other": {}}, "start": {"on": ["Seen"]}}
    with pytest.raises(MockRefused, match=r"or an event Seen that fits \(what came: Other: buffered\)"):
        run({"End": {"type": "succeed"}}, given=given, events=[{"type": "Other"}])


def test_gathered_events_are_read_and_cleared_without_a_mock() -> None:
    gather = {"type": "task", "activity": "device.events", "resultPath": "$.state.e", "next": "Clear"}
    clear = {
        "type": "task",
        "activity": "device.clear",
        "input": {"upTo": "$.state.e.upTo"},
        "resultPath": None,
        "next": "Again",
    }
    again = {"type": "task", "activity": "device.events", "resultPath": "$.state.after", "end": True}
    states = {
        "W": {"type": "wait", "duration": 60, "next": "Gather"},
        "Gather": gather,
        "Clear": clear,
        "Again": again,
    }
    events = [{"type": "Seen", "sequence": 2, "data": "b"}, {"type": "Seen", "sequence": 1, "data": "a"}]
    result = run(states, {}, given={"events": {"Seen": {}}}, events=events)
    assert [event["data"] for event in result.state["e"]["events"]] == ["a", "b"]
    assert (result.state["e"]["count"], result.state["after"]["count"]) == (2, 0)


def test_accumulator_limit_refuses_what_is_over_it() -> None:
    given = {"events": {"Seen": {}, "Paid": {}}, "configuration": {"accumulator": {"maxEvents": 1}}}
    result = run(WAITING, {"order": 1}, given=given, events=[{"type": "Seen"}, {"type": "Seen"}])
    assert [each["disposition"] for each in result.events] == ["buffered", "rejected"]


def test_device_built_in_without_a_device_fails_as_it_does_on_a_worker() -> None:
    states = {"A": {"type": "task", "activity": "device.events", "resultPath": None, "end": True}}
    assert run(states, {}).error == "NoDevice"


def test_until_stops_and_says_what_it_waits_for() -> None:
    result = run(WAITING, {"order": 1}, until="PT30M")
    assert (result.status, result.now_ms) == ("running", START_MS + HOUR_MS // 2)
    assert next((wait["kind"], wait["name"]) for wait in result.waits) == ("event", "Paid")


def test_now_sets_the_clock() -> None:
    states = {"End": {"type": "succeed", "output": "$.system.now"}}
    moment = datetime.datetime(2030, 5, 1, tzinfo=datetime.UTC)
    for now in (moment, "2030-05-01T02:00:00+02:00", int(moment.timestamp() * 1000)):
        assert run(states, {}, now=now).output == "2030-05-01T00:00:00.000Z"


@pytest.mark.parametrize("now", [float("nan"), 10**20, "yesterday", True, datetime.datetime(2030, 5, 1)])
def test_now_that_is_no_moment_is_refused(now: Any) -> None:
    with pytest.raises(MockRefused, match="now: "):
        run(WAITING, {"order": 1}, now=now)


def test_time_ends_with_the_year_9999() -> None:
    with pytest.raises(SimulationLimit, match="would pass the year 9999"):
        run(WAITING, {"order": 1}, now="9999-12-31T23:30:00Z")


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ([{"data": 1}], r"events\[0\]: type is missing"),
        ([{"type": "Paid", "at": "soon"}], r"events\[0\]: at: 'soon' is not an RFC 3339 timestamp"),
        ([5], "an event is an object"),
        ({"type": "Paid"}, "events is a list"),
    ],
)
def test_wrong_event_is_refused_saying_which(events: Any, message: str) -> None:
    with pytest.raises(MockRefused, match=message):
        run(WAITING, {"order": 1}, events=events)
