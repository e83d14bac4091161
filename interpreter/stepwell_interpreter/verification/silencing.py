"""Findings that are meant: `checks.ignore` of a definition takes them away, by code and with a reason.

An ignore that has no reason, names no check, silences nothing or may not silence is itself told.
"""

from collections.abc import Sequence

from stepwell_schemas.problems import Problem
from stepwell_schemas.workflow import Ignore, WorkflowDefinition

from stepwell_interpreter.failures import did_you_mean, pointer_to
from stepwell_interpreter.verification.findings import (
    CHECKS,
    SILENCEABLE_ELSEWHERE,
    Sink,
    VerificationProblem,
)


def silence(
    definition: WorkflowDefinition, problems: Sequence[Problem]
) -> tuple[list[Problem], list[VerificationProblem]]:
    """The problems that are left, and what is wrong with the ignores."""
    sink = Sink()
    left = list(problems)
    for index, ignore in enumerate(definition.checks.ignore):
        place = pointer_to("/checks/ignore", index)
        if not (ignore.reason or "").strip():
            sink.add("ignore-without-reason", place, f"`{ignore.code}` is ignored without a reason")
            continue
        if ignore.code not in CHECKS and ignore.code not in SILENCEABLE_ELSEWHERE:
            known = [*CHECKS, *SILENCEABLE_ELSEWHERE, *{problem.code for problem in problems}]
            if ignore.code not in known:
                message = f"there is no check `{ignore.code}`. {did_you_mean(ignore.code, known)}"
                sink.add("ignore-unknown-code", pointer_to(place, "code"), message)
                continue
        _apply(ignore, place, left, sink)
    return left, list(sink.found.values())


def _apply(ignore: Ignore, place: str, left: list[Problem], sink: Sink) -> None:
    meant = [problem for problem in left if problem.code == ignore.code and _is_at(problem, ignore.at)]
    if not meant:
        where = "" if ignore.at is None else f" at {ignore.at}"
        sink.add("ignore-unused", place, f"there is no finding `{ignore.code}`{where}")
    for problem in meant:
        if may_silence(problem):
            left.remove(problem)
        else:
            message = f"`{problem.code}` cannot be silenced: it is an error that no run would survive"
            sink.add("ignore-refused", place, message)


def may_silence(problem: Problem) -> bool:
    """Whether a problem may be ignored: all that is no error, and errors that may be meant."""
    if problem.severity != "error":
        return problem.code not in ("ignore-unused",)
    return problem.code in CHECKS and CHECKS[problem.code].silenceable


def _is_at(problem: Problem, at: str | None) -> bool:
    """`at` is a JSON pointer of the place or what holds it, or the name of a state."""
    if at is None:
        return True
    if at.startswith("/"):
        return problem.pointer == at or problem.pointer.startswith(at.rstrip("/") + "/")
    state = pointer_to("/states", at)
    return problem.pointer.endswith(state) or f"{state}/" in problem.pointer
