"""Waits: for time, for events in each form, with timeouts, kept events and silence."""

from typing import Any

import pytest
from interpreter.given import START_MS, Run, event, program
from stepwell_interpreter.decide import waits_for
from stepwell_schemas.records import EventOffered, TimerFired

DONE: dict[str, Any] = {"Done": {"type": "succeed", "output": "$.state"}}


def wait(*, configuration: dict[str, Any] | None = None, **fields: Any) -> Run:
    """A run whose first state is a wait that keeps its result in $.state.got, followed by Done and Late."""
    states = {
        "Wait": {"type": "wait", "resultPath": "$.state.got", "next": "Done", **fields},
        **DONE,
        "Late": {"type": "succeed", "output": "late"},
        "Other": {"type": "succeed", "output": "other"},
    }
    return Run(program(states, configuration=configuration or {}))


def got(run: Run) -> Any:
    assert run.status == "succeeded", run.instance.cause
    return run.output["got"]


# -- time ----------------------------------------------------------------------------------------------------


def test_a_duration_arms_one_timer_with_a_unique_name() -> None:
    run = wait(duration="PT10S").start()
    assert run.timers == {"0/1/wait": START_MS + 10_000}
    run.fire()
    assert got(run) is None


def test_a_duration_can_be_a_path() -> None:
    assert list(wait(duration="$.input.pause").start({"pause": 3}).timers.values()) == [START_MS + 3_000]


def test_a_timestamp_that_has_passed_is_not_waited_for() -> None:
    run = wait(timestamp="2001-01-01T00:00:00Z").start()
    assert (run.instance.status, run.timers) == ("succeeded", {})


def test_a_duration_that_is_none_fails_by_name() -> None:
    run = wait(duration="$.input.pause").start({"pause": "soon"})
    assert run.instance.error == "States.ParameterPathFailure"
    assert "/states/Wait/duration" in (run.instance.cause or "")


# -- one event -----------------------------------------------------------------------------------------------


def test_an_event_of_the_type_is_consumed_and_is_the_result() -> None:
    run = wait(event="Seen").start()
    assert waits_for(run.instance, "Seen")
    assert not waits_for(run.instance, "Other")
    assert run.offer("Seen", {"n": 1}) == "consumed"
    assert got(run)["data"] == {"n": 1}
    assert got(run)["id"] == "e1"


def test_an_event_of_another_type_changes_nothing() -> None:
    run = wait(event="Seen").start()
    assert run.offer("Left") == "none"


def test_match_values_are_resolved_when_the_wait_opens() -> None:
    run = wait(event="Seen", match={"order.id": "$.input.order"}).start({"order": 17})
    assert run.instance.frames["0"].waits[0].match == [["order.id", 17]]
    assert run.offer("Seen", {"order": {"id": "17"}}) == "none"
    assert run.offer("Seen", {"order": {"id": 17}}) == "consumed"


def test_a_match_path_that_finds_nothing_fails_the_wait() -> None:
    run = wait(event="Seen", match={"id": "$.input.order"}).start({})
    assert run.instance.error == "States.ParameterPathFailure"


def test_where_decides_on_the_event() -> None:
    run = wait(event="Seen", where={"variable": "$.event.data.n", "greaterThan": 3}).start()
    assert [run.offer(data={"n": 2}), run.offer(data={"n": 4})] == ["none", "consumed"]


def test_an_event_that_lacks_what_where_looks_at_does_not_fit() -> None:
    run = wait(event="Seen", where={"variable": "$.event.data.n", "greaterThan": 3}).start()
    assert run.offer(data={}) == "none"
    assert run.status == "running"


def test_count_gathers_that_many_and_gives_a_list() -> None:
    run = wait(event="Seen", count=3, timeout="PT1H", timeoutNext="Late").start()
    assert [run.offer(id=f"e{n}") for n in range(3)] == ["consumed"] * 3
    assert [each["id"] for each in got(run)] == ["e0", "e1", "e2"]


def test_a_result_selector_sees_the_event() -> None:
    run = wait(event="Seen", resultSelector={"n": "$.event.data.n", "id": "$.result.id"}).start()
    run.offer(data={"n": 8})
    assert got(run) == {"n": 8, "id": "e1"}


def test_a_result_selector_that_finds_nothing_fails_the_wait() -> None:
    run = wait(event="Seen", resultSelector="$.result.data.n").start()
    assert run.offer() == "consumed"
    assert run.instance.error == "States.ParameterPathFailure"


def test_a_gathering_whose_selector_fails_fails_the_wait() -> None:
    run = wait(event="Seen", count=2, resultSelector="$.result.data.n", onError="Other").start()
    run.offer(id="e1")
    run.offer(id="e2")
    assert run.output == "other"


def test_a_wait_that_leads_to_itself_takes_event_after_event() -> None:
    states = {"Wait": {"type": "wait", "event": "Seen", "resultPath": "$.state.last", "next": "Wait"}}
    run = Run(program(states)).start()
    for number in range(5):
        assert run.offer(data=number, id=f"e{number}") == "consumed"
    assert run.state["last"]["data"] == 4
    assert run.instance.visits == 6


