"""Parallel and map states: frames, policies, limits, documents, and what is given up."""

from typing import Any

import pytest
from interpreter.given import START_MS, Run, program
from stepwell_interpreter.decide import describe
from stepwell_schemas.commands import CancelActivity, CancelChild


def once(activity: str = "do", **fields: Any) -> dict[str, Any]:
    """A machine with one task that is not tried again."""
    return {
        "startAt": "T",
        "states": {"T": {"type": "task", "activity": activity, "retry": [], "end": True, **fields}},
    }


def parallel(failure: Any = "failFast", branches: dict[str, Any] | None = None, **fields: Any) -> Run:
    found = {"a": once("do"), "b": once("check"), "c": once("other")} if branches is None else branches
    states = {
        "P": {
            "type": "parallel",
            "branches": found,
            "failure": failure,
            "resultPath": "$.state.got",
            "next": "Done",
        }
        | fields,
        "Done": {"type": "succeed", "output": "$.state"},
        "Caught": {"type": "succeed", "output": "$.error"},
    }
    return Run(program(states))


def test_all_branches_start_at_once_and_give_an_object_in_the_order_written() -> None:
    run = parallel().start()
    assert run.positions() == {"0": "P", "0.0": "T", "0.1": "T", "0.2": "T"}
    for activity in ("other", "do", "check"):
        run.complete(activity, activity)
    assert list(run.output["got"].items()) == [("a", "do"), ("b", "check"), ("c", "other")]
    assert run.types().count("ParallelBranchSucceeded") == 3


def test_a_failed_branch_cancels_the_others_and_gives_its_error() -> None:
    run = parallel().start()
    run.complete(activity="do")
    run.fail("Boom", "check")
    assert (run.instance.error, run.instance.cause) == ("Boom", "branch b: because")
    assert [type(each) for each in run.cancelled] == [CancelActivity]
    assert "ParallelBranchAborted" in run.types()


@pytest.mark.parametrize("name", ["Boom", "States.BranchFailed", "States.ALL"])
def test_a_catch_may_name_the_branchs_error_or_branch_failed(name: str) -> None:
    run = parallel(catch={"errors": name, "next": "Caught"}).start()
    run.fail("Boom", "check")
    assert run.output["error"] == "Boom"


def test_collect_lets_all_branches_end() -> None:
    run = parallel("collect").start()
    run.fail("Boom", "do")
    run.complete(1, "check")
    run.fail("Bang", "other")
    assert run.output["got"] == {
        "a": {"error": "Boom", "cause": "because"},
        "b": 1,
        "c": {"error": "Bang", "cause": "because"},
    }


def test_a_quorum_goes_on_as_soon_as_it_is_reached() -> None:
    run = parallel({"quorum": 2}).start()
    run.complete(1, "do")
    run.complete(2, "other")
    assert run.output["got"] == {"a": 1, "c": 2}
    assert len(run.cancelled) == 1


def test_a_quorum_that_cannot_be_reached_fails_at_once() -> None:
    run = parallel({"quorum": 2}).start()
    run.fail("Boom", "do")
    assert run.status == "running"
    run.fail("Bang", "other")
    assert run.instance.error == "States.BranchFailed"
    assert "a: Boom; c: Bang" in (run.instance.cause or "")


def test_a_parallel_state_is_run_again_as_a_whole() -> None:
    run = parallel(retry={"initialInterval": 1}).start()
    run.complete(1, "do")
    run.fail("Boom", "check")
    run.fire("0/1/backoff")
    assert sorted(each.activity for each in run.attempts.values()) == ["check", "do", "other"]


def test_a_parallel_state_that_takes_too_long_gives_all_up() -> None:
    run = parallel(timeout=60).start()
    run.fire("0/1/timeout")
    assert run.instance.error == "States.Timeout"
    assert len(run.cancelled) == 3


def test_a_parallel_state_that_ends_in_time_clears_its_timer() -> None:
    run = parallel(timeout=60).start()
    for _ in range(3):
        run.complete()
    assert run.status == "succeeded"


