"""Generating scenarios ends by counted work whatever the definition, tells so, and leaves nothing out for it."""

import json
from typing import Any

import pytest
from stepwell_interpreter.compile import Compiled, compile_source
from stepwell_interpreter.scenarios.account import MOST_WORK, Account
from stepwell_interpreter.scenarios.generating import Generated, generate
from stepwell_interpreter.scenarios.jsonata_conditions import MOST_STEPS, jsonata_formula
from stepwell_interpreter.scenarios.native_conditions import native_formula
from stepwell_interpreter.scenarios.solving import Comparison, solutions

pytestmark = pytest.mark.laborious

SMALL = 300_000
OVER = 300_000
"""A decision is finished before the account is looked at again."""


def compiled(document: dict[str, Any], file: str = "w.json") -> Compiled:
    found = compile_source(json.dumps(document), file=file)
    assert found.program is not None, found.problems
    return found


def generated(states: dict[str, Any], **more: Any) -> Generated:
    document = {"id": "w", "version": "1.0.0", "startAt": next(iter(states)), "states": states, **more}
    return generate(compiled(document))


def asl(states: dict[str, Any]) -> Compiled:
    document = {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states}
    return compiled(document, "w.asl.json")


def chosen_by(conditions: list[str]) -> dict[str, Any]:
    rules = [{"Condition": f"{{% {each} %}}", "Next": f"E{n}"} for n, each in enumerate(conditions)]
    ends = {f"E{number}": {"Type": "Succeed"} for number in range(len(conditions))}
    return {"C": {"Type": "Choice", "Choices": rules, "Default": "Z"}, **ends, "Z": {"Type": "Succeed"}}


def choice_of(count: int, variable: str) -> dict[str, Any]:
    rules = [
        {"variable": variable.format(number), "equals": number, "next": f"E{number}"}
        for number in range(count)
    ]
    ends = {f"E{number}": {"type": "succeed"} for number in range(count)}
    return {"C": {"type": "choice", "choices": rules, "default": "Z"}, **ends, "Z": {"type": "succeed"}}


@pytest.mark.parametrize("variable", ["$.input.a", "$.input.a{}"])
def test_every_rule_of_a_large_choice_is_reached_with_little_work(variable: str) -> None:
    made = generated(choice_of(120, variable))
    assert made.unreached == ()
    assert made.plays == 121
    assert made.work < MOST_WORK // 4


def test_choices_one_behind_the_other_are_all_reached() -> None:
    states: dict[str, Any] = {}
    for number in range(60):
        rule = {"variable": f"$.input.a{number}", "equals": number, "next": f"P{number}"}
        states[f"C{number}"] = {"type": "choice", "choices": [rule], "default": f"C{number + 1}"}
        states[f"P{number}"] = {"type": "pass", "next": f"C{number + 1}"}
    made = generated({**states, "C60": {"type": "succeed"}})
    assert made.unreached == ()
    assert made.work < MOST_WORK // 4


@pytest.mark.parametrize(
    "condition",
    [
        "$sum([1..100000].($ * $states.input.a)) > {0} and $states.input.b = {0}",
        "($f := function($n){{$n < 1 ? $states.input.a + {0} : $f($n - 1) + $f($n - 1)}}; $f(30) = {0})",
    ],
)
def test_costly_conditions_end_the_search_by_its_bound_and_it_is_said(condition: str) -> None:
    made = generate(asl(chosen_by([condition.format(number) for number in range(6)])), max_work=SMALL)
    assert made.cut_short
    assert made.unreached
    assert made.work <= SMALL + OVER


def test_a_try_of_a_costly_condition_is_given_up_early_and_counts_what_it_took() -> None:
    formula = jsonata_formula({"Condition": "{% $sum([1..100000].($ * $states.input.a)) > 5 %}"})
    assert isinstance(formula, Comparison)
    assert formula.tried is not None
    verdict, work = formula.tried([7])
    assert verdict is None
    assert MOST_STEPS // 4 < work < 2 * MOST_STEPS


