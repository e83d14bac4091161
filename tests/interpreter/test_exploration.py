"""What an exploration reaches: outcomes, events, timers, branches, items; its bounds; the author's assertions."""

from pathlib import Path
from typing import Any

import pytest
from interpreter.exploring import ONCE, codes, compiled, explored, shown_by_scenario, told
from stepwell_interpreter.compile import compile_source
from stepwell_interpreter.exploration.explore import explore
from stepwell_interpreter.exploration.report import Bounds, Exploration
from stepwell_schemas.catalog import ActivityDescription

DONE: dict[str, Any] = {"type": "succeed"}
BAD: dict[str, Any] = {"type": "fail", "error": "Bad"}


def task(activity: str = "do", **rest: Any) -> dict[str, Any]:
    return {
        "type": "task",
        "activity": activity,
        "retry": ONCE,
        **({"end": True} if "next" not in rest else {}),
        **rest,
    }


def reached(result: Exploration) -> set[str]:
    return {pointer.rpartition("/")[2] for pointer in result.coverage.states}


# -- outcomes ------------------------------------------------------------------------------------------------


def test_a_task_completes_fails_and_times_out() -> None:
    states = {
        "Do": task(
            catch=[
                {"errors": ["States.Timeout"], "next": "Late"},
                {"errors": ["Refused"], "next": "Refused"},
                {"next": "Other"},
            ],
            next="Done",
        ),
        "Late": BAD,
        "Refused": BAD,
        "Other": BAD,
        "Done": DONE,
    }
    assert reached(explored(states)) == {"Do", "Late", "Refused", "Other", "Done"}


def test_a_silent_worker_leads_to_a_heartbeat_timeout_and_a_slow_one_to_a_timeout() -> None:
    states = {
        "Do": task(
            heartbeat="PT10S",
            timeout="PT1M",
            catch=[
                {"errors": ["States.HeartbeatTimeout"], "next": "Silent"},
                {"errors": ["States.Timeout"], "next": "Late"},
            ],
        ),
        "Silent": BAD,
        "Late": BAD,
    }
    result = explored(states)
    assert {"Silent", "Late"} <= reached(result)


def test_outputs_are_made_for_every_branch_of_a_choice_that_looks_at_them() -> None:
    states = {
        "Do": task(resultPath="$.state.answer", next="Look"),
        "Look": {
            "type": "choice",
            "choices": [
                {"variable": "$.state.answer.kind", "equals": "a", "next": "A"},
                {"variable": "$.state.answer.count", "greaterThan": 5, "next": "Many"},
                {"variable": "$.state.answer.extra", "isPresent": True, "next": "Extra"},
            ],
            "default": "None",
        },
        "A": DONE,
        "Many": DONE,
        "Extra": DONE,
        "None": DONE,
    }
    result = explored(states, bounds=Bounds(values=20))
    assert {"A", "Many", "Extra", "None"} <= reached(result)
    assert not result.warnings


def test_outputs_keep_to_the_schema_of_the_activity() -> None:
    schema = {"type": "object", "required": ["word"], "properties": {"word": {"enum": ["red", "green"]}}}
    states = {
        "Do": task(resultSelector={"colour": "$.result.word"}, resultPath="$.state.answer", next="Look"),
        "Look": {
            "type": "choice",
            "choices": [
                {"variable": "$.state.answer.colour", "equals": "green", "next": "Green"},
                {"variable": "$.state.answer.colour", "equals": "blue", "next": "Blue"},
            ],
            "default": "Red",
        },
        "Green": DONE,
        "Blue": DONE,
        "Red": DONE,
    }
    activity = ActivityDescription(name="do", output_schema=schema)
    result = explored(states, activities=[activity])
    assert reached(result) == {"Do", "Look", "Green", "Red"}
    assert result.coverage.unreached == ("/states/Blue",)


def test_an_optional_member_of_an_output_that_is_read_may_be_missing() -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    states = {"Do": task(resultPath="$.state.it", next="Tell"), "Tell": task("tell", input="$.state.it.name")}
    (warning,) = explored(states, activities=[ActivityDescription(name="do", output_schema=schema)]).warnings
    assert warning.code == "data-error"
    assert warning.trace[-1].value == {}


