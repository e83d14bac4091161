"""`simulate`: given outcomes and events in virtual time, and how it says what is wrong with them."""

from typing import Any

import pytest
from simulation_documents import HOUR_MS, WAITING, document, run, task, types
from stepwell_interpreter.simulation.errors import (
    DefinitionRefused,
    InputRefused,
    MockRefused,
    UnmockedTask,
)
from stepwell_interpreter.simulation.simulate import simulate
from stepwell_interpreter.simulation.world import START_MS, Applied

# -- outcomes ------------------------------------------------------------------------------------------------


def test_output_of_a_task_becomes_its_result() -> None:
    result = run({"A": task()}, tasks={"A": [{"output": {"n": 1}}]})
    assert (result.status, result.output, result.state) == ("succeeded", {"n": 1}, {"done": {"n": 1}})


def test_outcomes_are_used_in_order_over_retries_with_virtual_backoff() -> None:
    retrying = task(retry=[{"errors": ["Busy"], "maxAttempts": 3, "initialInterval": "PT10S"}])
    result = run({"A": retrying}, tasks={"A": [{"error": "Busy"}, {"error": "Busy"}, {"output": 3}]})
    assert result.output == 3
    assert result.now_ms == START_MS + 30_000


def test_single_outcome_serves_every_try() -> None:
    retrying = task(retry=[{"errors": ["Busy"], "maxAttempts": 3, "initialInterval": "PT1S"}])
    result = run({"A": retrying}, tasks={"A": {"error": "Busy", "cause": "still"}})
    assert (result.status, result.error, result.cause) == ("failed", "Busy", "still")


def test_error_that_is_not_retryable_is_not_tried_again() -> None:
    retrying = task(retry=[{"errors": ["States.ALL"], "maxAttempts": 3, "initialInterval": "PT1S"}])
    result = run({"A": retrying}, tasks={"A": [{"error": "Bad", "retryable": False}]})
    assert (result.status, result.now_ms) == ("failed", START_MS)


def test_timed_out_task_fails_when_its_timeout_is_over() -> None:
    result = run({"A": task(timeout="PT7M")}, tasks={"A": [{"timed_out": True}]})
    assert (result.status, result.error) == ("failed", "States.Timeout")
    assert result.now_ms == START_MS + 7 * 60_000


def test_answer_after_the_timeout_comes_too_late() -> None:
    assert run({"A": task(timeout=60)}, tasks={"A": [{"output": 1, "after": 61}]}).error == "States.Timeout"


def test_answer_at_the_last_moment_comes_in_time() -> None:
    assert run({"A": task(timeout=60)}, tasks={"A": [{"output": 1, "after": 60}]}).output == 1


def test_running_task_gives_signs_of_life_until_it_answers() -> None:
    result = run(
        {"A": task(timeout="PT1H", heartbeat="PT1M")}, tasks={"A": [{"output": 1, "after": "PT30M"}]}
    )
    assert result.output == 1


def test_silent_task_misses_its_heartbeat_before_its_timeout() -> None:
    result = run({"A": task(timeout="PT1H", heartbeat="PT1M")}, tasks={"A": [{"timed_out": True}]})
    assert (result.error, result.now_ms) == ("States.HeartbeatTimeout", START_MS + 60_000)


def test_lost_worker_leads_to_the_same_attempt_again() -> None:
    result = run({"A": task()}, tasks={"A": [{"lost": True}, {"output": 2}]})
    assert result.output == 2
    assert "TaskLost" in types(result)


def test_function_is_called_with_the_resolved_input() -> None:
    result = run({"A": task(input={"n": "$.input.n"})}, {"n": 4}, tasks={"A": lambda given: given["n"] * 2})
    assert result.output == 8


def test_exception_of_a_function_is_a_failure_by_its_class_name() -> None:
    class OutOfStock(Exception):
        """Nothing left."""

    def order(given: Any) -> None:
        raise OutOfStock("no more screws")

    result = run({"A": task()}, tasks={"A": order})
    assert (result.error, result.cause) == ("OutOfStock", "no more screws")


