"""The door to ASL expressions: everything else in this package compiles its fields through these names.

A compiled expression is a closure over an `AslScope`. Compilation raises `AslSyntax`; evaluation raises
`AslFailure` or `StateFailure`, and nothing else.
"""

from stepwell_interpreter.asl.assignments import compile_assign
from stepwell_interpreter.asl.choice_rules import compile_choice_rule
from stepwell_interpreter.asl.intrinsics import intrinsic_or_path
from stepwell_interpreter.asl.paths import (
    compile_input_path,
    compile_output_path,
    compile_path,
    compile_result_path,
)
from stepwell_interpreter.asl.payload import compile_payload
from stepwell_interpreter.asl.references import expression_problem, referenced_variables, syntax_problem
from stepwell_interpreter.asl.scalars import compile_value
from stepwell_interpreter.asl.syntax import JSONATA, JSONPATH, AslSyntax, Evaluate, Language
from stepwell_interpreter.asl.timestamps import parse_timestamp, timestamp_text

__all__ = [
    "JSONATA",
    "JSONPATH",
    "AslSyntax",
    "Evaluate",
    "Language",
    "compile_assign",
    "compile_choice_rule",
    "compile_input_path",
    "compile_output_path",
    "compile_path",
    "compile_payload",
    "compile_result_path",
    "compile_value",
    "expression_problem",
    "intrinsic_or_path",
    "parse_timestamp",
    "referenced_variables",
    "syntax_problem",
    "timestamp_text",
]