def test_a_callback_completes_fails_and_times_out() -> None:
    states = {
        "Ask": task(
            "ask", callback=True, timeout="PT1H", next="Yes",
            catch=[{"errors": ["States.Timeout"], "next": "Late"}, {"next": "No"}],
        ),
        "Late": BAD,
        "No": BAD,
        "Yes": DONE,
    }  # fmt: skip
    assert {"Late", "No", "Yes"} <= reached(explored(states))


def test_a_child_workflow_completes_and_fails() -> None:
    states = {
        "Run": {"type": "task", "workflow": "child", "catch": {"next": "No"}, "next": "Yes"},
        "No": BAD,
        "Yes": DONE,
    }
    assert {"No", "Yes"} <= reached(explored(states))


# -- events and timers ---------------------------------------------------------------------------------------


def test_event_and_timeout_are_both_tried() -> None:
    states = {
        "Wait": {"type": "wait", "event": "Go", "match": {"id": "$.input.id"}, "timeout": "PT1H", "timeoutNext": "Late",
                 "resultPath": "$.state.go", "next": "Look"},
        "Look": {"type": "choice", "choices": [{"variable": "$.state.go.data.ok", "equals": True, "next": "Good"}],
                 "default": "Bad"},
        "Late": DONE, "Good": DONE, "Bad": DONE,
    }  # fmt: skip
    result = explored(states)
    assert {"Late", "Good", "Bad"} <= reached(result)
    assert result.sound


def test_a_condition_on_the_event_is_met_and_missed() -> None:
    states = {
        "Wait": {"type": "wait", "event": "Go", "where": {"variable": "$.event.data.n", "greaterThan": 3},
                 "timeout": "PT1H", "timeoutNext": "Late", "next": "Good"},
        "Late": DONE, "Good": DONE,
    }  # fmt: skip
    assert {"Late", "Good"} <= reached(explored(states))


@pytest.mark.parametrize("form", ["anyOf", "allOf"])
def test_all_alternatives_of_a_wait_are_tried(form: str) -> None:
    waits = {"a": {"event": "A"}, "b": {"event": "B"}}
    states = {"Wait": {"type": "wait", form: waits, "timeout": "PT1H", "timeoutNext": "Late", "next": "Good"},
              "Late": DONE, "Good": DONE}  # fmt: skip
    result = explored(states)
    assert {"Late", "Good"} <= reached(result)
    assert result.complete


def test_an_absence_ends_with_and_without_a_sign_of_life() -> None:
    states = {
        "Wait": {"type": "wait", "absence": {"event": "Beat", "for": "PT5M"}, "resultPath": "$.state.gone",
                 "next": "Look"},
        "Look": {"type": "choice", "choices": [{"variable": "$.state.gone.seen", "equals": 0, "next": "Never"}],
                 "default": "Gone"},
        "Never": DONE, "Gone": DONE,
    }  # fmt: skip
    assert {"Never", "Gone"} <= reached(explored(states))


def test_timers_fire_in_the_order_in_which_they_are_due() -> None:
    def pause(duration: str, word: str) -> dict[str, Any]:
        return {
            "startAt": f"Wait {word}",
            "states": {
                f"Wait {word}": {"type": "wait", "duration": duration, "next": f"Note {word}"},
                f"Note {word}": {"type": "pass", "set": {"$.state.first": {"$path": "$.state.first", "$default": word}},
                                 "end": True},
            },
        }  # fmt: skip

    states = {
        "Both": {
            "type": "parallel",
            "branches": {"a": pause("PT2H", "slow"), "b": pause("PT1H", "fast")},
            "end": True,
        }
    }
    never = [{"name": "slow first", "never": {"variable": "$.state.first", "equals": "slow"}}]
    assert explored(states, asserts=never).sound


def test_a_timeout_around_a_polling_loop_fires_though_each_turn_looks_the_same() -> None:
    inside = {
        "Pause": {"type": "wait", "duration": "PT1H", "next": "Enough"},
        "Enough": {"type": "choice", "choices": [{"variable": "$.item", "equals": 2, "next": "End"}],
                   "default": "Pause"},
        "End": DONE,
    }  # fmt: skip
    loop = {
        "Poll": {"type": "map", "items": [1], "timeout": "P1D", "startAt": "Pause", "catch": {"next": "Late"},
                 "states": inside, "next": "Done"},
        "Late": BAD,
        "Done": DONE,
    }  # fmt: skip
    result = explored(loop)
    assert "Late" in reached(result)
    assert "no-end" not in codes(result.violations)


# -- branches and items --------------------------------------------------------------------------------------