def test_a_wrong_timeout_fails_the_parallel_state_before_it_begins() -> None:
    run = parallel(timeout="$.input.x").start({"x": "y"})
    assert run.instance.error == "States.ParameterPathFailure"


def test_branches_share_the_document() -> None:
    def setting(name: str) -> dict[str, Any]:
        states = {"S": {"type": "pass", "set": {f"$.state.{name}": name}, "next": "T"}, **once()["states"]}
        return {"startAt": "S", "states": states}

    run = parallel(branches={"a": setting("x"), "b": setting("y")}).start()
    assert run.state == {"x": "x", "y": "y"}


def test_a_branch_may_end_by_succeed_with_an_output_or_by_fail() -> None:
    good = {"startAt": "S", "states": {"S": {"type": "succeed", "output": 1}}}
    bad = {"startAt": "F", "states": {"F": {"type": "fail", "error": "Bad", "cause": "so"}}}
    run = parallel("collect", {"good": good, "bad": bad}).start()
    assert run.output["got"] == {"good": 1, "bad": {"error": "Bad", "cause": "so"}}


def test_branches_that_fail_at_once_leave_no_frame_of_the_others() -> None:
    bad = {"startAt": "F", "states": {"F": {"type": "fail", "error": "Bad"}}}
    run = parallel(branches={"bad": bad, "b": once(), "c": bad}).start()
    assert run.instance.error == "Bad"
    assert run.types().count("ParallelBranchFailed") == 1


def test_branches_nest() -> None:
    inner = {"type": "parallel", "branches": {"x": once("do"), "y": once("check")}, "end": True}
    run = parallel(branches={"a": {"startAt": "I", "states": {"I": inner}}, "b": once("other")}).start()
    assert list(run.positions()) == ["0", "0.0", "0.1", "0.0.0", "0.0.1"]
    run.fail("Boom", "check")
    assert run.instance.error == "Boom"
    assert "branch a: branch y: because" in (run.instance.cause or "")


def test_children_of_given_up_branches_are_cancelled() -> None:
    kid = {"startAt": "K", "states": {"K": {"type": "task", "workflow": "kid", "end": True}}}
    run = parallel(branches={"kid": kid, "b": once("check")}).start()
    run.fail("Boom", "check")
    assert [each.compensate for each in run.cancelled if isinstance(each, CancelChild)] == [False]


def test_the_instances_timeout_gives_branches_up_and_goes_to_on_error() -> None:
    states = {
        "P": {"type": "parallel", "branches": {"a": once(), "b": once("check")}, "end": True},
        "Late": {"type": "succeed", "output": "late"},
    }
    run = Run(program(states, configuration={"timeout": 60, "onError": "Late"})).start()
    run.fire("timeout")
    assert run.output == "late"
    assert len(run.cancelled) == 2


# -- map -----------------------------------------------------------------------------------------------------


def mapped(machine: dict[str, Any] | None = None, **fields: Any) -> Run:
    states = {
        "M": {
            "type": "map",
            "items": "$.input.items",
            **(once(input={"item": "$.item", "index": "$.index"}) if machine is None else machine),
            "resultPath": "$.state.got",
            "next": "Done",
        }
        | fields,
        "Done": {"type": "succeed", "output": "$.state"},
        "Caught": {"type": "succeed", "output": "$.error"},
    }
    return Run(program(states))


def items(count: int) -> dict[str, Any]:
    return {"items": [f"i{n}" for n in range(count)]}


def test_a_map_runs_each_item_and_keeps_the_results_in_order() -> None:
    run = mapped().start(items(3))
    inputs = [each.input for each in run.attempts.values()]
    assert inputs == [{"item": f"i{n}", "index": n} for n in range(3)]
    for command in reversed(list(run.attempts.values())):
        run.attempts = {command.token: command, **run.attempts}
        run.complete(command.input["index"] * 10)
    assert run.output["got"] == [0, 10, 20]


