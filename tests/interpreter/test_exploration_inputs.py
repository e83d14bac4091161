"""What an exploration begins with: inputs that are given go in place of those made from the schema."""

import math
from typing import Any

import pytest
from interpreter.exploring import codes, compiled
from stepwell_interpreter.compile import compile_source
from stepwell_interpreter.exploration.explore import explore
from stepwell_interpreter.simulation.errors import InputRefused

CHOICE = {"variable": "$.input.kind", "equals": "a", "next": "A"}
STATES: dict[str, Any] = {
    "Which": {"type": "choice", "choices": [CHOICE], "default": "B"},
    "A": {"type": "succeed"},
    "B": {"type": "succeed"},
}
KIND = {"type": "object", "properties": {"kind": {"type": "string"}}, "required": ["kind"]}
MACHINE = {
    "StartAt": "Which",
    "States": {
        "Which": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.kind", "StringEquals": "a", "Next": "A"}],
            "Default": "B",
        },
        "A": {"Type": "Succeed"},
        "B": {"Type": "Succeed"},
    },
}


def test_without_inputs_they_are_made_from_the_schema() -> None:
    assert explore(compiled(STATES, input=KIND)).coverage.unreached == ()


def test_given_inputs_are_all_that_an_instance_begins_with() -> None:
    found = explore(compiled(STATES, input=KIND), inputs=[{"kind": "b"}])
    assert found.coverage.unreached == ("/states/A",)


def test_amazon_states_language_is_explored_from_each_given_input() -> None:
    machine = compile_source(MACHINE)
    assert codes(explore(machine).warnings) == ["data-error"]
    one = explore(machine, inputs=[{"kind": "a"}])
    assert (one.warnings, one.coverage.unreached) == ((), ("/States/B",))
    both = explore(machine, inputs=[{"kind": "a"}, {"kind": "b"}])
    assert (both.warnings, both.coverage.unreached) == ((), ())


def test_states_of_amazon_states_language_are_told_by_their_pointers() -> None:
    found = explore(compile_source(MACHINE), inputs=[{"kind": "a"}])
    assert set(found.coverage.states) == {"/States/Which", "/States/A"}


def test_a_finding_tells_the_input_that_leads_to_it() -> None:
    found = explore(compile_source(MACHINE), inputs=[{"kind": "a"}, {"kin": "a"}])
    assert found.warnings[0].trace[0].value == {"kin": "a"}


@pytest.mark.parametrize(
    ("inputs", "told"),
    [([{"kind": "a"}, {"kind": 5}], "/kind"), ([], "at least one"), ([{"kind": {1, 2}}], "JSON")],
)
def test_an_input_that_no_instance_begins_with_is_refused(inputs: list[Any], told: str) -> None:
    with pytest.raises(InputRefused, match=told):
        explore(compiled(STATES, input=KIND), inputs=inputs)


def test_a_number_that_json_does_not_have_is_refused() -> None:
    with pytest.raises(InputRefused, match="JSON"):
        explore(compiled(STATES), inputs=[{"kind": math.nan}])
