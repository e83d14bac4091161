"""Generated scenarios reach every transition and error route they can, hold, and never touch what people wrote."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as some
from scenario_world import ORDER, order
from stepwell_interpreter.compile import compile_source
from stepwell_interpreter.scenarios import load_scenarios, run_scenarios
from stepwell_interpreter.scenarios.coverage import coverage_of
from stepwell_interpreter.scenarios.generating import Generated, content_hash, generate
from stepwell_interpreter.scenarios.native_conditions import native_formula
from stepwell_interpreter.scenarios.rewriting import is_ours, kept_indexes, new_file, rewritten
from stepwell_interpreter.scenarios.samples import fits, sample
from stepwell_interpreter.scenarios.solving import solutions
from stepwell_interpreter.scope import MISSING


def generated_for(source: str) -> Generated:
    compiled = compile_source(source, file="w.yaml")
    assert compiled.program is not None, compiled.problems
    made = generate(compiled)
    text = new_file("w.yaml", made.scenarios)
    results = run_scenarios(compiled, load_scenarios(text, file="w.tests.yaml")) if made.scenarios else []
    assert [result.explanation() for result in results if result.verdict != "passed"] == []
    missed = {part.pointer for part in coverage_of(compiled, results).missed}
    assert missed == {part.pointer for part in made.unreached}
    return made


def test_every_part_of_a_workflow_with_waits_choices_branches_and_undo_is_reached() -> None:
    made = generated_for(ORDER)
    assert made.unreached == ()
    assert 3 <= len(made.scenarios) <= 7


def test_the_same_definition_gives_the_same_scenarios() -> None:
    assert generate(order()) == generate(order())


def test_what_cannot_be_reached_is_said() -> None:
    source = """
id: w
version: 1.0.0
startAt: Set
states:
  Set: {type: pass, set: {$.state.n: {$length: $.system.definition}}, next: Choose}
  Choose: {type: choice, choices: [{variable: $.state.n, equals: 100, next: Never}], default: Done}
  Never: {type: succeed}
  Done: {type: succeed}
"""
    assert [part.label for part in generated_for(source).unreached] == [
        "Choose → Never (choices[0])",
        "Never",
    ]


CHOOSING = """
id: w
version: 1.0.0
input: {type: object, properties: {plan: {type: string}, seats: {type: integer, minimum: 1}}, required: [plan]}
startAt: Ask
states:
  Ask:
    type: task
    activity: ask
    resultSelector: {score: $.result.rating.score, tags: $.result.tags}
    resultPath: $.state.answer
    next: First
  First:
    type: choice
    choices:
      - {and: [{variable: $.state.answer.score, greaterThan: 7}, {variable: $.input.plan, in: [gold, silver]}], next: A}
      - {or: [{variable: $.state.answer.tags, contains: urgent}, {variable: $.input.seats, isPresent: true}], next: B}
      - {not: {variable: $.input.plan, startsWith: trial}, next: C}
    default: D
  A: {type: succeed}
  B: {type: succeed}
  C: {type: succeed}
  D: {type: succeed}
"""


def test_choices_are_solved_through_selectors_and_the_input() -> None:
    assert [part.label for part in generated_for(CHOOSING).unreached] == []


WAITING = """
id: w
version: 1.0.0
events: {Reply: {}, Stop: {}, Beat: {}}
configuration: {timeout: P2D}
startAt: Any
states:
  Any:
    type: wait
    anyOf:
      reply: {event: Reply, match: {id: $.system.instanceId}, next: Judge,
        where: {variable: $.event.data.ok, equals: true}}
      stop: {event: Stop, next: Stopped}
    timeout: PT1H
    timeoutNext: Silent
    resultPath: $.state.got
    catch: [{errors: [States.ALL], next: Stopped}]
  Judge:
    type: choice
    choices: [{variable: $.state.got.reply.data.level, greaterThanOrEquals: 3, next: Silent}]
    default: Stopped
  Silent: {type: wait, absence: {event: Beat, for: PT10M}, resultPath: null, next: Each}
  Each:
    type: map
    items: $.input.items
    startAt: Do
    states:
      Do: {type: task, activity: do, input: {it: $.item.name}, retry: [{errors: [Busy], maxAttempts: 2}],
        catch: [{errors: [Skip], next: Skipped}], resultPath: null, end: true}
      Skipped: {type: succeed}
    catch: [{errors: [States.ALL], next: Stopped}]
    resultPath: null
    next: Stopped
  Stopped: {type: succeed}
