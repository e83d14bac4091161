"""Small things that ask for endless time or memory: each ends soon, with a named error or an answer.

No test here measures time: without the bounds, the tests' own limit (or the machine's memory) would end them.
"""

from typing import Any

import pytest
from stepwell_interpreter.compile import compile_source
from stepwell_interpreter.contracts import compile_contract
from stepwell_interpreter.failures import CompileProblem
from stepwell_interpreter.simulation.simulate import Simulation, simulate
from stepwell_schemas.durations import duration_ms, timestamp_ms

DIALECT = "https://json-schema.org/draft/2020-12/schema"
CATASTROPHIC = "^(a+)+$"
LARGE = "x" * 300_000


def doubling(keyword: str, levels: int = 60) -> dict[str, Any]:
    """A schema whose evaluation doubles at every level."""
    parts: dict[str, Any] = {"a0": {"type": "string"}}
    for level in range(1, levels):
        below = {"$ref": f"#/$defs/a{level - 1}"}
        parts[f"a{level}"] = {keyword: [below, below]}
    return {"$defs": parts, "$ref": f"#/$defs/a{levels - 1}"}


def deep(levels: int) -> Any:
    value: Any = "y" * 100_000
    for _ in range(levels):
        value = {"a": value}
    return value


def ran(template: Any, input: Any) -> Simulation:
    states = {"A": {"type": "pass", "set": {"$.state.x": template}, "next": "E"}, "E": {"type": "succeed"}}
    return simulate({"id": "a", "version": "1.0.0", "startAt": "A", "states": states}, input)


# -- schemas -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "oneOf"])
def test_a_schema_that_costs_more_than_it_says_is_refused_at_upload(keyword: str) -> None:
    with pytest.raises(CompileProblem, match="too many steps"):
        compile_contract(doubling(keyword))
    found = compile_source(
        {
            "id": "a",
            "version": "1.0.0",
            "input": doubling(keyword),
            "startAt": "A",
            "states": {"A": {"type": "succeed"}},
        }
    )
    assert [problem.code for problem in found.problems if "too many steps" in problem.message]


@pytest.mark.parametrize(
    ("schema", "value", "told"),
    [
        ({"properties": {"a": doubling("anyOf")["$defs"]["a0"]}, "$defs": {}}, {"a": 1}, "not of type"),
        (
            {
                "$defs": {"n": {"properties": {"c": {"allOf": [{"$ref": "#/$defs/n"}] * 2}}}},
                "$ref": "#/$defs/n",
            },
            "chain",
            "too many steps",
        ),
        (
            {"$defs": {"x": {"$ref": "#/$defs/x"}}, "properties": {"a": {"$ref": "#/$defs/x"}}},
            {"a": 1},
            "circle",
        ),
        (
            {
                "properties": {"a": {"$id": "urn:e", "properties": {"b": {"$ref": "#/$defs/x"}}}},
                "$defs": {"x": {}},
            },
            {"a": {"b": 1}},
            "cannot be used",
        ),
        (
            {"properties": {"a": {"anyOf": [{"type": "string"}] * 2_000}}},
            {"a": [LARGE] * 3},
            "too many steps",
        ),
        (
            {"properties": {"a": {"items": {"enum": list(range(5_000))}}}},
            {"a": [-1] * 5_000},
            "too many steps",
        ),
        (
            {"properties": {"a": {"$schema": DIALECT, "pattern": CATASTROPHIC}}},
            {"a": "a" * 60 + "!"},
            "does not match",
        ),
        (
            {
                "$schema": DIALECT,
                "type": ["object", "string"],
                "properties": {"a": {"$ref": "#"}},
                "pattern": CATASTROPHIC,
            },
            {"a": "a" * 60 + "!"},
            "does not match",
        ),
    ],
    ids=[
        "plain",
        "recursion",
        "circle",
        "inner-id",
        "messages",
        "enum",
        "own-schema",
        "own-schema-by-reference",
    ],
)
def test_a_value_is_judged_or_refused_whatever_the_schema(
    schema: dict[str, Any], value: Any, told: str
) -> None:
    contract = compile_contract(schema)
    assert contract is not None
    if value == "chain":
        value = None
        for _ in range(40):
            value = {"c": value}
    problem = contract.problem(value)
    assert problem is not None
    assert told in problem[0]
    assert len(problem[0]) <= 500