def test_function_cannot_change_the_instance_behind_its_back() -> None:
    def spoil(given: Any) -> None:
        given["list"].append("spoilt")

    result = run({"A": task(input="$.input")}, {"list": []}, tasks={"A": spoil})
    assert result.instance.input == {"list": []}


def test_iteration_gives_an_outcome_to_its_item() -> None:
    inner = {"Each": {"type": "task", "activity": "do", "end": True}}
    each = {
        "type": "map",
        "items": "$.input.all",
        "startAt": "Each",
        "states": inner,
        "resultPath": "$.state.r",
        "end": True,
    }
    given = [{"output": "two", "iteration": 2}, {"output": "zero", "iteration": 0}, {"output": "any"}]
    assert run({"M": each}, {"all": [1, 2, 3]}, tasks={"Each": given}).output == ["zero", "any", "two"]


def test_callback_task_ends_by_its_outcome_through_the_token() -> None:
    result = run(
        {"A": task(callback=True)},
        tasks={"A": [{"submitted": {"sent": 1}, "output": "yes", "after": "PT2H"}]},
    )
    assert (result.output, result.now_ms) == ("yes", START_MS + 2 * HOUR_MS)
    assert "CallbackReceived" in types(result)


def test_callback_that_never_comes_leaves_the_instance_waiting() -> None:
    result = run({"A": task(callback=True)}, tasks={"A": [{"submitted": None, "timed_out": True}]})
    assert result.status == "running"
    assert [wait["kind"] for wait in result.waits] == ["callback"]


def test_callback_of_a_branch_given_up_is_not_answered() -> None:
    branches = {
        "slow": {
            "startAt": "S",
            "states": {"S": {"type": "task", "activity": "do", "callback": True, "end": True}},
        },
        "bad": {"startAt": "B", "states": {"B": {"type": "task", "activity": "do", "end": True}}},
    }
    result = run(
        {"P": {"type": "parallel", "branches": branches, "resultPath": "$.state.p", "end": True}},
        tasks={"S": {"output": 1, "after": 60}, "B": {"error": "No"}},
    )
    assert result.error == "No"
    assert "StaleResultIgnored" not in types(result)


def test_star_serves_states_without_outcomes_of_their_own() -> None:
    states = {"A": {**task(), "next": "B"}, "B": task()}
    del states["A"]["end"]
    result = run(states, tasks={"A": {"output": 1}, "*": {"output": 2}})
    assert result.output == 2


def test_undo_without_an_outcome_succeeds() -> None:
    states = {
        "A": {
            "type": "task",
            "activity": "do",
            "compensateWith": {"activity": "undo"},
            "resultPath": None,
            "next": "U",
        },
        "U": {"type": "compensation", "steps": "auto", "resultPath": "$.state.report", "end": True},
    }
    report = run(states, tasks={"A": {"output": 1}}).state["report"]
    assert [each["state"] for each in report["undone"]] == ["A"]


def test_undo_takes_the_outcome_made_for_it() -> None:
    compensated = {
        "type": "task",
        "activity": "do",
        "compensateWith": {"activity": "undo"},
        "resultPath": None,
    }
    states = {
        "A": {**compensated, "next": "B"},
        "B": {**compensated, "next": "U"},
        "U": {"type": "compensation", "steps": "auto", "resultPath": "$.state.report", "end": True},
    }
    report = run(
        states, tasks={"*": {"output": 1}, "U": [{"error": "Stuck", "retryable": False, "undo": "A"}]}
    ).state["report"]
    assert [each["state"] for each in report["undone"]] == ["B"]
    assert [each["state"] for each in report["failed"]] == ["A"]


def test_unused_outcomes_are_told() -> None:
    assert run({"A": task()}, tasks={"A": [{"output": 1}, {"output": 2}]}).unused == {"A": 1}