def test_alike_items_of_a_map_are_not_told_apart() -> None:
    states = {
        "Each": {"type": "map", "items": "$.input.list", "startAt": "A",
                 "states": {"A": task("a", next="B"), "B": task("b")}, "end": True},
    }  # fmt: skip
    two = explored(states, bounds=Bounds(items=2))
    three = explored(states, bounds=Bounds(items=3))
    assert two.complete
    assert three.states < 4 * two.states


def test_a_longer_list_and_an_empty_one_are_tried() -> None:
    states = {
        "Each": {"type": "map", "items": "$.input.list", "startAt": "A", "states": {"A": task("a")},
                 "resultPath": "$.state.all", "next": "Any"},
        "Any": {"type": "choice", "choices": [{"variable": "$.state.all[0]", "isPresent": True, "next": "Some"}],
                "default": "None"},
        "Some": DONE,
        "None": DONE,
    }  # fmt: skip
    assert {"Some", "None"} <= reached(explored(states))


def test_a_failing_branch_cancels_the_others_and_leaves_nothing_over() -> None:
    branches = {name: {"startAt": name, "states": {name: task(name.lower())}} for name in ("A", "B", "C")}
    result = explored(
        {"All": {"type": "parallel", "branches": branches, "catch": {"next": "Bad"}, "end": True}, "Bad": BAD}
    )
    assert result.complete
    assert result.sound
    assert result.coverage.statuses.keys() == {"succeeded", "failed"}


# -- cancelling ----------------------------------------------------------------------------------------------


def test_cancelling_is_tried_when_asked_for() -> None:
    states = {"Do": task(compensateWith={"activity": "undo"}, next="Again"), "Again": task("again")}
    assert "cancelled" not in explored(states).coverage.statuses
    result = explored(states, bounds=Bounds(cancel=True))
    assert result.coverage.statuses["cancelled"]
    assert result.sound


def test_what_a_cancellation_breaks_is_found() -> None:
    states = {"Do": task("charge", compensateWith={"activity": "refund"}, next="Ship"), "Ship": task("ship")}
    settled = {
        "or": [
            {"variable": "$.run.calls.ship", "equals": 1},
            {"variable": "$.run.undone.charge", "equals": 1},
            {"variable": "$.run.status", "equals": "failed"},
        ]
    }
    rest: dict[str, Any] = {
        "assert": [
            {"name": "settled", "when": {"variable": "$.run.calls.charge", "equals": 1}, "atEnd": settled}
        ]
    }
    assert explored(states, **rest).sound
    (violation,) = explored(states, bounds=Bounds(cancel=True), **rest).violations
    assert told(violation)[-1] == "the instance is cancelled"
    assert violation.scenario is None


# -- assertions ----------------------------------------------------------------------------------------------


def test_always_is_asked_everywhere_and_possible_somewhere() -> None:
    states = {
        "Set": {"type": "pass", "set": {"$.state.n": 1}, "next": "Do"},
        "Do": task(next="Done"),
        "Done": DONE,
    }
    good = [
        {"name": "n", "always": {"variable": "$.state.n", "equals": 1}},
        {"name": "works", "possible": {"variable": "$.run.status", "equals": "succeeded"}},
    ]
    assert explored(states, asserts=good).sound
    bad = [
        {"name": "n", "always": {"variable": "$.state.n", "equals": 2}},
        {"name": "twice", "possible": {"variable": "$.run.calls.do", "equals": 2}},
    ]
    result = explored(states, asserts=bad)
    assert [violation.assertion for violation in result.violations] == ["n", "twice"]
    assert result.violations[1].trace == ()


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ({"variable": "$.run.calls.nobody", "equals": 1}, "run-activity"),
        ({"variable": "$.run.calls", "equals": 1}, "run-activity"),
        ({"variable": "$.run.cals.do", "equals": 1}, "run-fact"),
        ({"variable": "$.event.data", "equals": 1}, "path-root"),
    ],
)
def test_a_wrong_assertion_is_told_where_the_definition_is_checked(rule: dict[str, Any], code: str) -> None:
    document = {
        "id": "flow", "version": "1.0.0", "startAt": "Do", "states": {"Do": task()},
        "assert": [{"name": "x", "never": rule}],
    }  # fmt: skip
    made = compile_source(document)
    problem = next(problem for problem in made.problems if problem.code == code)
    assert problem.pointer.startswith("/assert/0/never")