def test_a_map_of_nothing_gives_an_empty_list() -> None:
    assert mapped().start(items(0)).output["got"] == []


def test_no_more_than_max_concurrency_run_at_a_time() -> None:
    run = mapped(maxConcurrency=2).start(items(5))
    for done in range(5):
        assert len(run.attempts) == min(2, 5 - done)
        run.complete(done)
    assert run.output["got"] == [0, 1, 2, 3, 4]


def test_the_machines_own_limit_bounds_the_frames_of_a_large_map() -> None:
    run = mapped().start(items(1_000))
    assert len(run.instance.frames) == 41
    (root, *_) = describe(run.instance)["currentStates"]
    assert root["progress"] == {"items": 1_000, "done": 0, "running": 40, "failed": 0}


def test_ten_thousand_items_that_need_no_waiting_end_within_one_decision() -> None:
    machine = {"startAt": "S", "states": {"S": {"type": "succeed", "output": "$.index"}}}
    run = mapped(machine, resultSelector={"$length": [["$.result"]]}).start({"items": [0] * 10_000})
    assert run.status == "succeeded"


def test_more_than_ten_thousand_items_are_refused() -> None:
    run = mapped(catch={"errors": "States.DataLimitExceeded", "next": "Caught"}).start(
        {"items": [0] * 10_001}
    )
    assert run.output["error"] == "States.DataLimitExceeded"


def test_items_that_are_no_list_are_an_item_reader_failure() -> None:
    run = mapped().start({"items": {"a": 1}})
    assert run.instance.error == "States.ItemReaderFailed"


def test_batches_give_lists_as_items() -> None:
    run = mapped(batchSize=2).start(items(5))
    assert [each.input["item"] for each in run.attempts.values()] == [["i0", "i1"], ["i2", "i3"], ["i4"]]


def test_one_failed_item_fails_a_map_that_tolerates_none() -> None:
    run = mapped().start(items(3))
    run.fail("Boom")
    assert run.instance.error == "States.ExceedToleratedFailureThreshold"
    assert "[0], by Boom: because" in (run.instance.cause or "")
    assert len(run.cancelled) == 2
    assert run.types().count("MapIterationAborted") == 2


def test_a_catch_may_name_the_error_of_the_item() -> None:
    run = mapped(catch={"errors": "Boom", "next": "Caught"}).start(items(2))
    run.fail("Boom")
    assert run.output["error"] == "States.ExceedToleratedFailureThreshold"


def test_tolerated_failures_are_in_the_results() -> None:
    run = mapped(tolerate={"count": 1}).start(items(2))
    run.fail("Boom")
    run.complete("ok")
    assert run.output["got"] == [{"error": "Boom", "cause": "because"}, "ok"]


@pytest.mark.parametrize(("percent", "status"), [(50, "succeeded"), (49, "failed")])
def test_a_percentage_of_failures_may_be_tolerated(percent: int, status: str) -> None:
    run = mapped(tolerate={"percent": percent}).start(items(4))
    run.fail()
    run.fail()
    while run.attempts:
        run.complete()
    assert run.status == status


def test_a_map_is_run_again_as_a_whole() -> None:
    run = mapped(retry={"initialInterval": 1}, maxConcurrency=1).start(items(2))
    run.complete(1)
    run.fail()
    run.fire("0/1/backoff")
    assert [each.input["index"] for each in run.attempts.values()] == [0]


def test_a_map_that_takes_too_long_gives_all_up() -> None:
    run = mapped(timeout=60).start(items(2))
    run.fire("0/1/timeout")
    assert run.instance.error == "States.Timeout"
    assert "MapIterationAborted" in run.types()


def test_a_wrong_timeout_fails_the_map_before_it_begins() -> None:
    run = mapped(timeout="$.input.items").start(items(1))
    assert run.instance.error == "States.ParameterPathFailure"