def test_task_without_an_outcome_names_state_input_and_what_to_give() -> None:
    with pytest.raises(
        UnmockedTask, match=r'state A runs activity do with the input {"n":1}.*tasks={"A"'
    ) as raised:
        run({"A": task(input={"n": 1})})
    assert (raised.value.state, raised.value.input, raised.value.number) == ("A", {"n": 1}, 1)


def test_used_up_list_says_how_many_there_were() -> None:
    retrying = task(retry=[{"errors": ["Busy"], "maxAttempts": 3, "initialInterval": 1}])
    with pytest.raises(UnmockedTask, match="none of its 1 outcomes is left for try 2"):
        run({"A": retrying}, tasks={"A": [{"error": "Busy"}]})


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ({"Aa": []}, "no state 'Aa' that runs a task. Did you mean `A`"),
        ({"P": []}, "P is a Pass state"),
        ({"A": [{"outptu": 1}]}, r"tasks.A\[0\]: unknown key 'outptu' in an outcome. Did you mean `output`"),
        ({"A": [{}]}, "needs one of output, error"),
        ({"A": [{"output": 1, "error": "x"}]}, "has one end, this one has output and error"),
        ({"A": [{"error": 5}]}, "error must be a text"),
        ({"A": [{"output": object()}]}, "cannot be written as JSON"),
        ({"A": [{"output": 1, "after": "PTX"}]}, "after: 'PTX' is not a duration"),
        ({"A": [{"output": 1, "iteration": -1}]}, "iteration is the number of an item"),
        ({"A": 5}, "an outcome is an object"),
        ([], "tasks is an object"),
    ],
)  # fmt: skip
def test_wrong_outcome_is_refused_saying_what_and_where(tasks: Any, message: str) -> None:
    states = {"P": {"type": "pass", "set": {}, "next": "A"}, "A": task()}
    with pytest.raises(MockRefused, match=message):
        run(states, tasks=tasks)


# -- children ------------------------------------------------------------------------------------------------

CALLING = {
    "C": {"type": "task", "workflow": "child", "input": {"n": 1}, "resultPath": "$.state.c", "end": True}
}


def test_child_workflow_takes_outcomes_like_a_task() -> None:
    assert run(CALLING, tasks={"C": [{"output": {"x": 1}}]}).output == {"x": 1}
    failed = run(CALLING, tasks={"C": [{"error": "Bad", "cause": "it was"}]})
    assert (failed.error, failed.cause) == ("Bad", "it was")


def test_child_workflow_runs_for_real_where_its_definition_is_given() -> None:
    child = document({"W": {"type": "wait", "duration": 60, "next": "T"}, "T": task()}, id="child")
    result = run(CALLING, tasks={"T": {"output": "deep"}}, workflows={"child": child})
    assert (result.output, result.now_ms) == ("deep", START_MS + 60_000)
    assert len(result.world.instances) == 2


def test_child_that_refuses_its_input_fails_the_task() -> None:
    child = document({"T": task()}, id="child", input={"type": "object", "required": ["m"]})
    result = run(CALLING, workflows={"child": child})
    assert result.error == "States.Runtime"
    assert "'m' is a required property" in (result.cause or "")


def test_child_without_outcome_or_definition_is_told() -> None:
    with pytest.raises(UnmockedTask, match="or the child's definition in workflows"):
        run(CALLING)


# -- refusals and bounds -------------------------------------------------------------------------------------


def test_refused_definition_carries_its_problems() -> None:
    with pytest.raises(DefinitionRefused) as raised:
        simulate(document({"A": task(next="B")}), {})
    assert [problem.pointer for problem in raised.value.problems if problem.severity == "error"]