def test_what_a_run_has_done_is_known_to_assertions_alone() -> None:
    document = {
        "id": "flow",
        "version": "1.0.0",
        "startAt": "Do",
        "states": {"Do": task(input="$.run.status")},
    }
    assert "path-root" in [problem.code for problem in compile_source(document).problems]


@pytest.mark.parametrize(
    "forms",
    [{}, {form: {"variable": "$.state.a", "equals": 1} for form in ("never", "always")}],
    ids=["none", "two"],
)
def test_an_assertion_has_exactly_one_form(forms: dict[str, Any]) -> None:
    document = {
        "id": "flow", "version": "1.0.0", "startAt": "Do", "states": {"Do": task()}, "assert": [{"name": "x", **forms}],
    }  # fmt: skip
    assert not compile_source(document).accepted


# -- bounds and reports --------------------------------------------------------------------------------------


def test_an_exploration_stops_at_its_bounds_and_says_which() -> None:
    growing = {"Wait": {"type": "wait", "event": "Go", "next": "Add"},
               "Add": {"type": "pass", "set": {"$.state.n": {"$add": [{"$path": "$.state.n", "$default": 0}, 1]}},
                       "next": "Wait"}}  # fmt: skip
    wide = explored(growing, bounds=Bounds(states=50))
    assert (wide.states, wide.complete, wide.stopped_by) == (50, False, "states")
    deep = explored(growing, bounds=Bounds(depth=10))
    assert (deep.depth, deep.complete, deep.stopped_by) == (10, False, "depth")


def test_a_state_that_grows_is_a_warning() -> None:
    grow = {"$concat": [{"$path": "$.state.list", "$default": []}, [["x" * 50]]]}
    growing = {"Wait": {"type": "wait", "event": "Go", "next": "Add"},
               "Add": {"type": "pass", "set": {"$.state.list": grow}, "next": "Wait"}}  # fmt: skip
    assert "state-grows" in codes(explored(growing, bounds=Bounds(states=200, state_bytes=1_000)).warnings)


def test_fewer_retries_are_explored_and_all_are_told_in_the_counter_example() -> None:
    states = {"Do": task(retry={"maxAttempts": 7, "initialInterval": 1})}
    rest: dict[str, Any] = {
        "assert": [{"name": "ends well", "atEnd": {"variable": "$.run.status", "equals": "succeeded"}}]
    }
    (violation,) = explored(states, **rest).violations
    assert len(violation.trace) == 4
    assert violation.scenario is not None
    assert violation.scenario["expect"]["activities"] == {"do": 8}
    assert shown_by_scenario(states, violation, **rest)


def test_the_same_definition_is_explored_the_same_way_twice() -> None:
    states = {"Do": task(catch={"next": "Bad"}, resultPath="$.state.r", next="Wait"), "Bad": BAD,
              "Wait": {"type": "wait", "event": "Go", "end": True}}  # fmt: skip
    assert explored(states) == explored(states)


def test_a_definition_with_errors_cannot_be_explored() -> None:
    broken = compile_source(
        {"id": "flow", "version": "1.0.0", "startAt": "Nowhere", "states": {"Do": task()}}
    )
    with pytest.raises(ValueError, match="cannot be explored"):
        explore(broken)


def test_a_bare_program_is_explored_without_its_document() -> None:
    program = compiled({"Do": task()}).program
    assert program is not None
    assert explore(program).complete


def test_progress_is_told_now_and_then() -> None:
    heard: list[int] = []
    again = {"maxAttempts": 2}
    branches = {
        name: {
            "startAt": f"{name}1",
            "states": {
                f"{name}1": task("a", retry=again, next=f"{name}2"),
                f"{name}2": task("b", retry=again),
            },
        }
        for name in ("A", "B", "C", "D")
    }
    states = {"All": {"type": "parallel", "failure": "collect", "branches": branches, "end": True}}
    explore(
        compiled(states), bounds=Bounds(states=6_000), progress=lambda states, waiting: heard.append(states)
    )
    assert heard


def test_the_examples_of_the_documentation_break_and_hold_as_it_says() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "exploration.md"
    faulty, mended, *_ = [
        compile_source(part.partition("```")[0])
        for part in page.read_text(encoding="utf-8").split("```yaml\n")[1:]
    ]
    assert faulty.accepted
    assert mended.accepted
    assert [finding.code for finding in explore(faulty).violations] == ["lost-compensation"]
    result = explore(mended)
    assert result.sound
    assert result.complete