def test_results_that_are_too_much_together_fail_the_state_and_stop_the_rest() -> None:
    for run in (mapped().start(items(5)), parallel(branches={f"b{n}": once() for n in range(5)}).start()):
        for _ in range(4):
            run.complete("x" * 300_000)
        assert run.instance.error == "States.DataLimitExceeded"
        assert len(run.cancelled) == 1


def test_each_iteration_has_a_document_of_its_own() -> None:
    machine = {
        "startAt": "S",
        "states": {
            "S": {"type": "pass", "set": {"$.state.mine": "$.item"}, "next": "T"},
            "T": {
                "type": "task",
                "activity": "do",
                "input": "$.state",
                "resultPath": "$.state.done",
                "next": "U",
            },
            "U": {"type": "succeed", "output": "$.state"},
        },
    }
    run = mapped(machine).start(items(2))
    assert [each.input for each in run.attempts.values()] == [{"mine": "i0"}, {"mine": "i1"}]
    run.complete(1)
    run.complete(2)
    assert run.output == {"got": [{"mine": "i0", "done": 1}, {"mine": "i1", "done": 2}]}
    assert {"op": "set", "path": "/mine", "value": "i0", "frame": "0.0"} in run.patch


def test_an_iterations_document_is_held_to_the_limit() -> None:
    machine = {"startAt": "T", "states": {"T": once(resultPath="$.state.x")["states"]["T"]}}
    run = mapped(machine).start(items(1))
    run.complete("x" * 1_100_000)
    assert "States.DataLimitExceeded" in (run.instance.cause or "")


def test_branches_in_an_iteration_see_its_item_and_write_its_document() -> None:
    inner = {
        "type": "parallel",
        "branches": {
            "x": {
                "startAt": "S",
                "states": {
                    "S": {"type": "pass", "set": {"$.state.x": "$.item"}, "next": "W"},
                    "W": {"type": "wait", "event": "Seen", "end": True},
                },
            }
        },
        "next": "Out",
    }
    machine = {"startAt": "I", "states": {"I": inner, "Out": {"type": "succeed", "output": "$.state.x"}}}
    run = mapped(machine).start(items(2))
    assert run.instance.frames["0.1"].local == {"x": "i1"}
    run.offer(id="a")
    run.offer(id="b")
    assert run.output == {"got": ["i0", "i1"]}


def test_describe_says_where_each_branch_and_item_stands() -> None:
    run = parallel(
        branches={
            "a": once("do"),
            "b": {
                "startAt": "W",
                "states": {
                    "W": {"type": "wait", "event": "Seen", "match": {"n": 1}, "timeout": 9, "end": True}
                },
            },
        }
    ).start()
    found = describe(run.instance)
    assert [each.get("branch") for each in found["currentStates"]] == [None, "a", "b"]
    assert found["openWaits"][0] == {
        "state": "W",
        "frame": "0.1",
        "eventType": "Seen",
        "match": {"n": 1},
        "name": None,
        "openedMs": START_MS,
        "fromNow": False,
        "received": 0,
    }
    assert found["pendingActivities"][0]["activity"] == "do"
    assert {each["timer"] for each in found["timers"]} == {"0.0/2/task", "0.1/3/timeout"}


def test_describe_shows_children_callbacks_and_the_items_index() -> None:
    kid = {"startAt": "K", "states": {"K": {"type": "task", "workflow": "kid", "end": True}}}
    asked = once(callback=True)
    run = Run(
        program({"M": {"type": "map", "items": [1], **kid, "end": True}}, configuration={"timeout": 9})
    ).start()
    found = describe(run.instance)
    assert found["pendingChildren"][0]["instance"] in run.children
    assert found["currentStates"][1]["index"] == 0
    assert {"timer": "timeout", "dueMs": START_MS + 9_000, "state": None} in found["timers"]
    run = parallel(branches={"a": asked}).start()
    run.complete()
    assert describe(run.instance)["callbacks"] == [{"state": "T", "frame": "0.0", "attempt": "0.0/T/2/1"}]