def test_refused_input_says_where() -> None:
    with pytest.raises(InputRefused) as raised:
        run({"A": task()}, {"n": "x"}, given={"input": {"properties": {"n": {"type": "number"}}}})
    assert raised.value.pointer == "/n"


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ({"workflows": ["child"]}, "workflows must be an object"),
        ({"device": 5}, "device must be a text"),
        ({"device": ""}, "device must not be empty"),
        ({"until": []}, "until: .* is no moment"),
    ],
)
def test_argument_of_another_kind_is_refused(rest: dict[str, Any], message: str) -> None:
    with pytest.raises(MockRefused, match=message):
        run({"A": task()}, {}, tasks={"A": {"output": 1}}, **rest)


def test_unknown_keyword_is_refused() -> None:
    with pytest.raises(TypeError, match="event"):
        simulate(document({"A": task()}), {}, event=[])  # type: ignore[call-arg]


def test_loop_that_waits_for_nothing_ends_as_a_failure() -> None:
    counting = {"$.state.n": {"$add": [{"$path": "$.state.n", "$default": 0}, 1]}}
    more = {"variable": "$.state.n", "lessThan": 1_000_000, "next": "Count"}
    states = {
        "Count": {"type": "pass", "set": counting, "next": "More"},
        "More": {"type": "choice", "choices": [more], "default": "End"},
        "End": {"type": "succeed"},
    }
    result = run(states, {})
    assert result.error == "States.Runtime"


# -- the result ----------------------------------------------------------------------------------------------


def test_history_has_an_entry_for_each_record() -> None:
    history = run({"A": task()}, {}, tasks={"A": {"output": 1}}).history
    assert [entry["n"] for entry in history] == [1, 2]
    assert [entry["record"]["kind"] for entry in history] == ["InstanceStarted", "ActivityCompleted"]
    assert history[1]["patch"] == [{"op": "set", "path": "/done", "value": 1}]


def test_same_simulation_twice_gives_the_same() -> None:
    states = {"End": {"type": "succeed", "output": {"$uuid": []}}}
    first, second = run(states, {}), run(states, {})
    assert (first.output, first.history) == (second.output, second.history)


def test_observer_sees_every_decision() -> None:
    seen: list[Applied] = []
    run({"A": task()}, {}, tasks={"A": {"output": 1}}, observers=[seen.append])
    assert [applied.record.kind for applied in seen] == ["InstanceStarted", "ActivityCompleted"]


def test_a_thousand_simulations_of_one_definition_do_not_know_of_each_other() -> None:
    for number in range(1000):
        done = run(WAITING, {"order": number}, events=[{"at": 60, "type": "Paid", "data": {"order": number}}])
        assert (done.status, done.instance.input) == ("succeeded", {"order": number})


def test_until_before_the_beginning_is_refused() -> None:
    with pytest.raises(MockRefused, match="until: 2020-01-01T00:00:00Z is before the simulation begins"):
        run({"A": task()}, tasks={"A": {"output": 1}}, until="2020-01-01T00:00:00Z")


def test_what_is_no_list_of_events_is_refused() -> None:
    with pytest.raises(MockRefused, match="events is a list of events, not int"):
        run({"A": task()}, tasks={"A": {"output": 1}}, events=5)


def test_a_workflow_that_is_its_own_child_ends_at_a_limit() -> None:
    own = document({"A": {"type": "task", "workflow": "own", "resultPath": None, "end": True}})
    done = simulate(own, {}, workflows={"own": own})
    assert (done.status, done.error) == ("failed", "States.Runtime")
    assert done.cause is not None
    assert "does own start itself?" in done.cause


def test_a_start_that_does_not_fit_says_why() -> None:
    wanted = {"type": "object", "required": ["site"]}
    waiting = document({"A": {"type": "succeed"}}) | {"start": {"on": ["Seen"]}, "events": {"Seen": wanted}}
    with pytest.raises(MockRefused, match="Seen: deadLettered, since data: 'site' is a required property"):
        simulate(waiting, events=[{"type": "Seen", "data": {}}])