"""


def test_waits_alternatives_absences_and_items_are_reached() -> None:
    left = [part.label for part in generated_for(WAITING).unreached]
    assert left == ["Any → Stopped (catch States.ALL)"]


ENDLESS = """
id: w
version: 1.0.0
events: {Tick: {}}
configuration: {timeout: P9D}
startAt: Wait
states:
  Wait: {type: wait, event: Tick, resultPath: null, next: Wait}
"""


def test_a_workflow_without_an_end_is_stopped_and_left_running() -> None:
    [scenario] = generated_for(ENDLESS).scenarios
    assert scenario["expect"]["status"] in ("running", "timedOut")


def test_scenarios_that_were_given_need_not_be_generated_again() -> None:
    compiled = order()
    everything = {part.pointer for part in coverage_of(compiled, []).parts}
    assert generate(compiled, covered=everything).scenarios == ()
    few = generate(compiled, covered=everything - {"/states/Payment/timeoutNext"}).scenarios
    assert [each["name"] for each in few] == ["generated: Payment → Undo (timeout)"]


def test_states_that_copy_from_each_other_do_not_hold_the_search_up() -> None:
    states = "".join(
        f"  S{number}: {{type: pass, set: {{$.state.a: $.state.a}}, next: S{number + 1}}}\n"
        for number in range(60)
    )
    source = (
        "id: w\nversion: 1.0.0\ninput: {type: object, required: [x]}\nstartAt: First\nstates:\n"
        f"  First: {{type: pass, set: {{$.state.a: $.input.x}}, next: S0}}\n{states}"
        "  S60: {type: choice, choices: [{variable: $.state.a, equals: 1, next: Yes}], default: No}\n"
        "  Yes: {type: succeed}\n  No: {type: succeed}\n"
    )
    assert generated_for(source).unreached == ()


SPINNING = """
id: w
version: 1.0.0
startAt: Wait
states:
  Wait: {type: wait, duration: 1, next: Ask}
  Ask: {type: task, activity: ask, resultPath: $.state.answer, next: Reset}
  Reset: {type: pass, set: {$.state.n: 0}, next: Add}
  Add: {type: pass, set: {$.state.n: {$add: [$.state.n, 1]}}, next: More}
  More: {type: choice, choices: [{variable: $.state.n, lessThan: 400, next: Add}], default: Wait}