def test_from_now_ignores_what_was_received_before() -> None:
    fields: dict[str, Any] = {"from": "now"}
    run = wait(event="Seen", **fields).start()
    assert run.offer(received_ms=START_MS - 1) == "none"
    assert run.offer(received_ms=START_MS) == "consumed"


def test_a_kept_device_event_of_before_is_taken_otherwise() -> None:
    assert wait(event="Seen").start().offer(received_ms=START_MS - 1) == "consumed"


# -- timeouts ------------------------------------------------------------------------------------------------


def test_a_timeout_leads_to_timeout_next() -> None:
    run = wait(event="Seen", timeout="PT48H", timeoutNext="Late").start()
    run.fire("0/1/timeout")
    assert run.output == "late"
    assert "WaitTimedOut" in run.types()


def test_an_event_in_time_clears_the_timeout() -> None:
    run = wait(event="Seen", timeout="PT48H", timeoutNext="Late").start()
    run.offer()
    assert run.timers == {}
    assert got(run)["type"] == "Seen"


def test_a_timeout_without_timeout_next_is_an_error_that_a_catch_takes() -> None:
    run = wait(event="Seen", timeout=5, catch=[{"errors": ["States.Timeout"], "next": "Other"}]).start()
    run.fire()
    assert run.output == "other"


def test_a_timeout_that_is_no_duration_closes_the_wait_and_fails() -> None:
    run = wait(event="Seen", timeout="$.input.limit", onError="Other").start({"limit": -1})
    assert run.output == "other"


def test_a_timer_of_a_state_that_was_left_is_stale() -> None:
    run = Run(program({"Wait": {"type": "wait", "event": "Seen", "timeout": 5, "next": "Wait"}})).start()
    run.offer()
    assert run.apply(TimerFired(run.now_ms, "0/1/timeout", run.now_ms)).answer == "stale"
    assert run.types()[-1] == "StaleResultIgnored"


@pytest.mark.parametrize("timer", ["0/1/other", "9/1/wait", "nonsense"])
def test_an_unknown_timer_is_stale(timer: str) -> None:
    run = wait(duration=5).start()
    assert run.apply(TimerFired(run.now_ms, timer, run.now_ms)).answer == "stale"


# -- several events ------------------------------------------------------------------------------------------


def test_any_of_goes_where_the_first_that_is_met_leads() -> None:
    run = wait(anyOf={"a": {"event": "Seen"}, "b": {"event": "Left", "next": "Other"}}).start()
    assert waits_for(run.instance, "Seen")
    assert waits_for(run.instance, "Left")
    run.offer("Left")
    assert run.output == "other"


def test_any_of_without_own_next_goes_on_with_the_name_in_its_result() -> None:
    run = wait(anyOf={"a": {"event": "Seen"}, "b": {"event": "Left", "next": "Other"}}).start()
    run.offer("Seen", 5)
    assert got(run)["a"]["data"] == 5


def test_any_of_counts_for_each_alternative_by_itself() -> None:
    run = wait(anyOf={"a": {"event": "Seen", "count": 2}, "b": {"event": "Left", "count": 2}}).start()
    for type in ("Seen", "Left", "Left"):
        run.offer(type, type)
    assert [each["data"] for each in got(run)["b"]] == ["Left", "Left"]


def test_all_of_takes_them_in_any_order_and_each_once() -> None:
    wanted = {"a": {"event": "Seen"}, "b": {"event": "Left", "count": 2}}
    run = wait(allOf=wanted).start()
    assert run.offer("Seen") == "consumed"
    assert run.offer("Seen") == "none"
    assert waits_for(run.instance, "Left")
    assert not waits_for(run.instance, "Seen")
    assert [run.offer("Left", id="l1"), run.offer("Left", id="l2")] == ["consumed", "consumed"]
    assert got(run)["a"]["type"] == "Seen"
    assert [each["id"] for each in got(run)["b"]] == ["l1", "l2"]


def test_an_event_goes_to_the_first_frame_that_waits_for_it() -> None:
    branch = {"startAt": "W", "states": {"W": {"type": "wait", "event": "Seen", "end": True}}}
    states = {"P": {"type": "parallel", "branches": {"a": branch, "b": branch}, "end": True}}
    run = Run(program(states)).start()
    run.offer(id="first")
    assert run.positions() == {"0": "P", "0.1": "W"}
    run.offer(id="second")
    assert {name: each["id"] for name, each in run.output.items()} == {"a": "first", "b": "second"}


# -- raised events -------------------------------------------------------------------------------------------


def test_a_raised_event_that_nothing_waits_for_is_kept_for_the_wait_that_opens() -> None:
    states = {
        "Pause": {"type": "wait", "duration": 5, "next": "Wait"},
        "Wait": {
            "type": "wait",
            "event": "Seen",
            "match": {"n": 2},
            "resultPath": "$.state.got",
            "next": "Done",
        },
        **DONE,
    }
    run = Run(program(states)).start()
    assert [run.raise_event(data={"n": n}, id=f"r{n}") for n in (1, 2, 3)] == ["kept"] * 3
    run.fire()
    assert got(run)["id"] == "r2"
    assert [each["id"] for each in run.instance.kept] == ["r1", "r3"]


