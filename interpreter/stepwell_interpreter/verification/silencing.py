"""Findings that are meant: `checks.ignore` of a definition takes them away, by code and with a reason.

An ignore that has no reason, names no check, silences nothing or may not silence is itself told.
"""

from collections.abc import Collection, Sequence
from itertools import pairwise

from stepwell_schemas.problems import Problem
from stepwell_schemas.workflow import WorkflowDefinition

from stepwell_interpreter.failures import did_you_mean, pointer_to
from stepwell_interpreter.verification.findings import (
    CHECKS,
    SILENCEABLE_ELSEWHERE,
    Sink,
    VerificationProblem,
)


def silence(
    definition: WorkflowDefinition, problems: Sequence[Problem], incomplete: Collection[str] = ()
) -> tuple[list[Problem], list[VerificationProblem]]:
    """The problems that are left, and what is wrong with the ignores.

    Of the codes in `incomplete` there are more problems than these: an ignore may be about one of those.
    """
    sink = Sink()
    gone: set[int] = set()
    places = _places(problems)
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
        at = ignore.at if ignore.at is None or not ignore.at.startswith("/") else ignore.at.rstrip("/")
        meant = [number for number in places.get((ignore.code, at), ()) if number not in gone]
        if not meant and ignore.code not in incomplete:
            where = "" if ignore.at is None else f" at {ignore.at}"
            sink.add("ignore-unused", place, f"there is no finding `{ignore.code}`{where}")
        for number in meant:
            if may_silence(problems[number]):
                gone.add(number)
            else:
                message = f"`{ignore.code}` cannot be silenced: it is an error that no run would survive"
                sink.add("ignore-refused", place, message)
    left = [problem for number, problem in enumerate(problems) if number not in gone]
    return left, list(sink.found.values())


def may_silence(problem: Problem) -> bool:
    """Whether a problem may be ignored: all that is no error, and errors that may be meant."""
    if problem.severity != "error":
        return problem.code not in ("ignore-unused",)
    return problem.code in CHECKS and CHECKS[problem.code].silenceable


def _places(problems: Sequence[Problem]) -> dict[tuple[str, str | None], list[int]]:
    """What an ignore may say -> the problems: a code with the pointer of the place or of what holds it, the name
    of a state around it, or nothing."""
    places: dict[tuple[str, str | None], list[int]] = {}
    for number, problem in enumerate(problems):
        members = problem.pointer.split("/")
        ways: set[str | None] = {None, *("/".join(members[:end]) for end in range(1, len(members) + 1))}
        for before, member in pairwise(members):
            if before == "states":
                ways.add(member.replace("~1", "/").replace("~0", "~"))
        for way in ways:
            places.setdefault((problem.code, way), []).append(number)
    return places
