"""Whether every state can still end: what is found once all states are known, by walking back from the ends."""

from collections import deque
from typing import Final

from stepwell_interpreter.exploration.judge import Verdict
from stepwell_interpreter.exploration.search import Found
from stepwell_interpreter.program import Program

_ENDING: Final = ("succeed", "fail")


def traps(found: Found, program: Program) -> list[tuple[Verdict, int]]:
    """The first state from which no end can be reached; nothing for a workflow that is meant to live on."""
    root = program.scopes[""]
    if not found.ended and not any(step.kind in _ENDING for step in root.steps.values()):
        return []
    total = len(found.moves)
    before: list[list[int]] = [[] for _ in range(total)]
    for source, target in zip(found.sources, found.targets, strict=True):
        if source >= 0:
            before[target].append(source)
    ends = bytearray(total)
    for number in found.ended:
        ends[number] = 1
    pending = deque(found.ended)
    while pending:
        for source in before[pending.popleft()]:
            if not ends[source]:
                ends[source] = 1
                pending.append(source)
    reached = set(found.targets)
    told = {number for verdict, number in found.verdicts if verdict.code in ("stuck", "engine-error")}
    first = next((number for number in range(total) if number in reached and not ends[number]), None)
    if first is None or told:
        return []
    message = "from here on the workflow goes round for ever: no end can be reached"
    return [
        (Verdict("no-end", (), message, help="lead out of the loop: a counter, a catch, a timeout"), first)
    ]