def test_kept_events_are_taken_oldest_first_and_fill_a_count() -> None:
    states = {
        "Pause": {"type": "wait", "duration": 5, "next": "Wait"},
        "Wait": {
            "type": "wait",
            "event": "Seen",
            "count": 2,
            "where": {"variable": "$.event.data", "lessThan": 9},
            "resultPath": "$.state.got",
            "next": "Done",
        },
        **DONE,
    }
    run = Run(program(states)).start()
    for number, value in enumerate((1, 10, 2, 3)):
        run.raise_event(data=value, id=f"r{number}")
    run.raise_event("Left", id="l")
    run.fire()
    assert [each["data"] for each in got(run)] == [1, 2]
    assert [each["id"] for each in run.instance.kept] == ["r1", "r3", "l"]


def test_a_raised_event_is_consumed_at_once_by_an_open_wait() -> None:
    assert wait(event="Seen").start().raise_event() == "consumed"


def test_a_wait_from_now_leaves_the_kept_events() -> None:
    states = {
        "Pause": {"type": "wait", "duration": 5, "next": "Wait"},
        "Wait": {"type": "wait", "event": "Seen", "from": "now", "end": True},
    }
    run = Run(program(states)).start()
    run.raise_event()
    run.fire()
    assert run.positions() == {"0": "Wait"}
    assert len(run.instance.kept) == 1


def test_a_thousand_events_are_kept_and_one_more_is_rejected() -> None:
    run = wait(duration=5).start()
    run.instance.kept = [event(id=f"k{n}").document() for n in range(1_000)]
    assert run.raise_event() == "rejected"
    assert len(run.instance.kept) == 1_000


def test_more_than_the_documents_limit_is_not_kept() -> None:
    run = wait(duration=5).start()
    answers = [run.raise_event(data="x" * 300_000, id=f"r{n}") for n in range(4)]
    assert answers == ["kept", "kept", "kept", "rejected"]


def test_a_wait_that_fails_over_a_kept_event_takes_no_second_one() -> None:
    states = {
        "Pause": {"type": "wait", "duration": 5, "next": "Wait"},
        "Wait": {
            "type": "wait",
            "event": "Seen",
            "resultSelector": "$.result.x",
            "onError": "Hold",
            "end": True,
        },
        "Hold": {"type": "wait", "duration": 5, "end": True},
    }
    run = Run(program(states)).start()
    run.raise_event(id="r1")
    run.raise_event(id="r2")
    run.fire()
    assert run.positions() == {"0": "Hold"}
    assert [each["id"] for each in run.instance.kept] == ["r2"]


def test_events_gathered_beyond_the_limit_fail_the_wait() -> None:
    run = wait(event="Seen", count=9, catch={"errors": "States.DataLimitExceeded", "next": "Other"}).start()
    for number in range(4):
        run.offer(data="x" * 300_000, id=f"e{number}")
    assert run.output == "other"


# -- silence -------------------------------------------------------------------------------------------------


def test_silence_that_lasts_goes_on() -> None:
    run = wait(absence={"event": "Seen", "for": "PT5M"}).start()
    run.fire("silence")
    assert got(run) == {"seen": 0, "lastReceived": None}


def test_an_event_moves_the_end_of_the_silence_without_touching_its_timer() -> None:
    run = wait(absence={"event": "Seen", "for": 300, "match": {"n": 1}}).start()
    run.pass_time(200_000)
    assert run.offer(data={"n": 2}) == "none"
    assert run.offer(data={"n": 1}) == "consumed"
    assert run.timers == {"0/1/silence": START_MS + 300_000}
    run.fire()
    assert run.timers == {"0/1/silence": START_MS + 500_000}
    run.fire()
    assert got(run) == {"seen": 1, "lastReceived": START_MS + 200_000}


def test_an_event_of_before_the_wait_is_no_sign_of_life() -> None:
    run = wait(absence={"event": "Seen", "for": 300}).start()
    assert run.offer(received_ms=START_MS - 1) == "none"


def test_an_absence_can_have_a_timeout() -> None:
    run = wait(absence={"event": "Seen", "for": 300}, timeout=400, timeoutNext="Late").start()
    run.pass_time(250_000)
    run.offer()
    run.fire("silence")
    run.fire("timeout")
    assert run.output == "late"


def test_an_absence_of_a_wrong_length_fails() -> None:
    run = wait(absence={"event": "Seen", "for": "$.input.x"}).start({"x": {}})
    assert run.instance.error == "States.ParameterPathFailure"


def test_an_offered_event_reports_a_sequence_it_does_not_need() -> None:
    run = wait(event="Seen").start()
    assert run.apply(EventOffered(START_MS, event(), sequence=9)).answer == "consumed"
