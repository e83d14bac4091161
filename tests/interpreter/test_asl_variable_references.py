"""The variables that the states of a definition refer to."""

from typing import Any

from stepwell_interpreter.asl.variable_references import variable_references

PASS: dict[str, Any] = {"Type": "Pass", "End": True}


def test_paths_templates_and_rules_refer_to_variables_and_literals_do_not() -> None:
    inner = {"StartAt": "I", "States": {"I": {**PASS, "Parameters": {"x.$": "States.Format('{}', $inner)"}}}}
    choice = {"Variable": "$guess", "StringEqualsPath": "$answer", "Next": "M"}
    document = {
        "StartAt": "A",
        "States": {
            "A": {"Type": "Pass", "Parameters": {"literal": "$no"}, "Result": "$no", "Next": "C"},
            "C": {"Type": "Choice", "Choices": [choice], "Default": "M"},
            "M": {"Type": "Map", "ItemsPath": "$list", "ItemProcessor": inner, "End": True},
        },
    }
    assert variable_references(document) == {"C": ["answer", "guess"], "M": ["list"], "I": ["inner"]}


def test_an_expression_refers_to_what_it_neither_binds_nor_calls() -> None:
    output = "{% ($x := 1; $sum([$x, $y, $states.input.z])) %}"
    document = {
        "StartAt": "A",
        "QueryLanguage": "JSONata",
        "States": {"A": {**PASS, "Output": {"v": output}}},
    }
    assert variable_references(document) == {"A": ["y"]}