"""


@pytest.mark.laborious
def test_a_workflow_that_works_without_end_is_searched_in_bounded_time() -> None:
    compiled = compile_source(SPINNING, file="w.yaml")
    assert compiled.program is not None, compiled.problems
    assert generate(compiled, max_plays=50).plays <= 50


# -- the file ------------------------------------------------------------------------------------------------


def written() -> str:
    return new_file("order.yaml", generate(order()).scenarios)


def again(text: str) -> str:
    """The file as it is after one more run of the generator."""
    before = load_scenarios(text, file="o.tests.yaml")
    assert before.usable, before.problems
    kept = kept_indexes(before)
    results = run_scenarios(order(), before)
    covered = {pointer for index in kept for pointer in results[index].covered}
    made = generate(order(), covered=covered, taken_names=[before.scenarios[index].name for index in kept])
    after = rewritten(before, made.scenarios)
    assert after is not None
    return after


def test_generating_again_changes_nothing() -> None:
    assert again(written()) == written()


def test_every_generated_scenario_carries_the_hash_of_its_content() -> None:
    for scenario in yaml.safe_load(written())["tests"]:
        assert scenario["generated"] == content_hash(scenario)
        assert is_ours(scenario)


def test_a_changed_expectation_is_kept_letter_for_letter() -> None:
    text = written().replace("status: succeeded", "status:   failed # on purpose", 1)
    edited = again(text)
    assert "status:   failed # on purpose" in edited
    assert again(edited) == edited


def test_comments_and_own_scenarios_are_kept_where_they_stand() -> None:
    head, _, rest = written().partition("tests:\n")
    own = (
        "  # mine\n  - name: mine   # really\n    input: {id: x}\n    tasks: {Reserve: {error: Strange}}\n\n"
    )
    after = again(f"{head}tests:\n{own}{rest}")
    assert after.startswith(f"{head}tests:\n{own}")


def test_a_generated_scenario_that_is_not_needed_any_more_goes() -> None:
    [first, *_] = generate(order()).scenarios
    changed = {key: value for key, value in first.items() if key != "generated"} | {"name": "generated: old"}
    changed["generated"] = content_hash(changed)
    text = new_file("order.yaml", [changed, *generate(order()).scenarios])
    assert "generated: old" not in again(text)


def test_a_list_in_flow_style_is_left_alone() -> None:
    before = load_scenarios("definition: a.yaml\ntests: [{name: a}]\n", file="a.tests.yaml")
    assert rewritten(before, []) is None


@pytest.mark.parametrize("text", ["1e5", "123", "0x1f", "true", "", "a: b", "2026-01-01", "12:30", "~"])
def test_a_text_that_looks_like_something_else_comes_back_as_a_text(text: str) -> None:
    scenario = {"name": "x", "input": {"value": text}}
    found = load_scenarios(new_file("a.yaml", [scenario]), file="a.tests.yaml")
    assert found.scenarios[0].input == {"value": text}


# -- values --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "minLength": 12},
        {"type": "string", "maxLength": 2},
        {"type": "integer", "minimum": 5, "maximum": 6},
        {"type": "number", "exclusiveMinimum": 0},
        {"enum": ["x", 1]},
        {"const": {"a": 1}},
        {"type": ["null", "boolean"]},
        {"anyOf": [{"type": "null"}, {"type": "string"}]},
        {
            "allOf": [
                {"type": "object", "required": ["a"]},
                {"properties": {"a": {"type": "array", "minItems": 2}}},
            ]
        },
        {
            "$defs": {"n": {"type": "integer"}},
            "type": "object",
            "required": ["n"],
            "properties": {"n": {"$ref": "#/$defs/n"}},
        },
        True,
    ],
)
def test_a_sample_fits_its_schema(schema: Any) -> None:
    assert fits(schema, sample(schema))


PATHS = ["$.state.a", "$.state.b"]
COMPARISONS = some.one_of(
    some.tuples(
        some.sampled_from(
            ["equals", "notEquals", "greaterThan", "greaterThanOrEquals", "lessThan", "lessThanOrEquals"]
        ),
        some.one_of(some.integers(-5, 5), some.sampled_from(["m", "x"])),
    ),
    some.tuples(
        some.sampled_from(["isString", "isNumber", "isNull", "isArray", "isBoolean"]), some.booleans()
    ),
    some.tuples(
        some.sampled_from(["startsWith", "endsWith", "contains", "matches"]), some.sampled_from(["ab", "b*"])
    ),
).flatmap(lambda pair: some.sampled_from(PATHS).map(lambda path: {"variable": path, pair[0]: pair[1]}))
CONDITIONS = some.recursive(
    COMPARISONS,
    lambda inner: some.one_of(
        some.lists(inner, min_size=1, max_size=3).map(lambda parts: {"and": parts}),
        some.lists(inner, min_size=1, max_size=3).map(lambda parts: {"or": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=5,
)


@given(CONDITIONS, some.booleans())
def test_a_solution_makes_the_condition_what_was_asked(condition: dict[str, Any], wanted: bool) -> None:
    from stepwell_interpreter.conditions import compile_condition
    from stepwell_interpreter.scope import Scope

    for solution in solutions([(native_formula(condition), wanted)]):
        state = {path[-1]: solution.get(path, "left as it is") for path in PATHS}
        present = {name: value for name, value in state.items() if value is not MISSING}
        assert compile_condition(condition)(Scope(state=present), []) is wanted
