"""The pure core: `lower` makes a program of a definition, `decide` applies a record to an instance of it."""

from stepwell_interpreter.decide import decide, describe, heartbeat_token, obligations, waits_for
from stepwell_interpreter.draft import Decision
from stepwell_interpreter.findings import DefinitionProblem, DefinitionProblems
from stepwell_interpreter.lower import lower
from stepwell_interpreter.program import Program

__all__ = [
    "Decision",
    "DefinitionProblem",
    "DefinitionProblems",
    "Program",
    "decide",
    "describe",
    "heartbeat_token",
    "lower",
    "obligations",
    "waits_for",
]