def test_a_large_value_may_cost_more_than_a_small_one() -> None:
    contract = compile_contract(
        {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}}}
    )
    assert contract is not None
    assert contract.problem([{"n": number} for number in range(20_000)]) is None


def test_a_reference_into_data_is_refused() -> None:
    with pytest.raises(CompileProblem, match="leads into data"):
        compile_contract({"const": {"type": 5}, "properties": {"a": {"$ref": "#/const"}}})


# -- values --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "template",
    [
        ["$.input.large"] * 5_000,
        {f"m{number}": "$.input.large" for number in range(5_000)},
        {"$toJson": [["$.input.large"] * 5_000]},
        {"$concat": [["$.input.large"] * 50] * 150},
        "$.input..*..*",
        "$.input..*..*..*",
        {"$toJson": "$.input..*..*"},
        {"$unique": ["$.input..*..*"]},
    ],
    ids=[
        "list",
        "object",
        "toJson",
        "concat",
        "descendants",
        "descendants-thrice",
        "toJson-of-them",
        "unique-of-them",
    ],
)
def test_one_large_value_referred_to_many_times_is_too_much(template: Any) -> None:
    run = ran(template, {"large": LARGE, "deep": deep(60)})
    assert (run.status, run.error) == ("failed", "States.DataLimitExceeded")


def test_the_same_of_amazon_states_language_is_too_much() -> None:
    def build(levels: int) -> dict[str, Any]:
        if levels == 0:
            return {f"a{number}.$": "$.large" for number in range(8)}
        return {f"a{number}": build(levels - 1) for number in range(8)}

    for fields in ({"Parameters": build(4)}, {"InputPath": "$..*..*..*"}):
        document = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True, **fields}}}
        run = simulate(document, {"large": "x" * 100_000, "deep": deep(50)})
        assert (run.status, run.error) == ("FAILED", "States.DataLimitExceeded")


def test_a_template_with_many_small_values_is_fine() -> None:
    run = ran(["$.input.n"] * 500, {"n": 1})
    assert run.state == {"x": [1] * 500}


def test_a_loop_of_large_queries_ends_within_one_decision() -> None:
    states = {
        "A": {"type": "pass", "set": {"$.state.n": {"$length": "$.input..*"}}, "next": "B"},
        "B": {
            "type": "choice",
            "choices": [{"variable": "$.state.n", "equals": -1, "next": "E"}],
            "default": "A",
        },
        "E": {"type": "succeed"},
    }
    document = {"id": "a", "version": "1.0.0", "startAt": "A", "states": states}
    run = simulate(document, {"list": list(range(50_000))})
    assert (run.status, run.error) == ("failed", "States.DataLimitExceeded")


@pytest.mark.parametrize("seconds", [1e300, 99_999_999 + 1])
def test_a_wait_beyond_the_calendar_fails_by_name(seconds: float) -> None:
    states = {"A": {"Type": "Wait", "SecondsPath": "$.n", "Next": "B"}, "B": {"Type": "Succeed"}}
    run = simulate({"StartAt": "A", "States": states}, {"n": seconds})
    assert (run.status, run.error) == ("FAILED", "States.Runtime")


@pytest.mark.parametrize(
    "text",
    [
        "P" + "1" * 100_000,
        "P" + "1" * 50_000 + "." + "1" * 50_000,
        "P1M" + "D1" * 50_000,
        "PT" + "9" * 100_000,
    ],
)
def test_a_text_that_is_no_duration_is_refused_soon(text: str) -> None:
    for read in (duration_ms, timestamp_ms):
        with pytest.raises(ValueError, match=r"duration|timestamp"):
            read(text)