def test_plays_of_costly_expressions_count_by_what_they_compute() -> None:
    def passing(most: int) -> dict[str, Any]:
        output = {"x": f"{{% $sum([1..{most}].($ * 2)) %}}"}
        return {"P": {"Type": "Pass", "Output": output, "Next": "Z"}, "Z": {"Type": "Succeed"}}

    assert generate(asl(passing(20_000))).work > 100 * generate(asl(passing(10))).work


def nested(depth: int, items: int) -> dict[str, Any]:
    states: dict[str, Any] = {"I": {"type": "task", "activity": "t", "resultPath": None, "end": True}}
    for number in range(depth):
        body = {"items": "$.input.items", "startAt": next(iter(states)), "states": states}
        states = {f"M{number}": {"type": "map", **body, "resultPath": None, "end": True}}
    schema = {"type": "array", "minItems": items, "items": {"type": "string"}}
    return {
        "states": states,
        "input": {"type": "object", "properties": {"items": schema}, "required": ["items"]},
    }


def test_maps_within_maps_are_reached_by_one_play() -> None:
    made = generated(**nested(5, 5))
    assert made.unreached == ()
    assert made.plays == 1


def test_maps_that_go_beyond_every_bound_end_and_are_told_about() -> None:
    found = compiled({"id": "w", "version": "1.0.0", "startAt": "M7", **nested(8, 3)})
    made = generate(found, max_work=SMALL)
    assert made.cut_short
    assert made.unreached
    assert made.work <= SMALL + OVER


def test_a_play_that_goes_round_without_end_takes_nothing_from_those_that_end() -> None:
    rules = [
        {"variable": "$.input.go", "equals": "stop", "next": "Done"},
        {"variable": "$.input.go", "equals": "other", "next": "Other"},
    ]
    made = generated(
        {
            "P": {"type": "task", "activity": "t", "resultPath": None, "next": "C"},
            "C": {"type": "choice", "choices": rules, "default": "P"},
            "Done": {"type": "succeed"},
            "Other": {"type": "succeed"},
        }
    )
    assert {each.get("expect", {}).get("status") for each in made.scenarios} >= {"succeeded"}
    assert [part.pointer for part in made.unreached if part.kind == "state"] == []


def test_a_play_is_cut_within_the_work_that_is_given() -> None:
    found = compiled(
        {
            "id": "w",
            "version": "1.0.0",
            "startAt": "T0",
            "states": {
                **{
                    f"T{number}": {
                        "type": "task",
                        "activity": "t",
                        "resultPath": None,
                        "next": f"T{number + 1}",
                    }
                    for number in range(80)
                },
                "T80": {"type": "succeed"},
            },
        }
    )
    small = generate(found, max_work=1_000)
    assert small.cut_short
    assert small.scenarios == ()
    assert small.work < 2_000
    assert generate(found).unreached == ()


def test_the_same_bound_gives_the_same_scenarios() -> None:
    found = compiled({"id": "w", "version": "1.0.0", "startAt": "C", "states": choice_of(40, "$.input.a")})
    first = generate(found, max_work=4_000)
    assert first.cut_short
    assert generate(found, max_work=4_000) == first


def test_a_share_spends_of_the_whole() -> None:
    account = Account(100)
    share = account.share(4)
    share.spend(25)
    assert (share.exhausted, account.exhausted, account.spent) == (True, False, 25)
    account.spend(80)
    assert account.share(2).exhausted


def test_many_places_are_solved_without_nesting_calls() -> None:
    wanted = [(native_formula({"variable": f"$.input.a{n}", "equals": n}), True) for n in range(1_200)]
    [solution] = solutions(wanted)
    assert solution["$.input.a1199"] == 1199


def test_a_solver_without_work_left_gives_nothing() -> None:
    formula = native_formula({"variable": "$.input.a", "equals": 1})
    assert solutions([(formula, True)], Account(0)) == []
