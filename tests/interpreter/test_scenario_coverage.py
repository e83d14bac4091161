"""Coverage counts states, transitions and error routes, by where they are written in the definition."""

from scenario_world import PAID, order, ran
from stepwell_interpreter.compile import compile_source
from stepwell_interpreter.drawing import graph_of
from stepwell_interpreter.scenarios import load_scenarios, run_scenarios
from stepwell_interpreter.scenarios.coverage import Coverage, coverage_of, picture
from stepwell_interpreter.scenarios.parts import Parts

LARGE = PAID.replace("cents: 50}}", "cents: 5000}}, Pack: {output: 1}, Tell: {output: 1}")


def covered(*texts: str) -> Coverage:
    named = "".join(f"  - name: s{number}{text}" for number, text in enumerate(texts))
    return coverage_of(order(), ran(named), file="order.yaml")


def missed(coverage: Coverage) -> list[str]:
    return [part.pointer for part in coverage.missed]


def test_nothing_run_covers_nothing() -> None:
    coverage = coverage_of(order(), [])
    assert coverage.percent == 0
    assert coverage.counts() == {"state": (0, 9), "transition": (0, 9), "error": (0, 3)}


def test_a_run_covers_the_states_and_transitions_it_went_through() -> None:
    coverage = covered(PAID)
    assert coverage.covered == {
        "/states/Reserve", "/states/Reserve/next", "/states/Payment", "/states/Payment/next",
        "/states/Large", "/states/Large/default", "/states/Done",
    }  # fmt: skip


def test_branches_are_covered_in_their_own_machines() -> None:
    used = covered(LARGE).covered
    assert "/states/Both/branches/pack/states/Pack/end" in used
    assert "/states/Large/choices/0/next" in used
    assert "/states/Large/default" not in used


def test_a_timeout_is_a_transition_of_its_own() -> None:
    used = covered(PAID.replace("PT5M", "PT2H")).covered
    assert "/states/Payment/timeoutNext" in used
    assert "/states/Payment/next" not in used


def test_catches_retries_and_the_default_route_are_told_apart() -> None:
    caught = covered(PAID.replace("{output: {kept: k-1, cents: 50}}", "{error: OutOfStock}")).covered
    assert "/states/Reserve/catch/0" in caught
    assert "/configuration/onError" not in caught
    other = covered(PAID.replace("{output: {kept: k-1, cents: 50}}", "{error: Strange}")).covered
    assert "/configuration/onError" in other
    assert "/states/Reserve/catch/0" not in other
    busy = PAID.replace("{output: {kept: k-1, cents: 50}}", "[{error: Busy}, {output: {kept: k, cents: 1}}]")
    assert "/states/Reserve/retry/0" in covered(busy).covered


def test_an_error_route_is_no_transition() -> None:
    used = covered(PAID.replace("{output: {kept: k-1, cents: 50}}", "{error: OutOfStock}")).covered
    assert "/states/Reserve/next" not in used


def test_everything_that_runs_use_is_a_known_part() -> None:
    everything = covered(PAID, LARGE, PAID.replace("PT5M", "PT2H"))
    assert everything.covered <= {part.pointer for part in everything.parts}


def test_what_was_missed_is_named() -> None:
    text = covered(PAID).text()
    assert text.startswith(
        "order 1.0.0: 33 % covered; states 4/9 (44 %), transitions 3/9 (33 %), error routes 0/3"
    )
    assert "missed transition: Payment → Undo (timeout)" in text
    assert "missed error route: Reserve tries again (Busy)" in text


def test_the_document_has_pointers_and_percentages() -> None:
    document = covered(PAID).as_document()
    assert document["states"] == {
        "covered": 4, "total": 9, "percent": 44.44, "missed": document["states"]["missed"],
    }  # fmt: skip
    assert {"pointer": "/states/Undo", "label": "Undo"} in document["states"]["missed"]


def test_the_picture_knows_every_mark() -> None:
    compiled = order()
    marks = covered(PAID).marks()
    graph = graph_of(compiled.loaded.document or {})
    known = {node.id for node in graph.every_node()} | {edge.id for edge in graph.every_edge()}
    assert set(marks) <= known
    assert marks["/states/Reserve"] == "covered"
    assert marks["/states/Reserve->Undo#catch"] == "missed"
    assert picture(compiled, covered(PAID)).lstrip().startswith(("<svg", "<?xml"))


ANY_OF = """
id: any
version: 1.0.0
events: {A: {}, B: {}}
startAt: Wait
states:
  Wait:
    type: wait
    anyOf: {a: {event: A, next: Left}, b: {event: B}}
    timeout: PT1H
    resultPath: null
    next: Each
  Left: {type: succeed}
  Each:
    type: map
    items: [1, 2]
    tolerate: {count: 2}
    startAt: Do
    states: {Do: {type: task, activity: do, retry: [], resultPath: null, onError: Bad, next: Good},
      Good: {type: succeed},
      Bad: {type: fail, error: Bad}}
    resultPath: null
    end: true
"""


def test_alternatives_iterations_and_on_error_have_their_parts() -> None:
    compiled = compile_source(ANY_OF, file="any.yaml")
    assert compiled.program is not None, compiled.problems
    text = """
  - {name: left, events: [{type: A}]}
  - name: each
    events: [{type: B}]
    tasks: {Do: [{output: 1, iteration: 1}, {error: X, iteration: 0}]}
    expect: {path: [Wait, Each, {"0": [Do, Bad], "1": [Do, Good]}]}
"""
    results = run_scenarios(
        compiled, load_scenarios(f"definition: any.yaml\ntests:{text}", file="any.tests.yaml")
    )
    assert [result.explanation() for result in results if result.failed] == []
    coverage = coverage_of(compiled, results)
    assert missed(coverage) == []
    assert "/states/Each/states/Do/onError" in coverage.covered
    assert "/states/Wait/anyOf/a/next" in coverage.covered


AMAZON = """
{"StartAt": "Try", "States": {
  "Try": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:111111111111:function:try",
    "Retry": [{"ErrorEquals": ["Busy"], "MaxAttempts": 1}],
    "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Bad"}], "Next": "Size"},
  "Size": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericGreaterThan": 1, "Next": "Good"}],
    "Default": "Bad"},
  "Good": {"Type": "Succeed"},
  "Bad": {"Type": "Fail", "Error": "Bad"}}}
"""


def test_amazon_states_language_is_tested_and_covered_alike() -> None:
    compiled = compile_source(AMAZON, file="a.json")
    assert compiled.program is not None, compiled.problems
    text = """
  - {name: good, tasks: {Try: [{error: Busy}, {output: {n: 2}}]}, expect: {status: succeeded, output: {n: 2},
     path: [Try, Size, Good]}}
  - {name: bad, tasks: {Try: {error: Other}}, expect: {status: failed, error: Bad, path: [Try, Bad]}}
"""
    results = run_scenarios(
        compiled, load_scenarios(f"definition: a.json\ntests:{text}", file="a.tests.yaml")
    )
    assert [result.explanation() for result in results if result.failed] == []
    coverage = coverage_of(compiled, results, file="folder/a.json")
    assert missed(coverage) == ["/States/Size/Default"]
    assert coverage.definition == "a"


def test_each_part_is_listed_once() -> None:
    compiled = order()
    assert compiled.program is not None
    pointers = [part.pointer for part in Parts(compiled.program, compiled.loaded.document or {}).all()]
    assert len(pointers) == len(set(pointers))
